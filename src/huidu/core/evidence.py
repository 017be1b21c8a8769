"""Evidence: an ordered sequence of small rows that add up, from which every verdict can be derived again.

Rows are of five kinds: `second` (counts of one second of one stage), `bad` (one failed request), `text` (one
audio with a reference), `golden` (one utterance of the golden set on both versions), `crash`. A row's key makes
recording it twice impossible; a text's key is version and audio, so one audio counts once per version and release.

Users are spread over `GROUPS` random groups by their keyed hash. Sums by group give standard errors that
hold although requests of one user are alike (random groups: Wolter 2007, Introduction to Variance Estimation, 2.2).
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from huidu.core.audience import COMPARED
from huidu.core.plan import Share
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors
from huidu.core.text.score import normalised_errors

GROUPS = 20
_NORMALISER = Normaliser()
ARRIVING_SECONDS = 60
CLIENT_LEFT = frozenset({0, 499})  # what gateways log when the client went away before its answer

# Lower edges of the latency histogram in ms: 5 % apart from 1 ms to over 10 minutes.
EDGES_MS: tuple[float, ...] = tuple(round(1.05**step, 4) for step in range(274))


def edge_index(latency_ms: float) -> int:
    """The index of the histogram cell that holds a latency; cell i is [EDGES_MS[i], EDGES_MS[i+1])."""
    return max(0, bisect_right(EDGES_MS, latency_ms) - 1)


def group_of(unit: str) -> int:
    """The random group 0..GROUPS-1 of a unit (16 hex digits)."""
    return int(unit, 16) % GROUPS


class Kind(StrEnum):
    SECOND = "second"
    BAD = "bad"
    TEXT = "text"
    GOLDEN = "golden"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of evidence. `stage` is the stage's name, `time` epoch seconds, `payload` plain JSON."""

    stage: str
    kind: Kind
    key: str
    time: float
    payload: dict[str, Any]


class Observation(NamedTuple):
    """One request as the gateway saw it. `version` is the one chosen, whoever served it in the end."""

    time: float
    request_id: str
    release: int | None
    version: str
    served_by: str | None
    generation: int
    rule: str
    unit: str
    share_bp: int
    attempts: int
    status: int
    ms: float
    audio_seconds: float | None = None

    @property
    def fell_back(self) -> bool:
        """Whether another version than the chosen one had to answer, or be asked."""
        return self.attempts > 1 or self.served_by not in (None, self.version)

    def bad(self, limit_ms: float) -> bool:
        """Failed, or failed on the chosen version and was served by the stable one instead.

        A client that went away tells nothing against a version, unless it had waited longer than `limit_ms`.
        """
        if self.status in CLIENT_LEFT:
            return self.fell_back or self.ms > limit_ms
        return self.fell_back or self.status >= 500

    @property
    def status_class(self) -> str:
        return "left" if self.status in CLIENT_LEFT else f"{self.status // 100}xx"


# ------------------------------------------------------------------ rows


@dataclass(slots=True)
class _Tally:
    """Counts of one version in one second while they are being made."""

    requests: int = 0
    bad: int = 0
    audio_ms: int = 0
    new_units: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    groups: defaultdict[int, "_Group"] = field(default_factory=lambda: defaultdict(_Group))

    def add(self, observation: Observation, bad: bool) -> None:
        self.requests += 1
        self.bad += bad
        self.audio_ms += round((observation.audio_seconds or 0.0) * 1000)
        self.statuses[observation.status_class] += 1
        group = self.groups[group_of(observation.unit)]
        group.requests += 1
        group.bad += bad
        # What failed has no latency: it counts as longer than any, so that failing never looks fast.
        group.ms[len(EDGES_MS) - 1 if bad else edge_index(observation.ms)] += 1

    def payload(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "bad": self.bad,
            "audio_ms": self.audio_ms,
            "new_units": sorted(self.new_units),
            "statuses": dict(sorted(self.statuses.items())),
            "rules": dict(sorted(self.rules.items())),
            "groups": {str(number): group.payload() for number, group in sorted(self.groups.items())},
        }


@dataclass(slots=True)
class _Group:
    requests: int = 0
    bad: int = 0
    ms: Counter[int] = field(default_factory=Counter)

    def payload(self) -> dict[str, Any]:
        cells = {str(cell): count for cell, count in sorted(self.ms.items())}
        return {"requests": self.requests, "bad": self.bad, "ms": cells}


