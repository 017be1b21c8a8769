import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from huidu.core.text.numerals import numeral_errors
from huidu.core.text.numerals.english import english_numerals
from huidu.core.text.numerals.numeral import Numeral


def only(text: str) -> Numeral:
    """The one numeral of a text."""
    found = list(english_numerals(text))
    assert len(found) == 1, found
    return found[0]


def readings(text: str) -> set[str]:
    return {" ".join(reading) for reading in only(text).readings}


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("zero", "0"),
        ("two hundred and fifty four", "254"),
        ("Twenty-One Thousand", "21000"),
        ("a hundred and five", "105"),
        ("eleven hundred twenty one", "1121"),
        ("ninety nine hundred", "9900"),
        ("two million three", "2000003"),
        ("three fifty thousand", "350000"),
        ("seventeen sextillion eight hundred fifty five quintillion", "17855000000000000000000"),
        ("minus sixty", "-60"),
        ("negative five", "-5"),
        ("plus or minus two", "±2"),
        ("ten degrees below zero", "-10 degrees"),
        ("point o five", "0.05"),
        ("eighteen point five o", "18.50"),
        ("three point fourteen", "3.14"),
        ("one point two point three", "1.2.3"),
        ("two point five million", "2500000"),
        ("two and a half million", "2500000"),
        ("half a million", "500000"),
        ("one million and a half", "1500000"),
        ("two and a half", "2.5"),
        ("three and three quarters", "3.75"),
        ("an hour and a half", "1.5 hours"),
        ("one and two thirds", "1 2/3"),
        ("two thirds", "2/3"),
        ("one twentieth", "1/20"),
        ("three twenty fifths", "3/25"),
        ("ninety percent", "90%"),
        ("seventy six per cent", "76%"),
        ("half a percent", "0.5%"),
        ("hundred percent", "100%"),
        ("two dollars and seventy cents", "2.7 dollars"),
        ("a dollar fifty", "1.5 dollars"),
        ("four united states dollars and sixty nine cents", "4.69 united states dollars"),
        ("two dozen", "24"),
        ("double oh seven", "007"),
        ("triple oh one", "0001"),
        ("nine double one", "911"),
        ("oh two three one two three", "023123"),
        ("one eight hundred five five five one two three four", "18005551234"),
        ("plus forty four one two three one two three", "44123123"),
        ("five five five dash one two three four", "5551234"),
        ("one sixty six", "166"),
        ("forty fifty", "4050"),
        ("two oh one", "201"),
        ("nineteen ninety nine", "1999"),
        ("nineteen oh five", "1905"),
        ("nineteen fifties", "1950s"),
        ("twenty tens", "2010s"),
        ("nineteen hundreds", "1900s"),
        ("two thousands", "2000s"),
        ("thirty first", "31st"),
        ("one hundred eleventh", "111th"),
        ("one hundredth", "100th"),
        ("half past three", "3:30"),
        ("quarter to one", "12:45"),
        ("twenty five minutes past three", "3:25"),
        ("five past twelve", "12:05"),
        ("one min to one", "12:59"),
    ],
)
def test_a_number_in_words_has_one_written_form(said: str, form: str) -> None:
    assert only(said).form == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("3 point 14", "3.14"),
        ("2.5 million", "2500000"),
        ("1,200 thousand", "1200000"),
        ("2 hundred thousand", "200000"),
        ("3 and a half million", "3500000"),
        ("90 percent", "90%"),
        ("half past 3", "3:30"),
        ("20 past 4", "4:20"),
        ("2 dollars and 70 cents", "2.7 dollars"),
    ],
)
def test_digits_with_words_are_read_together(text: str, form: str) -> None:
    assert (only(text).form, only(text).start, only(text).end) == (form, 0, len(text))


