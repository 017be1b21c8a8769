"""The laws of sharing what is bounded, over any crowd."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from huidu.core.fairness import Holding, admits, giving_way, nearly_full

_CAPACITIES = st.integers(1, 40)
_HOLDERS = st.sampled_from("abc")
_ARRIVALS = st.lists(st.tuples(_HOLDERS, st.booleans()), max_size=120)
_PATIENCE = 5.0


def _after(arrivals: list[tuple[str, bool]], capacity: int) -> list[Holding]:
    """Who is in when all have come in turn; who comes as idle rests ever since."""
    inside: list[Holding] = []
    for place, (holder, idle) in enumerate(arrivals):
        if admits(sum(each.holder == holder for each in inside), len(inside), capacity):
            inside.append(Holding(holder, 1000.0 - place if idle else 0.0))
    return inside


@given(_ARRIVALS, _CAPACITIES)
def test_there_are_never_more_than_there_is_room_for(arrivals: list[tuple[str, bool]], capacity: int) -> None:
    assert len(_after(arrivals, capacity)) <= capacity


@given(_ARRIVALS, _CAPACITIES, _HOLDERS)
def test_while_there_is_room_nobody_is_refused(arrivals: list[tuple[str, bool]], capacity: int, holder: str) -> None:
    inside = _after(arrivals, capacity)
    if not nearly_full(len(inside), capacity):
        assert admits(sum(each.holder == holder for each in inside), len(inside), capacity)
        assert giving_way(inside, capacity, _PATIENCE) == []


@given(_ARRIVALS, _CAPACITIES, _HOLDERS)
def test_when_it_is_nearly_full_nobody_grows_beyond_half(
    arrivals: list[tuple[str, bool]], capacity: int, holder: str
) -> None:
    inside = _after(arrivals, capacity)
    held = sum(each.holder == holder for each in inside)
    if nearly_full(len(inside), capacity) and admits(held, len(inside), capacity):
        assert held + 1 <= capacity / 2


@given(_ARRIVALS, st.integers(5, 40))
def test_one_holder_alone_leaves_room_for_others(arrivals: list[tuple[str, bool]], capacity: int) -> None:
    inside = _after([("a", idle) for _, idle in arrivals], capacity)
    assert admits(0, len(inside), capacity)


@given(_ARRIVALS, _CAPACITIES)
def test_afterwards_nobody_holds_more_than_half_while_any_of_it_rests(
    arrivals: list[tuple[str, bool]], capacity: int
) -> None:
    inside = _after(arrivals, capacity)
    ending = giving_way(inside, capacity, _PATIENCE)
    left = [each for place, each in enumerate(inside) if place not in ending]
    if nearly_full(len(left), capacity):
        for holder, held in Counter(each.holder for each in left).items():
            resting = [each for each in left if each.holder == holder and each.idle_seconds >= _PATIENCE]
            assert 2 * held <= capacity or not resting


@given(_ARRIVALS, _CAPACITIES)
def test_only_what_rests_gives_way_the_longest_idle_first_and_never_below_half(
    arrivals: list[tuple[str, bool]], capacity: int
) -> None:
    inside = _after(arrivals, capacity)
    ending = giving_way(inside, capacity, _PATIENCE)
    ended = [inside[place] for place in ending]
    assert all(each.idle_seconds >= _PATIENCE for each in ended)
    assert len({each.holder for each in ended}) <= 1
    if ended:
        mine = [each for each in inside if each.holder == ended[0].holder]
        assert len(mine) - len(ended) >= capacity // 2
        stays = [each.idle_seconds for place, each in enumerate(inside) if each in mine and place not in ending]
        assert min(each.idle_seconds for each in ended) >= max(stays, default=0.0)


def test_an_amount_is_shared_as_places_are() -> None:
    assert admits(0, 700, 1000, 300)
    assert not admits(0, 700, 1000, 301)
    assert admits(200, 800, 1000, 200)
    assert not admits(400, 800, 1000, 101)
