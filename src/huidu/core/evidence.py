"""Evidence: an ordered sequence of small rows that add up, from which every verdict can be derived again.

Rows are of five kinds: `second` (counts of one second of one stage), `bad` (one failed recognition), `text` (one
audio with a reference), `golden` (one utterance of the golden set on both versions), `crash`. A row's key makes
recording it twice impossible; a text's key is version and audio, so one audio counts once per version and release.

Rows hold units and peers as 16 hex digits, and beside them the id of the key that made them (`units.py`; none for an
earlier Huidu's). In sums they bear it: users and clients of before and after an upgrade are never taken for one, and
are counted so that nobody counts twice (`distinct`).

Users are spread over `GROUPS` random groups by their keyed hash. Sums by group give standard errors that
hold although requests of one user are alike (random groups: Wolter 2007, Introduction to Variance Estimation, 2.2).
What users did not get is kept by peer (client address) and user, so that no one peer can decide a verdict.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from huidu.core.observation import OLD_BAND, Failure, Sample
from huidu.core.text.normalise import Normaliser
from huidu.core.text.numerals import numeral_errors
from huidu.core.text.score import normalised_errors
from huidu.core.units import distinct, hash_of, keyed

GROUPS = 20
_NORMALISER = Normaliser()
# For so long it is remembered in which second users were new: the latest are left out of the split check.
ARRIVING_SECONDS = 60
# Peers whose recognitions are counted by name, in a stage and version; those beyond count as never seen.
KEPT_PEERS = 65_536

# Lower edges of the latency histogram in ms: 5 % apart from 1 ms to over 2 hours.
EDGES_MS: tuple[float, ...] = tuple(round(1.05**step, 4) for step in range(325))
# The cell in which earlier versions put what had failed, as if it were slower than anything.
_OLD_FAILED_CELL = 273


def edge_index(latency_ms: float) -> int:
    """The index of the histogram cell that holds a latency; cell i is [EDGES_MS[i], EDGES_MS[i+1])."""
    return max(0, bisect_right(EDGES_MS, latency_ms) - 1)


def group_of(unit: str) -> int:
    """The random group 0..GROUPS-1 of a unit (16 hex digits, with or without the id of its key)."""
    return int(hash_of(unit), 16) % GROUPS


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


# ------------------------------------------------------------------ rows


@dataclass(slots=True)
class _Tally:
    """Counts of one version in one second while they are being made."""

    requests: int = 0
    bad: int = 0
    answered: int = 0
    sockets: int = 0
    audio_ms: int = 0
    key_id: str | None = None
    new_units: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    peers: Counter[str] = field(default_factory=Counter)
    marks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    groups: defaultdict[int, "_Group"] = field(default_factory=lambda: defaultdict(_Group))

    def add(self, sample: Sample) -> None:
        group = self.groups[group_of(sample.unit)]
        if sample.counts:
            self.requests += 1
            self.statuses[sample.status_class] += 1
            group.requests += 1
            self.sockets += sample.socket
            if sample.peer is not None:
                self.peers[sample.peer] += 1
        self.audio_ms += sample.audio_ms
        self.answered += sample.answered
        if sample.failure is Failure.BAD:
            self.bad += 1
        elif sample.failure is not None:
            self.marks[sample.failure.value, sample.peer or "", sample.unit] += 1
        if sample.latency_ms is not None and sample.counts:
            for band in sample.bands:
                group.ms[band][edge_index(sample.latency_ms)] += 1

    def payload(self) -> dict[str, Any]:
        key = {} if self.key_id is None else {"key_id": self.key_id}
        return key | {
            "requests": self.requests,
            "bad": self.bad,
            "answered": self.answered,
            "sockets": self.sockets,
            "audio_ms": self.audio_ms,
            "new_units": sorted(self.new_units),
            "statuses": dict(sorted(self.statuses.items())),
            "rules": dict(sorted(self.rules.items())),
            "peers": dict(sorted(self.peers.items())),
            "marks": [[*mark, count] for mark, count in sorted(self.marks.items())],
            "groups": {str(number): group.payload() for number, group in sorted(self.groups.items())},
        }


@dataclass(slots=True)
class _Group:
    requests: int = 0
    ms: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def payload(self) -> dict[str, Any]:
        bands = {
            band: {str(cell): count for cell, count in sorted(cells.items())} for band, cells in sorted(self.ms.items())
        }
        return {"requests": self.requests, "bands": bands}


def blocks(seen: Iterable[Sample], known: Mapping[str, "Sums"], release: int, part: str = "") -> list[Row]:
    """One `second` row per stage and second of the samples' start, and one `bad` row per failure of a compared one.

    Counted are samples of this release, each in the stage of its own share: a slow one that began before the
    stage changed goes to the stage that it began in, or the slowest would be lost. Compared are those that a
    bucket assigned; all others are only counted by rule. `known` are the sums so far by stage: a unit is new once
    in a stage. A second can come in several parts, since a line is written when its request ends: `part` (how far
    log and reports were read before) makes the key of each unique, whoever reads; so does the id of its units' key.
    """
    tallies: defaultdict[tuple[str, int, str], dict[str, _Tally]] = defaultdict(dict)
    new_units: dict[tuple[str, str], _NewUnits] = {}
    rows: list[Row] = []
    for sample in _failed_once(sample for sample in seen if sample.release == release):
        # How much audio a socket carried is known at its end; that it ended well is nothing to count.
        if not (sample.counts or sample.failure or sample.audio_ms):
            continue
        stage, version = sample.stage, sample.version
        versions = tallies[stage, int(sample.time), sample.key_id or ""]
        tally = versions.get(version) or versions.setdefault(version, _Tally(key_id=sample.key_id))
        if sample.counts:
            tally.rules[sample.rule] += 1
        if not sample.compared:
            continue
        tally.add(sample)
        if sample.failure is Failure.BAD:
            rows.append(_bad_row(sample))
        new = new_units.get((stage, version))
        if new is None:
            new = new_units[stage, version] = _NewUnits(known.get(stage, Sums()).of(version).units)
        if new.add(sample.user):
            tally.new_units.append(sample.unit)
    for (stage, second, key_id), versions in sorted(tallies.items(), key=itemgetter(0)):
        payload = {name: tally.payload() for name, tally in sorted(versions.items())}
        key = ":".join(filter(None, (str(second), part, stage, key_id)))
        rows.append(Row(stage, Kind.SECOND, key, float(second), payload))
    return rows


def _failed_once(seen: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, of which several may say of one socket that it is bad: it failed once."""
    failed: set[str] = set()
    for sample in seen:
        if sample.failure is Failure.BAD and sample.request_id in failed:
            if not sample.counts:
                continue
            sample = replace(sample, failure=None, reason=None)
        elif sample.failure is Failure.BAD:
            failed.add(sample.request_id)
        yield sample


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


