"""When a stage is looked at, and how much of the two error probabilities a look may spend.

Looks are fixed in advance by elapsed time, so that looking often cannot be chosen after seeing the data. Look i of
a release may spend total/(i (i+1)); these parts sum to the total over however many looks (a Bonferroni
schedule; the anytime-valid statistics that replace it need none).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile

from huidu.core.plan import Share

_LEAST_SECONDS = 1.0
_FIRST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the evidence.

    `index` counts, from 1, the looks at which something was tested in the whole release; the golden set's is one.
    `certifying` counts, from 1, those that could have certified what a promotion rests on; 0: this one may not.
    """

    index: int
    certifying: int = 0


def spend(total: float, index: int) -> float:
    """What look `index` (from 1) may spend: total/(index (index+1)), which sums to the total over all looks."""
    return total / (index * (index + 1))


def look_times(stage: Share) -> Iterator[float]:
    """The elapsed seconds at which a stage of length T is looked at, rising without end.

    T/128, T/64, ... T/2, T, then every quarter of T. Those under a second are left out. A long stage is halved on,
    down to some ten seconds: what fails altogether must not go on for the first hundredth of a day.
    """
    length = max(stage.for_seconds, _LEAST_SECONDS)
    power = 7
    while length / 2 ** (power + 1) >= _FIRST_SECONDS:
        power += 1
    for halvings in range(power, -1, -1):
        if length / 2**halvings >= _LEAST_SECONDS:
            yield length / 2**halvings
    yield from _quarters(length, 1)


def _quarters(length: float, first: int) -> Iterator[float]:
    return (length * (1 + quarter / 4) for quarter in count(first))


def due(stage: Share, elapsed_seconds: float, taken_seconds: float) -> float | None:
    """The latest look time passed, when that is after `taken_seconds` (0 before the first), else None.

    What it returns is the `taken_seconds` of the next call: however many look times were missed meanwhile,
    they are made up for by one look. A look certifies when its time is at or after the stage's own.
    """
    length = max(stage.for_seconds, _LEAST_SECONDS)
    # A stage can wait for days: the whole lengths behind it need not be gone through.
    whole = max(0, int(elapsed_seconds / length) - 2)
    times = _quarters(length, 4 * whole) if whole else look_times(stage)
    latest = max(takewhile(lambda at: at <= elapsed_seconds, times), default=0.0)
    return latest if latest > taken_seconds else None
