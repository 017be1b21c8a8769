import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.evidence import GROUPS, Client, VersionSums, group_of
from huidu.core.observation import Failure
from huidu.core.peers import Bounded, bounded, out_of_proportion
from huidu.core.units import key_of, keyed


def units(count: int, start: int = 0) -> list[str]:
    return [f"{unit:016x}" for unit in range(start, start + count)]


clients = st.dictionaries(
    st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(0, 5).map(lambda unit: f"{unit:016x}")),
    st.integers(1, 50),
    max_size=12,
)
addresses = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 300), max_size=4)


def of_clients(failed: dict[Client, int], peers: dict[str, int], unseen: int) -> VersionSums:
    """A side whose users make as many requests as they have failures and more, some from addresses nobody knows."""
    requests = max(sum(peers.values()) + unseen, sum(failed.values()), 1)
    names = units(6)
    group_requests = np.zeros(GROUPS, dtype=np.int64)
    group_requests[[group_of(name) for name in names]] = requests
    failures: dict[Failure, dict[Client, int]] = {Failure.BAD: failed} if failed else {}
    return VersionSums(requests, units=frozenset(names), group_requests=group_requests, peers=peers, failures=failures)


def counted_plainly(failed: dict[Client, int], side: VersionSums, other: VersionSums) -> float:
    """What counts of a side's failures, as the rule says it: of each address at most max(1, s n)."""
    total = 0.0
    for address in {peer or unit for peer, unit in failed}:
        count = sum(count for (peer, unit), count in failed.items() if (peer or unit) == address)
        part = other.peers.get(address, 0) / other.requests
        total += min(count, max(1.0, part * side.requests))
    return total


def of_failures(sums: VersionSums, other: VersionSums) -> Bounded:
    return bounded(sums, other, Failure.BAD)


@settings(deadline=None)
@given(clients, addresses, clients, addresses, st.integers(0, 100))
def test_of_one_addresss_failures_no_more_count_than_its_part_of_the_other_side(
    mine: dict[Client, int],
    my_peers: dict[str, int],
    others: dict[Client, int],
    other_peers: dict[str, int],
    unseen: int,
) -> None:
    """Both sides alike."""
    ours, theirs = of_clients(mine, my_peers, unseen), of_clients(others, other_peers, unseen)
    assert float(of_failures(ours, theirs).failed.sum()) == pytest.approx(counted_plainly(mine, ours, theirs))
    assert float(of_failures(theirs, ours).failed.sum()) == pytest.approx(counted_plainly(others, theirs, ours))


@settings(deadline=None)
@given(clients, addresses, addresses, st.integers(0, 100))
def test_nobody_makes_more_than_all_of_a_group_fail(
    mine: dict[Client, int], my_peers: dict[str, int], other_peers: dict[str, int], unseen: int
) -> None:
    found = of_failures(of_clients(mine, my_peers, unseen), of_clients({}, other_peers, unseen))
    assert (found.failed >= 0).all()
    assert (found.requests >= found.failed).all()
    assert 0 <= found.rate <= 1
    assert found.units <= len({unit for _, unit in mine})
    assert found.peers == len({peer or f"unit:{unit}" for peer, unit in mine})


def side(failed: dict[Client, int], peers: dict[str, int]) -> VersionSums:
    """A side of users, each at his own address, of the name of his unit."""
    group_requests = np.zeros(GROUPS, dtype=np.int64)
    for unit, requests in peers.items():
        group_requests[group_of(unit)] += requests
    return VersionSums(
        sum(peers.values()),
        units=frozenset(peers),
        group_requests=group_requests,
        peers=peers,
        failures={Failure.BAD: failed},
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=15), st.integers(1, 20))
def test_a_user_whose_failures_are_bounded_keeps_his_rate(times: list[int], each: int) -> None:
    """Of each request of everybody the same part fails: that part is found, however often anybody asks."""
    names = units(len(times))
    asked = {name: each * count for name, count in zip(names, times, strict=True)}
    ours = side(dict(zip(zip(names, names, strict=True), times, strict=True)), asked)
    assert of_failures(ours, side({}, dict.fromkeys(units(5, 500), 10))).rate == pytest.approx(1 / each)


