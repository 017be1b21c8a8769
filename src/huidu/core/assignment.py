"""Whether users were split as asked: without that, no comparison of the versions means anything.

Both sides stick, so that what is counted are users, not requests: each falls on the candidate with the chance of
the share, once in a stage.
"""

from math import exp, log

from huidu.core.evidence import ARRIVING_SECONDS, Sums
from huidu.core.plan import Share
from huidu.core.stats.mismatch import log_evidence, prior

# The chance of a false alarm in a stage, however often it is looked at.
ALPHA = 0.001


def mismatch(sums: Sums, stage: Share, candidate: str, stable: str) -> dict[str, float] | None:
    """The numbers of a proven mismatch in a share stage; None where there is none. 0 %, and all, split nobody.

    Users that came last are left out: a line is written when its request ends, and a slower version's come later.
    """
    share = stage.candidate_share
    if not 0 < share < 1:
        return None
    waiting_seconds = min(ARRIVING_SECONDS / 2, stage.for_seconds / 8)
    counts = [sums.settled_units(version, waiting_seconds) for version in (candidate, stable)]
    expected = (share, 1 - share)
    found = log_evidence(counts, expected, prior(expected))
    if found < log(1 / ALPHA):
        return None
    return {"candidate_units": counts[0], "stable_units": counts[1], "share": share, "p_value": exp(-found)}
