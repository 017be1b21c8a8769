"""Whether two versions fit into this machine's memory: a pure rule with its numbers."""

from huidu.core.errors import RefusedError

_GB = 10**9


def admit(
    candidate: str,
    candidate_peak_bytes: int,
    stable_growth_bytes: int,
    reserve_bytes: int,
    free_bytes: int,
) -> None:
    """Raises `RefusedError` unless the candidate's peak, what the stable version may still grow by to its own
    peak, and the reserve fit in the free memory."""
    needed = candidate_peak_bytes + stable_growth_bytes + reserve_bytes
    if needed <= free_bytes:
        return
    raise RefusedError(
        f"{candidate} is not admitted: it needs {candidate_peak_bytes / _GB:.2f} GB, the stable version may grow by "
        f"{stable_growth_bytes / _GB:.2f} GB, reserve {reserve_bytes / _GB:.2f} GB, free {free_bytes / _GB:.2f} GB; "
        "accepted: free memory, a lower admission.reserve, a smaller model, or a version on another host (url)"
    )
