import pytest

from huidu.core.assignment import mismatch
from huidu.core.evidence import Sums, VersionSums
from huidu.core.plan import FULL_BP, Share


def split(candidate: int, stable: int) -> Sums:
    def side(users: int) -> VersionSums:
        return VersionSums(users, units=frozenset(map(str, range(users))))

    return Sums({"v2": side(candidate), "v1": side(stable)})


def found(stage: Share, candidate: int, stable: int) -> dict[str, float] | None:
    return mismatch(split(candidate, stable), stage, "v2", "v1")


def test_a_split_as_asked_is_none_and_another_is_told_with_its_numbers() -> None:
    stage = Share(2000, 60.0)
    assert found(stage, 96, 384) is None
    numbers = found(stage, 12, 468)
    assert numbers is not None
    assert (numbers["candidate_units"], numbers["stable_units"], numbers["share"]) == (12, 468, 0.2)
    assert numbers["p_value"] < 0.001


def test_with_a_holdback_the_bake_is_split_and_checked() -> None:
    stage = Share(FULL_BP, 60.0, holdback_bp=500)
    assert found(stage, 1900, 100) is None
    for candidate, stable in ((2000, 0), (1000, 1000)):
        numbers = found(stage, candidate, stable)
        assert numbers is not None
        assert numbers["share"] == 0.95


@pytest.mark.parametrize("stage", [Share(0, 60.0), Share(FULL_BP, 60.0)])
def test_where_nobody_is_drawn_there_is_no_split(stage: Share) -> None:
    assert found(stage, 1000, 1000) is None


def test_nothing_seen_is_no_mismatch() -> None:
    assert found(Share(500, 60.0), 0, 0) is None
