"""How often identical versions are rolled back in a bake while the error rate moves over the day.

    .venv/bin/python tests/bench/bake.py --releases 200 --per-minute 600

Both versions fail alike, at a rate that moves by 80 % around its mean over a day. A bake of a day at 95 % of the users,
with 5 % held back on the stable version, is judged by rows of a minute: folded, looked at and judged by what control
uses. Beside it the same with a candidate that fails so many times as often, which must be found: a check that never
judges would pass otherwise. Prints how many were rolled back, by which guard and when.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sin

import numpy as np

from huidu.core.assignment import mismatch
from huidu.core.evidence import EDGES_MS, GROUPS, Kind, Row, Sums, edge_index, fold
from huidu.core.floors import missing
from huidu.core.looks import Look, due
from huidu.core.plan import DEFAULT_HOLDBACK_BP, FULL_BP, Rules, Share
from huidu.core.verdict import Verdict, cause, judge

STABLE, CANDIDATE = "v1", "v2"
BAKE = Share(FULL_BP, 86_400.0, holdback_bp=DEFAULT_HOLDBACK_BP)
DAY_MINUTES = 1440
# Latencies are drawn from so many cells: how exactly they are spread is not the point here.
_LATENCIES_MS = np.array([200.0, 250.0, 300.0, 400.0, 550.0, 800.0])


@dataclass(frozen=True, slots=True)
class Traffic:
    """Recognitions of users who stick to their side, each at an address of his own.

    `error_rate` is the day's mean and moves by the part `swing` around it; some users meet it more often than others.
    The candidate fails `times_worse` as often.
    """

    per_minute: float
    users: int
    error_rate: float = 0.02
    swing: float = 0.8
    times_worse: float = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """How a bake ended: the guard that rolled it back, after so many minutes; else whether all was there to promote."""

    guard: str | None = None
    minute: int = DAY_MINUTES
    promoted: bool = False


class Bake:
    """One bake: its users, and the rows of each minute."""

    def __init__(self, traffic: Traffic, seed: int):
        self._traffic, self._rng = traffic, np.random.default_rng(seed)
        self._units = [f"{unit:016x}" for unit in self._rng.integers(0, 2**62, traffic.users)]
        self._groups = np.array([int(unit, 16) % GROUPS for unit in self._units])
        buckets = self._rng.integers(0, FULL_BP, traffic.users)
        self._ours = buckets < FULL_BP - BAKE.holdback_bp
        self._begins = self._rng.random()  # at any time of the day
        self._frailty = self._rng.gamma(2.0, 0.5, traffic.users)
        self._seen = np.zeros(traffic.users, dtype=bool)

    def rows(self, minute: int) -> Iterator[Row]:
        """A `second` row that stands for a minute, and a row for each failure in it."""
        traffic, rng = self._traffic, self._rng
        rate = traffic.error_rate * (1 + traffic.swing * sin(2 * pi * (self._begins + minute / DAY_MINUTES)))
        users = rng.integers(0, traffic.users, rng.poisson(traffic.per_minute))
        ours = self._ours[users]
        failed = rng.random(len(users)) < rate * self._frailty[users] * np.where(ours, traffic.times_worse, 1.0)
        cells = rng.integers(0, len(_LATENCIES_MS), len(users))
        payload = {}
        for version, of_side in ((CANDIDATE, ours), (STABLE, ~ours)):
            payload[version] = self._counts(users[of_side], failed[of_side], cells[of_side])
            for number, user in enumerate(users[of_side & failed].tolist()):
                unit = self._units[user]
                bad = {"version": version, "unit": unit, "peer": unit}
                yield Row("bake", Kind.BAD, f"{minute}:{version}:{number}", minute * 60.0, bad)
        yield Row("bake", Kind.SECOND, str(minute), minute * 60.0, payload)

    def _counts(self, users: np.ndarray, failed: np.ndarray, cells: np.ndarray) -> dict[str, object]:
        """One side's part of a `second` row."""
        distinct, counts = np.unique(users, return_counts=True)
        new = distinct[~self._seen[distinct]].tolist()
        self._seen[distinct] = True
        requests = np.bincount(self._groups[users], minlength=GROUPS)
        timed = np.zeros((GROUPS, len(_LATENCIES_MS)), dtype=np.int64)
        np.add.at(timed, (self._groups[users[~failed]], cells[~failed]), 1)
        return {
            "requests": len(users),
            "bad": int(failed.sum()),
            "answered": int((~failed).sum()),
            "audio_ms": 0,
            "new_units": [self._units[user] for user in new],
            "peers": dict(zip((self._units[user] for user in distinct.tolist()), counts.tolist(), strict=True)),
            "groups": {
                str(group): {"requests": int(requests[group]), "bands": {"s0": self._cells(timed[group])}}
                for group in np.flatnonzero(requests).tolist()
            },
        }

    @staticmethod
    def _cells(timed: np.ndarray) -> dict[str, int]:
        return {_CELLS[place]: count for place, count in enumerate(timed.tolist()) if count}


_CELLS = [str(edge_index(ms)) for ms in _LATENCIES_MS]
assert len(set(_CELLS)) == len(_CELLS)
assert max(_LATENCIES_MS) < EDGES_MS[-1]


def baked(traffic: Traffic, rules: Rules, seed: int, looks_before: int = 0) -> Told:
    """One bake, looked at when control would: the fewer looks came before, the more each of these may spend."""
    bake, sums, rows = Bake(traffic, seed), Sums(), list[Row]()
    taken, index = 0.0, looks_before
    verdicts: dict[str, Verdict] = {}
    for minute in range(1, DAY_MINUTES + 1):
        rows += bake.rows(minute)
        point = due(BAKE, minute * 60.0, taken)
        if point is None:
            continue
        taken, index = point, index + 1
        sums, rows = sums + fold(rows, "bake"), []
        verdicts = judge(rules, sums, CANDIDATE, STABLE, Look(index), verdicts)
        if failed := cause(verdicts):
            return Told(failed.guard, minute)
    told = not missing(BAKE, sums, CANDIDATE, STABLE) and mismatch(sums, BAKE, CANDIDATE, STABLE) is None
    return Told(promoted=told)


def report(name: str, told: list[Told]) -> None:
    back = Counter(one.guard for one in told if one.guard)
    minutes = sorted(one.minute for one in told if one.guard)
    found = f", after {minutes[len(minutes) // 2]} minutes at the median" if minutes else ""
    promoted = sum(one.promoted for one in told)
    print(
        f"{name}: {sum(back.values())} of {len(told)} rolled back {dict(back)}{found}; {promoted} promoted", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=200)
    parser.add_argument("--per-minute", type=float, default=600.0)
    parser.add_argument("--users", type=int, help="default: 20 for each recognition a minute")
    parser.add_argument("--worse", type=float, default=4.0)
    asked = parser.parse_args()
    users = asked.users or round(20 * asked.per_minute)
    for times_worse, releases in ((1.0, asked.releases), (asked.worse, max(1, asked.releases // 10))):
        began = time.perf_counter()
        traffic = Traffic(asked.per_minute, users, times_worse=times_worse)
        told = [baked(traffic, Rules(), seed) for seed in range(releases)]
        report(f"{asked.per_minute:g} a minute by {users} users, {times_worse:g} times as many errors", told)
        print(f"  {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
