"""English numbers without their sign, percent or money: cardinals, ordinals, decimals, fractions, years, digits."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import NamedTuple

from huidu.core.text.itn.english_words import DIGITS, SCALES, written_ordinal
from huidu.core.text.numerals.english_context import (
    BEFORE_NOUN,
    CURRENCIES,
    HALVED,
    MONTHS,
    half_day_after,
    in_date,
    is_number,
    is_second_of_time,
    unit_after,
)
from huidu.core.text.numerals.english_runs import (
    ALL_SCALES,
    OH,
    POINTS,
    SIMPLE_ORDINALS,
    Chunk,
    Kind,
    decimals,
    denominator,
    digit_group,
    is_figures,
    percent_after,
    run,
)
from huidu.core.text.numerals.english_times import is_rather_time, run_time
from huidu.core.text.numerals.numeral import Reading

_BETWEEN = frozenset({"to", "or", "through"})
_HYPHENS = frozenset({",", "dash", "hyphen"})
_TELEPHONE = 7


class Amount(NamedTuple):
    """An amount and the position after it.

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
        """Whether it is first of all a whole number."""
        return not self.leading and self.texts[0].isdigit()


def product(text: str, factor: Decimal | int) -> str:
    """A decimal times something, without zeros that end it."""
    with localcontext() as context:
        context.prec = len(text) + 40
        value = f"{Decimal(text) * factor:f}"
    return value.rstrip("0").rstrip(".") if "." in value else value


def amount(words: list[str], at: int) -> Amount | None:
    """The amount that begins at a word, if any."""
    word = words[at]
    if word == "a" and words[at + 1] == "dozen":
        return Amount(("12",), at + 2, counted=False)
    if word in ("a", "an") and words[at + 1] in HALVED:
        return _and_a_half(words, "1", at + 1)
    if word == "a" and words[at + 1] in CURRENCIES:
        return Amount(("1",), at + 1, counted=False)
    if word == "half":
        return _half(words, at)
    if word == "quarter":
        is_share = words[at - 1] == "a" and words[at + 1] == "of"
        return Amount(("1/4", "0.25"), at + 1, form="quarter", counted=False) if is_share else None
    if word == "point":
        return _point_led(words, at)
    if is_figures(word):
        return _figures(words, at)
    return _hundred_in_digits(words, at) or _grouped_digits(words, at) or _of_run(words, at)