@pytest.mark.parametrize("text", ["105", "$2.5 billion", "3:30 pm", "31st", "1950s", "b747", "5 apples", "3-5 percent"])
def test_what_needs_no_words_is_left_to_the_reader_of_digits(text: str) -> None:
    assert list(english_numerals(text)) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("three thirty", {"3:30", "330", "3 30", "3.3"}),
        ("five twenty four", {"524", "5:24", "5 24", "5.24"}),
        ("two oh one", {"201", "2:01", "2 0 1"}),
        ("nineteen ninety nine", {"1999", "19 99", "19.99"}),
        ("twenty twenty five", {"2025", "20:25", "20 25", "20.25"}),
        ("ten to eleven", {"10 11", "10:50"}),
        ("five o'clock", {"5:00", "5"}),
        ("one cent", {"1", "0.01"}),
        ("forty second", {"42", "40"}),
        ("one hundredth", {"100", "1/100"}),
        ("three quarters", {"3/4", "3"}),
        ("sixty point two zero kilograms", {"60.2", "60.20"}),
        ("fifteen hundred hours", {"1500", "15:00"}),
        ("one two three, four five six seven", {"123 4567", "1234567"}),
    ],
)
def test_words_have_all_the_readings_that_they_may_stand_for(said: str, expected: set[str]) -> None:
    assert readings(said) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("room three thirty", "330"),
        ("at five twenty four", "5:24"),
        ("five twenty four pm", "5:24"),
        ("five twenty four a.m.", "5:24"),
        ("five twenty four meters", "524"),
        ("at ten to eleven", "10:50"),
        ("sixteen nine", "16 9"),
    ],
)
def test_the_words_beside_it_say_which_reading_is_meant(text: str, first: str) -> None:
    assert " ".join(only(text).keys) == first


@pytest.mark.parametrize(
    "text",
    [
        "no one knows, someone does",
        "the point is that we may go to the second half past the point",
        "oh my god, wait a second and a quarter",
        "several hundred people, hundreds of thousands, tens of thousands",
        "and a to may oh o double triple dozens of point dot minus negative plus half-time",
        "the phone, a stone, weight, tone, often, tent",
        "eight's and one's",
    ],
)
def test_ordinary_words_are_no_counted_numbers(text: str) -> None:
    assert [numeral for numeral in english_numerals(text) if numeral.counted] == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("type one diabetes", "type 1 diabetes"),
        ("one of them", "1 of them"),
        ("the first time", "the 1st time"),
        ("a dozen eggs", "12 eggs"),
        ("half of it", "1/2 of it"),
    ],
)
def test_what_is_doubtful_satisfies_and_is_not_counted(text: str, written: str) -> None:
    assert not only(text).counted
    assert numeral_errors(text, "nothing").errors == 0
    assert numeral_errors(written, text).errors == 0


@pytest.mark.parametrize(
    "text", ["one meter", "june first", "may the first", "the first of may", "minus one", "one percent", "one p.m."]
)
def test_a_one_counts_where_it_is_a_quantity_or_a_day(text: str) -> None:
    assert only(text).counted


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("one hundred two hundred three hundred", ["100", "200", "300"]),
        ("one hundred and two hundred", ["100", "200"]),
        ("between fifteen and twenty", ["15", "20"]),
        ("one to three or one or two", ["1", "3", "1", "2"]),
        ("ten minus five plus two", ["10", "5", "2"]),
        ("june third eighteen seventy one", ["3", "1871"]),
        ("june twenty five nineteen ninety nine", ["25", "1999"]),
        ("july fifteen o six", ["1506"]),
        ("five dollars twenty people", ["5", "20"]),
        ("at this point two people", ["2"]),
        ("oh two people and nineteen oh my god", ["2", "19"]),
        ("five to ten percent", ["5", "10%"]),
        ("room two, three people", ["2", "3"]),
        ("three o clock", ["3"]),
        ("one second and thirty seconds", ["1", "30"]),
    ],
)
def test_numbers_that_stand_side_by_side_stay_apart(text: str, forms: list[str]) -> None:
    assert [numeral.form for numeral in english_numerals(text)] == forms


def test_offsets_are_those_of_the_words() -> None:
    found = list(english_numerals("我有Twenty  three个, 'five' of them"))
    assert [(numeral.start, numeral.end, numeral.form) for numeral in found] == [(2, 15, "23"), (19, 23, "5")]


# Laws, with a speller of their own.

