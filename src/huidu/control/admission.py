"""Whether two versions fit into this machine's memory: a pure rule with its numbers."""

from dataclasses import dataclass

from huidu.control.memory import Peak
from huidu.core.errors import RefusedError

_GB = 10**9


@dataclass(frozen=True, slots=True)
class Need:
    """A version, the memory that admission counts with, and what its process takes already."""

    version: str
    peak: Peak
    used_bytes: int

    @property
    def growth_bytes(self) -> int:
        return max(0, self.peak.memory_bytes - self.used_bytes)


def admit(candidate: Need, stable: Need | None, reserve_bytes: int, free_bytes: int) -> None:
    """Raises `RefusedError` unless what both may still grow by to their peaks, and the reserve, fit in the free memory.

    `stable` is None where the stable version runs elsewhere.
    """
    growth_bytes = stable.growth_bytes if stable else 0
    if candidate.growth_bytes + growth_bytes + reserve_bytes <= free_bytes:
        return
    up_to = f" to {_gb(stable.peak.memory_bytes)} ({stable.peak.source})" if stable else ""
    names = " or ".join(f"versions.{need.version}.memory" for need in (candidate, stable) if need)
    raise RefusedError(
        f"{candidate.version} is not admitted: it needs {_gb(candidate.growth_bytes)} ({candidate.peak.source}), the "
        f"stable version may grow by {_gb(growth_bytes)}{up_to}, reserve {_gb(reserve_bytes)}, free {_gb(free_bytes)}; "
        f"accepted: free memory, a lower admission.reserve, {names} where you know better, a smaller model, or a "
        "version on another host (url)"
    )


def _gb(memory_bytes: int) -> str:
    return f"{memory_bytes / _GB:.2f} GB"
