"""How good the verdicts are at the size of the demo: simulated releases with known truth.

    .venv/bin/python tests/bench/verdicts.py --runs 500 --stages 12,18,28 --reviews 24

Users stick to their version by bucket, each at an address of his own; they draw audios at random from a pool; reviewers
correct recognitions drawn at random, whatever their version; one audio counts once per version and release.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from huidu.core.evidence import EDGES_MS, GROUPS, Sums, Text, VersionSums
from huidu.core.looks import Look, look_times
from huidu.core.observation import Failure
from huidu.core.plan import DEFAULT_HOLDBACK_BP, FULL_BP, Guard, Measure, Rules, Share
from huidu.core.verdict import Verdict, cause, certified, judge

STABLE, CANDIDATE = "v1", "v2"


@dataclass(frozen=True, slots=True)
class Quality:
    """How a version recognises: error rate of number expressions by kind of audio, CER, share of clean texts."""

    digits_wrong: float
    others_wrong: float
    cer: float
    clean: float
    edits: float = 0.0  # edits beyond the first in a wrong number expression
    slower: float = 1.0
    bad_rate: float = 0.0


V1 = Quality(0.04, 0.04, 0.02, 0.85)
VERSIONS = {
    "equal": V1,
    "bad": replace(V1, digits_wrong=0.85, edits=2.0),
    "good": Quality(0.015, 0.015, 0.007, 0.93),
}


@dataclass(frozen=True, slots=True)
class World:
    """The demo's shape. `users_error` are the beta parameters of each user's own rate of bad requests, if any."""

    users: int = 420
    per_second: float = 40.0
    audios: int = 480
    reviews_per_second: float = 12.0
    shares: tuple[tuple[int, float], ...] = ((500, 15.0), (2000, 15.0), (5000, 20.0))
    users_error: tuple[float, float] | None = None
    latency_ms: float = 30.0
    sigma: float = 0.5
    extra_looks: int = 12
    bake_seconds: float = 15.0
    holdback_bp: int = DEFAULT_HOLDBACK_BP
    certify_in_last_only: bool = True


@dataclass(slots=True)
class Told:
    """What one simulated release came to."""

    rolled_back: tuple[str, str] | None = None  # stage, guard
    certified_look: int | None = None  # 1: at the end of the last share stage
    waiting: Counter[str] = field(default_factory=Counter)


def rules(at_most: Mapping[str, float], alpha: float = 0.01, beta: float = 0.05) -> Rules:
    guards = (
        Guard("errors", Measure.DIFFERENCE, 0.0, at_most["errors"]),
        Guard("crashes", Measure.COUNT, 0.0, None),
        Guard("latency", Measure.RATIO, 1.5, at_most["latency"], quantile=0.95),
        Guard("cer", Measure.DIFFERENCE, at_most.get("cer_fail", 0.0), at_most["cer"]),
        Guard("numerals", Measure.DIFFERENCE, 0.0, at_most["numerals"]),
    )
    return Rules(guards, alpha, beta)


class Release:
    """One simulated release: users, audios and what either version makes of each audio."""

    def __init__(self, world: World, candidate: Quality, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        self.quality = (V1, candidate)
        self.buckets = rng.integers(0, 10_000, world.users)
        self.units = np.array([f"{unit:016x}" for unit in rng.integers(0, 2**62, world.users)])
        self.groups = np.array([int(unit, 16) % GROUPS for unit in self.units])
        self.frail = rng.beta(*world.users_error, world.users) if world.users_error else np.zeros(world.users)
        self.texts = [self._recognised(quality) for quality in self.quality]
        self.reviewed: tuple[set[int], set[int]] = (set(), set())
        self.clock = 0.0

    def _recognised(self, quality: Quality) -> list[tuple[int, int, int, int]]:
        """(characters, errors, numbers, numbers wrong) per audio of the pool: decoding is deterministic."""
        audios, rng = self.world.audios, self._pool()
        kind = rng.random(audios)
        characters = rng.integers(8, 25, audios)
        others = np.where(kind < 0.65, 1 + (rng.random(audios) < 0.5), 0)
        numbers = np.where(kind < 0.4, 1 + (rng.random(audios) < 0.3), others)
        wrong = self.rng.binomial(numbers, np.where(kind < 0.4, quality.digits_wrong, quality.others_wrong))
        broken = self.rng.random(audios) > quality.clean
        mean = quality.cer * characters / (1 - quality.clean)
        errors = np.where(broken, 1 + self.rng.poisson(np.maximum(mean - 1, 0.02)), 0)
        errors = np.maximum(errors, self.rng.poisson(quality.edits * wrong) + wrong)
        return list(zip(*(a.tolist() for a in (characters, errors, numbers, wrong)), strict=True))

    def _pool(self) -> np.random.Generator:
        self._pool_seed = getattr(self, "_pool_seed", None) or int(self.rng.integers(2**31))
        return np.random.default_rng(self._pool_seed)

    def served(self, share_bp: int, seconds: float) -> Sums:
        """The evidence of so many seconds at a share."""
        world, rng = self.world, self.rng
        users = rng.integers(0, world.users, rng.poisson(world.per_second * seconds))
        arms = (self.buckets[users] < share_bp).astype(int)
        times = self.clock + np.sort(rng.random(len(users))) * seconds
        audios = rng.integers(0, world.audios, len(users))
        picked = np.flatnonzero(rng.random(len(users)) < world.reviews_per_second / world.per_second)
        texts: tuple[list[Text], list[Text]] = ([], [])
        for index in picked:
            arm, audio = int(arms[index]), int(audios[index])
            if audio not in self.reviewed[arm]:
                self.reviewed[arm].add(audio)
                user = users[index]
                row = (float(times[index]), f"{arm}:{audio}", str(self.units[user]), int(self.groups[user]))
                texts[arm].append(Text(*row, *self.texts[arm][audio]))
        self.clock += seconds
        both = [self._requests(users[arms == arm], self.quality[arm]) for arm in (0, 1)]
        both = [replace(sums, texts=tuple(found)) for sums, found in zip(both, texts, strict=True)]
        return Sums({STABLE: both[0], CANDIDATE: both[1]})

    def _requests(self, users: np.ndarray, quality: Quality) -> VersionSums:
        rng, world = self.rng, self.world
        bad = rng.random(len(users)) < self.frail[users] + quality.bad_rate
        ms = quality.slower * world.latency_ms * np.exp(world.sigma * rng.standard_normal(len(users)))
        groups, names = self.groups[users], self.units[users].tolist()
        failed = [name for name, failing in zip(names, bad.tolist(), strict=True) if failing]
        histogram = np.zeros((GROUPS, len(EDGES_MS)), dtype=np.int64)
        cells = np.searchsorted(EDGES_MS, ms[~bad], side="right") - 1
        np.add.at(histogram, (groups[~bad], np.maximum(cells, 0)), 1)
        return VersionSums(
            requests=len(users),
            bad=len(failed),
            units=frozenset(names),
            group_requests=np.bincount(groups, minlength=GROUPS),
            latency={"s0": histogram},
            peers=Counter(names),
            failures={Failure.BAD: Counter((name, name) for name in failed)},
        )


def stage_looks(stage: Share, last: bool, extra: int) -> Iterator[tuple[float, bool]]:
    """The look times of a stage and whether each comes at or after its own time; the last stage may wait."""
    after = 0
    for at in look_times(stage):
        after += at > stage.for_seconds
        if after > (extra if last else 0):
            return
        yield at, at >= stage.for_seconds


def simulate(world: World, judged_by: Rules, candidate: Quality, seed: int, looks_before: int = 1) -> Told:
    """One release from its first share to the end of its bake, or to its roll back.

    What is never certified goes to the bake all the same, as if a person had said so: false roll backs count there too.
    """
    release, told = Release(world, candidate, np.random.default_rng(seed)), Told()
    verdicts: dict[str, Verdict] = {}
    sums, index, certifying, ends = Sums(), looks_before, 0, 0
    for share_bp, seconds in world.shares:
        stage, last = Share(share_bp, seconds), (share_bp, seconds) == world.shares[-1]
        sums, before = Sums(), 0.0
        for at, over in stage_looks(stage, last, world.extra_looks):
            sums, before = sums + release.served(share_bp, at - before), at
            index += 1
            certifies = over and (last or not world.certify_in_last_only)
            certifying += certifies
            look = Look(index, certifying if certifies else 0)
            verdicts = judge(judged_by, sums, CANDIDATE, STABLE, look, verdicts)
            if failed := cause(verdicts):
                told.rolled_back = (stage.name, failed.guard)
                return told
            if last and over:
                ends += 1
                if certified(judged_by, verdicts):
                    told.certified_look = ends
                    break
                told.waiting.update(name for name, v in verdicts.items() if not v.passed and name != "crashes")
    told.rolled_back = baked(release, world, judged_by, Look(index))
    return told


def baked(release: Release, world: World, judged_by: Rules, look: Look) -> tuple[str, str] | None:
    """The roll back in the bake, if there is one: it is judged against the users held back, like any share."""
    stage, sums, before = Share(FULL_BP, world.bake_seconds, holdback_bp=world.holdback_bp), Sums(), 0.0
    for at, _ in stage_looks(stage, False, 0):
        sums, before = sums + release.served(FULL_BP - world.holdback_bp, at - before), at
        look = Look(look.index + 1)
        if failed := cause(judge(judged_by, sums, CANDIDATE, STABLE, look)):
            return stage.name, failed.guard
    return None


def report(name: str, tolds: list[Told]) -> None:
    runs = len(tolds)
    back = Counter(told.rolled_back for told in tolds if told.rolled_back)
    looks = Counter(told.certified_look for told in tolds if told.certified_look)
    waits = sum((told.waiting for told in tolds), Counter())
    print(f"  {name:6} rolled back {sum(back.values()) / runs:7.2%}", end="  ")
    print(", ".join(f"{stage} by {guard} {n / runs:.2%}" for (stage, guard), n in sorted(back.items())))
    print(f"         certified   {sum(looks.values()) / runs:7.2%}  at the first look {looks[1] / runs:.2%}", end="")
    print(f", later {dict(sorted(looks.items()))}, waited for {dict(waits)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--stages", default="12,18,28", help="seconds at 5, 20 and 50 %%")
    parser.add_argument("--reviews", type=float, default=24.0, help="texts corrected per second")
    parser.add_argument("--audios", type=int, default=559)
    parser.add_argument("--errors", type=float, default=0.05)
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--cer", type=float, default=0.05)
    parser.add_argument("--cer-fail", type=float, default=0.03, help="fail_above of cer")
    parser.add_argument("--numerals", type=float, default=0.12)
    parser.add_argument("--certify-all", action="store_true", help="every stage's end certifies, not only the last's")
    parser.add_argument("--only", choices=list(VERSIONS))
    asked = parser.parse_args()
    shares = tuple(zip((500, 2000, 5000), (float(s) for s in asked.stages.split(",")), strict=True))
    world = World(
        shares=shares,
        reviews_per_second=asked.reviews,
        audios=asked.audios,
        certify_in_last_only=not asked.certify_all,
    )
    margins = {name: getattr(asked, name) for name in ("errors", "latency", "cer", "cer_fail", "numerals")}
    print(f"stages {asked.stages} s, {asked.reviews:g} reviews/s, {asked.audios} audios, margins {margins}")
    for name in [asked.only] if asked.only else VERSIONS:
        began = time.perf_counter()
        tolds = [simulate(world, rules(margins), VERSIONS[name], seed) for seed in range(asked.runs)]
        report(name, tolds)
        print(f"         {asked.runs} runs in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
