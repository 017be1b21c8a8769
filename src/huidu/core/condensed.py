"""Rows that stand for evidence whose own rows are lost: what control still knows of them adds up to the same.

A store that begins anew in the middle of a release gets them, so that verdicts go on, also after a restart. Which
second a request belonged to is not known any more; whom it belonged to, how long it took and what failed is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from huidu.core.evidence import ARRIVING_SECONDS, Kind, Row, Sums, Text, VersionSums


def condensed_rows(
    sums: Mapping[str, Sums], golden: Collection[Row], known: Collection[tuple[Kind, str]], now: float
) -> tuple[Row, ...]:
    """Rows whose sums by stage are `sums`, with the keys that are `known` of what counts once."""
    rows = list(golden)
    crashed = _by_version(key for kind, key in known if kind is Kind.CRASH)
    for stage, of in sums.items():
        rows += _seconds(stage, of, now)
        for version, counted in of.versions.items():
            rows += [_text_row(stage, version, text) for text in counted.texts]
            rows += _crash_rows(stage, version, counted.crashes, crashed[version])
    for stage in list(sums)[:1]:
        # The failures themselves are counted above; these say only which they were.
        bad = sorted(key for kind, key in known if kind is Kind.BAD)
        rows += [Row(stage, Kind.BAD, key, now, {"version": "", "unit": "", "count": 0}) for key in bad]
    return tuple(rows)


def _seconds(stage: str, sums: Sums, now: float) -> Iterator[Row]:
    """One row with all counts, and one for each of the last seconds in which users were new."""
    left = {version: sorted(of.units) for version, of in sums.versions.items()}
    newest = max((second for second, _ in sums.arriving), default=int(now))
    arriving: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for (second, version), count in sorted(sums.arriving.items()):
        units = [left[version].pop() for _ in range(min(count, len(left.get(version, ()))))]
        # Older rows may have listed a unit twice, and so must these.
        twice = sorted(sums.of(version).units)[:1] * (count - len(units))
        arriving[second][version] = _payload(VersionSums(), units + twice)
    whole = {version: _payload(of, left[version]) for version, of in sums.versions.items()}
    if whole:
        yield _second(stage, newest - ARRIVING_SECONDS, whole)
    for second, payload in arriving.items():
        yield _second(stage, second, payload)


def _second(stage: str, second: int, payload: dict[str, Any]) -> Row:
    return Row(stage, Kind.SECOND, f"{second}:kept:{stage}", float(second), payload)


def _payload(of: VersionSums, units: list[str]) -> dict[str, Any]:
    marks = [
        [kind.value, peer, unit, count]
        for kind, clients in of.failures.items()
        for (peer, unit), count in clients.items()
    ]
    return {
        "requests": of.requests,
        "bad": of.bad,
        "answered": of.answered,
        "sockets": of.sockets,
        "audio_ms": of.audio_ms,
        "new_units": units,
        "statuses": {},
        "rules": {},
        "peers": dict(of.peers),
        "marks": marks,
        "groups": _groups(of),
    }


def _groups(of: VersionSums) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for number, requests in enumerate(of.group_requests.tolist()):
        bands = {band: _cells(counts[number]) for band, counts in of.latency.items()}
        # A band without a request is a band all the same: sums that hold it are equal to those that do.
        if requests or any(bands.values()) or number == 0:
            groups[str(number)] = {"requests": requests, "bands": bands}
    return groups


def _cells(counts: "np.ndarray[Any, np.dtype[np.int64]]") -> dict[str, int]:
    return {str(cell): int(counts[cell]) for cell in np.flatnonzero(counts)}


def _text_row(stage: str, version: str, text: Text) -> Row:
    names = ("unit", "group", "characters", "errors", "numbers", "numbers_wrong")
    return Row(
        stage, Kind.TEXT, text.key, text.time, {"version": version} | {name: getattr(text, name) for name in names}
    )


def _by_version(keys: Iterable[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        found[key.rpartition(":")[0]].append(key)
    return found


def _crash_rows(stage: str, version: str, count: int, keys: list[str]) -> list[Row]:
    """As many crashes as there were, under the keys that are known of the version."""
    named = [keys.pop() if keys else f"{version}:kept:{stage}:{number}" for number in range(count)]
    return [Row(stage, Kind.CRASH, key, 0.0, {"version": version}) for key in named]