def blocks(
    observations: Iterable[Observation],
    known: Mapping[str, "Sums"],
    release: int,
    limit_ms: float,
    part: str = "",
) -> list[Row]:
    """One `second` row per stage and second of the observations' start, and one `bad` row per bad compared request.

    Counted are requests of this release, each in the stage of its own share: a slow one that began before the
    stage changed goes to the stage that it began in, or the slowest would be lost. Compared are those that a
    bucket assigned; all others are only counted by rule. `known` are the sums so far by stage: a unit is new once
    in a stage. A second can come in several parts, since a line is written when its request ends: `part` (how far
    the log is read) makes the key of each unique.
    """
    tallies: defaultdict[tuple[int, int], defaultdict[str, _Tally]] = defaultdict(lambda: defaultdict(_Tally))
    new_units: dict[tuple[int, str], _NewUnits] = {}
    rows: list[Row] = []
    for observation in observations:
        if observation.release != release:
            continue
        share_bp, version = observation.share_bp, observation.version
        tally = tallies[share_bp, int(observation.time)][version]
        tally.rules[observation.rule] += 1
        if observation.rule not in COMPARED:
            continue
        bad = observation.bad(limit_ms)
        tally.add(observation, bad)
        if bad:
            rows.append(_bad_row(_stage(share_bp), observation))
        new = new_units.get((share_bp, version))
        if new is None:
            new = new_units[share_bp, version] = _NewUnits(known.get(_stage(share_bp), Sums()).of(version).units)
        if new.add(observation.unit):
            tally.new_units.append(observation.unit)
    for (share_bp, second), versions in sorted(tallies.items()):
        payload = {name: tally.payload() for name, tally in sorted(versions.items())}
        key = ":".join(filter(None, (str(second), part, _stage(share_bp))))
        rows.append(Row(_stage(share_bp), Kind.SECOND, key, float(second), payload))
    return rows


@dataclass(slots=True)
class _NewUnits:
    """The units of one version in one stage that were not known before."""

    known: frozenset[str]
    found: set[str] = field(default_factory=set)

    def add(self, unit: str) -> bool:
        """Whether the unit is new now."""
        if unit in self.found or unit in self.known:
            return False
        self.found.add(unit)
        return True


@cache
def _stage(share_bp: int) -> str:
    """The name of the stage in which this share of the users meets the candidate."""
    return Share(share_bp, 0.0).name


def _bad_row(stage: str, observation: Observation) -> Row:
    payload = {
        "version": observation.version,
        "unit": observation.unit,
        "request_id": observation.request_id,
        "status": observation.status,
        "attempts": observation.attempts,
        "ms": observation.ms,
    }
    return Row(stage, Kind.BAD, observation.request_id, observation.time, payload)


def text_row(stage: str, version: str, unit: str, audio_key: str, reference: str, hypothesis: str, time: float) -> Row:
    """One recognised audio against its reference. One audio counts once per version and release."""
    characters, numbers = normalised_errors(reference, hypothesis, _NORMALISER), numeral_errors(reference, hypothesis)
    payload = {
        "version": version,
        "unit": unit,
        "group": group_of(unit),
        "characters": characters.reference,
        "errors": characters.errors,
        "numbers": numbers.reference,
        "numbers_wrong": numbers.errors,
    }
    return Row(stage, Kind.TEXT, f"{version}:{audio_key}", time, payload)


def golden_row(utterance: str, speaker: str, reference: str, stable_text: str, candidate_text: str, time: float) -> Row:
    """One utterance of the golden set as both versions recognised it."""

    def wrong(hypothesis: str) -> dict[str, int]:
        numbers = numeral_errors(reference, hypothesis)
        return {"errors": normalised_errors(reference, hypothesis, _NORMALISER).errors, "numbers_wrong": numbers.errors}

    payload = {
        "utterance": utterance,
        "speaker": speaker,
        "characters": normalised_errors(reference, reference, _NORMALISER).reference,
        "numbers": numeral_errors(reference, reference).reference,
        "stable": wrong(stable_text),
        "candidate": wrong(candidate_text),
    }
    return Row("golden", Kind.GOLDEN, utterance, time, payload)


def crash_row(stage: str, version: str, key: str, time: float) -> Row:
    """A process of a version that ended without being asked to; `key` names that one end (process id and start)."""
    return Row(stage, Kind.CRASH, key, time, {"version": version})


# ------------------------------------------------------------------ sums


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """The counts of one text with a reference; texts sort by time."""

    time: float
    key: str
    unit: str
    group: int
    characters: int
    errors: int
    numbers: int
    numbers_wrong: int


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(GROUPS, dtype=np.int64)


