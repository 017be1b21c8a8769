"""English numbers in words: minus sixty, three thirty pm, two and a half million, nineteen fifties, one sixty six."""

import re
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import NamedTuple

from huidu.core.text.itn.english_words import DIGITS, MEASURES, SCALES, TEENS, TENS, written_ordinal
from huidu.core.text.numerals.english_runs import (
    ALL_SCALES,
    CLOCK,
    DECADES,
    OH,
    POINTS,
    REPEATS,
    SCALE_ORDINALS,
    SIMPLE_ORDINALS,
    Chunk,
    Kind,
    decimals,
    denominator,
    is_figures,
    pair,
    percent_after,
    run,
    tokens,
    word_set,
)
from huidu.core.text.numerals.numeral import Numeral, Reading

_NUMBER_WORDS = frozenset({*DIGITS, *TEENS, *TENS, *ALL_SCALES, "hundred"})
_OTHER_STARTS = word_set("a hundred half quarter point minus negative plus")
_STARTS = _NUMBER_WORDS | SIMPLE_ORDINALS.keys() | DECADES.keys() | REPEATS.keys() | OH | _OTHER_STARTS
# A text without any of these has no English number.
_TELLING = sorted(
    (_NUMBER_WORDS | SIMPLE_ORDINALS.keys() | DECADES.keys() | SCALE_ORDINALS.keys())
    | {"point", "percent", "per", "dozen", "half", "quarter", *OH}
)
_POSSIBLE = re.compile(f"(?<![A-Za-z])(?:{'|'.join(_TELLING)})(?![A-Za-z])", re.IGNORECASE | re.ASCII)

_MONTHS = word_set("january february march april may june july august september october november december")
_MORE_MEASURES = """
volt watt hertz byte bit ounce acre hectare lumen horsepower kilowatt megawatt gigawatt kilohertz megahertz gigahertz
milliliter millilitre millimeter millimetre centimetre micrometer nanometer milligram millisecond kilobyte terabyte yard
calorie won yen rupee franc penny pence cc km kg cm mm ml mph
"""
_UNITS = frozenset(word + ending for word in (MEASURES + _MORE_MEASURES).split() for ending in ("", "s", "es"))
_UNIT_PREFIXES = word_set("square cubic kilo mega giga tera peta milli micro nano centi deci")
_LONG_UNITS = word_set("hour day week month year mile minute meter metre kilometer kilometre")
_CURRENCIES = {"dollar": "dollars", "euro": "euros", "pound": "pounds"}
_CURRENCIES |= {plural: plural for plural in _CURRENCIES.values()}
_CENTS = word_set("cent cents penny pennies pence")
_COUNTRIES = (
    ("united", "states"),
    ("us",),
    ("u", "s"),
    ("american",),
    ("canadian",),
    ("australian",),
    ("hong", "kong"),
)

_BEFORE_TIME = word_set("at by until till til before after since around")
# Behind these a number is a name and no time.
_BEFORE_NAME = word_set("room number flight route highway bus gate suite apartment extension page line")
# Behind these "point" is a noun: the point one should make.
_BEFORE_NOUN = word_set("the this that these some any no what which my your his her our their one's")
_BETWEEN = frozenset({"to", "or", "through"})
_ROUND_MINUTES = frozenset({5, 10, 20, 25})


class _Amount(NamedTuple):
    """An amount without its sign, percent or money.

    `texts` are the single numbers that it may be, the commonest first. `leading` and `others` are times and groups of
    numbers, which come before and behind those. `form` is how it is written, where not as its first reading.
    """

    texts: tuple[str, ...]
    after: int
    leading: tuple[Reading, ...] = ()
    others: tuple[Reading, ...] = ()
    form: str = ""
    counted: bool = True

    @property
    def is_whole(self) -> bool:
        return not self.leading and self.texts[0].isdigit()


class _Found(NamedTuple):
    """A number of the text; an empty form leaves the words as they stand."""

    readings: tuple[Reading, ...]
    form: str
    after: int
    counted: bool = True


