"""Commands and ticks over a real store, with a gateway and a machine that do as they are told, or fail."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import World, in_stage, lines

from huidu.adapters.store.releases import SqlStore
from huidu.control.controller import Controller
from huidu.core.errors import HuiduError, RefusedError, TakenOverError, UnavailableError
from huidu.core.evidence import Kind, fold
from huidu.core.plan import Golden, Plan, Undecided
from huidu.core.record import Record
from huidu.core.release import Phase, Release, Seen, settled
from huidu.core.safety import Heard
from huidu.core.testset import TestSet, Utterance
from huidu.ports import Recognition


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


@pytest.fixture
def last_share(world: World) -> Controller:
    store = world.store()
    controller: Controller = world.control(store)
    in_stage(controller, "share:5000", store)
    return controller


def running(controller: Controller) -> Release:
    release = controller.view.fleet.release
    assert release is not None
    return release


def alarms(controller: Controller) -> set[str]:
    return {alarm.kind.value for alarm in controller.view.alarms}


def both(command: Callable[[], Any]) -> list[Any]:
    """What came of one command given by two people at the same moment: an answer or an error."""
    gate, found = threading.Barrier(2), []

    def give() -> None:
        gate.wait()
        try:
            found.append(command())
        except HuiduError as error:
            found.append(error)

    people = [threading.Thread(target=give) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return found


def test_of_two_promotions_from_the_last_share_one_is_done_and_the_bake_stands(last_share: Controller) -> None:
    seen = Seen(1, "share:5000")
    found = both(lambda: last_share.promote("li", "seen enough", seen))
    (refused,) = [each for each in found if isinstance(each, RefusedError)]
    assert "release 1 is in bake now, not in share:5000 as you saw; accepted" in str(refused)
    release = last_share.view.fleet.release
    assert release is not None
    assert (release.phase, len(release.overrides)) == (Phase.BAKE, 1)


@pytest.mark.parametrize("name", ["promote", "pause", "resume"])
def test_a_command_that_comes_again_does_not_act_again(last_share: Controller, name: str) -> None:
    if name == "resume":
        last_share.pause("wang", "lunch")
    command = getattr(last_share, name)
    command("li", "once", Seen(1, "share:5000"))
    view = last_share.view
    with pytest.raises(RefusedError):
        command("li", "once", Seen(1, "share:5000"))
    assert last_share.view == view


@pytest.mark.parametrize("name", ["promote", "pause", "resume"])
def test_a_command_to_a_release_that_is_over_is_refused_by_its_name(last_share: Controller, name: str) -> None:
    last_share.rollback("wang", "", None, 100.0)
    with pytest.raises(RefusedError, match="release 1, which you saw in share:5000, is over"):
        getattr(last_share, name)("li", "", Seen(1, "share:5000"))
    last_share.start("v2", "ann")
    with pytest.raises(RefusedError, match="release 2 of v2 runs now, in admission, not release 1 as you saw"):
        getattr(last_share, name)("li", "", Seen(1, "share:5000"))


def test_a_promotion_over_a_pause_names_it_and_needs_to_say_so(world: World, last_share: Controller) -> None:
    last_share.pause("wang", "lunch")
    with pytest.raises(RefusedError, match=r"^paused by wang: lunch; accepted: promote --resume, or resume first$"):
        last_share.promote("li", "testers are content")
    moved = last_share.promote("li", "testers are content", resume=True)
    assert (moved.stage_name, moved.held, moved.held_by) == ("bake", None, None)
    events = [(each["kind"], each["payload"].get("by")) for each in world.store().release(1)["events"]]
    assert events == [("started", "ann"), ("pause_asked", "wang"), ("resume_asked", "li"), ("promote_asked", "li")]


def test_a_hold_of_huidus_own_needs_no_resume(last_share: Controller) -> None:
    release = last_share.view.fleet.release
    assert release is not None
    held = replace(release, held="something is odd: promote or roll back")
    last_share.view = replace(last_share.view, fleet=settled(last_share.view.fleet, held))
    assert last_share.promote("li", "it is fine").stage_name == "bake"


def test_the_record_of_a_promotion_names_who_took_which_step(world: World, last_share: Controller) -> None:
    last_share.promote("li", "testers are content")
    last_share.promote("wang", "month end")
    (row,) = world.store().releases()
    assert (row["outcome"], row["ended_at"]) == ("promoted", world.clock.time)
    assert row["reason"] == "promoted by wang: month end; share:5000 passed by li: testers are content"


def test_how_the_last_release_ended_is_known_until_the_next_begins(world: World, last_share: Controller) -> None:
    assert last_share.last_release is None
    last_share.rollback("li", "numbers are wrong", None, 100.0)
    for controller in (last_share, world.control()):
        assert controller.last_release == {
            "id": 1, "version": "v2", "outcome": "rolled_back", "reason": "rolled back by li: numbers are wrong",
            "ended_at": world.clock.time, "put_back": [],
        }  # fmt: skip


def test_a_version_put_back_is_told_beside_the_release_that_it_undid(world: World, last_share: Controller) -> None:
    for _ in range(2):
        last_share.promote("li", "sure")
    assert last_share.last_release is not None
    assert (last_share.last_release["outcome"], last_share.last_release["put_back"]) == ("promoted", [])
    last_share.tick()
    last_share.rollback("wang", "numbers are wrong", None, 101.0)
    found = last_share.last_release
    (back,) = found["put_back"]
    assert (back["release"], back["from"], back["to"], back["by"]) == (1, "v2", "v1", "wang")
    assert back["reason"] == "numbers are wrong"


def test_a_store_that_cannot_be_read_hides_how_it_ended_and_not_that_it_did(
    last_share: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_share.rollback("li", "", None, 100.0)

    def torn(_: int) -> dict[str, Any]:
        raise UnavailableError("the store cannot do it now: disk I/O error")

    monkeypatch.setattr(last_share._parts.store, "release", torn)
    found = last_share.last_release
    assert found is not None
    assert (found["id"], found["outcome"], found["reason"]) == (1, None, "the store cannot do it now: disk I/O error")
    monkeypatch.undo()
    assert last_share.last_release is not None
    assert last_share.last_release["outcome"] == "rolled_back"


def test_a_control_that_was_taken_over_changes_neither_the_record_nor_the_traffic(world: World) -> None:
    mine = world.store()
    first = world.control(mine)
    in_stage(first, "share:5000", mine)
    second = world.store()
    second.claim()
    before, swaps = first.view, len(world.gateway.swapped)
    for command in (
        lambda: first.promote("li", "sure"),
        lambda: first.pause("li", ""),
        lambda: first.rollback("li", "", None, 1.0),
        first.tick,
    ):
        with pytest.raises(TakenOverError):
            command()
    assert first.view == before
    assert len(world.gateway.swapped) == swaps
    assert [event["kind"] for event in second.release(1)["events"]] == ["started"]


# ------------------------------------------------------------------ what control sees is gone, late or wrong


@pytest.fixture
def first_share(world: World) -> Controller:
    """In the first share, with all the evidence that it asks for."""
    store = world.store()
    controller: Controller = world.control(store)
    in_stage(controller, "share:500", store)
    world.log.put(*lines(world.clock.time, {"v1": 400, "v2": 200}))
    world.ticks(controller, 1.0)
    assert alarms(controller) == set()
    return controller


def test_a_stage_goes_on_when_it_is_over_and_has_seen_enough(world: World, first_share: Controller) -> None:
    world.ticks(first_share, 58.0)
    assert running(first_share).stage_name == "share:500"
    world.ticks(first_share, 1.5)
    assert running(first_share).stage_name == "share:5000"
    routes = world.gateway.routes()
    assert routes is not None
    assert (routes.share_bp, routes.candidate, routes.release) == (5000, "v2", 1)


def _log_gone(world: World) -> None:
    world.log.fail("read")


def _log_in_trouble(world: World) -> None:
    world.log.trouble = "the gateway's log is gone"


def _gateway_silent(world: World) -> None:
    world.gateway.silent = True


def _lines_lost(world: World) -> None:
    world.log.stopped = True
    world.log.put(*lines(world.clock.time, {"v1": 20}, name="lost"))


BLINDNESS = [_log_gone, _log_in_trouble, _gateway_silent, _lines_lost]


@pytest.mark.parametrize("blind", BLINDNESS)
def test_evidence_that_stops_is_an_alarm_and_ends_the_share(
    world: World, first_share: Controller, blind: Callable[[World], None]
) -> None:
    blind(world)
    world.ticks(first_share, 5.0)
    assert alarms(first_share) == {"evidence_stalled"}
    assert running(first_share).share_bp == 500
    # However long it lasts: never back, never forward.
    world.ticks(first_share, 120.0)
    release = running(first_share)
    assert (release.stage_name, release.share_ended, release.held_by) == ("share:500", True, None)
    assert (release.held or "").startswith("the share has ended: the gateway's evidence has stopped: ")
    routes = world.gateway.routes()
    assert routes is not None
    # Who chose the candidate still has it.
    assert (routes.share_bp, routes.candidate) == (0, "v2")
    kinds = [event["kind"] for event in world.store().release(1)["events"] if event["kind"] != "look"]
    assert kinds == ["started", "alarm", "blinded"]


def test_a_share_that_ended_comes_back_when_a_person_says_so(world: World, first_share: Controller) -> None:
    world.log.fail("read")
    world.ticks(first_share, 20.0)
    del world.log.errors["read"]
    world.ticks(first_share, 10.0)
    assert (alarms(first_share), running(first_share).share_bp) == (set(), 0)
    first_share.resume("li", "the disk was full")
    world.ticks(first_share, 1.0)
    routes = world.gateway.routes()
    assert routes is not None
    assert (running(first_share).held, routes.share_bp) == (None, 500)


def test_a_candidate_that_fails_while_another_alarm_stands_is_rolled_back(
    world: World, first_share: Controller
) -> None:
    world.history.fail("corrections")
    world.ticks(first_share, 1.0)
    assert alarms(first_share) == {"source_unreadable"}
    bad = lines(world.clock.time, {"v2": 100}, name="bad", status=503)
    world.log.put(*lines(world.clock.time, {"v1": 400}, name="good"), *bad)
    world.ticks(first_share, 30.0)
    assert first_share.view.fleet.release is None
    assert (first_share.last_release or {})["outcome"] == "rolled_back"


@pytest.mark.parametrize(("part", "name"), [("history", "corrections"), ("runtime", "processes"), ("sockets", "after")])
def test_a_source_that_cannot_be_read_is_an_alarm_and_nothing_moves_forward(
    world: World, first_share: Controller, part: str, name: str
) -> None:
    getattr(world, part).fail(name)
    world.ticks(first_share, 90.0)
    assert alarms(first_share) == {"source_unreadable"}
    assert f"{name}: it does not answer" in first_share.view.alarms[0].detail
    # It says nothing about users: the share stays.
    assert (running(first_share).stage_name, running(first_share).share_bp) == ("share:500", 500)
    getattr(world, part).errors.clear()
    world.ticks(first_share, 1.0)
    assert (alarms(first_share), running(first_share).stage_name) == (set(), "share:5000")
    found = [(each["kind"], each["payload"].get("alarm")) for each in world.store().release(1)["events"]]
    assert [each for each in found if each[1]] == [("alarm", "source_unreadable"), ("alarm_over", "source_unreadable")]


def test_nothing_is_started_or_stopped_for_processes_that_cannot_be_seen(world: World, first_share: Controller) -> None:
    world.runtime.fail("processes")
    before = list(world.runtime.asked)
    world.ticks(first_share, 5.0)
    assert set(world.runtime.asked[len(before) :]) == {"processes"}
    assert set(first_share.processes) == {"v1", "v2"}
    # Nor by a control that has never seen any; and the way back needs none of it.
    again = world.control()
    world.ticks(again, 5.0)
    again.rollback("li", "", None, 1.0)
    world.ticks(again, 5.0)
    assert set(world.runtime.asked[len(before) :]) == {"processes"}
    routes = world.gateway.routes()
    assert routes is not None
    assert (routes.stable, routes.candidate) == ("v1", None)
    world.runtime.errors.clear()
    world.ticks(again, 1.0)
    assert set(world.runtime.running) == {"v1"}


def test_a_crash_that_was_not_seen_at_once_is_seen_later(world: World, first_share: Controller) -> None:
    world.runtime.fail("processes")
    world.runtime.crash("v2")
    world.ticks(first_share, 2.0)
    assert running(first_share).serving
    world.runtime.errors.clear()
    world.ticks(first_share, 0.5)
    assert first_share.view.fleet.release is None


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path, foreign=True)
    yield found
    found.close()


def looked(world: World, controller: Controller, seconds: float) -> None:
    """Goes on, and waits for what control does in the background."""
    for _ in range(round(seconds / 0.5)):
        world.ticks(controller, 0.5)
        for thread in (controller._gatherer._reached._looking, controller._gatherer._clips._asking):
            if thread is not None:
                thread.join(10)


def test_a_service_that_nobody_answers_at_is_not_admitted(foreign: World) -> None:
    controller = foreign.control()
    foreign.instance.gone.add("http://v2:80")
    with pytest.raises(RefusedError) as refused:
        controller.start("v2", "ann")
    assert str(refused.value) == (
        "v2 is not admitted: http://v2:80 refuses connections; accepted: a service that answers"
    )
    assert controller.view.fleet.release is None
    foreign.instance.gone.clear()
    assert controller.start("v2", "ann").id == 1


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_service_that_goes_away_is_an_alarm_for_as_long_as_it_is_away(foreign: World, version: str) -> None:
    store = foreign.store()
    controller = foreign.control(store)
    in_stage(controller, "share:500", store)
    foreign.log.put(*lines(foreign.clock.time, {"v1": 400, "v2": 200}))
    looked(foreign, controller, 5.0)
    assert (alarms(controller), {name: reach.answers for name, reach in controller.reached.items()}) == (
        set(),
        {"v1": True, "v2": True},
    )
    foreign.instance.gone.add(f"http://{version}:80")
    looked(foreign, controller, 7.0)
    assert alarms(controller) == {"unreachable"}
    assert controller.view.alarms[0].detail == f"{version} at http://{version}:80 refuses connections"
    looked(foreign, controller, 60.0)
    assert running(controller).stage_name == "share:500"
    foreign.instance.gone.clear()
    looked(foreign, controller, 5.0)
    assert (alarms(controller), running(controller).stage_name) == (set(), "share:5000")


def test_a_candidate_without_a_text_for_a_clip_takes_no_step(foreign: World, tmp_path: Path) -> None:
    store = foreign.store()
    controller = foreign.control(store)
    in_stage(controller, "share:500", store)
    foreign.clip = tmp_path / "clip.wav"
    foreign.instance.deaf["http://v2:80"] = Heard("", 200)
    foreign.log.put(*lines(foreign.clock.time, {"v1": 400, "v2": 200}))
    looked(foreign, controller, 15.0)
    assert alarms(controller) == {"no_text"}
    looked(foreign, controller, 60.0)
    assert running(controller).stage_name == "share:500"
    foreign.instance.deaf.clear()
    looked(foreign, controller, 5.0)
    assert (alarms(controller), running(controller).stage_name) == (set(), "share:5000")


# ------------------------------------------------------------------ clocks and restarts


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 400 * 86_400.0])
def test_a_clock_that_is_set_makes_no_stage_older_or_younger(
    world: World, first_share: Controller, seconds: float
) -> None:
    world.ticks(first_share, 9.0)
    before = running(first_share).watched_seconds
    world.clock.set_by(seconds)
    world.ticks(first_share, 20.0)
    assert running(first_share).watched_seconds == pytest.approx(before + 20.0)
    # Until it is known to be steady, nothing moves forward.
    assert alarms(first_share) == {"clock_jumped"}
    world.ticks(first_share, 39.5)
    assert running(first_share).stage_name == "share:500"
    world.ticks(first_share, 2.0)
    assert (alarms(first_share), running(first_share).stage_name) == (set(), "share:5000")


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_routes_that_a_set_clock_has_put_out_of_force_are_issued_anew(
    world: World, first_share: Controller, seconds: float
) -> None:
    world.clock.set_by(seconds)
    world.ticks(first_share, 1.0)
    routes = world.gateway.routes()
    assert routes is not None
    assert routes.issued_at is not None
    assert routes.expires_at is not None
    assert routes.issued_at <= world.clock.time < routes.expires_at
    assert routes.expires_at - routes.issued_at == 900.0


def test_a_share_whose_time_has_run_out_comes_back_only_to_a_candidate_that_can_serve(
    world: World, first_share: Controller
) -> None:
    world.ticks(first_share, 1.0)
    swaps = len(world.gateway.swapped)
    world.instance.gone.add(first_share.view.fleet.address("v2"))
    for seconds in (3600.0, -7200.0):
        world.clock.set_by(seconds)
        world.ticks(first_share, 5.0)
        assert len(world.gateway.swapped) == swaps
    world.instance.gone.clear()
    world.ticks(first_share, 1.0)
    assert len(world.gateway.swapped) == swaps + 1


def test_a_share_is_renewed_before_its_time_runs_out_and_not_at_every_tick(
    world: World, first_share: Controller
) -> None:
    swaps = len(world.gateway.swapped)
    first_share.pause("li", "a long look")
    world.ticks(first_share, 299.0, step=1.0)
    assert len(world.gateway.swapped) == swaps
    world.ticks(first_share, 5.0, step=1.0)
    assert len(world.gateway.swapped) == swaps + 1
    world.ticks(first_share, 290.0, step=1.0)
    assert len(world.gateway.swapped) == swaps + 1


def test_time_without_control_makes_no_stage_older(world: World, first_share: Controller) -> None:
    world.ticks(first_share, 28.0)
    before = running(first_share).watched_seconds
    # Killed: what it had not stored is forgotten.
    world.clock.go_on(7200.0)
    again = world.control()
    kept = running(again).watched_seconds
    assert before - 5.5 <= kept <= before
    world.ticks(again, 0.5)
    assert running(again).watched_seconds == kept
    world.ticks(again, 1.0)
    assert running(again).watched_seconds == pytest.approx(kept + 1.0)


def test_a_control_that_slept_between_two_ticks_has_watched_little(world: World, first_share: Controller) -> None:
    before = running(first_share).watched_seconds
    world.ticks(first_share, 3600.0, step=3600.0)
    assert running(first_share).watched_seconds <= before + 5.0


def test_each_release_draws_its_users_anew_and_a_restart_keeps_them(world: World, last_share: Controller) -> None:
    last_share.tick()
    salts = [routes.salt for routes in world.gateway.swapped if routes.candidate]
    assert set(salts) == {running(last_share).salt} != {""}
    again = world.control()
    world.ticks(again, 1.0)
    assert running(again).salt == salts[0]
    again.rollback("li", "", None, 1.0)
    assert again.start("v2", "ann").salt != salts[0]
    routes = world.gateway.routes()
    assert routes is not None
    assert (routes.salt, routes.issued_at) == ("", None)


def test_generations_never_fall_behind_those_of_the_release(world: World, first_share: Controller) -> None:
    first_share.rollback("li", "", None, 1.0)
    for _ in range(5):
        world.ticks(first_share, 1.0)
        first_share.start("v2", "ann")
        world.ticks(first_share, 1.0)
        first_share.rollback("li", "", None, 1.0)
    first_share.start("v2", "ann")
    release = running(first_share)
    assert release.generation > 10
    # Somebody cleaned up.
    world.gateway.swapped.clear()
    world.ticks(first_share, 1.0)
    routes = world.gateway.routes()
    assert routes is not None
    assert routes.generation > release.generation


def test_versions_that_were_left_are_given_their_time_by_a_steady_clock(world: World, last_share: Controller) -> None:
    world.ticks(last_share, 1.0)
    world.gateway.busy["v2"] = 3
    last_share.rollback("li", "", None, 1.0)
    world.clock.set_by(86_400.0)
    world.ticks(last_share, 5.0)
    assert "v2" in world.runtime.running
    world.ticks(last_share, 3700.0, step=100.0)
    assert "v2" not in world.runtime.running


# ------------------------------------------------------------------ what is recorded


def counted(store: SqlStore, release: int = 1) -> dict[str, tuple[int, int]]:
    """Requests and bad ones by version, as the store holds them."""
    sums = fold(store.evidence(release), "share:500")
    return {name: (sums.of(name).requests, sums.of(name).bad) for name in ("v1", "v2")}


def test_a_second_control_adds_nothing_and_counts_nothing_twice(world: World) -> None:
    first_store, second_store = world.store(), world.store()
    first = world.control(first_store)
    in_stage(first, "share:500", first_store)
    world.log.put(*lines(world.clock.time, {"v1": 40, "v2": 20}, name="one"))
    world.ticks(first, 0.5)
    second = world.control(second_store)
    second_store.claim()
    # Both read on from the same place, at boundaries of their own.
    world.log.put(*lines(world.clock.time, {"v1": 7, "v2": 3}, name="two"))
    with pytest.raises(TakenOverError):
        world.ticks(first, 0.5)
    world.log.put(*lines(world.clock.time, {"v1": 5, "v2": 5}, name="three"))
    world.ticks(second, 0.5)
    with pytest.raises(TakenOverError):
        world.ticks(first, 0.5)
    world.log.put(*lines(world.clock.time, {"v1": 1}, name="four"))
    world.ticks(second, 0.5)
    assert counted(world.store()) == {"v1": (53, 0), "v2": (28, 0)}


def correction(number: int, release: int) -> Recognition:
    return Recognition(
        id=number, created_time=1.0, filename="a", raw_text="一千零八十六", corrected_text="一零零八六", version="v2",
        fingerprint="f", request_id=f"r{number}", attempt=1, answered=True, purpose="live", engine="e", device="cpu",
        audio_seconds=1.0, decode_ms=1.0, audio_sha256=f"{number:064x}", release_id=release, rule="share",
        unit="0" * 16,
    )  # fmt: skip


def test_what_was_gathered_for_a_release_is_not_counted_for_the_next(world: World, first_share: Controller) -> None:
    """A source that hangs is slow to answer; commands do not wait for it."""
    world.history.rows = [correction(1, 1)]

    def meanwhile() -> None:
        world.history.meanwhile = lambda: None
        first_share.rollback("li", "", None, 1.0)
        first_share.start("v2", "ann")

    world.history.meanwhile = meanwhile
    world.ticks(first_share, 0.5)
    assert running(first_share).id == 2
    assert world.store().evidence(2) == []
    assert [row.kind for row in world.store().evidence(1) if row.kind is Kind.TEXT] == []


def test_lines_of_an_older_release_of_the_same_number_are_none_of_this_one(world: World) -> None:
    """The store is new; the gateway's folder and log are not."""
    old = world.control()
    for _ in range(3):
        old.start("v2", "ann")
        world.ticks(old, 1.0)
        old.rollback("li", "", None, 1.0)
        world.ticks(old, 1.0)
    routes = world.gateway.routes()
    assert routes is not None
    world.close()
    for path in world.data.iterdir():
        if path.name.startswith("history.db"):
            path.unlink()
    world.log.put(*lines(world.clock.time, {"v1": 30, "v2": 30}, name="old", generation=routes.generation - 1))
    # Routes of an earlier Huidu do not say how many releases there were.
    world.gateway.swapped[-1] = replace(routes, ended=None)
    store = world.store()
    new = world.control(store)
    in_stage(new, "share:500", store)
    generation = running(new).generation
    assert generation == routes.generation
    world.log.put(*lines(world.clock.time, {"v1": 4, "v2": 2}, name="new", generation=generation + 2))
    world.ticks(new, 1.0)
    assert counted(store) == {"v1": (4, 0), "v2": (2, 0)}


