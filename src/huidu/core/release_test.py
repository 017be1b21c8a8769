"""The state machine by table, by law, and by walking a whole plan."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from huidu.core.errors import RefusedError
from huidu.core.plan import Golden, Plan, Rules, Share
from huidu.core.release import (
    TRANSITIONS,
    Event,
    Fleet,
    Phase,
    Release,
    Route,
    Seen,
    Standing,
    Start,
    Stop,
    accepted,
    advance,
    aged,
    as_seen,
    begin,
    effects,
    promotion,
    put_back,
    settled,
    standing,
)

PLAN = Plan((Golden("set.tsv"), Share(500, 10.0), Share(5000, 10.0), Share(10_000, 10.0)))


def in_phase(phase: Phase) -> Release:
    index = {Phase.ADMISSION: -1, Phase.GOLDEN: 0, Phase.SHARE: 1, Phase.BAKE: 3}.get(phase, 3)
    return replace(begin(1, "v2", "v1", PLAN, Rules(), 0.0), phase=phase, stage_index=index)


@pytest.mark.parametrize(("phase", "event"), list(product(Phase, Event)))
def test_every_phase_accepts_exactly_what_the_table_says(phase: Phase, event: Event) -> None:
    release = in_phase(phase)
    if event in accepted(release):
        assert advance(release, event, 1.0) != release
    else:
        with pytest.raises(RefusedError, match="accepted now"):
            advance(release, event, 1.0)


def test_every_phase_has_a_row_and_the_last_ones_are_empty() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert TRANSITIONS[Phase.PROMOTED] == TRANSITIONS[Phase.ROLLED_BACK] == {}


@pytest.mark.parametrize("phase", [phase for phase in Phase if TRANSITIONS[phase]])
def test_a_loss_and_a_person_end_a_release_in_any_phase_held_or_not(phase: Phase) -> None:
    for release in (in_phase(phase), advance(in_phase(phase), Event.PAUSE_ASKED, 1.0)):
        for event in (Event.FAILED, Event.ROLLBACK_ASKED, Event.FENCED):
            assert advance(release, event, 2.0).phase is Phase.ROLLED_BACK


def test_a_whole_plan_walks_from_admission_to_promotion() -> None:
    fleet = settled(Fleet("v1"), begin(1, "v2", "v1", PLAN, Rules(), 0.0))
    seen = []
    for event in (Event.ADMITTED, *[Event.STAGE_PASSED] * 4):
        assert fleet.release is not None
        seen.append((fleet.release.stage_name, standing(fleet).share_bp))
        fleet = settled(fleet, advance(fleet.release, event, 1.0))
    assert seen == [("admission", 0), ("golden", 0), ("share:500", 500), ("share:5000", 5000), ("bake", 10_000)]
    assert (fleet.stable, fleet.previous, fleet.release) == ("v2", "v1", None)


def test_a_stage_grows_older_only_while_it_is_watched() -> None:
    """Whatever any wall clock says."""
    release = in_phase(Phase.SHARE)
    later = advance(advance(release, Event.PAUSE_ASKED, 1e9), Event.RESUME_ASKED, -1e9)
    assert later.elapsed_seconds == release.elapsed_seconds == 0.0
    assert aged(aged(release, 0.5), 7.0).elapsed_seconds == 7.5


def test_time_in_which_users_cannot_meet_the_candidate_does_not_count() -> None:
    release = aged(aged(in_phase(Phase.SHARE), 10.0), 3600.0, idle=True)
    assert (release.elapsed_seconds, release.watched_seconds) == (10.0, 3610.0)


def test_time_that_a_release_was_held_does_not_count() -> None:
    release = aged(in_phase(Phase.SHARE), 10.0)
    held = aged(advance(release, Event.PAUSE_ASKED, 110.0), 90.0)
    assert (held.elapsed_seconds, held.watched_seconds) == (10.0, 100.0)
    resumed = aged(advance(held, Event.RESUME_ASKED, 150.0), 10.0)
    assert resumed.elapsed_seconds == 20.0


def test_the_next_stage_is_as_old_as_it_is() -> None:
    release = aged(advance(aged(in_phase(Phase.SHARE), 10.0), Event.PAUSE_ASKED, 1.0), 5.0)
    following = advance(advance(release, Event.RESUME_ASKED, 2.0), Event.STAGE_PASSED, 3.0)
    assert (following.watched_seconds, following.held_seconds, following.stage_name) == (0.0, 0.0, "share:5000")


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=20))
def test_the_age_is_the_sum_of_the_steps_that_were_not_held(steps: list[tuple[float, bool]]) -> None:
    release, wanted = in_phase(Phase.SHARE), 0.0
    for step, pauses in steps:
        event = Event.PAUSE_ASKED if pauses else Event.RESUME_ASKED
        if event in accepted(release):
            release = advance(release, event, 0.0)
        release = aged(release, step)
        wanted += 0.0 if release.held is not None else step
    assert release.elapsed_seconds == pytest.approx(wanted)


# ------------------------------------------------------------------ what Huidu holds by itself


@pytest.mark.parametrize("phase", [Phase.SHARE, Phase.BAKE])
def test_evidence_that_stopped_ends_the_share_until_somebody_resumes(phase: Phase) -> None:
    release = in_phase(phase)
    blinded = advance(release, Event.BLINDED, 1.0, "the gateway's evidence has stopped")
    assert (blinded.phase, blinded.stage_name) == (phase, release.stage_name)
    assert (blinded.share_bp, blinded.held, blinded.held_by) == (0, "the gateway's evidence has stopped", None)
    stands = standing(Fleet("v1", release=blinded))
    # The candidate keeps running, and nobody is drawn to it.
    assert (stands.candidate, stands.share_bp, "v2" in stands.running) == ("v2", 0, True)
    resumed = advance(blinded, Event.RESUME_ASKED, 2.0, "", "li")
    assert (resumed.share_bp, resumed.held, resumed.share_ended) == (release.share_bp, None, False)
    assert Event.STAGE_PASSED not in accepted(blinded)
    assert {Event.FAILED, Event.ROLLBACK_ASKED, Event.FENCED} <= set(accepted(blinded))


def test_a_share_that_ended_while_somebody_paused_stays_theirs() -> None:
    paused = advance(in_phase(Phase.SHARE), Event.PAUSE_ASKED, 1.0, "lunch", "wang")
    blinded = advance(paused, Event.BLINDED, 2.0, "the evidence has stopped")
    assert (blinded.held, blinded.held_by, blinded.share_bp) == ("paused by wang: lunch", "wang", 0)
    with pytest.raises(RefusedError, match="accepted now: resume_asked"):
        advance(blinded, Event.PROMOTE_ASKED, 3.0, "", "li")
    resumed = advance(blinded, Event.RESUME_ASKED, 3.0, "", "li")
    assert (resumed.held, resumed.held_by, resumed.share_bp) == (None, None, 500)


def test_the_next_stage_has_its_share_although_this_ones_had_ended() -> None:
    blinded = advance(in_phase(Phase.SHARE), Event.BLINDED, 1.0, "the evidence has stopped")
    promoted = advance(blinded, Event.PROMOTE_ASKED, 2.0, "seen elsewhere", "li")
    assert (promoted.share_bp, promoted.held, promoted.share_ended) == (5000, None, False)
    assert [each.stage for each in promoted.overrides] == ["share:500"]


@pytest.mark.parametrize("phase", [Phase.SHARE, Phase.BAKE])
def test_a_guard_that_asks_for_people_holds_and_keeps_the_share(phase: Phase) -> None:
    release = in_phase(phase)
    held = advance(release, Event.HELD, 1.0, "refused requests: proven worse")
    assert (held.held, held.held_by, held.share_bp) == ("refused requests: proven worse", None, release.share_bp)
    for event in (Event.HELD, Event.STAGE_PASSED, Event.PAUSE_ASKED):
        assert event not in accepted(held)
    assert advance(held, Event.RESUME_ASKED, 2.0, "", "li").held is None


def test_only_stages_that_users_meet_are_held_or_blinded() -> None:
    for phase in (Phase.ADMISSION, Phase.GOLDEN, Phase.PROMOTED, Phase.ROLLED_BACK):
        assert not {Event.HELD, Event.BLINDED} & set(accepted(in_phase(phase)))


def test_a_release_keeps_its_salt_to_its_end() -> None:
    release = begin(1, "v2", "v1", PLAN, Rules(), 0.0, salt="5f3a", generation=9)
    for event in (Event.ADMITTED, *[Event.STAGE_PASSED] * 4):
        assert (release.salt, release.generation) == ("5f3a", 9)
        release = advance(release, event, 1.0)


@pytest.mark.parametrize(("phase", "holdback_bp"), [(Phase.GOLDEN, 0), (Phase.SHARE, 0), (Phase.BAKE, 500)])
def test_users_are_held_back_in_the_bake_alone(phase: Phase, holdback_bp: int) -> None:
    plan = Plan((*PLAN.stages[:-1], Share(10_000, 10.0, holdback_bp=500)))
    release = replace(in_phase(phase), plan=plan)
    assert release.holdback_bp == holdback_bp
    assert replace(release, share_ended=True).holdback_bp == 0


def test_a_promotion_answers_a_hold_of_huidus_own_and_not_a_persons_pause() -> None:
    asked = advance(in_phase(Phase.GOLDEN), Event.UNDECIDED, 1.0, "the golden set is undecided")
    assert (asked.held, asked.held_by) == ("the golden set is undecided", None)
    assert advance(asked, Event.PROMOTE_ASKED, 2.0, "fine", "li").phase is Phase.SHARE
    paused = advance(in_phase(Phase.GOLDEN), Event.PAUSE_ASKED, 1.0, "lunch", "wang")
    assert (paused.held, paused.held_by) == ("paused by wang: lunch", "wang")
    with pytest.raises(RefusedError, match="accepted now: resume_asked"):
        advance(paused, Event.PROMOTE_ASKED, 2.0, "fine", "li")
    resumed = advance(paused, Event.RESUME_ASKED, 2.0, "", "li")
    assert (resumed.held, resumed.held_by, resumed.overrides) == (None, None, ())
    assert advance(resumed, Event.PROMOTE_ASKED, 2.0, "fine", "li").phase is Phase.SHARE


@pytest.mark.parametrize("event", [Event.FAILED, Event.ROLLBACK_ASKED, Event.FENCED, Event.RESUME_ASKED])
def test_whatever_ends_a_pause_leaves_nobody_behind_who_paused(event: Event) -> None:
    paused = advance(in_phase(Phase.SHARE), Event.PAUSE_ASKED, 1.0, "", "wang")
    assert paused.held == "paused by wang"
    assert (advance(paused, event, 2.0).held, advance(paused, event, 2.0).held_by) == (None, None)


HAND, EVIDENCE = "hand", "evidence"


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((EVIDENCE,) * 4, "every stage passed"),
        ((HAND, EVIDENCE, EVIDENCE, EVIDENCE), "every stage passed; golden passed by li: for 0"),
        (
            (EVIDENCE, HAND, HAND, EVIDENCE),
            "every stage passed; share:500 passed by li: for 1; share:5000 passed by li: for 2",
        ),
        ((EVIDENCE, EVIDENCE, EVIDENCE, HAND), "promoted by li: for 3"),
        ((EVIDENCE, EVIDENCE, HAND, HAND), "promoted by li: for 3; share:5000 passed by li: for 2"),
    ],
)
def test_the_reason_of_a_promotion_names_every_step_that_a_person_took(steps: tuple[str, ...], reason: str) -> None:
    release = in_phase(Phase.GOLDEN)
    for number, step in enumerate(steps):
        if step is HAND:
            release = advance(release, Event.PROMOTE_ASKED, 1.0, f"for\n {number}", "li")
        else:
            release = advance(release, Event.STAGE_PASSED, 1.0)
    assert release.phase is Phase.PROMOTED
    assert promotion(release) == reason


def test_a_command_reaches_the_release_where_its_sender_saw_it() -> None:
    release = in_phase(Phase.SHARE)
    for seen in (Seen(), Seen(1), Seen(stage="share:500"), Seen(1, "share:500")):
        assert as_seen(release, seen, 5.0) is release


@pytest.mark.parametrize(("ago", "fits"), [(None, True), (0.0, True), (1.9, True), (2.1, False), (9.0, False)])
def test_nobody_can_have_meant_a_stage_that_began_after_they_asked(ago: float | None, fits: bool) -> None:
    release = replace(in_phase(Phase.SHARE), entered_at=100.0)
    seen = Seen(1, "share:500", ago)
    if fits:
        assert as_seen(release, seen, 102.0) is release
    else:
        with pytest.raises(RefusedError, match="release 1 is in share:500 now, since after you asked; accepted"):
            as_seen(release, seen, 102.0)
    # The clock was set back meanwhile: a command must not wait until it has caught up.
    assert as_seen(release, seen, 50.0) is release


@pytest.mark.parametrize(
    ("runs", "seen", "said"),
    [
        (True, Seen(1, "share:5000"), "release 1 is in share:500 now, not in share:5000 as you saw; accepted: look"),
        (True, Seen(stage="golden"), "release 1 is in share:500 now, not in golden as you saw; accepted: look"),
        (True, Seen(2, "share:500"), "release 1 of v2 runs now, in share:500, not release 2 as you saw; accepted"),
        (False, Seen(1, "bake"), "release 1, which you saw in bake, is over; accepted: look at `huidu status`"),
        (False, Seen(stage="bake"), "the release, which you saw in bake, is over; accepted: look"),
        (False, Seen(), "no release runs; accepted: huidu release start VERSION"),
    ],
)
def test_a_command_to_what_has_changed_is_refused_with_the_change(runs: bool, seen: Seen, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        as_seen(in_phase(Phase.SHARE) if runs else None, seen, 5.0)
    assert str(refused.value).startswith(said)


def test_a_second_roll_back_never_leads_to_the_version_that_was_left() -> None:
    fleet = put_back(Fleet("v3", previous="v1"), "v1")
    assert (fleet.stable, fleet.previous) == ("v1", None)


@pytest.mark.parametrize("actual", [None, Standing("v1", running=frozenset({"v1"}))])
def test_starting_comes_before_routing_and_stopping_after(actual: Standing | None) -> None:
    wanted = Standing("v2", running=frozenset({"v2"}))
    steps = effects(actual, wanted)
    order = [Start, Route, Stop]
    assert [order.index(type(step)) for step in steps] == sorted(order.index(type(step)) for step in steps)
    assert Start("v2") in steps


class World:
    """A machine on which effects are carried out, one after the other."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.route: Route | None = None

    def carry_out(self, fleet: Fleet) -> None:
        for step in effects(self.standing(), standing(fleet)):
            match step:
                case Start(version):
                    self.running.add(version)
                case Stop(version):
                    assert self.route is not None
                    assert version not in (self.route.stable, self.route.candidate), "stopped under its users"
                    self.running.discard(version)
                case Route(stable, candidate, _, _):
                    assert {stable, candidate} - {None} <= self.running, "routed to what does not run"
                    self.route = step

    def standing(self) -> Standing | None:
        if self.route is None:
            return None
        return Standing(
            self.route.stable, self.route.candidate, self.route.share_bp, self.route.release, frozenset(self.running)
        )


class FleetMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, with crashes that lose effects: effects alone bring traffic back."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet("v1")
        self.world = World()
        self.world.carry_out(self.fleet)
        self.now = 0.0
        self.done = True

    @precondition(lambda self: self.fleet.release is None)
    @rule(candidate=st.sampled_from(["v1", "v2", "v3"]), crash=st.booleans())
    def start(self, candidate: str, crash: bool) -> None:
        if candidate != self.fleet.stable:
            number = self.fleet.last_release + 1
            release = begin(number, candidate, self.fleet.stable, PLAN, Rules(), self.now)
            self._become(settled(self.fleet, release), crash)

    @precondition(lambda self: self.fleet.release is not None)
    @rule(event=st.sampled_from(Event), crash=st.booleans())
    def happen(self, event: Event, crash: bool) -> None:
        assert self.fleet.release is not None
        if event in accepted(self.fleet.release):
            self._become(settled(self.fleet, advance(self.fleet.release, event, self.now)), crash)

    @precondition(lambda self: self.fleet.release is None and self.fleet.previous is not None)
    @rule(crash=st.booleans())
    def go_back(self, crash: bool) -> None:
        assert self.fleet.previous is not None
        self._become(put_back(self.fleet, self.fleet.previous), crash)

    @rule()
    def next_tick(self) -> None:
        self.world.carry_out(self.fleet)
        self.done = True

    def _become(self, fleet: Fleet, crash: bool) -> None:
        self.now += 1
        self.fleet = fleet
        self.done = not crash
        if not crash:
            self.world.carry_out(fleet)

    @invariant()
    def traffic_stands_where_the_state_says(self) -> None:
        if self.done:
            assert self.world.standing() == standing(self.fleet)

    @invariant()
    def only_a_serving_stage_routes_to_a_candidate(self) -> None:
        release = self.fleet.release
        if release is None or not release.serving:
            assert standing(self.fleet).candidate is None
            assert standing(self.fleet).share_bp == 0


TestFleet = FleetMachine.TestCase