def english_numerals(text: str) -> Iterator[Numeral]:
    """The numbers of a plain text that have an English word, in order and disjoint; of digits alone nothing is read.

    Words are read by all that they may stand for, the commonest first: three thirty is 3:30 or 330, one sixty six 166
    or 1, 66. Zero and two to nine count by themselves. What is doubtful satisfies a reference and is not counted:
    a lone "one", but before a unit of measure or in "one to three" and "one or two"; first to ninth, but in a date;
    "a dozen", "half" and "a quarter". "No one" is no number, nor are "oh", "point", "second" or "hundreds" without a
    number beside them.
    """
    if not _POSSIBLE.search(text):
        return
    words, spans = tokens(text)
    index = 0
    while index < len(spans):
        found = _found(words, index)
        if found is None:
            index += 1
            continue
        start, end = spans[index][0], spans[found.after - 1][1]
        yield Numeral(found.readings, found.form or text[start:end], start, end, found.counted)
        index = found.after


def _found(words: list[str], at: int) -> _Found | None:
    if words[at] not in _STARTS and not is_figures(words[at]):
        return None
    return _time_of_day(words, at) or _signed(words, at)


# Times of day.


def _time_of_day(words: list[str], at: int) -> _Found | None:
    """Half past three, quarter to four, ten to eleven, twenty five minutes past one."""
    said = _minutes(words, at)
    if said is None:
        return None
    minutes, link, is_clear = said
    hour = _number(words, link + 1)
    if hour is None or not 1 <= hour[0] <= 12 or _goes_on(words, hour[1]):
        return None
    late = words[link] in ("to", "till", "til", "before")
    if not late and words[link] not in ("past", "after"):
        return None
    time = _clock_time(hour[0] * 60 + (-minutes if late else minutes))
    if words[at] in ("half", "quarter", "a"):
        return _Found(((time,),), time, hour[1])
    parts = (str(minutes), str(hour[0]))
    if is_clear or words[link] == "past" or words[at - 1] in _BEFORE_TIME or _half_day_after(words, hour[1]):
        return _Found(((time,), parts), time, hour[1])
    return _Found((parts, (time,)), f"{parts[0]} {words[link]} {parts[1]}", hour[1])


def _minutes(words: list[str], at: int) -> tuple[int, int, bool] | None:
    """Minutes, the position of past or to behind them, and whether they can be nothing else."""
    first = at + (words[at] == "a")
    if words[first] == "quarter":
        return 15, first + 1, True
    if words[first] == "half":
        return (30, first + 1, True) if words[first + 1] == "past" else None
    number = _number(words, at)
    if number is None or not 1 <= number[0] < 60:
        return None
    if words[number[1]] in ("minute", "minutes", "min", "mins"):
        return number[0], number[1] + 1, True
    is_usual = number[0] in _ROUND_MINUTES or words[number[1]] == "past"
    return (number[0], number[1], False) if is_usual and words[number[1]] != "before" else None


def _number(words: list[str], at: int) -> tuple[int, int] | None:
    """A number below a hundred, in words or digits, and the position after it."""
    if is_figures(words[at]):
        return (int(words[at]), at + 1) if words[at].isdigit() and len(words[at]) < 3 else None
    low = pair(words, at)
    return (low.value, low.after) if low and not low.ordinal else None


def _goes_on(words: list[str], at: int) -> bool:
    """Whether what stands there makes more of a number than an hour: eleven hundred, eleven percent, ten miles."""
    word = words[at]
    more = word in _NUMBER_WORDS or word in POINTS or is_figures(word) or word == "dozen"
    return more or percent_after(words, at) > 0 or (_unit_after(words, at) and not _half_day_after(words, at))


