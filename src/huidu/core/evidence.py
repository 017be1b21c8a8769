"""Evidence: an ordered sequence of small rows that add up, from which every verdict can be derived again.

Rows are of five kinds: `second` (counts of one second of one stage), `bad` (one failed request), `text` (one
audio with a reference), `golden` (one utterance of the golden set on both versions), `crash`. A row's key makes
recording it twice impossible; a text's key is version and audio, so one audio counts once per version and release.

Users are spread over `GROUPS` random groups by their keyed hash. Sums by group give standard errors that
hold although requests of one user are alike (random groups: Wolter 2007, Introduction to Variance Estimation, 2.2).
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

GROUPS = 20

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


@dataclass(frozen=True, slots=True)
class Observation:
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
    def bad(self) -> bool:
        """Failed, or failed on the chosen version and was served by the stable one instead."""
        return self.status >= 500 or self.status == 0 or self.attempts > 1
