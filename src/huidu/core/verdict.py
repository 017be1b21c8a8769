"""Verdicts: what the evidence proves about a candidate, guard by guard.

A guard fails when the candidate is proven worse than `fail_above`, passes when it is proven within `at_most`,
and is undecided otherwise; no evidence proves nothing. `judge` and its sister for the golden set are the only face:
what stands behind them may change.

What is promised. A candidate no worse than `fail_above` in any guard is rolled back by a test with probability at
most alpha: look i spends alpha/(i (i+1)), divided among the guards tested in it (Bonferroni). One worse than
`at_most` in any guard is certified with probability at most beta: every certifying look has its part of beta,
and guards need not share it, since all must pass (intersection-union: Berger 1982, Technometrics 24). A
guard with two methods gives half of its level to each. Exact methods hold for any number of users; those
over clusters rest on Student's t and so hold approximately.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from huidu.core.evidence import EDGES_MS, GROUPS, Row, Sums, Text, VersionSums
from huidu.core.looks import Look, spend
from huidu.core.observation import Failure
from huidu.core.peers import ENOUGH_PART, ENOUGH_PEERS, Bounded, bounded, out_of_proportion
from huidu.core.plan import Answer, Guard, Rules
from huidu.core.stats.paired import PairedInterval, cluster_sums, paired_interval
from huidu.core.stats.proportions import ExactDifference, Hits, binomial_greater
from huidu.core.stats.quantiles import Slowness, comparable
from huidu.core.stats.ratios import LEAST_CLUSTERS, MeanDifference, difference, ratio
from huidu.core.units import distinct

INTERVAL_LEVEL = 0.05


class State(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not_measured"


class Code(StrEnum):
    """Why a verdict is what it is."""

    PROVEN_WORSE = "proven_worse"
    PROVEN_WITHIN = "proven_within"
    CRASHED = "crashed"
    NO_CRASH = "no_crash"
    NOT_YET = "not_yet"
    TOO_FEW_USERS = "too_few_users"
    TOO_FEW_PEERS = "too_few_peers"
    NO_EVIDENCE = "no_evidence"
    NOT_MEASURED = "not_measured"
    NOT_SEEN = "not_seen"


STATE_OF: Mapping[Code, State] = {
    Code.PROVEN_WORSE: State.FAILED,
    Code.CRASHED: State.FAILED,
    Code.PROVEN_WITHIN: State.PASSED,
    Code.NO_CRASH: State.UNDECIDED,
    Code.NOT_YET: State.UNDECIDED,
    Code.TOO_FEW_USERS: State.UNDECIDED,
    Code.TOO_FEW_PEERS: State.UNDECIDED,
    Code.NO_EVIDENCE: State.UNDECIDED,
    Code.NOT_MEASURED: State.NOT_MEASURED,
    Code.NOT_SEEN: State.NOT_MEASURED,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is proven about one guard, why, and the numbers that stood behind it.

    `numbers` are in the guard's own units: `estimate` with `lower` and `upper` (95 %), both limits, both rates, and
    how many requests, users and texts there were. Absent is what is not known.
    """

    guard: str
    code: Code
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return STATE_OF[self.code]

    @property
    def failed(self) -> bool:
        return self.state is State.FAILED

    @property
    def passed(self) -> bool:
        return self.state is State.PASSED

    def as_json(self) -> dict[str, Any]:
        return {"guard": self.guard, "state": self.state.value, "code": self.code.value, "numbers": dict(self.numbers)}


Verdicts = Mapping[str, Verdict]


def carried(before: Verdicts, now: Verdicts) -> dict[str, Verdict]:
    """What stands after both: a failure is final, a pass stays unless it fails now, else the newer holds."""

    def stands(old: Verdict | None, new: Verdict | None) -> Verdict:
        if old is None or new is None:
            return old or new  # type: ignore[return-value]
        keep = old.failed or (old.passed and not new.failed)
        return old if keep else new

    return {name: stands(before.get(name), now.get(name)) for name in {**before, **now}}


def certified(rules: Rules, verdicts: Verdicts) -> bool:
    """Whether every guard that a promotion rests on has passed.

    What cannot be seen of such traffic (`NOT_SEEN`: the latency of sockets behind a gateway that sees no messages)
    is said to be so, and asked of nobody.
    """
    needed = [guard.name for guard in rules.guards if guard.at_most is not None]
    found = [verdicts.get(name) for name in needed]
    return all(verdict is not None and (verdict.passed or verdict.code is Code.NOT_SEEN) for verdict in found)