def test_a_release_of_the_present_version_keeps_its_users_after_an_upgrade(world: World) -> None:
    """Releases stored before salts were random draw by their number."""
    store = world.store()
    controller = world.control(store)
    in_stage(controller, "share:500", store)
    old = replace(running(controller), salt="", generation=0)
    store.record(settled(controller.view.fleet, old), Record(old))
    again = world.control()
    world.ticks(again, 1.0)
    routes = world.gateway.routes()
    assert routes is not None
    assert routes.bucket_salt == "r1"


def test_the_golden_set_is_heard_once_whatever_the_store_does(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.plan = Plan((Golden("set.tsv", Undecided.GO_ON), *world.plan.stages))
    found = [Utterance(f"u{number}", Path("a"), "一", "s", "", "", 1.0) for number in range(4)]
    store = world.store()
    parts = replace(world.parts(store), read_set=lambda path: TestSet("set", tuple(found)))
    controller = Controller(parts, world.config())
    controller.start("v2", "ann")
    world.ticks(controller, 0.5)
    run = controller._live.golden
    assert run is not None
    assert run._thread is not None
    run._thread.join(10)

    def full(*_: Any, **__: Any) -> None:
        raise UnavailableError("disk is full")

    with monkeypatch.context() as for_now:
        for_now.setattr(store, "record", full)
        # Not even past a set that passed: a step forward is recorded first.
        world.ticks(controller, 3.0)
        assert (running(controller).stage_name, alarms(controller)) == ("golden", {"store_unwritable"})
    world.ticks(controller, 1.0)
    assert running(controller).stage_name == "share:500"
    assert sum(row.kind is Kind.GOLDEN for row in store.evidence(1)) == 4
