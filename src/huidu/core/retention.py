"""How long what users said is kept: what is due, and whether the clock may be believed that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

_HOUR, _DAY = 3600.0, 86_400.0
# What was deleted can be brought back for so long, and a copy made before a prune lies there for so long.
UNDO_SECONDS = COPY_SECONDS = 7 * _DAY
# A prune each hour moves its limit on by an hour. One that goes further in one go takes more than anybody expects.
_EXPECTED_SECONDS = _DAY
# While somebody looks, wall clock and monotonic clock go alike; by so much a clock may be corrected.
_CORRECTED_SECONDS = _HOUR


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is due: rows created before the one time, and rows deleted before the other (epoch seconds).

    `texts_before` is None where nothing is pruned by age.
    """

    texts_before: float | None
    deleted_before: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the store keeps of earlier prunes, in epoch seconds.

    `believed_at` is the last time at which the clock was believed; `pruned_before` the limit up to which rows are gone,
    and `copied_before` that up to which a copy was made of them first.
    """

    believed_at: float | None = None
    pruned_before: float | None = None
    copied_before: float | None = None

    def pruned(self, before: float | None) -> "Remembered":
        """After a prune up to a time; an earlier one may have reached further."""
        return replace(self, pruned_before=_later(self.pruned_before, before))


def remembered(stored: object) -> Remembered:
    """Of what the store holds; what is no time counts as not there."""
    found = stored if isinstance(stored, Mapping) else {}
    return Remembered(**{each.name: _time(found.get(each.name)) for each in fields(Remembered)})


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        return None
    return float(value)


def cutoffs(now: float, keep_seconds: float | None) -> Cutoffs:
    """`keep_seconds` is None where nothing is pruned by age; what people deleted goes all the same."""
    texts_before = None if keep_seconds is None else max(0.0, now - keep_seconds)
    return Cutoffs(texts_before, max(0.0, now - UNDO_SECONDS))


def doubt(now: float, before: Remembered, newest_row: float | None, passed: float | None, keep_seconds: float) -> str:
    """Why the clock is not to be believed, in words; empty where it is.

    A clock that jumps ahead would make everything old. `passed` is what the monotonic clock says has passed since
    `before.believed_at`; None where nobody looked all the time, and then a quarter of what is kept may have passed.
    Without any memory the newest row (its creation) stands for it.
    """
    last = newest_row if before.believed_at is None else before.believed_at
    if last is None:
        return ""
    if before.believed_at is None or passed is None:
        passed, allowed = 0.0, max(_DAY, keep_seconds / 4)
    else:
        allowed = _CORRECTED_SECONDS
    ahead = now - last - passed
    if ahead <= allowed:
        return ""
    return (
        f"the clock says {_day(now)}, {ahead / _DAY:.1f} days more than have passed since it was last believed "
        f"({_day(last)}): nothing is pruned by it; accepted: a clock that is right, and `huidu history prune "
        "--trust-clock` if this one is"
    )


def takes_much(before: Remembered, due: Cutoffs) -> bool:
    """Whether a prune reaches so much further than the last one that it takes a copy first."""
    if due.texts_before is None:
        return False
    reached = _later(before.pruned_before, before.copied_before)
    return reached is None or due.texts_before - reached > _EXPECTED_SECONDS


def _later(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _day(time: float) -> str:
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{time:.0f} s"
