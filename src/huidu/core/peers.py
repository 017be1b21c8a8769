"""How much the clients at one address may move a verdict.

Who can choose a side, by drawing cookies until a candidate answers, can fail there as often as he likes. What he
cannot choose is how much of the other side's traffic is his: by that his part is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huidu.core.evidence import GROUPS, VersionSums, group_of
from huidu.core.observation import Failure
from huidu.core.units import distinct, key_of

# A loss of requests is nobody's but the candidate's when clients at so many addresses had it, or addresses from
# which this part of the stable version's recognitions came (everybody behind one proxy; a recorder).
ENOUGH_PEERS, ENOUGH_PART = 3, 0.5
# Failures of any other address come by chance, too, so three addresses are soon found: the loss must be proven
# without so many of the worst.
WORST_PEERS = 2


@dataclass(frozen=True, slots=True)
class Bounded:
    """What users of a version did not get, with no address counted beyond its part.

    `failed` of so many `requests` are amounts of shape (GROUPS,), `units` the users hit, `peers` the addresses, and
    `peers_part` the part of the other version's recognitions that came from these.
    """

    failed: NDArray[np.float64]
    requests: NDArray[np.float64]
    units: int
    peers: int
    peers_part: float

    @property
    def rate(self) -> float:
        """Failed for each request; 0 where there was none."""
        return float(self.failed.sum() / max(1.0, self.requests.sum()))


def bounded(sums: VersionSums, other: VersionSums, kind: Failure, worst_once: bool = False) -> Bounded:
    """Of one address's failures at most max(1, s n) count: s its part of the other side's recognitions, n this side's.

    The recognitions of that address count as much less: otherwise each user who asks often would look ever healthier,
    whatever becomes of his requests. Both sides are bounded alike, so that neither looks worse for it. With
    `worst_once` the two addresses that failed most count once each, unless half of the other side is theirs.
    """
    by_peer: dict[str, list[tuple[str, int]]] = {}
    for (peer, unit), count in sorted(sums.failures.get(kind, {}).items()):
        # Without an address, each user stands for one.
        by_peer.setdefault(peer or f"unit {unit}", []).append((unit, count))
    totals = {peer: sum(count for _, count in hit) for peer, hit in by_peer.items()}
    parts = {peer: other.peers.get(peer, 0) / other.requests if other.requests else 0.0 for peer in by_peer}
    limits = {peer: max(1.0, part * sums.requests) for peer, part in parts.items()}
    if worst_once:
        worst = _worst({peer: min(totals[peer], limits[peer]) for peer in by_peer})
        if sum(parts[peer] for peer in worst) < ENOUGH_PART:
            limits |= dict.fromkeys(worst, 1.0)
    failed, requests = np.zeros(GROUPS), sums.group_requests.astype(float)
    units = set[str]()
    for peer, hit in by_peer.items():
        limit, total = limits[peer], totals[peer]
        scale, asked = min(1.0, limit / total), max(total, sums.peers.get(peer, 0))
        for unit, count in hit:
            failed[group_of(unit)] += scale * count
            # Which users of an address asked how often is not known: as often as they failed, in proportion.
            requests[group_of(unit)] -= (1 - scale) * asked * count / total
        # A user who goes from one address to another is one.
        units.update(unit for unit, _ in hit[: int(limit)])
    return Bounded(failed, np.maximum(requests, failed), distinct(units), distinct(by_peer), sum(parts.values()))


def _worst(failed: Mapping[str, float]) -> list[str]:
    """The two peers that failed most, of each key: after an upgrade an address has another name."""
    found: dict[str, list[str]] = {}
    for peer in sorted(failed, key=lambda peer: (-failed[peer], peer)):
        found.setdefault(key_of(peer), []).append(peer)
    return [peer for peers in found.values() for peer in peers[:WORST_PEERS]]


def out_of_proportion(sums: VersionSums, other: VersionSums) -> float:
    """How many recognitions one address sent here beyond its part of the other side's: of the address most beyond it.

    Measured against what all others sent here, which it cannot choose: its own would make its part look small. An
    address that is most of the other side (everybody behind one proxy) is measured against everything: the few others
    tell nothing.
    """

    def beyond(peer: str, count: int) -> float:
        there = other.peers.get(peer, 0)
        if there > ENOUGH_PART * other.requests:
            return count - there / max(1, other.requests) * sums.requests
        others_there = other.requests - there
        return count - there / others_there * (sums.requests - count) if others_there else 0.0

    return max(0.0, max((beyond(peer, count) for peer, count in sums.peers.items()), default=0.0))
