"""What two versions did live, from the history: how much, how fast, what looks ill, and the errors people corrected.

Pure: rows in, a document out. The versions served different users at the same time, so they are two independent arms,
and what one user says is recognised alike well or badly, so the clusters are users; a row without a user is a cluster
of its own. Rates are ratios of sums over clusters, and their differences have the intervals of `core.stats.ratios`;
quantiles of the decoding time are compared as in `core.stats.quantiles`, up to histogram cells 5 % wide.

Each measure with limits is a chance to call a good version worse. So the error level is divided among the m measures
that are judged (Bonferroni): each is judged by its interval at confidence 1 - 0.05/m, and a version no worse
in any of them is called worse with probability at most 0.025, because only one side of an interval can do that.
What is shown and not judged has an interval at 0.95.

Rows are taken one at a time. What grows with them is a name for each user and a hash for each corrected audio: beyond
`CLUSTERS` users, several share a cluster (random groups: Wolter 2007, Introduction to Variance Estimation, 2.2).
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from huidu.core.audience import COMPARED
from huidu.core.evidence import EDGES_MS, edge_index
from huidu.core.plan import Guard, Measure, Rules
from huidu.core.stats.quantiles import Slowness, quantile_cell
from huidu.core.stats.ratios import MeanDifference, Ratio, difference, ratio
from huidu.core.text.errors import ErrorCounts
from huidu.core.text.health import Signal, Sound, expects, flips, scripts, signals, units
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors
from huidu.core.text.score import normalised_errors
from huidu.core.version import version_in_filename
from huidu.evaluation.result import overall

CONFIDENCE = 0.95
CLUSTERS = 4096

_LIMITS = {signal: Guard(signal, Measure.DIFFERENCE, 0.0, 0.005) for signal in Signal}
# Ratios of an amount to a size. Of the flips that hang on the language that is expected one is chosen in the end.
_ASSUMED = {"zh": "flips_if_zh", "en": "flips_if_en"}
_LENGTHS = ("units_per_second", "mean_units")
_TEXTS = ("cer", "numerals")
_RATIOS = ("errors", *_TEXTS, *Signal, *_ASSUMED.values(), "rtf", *_LENGTHS)
_SHOWN_QUANTILE, _JUDGED_QUANTILE = 0.5, 0.95


class Row(Protocol):
    """A live recognition that was answered, or one that failed."""

    @property
    def version(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def failed(self) -> bool: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def attempt(self) -> int: ...
    @property
    def user(self) -> str | None: ...
    @property
    def text(self) -> str: ...
    @property
    def corrected_text(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def audio_seconds(self) -> float:
        """0 where nobody knows."""
        ...

    @property
    def decode_ms(self) -> float:
        """0 where nobody knows."""
        ...

    @property
    def audio_sha256(self) -> str: ...
    @property
    def speech(self) -> bool | None:
        """Whether voice activity detection found any; None where nobody has looked."""
        ...


# ------------------------------------------------------------------ counting


class Tally:
    """The sums of two versions' rows. Rows of other versions are only counted.

    With `version_of` a file name tells a row's version, and rows whose name tells none are left out.
    """

    def __init__(self, baseline: str, candidate: str, version_of: Callable[[str], str | None] | None = None):
        self.arms = {name: _Version(name) for name in (baseline, candidate)}
        self.seen: Counter[str] = Counter()
        self.unmatched = 0
        self._version_of = version_of
        self.normaliser = Normaliser()

    def add(self, row: Row) -> None:
        name = self._version_of(row.filename) if self._version_of else row.version
        if name is None:
            self.unmatched += 1
            return
        self.seen[name] += 1
        if name in self.arms:
            self.arms[name].add(row, list(_measured(row, self.normaliser)))

    def missing(self) -> list[str]:
        """The versions of which there was no row."""
        return [name for name in self.arms if not self.seen[name]]


def tally(rows: Iterable[Row], baseline: str, candidate: str, pattern: str | None = None) -> Tally:
    """Counts rows. Raises `InvalidError` for a pattern that is none."""
    counted = Tally(baseline, candidate, version_in_filename(pattern) if pattern is not None else None)
    for row in rows:
        counted.add(row)
    return counted


_Measured = tuple[str, float, float]  # a ratio's name, and what to add to its amount and its size


def _measured(row: Row, normaliser: Normaliser) -> Iterator[_Measured]:
    """What a row says about each ratio that it says anything about."""
    if row.failed:
        yield "errors", 1, 1
        return
    given = signals(row.text, Sound(row.audio_seconds, 0.0 if row.speech is False else None))
    length = units(row.text)
    yield Signal.LOOP, Signal.LOOP in given, 1
    yield "mean_units", length, 1
    if row.speech is not None:
        yield Signal.TEXT_ON_SILENCE, Signal.TEXT_ON_SILENCE in given, 1
    if row.audio_seconds > 0:
        yield Signal.EMPTY_ON_SPEECH, Signal.EMPTY_ON_SPEECH in given, 1
        yield Signal.RATE_OUTLIER, Signal.RATE_OUTLIER in given, 1
        yield "units_per_second", length, row.audio_seconds
    if row.decode_ms > 0:
        # What an older tool recorded has no decoding time and no failures either.
        yield "errors", 0, 1
        if row.audio_seconds > 0:
            yield "rtf", row.decode_ms / 1000, row.audio_seconds
    yield from _flips(row)
    if row.corrected_text is not None:
        characters = normalised_errors(row.corrected_text, row.text, normaliser)
        yield "cer", characters.errors, characters.reference
        yield "numerals", (numbers := numeral_errors(row.corrected_text, row.text)).errors, numbers.reference


def _flips(row: Row) -> Iterator[_Measured]:
    if expected := expects(row.language):
        yield Signal.LANGUAGE_FLIP, flips(row.text, expected), 1
    elif not row.language or row.language.strip().lower() in ("", "auto"):
        shares = scripts(row.text)
        for language, name in _ASSUMED.items():
            yield name, shares.get(language, 1.0) < 0.5, 1


class _Version:
    """One version: all of its rows, and those that a bucket assigned to it and that it answered at once."""

    def __init__(self, name: str):
        self.name = name
        self.all, self.assigned = _Arm(), _Arm()
        self.rules: Counter[str] = Counter()

    def add(self, row: Row, measured: list[_Measured]) -> None:
        self.rules[row.rule or "unknown"] += 1
        self.all.add(row, measured)
        # A later attempt was meant for the other version.
        if row.rule in COMPARED and row.attempt == 1:
            self.assigned.add(row, measured)


def _zeros() -> "array[float]":
    return array("d", bytes(8 * CLUSTERS))


class _Arm:
    """Sums over rows, by cluster."""

    def __init__(self) -> None:
        self.rows = self.failed = self.without_user = self.without_length = self.corrected = 0
        self.audio_seconds = 0.0
        self._users: dict[str, int] = {}
        self._texts: set[str] = set()
        self._sums = {name: (_zeros(), _zeros()) for name in _RATIOS}
        self._ms = np.zeros((CLUSTERS, len(EDGES_MS)), dtype=np.int64)

    @property
    def users(self) -> int:
        return len(self._users)

    def add(self, row: Row, measured: list[_Measured]) -> None:
        cluster = self._cluster(row.user)
        repeated = row.corrected_text is not None and not row.failed and self._again(row.audio_sha256)
        for name, amount, size in measured:
            if repeated and name in _TEXTS:
                continue
            amounts, sizes = self._sums[name]
            amounts[cluster] += amount
            sizes[cluster] += size
        if row.failed:
            self.failed += 1
            return
        self.rows += 1
        self.audio_seconds += row.audio_seconds
        self.without_length += row.audio_seconds <= 0
        if row.decode_ms > 0:
            self._ms[cluster, edge_index(row.decode_ms)] += 1

    def _cluster(self, user: str | None) -> int:
        new = (len(self._users) + self.without_user) % CLUSTERS
        if user is None:
            self.without_user += 1
            return new
        return self._users.setdefault(user, new)

    def _again(self, digest: str) -> bool:
        """Whether this corrected audio has counted: as in a release's evidence, one that is sent often counts once."""
        if digest in self._texts:
            return True
        if digest:
            self._texts.add(digest)
        self.corrected += 1
        return False

    def sums(self, name: str, expected: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Amounts and sizes of a ratio, both of shape (CLUSTERS,).

        Flips count rows that told no language as if they had told the expected one.
        """
        amounts, sizes = (np.frombuffer(sums) for sums in self._sums[name])
        if name == Signal.LANGUAGE_FLIP and expected is not None:
            more, of_more = self.sums(_ASSUMED[expected])
            return amounts + more, sizes + of_more
        return amounts, sizes

    def histograms(self) -> NDArray[np.int64]:
        """Of decoding times, shape (clusters that have any, cells)."""
        return self._ms[self._ms.any(axis=1)]

    def quantile_ms(self, q: float) -> float | None:
        """The middle of the cell that holds the quantile of the decoding time."""
        counts = self._ms.sum(axis=0)
        return EDGES_MS[quantile_cell(counts, q)] * sqrt(EDGES_MS[1] / EDGES_MS[0]) if counts.any() else None

    def rate(self, name: str, expected: str | None = None) -> float | None:
        amounts, sizes = (float(sums.sum()) for sums in self.sums(name, expected))
        return amounts / sizes if sizes else None


# ------------------------------------------------------------------ comparing


class _Method(Protocol):
    """What the rows can prove about a difference, or a ratio."""

    def worse(self, margin: float, level: float) -> bool: ...

    def within(self, margin: float, level: float) -> bool: ...

    def interval(self, level: float) -> tuple[float | None, float | None]: ...


@dataclass(frozen=True, slots=True)
class _Growth:
    """The ratio of two positive rates, by the difference of their logarithms (delta method: Wolter 2007, 6.2)."""

    logarithms: MeanDifference

    def worse(self, margin: float, level: float) -> bool:
        return self.logarithms.worse(log(margin), level)

    def within(self, margin: float, level: float) -> bool:
        return self.logarithms.within(log(margin), level)

    def interval(self, level: float) -> tuple[float, float]:
        low, high = self.logarithms.interval(level)
        return exp(low), exp(high)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A measure that both versions have. Without a `method` (fewer than two clusters) nothing can be proven."""

    kind: Literal["difference", "ratio"]
    baseline: float
    candidate: float
    method: _Method | None
    guard: Guard | None

    def to_json(self, judged: int) -> dict[str, Any]:
        """With the interval that it has as one of so many judged measures."""
        level = (1 - CONFIDENCE) / (judged if self.guard else 1)
        low, high = self.method.interval(level) if self.method else (None, None)
        change = self.candidate - self.baseline if self.kind == "difference" else self.candidate / self.baseline
        return {
            "baseline": _rounded(self.baseline),
            "candidate": _rounded(self.candidate),
            self.kind: _rounded(change),
            "low": _rounded(low),
            "high": _rounded(high),
            "confidence": _rounded(1 - level),
            "fail_above": self.guard.fail_above if self.guard else None,
            "at_most": self.guard.at_most if self.guard else None,
            "verdict": self._verdict(self.guard, level) if self.guard else None,
        }

    def _verdict(self, guard: Guard, level: float) -> str:
        if self.method is None:
            return "undecided"
        if self.method.worse(guard.fail_above, level / 2):
            return "worse"
        # Stricter than the interval's end: it supposes the spread of a candidate that is as bad as that.
        kept = guard.at_most is not None and self.method.within(guard.at_most, level / 2)
        return "not_worse" if kept else "undecided"


def document(counted: Tally, rules: Rules, since: float, until: float) -> dict[str, Any]:
    """Compares the two versions of a tally, both of which must have rows. Times are epoch seconds.

    Compared are rows that a bucket assigned, where both versions have such rows; else all, which a remark says.
    `verdict` is worse if any measure is, not_worse if all that have an `at_most` and could be measured are. A
    measure that could not be measured is null. `rows` are those answered; `rules` counts all rows by audience rule.
    """
    basis = _basis(counted)
    found = _findings(basis, rules)
    judged = sum(finding is not None and finding.guard is not None for finding in found.values())
    measures = {name: finding.to_json(judged) if finding else None for name, finding in found.items()}
    versions = zip(counted.arms.values(), basis.arms, strict=True)
    return {
        "versions": {version.name: _summary(version, arm, basis.expected) for version, arm in versions},
        "measures": measures,
        "verdict": overall(measures.values()),
        "since": since,
        "until": until,
        "normaliser": counted.normaliser.name,
        "compared": "assigned" if basis.assigned else "all",
        "unmatched": counted.unmatched,
        "remarks": list(_remarks(counted.unmatched, basis, found, judged)),
    }


@dataclass(frozen=True, slots=True)
class _Basis:
    """Which rows of baseline and candidate are compared, and the language of rows that tell none."""

    arms: tuple[_Arm, _Arm]
    assigned: bool
    expected: str | None


def _basis(counted: Tally) -> _Basis:
    baseline, candidate = counted.arms.values()
    assigned = all(version.assigned.rows or version.assigned.failed for version in (baseline, candidate))
    arms = (baseline.assigned, candidate.assigned) if assigned else (baseline.all, candidate.all)
    return _Basis(arms, assigned, _majority(arms))


def _majority(arms: tuple[_Arm, _Arm]) -> str | None:
    """The language that most texts are in where rows tell none; each version has the same weight."""
    zh, en = (sum(arm.rate(name) or 0.0 for arm in arms) for name in _ASSUMED.values())
    if zh == en > 0:
        return None
    return "zh" if zh <= en else "en"


def _findings(basis: _Basis, rules: Rules) -> dict[str, _Finding | None]:
    arms = basis.arms
    found: dict[str, _Finding | None] = {}
    for name in ("errors", *_TEXTS):
        found[name] = _rate(arms, name, rules.guard(name))
    for signal in Signal:
        found[signal.value] = _rate(arms, signal, _LIMITS[signal], basis.expected)
    guard = rules.guard("latency")
    quantile = guard.quantile if guard and guard.quantile else _JUDGED_QUANTILE
    found[_name(_SHOWN_QUANTILE)] = _quantile(arms, _SHOWN_QUANTILE, None)
    found[_name(quantile)] = _quantile(arms, quantile, guard)
    found["rtf"] = _growth(arms, "rtf", guard)
    for name in _LENGTHS:
        found[name] = _growth(arms, name, None)
    return found


def _rate(arms: tuple[_Arm, _Arm], name: str, guard: Guard | None, expected: str | None = None) -> _Finding | None:
    ours, theirs = (arm.rate(name, expected) for arm in arms)
    if ours is None or theirs is None:
        return None
    stable, candidate = (ratio(*arm.sums(name, expected)) for arm in arms)
    return _Finding("difference", ours, theirs, difference(candidate, stable), guard)


def _growth(arms: tuple[_Arm, _Arm], name: str, guard: Guard | None) -> _Finding | None:
    ours, theirs = (arm.rate(name) for arm in arms)
    if not ours or theirs is None:
        return None
    stable, candidate = (_logarithm(ratio(*arm.sums(name))) for arm in arms)
    # Clusters that are all alike, as when one file is sent again and again, tell no spread.
    known = stable and candidate and (stable.variance or candidate.variance)
    compared = difference(candidate, stable) if known else None
    # That spread grows with the rate holds of counts, not of logarithms.
    method = _Growth(replace(compared, dispersion=0.0)) if compared else None
    return _Finding("ratio", ours, theirs, method, guard)


def _logarithm(rate: Ratio | None) -> Ratio | None:
    if rate is None or rate.value <= 0:
        return None
    return replace(rate, value=log(rate.value), variance=rate.variance / rate.value**2)


def _quantile(arms: tuple[_Arm, _Arm], q: float, guard: Guard | None) -> _Finding | None:
    ours, theirs = (arm.quantile_ms(q) for arm in arms)
    if ours is None or theirs is None:
        return None
    stable, candidate = (arm.histograms() for arm in arms)
    slowness = Slowness(((candidate, stable),), EDGES_MS, q) if min(len(stable), len(candidate)) > 1 else None
    return _Finding("ratio", ours, theirs, slowness, guard)


def _name(q: float) -> str:
    return f"decode_ms_p{100 * q:g}"


# ------------------------------------------------------------------ one version, and what is to be said


def _summary(version: _Version, arm: _Arm, expected: str | None) -> dict[str, Any]:
    return {
        "name": version.name,
        "rows": arm.rows,
        "failed": arm.failed,
        "audio_seconds": round(arm.audio_seconds, 3),
        "users": arm.users,
        "without_user": arm.without_user,
        "without_audio_length": arm.without_length,
        "rules": dict(sorted(version.rules.items())),
        **{name: _rounded(arm.rate(name)) for name in ("rtf", *_LENGTHS)},
        "decode_ms": {f"p{100 * q:g}": _rounded(arm.quantile_ms(q)) for q in (_SHOWN_QUANTILE, _JUDGED_QUANTILE)},
        "health": {signal.value: _rounded(arm.rate(signal, expected)) for signal in Signal},
        "corrected": arm.corrected,
        **{name: _errors(arm, name) for name in _TEXTS},
    }


def _errors(arm: _Arm, name: str) -> dict[str, int | float]:
    wrong, reference = (int(sums.sum()) for sums in arm.sums(name))
    return ErrorCounts(wrong, reference).to_json()


def _remarks(unmatched: int, basis: _Basis, found: dict[str, _Finding | None], judged: int) -> Iterator[str]:
    if not basis.assigned:
        yield (
            "not both versions have rows that a bucket assigned (rules share, rest): all rows are compared, "
            "and differences may be those of the users"
        )
    if unmatched:
        yield f"{unmatched} rows are left out: their file names do not match the pattern"
    if alone := sum(arm.without_user for arm in basis.arms):
        yield f"{alone} rows name no user: each counts as a user of its own, which makes intervals too narrow"
    if any(arm.rate(name) is not None for arm in basis.arms for name in _ASSUMED.values()):
        yield (
            f"rows that tell no language are expected in {basis.expected}, as most of their texts are"
            if basis.expected
            else "what language is expected cannot be told: as many texts are in one as in the other"
        )
    if found[Signal.TEXT_ON_SILENCE] is None:
        yield "text on silence is not measured: not both versions have rows in which speech was looked for"
    if found["cer"] is None:
        yield "CER and numerals are not measured: not both versions have corrected texts"
    if judged:
        yield (
            f"{judged} measures are judged, each at {1 - (1 - CONFIDENCE) / judged:.2%} confidence, "
            f"so that together they are wrong as seldom as one at {CONFIDENCE:.0%}"
        )


def _rounded(value: float | None) -> float | None:
    """To six decimals, and to ten digits: of a huge ratio, which is an exponential, no more are known."""
    return None if value is None else float(f"{round(value, 6):.10g}")