def _clock_time(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    return f"{hour or 12}:{minute:02d}"


def _half_day_after(words: list[str], at: int) -> bool:
    """Whether am, p.m., o'clock or in the morning stands there."""
    here, following = words[at], words[at + 1]
    if here in ("am", "pm", "o'clock", "oclock") or (here in ("a", "p") and following == "m"):
        return True
    if here in OH and following in CLOCK:
        return True
    return (here, following) == ("in", "the") and words[at + 2] in ("morning", "afternoon", "evening")


# A number with what belongs to it.


def _signed(words: list[str], at: int) -> _Found | None:
    sign, first = _sign(words, at)
    if first is None:
        return None
    amount = _amount(words, first)
    if amount is None:
        return None
    if sign == "+":
        # Two plus two has no sign; plus forty four one two three is a telephone number.
        return _plain(words, "", amount) if len(amount.texts[0]) > 6 and not amount.leading else None
    if after := percent_after(words, amount.after):
        return _percent(sign, amount, after)
    return (_money(words, amount) if not sign else None) or _plain(words, sign, amount)


def _sign(words: list[str], at: int) -> tuple[str, int | None]:
    """The sign, if any, and where the number begins; a minus between two numbers is no sign."""
    if words[at] == "plus":
        after = at + 1 + (words[at + 1] == "or")
        return ("±", after + 1) if words[after] == "minus" else ("+", at + 1)
    if words[at] == "minus":
        before = words[at - 1]
        return "-", None if before in _NUMBER_WORDS or is_figures(before) or before == "#" else at + 1
    return ("-", at + 1) if words[at] == "negative" else ("", at)


def _percent(sign: str, amount: _Amount, after: int) -> _Found:
    readings = [sign + text + "%" for text in _both_ways(amount.texts)]
    return _Found(tuple((reading,) for reading in readings), readings[0], after)


def _plain(words: list[str], sign: str, amount: _Amount) -> _Found:
    texts = _both_ways(amount.texts) if _unit_after(words, amount.after) else list(amount.texts)
    if words[amount.after] in _CENTS and amount.is_whole:
        texts.append(_product(texts[0], Decimal("0.01")))
    if words[amount.after] == "k" and amount.is_whole:
        texts.append(texts[0] + "000")
    singles = [(sign + text,) for text in texts]
    readings = singles if sign else [*amount.leading, *singles, *amount.others]
    form = amount.form or " ".join(readings[0])
    if sign:
        form = sign + (amount.form or texts[0])
    counted = amount.counted or sign != "" or _unit_after(words, amount.after)
    return _Found(tuple(dict.fromkeys(readings)), form, amount.after, counted)


def _money(words: list[str], amount: _Amount) -> _Found | None:
    """Two dollars and seventy cents; seventy five dollars sixty three where the text ends there."""
    at = amount.after
    at += next((len(country) for country in _COUNTRIES if tuple(words[at : at + len(country)]) == country), 0)
    if words[at] not in _CURRENCIES or not amount.is_whole:
        return None
    has_and = words[at + 1] == "and"
    cents = _number(words, at + 1 + has_and)
    if cents is None:
        return None
    value = _product(f"{amount.texts[0]}.{cents[0]:02d}", Decimal(1))
    named = " ".join([*words[amount.after : at], _CURRENCIES[words[at]]])
    if words[cents[1]] in _CENTS:
        return _Found(((value,),), f"{value} {named}", cents[1] + 1)
    if not has_and and cents[0] >= 10 and not words[cents[1]]:
        return _Found(((value,), (amount.texts[0], str(cents[0]))), f"{value} {named}", cents[1])
    return None


def _unit_after(words: list[str], at: int) -> bool:
    """Whether something is measured there, so that a lone one counts and zeros that end a decimal do not."""
    word = words[at]
    if word in _UNITS or word in _UNIT_PREFIXES or _half_day_after(words, at):
        return True
    return any(tuple(words[at : at + len(country)]) == country for country in _COUNTRIES if len(country) > 1)


def _both_ways(texts: tuple[str, ...]) -> list[str]:
    """Quantities without the zeros that end a decimal, and as they were said."""
    short = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return list(dict.fromkeys([*short, *texts]))


def _product(text: str, factor: Decimal) -> str:
    with localcontext() as context:
        context.prec = len(text) + 40
        value = f"{Decimal(text) * factor:f}"
    return value.rstrip("0").rstrip(".") if "." in value else value


# Amounts.


def _amount(words: list[str], at: int) -> _Amount | None:
    if words[at] == "half":
        return _half(words, at)
    if words[at] == "quarter":
        is_share = words[at - 1] == "a" and words[at + 1] == "of"
        return _Amount(("1/4", "0.25"), at + 1, form="quarter", counted=False) if is_share else None
    if words[at] == "point":
        return _point_led(words, at)
    if is_figures(words[at]):
        return _figures(words, at)
    return _hundred_in_digits(words, at) or _of_run(words, at)


def _half(words: list[str], at: int) -> _Amount:
    after = at + 1 + (words[at + 1] in ("a", "an"))
    if words[after] in SCALES:
        return _Amount((str(SCALES[words[after]] // 2),), after + 1)
    if words[after] == "dozen":
        return _Amount(("6",), after + 1, counted=False)
    if percent_after(words, after):
        return _Amount(("0.5",), after)
    return _Amount(("1/2", "0.5"), at + 1, form="half", counted=False)


def _point_led(words: list[str], at: int) -> _Amount | None:
    """Point o five, point two meters; not the point one should make."""
    part = decimals(words, at + 1)
    before = words[at - 1]
    if part is None or (before in _BEFORE_NOUN and part.digits[0] != "0"):
        return None
    text, after = _scaled(words, "0." + part.digits, part.after)
    is_clear = part.digits[0] == "0" or len(part.digits) > 1 or after > part.after or before in ("minus", "negative")
    if is_clear or _unit_after(words, after) or percent_after(words, after):
        return _Amount((text,), after)
    return _Amount((text,), after, others=((part.digits,),))


def _scaled(words: list[str], text: str, at: int) -> tuple[str, int]:
    """A decimal with hundred, thousand, million and so on behind it, if they are, and the position after it."""
    scale = 100 if words[at] == "hundred" else ALL_SCALES.get(words[at], 0)
    return (_product(text, Decimal(scale)), at + 1) if scale else (text, at)


def _figures(words: list[str], at: int) -> _Amount | None:
    """Digits with words: 3 point 14, 2 hundred thousand, 3 and a half million, 90 percent."""
    text, after = words[at], at + 1
    if text.isdigit() and (amount := _after_whole(words, text, after)):
        return amount
    text, after = _scaled(words, text, after)
    text, after = _scaled(words, text, after)
    if after > at + 1 or percent_after(words, after):
        return _Amount((text,), after)
    amount = _Amount((text,), after)
    return amount if _money(words, amount) else None


def _after_whole(words: list[str], whole: str, after: int) -> _Amount | None:
    """What words behind a whole number make of it: decimals, a fraction, a dozen of it."""
    if words[after] in POINTS:
        return _with_decimals(words, whole, after)
    if words[after] == "and":
        return _mixed(words, whole, after)
    if words[after] == "dozen":
        return _Amount((_product(whole, Decimal(12)),), after + 1, others=((whole,),))
    if words[after] in _HALF_UNITS and words[after + 1 : after + 4] == ["and", "a", "half"]:
        unit = words[after].removesuffix("s") + "s"
        return _Amount((f"{whole}.5",), after + 4, others=((whole,),), form=f"{whole}.5 {unit}")
    part = denominator(words, after, plural=whole != "1")
    # A whole number of quarters may also be of a year.
    return _Amount((f"{whole}/{part[0]}",), part[1], others=((whole,),)) if part else None


_HALF_UNITS = _LONG_UNITS | {unit + "s" for unit in _LONG_UNITS}


def _with_decimals(words: list[str], whole: str, at: int) -> _Amount | None:
    """Three point one four, two point five million; with more points a version: one point two point three."""
    parts, after = [whole], at
    while words[after] in POINTS:
        part = _figures_or_decimals(words, after + 1)
        if part is None:
            break
        parts.append(part.digits)
        after = part.after
    if len(parts) == 1:
        return None
    if len(parts) > 2:
        return _Amount((".".join(parts),), after)
    text, after = _scaled(words, ".".join(parts), after)
    return _Amount((text,), after)


def _figures_or_decimals(words: list[str], at: int) -> Chunk | None:
    return Chunk(words[at], at + 1, Kind.DIGITS) if words[at].isdigit() else decimals(words, at)


def _mixed(words: list[str], whole: str, at: int) -> _Amount | None:
    """Two and a half, three and three quarters, two and a half million, one million and a half."""
    said = _part_of_one(words, at + 1)
    if said is None:
        return None
    above, below, after = said
    if below not in (2, 4):
        form = f"{whole} {above}/{below}"
        return _Amount((f"{whole}又{above}/{below}",), after, others=((whole, f"{above}/{below}"),), form=form)
    part = Decimal(above) / below
    value = _product(whole, Decimal(1))
    text, end = _scaled(words, f"{value}{str(part)[1:]}", after)
    if words[at - 1] in ALL_SCALES and end == after:
        unit = ALL_SCALES[words[at - 1]]
        return _Amount((str(int(whole) + int(unit * part)), text), after)
    return _Amount((text,), end, others=((f"{whole}又{above}/{below}",),) if end == after else ())


def _part_of_one(words: list[str], at: int) -> tuple[int, int, int] | None:
    """A half, one quarter, two thirds: above, below, and the position after it."""
    above = 1 if words[at] == "a" else DIGITS.get(words[at], 0)
    if not above:
        return (1, 2, at + 1) if words[at] == "half" else None
    part = denominator(words, at + 1, plural=above > 1)
    return (above, *part) if part and above < part[0] else None


def _hundred_in_digits(words: list[str], at: int) -> _Amount | None:
    """One eight hundred five five five one two three four, and the army's oh eight hundred."""
    first = at + (words[at] in OH or words[at] in ("zero", "one"))
    if DIGITS.get(words[first], 0) == 0 or words[first + 1] != "hundred":
        return None
    digits = f"{DIGITS[words[first]]}00"
    if first > at and words[at] != "one":
        hour = DIGITS[words[first]]
        return _Amount((f"0{digits}",), first + 2, others=((f"{hour}:00",),))
    rest = decimals(words, first + 2)
    if rest is None or len(rest.digits) < 4 or words[first + 2] not in DIGITS.keys() | OH | REPEATS.keys():
        return None
    return _Amount(((digits if first == at else f"1{digits}") + rest.digits,), rest.after)


def _of_run(words: list[str], at: int) -> _Amount | None:
    chunks = run(words, at)
    if not chunks:
        return None
    last, joined = chunks[-1], "".join(piece.digits for piece in chunks)
    if last.kind is Kind.ORDINAL:
        return _ordinal(words, at, chunks, joined)
    if last.kind is Kind.DECADE:
        digits = chunks[0].digits + last.digits if len(chunks) > 1 else last.digits
        return _Amount((digits,), last.after, form=digits + "s")
    more = words[last.after] in POINTS or len(chunks) == 1
    if more and (amount := _after_whole(words, joined, last.after)):
        is_dozen_of_a = words[at] == "a" and words[last.after] == "dozen"
        return amount._replace(counted=not is_dozen_of_a)
    return _several(words, at, chunks, joined) if len(chunks) > 1 else _single(words, at, last)


def _ordinal(words: list[str], at: int, chunks: list[Chunk], joined: str) -> _Amount | None:
    last = chunks[-1]
    form = written_ordinal(joined)
    if len(chunks) > 1:
        share = f"{chunks[0].digits}/{last.digits}"
        is_share = chunks[0].digits == "1" and words[last.after - 1] == words[at + 1]
        if is_share:  # one twentieth, which is seldom the 120th
            return _Amount((share, joined), last.after)
        return _Amount((joined,), last.after, others=((share,),), form=form)
    value = int(joined)
    if words[at] == "second" and _is_unit(words, at):
        return None
    others: list[Reading] = []
    if words[last.after - 1] == "second" and value > 2:
        others.append((str(value - 2),))  # a thirty second timer
    if words[at] == "one" and value == 10 ** (len(joined) - 1):
        others.append((f"1/{joined}",))
    if words[at] in SIMPLE_ORDINALS and words[at - 1] == "a":
        others.append((f"1/{joined}",))
    counted = value > 9 or words[at - 1] in _MONTHS or (words[last.after] == "of" and words[last.after + 1] in _MONTHS)
    return _Amount((joined,), last.after, others=tuple(others), form=form, counted=counted)


def _is_unit(words: list[str], at: int) -> bool:
    before = words[at - 1]
    return (
        before in _NUMBER_WORDS or is_figures(before) or before in ("a", "per", "each", "every", "half", "split", "#")
    )


def _single(words: list[str], at: int, piece: Chunk) -> _Amount | None:
    digits, after = piece.digits, piece.after
    if piece.kind is not Kind.WHOLE and _half_day_after(words, after) and 0 < int(digits) <= 24:
        return _Amount((digits,), after, leading=((f"{int(digits)}:00",),), form=digits)
    if words[after] == "hours" and digits.endswith("00") and len(digits) == 4 and int(digits) <= 2400:
        return _Amount((digits,), after, others=((f"{digits[:2]}:00",),))
    if words[at] != "one" or after > at + 1:
        return _Amount((digits,), after)
    if words[at - 1] == "no":
        return None
    ahead = words[after] in _BETWEEN and _is_number(words[after + 1])
    behind = words[at - 1] in _BETWEEN and _is_number(words[at - 2])
    return _Amount((digits,), after, counted=ahead or behind)


def _is_number(word: str) -> bool:
    return word in _NUMBER_WORDS or is_figures(word)


def _several(words: list[str], at: int, chunks: list[Chunk], joined: str) -> _Amount:
    """One sixty six, two oh one, nineteen ninety nine, three thirty, nine double one, five five five one two three."""
    after = chunks[-1].after
    parts: tuple[Reading, ...] = (tuple(piece.digits for piece in chunks),) if len(chunks) < 7 else ()
    time = _time(chunks)
    if time and _is_rather_time(words, at, chunks, after):
        return _Amount((joined,), after, leading=((time,),), others=parts)
    times: tuple[Reading, ...] = ((time,),) if time else ()
    if (
        chunks[0].kind is Kind.PAIR
        and len(chunks) == 2
        and chunks[1].kind is Kind.DIGITS
        and len(chunks[1].digits) == 1
    ):
        return _Amount((joined,), after, leading=parts, others=times)
    return _Amount((joined,), after, others=times + parts)


def _time(chunks: list[Chunk]) -> str:
    """The time of day that an hour and its minutes make: three thirty, eleven oh six, oh five fifteen."""
    if chunks[0].digits == "0" and len(chunks) > 2 and chunks[1].kind is Kind.DIGITS:
        chunks = chunks[1:]
    hour, minutes = chunks[0].digits, "".join(piece.digits for piece in chunks[1:])
    is_minutes = len(minutes) == 2 and minutes < "60" and (len(chunks) == 2 or minutes[0] == "0")
    if len(hour) > 2 or int(hour) > 24 or not is_minutes:
        return ""
    return f"{int(hour)}:{minutes}"


def _is_rather_time(words: list[str], at: int, chunks: list[Chunk], after: int) -> bool:
    if _half_day_after(words, after):
        return True
    hour, before = int(chunks[0].digits), words[at - 1]
    if before in _BEFORE_NAME or hour > 12 or _unit_after(words, after) or percent_after(words, after):
        return False
    return before in _BEFORE_TIME or (len(chunks) == 2 and chunks[1].digits in ("15", "30", "45"))
