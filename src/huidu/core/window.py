"""Weekly windows in local time, and the UTC intervals that gateways compare seconds with."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from huidu.core.errors import InvalidError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_SECONDS = 86_400
_DAY_MINUTES = 24 * 60
# How far gateways know the windows: long enough for any time that control may be away.
AHEAD_DAYS = 15

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Open on `days` (0 is Monday) from `start_minute` until `end_minute` of local time in `tz`.

    Minutes count from midnight, 0..1440. A window whose end is not after its start ends on the next day and
    belongs to the day on which it starts. A local time that a change to summer time leaves out stands for the
    moment one gap later; one that comes twice stands for its first.
    """

    days: tuple[int, ...]
    start_minute: int
    end_minute: int
    tz: str

    def __post_init__(self) -> None:
        if not self.days or not set(self.days) <= set(range(7)):
            raise InvalidError(f"read days {list(self.days)}; accepted: 0 (Monday) to 6")
        if not 0 <= self.start_minute < _DAY_MINUTES or not 0 <= self.end_minute <= _DAY_MINUTES:
            raise InvalidError("read a time outside 00:00 to 24:00; accepted: a time of day")
        if self.start_minute == self.end_minute:
            raise InvalidError("read the same time in from and to; accepted: 00:00 to 24:00 for whole days")
        _zone(self.tz)


def days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `sat,sun`, `fri-mon` or `mon-fri,sun` as sorted numbers. Raises `InvalidError`."""
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise InvalidError(f"read days '{text}'; accepted: mon tue wed thu fri sat sun, as mon-fri or sat,sun")
        start = DAYS.index(first)
        length = (DAYS.index(last) - start) % 7 if dash else 0
        found |= {(start + step) % 7 for step in range(length + 1)}
    return tuple(sorted(found))


def minute_of_day(text: str) -> int:
    """`09:00` as minutes from midnight; `24:00` is the day's end. Raises `InvalidError`."""
    hour, colon, minute = text.partition(":")
    if colon and len(minute) == 2 and all(part.isascii() and part.isdigit() for part in (hour, minute)):
        total = int(hour) * 60 + int(minute)
        if int(minute) < 60 and total <= _DAY_MINUTES and len(hour) <= 2:
            return total
    raise InvalidError(f"read time '{text}'; accepted: HH:MM from 00:00 to 24:00")


def intervals(windows: Iterable[Window], first: date, number_of_days: int) -> tuple[Interval, ...]:
    """The UTC intervals [start, end) of all windows that start on `number_of_days` local days from `first` on.

    Epoch seconds, in order, without overlaps.
    """
    found = []
    for window in windows:
        zone = _zone(window.tz)
        for day in (first + timedelta(days=step) for step in range(number_of_days)):
            if day.weekday() not in window.days:
                continue
            over_midnight = window.end_minute <= window.start_minute
            last = day + timedelta(days=1) if over_midnight else day
            start, end = _moment(day, window.start_minute, zone), _moment(last, window.end_minute, zone)
            if start < end:
                found.append((start, end))
    return _merged(sorted(found))


def intervals_around(windows: Iterable[Window], now: float) -> tuple[Interval, ...]:
    """The intervals from two days before the UTC day of `now` to `AHEAD_DAYS` after it.

    The same for every moment of a UTC day, so that routes rendered again on the same day are equal.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    return intervals(windows, today - timedelta(days=2), AHEAD_DAYS + 2)


def _moment(day: date, minute: int, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return int(local.replace(tzinfo=zone).timestamp())


def _merged(ordered: list[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for start, end in ordered:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidError(f"read tz '{name}'; accepted: a time zone such as Asia/Shanghai or UTC") from None