def _no_histograms() -> NDArray[np.int64]:
    return np.zeros((GROUPS, len(EDGES_MS)), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class VersionSums:
    """What one version did in one stage.

    `group_requests` and `group_bad` have shape (GROUPS,), `group_ms` (latency histograms) (GROUPS, cells).
    Equal when all counts are and the texts are the same, in whatever order they came.
    """

    requests: int = 0
    bad: int = 0
    audio_ms: int = 0
    units: frozenset[str] = frozenset()
    bad_units: frozenset[str] = frozenset()
    group_requests: NDArray[np.int64] = field(default_factory=_no_counts)
    group_bad: NDArray[np.int64] = field(default_factory=_no_counts)
    group_ms: NDArray[np.int64] = field(default_factory=_no_histograms)
    texts: tuple[Text, ...] = ()
    crashes: int = 0

    def __add__(self, other: "VersionSums") -> "VersionSums":
        return VersionSums(
            self.requests + other.requests,
            self.bad + other.bad,
            self.audio_ms + other.audio_ms,
            self.units | other.units,
            self.bad_units | other.bad_units,
            self.group_requests + other.group_requests,
            self.group_bad + other.group_bad,
            self.group_ms + other.group_ms,
            self.texts + other.texts,
            self.crashes + other.crashes,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionSums):
            return NotImplemented
        mine = (self.requests, self.bad, self.audio_ms, self.units, self.bad_units, self.crashes, sorted(self.texts))
        its = (other.requests, other.bad, other.audio_ms, other.units, other.bad_units, other.crashes)
        return (
            mine == (*its, sorted(other.texts))
            and np.array_equal(self.group_requests, other.group_requests)
            and np.array_equal(self.group_bad, other.group_bad)
            and np.array_equal(self.group_ms, other.group_ms)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Sums:
    """Evidence of one stage by version. Sums of parts add up to the sums of the whole.

    `arriving` are the units that were new in each of the last `ARRIVING_SECONDS` before the newest, by second and
    version.
    """

    versions: Mapping[str, VersionSums] = field(default_factory=dict)
    arriving: Mapping[tuple[int, str], int] = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        names = sorted({*self.versions, *other.versions})
        arriving = dict(self.arriving)
        for key, count in other.arriving.items():
            arriving[key] = arriving.get(key, 0) + count
        return Sums({name: self.of(name) + other.of(name) for name in names}, _last(arriving))

    def of(self, version: str) -> VersionSums:
        """The sums of a version; empty ones when it did nothing."""
        return self.versions.get(version) or VersionSums()

    def settled_units(self, version: str, seconds: float) -> int:
        """The units of a version without those that came in the last `seconds`, up to `ARRIVING_SECONDS`.

        Requests that began then may still be under way, and on a slower version more of them.
        """
        newest = max((second for second, _ in self.arriving), default=0)
        fresh = (
            count for (second, name), count in self.arriving.items() if name == version and second > newest - seconds
        )
        # Older rows may list a unit twice.
        return max(0, len(self.of(version).units) - sum(fresh))


def _last(arriving: Mapping[tuple[int, str], int]) -> dict[tuple[int, str], int]:
    newest = max((second for second, _ in arriving), default=0)
    return {key: count for key, count in arriving.items() if key[0] > newest - ARRIVING_SECONDS}


def fold(rows: Iterable[Row], stage: str | None = None) -> Sums:
    """The sums of the rows of one stage, or of all rows. Golden rows are judged one by one and are left out.

    Rows must be distinct (the store sees to that by their keys); their order does not matter.
    """
    folding: defaultdict[str, _Folding] = defaultdict(_Folding)
    arriving: Counter[tuple[int, str]] = Counter()
    for row in rows:
        if stage is not None and row.stage != stage:
            continue
        if row.kind is Kind.SECOND:
            for version, counts in row.payload.items():
                folding[version].add_second(counts)
                arriving[int(row.time), version] += len(counts["new_units"])
        elif row.kind is Kind.BAD:
            folding[row.payload["version"]].bad_units.add(row.payload["unit"])
        elif row.kind is Kind.TEXT:
            folding[row.payload["version"]].add_text(row)
        elif row.kind is Kind.CRASH:
            folding[row.payload["version"]].crashes += 1
    return Sums({version: folding[version].sums() for version in sorted(folding)}, _last(arriving))


@dataclass(slots=True)
class _Folding:
    """The sums of a version while they are being made."""

    requests: int = 0
    bad: int = 0
    audio_ms: int = 0
    units: set[str] = field(default_factory=set)
    bad_units: set[str] = field(default_factory=set)
    group_requests: NDArray[np.int64] = field(default_factory=_no_counts)
    group_bad: NDArray[np.int64] = field(default_factory=_no_counts)
    group_ms: NDArray[np.int64] = field(default_factory=_no_histograms)
    texts: list[Text] = field(default_factory=list)
    crashes: int = 0

    def add_second(self, counts: Mapping[str, Any]) -> None:
        self.requests += counts["requests"]
        self.bad += counts["bad"]
        self.audio_ms += counts["audio_ms"]
        self.units.update(counts["new_units"])
        for number, group in counts["groups"].items():
            self.group_requests[int(number)] += group["requests"]
            self.group_bad[int(number)] += group["bad"]
            for cell, count in group["ms"].items():
                self.group_ms[int(number), int(cell)] += count

    def add_text(self, row: Row) -> None:
        counts = {name: value for name, value in row.payload.items() if name != "version"}
        self.texts.append(Text(row.time, row.key, **counts))

    def sums(self) -> VersionSums:
        return VersionSums(
            self.requests,
            self.bad,
            self.audio_ms,
            frozenset(self.units),
            frozenset(self.bad_units),
            self.group_requests,
            self.group_bad,
            self.group_ms,
            tuple(self.texts),
            self.crashes,
        )