def _half(words: list[str], at: int) -> Amount:
    after = at + 1 + (words[at + 1] in ("a", "an"))
    if words[after] in SCALES:
        return Amount((str(SCALES[words[after]] // 2),), after + 1)
    if words[after] == "dozen":
        return Amount(("6",), after + 1, counted=False)
    if percent_after(words, after):
        return Amount(("0.5",), after)
    return Amount(("1/2", "0.5"), at + 1, form="half", counted=False)


def _point_led(words: list[str], at: int) -> Amount | None:
    """Point o five, point two meters; not the point one should make."""
    part = decimals(words, at + 1)
    before = words[at - 1]
    if part is None or (before in BEFORE_NOUN and part.digits[0] != "0"):
        return None
    text, after = _scaled(words, "0." + part.digits, part.after)
    is_clear = len(part.digits) > 1 or after > part.after or before in ("minus", "negative")
    if is_clear or unit_after(words, after) or percent_after(words, after):
        return Amount((text,), after)
    return Amount((text,), after, others=((part.digits,),))


def _scaled(words: list[str], text: str, at: int) -> tuple[str, int]:
    """A number with hundred, thousand, million and so on behind it, if they are, and the position after it."""
    scale = 100 if words[at] == "hundred" else ALL_SCALES.get(words[at], 0)
    return (product(text, scale), at + 1) if scale else (text, at)


def _figures(words: list[str], at: int) -> Amount | None:
    """Digits with words: 3 point 14, 2 hundred thousand, 3 and a half million, 90 percent."""
    text, after = words[at], at + 1
    if text.isdigit() and (found := _after_whole(words, text, after)):
        return found
    text, after = _scaled(words, text, after)
    text, after = _scaled(words, text, after)
    return Amount((text,), after)


def _after_whole(words: list[str], whole: str, after: int) -> Amount | None:
    """What words behind a whole number make of it: decimals, a fraction, a dozen of it."""
    if words[after] in POINTS:
        return _with_decimals(words, whole, after)
    if words[after] == "and":
        return _mixed(words, whole, after)
    if words[after] == "dozen":
        return Amount((product(whole, 12),), after + 1, others=((whole,),))
    if words[after] in HALVED and (found := _and_a_half(words, whole, after)):
        return found
    part = denominator(words, after, plural=whole != "1")
    if not part:
        return None
    # Three quarters may also be of a year.
    others = ((whole,),) if part[0] == 4 else ()
    return Amount((f"{whole}/{part[0]}",), part[1], others=others)


def _and_a_half(words: list[str], whole: str, at: int) -> Amount | None:
    """Two hours and a half, an hour and a half."""
    if words[at + 1 : at + 4] != ["and", "a", "half"]:
        return None
    return Amount((f"{whole}.5",), at + 4, others=((whole,),), form=f"{whole}.5 {HALVED[words[at]]}")


def _with_decimals(words: list[str], whole: str, at: int) -> Amount | None:
    """Three point one four, two point five million; with more points a version: one point two point three."""
    parts, after = [whole], at
    while words[after] in POINTS:
        is_in_digits = words[after + 1].isdigit()
        part = Chunk(words[after + 1], after + 2, Kind.DIGITS) if is_in_digits else decimals(words, after + 1)
        if part is None:
            break
        parts.append(part.digits)
        after = part.after
    if len(parts) == 1:
        return None
    if len(parts) > 2:
        return Amount((".".join(parts),), after)
    text, after = _scaled(words, ".".join(parts), after)
    return Amount((text,), after)


def _mixed(words: list[str], whole: str, at: int) -> Amount | None:
    """Two and a half, three and three quarters, two and a half million, one million and a half."""
    said = _part_of_one(words, at + 1)
    if said is None:
        return None
    above, below, after = said
    mixed: Reading = (f"{whole}又{above}/{below}",)
    if below not in (2, 4):
        share = f"{above}/{below}"
        return Amount(mixed, after, others=((whole, share),), form=f"{whole} {share}")
    part = Decimal(above) / below
    text, end = _scaled(words, f"{whole}{str(part)[1:]}", after)
    if words[at - 1] in ALL_SCALES and end == after:
        return Amount((str(int(whole) + int(ALL_SCALES[words[at - 1]] * part)), text), after)
    return Amount((text,), end, others=(mixed,) if end == after else ())


def _part_of_one(words: list[str], at: int) -> tuple[int, int, int] | None:
    """A half, one quarter, two thirds: above, below, and the position after it."""
    above = 1 if words[at] == "a" else DIGITS.get(words[at], 0)
    if not above:
        return (1, 2, at + 1) if words[at] == "half" else None
    part = denominator(words, at + 1, plural=above > 1)
    return (above, *part) if part and above < part[0] else None


def _hundred_in_digits(words: list[str], at: int) -> Amount | None:
    """One eight hundred five five five one two three four, and the army's oh eight hundred."""
    first = at + (words[at] in OH or words[at] in ("zero", "one"))
    hour = DIGITS.get(words[first], 0)
    if hour == 0 or words[first + 1] != "hundred":
        return None
    if first > at and words[at] != "one":
        return Amount((f"0{hour}00",), first + 2, others=((f"{hour}:00",),))
    rest = digit_group(words, first + 2)
    if rest is None or len(rest.digits) < _TELEPHONE - 3:
        return None
    return Amount((f"{'1' if first > at else ''}{hour}00{rest.digits}",), rest.after)


def _grouped_digits(words: list[str], at: int) -> Amount | None:
    """Groups of digits with commas or "dash" between them that are long enough for a telephone number."""
    groups: list[Chunk] = []
    while group := digit_group(words, groups[-1].after + 1 if groups else at):
        if len(group.digits) < 2:
            break
        groups.append(group)
        if words[group.after] not in _HYPHENS:
            break
    joined = "".join(group.digits for group in groups)
    if len(groups) < 2 or len(joined) < _TELEPHONE:
        return None
    parts = (tuple(group.digits for group in groups),)
    after = groups[-1].after
    # A comma parts more often than it stands inside of a number.
    return Amount((joined,), after, leading=parts) if "," in words[at:after] else Amount((joined,), after, (), parts)


def _of_run(words: list[str], at: int) -> Amount | None:
    chunks = run(words, at)
    if not chunks:
        return None
    if words[at - 1] in MONTHS and _is_day_and_year(chunks):
        return Amount((chunks[0].digits,), chunks[0].after)
    part = denominator(words, chunks[0].after, plural=True) if len(chunks) == 2 else None
    if part:  # three twenty fifths
        return Amount((f"{chunks[0].digits}/{part[0]}",), part[1])
    last, joined = chunks[-1], "".join(piece.digits for piece in chunks)
    if last.kind is Kind.ORDINAL:
        return _ordinal(words, at, last) if len(chunks) == 1 else _part_or_ordinal(words, at, chunks)
    if last.kind is Kind.DECADE:
        return Amount((joined,), last.after, form=joined + "s")
    may_go_on = words[last.after] in POINTS or len(chunks) == 1
    if may_go_on and (found := _after_whole(words, joined, last.after)):
        return found
    return _several(words, at, chunks, joined) if len(chunks) > 1 else _single(words, at, last)


def _is_day_and_year(chunks: list[Chunk]) -> bool:
    """June twenty five nineteen ninety nine, and not july fifteen oh six."""
    is_day = len(chunks[0].digits) < 3 and 0 < int(chunks[0].digits) < 32
    return is_day and sum(len(piece.digits) for piece in chunks[1:5]) == 4 and len(chunks) < 5


def _part_or_ordinal(words: list[str], at: int, chunks: list[Chunk]) -> Amount:
    """One twentieth, which is seldom the 120th, and one twenty first, which seldom is a fraction."""
    share, joined = f"{chunks[0].digits}/{chunks[1].digits}", chunks[0].digits + chunks[1].digits
    if chunks[1].after == at + 2 and words[at] == "one":
        return Amount((share, joined), chunks[1].after)
    return Amount((joined,), chunks[1].after, others=((share,),), form=written_ordinal(joined))


def _ordinal(words: list[str], at: int, piece: Chunk) -> Amount | None:
    if is_second_of_time(words, at):
        return None
    value = int(piece.digits)
    is_day = in_date(words, at, piece.after)
    # June third is written June 3.
    form = piece.digits if is_day else written_ordinal(piece.digits)
    others = tuple(_no_ordinals(words, at, piece))
    return Amount((piece.digits,), piece.after, others=others, form=form, counted=value > 9 or is_day)


def _no_ordinals(words: list[str], at: int, piece: Chunk) -> Iterator[Reading]:
    """What is no ordinal, but sounds like one: a thirty second timer, one hundredth, a fifth."""
    value = int(piece.digits)
    if words[piece.after - 1] == "second" and value > 2:
        yield (str(value - 2),)
    is_power_of_ten = piece.digits[1:].strip("0") == "" and value >= 100
    if (words[at] == "one" and is_power_of_ten) or (
        words[at - 1] == "a" and words[at] in SIMPLE_ORDINALS and value > 2
    ):
        yield (f"1/{value}",)


def _single(words: list[str], at: int, piece: Chunk) -> Amount | None:
    digits, after = piece.digits, piece.after
    if piece.kind is not Kind.WHOLE and half_day_after(words, after) and 0 < int(digits) <= 24:
        return Amount((digits,), after, leading=((f"{int(digits)}:00",),), form=digits)
    if words[after] == "hours" and digits.endswith("00") and len(digits) == 4 and int(digits) <= 2400:
        return Amount((digits,), after, others=((f"{digits[:2]}:00",),))
    if words[at] != "one" or after > at + 1:
        return Amount((digits,), after)
    if words[at - 1] == "no":
        return None
    ahead = words[after] in _BETWEEN and is_number(words[after + 1])
    behind = words[at - 1] in _BETWEEN and is_number(words[at - 2])
    return Amount((digits,), after, counted=ahead or behind)


def _several(words: list[str], at: int, chunks: list[Chunk], joined: str) -> Amount:
    """One sixty six, two oh one, nineteen ninety nine, three thirty, nine double one, five five five one two three."""
    after = chunks[-1].after
    parts: tuple[Reading, ...] = (tuple(piece.digits for piece in chunks),) if len(chunks) < _TELEPHONE else ()
    time = run_time(chunks)
    times: tuple[Reading, ...] = ((time,),) if time else ()
    if len(chunks) == 2 and chunks[1].kind is Kind.PAIR:  # a price: nineteen ninety five
        parts += ((product(".".join(parts[0]), 1),),)
    if time and is_rather_time(words, at, chunks):
        return Amount((joined,), after, leading=times, others=parts)
    # Sixteen nine is no number, but two.
    if len(chunks) == 2 and chunks[0].kind is Kind.PAIR and len(chunks[1].digits) == 1:
        return Amount((joined,), after, leading=parts, others=times)
    return Amount((joined,), after, others=times + parts)