def _bad_row(sample: Sample) -> Row:
    payload = {
        "version": sample.version,
        "unit": sample.unit,
        "peer": sample.peer,
        "request_id": sample.request_id,
        "status": sample.status,
        "attempts": sample.attempts,
        "ms": sample.ms,
        "reason": sample.reason,
    } | ({} if sample.key_id is None else {"key_id": sample.key_id})
    return Row(sample.stage, Kind.BAD, sample.request_id, sample.time, payload)


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


_TEXT_COUNTS = frozenset(each.name for each in fields(Text)) - {"time", "key"}


def _no_counts() -> NDArray[np.int64]:
    return np.zeros(GROUPS, dtype=np.int64)


# A peer (client address; empty where it is not known) and a user of it.
Client = tuple[str, str]
Histograms = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class VersionSums:
    """What one version did in one stage.

    `group_requests` has shape (GROUPS,); `latency` holds, by band of length, histograms of shape (GROUPS, cells).
    `answered` counts answers whose text's length is known, `sockets` the requests that were sockets. `peers` counts
    recognitions by client address, and `failures` what users did not get, by peer and user. Equal when all counts
    are and the texts are the same, in whatever order they came.
    """

    requests: int = 0
    bad: int = 0
    answered: int = 0
    sockets: int = 0
    audio_ms: int = 0
    units: frozenset[str] = frozenset()
    group_requests: NDArray[np.int64] = field(default_factory=_no_counts)
    latency: Histograms = field(default_factory=dict)
    peers: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[Failure, Mapping[Client, int]] = field(default_factory=dict)
    texts: tuple[Text, ...] = ()
    crashes: int = 0

    @property
    def users(self) -> int:
        """How many different users there are for certain."""
        return distinct(self.units)

    def __add__(self, other: "VersionSums") -> "VersionSums":
        return VersionSums(
            self.requests + other.requests,
            self.bad + other.bad,
            self.answered + other.answered,
            self.sockets + other.sockets,
            self.audio_ms + other.audio_ms,
            self.units | other.units if other.units else self.units,
            self.group_requests + other.group_requests,
            _added_histograms(self.latency, other.latency),
            _added_peers(self.peers, other.peers),
            _added_failures(self.failures, other.failures),
            self.texts + other.texts,
            self.crashes + other.crashes,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionSums):
            return NotImplemented
        return self._plain() == other._plain() and np.array_equal(self.group_requests, other.group_requests)

    def _plain(self) -> tuple[Any, ...]:
        latency = {band: counts.tolist() for band, counts in self.latency.items()}
        counts = (self.requests, self.bad, self.answered, self.sockets, self.audio_ms, self.units, self.crashes)
        return (*counts, latency, dict(self.peers), dict(self.failures), sorted(self.texts))

    __hash__ = None  # type: ignore[assignment]