SPELLED = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen - - twenty thirty forty fifty sixty seventy eighty ninety
"""
SMALL, TIES = SPELLED.split()[:20], SPELLED.split()[20:]
GREAT = ["", " thousand", " million", " billion", " trillion", " quadrillion"]
LAST_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
LAST_ORDINALS |= {"twelve": "twelfth"} | {tie: tie[:-1] + "ieth" for tie in TIES[2:]}


def low(value: int, link: str) -> str:
    if value < 20:
        return SMALL[value]
    if value < 100:
        return TIES[value // 10] + (f"{link}{SMALL[value % 10]}" if value % 10 else "")
    rest = f" and {low(value % 100, link)}" if link == "-" else f" {low(value % 100, link)}"
    return f"{SMALL[value // 100]} hundred" + (rest if value % 100 else "")


def spell(value: int, link: str = " ") -> str:
    """As at school; with a hyphen also the British "and"."""
    groups = [(value // 1000**place % 1000, GREAT[place]) for place in range(5, -1, -1)]
    return " ".join(low(group, link) + name for group, name in groups if group) or "zero"


def spell_ordinal(value: int) -> str:
    front, _, last = spell(value).rpartition(" ")
    return f"{front} {LAST_ORDINALS.get(last, last + 'th')}".strip()


links = st.sampled_from([" ", "-"])
values = st.one_of(st.integers(0, 10**15), st.integers(0, 12).flatmap(lambda power: st.integers(0, 10**power)))


@settings(deadline=None, max_examples=200)
@given(values, links)
def test_a_cardinal_has_its_value(value: int, link: str) -> None:
    assert only(spell(value, link)).keys == (str(value),)


@settings(deadline=None, max_examples=100)
@given(values, links)
def test_a_spoken_number_equals_its_digits(value: int, link: str) -> None:
    said, written = f"we counted {spell(value, link)} birds", f"we counted {value} birds"
    assert numeral_errors(said, written).errors == numeral_errors(written, said).errors == 0


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**12).filter(lambda value: value % 100 != 2 and "00" not in str(value)))
@example(31)
def test_an_ordinal_has_its_value(value: int) -> None:
    assert only(spell_ordinal(value)).keys == (str(value),)


@settings(deadline=None, max_examples=100)
@given(st.integers(13, 99), st.integers(0, 99))
def test_a_year_in_two_halves_has_its_digits(century: int, year: int) -> None:
    back = spell(year) if year > 9 else f"oh {spell(year)}" if year else "hundred"
    assert only(f"in {spell(century)} {back}").keys == (f"{century}{year:02d}",)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 12), st.integers(0, 59), st.sampled_from(["am", "pm", "a.m.", "p m", "in the evening"]))
def test_a_time_has_its_hour_and_minutes(hour: int, minute: int, half: str) -> None:
    back = spell(minute) if minute > 9 else f"oh {spell(minute)}" if minute else ""
    assert only(f"come {spell(hour)} {back} {half}".replace("  ", " ")).keys == (f"{hour}:{minute:02d}",)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.text("0123456789", min_size=1, max_size=8), st.sampled_from(["oh", "o", "zero"]))
def test_a_decimal_keeps_its_digits(whole: int, decimals: str, zero: str) -> None:
    said = " ".join(SMALL[int(digit)] if digit != "0" else zero for digit in decimals)
    assert only(f"{spell(whole)} point {said}").keys == (f"{whole}.{decimals}",)


@settings(deadline=None, max_examples=100)
@given(values.filter(bool), st.integers(1, 99), st.sampled_from(["dollars", "euros", "pounds"]))
def test_money_is_a_decimal(whole: int, cents: int, currency: str) -> None:
    said = only(f"{spell(whole)} {currency} and {spell(cents)} cents")
    amount = f"{whole}.{cents:02d}".rstrip("0")
    assert (said.keys, said.form) == ((amount,), f"{amount} {currency}")


@settings(deadline=None, max_examples=100)
@given(st.text("0123456789", min_size=3, max_size=20))
def test_a_string_of_digits_keeps_them(digits: str) -> None:
    assert only(" ".join(SMALL[int(digit)] for digit in digits)).keys == (digits,)


WORDS = """
one two ten twenty hundred thousand million and a half quarter to past point oh o double first second thirds fifties
percent dollars cents dozen minus plus no may pm 3 2.5 1,000 5k , . - '
"""


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=15).map(" ".join))
def test_numerals_are_in_order_and_disjoint_and_have_a_reading(text: str) -> None:
    end = 0
    for numeral in english_numerals(text):
        assert end <= numeral.start < numeral.end <= len(text)
        assert all(reading and all(reading) for reading in numeral.readings)
        assert numeral.form
        end = numeral.end


@pytest.mark.parametrize("piece", ["a", "one ", "twenty-", "oh ", "one to ", "one two, ", "1,"])
def test_a_long_text_takes_a_time_that_grows_with_its_length_only(piece: str) -> None:
    started = time.process_time()
    list(english_numerals(piece * (50_000 // len(piece))))
    assert time.process_time() - started < 3
