"""Times of day in English words: half past three, quarter to four, ten to eleven, and three thirty."""

from typing import NamedTuple

from huidu.core.text.numerals.english_context import (
    BEFORE_NAME,
    BEFORE_TIME,
    half_day_after,
    is_number,
    unit_after,
)
from huidu.core.text.numerals.english_runs import POINTS, Chunk, Kind, is_figures, pair, percent_after
from huidu.core.text.numerals.numeral import Reading

_LATE = frozenset({"to", "till", "til", "before"})
_PAST = frozenset({"past", "after"})
_ROUND_MINUTES = frozenset({5, 10, 20, 25})


class Found(NamedTuple):
    """A number of the text and the position after it; an empty form leaves the words as they stand."""

    readings: tuple[Reading, ...]
    form: str
    after: int
    counted: bool = True


def time_of_day(words: list[str], at: int) -> Found | None:
    """Minutes before or after an hour; ten to eleven may be the numbers from ten to eleven as well."""
    said = _minutes(words, at)
    if said is None or words[said[1]] not in _LATE | _PAST:
        return None
    minutes, link, is_clear = said
    hour = small_number(words, link + 1)
    if hour is None or not 1 <= hour[0] <= 12 or _goes_on(words, hour[1]):
        return None
    time = _clock_time(hour[0] * 60 + (-minutes if words[link] in _LATE else minutes))
    if words[at] in ("half", "quarter", "a"):
        return Found(((time,),), time, hour[1])
    parts = (str(minutes), str(hour[0]))
    if is_clear or words[at - 1] in BEFORE_TIME or half_day_after(words, hour[1]):
        return Found(((time,), parts), time, hour[1])
    return Found((parts, (time,)), f"{parts[0]} {words[link]} {parts[1]}", hour[1])


def _minutes(words: list[str], at: int) -> tuple[int, int, bool] | None:
    """Minutes, the position of past or to behind them, and whether they can be nothing else."""
    first = at + (words[at] == "a")
    if words[first] == "quarter":
        return 15, first + 1, True
    if words[first] == "half":
        return (30, first + 1, True) if words[first + 1] == "past" else None
    number = small_number(words, at)
    if number is None or not 1 <= number[0] < 60:
        return None
    if words[number[1]] in ("minute", "minutes", "min", "mins"):
        return number[0], number[1] + 1, True
    is_past = words[number[1]] == "past"
    is_usual = is_past or (number[0] in _ROUND_MINUTES and words[number[1]] != "before")
    return (*number, is_past) if is_usual else None


def small_number(words: list[str], at: int) -> tuple[int, int] | None:
    """A number below a hundred, in words or digits, and the position after it."""
    if is_figures(words[at]):
        return (int(words[at]), at + 1) if words[at].isdigit() and len(words[at]) < 3 else None
    low = pair(words, at)
    return (low.value, low.after) if low and not low.ordinal else None


def _goes_on(words: list[str], at: int) -> bool:
    """Whether what stands there makes more of a number than an hour: eleven hundred, eleven percent, ten miles."""
    if is_number(words[at]) or words[at] in POINTS or words[at] == "dozen" or percent_after(words, at):
        return True
    return unit_after(words, at) and not half_day_after(words, at)


def _clock_time(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    return f"{hour or 12}:{minute:02d}"


def run_time(chunks: list[Chunk]) -> str:
    """The time that an hour and its minutes make, if they do: three thirty, eleven oh six, oh five fifteen."""
    if chunks[0].digits == "0" and len(chunks) > 2 and chunks[1].kind is Kind.DIGITS:
        chunks = chunks[1:]
    hour, minutes = chunks[0].digits, "".join(piece.digits for piece in chunks[1:4])
    is_minutes = len(minutes) == 2 and minutes < "60" and (len(chunks) == 2 or minutes[0] == "0")
    if len(hour) > 2 or int(hour) > 24 or not is_minutes:
        return ""
    return f"{int(hour)}:{minutes}"


def is_rather_time(words: list[str], at: int, chunks: list[Chunk]) -> bool:
    """Whether an hour and minutes are sooner a time than a number: before pm, behind at, on a quarter of the hour."""
    after, before = chunks[-1].after, words[at - 1]
    if half_day_after(words, after):
        return True
    if before in BEFORE_NAME or int(chunks[0].digits) > 12 or unit_after(words, after) or percent_after(words, after):
        return False
    return before in BEFORE_TIME or (len(chunks) == 2 and chunks[1].digits in ("15", "30", "45"))
