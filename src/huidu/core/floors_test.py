import pytest

from huidu.core.evidence import Sums, VersionSums
from huidu.core.floors import Missing, missing
from huidu.core.plan import FULL_BP, Share


def sums(candidate: tuple[int, int], stable: tuple[int, int]) -> Sums:
    """So many recognitions of so many users on either side."""

    def side(requests: int, users: int) -> VersionSums:
        return VersionSums(requests, units=frozenset(map(str, range(users))))

    return Sums({"v2": side(*candidate), "v1": side(*stable)})


def lacking(stage: Share, found: Sums) -> list[tuple[str, str, int, int]]:
    return [(each.side, each.what, each.have, each.need) for each in missing(stage, found, "v2", "v1")]


SHARE = Share(500, 60.0)


def test_each_side_needs_its_recognitions_and_its_users() -> None:
    assert missing(SHARE, sums((100, 3), (100, 3)), "v2", "v1") == ()
    assert missing(SHARE, sums((12, 1), (99, 3)), "v2", "v1") == (
        Missing("candidate", "recognitions", 12, 100),
        Missing("candidate", "users", 1, 3),
        Missing("stable", "recognitions", 99, 100),
    )
    assert lacking(SHARE, sums((100, 3), (1000, 2))) == [("stable", "users", 2, 3)]


@pytest.mark.parametrize("share_bp", [1, 500, 5000, 9999])
def test_no_traffic_is_never_enough(share_bp: int) -> None:
    assert {what for _, what, have, _ in lacking(Share(share_bp, 0.0), Sums()) if have == 0} == {
        "recognitions",
        "users",
    }
    assert len(lacking(Share(share_bp, 0.0), Sums())) == 4


def test_the_bake_asks_the_candidates_side_alone_whoever_is_held_back() -> None:
    for bake in (Share(FULL_BP, 60.0), Share(FULL_BP, 60.0, holdback_bp=500)):
        assert lacking(bake, sums((100, 3), (0, 0))) == []
        assert lacking(bake, sums((99, 3), (500, 50))) == [("candidate", "recognitions", 99, 100)]


def test_a_stage_in_which_nobody_meets_the_candidate_has_no_floor() -> None:
    assert lacking(Share(0, 60.0), Sums()) == []


def test_a_plan_sets_its_own_floor() -> None:
    assert lacking(Share(500, 60.0, at_least=500, units=20), sums((500, 19), (500, 20))) == [
        ("candidate", "users", 19, 20)
    ]
    assert lacking(Share(500, 60.0, at_least=0, units=1), sums((1, 1), (1, 1))) == []
