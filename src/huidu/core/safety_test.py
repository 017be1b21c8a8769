"""Included users, and clips that control sends itself."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.audience import Rule
from huidu.core.observation import Failure, Sample
from huidu.core.safety import INCLUDED_FAILURES, Heard, IncludedRun, Probe, ProbeState, included_run, probed


def sample(user: str = "a", **changes: Any) -> Sample:
    plain: dict[str, Any] = {
        "time": 1.0,
        "request_id": "r1",
        "release": 7,
        "stage": "share:500",
        "version": "v2",
        "rule": Rule.INCLUDED,
        "unit": user,
        "peer": None,
        "status_class": "2xx",
        "status": 200,
        "attempts": 1,
        "ms": 30.0,
    }
    return Sample(**(plain | changes))


def failed(user: str = "a", **changes: Any) -> Sample:
    return sample(user, **({"failure": Failure.BAD, "reason": "5xx"} | changes))


def run_of(seen: Iterable[Sample], run: IncludedRun = IncludedRun()) -> IncludedRun:
    return included_run(run, seen, "v2", "v1")


def ends(*seen: Sample) -> bool:
    return run_of(seen).ends_release


LEFT = sample("a", status_class="left", status=499)


def test_five_failures_in_a_row_of_two_users_end_a_release() -> None:
    assert not ends(*map(failed, "abab"))
    assert ends(*map(failed, "ababa"))
    assert ends(*map(failed, "aaaab"))


def test_one_users_failures_end_it_only_where_there_is_no_other() -> None:
    assert ends(*map(failed, "aaaaa"))
    # Another one has been served before: what is wrong may be wrong with this one alone.
    assert not ends(sample("b"), *map(failed, "aaaaaaaaa"))
    assert ends(sample("b"), *map(failed, "aaaaaaaaa"), failed("b"))


def test_after_an_upgrade_one_user_does_not_stand_for_two() -> None:
    after = [failed(user, key_id="h1-3f2a9c") for user in "AAAAB"]
    # One who is alone is alone still, and of two the second is not the first under another name.
    assert ends(*map(failed, "aaa"), *after[:4], after[0])
    assert not ends(sample("b"), *map(failed, "aaa"), *after[:2])
    assert ends(sample("b"), *map(failed, "aaa"), *after)


def test_a_success_begins_anew_whosever_it_is() -> None:
    for user in "ab":
        assert not ends(*map(failed, "abab"), sample(user), failed("a"))
        assert ends(*map(failed, "abab"), sample(user), *map(failed, "ababa"))


def test_what_fails_on_the_stable_version_too_is_not_the_candidates_doing() -> None:
    for rule in (Rule.REST, Rule.INCLUDED, Rule.EXCLUDED):
        elsewhere = failed("x", version="v1", rule=rule)
        assert not ends(*map(failed, "abab"), elsewhere, failed("a"))
        # And what it serves well says nothing against that.
        assert ends(*map(failed, "abab"), sample("x", version="v1", rule=rule), failed("a"))


def test_only_users_who_chose_the_candidate_count() -> None:
    assert not ends(*(failed(user, rule=Rule.SHARE) for user in "ababa"))
    assert ends(*map(failed, "abab"), sample("x", rule=Rule.SHARE), failed("a"))


def test_a_mute_socket_never_counts() -> None:
    """It may be a muted microphone."""
    mute = failed("a", reason="mute")
    assert not ends(*[mute] * 9)
    assert not ends(*map(failed, "abab"), mute)
    assert ends(*map(failed, "abab"), mute, failed("a"))


def test_a_client_that_left_neither_counts_nor_begins_anew() -> None:
    assert not ends(*[LEFT] * 9)
    assert not ends(*map(failed, "abab"), LEFT)
    assert ends(*map(failed, "abab"), LEFT, failed("a"))
    # Who left after waiting longer than a hang was failed.
    assert ends(*map(failed, "abab"), failed("a", status_class="left", status=499, reason="left"))


def test_a_client_that_left_is_a_user_all_the_same() -> None:
    assert not ends(sample("b", status_class="left", status=499), *map(failed, "aaaaa"))


@pytest.mark.parametrize("kind", [Failure.REJECTED, Failure.EMPTY])
def test_what_was_refused_or_empty_is_no_failure_of_this_kind(kind: Failure) -> None:
    assert not ends(*[sample("a", failure=kind)] * 9)


def test_a_socket_that_turned_bad_after_it_was_counted_counts() -> None:
    assert ends(*map(failed, "abab"), failed("a", counts=False, reason="close_1011"))


def test_a_socket_begins_anew_only_once_it_has_ended_well() -> None:
    """Each of these is told of while it is open, and then closed with 1011: none of them was served."""
    opened = [sample(user, over=False) for user in "ababa"]
    closed = [failed(user, counts=False, reason="close_1011") for user in "ababa"]
    assert ends(*(each for pair in zip(opened, closed, strict=True) for each in pair))
    # One that ended well was counted while it was open.
    assert not ends(*closed[:4], sample("a", counts=False), closed[4])


steps = st.lists(
    st.sampled_from(
        [
            *(failed("a"), failed("b"), failed("c", key_id="h1-3f2a9c"), failed("a", reason="mute")),
            *(failed("x", version="v1"), sample("a"), LEFT),
        ]
    ),
    max_size=20,
)


@given(steps, st.integers(0, 20))
def test_ticks_cut_the_row_anywhere(seen: list[Sample], at: int) -> None:
    assert run_of(seen[at:], run_of(seen[:at])) == run_of(seen)


@given(steps)
def test_it_ends_only_after_five_failures_since_the_last_success(seen: list[Sample]) -> None:
    row = 0
    for place, each in enumerate(seen):
        if each.version == "v1" or (each.failure is None and each.status_class != "left"):
            row = 0
        elif each.failure and each.reason != "mute":
            row += 1
        run = run_of(seen[: place + 1])
        assert not run.ends_release or row >= INCLUDED_FAILURES
        assert len(run.units) <= INCLUDED_FAILURES


# ------------------------------------------------------------------ probes

TEXT, NOTHING, BLANK = Heard("你好", 200), Heard("", 200), Heard(" \n", 200)
REFUSED, DEAD = Heard(None, 404, "404"), Heard(None, None, "connection refused")


def probes(*heard: tuple[Heard, Heard]) -> ProbeState:
    """The state after probes of (stable, candidate)."""
    state = ProbeState()
    for number, (stable, candidate) in enumerate(heard, 1):
        state = probed(state, Probe(number, stable, candidate))
    return state


@pytest.mark.parametrize("candidate", [NOTHING, BLANK, REFUSED, DEAD, Heard(None, 200), Heard(None, 503)])
def test_three_probes_without_a_text_are_an_alarm(candidate: Heard) -> None:
    assert not probes(*[(TEXT, candidate)] * 2).alarming
    assert probes(*[(TEXT, candidate)] * 3).alarming
    assert not probes((TEXT, candidate), (TEXT, TEXT), (TEXT, candidate), (TEXT, candidate)).alarming
    assert not probes(*[(TEXT, candidate)] * 5, (TEXT, TEXT)).alarming


@pytest.mark.parametrize("stable", [NOTHING, BLANK, REFUSED, DEAD])
def test_where_the_stable_version_gives_no_text_a_probe_tells_nothing(stable: Heard) -> None:
    for candidate in (TEXT, NOTHING, REFUSED, DEAD):
        state = probes(*[(stable, candidate)] * 5)
        assert (state.alarming, state.measured, state.refused) == (False, False, False)
    assert not probes(*[(TEXT, NOTHING)] * 2, (stable, NOTHING), (TEXT, NOTHING)).alarming


def test_before_the_first_probe_nothing_is_known() -> None:
    assert (ProbeState().measured, ProbeState().alarming, ProbeState().refused) == (None, False, False)
    assert probes((TEXT, TEXT)).measured


def test_a_candidate_that_refuses_what_the_stable_version_takes_is_told() -> None:
    assert probes((TEXT, REFUSED)).refused
    for other in (NOTHING, DEAD, Heard(None, 503), TEXT):
        assert not probes((TEXT, REFUSED), (TEXT, other)).refused


def test_a_probe_that_was_seen_before_changes_nothing() -> None:
    state = probes(*[(TEXT, NOTHING)] * 2)
    for number in (1, 2):
        assert probed(state, Probe(number, TEXT, NOTHING)) is state
    assert probed(state, Probe(3, TEXT, NOTHING)).alarming
