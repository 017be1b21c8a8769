"""What the process of a version takes, as admission counts with it: a high quantile of its recent life.

Kept is the largest memory of each minute of the last day that a version ran. One that once took a lot, and does not
any more, is forgotten within a day; what it takes for a few minutes a day does not count.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MINUTES = 24 * 60
_PART = 0.95
# With less of a life than this the largest that was ever measured counts.
_ENOUGH_MINUTES = 10
_MB = 10**6
# Without a declaration or a measurement: what a small engine with its runtime was seen to take.
_ASSUMED_BYTES = 500 * _MB


@dataclass(frozen=True, slots=True)
class Peak:
    """`source` says in words where the number comes from."""

    memory_bytes: int
    source: str


class Lives:
    """The recent lives of all versions. `stored` is what `to_json` gave once; anything else counts as none."""

    def __init__(self, stored: Any = None) -> None:
        self._largest_mb: dict[str, deque[int]] = {}
        self._minute: dict[str, int] = {}
        for version, life in stored.items() if isinstance(stored, Mapping) else ():
            sizes = [size for size in life if type(size) is int and size > 0] if isinstance(life, list) else []
            self._largest_mb[str(version)] = deque(sizes, _MINUTES)

    def note(self, sizes_bytes: Mapping[str, int], now: float) -> bool:
        """Takes what processes take now, by version; whether a minute of one has begun."""
        minute, begun = int(now // 60), False
        for version, size_bytes in sizes_bytes.items():
            size_mb = math.ceil(size_bytes / _MB)
            life = self._largest_mb.setdefault(version, deque(maxlen=_MINUTES))
            if size_mb <= 0:
                continue
            if self._minute.get(version) != minute or not life:
                self._minute[version], begun = minute, True
                life.append(size_mb)
            else:
                life[-1] = max(life[-1], size_mb)
        return begun

    def peak(self, version: str, declared_bytes: int | None, largest_bytes: int | None) -> Peak:
        """What to count with: what is declared, else the life, else the largest ever measured, else a guess."""
        if declared_bytes:
            return Peak(declared_bytes, "declared")
        life = self._largest_mb.get(version, ())
        if len(life) >= _ENOUGH_MINUTES:
            largest_mb = sorted(life)[math.ceil(_PART * len(life)) - 1]
            return Peak(largest_mb * _MB, f"p95 of the last {_duration(len(life))} that it ran")
        if largest_bytes:
            return Peak(largest_bytes, "the largest measured so far")
        return Peak(_ASSUMED_BYTES, "not known: assumed")

    def to_json(self) -> dict[str, list[int]]:
        return {version: list(life) for version, life in self._largest_mb.items() if life}


def _duration(minutes: int) -> str:
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
