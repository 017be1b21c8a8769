"""What a stage must have seen before it may go on: no step forward without evidence."""

from dataclasses import dataclass

from huidu.core.evidence import Sums
from huidu.core.plan import FULL_BP, Share


@dataclass(frozen=True, slots=True)
class Missing:
    """Of `what` (recognitions or users) a side has `have` and needs `need`."""

    side: str  # candidate or stable
    what: str
    have: int
    need: int


def missing(stage: Share, sums: Sums, candidate: str, stable: str) -> tuple[Missing, ...]:
    """What is still missing of a stage's floor. The bake asks the candidate's side alone, a share of 0 % nothing."""
    if stage.share_bp == 0:
        return ()
    sides = {"candidate": candidate} | ({} if stage.share_bp == FULL_BP else {"stable": stable})
    found = []
    for side, version in sides.items():
        of = sums.of(version)
        wanted = (("recognitions", of.requests, stage.at_least), ("users", of.users, stage.units))
        found += [Missing(side, what, have, need) for what, have, need in wanted if have < need]
    return tuple(found)