def _added_histograms(one: Histograms, other: Histograms) -> Histograms:
    if not other:
        return one
    added = dict(one)
    for band, counts in other.items():
        added[band] = added[band] + counts if band in added else counts
    return added


def _added_peers(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    if not other:
        return one
    added = dict(one)
    _add_peers(added, other)
    return added


def _add_peers(counted: dict[str, int], more: Mapping[str, int]) -> None:
    """Adds counts of peers, those that come first: the same ones, however rows are parted before they are added up."""
    for peer, count in more.items():
        if peer in counted or len(counted) < KEPT_PEERS:
            counted[peer] = counted.get(peer, 0) + count


def _added_failures(
    one: Mapping[Failure, Mapping[Client, int]], other: Mapping[Failure, Mapping[Client, int]]
) -> Mapping[Failure, Mapping[Client, int]]:
    if not other:
        return one
    return {**one, **{kind: Counter(one.get(kind, {})) + Counter(counts) for kind, counts in other.items()}}


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
        return max(0, self.of(version).users - sum(fresh))


def _last(arriving: Mapping[tuple[int, str], int]) -> dict[tuple[int, str], int]:
    newest = max((second for second, _ in arriving), default=0)
    return {key: count for key, count in arriving.items() if key[0] > newest - ARRIVING_SECONDS}


def fold(rows: Iterable[Row], stage: str | None = None) -> Sums:
    """The sums of the rows of one stage, or of all rows. Golden rows are judged one by one and are left out.

    Rows must be distinct (the store sees to that by their keys). Their order matters only to which peers are kept.
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
            # None where only the key was kept: what failed is counted elsewhere then.
            bad = row.payload
            if count := bad.get("count", 1):
                who = (bad.get("peer"), bad["unit"], count, bad.get("key_id"))
                folding[bad["version"]].add_failure(Failure.BAD, *who)
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
    answered: int = 0
    sockets: int = 0
    audio_ms: int = 0
    units: set[str] = field(default_factory=set)
    group_requests: NDArray[np.int64] = field(default_factory=_no_counts)
    latency: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    peers: dict[str, int] = field(default_factory=dict)
    failures: defaultdict[Failure, Counter[Client]] = field(default_factory=lambda: defaultdict(Counter))
    texts: list[Text] = field(default_factory=list)
    crashes: int = 0

    def add_second(self, counts: Mapping[str, Any]) -> None:
        self.requests += counts["requests"]
        self.bad += counts["bad"]
        self.answered += counts.get("answered", 0)
        self.sockets += counts.get("sockets", 0)
        self.audio_ms += counts["audio_ms"]
        key_id = counts.get("key_id")
        self.units.update(keyed(key_id, unit) for unit in counts["new_units"])
        _add_peers(self.peers, {keyed(key_id, peer): count for peer, count in counts.get("peers", {}).items()})
        for kind, peer, unit, count in counts.get("marks", ()):
            self.add_failure(Failure(kind), peer, unit, count, key_id)
        for number, group in counts["groups"].items():
            self.group_requests[int(number)] += group["requests"]
            for band, cells in _bands(group).items():
                self._add_cells(band, int(number), cells)

    def _add_cells(self, band: str, group: int, cells: Mapping[str, int]) -> None:
        counts = self.latency.get(band)
        if counts is None:
            counts = self.latency[band] = np.zeros((GROUPS, len(EDGES_MS)), dtype=np.int64)
        for cell, count in cells.items():
            counts[group, int(cell)] += count

    def add_failure(self, kind: Failure, peer: str | None, unit: str, count: int, key_id: str | None) -> None:
        self.failures[kind][keyed(key_id, peer) if peer else "", keyed(key_id, unit)] += count

    def add_text(self, row: Row) -> None:
        # Another version of Huidu may count more.
        counts = {name: value for name, value in row.payload.items() if name in _TEXT_COUNTS}
        self.texts.append(Text(row.time, row.key, **counts))

    def sums(self) -> VersionSums:
        return VersionSums(
            self.requests,
            self.bad,
            self.answered,
            self.sockets,
            self.audio_ms,
            frozenset(self.units),
            self.group_requests,
            self.latency,
            self.peers,
            dict(self.failures),
            tuple(self.texts),
            self.crashes,
        )


def _bands(group: Mapping[str, Any]) -> Mapping[str, Mapping[str, int]]:
    """The histograms of a group by band. Rows from before there were bands hold one, whose failures had no time."""
    if "bands" in group:
        bands: Mapping[str, Mapping[str, int]] = group["bands"]
        return bands
    return {OLD_BAND: {cell: count for cell, count in group["ms"].items() if int(cell) != _OLD_FAILED_CELL}}
