"""Who is let in, and who gives way, where many want something of which there is a bounded amount.

While there is room nobody is refused, however much one holder has: an office of a hundred people behind one address
is one holder. Only when nearly all is taken is nobody given more than half of it, and of a holder that has more than
half by then, what rests gives way. What is at work is never ended for somebody else's sake.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_NEARLY_FULL_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Holding:
    """One place that a holder has taken. `idle_seconds` is how long it has rested; 0 for one at work."""

    holder: str
    idle_seconds: float = 0.0


def nearly_full(taken: int, capacity: int) -> bool:
    return 100 * taken >= _NEARLY_FULL_PERCENT * capacity


def admits(held: int, taken: int, capacity: int, wanted: int = 1) -> bool:
    """Whether a holder of `held` may take `wanted` more, where `taken` of `capacity` are taken by all together."""
    if taken + wanted > capacity:
        return False
    return not nearly_full(taken, capacity) or 2 * (held + wanted) <= capacity


def giving_way(holdings: Sequence[Holding], capacity: int, patience_seconds: float) -> list[int]:
    """Which holdings end, by their place in the sequence, so that others get in; the longest idle first.

    Only when nearly full, only of a holder that has more than half, only down to half, and only what has rested for
    `patience_seconds`.
    """
    if not holdings or not nearly_full(len(holdings), capacity):
        return []
    ((holder, held),) = Counter(each.holder for each in holdings).most_common(1)
    too_many = held - capacity // 2
    if too_many <= 0:
        return []
    idle = [
        place for place, each in enumerate(holdings) if each.holder == holder and each.idle_seconds >= patience_seconds
    ]
    return sorted(idle, key=lambda place: -holdings[place].idle_seconds)[:too_many]