def test_one_who_fails_at_will_counts_as_one_and_leaves_the_others_as_they_are() -> None:
    honest = dict.fromkeys(units(100), 10)
    alone = of_failures(side({(units(1)[0], units(1)[0]): 1}, honest), side({}, honest))
    attacker = units(1, 900)[0]
    attacked = side({(units(1)[0], units(1)[0]): 1, (attacker, attacker): 5000}, honest | {attacker: 5000})
    found = of_failures(attacked, side({}, honest))
    assert (float(alone.failed.sum()), float(found.failed.sum())) == (1.0, 2.0)
    assert float(found.requests.sum()) == pytest.approx(1001)


def test_addresses_that_ask_both_sides_alike_are_not_bounded() -> None:
    """Everybody behind one proxy, or a recorder."""
    names = units(40)
    group_requests = np.bincount([group_of(name) for name in names], minlength=GROUPS) * 10
    failures = {Failure.BAD: {("proxy", name): 4 for name in names}}
    behind = VersionSums(
        400, units=frozenset(names), group_requests=group_requests, peers={"proxy": 400}, failures=failures
    )
    found = of_failures(behind, behind)
    assert (found.peers, found.peers_part, found.units) == (1, 1.0, 40)
    assert found.failed.tolist() == (group_requests * 0.4).tolist()
    assert found.requests.tolist() == group_requests.tolist()


def test_without_requests_on_the_other_side_nobody_has_a_part_of_it() -> None:
    found = of_failures(side({("a", units(1)[0]): 9}, dict.fromkeys(units(3), 10)), VersionSums())
    assert (float(found.failed.sum()), found.peers_part) == (1.0, 0.0)
    nothing = of_failures(VersionSums(), VersionSums())
    assert (nothing.rate, nothing.peers, nothing.units) == (0.0, 0, 0)


@pytest.mark.parametrize(
    ("mine", "others", "beyond"),
    [
        ({"a": 100, "b": 100}, {"a": 50, "b": 50}, 0),
        # The other one asks 50 here, and as much as this one there.
        ({"a": 150, "b": 50}, {"a": 50, "b": 50}, 100),
        ({"a": 100}, {"b": 100}, 100),
        ({"a": 100}, {"a": 50}, 0),
        ({}, {"a": 100}, 0),
    ],
)
def test_how_much_an_address_asked_beyond_its_part(mine: dict[str, int], others: dict[str, int], beyond: int) -> None:
    ours, theirs = (VersionSums(max(1, sum(peers.values())), peers=peers) for peers in (mine, others))
    assert out_of_proportion(ours, theirs) == beyond


def test_two_addresses_that_failed_most_count_once_where_they_are_not_half_of_the_other_side() -> None:
    failed = {("attacker", "0" * 16): 400, ("one", "1" * 16): 1, ("two", "2" * 16): 1}
    ours = VersionSums(1000, failures={Failure.BAD: failed}, peers={"attacker": 420, "one": 5, "two": 5})
    theirs = VersionSums(20_000, peers={"attacker": 400})
    assert bounded(ours, theirs, Failure.BAD).failed.sum() == pytest.approx(20 + 2)
    assert bounded(ours, theirs, Failure.BAD, worst_once=True).failed.sum() == pytest.approx(3)
    recorder = VersionSums(20_000, peers={"attacker": 10_000})
    assert bounded(ours, recorder, Failure.BAD, worst_once=True).failed.sum() == pytest.approx(402)


def test_addresses_under_their_names_of_before_and_after_an_upgrade_are_as_many_as_they_were() -> None:
    names = [keyed(key_id, name) for key_id in (None, "h1-3f2a9c") for name in ("one", "two")]
    failed = {(peer, keyed(key_of(peer) or None, f"{number:016x}")): 100 for number, peer in enumerate(names)}
    ours = VersionSums(1000, failures={Failure.BAD: failed}, peers=dict.fromkeys(names, 200))
    theirs = VersionSums(20_000, peers=dict.fromkeys(names, 400))
    found = bounded(ours, theirs, Failure.BAD)
    assert (found.peers, found.units) == (2, 2)
    assert found.peers_part == pytest.approx(0.08)
    # The two that failed most are two addresses, not one under both its names.
    assert bounded(ours, theirs, Failure.BAD, worst_once=True).failed.sum() == pytest.approx(4)


def test_everybody_behind_one_proxy_beside_a_stray_is_in_proportion() -> None:
    ours, theirs = VersionSums(200, peers={"proxy": 200}), VersionSums(801, peers={"proxy": 800, "stray": 1})
    assert out_of_proportion(ours, theirs) < 1