# A cause explains what follows from it: a crash the failed requests, these the latency, a wrong number the
# wrong characters it is made of. Guards not named here come last.
_CAUSES = ("crashes", "errors", "rejects", "empty", "numerals", "latency", "cer")


def cause(verdicts: Verdicts) -> Verdict | None:
    """The failed verdict that a loss is put down to: of several, the one that explains the others."""
    order = {name: place for place, name in enumerate(_CAUSES)}
    failed = [verdict for verdict in verdicts.values() if verdict.failed]
    return min(failed, key=lambda verdict: order.get(verdict.guard, len(order)), default=None)


# ------------------------------------------------------------------ deciding


class Method(Protocol):
    """One way to prove something about a difference or ratio."""

    def worse(self, margin: float, level: float) -> bool: ...

    def within(self, margin: float, level: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What the evidence offers on one guard: its methods, of which None cannot be used, and its numbers.

    The number of methods is fixed by the guard and not by the data, so that the level is shared in advance. Where
    there are any, one of `confirming` must prove a loss, too: the same without the clients who had most of it.
    """

    methods: tuple[Method | None, ...]
    numbers: dict[str, float]
    missing: Code = Code.TOO_FEW_USERS
    confirming: tuple[Method | None, ...] = ()


Measuring = Callable[[Guard], Finding]


def _decided(guard: Guard, finding: Finding, fail_level: float, pass_level: float) -> Verdict:
    usable = [method for method in finding.methods if method is not None]
    ways = max(1, len(finding.methods))
    numbers = _limits(guard) | {name: value for name, value in finding.numbers.items() if isfinite(value)}

    def worse(methods: Sequence[Method | None]) -> bool:
        return any(method is not None and method.worse(guard.fail_above, fail_level / ways) for method in methods)

    if worse(usable):
        confirmed = not finding.confirming or worse(finding.confirming)
        return Verdict(guard.name, Code.PROVEN_WORSE if confirmed else Code.TOO_FEW_PEERS, numbers)
    at_most = guard.at_most
    if at_most is not None and pass_level and any(method.within(at_most, pass_level / ways) for method in usable):
        return Verdict(guard.name, Code.PROVEN_WITHIN, numbers)
    return Verdict(guard.name, Code.NOT_YET if usable else finding.missing, numbers)


def _limits(guard: Guard) -> dict[str, float]:
    return {"fail_above": guard.fail_above} | ({} if guard.at_most is None else {"at_most": guard.at_most})


def _judged(rules: Rules, measures: Mapping[str, Measuring], look: Look) -> dict[str, Verdict]:
    """The verdict on every guard that is tested; the others are not measured here.

    Alpha is shared by those that roll back. One that only holds takes nobody's model away: it has alpha to itself.
    """
    tested = sum(guard.name in measures and guard.answer is Answer.ROLLBACK for guard in rules.guards)
    verdicts = {}
    for guard in rules.guards:
        if guard.name not in measures:
            verdicts[guard.name] = Verdict(guard.name, Code.NOT_MEASURED, _limits(guard))
        else:
            share = tested if guard.answer is Answer.ROLLBACK else 1
            fail_level = spend(rules.alpha, look.index) / share
            pass_level = spend(rules.beta, look.certifying) if look.certifying else 0.0
            verdicts[guard.name] = _decided(guard, measures[guard.name](guard), fail_level, pass_level)
    return verdicts


# ------------------------------------------------------------------ the two faces


def judge(
    rules: Rules,
    stage_sums: Sums,
    candidate: str,
    stable: str,
    look: Look,
    before: Verdicts | None = None,
) -> dict[str, Verdict]:
    """The verdict on every guard in a share stage, from that stage's sums alone, carried on from `before`.

    In the bake the holdback is the stable side; without one there is nothing to compare with, and only crashes are
    judged.
    """
    ours, theirs = stage_sums.of(candidate), stage_sums.of(stable)
    measures: dict[str, Measuring] = {
        "errors": lambda guard: _failures(ours, theirs, Failure.BAD),
        "rejects": lambda guard: _failures(ours, theirs, Failure.REJECTED),
        "empty": lambda guard: _empty(ours, theirs),
        "latency": lambda guard: _latency(ours, theirs, guard),
        "cer": lambda guard: _cer(ours, theirs),
        "numerals": lambda guard: _numerals(ours, theirs),
    }
    counted = _counted(rules, stage_sums, candidate, stable)
    judged = _judged(rules, measures, look) | counted
    return carried(before or {}, {name: _of_enough_peers(verdict) for name, verdict in judged.items()})


def judge_golden(rules: Rules, golden_rows: Sequence[Row], look: Look) -> dict[str, Verdict]:
    """The verdict of the golden set: both versions on the same utterances, clusters being the speakers."""
    pairs = [row.payload for row in sorted(golden_rows, key=lambda row: row.key)]
    measures: dict[str, Measuring] = {
        "cer": lambda guard: _paired(pairs, guard, "errors", "characters", signs=False),
        "numerals": lambda guard: _paired(pairs, guard, "numbers_wrong", "numbers", signs=True),
    }
    return _judged(rules, measures, look)


# ------------------------------------------------------------------ live measures


def crashes(guard: Guard, stage_sums: Sums, candidate: str, stable: str) -> Verdict:
    """Crashes by rule: more of the candidate's than of stable's in this stage, beyond `fail_above`, is a failure.

    This is no test and spends no alpha: a crash of the candidate alone is enough, whatever chance had to do
    with it. So it may be asked at any time, between two looks too. Nothing certifies it.
    """
    ours, theirs = stage_sums.of(candidate).crashes, stage_sums.of(stable).crashes
    numbers = {"estimate": ours - theirs, "candidate_crashes": ours, "stable_crashes": theirs}
    code = Code.CRASHED if ours - theirs > guard.fail_above else Code.NO_CRASH
    return Verdict(guard.name, code, _limits(guard) | numbers)


def _counted(rules: Rules, sums: Sums, candidate: str, stable: str) -> dict[str, Verdict]:
    guard = rules.guard("crashes")
    return {} if guard is None else {guard.name: crashes(guard, sums, candidate, stable)}


def _traffic(ours: VersionSums, theirs: VersionSums) -> dict[str, float]:
    return {
        "candidate_requests": ours.requests,
        "stable_requests": theirs.requests,
        "candidate_units": ours.users,
        "stable_units": theirs.users,
        "candidate_audio_seconds": ours.audio_ms / 1000,
        "stable_audio_seconds": theirs.audio_ms / 1000,
    }


def _of_enough_peers(verdict: Verdict) -> Verdict:
    """A failure that too few clients had is none yet: it is said, and waits for others."""
    peers = verdict.numbers.get("candidate_peers")
    if verdict.code is not Code.PROVEN_WORSE or peers is None:
        return verdict
    if peers >= ENOUGH_PEERS or verdict.numbers["peers_part"] >= ENOUGH_PART:
        return verdict
    return Verdict(verdict.guard, Code.TOO_FEW_PEERS, verdict.numbers)


def _failures(ours: VersionSums, theirs: VersionSums, kind: Failure) -> Finding:
    """What users did not get: exactly by users who met it at least once, and by rates over the random groups."""
    numbers = _traffic(ours, theirs)
    if not ours.requests or not theirs.requests:
        return Finding((), numbers, Code.NO_EVIDENCE)
    mine, others = bounded(ours, theirs, kind), bounded(theirs, ours, kind)
    exact, means = _ways(ours, mine, theirs, others)
    confirming = _ways(ours, bounded(ours, theirs, kind, worst_once=True), theirs, others)
    rates = {"candidate_rate": mine.rate, "stable_rate": others.rate}
    numbers |= {"candidate_peers": mine.peers, "peers_part": mine.peers_part}
    seen = means if mine.rate or others.rate else None
    return Finding((exact, means), numbers | rates | _interval(rates, exact, seen), confirming=confirming)


def _ways(
    ours: VersionSums, mine: Bounded, theirs: VersionSums, others: Bounded
) -> tuple[ExactDifference, MeanDifference | None]:
    """Both ways to tell failures apart: exactly by users hit, and by rates over the random groups."""
    exact = ExactDifference(_users_hit(ours, mine), _users_hit(theirs, others))
    return exact, difference(ratio(mine.failed, mine.requests), ratio(others.failed, others.requests))


def _empty(ours: VersionSums, theirs: VersionSums) -> Finding:
    """Answers without a text, where both versions say how long their texts are."""
    if not ours.requests or not theirs.requests:
        return Finding((), _traffic(ours, theirs), Code.NO_EVIDENCE)
    if not ours.answered or not theirs.answered:
        return Finding((), _traffic(ours, theirs), Code.NOT_SEEN)
    return _failures(ours, theirs, Failure.EMPTY)


def _users_hit(sums: VersionSums, failed: Bounded) -> Hits:
    units = max(1, sums.users)
    return Hits(min(failed.units, units), units, sums.requests / units)


def _interval(rates: Mapping[str, float], exact: ExactDifference, means: MeanDifference | None) -> dict[str, float]:
    """The estimate and its interval: over the groups where they tell anything, else exact."""
    lower, upper = (means or exact).interval(INTERVAL_LEVEL)
    return {"estimate": rates["candidate_rate"] - rates["stable_rate"], "lower": lower, "upper": upper}


def _latency(ours: VersionSums, theirs: VersionSums, guard: Guard) -> Finding:
    """A quantile of the time to the answer, as a ratio within bands of equal length of audio.

    What failed has no latency: it is counted as failed, and one client's failures make no version slow. Nor do the
    requests of one address that asked this side out of proportion: it may have chosen side and length.
    """
    numbers = _traffic(ours, theirs)
    if not ours.requests or not theirs.requests:
        return Finding((), numbers, Code.NO_EVIDENCE)
    if not ours.latency and not theirs.latency and _only_sockets(ours) and _only_sockets(theirs):
        return Finding((), numbers, Code.NOT_SEEN)
    bands = _comparable_bands(ours, theirs)
    if not bands:
        return Finding((), numbers, Code.NO_EVIDENCE)
    slowness = Slowness(bands, EDGES_MS, guard.quantile or 0.95, out_of_proportion(ours, theirs))
    lower, upper = slowness.interval(INTERVAL_LEVEL)
    bounds = {name: value for name, value in (("lower", lower), ("upper", upper)) if value is not None}
    groups = (np.any([pair[side].any(axis=1) for pair in bands], axis=0) for side in (0, 1))
    few = min(np.count_nonzero(of_side) for of_side in groups) < LEAST_CLUSTERS
    return Finding((None if few else slowness,), numbers | bounds | {"estimate": slowness.estimate})


def _only_sockets(sums: VersionSums) -> bool:
    return sums.sockets == sums.requests


def _comparable_bands(
    ours: VersionSums, theirs: VersionSums
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    """Both sides' histograms by band: of seconds where both say them of most of their answers, else of bytes."""
    shared = sorted(ours.latency.keys() & theirs.latency.keys())
    by_seconds = all(_counts(sums, "s") * 2 > _counts(sums, "b") for sums in (ours, theirs))
    left_out = "b" if by_seconds else "s"
    lengths = [band for band in shared if band[0] != left_out or not band[1:].isdigit()]
    pairs = [(ours.latency[band], theirs.latency[band]) for band in lengths]
    return tuple(pair for pair in pairs if comparable(*pair))


def _counts(sums: VersionSums, prefix: str) -> int:
    return sum(int(counts.sum()) for band, counts in sums.latency.items() if band[0] == prefix and band[1:].isdigit())


def _by_group(texts: Sequence[Text], count: Callable[[Text], int]) -> NDArray[np.int64]:
    groups = np.zeros(GROUPS, dtype=np.int64)
    for text in texts:
        groups[text.group] += count(text)
    return groups


def _text_numbers(ours: Sequence[Text], theirs: Sequence[Text]) -> dict[str, float]:
    return {
        "candidate_texts": len(ours),
        "stable_texts": len(theirs),
        "candidate_units": distinct(text.unit for text in ours),
        "stable_units": distinct(text.unit for text in theirs),
    }


def _cer(ours: VersionSums, theirs: VersionSums) -> Finding:
    """Character errors per reference character, over the random groups."""
    numbers = _text_numbers(ours.texts, theirs.texts)
    if not ours.texts or not theirs.texts:
        return Finding((), numbers, Code.NO_EVIDENCE)
    sums = [
        (_by_group(texts, lambda text: text.errors), _by_group(texts, lambda text: text.characters))
        for texts in (ours.texts, theirs.texts)
    ]
    means = difference(*(ratio(errors, characters) for errors, characters in sums))
    rates = _rates(sums)
    if means is not None:
        lower, upper = means.interval(INTERVAL_LEVEL)
        rates |= {"estimate": means.estimate, "lower": lower, "upper": upper}
    return Finding((means,), numbers | rates)


def _rates(sums: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> dict[str, float]:
    """Both versions' rates, candidate first, of amounts and sizes by group; without any size there is no rate."""
    named = zip(("candidate_rate", "stable_rate"), sums, strict=True)
    return {name: int(amounts.sum()) / int(sizes.sum()) for name, (amounts, sizes) in named if sizes.any()}


def _numerals(ours: VersionSums, theirs: VersionSums) -> Finding:
    """Reference number expressions not reproduced: exactly by users, and by rates over the random groups.

    The exact way takes each user's first text that holds numbers, which is a hit when any of them is wrong.
    """
    with_numbers = [[text for text in sorted(sums.texts) if text.numbers] for sums in (ours, theirs)]
    numbers = _text_numbers(*with_numbers)
    if not all(with_numbers):
        return Finding((), numbers, Code.NO_EVIDENCE)
    exact = ExactDifference(_first_texts_hit(with_numbers[0]), _first_texts_hit(with_numbers[1]))
    sums = [
        (_by_group(texts, lambda text: text.numbers_wrong), _by_group(texts, lambda text: text.numbers))
        for texts in with_numbers
    ]
    means = difference(*(ratio(wrong, expressions) for wrong, expressions in sums))
    rates = _rates(sums)
    seen = means if rates["candidate_rate"] + rates["stable_rate"] else None
    return Finding((exact, means), numbers | rates | _interval(rates, exact, seen))


def _first_texts_hit(texts: Sequence[Text]) -> Hits:
    first: dict[str, Text] = {}
    for text in texts:
        first.setdefault(text.unit, text)
    hits = sum(text.numbers_wrong > 0 for text in first.values())
    return Hits(hits, len(first), sum(text.numbers for text in first.values()) / len(first))


# ------------------------------------------------------------------ the golden set


@dataclass(frozen=True, slots=True)
class _Signs:
    """Utterances on which one version is better: exact sign test (McNemar 1947), against no difference only.

    It serves where an utterance counts as right or wrong; a margin other than zero it cannot test.
    """

    worse_utterances: int
    better_utterances: int

    def worse(self, margin: float, level: float) -> bool:
        discordant = self.worse_utterances + self.better_utterances
        return margin == 0 and binomial_greater(self.worse_utterances, discordant, 0.5) <= level

    def within(self, margin: float, level: float) -> bool:
        return False


@dataclass(frozen=True, slots=True, eq=False)
class _OverSpeakers:
    """The paired difference over speakers, as `huidu eval` tells it, at one-sided levels.

    Arrays are by speaker: sizes (reference characters, or numbers), and what each version got wrong of them.
    """

    sizes: NDArray[np.int64]
    stable: NDArray[np.int64]
    candidate: NDArray[np.int64]

    def interval(self, level: float) -> PairedInterval:
        """Two-sided bounds that miss the difference with probability `level`."""
        return paired_interval(self.sizes, self.stable, self.candidate, 1 - level)

    def worse(self, margin: float, level: float) -> bool:
        return self.interval(2 * level).low > margin

    def within(self, margin: float, level: float) -> bool:
        return self.interval(2 * level).high < margin


def _paired(pairs: Sequence[Mapping[str, Any]], guard: Guard, amount: str, size: str, signs: bool) -> Finding:
    """Amounts per size (errors per character) of both versions on the same utterances."""
    # Silence has nothing to get wrong but what is made up on it.
    pairs = [pair for pair in pairs if pair[size] or pair["stable"][amount] or pair["candidate"][amount]]
    total = sum(pair[size] for pair in pairs)
    ways = 2 if signs and guard.fail_above == 0 else 1
    numbers: dict[str, float] = {
        "utterances": len(pairs),
        "speakers": len({pair["speaker"] for pair in pairs}),
    }
    if not total:
        return Finding((), numbers, Code.NO_EVIDENCE)
    sums = cluster_sums(
        [pair["speaker"] for pair in pairs],
        [pair[size] for pair in pairs],
        [pair["stable"][amount] for pair in pairs],
        [pair["candidate"][amount] for pair in pairs],
    )
    over_speakers = _OverSpeakers(*sums)
    found = over_speakers.interval(INTERVAL_LEVEL)
    signed = Counter(change > 0 for pair in pairs if (change := pair["candidate"][amount] - pair["stable"][amount]))
    for arm in ("candidate", "stable"):
        numbers[f"{arm}_rate"] = sum(pair[arm][amount] for pair in pairs) / total
    numbers |= {"estimate": found.difference, "worse": signed[True], "better": signed[False]}
    numbers |= {"lower": found.low, "upper": found.high}
    # One speaker tells nothing about others.
    usable = over_speakers if isfinite(found.standard_error) else None
    methods: tuple[Method | None, ...] = (usable, _Signs(signed[True], signed[False]))
    return Finding(methods[:ways], numbers)
