"""Control over a store that refuses, is lost, or was exchanged: everybody can go back, nothing is counted twice."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import RefusingStore, World, in_stage, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.store.opened import connect
from huidu.control.controller import Controller
from huidu.control.replay import replay
from huidu.core import backlog
from huidu.core.errors import BusyError, UnavailableError
from huidu.core.evidence import Kind, fold
from huidu.core.release import Release
from huidu.core.routes import Routes
from huidu.core.spool import Head

LOCKED = UnavailableError("the store cannot do it now: database is locked")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.close()


@pytest.fixture
def store(world: World) -> RefusingStore:
    return world.refusing()


@pytest.fixture
def share(world: World, store: RefusingStore) -> Controller:
    """At 5 %, with the evidence that the stage asks for."""
    controller: Controller = world.control(store)
    in_stage(controller, "share:500", store)
    world.log.put(*lines(world.clock.time, {"v1": 400, "v2": 200}))
    world.ticks(controller, 1.0)
    return controller


def running(controller: Controller) -> Release:
    release = controller.view.fleet.release
    assert release is not None
    return release


def alarms(controller: Controller) -> set[str]:
    return {alarm.kind.value for alarm in controller.view.alarms}


def routes_of(world: World) -> Routes:
    found: Routes | None = world.gateway.routes()
    assert found is not None
    return found


def fails(world: World, count: int = 100) -> None:
    bad = lines(world.clock.time, {"v2": count}, name=f"bad{world.clock.time}", status=503)
    world.log.put(*lines(world.clock.time, {"v1": 4 * count}, name=f"good{world.clock.time}"), *bad)


def kinds(store: Any, release: int = 1) -> list[str]:
    return [event["kind"] for event in store.release(release)["events"] if event["kind"] != "look"]


# ------------------------------------------------------------------ back needs no store


def test_a_failing_candidate_is_gone_while_the_store_refuses_and_recorded_once_it_takes_it(
    world: World, store: RefusingStore, share: Controller
) -> None:
    store.refuses = LOCKED
    fails(world)
    world.ticks(share, 25.0)
    assert share.view.fleet.release is None
    assert (routes_of(world).candidate, routes_of(world).ended) == (None, 1)
    assert alarms(share) == {"store_unwritable"}
    # How it ended is known, though no store holds it.
    shown = share.last_release
    assert shown is not None
    assert (shown["id"], shown["outcome"]) == (1, "rolled_back")
    assert store.releases()[0]["outcome"] is None
    store.refuses = None
    world.ticks(share, 1.0)
    assert (alarms(share), share.unrecorded) == (set(), None)
    (row,) = store.releases()
    assert (row["outcome"], row["guard"]) == ("rolled_back", "errors")
    assert kinds(store) == ["started", "failed"]
    sums = fold(store.evidence(1), "share:500")
    assert (sums.of("v1").requests, sums.of("v2").requests, sums.of("v2").bad) == (800, 300, 100)
    assert replay(store.release(1), store.evidence(1))["agree"]


@pytest.mark.parametrize("disk_full", [False, True])
def test_a_person_gets_everybody_back_while_the_store_refuses(
    world: World, store: RefusingStore, share: Controller, disk_full: bool
) -> None:
    store.refuses = LOCKED
    if disk_full:
        world.gateway.fail("swap", "no space left on the disk")
    answer = share.rollback("li", "wrong numbers", None, 1.0)
    assert (answer["to"], routes_of(world).candidate, routes_of(world).ended) == ("v1", None, 1)
    assert world.gateway.fence_number == int(disk_full)
    # A control that dies now is followed by one that adopts it, and never renews the share.
    again = world.control(world.store())
    assert again.view.fleet.release is None or disk_full
    world.gateway.errors.clear()
    world.ticks(again, 2.0)
    assert again.view.fleet.release is None
    assert routes_of(world).candidate is None
    (row,) = world.store().releases()
    assert row["outcome"] == "rolled_back"
    said = "rolled back while control did not answer" if disk_full else "rolled back before it could be recorded"
    assert row["reason"] == said


def test_what_a_person_did_meanwhile_is_recorded_with_name_and_reason(
    world: World, store: RefusingStore, share: Controller
) -> None:
    store.refuses = LOCKED
    share.rollback("li", "wrong numbers", None, 1.0)
    world.ticks(share, 5.0)
    store.refuses = None
    world.ticks(share, 1.0)
    (row,) = store.releases()
    assert (row["outcome"], row["reason"]) == ("rolled_back", "rolled back by li: wrong numbers")
    assert kinds(store) == ["started", "rollback_asked"]


@pytest.mark.parametrize("disk_full", [False, True])
def test_after_a_promotion_too(world: World, store: RefusingStore, share: Controller, disk_full: bool) -> None:
    for _ in range(4):
        if share.view.fleet.release is not None:
            share.promote("li", "sure")
    world.ticks(share, 1.0)
    assert share.view.fleet.stable == "v2"
    store.refuses = LOCKED
    if disk_full:
        world.gateway.fail("swap", "no space left on the disk")
    share.rollback("wang", "wrong numbers", None, 1.0)
    assert (routes_of(world).stable, routes_of(world).candidate) == ("v1", None)
    world.gateway.errors.clear()
    again = world.control(world.store())
    world.ticks(again, 2.0)
    assert (again.view.fleet.stable, routes_of(world).stable) == ("v1", "v1")
    shown = again.last_release
    assert shown is not None
    (back,) = shown["put_back"]
    assert (back["from"], back["to"], back["without_control"]) == ("v2", "v1", disk_full)


@pytest.mark.parametrize("disk_full", [False, True])
def test_evidence_that_stops_ends_the_share_while_the_store_refuses(
    world: World, store: RefusingStore, share: Controller, disk_full: bool
) -> None:
    store.refuses = LOCKED
    if disk_full:
        world.gateway.fail("swap", "no space left on the disk")
    world.log.fail("read")
    for _ in range(40):
        # Who chose the candidate is to have it again, once there is room: that is tried.
        with suppress(UnavailableError):
            world.ticks(share, 0.5)
    assert (running(share).share_ended, routes_of(world).share_bp) == (True, 0)
    assert (routes_of(world).candidate is None) == disk_full
    world.gateway.errors.clear()
    again = world.control(world.store())
    world.ticks(again, 2.0)
    if disk_full:
        assert again.view.fleet.release is None
    else:
        assert (running(again).share_ended, running(again).held) == (
            True,
            "the share has ended before it could be recorded",
        )
    assert routes_of(world).share_bp == 0


def test_a_resumed_share_is_not_ended_again(world: World, store: RefusingStore, share: Controller) -> None:
    world.log.fail("read")
    world.ticks(share, 20.0)
    world.log.errors.clear()
    world.ticks(share, 10.0)
    assert routes_of(world).ended == 1
    share.resume("li", "the disk was full")
    assert (routes_of(world).ended, routes_of(world).share_bp) == (0, 500)
    again = world.control()
    world.ticks(again, 1.0)
    assert running(again).share_bp == 500


def test_no_routes_and_no_roll_back_is_said_and_tried_again(
    world: World, store: RefusingStore, share: Controller
) -> None:
    world.gateway.fail("swap", "no space left on the disk")
    world.gateway.fail("go_back", "its folder is gone")
    with pytest.raises(UnavailableError):
        share.rollback("li", "", None, 1.0)
    world.gateway.errors.clear()
    world.ticks(share, 0.5)
    assert (share.view.fleet.release, routes_of(world).candidate) == (None, None)


# ------------------------------------------------------------------ forward needs it


@pytest.mark.parametrize("name", ["promote", "pause", "resume", "start"])
def test_every_other_command_is_refused_and_changes_nothing(
    world: World, store: RefusingStore, share: Controller, name: str
) -> None:
    if name == "resume":
        share.pause("wang", "lunch")
    if name == "start":
        share.rollback("wang", "", None, 1.0)
    view, swaps = share.view, len(world.gateway.swapped)
    store.refuses = LOCKED
    with pytest.raises(UnavailableError, match="database is locked"):
        share.start("v2", "li") if name == "start" else getattr(share, name)("li", "sure")
    assert (share.view, len(world.gateway.swapped)) == (view, swaps)


def test_no_stage_is_passed_while_the_store_refuses(world: World, store: RefusingStore, share: Controller) -> None:
    world.ticks(share, 50.0)
    store.refuses = LOCKED
    world.ticks(share, 60.0)
    assert (running(share).stage_name, routes_of(world).share_bp) == ("share:500", 500)
    found = share.unrecorded
    assert found is not None
    assert (found["seconds"] > 55, found["reason"]) == (True, str(LOCKED))
    store.refuses = None
    world.ticks(share, 1.0)
    assert running(share).stage_name == "share:5000"


def test_a_lock_that_lasts_no_longer_than_a_moment_is_no_alarm(
    world: World, store: RefusingStore, share: Controller
) -> None:
    for _ in range(5):
        store.refuses = LOCKED
        world.log.put(*lines(world.clock.time, {"v1": 10, "v2": 5}, name=f"m{world.clock.time}"))
        world.ticks(share, 1.0)
        store.refuses = None
        world.ticks(share, 1.0)
        assert "store_unwritable" not in alarms(share)
    said = [event["payload"].get("alarm") for event in store.release(1)["events"]]
    assert "store_unwritable" not in said


# ------------------------------------------------------------------ what waits


def test_what_cannot_be_kept_stays_in_the_log_and_the_share_ends(
    world: World, store: RefusingStore, share: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "FULL_COUNTS", 2000)
    store.refuses = LOCKED
    for _ in range(60):
        world.log.put(*lines(world.clock.time, {"v1": 40, "v2": 20}, name=f"m{world.clock.time}"))
        world.ticks(share, 1.0)
    assert share.journal.full
    waited = share.journal.waiting
    assert alarms(share) == {"store_unwritable", "evidence_stalled"}
    assert running(share).share_ended
    world.ticks(share, 10.0)
    assert share.journal.waiting == waited
    store.refuses = None
    world.ticks(share, 12.0)
    sums = fold(store.evidence(1), "share:500")
    assert (sums.of("v1").requests, sums.of("v2").requests) == (400 + 60 * 40, 200 + 60 * 20)
    assert alarms(share) == set()


def test_a_record_that_was_written_though_nobody_could_tell_is_not_doubled(
    world: World, store: RefusingStore, share: Controller
) -> None:
    write, failing = store.record, [True]

    def unsure(*step: Any, **how: Any) -> None:
        write(*step, **how)
        if failing:
            raise UnavailableError("the store cannot do it now: disk I/O error")

    store.record = unsure
    share.rollback("li", "", None, 1.0)
    failing.clear()
    world.ticks(share, 1.0)
    assert kinds(store) == ["started", "rollback_asked"]


def test_a_store_that_goes_on_refusing_slowly_is_not_asked_at_every_tick(
    world: World, store: RefusingStore, share: Controller
) -> None:
    asked = []

    def slowly(*_: Any, **__: Any) -> None:
        asked.append(world.clock.steady)
        world.clock.go_on(0.4)
        raise LOCKED

    store.record = slowly
    world.log.put(*lines(world.clock.time, {"v1": 4}, name="m"))
    world.ticks(share, 20.0)
    # For the first seconds somebody may hold the lock for moments only.
    assert len([at for at in asked if at > asked[0] + 5.0]) <= 4


def test_a_command_waits_for_a_store_that_is_busy_for_a_moment(
    world: World, store: RefusingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("huidu.control.controller.time.sleep", pauses.append)
    record, busy = store.record, [2]

    def at_first(*given: Any, **named: Any) -> None:
        if busy[0]:
            busy[0] -= 1
            raise BusyError("the store cannot do it now: database is locked")
        record(*given, **named)

    control = world.control(store)
    store.record = at_first
    assert control.start("v2", "li").candidate == "v2"
    assert len(pauses) == 2
    busy[0] = 99
    with pytest.raises(BusyError):
        control.pause("li", "")


actions = st.lists(st.sampled_from(["lines", "bad", "refuse", "take", "kill", "tick", "tick"]), max_size=14)


@given(actions)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_store_refuses_in_between_the_record_is_the_same_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, todo: list[str]
) -> None:
    found = []
    for failing in (True, False):
        world = World(tmp_path_factory.mktemp("world"))
        try:
            found.append(_played(world, todo, failing))
        finally:
            world.close()
    assert found[0] == found[1]


def _played(world: World, todo: list[str], failing: bool) -> Any:
    store = world.refusing()
    controller = world.control(store)
    in_stage(controller, "share:500", store)
    for number, action in enumerate([*todo, "take", "tick", "tick"]):
        if action == "lines":
            world.log.put(*lines(world.clock.time, {"v1": 3, "v2": 2}, name=f"n{number}"))
        elif action == "bad":
            world.log.put(*lines(world.clock.time, {"v1": 1}, name=f"b{number}", status=503))
        elif action == "refuse" and failing:
            store.refuses = LOCKED
        elif action == "take":
            store.refuses = None
        elif action == "kill" and failing:
            refuses = store.refuses
            store = world.refusing()
            controller = world.control(store)
            store.refuses = refuses
        world.ticks(controller, 0.5)
    rows = store.evidence(1)
    sums = fold(rows, "share:500")
    assert controller.view.rows == len(rows)
    bad = sorted(row.key for row in rows if row.kind is Kind.BAD)
    return sums.versions, bad, running(controller).stage_name, [row["outcome"] for row in store.releases()]


# ------------------------------------------------------------------ a store that is gone, damaged, or another


def _zeroed(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _deleted(file: Path) -> None:
    for path in file.parent.glob("history.db*"):
        if not path.name.endswith(".lock"):
            path.unlink()


def _halved(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2 // 4096 * 4096)


def _exchanged(file: Path) -> None:
    """By the database of somebody who has none of what control wrote."""
    from huidu.adapters.store.database import open_database

    _deleted(file)
    open_database(file.parent, migrate=False).dispose()


LOSSES = [_zeroed, _emptied, _deleted, _halved, _exchanged]


@pytest.fixture
def whole(world: World, share: Controller) -> Path:
    """The database with nothing in the log beside it."""
    file: Path = world.data / "history.db"
    with closing(connect(file, 1.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return file


def _looked_at_now(world: World) -> None:
    """Real time has hardly gone on."""
    for engine in world.engines:
        engine.get_execution_options()["huidu_opened"]._look_at = 0.0


@pytest.mark.parametrize("lose", LOSSES)
def test_a_store_that_is_lost_begins_anew_with_what_control_knows(
    world: World, share: Controller, whole: Path, lose: Callable[[Path], None]
) -> None:
    before, looks = share.view, share.view.watch.looks
    lose(whole)
    for _ in range(8):
        _looked_at_now(world)
        world.ticks(share, 0.5)
    assert (alarms(share), share.unrecorded) == (set(), None)
    kept = [path.name for path in world.data.glob("history.db.damaged-*")]
    assert (kept != []) == (lose in (_zeroed, _emptied, _halved))
    # Verdicts go on, and nobody on either side was moved.
    fails(world)
    world.ticks(share, 1.0)
    assert routes_of(world).share_bp == 500
    again = world.control(world.store())
    assert running(again).salt == running(share).salt
    assert again.view.sums == share.view.sums
    assert again.view.rows == share.view.rows
    assert again.view.watch.looks >= looks
    assert again.view.sums["share:500"].of("v1").requests == before.sums["share:500"].of("v1").requests + 400
    world.ticks(again, 25.0)
    assert again.view.fleet.release is None
    store = world.store()
    (row,) = store.releases()
    assert (row["started_by"], row["outcome"], row["guard"]) == ("ann", "rolled_back", "errors")
    events = store.release(1)["events"]
    assert [event["kind"] for event in events if event["kind"] not in ("look", "alarm", "alarm_over")] == [
        "started",
        "store_lost",
        "failed",
    ]
    (said,) = [event["payload"]["reason"] for event in events if event["kind"] == "store_lost"]
    assert "history.db" in said
    assert all(name in said for name in kept if not name.endswith(("-wal", "-shm")))
    assert replay(store.release(1), store.evidence(1))["agree"]


def test_a_history_that_alone_is_damaged_is_found_by_what_waits_for_it(
    world: World, store: RefusingStore, share: Controller, whole: Path
) -> None:
    """Control's own tables are whole: it would go on as if nothing were, and the spools would fill."""
    with closing(connect(whole, 1.0)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'recognition_history'"
        page, size = connection.execute(query).fetchone()[0], connection.execute("PRAGMA page_size").fetchone()[0]
    with whole.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    waiting = replace(world.parts(store), spooled=lambda: [Head("v1", first=4, last=9)])
    controller = Controller(waiting, world.config())
    world.ticks(controller, 25.0)
    kept = [path.name for path in world.data.glob("history.db.damaged-*")]
    assert kept != []
    assert running(controller).salt == running(share).salt
    assert kinds(world.store())[-1] == "store_lost"
    world.ticks(controller, 150.0)
    assert [path.name for path in world.data.glob("history.db.damaged-*")] == kept


@pytest.mark.parametrize("lose", LOSSES)
def test_a_control_that_begins_without_its_store_goes_by_the_routes_and_never_by_the_file(
    world: World, share: Controller, whole: Path, lose: Callable[[Path], None]
) -> None:
    from huidu.wire import make_store

    for _ in range(4):
        if share.view.fleet.release is not None:
            share.promote("li", "sure")
    world.ticks(share, 1.0)
    share.start("v0", "li")
    world.ticks(share, 2.0)
    assert (routes_of(world).stable, routes_of(world).candidate, routes_of(world).release) == ("v2", "v0", 2)
    generation = routes_of(world).generation
    world.close()
    with closing(connect(whole, 1.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    lose(whole)
    store = make_store(world.data)
    world.engines.append(store._engine)
    again = world.control(store)
    assert again.config.stable == "v1"
    assert (again.view.fleet.stable, again.view.fleet.release, again.view.fleet.last_release) == ("v2", None, 2)
    world.ticks(again, 1.0)
    assert (routes_of(world).stable, routes_of(world).candidate) == ("v2", None)
    assert routes_of(world).generation > generation
    (row,) = store.releases()
    assert (row["id"], row["outcome"]) == (2, "rolled_back")
    assert row["reason"].startswith("rolled back: its record is lost (")
    assert kinds(store, 2) == ["store_lost"]
    assert again.start("v0", "li").id == 3


def test_a_locked_store_is_never_taken_for_a_damaged_one(world: World, share: Controller, whole: Path) -> None:
    with closing(connect(whole, 1.0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fails(world, 1)
        world.ticks(share, 10.0)
        assert alarms(share) == {"store_unwritable"}
        assert share.journal.loss() is None
        other.execute("ROLLBACK")
    world.ticks(share, 1.0)
    assert (alarms(share), list(world.data.glob("*damaged*"))) == (set(), [])


def test_an_earlier_copy_is_gone_on_with_and_the_log_read_again(world: World, share: Controller, whole: Path) -> None:
    copy = whole.read_bytes()
    world.log.put(*lines(world.clock.time, {"v1": 7, "v2": 3}, name="since"))
    world.ticks(share, 1.0)
    before = share.view.sums
    _deleted(whole)
    whole.write_bytes(copy)
    world.ticks(share, 5.0)
    assert (alarms(share), share.unrecorded) == (set(), None)
    assert share.view.sums == before
    assert fold(world.store().evidence(1), "share:500").of("v1").requests == 407


def test_a_new_store_waits_for_room_and_leaves_everything_as_it_is(
    world: World, share: Controller, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> str:
        raise UnavailableError("history.db cannot be made anew: No space left on device")

    _deleted(whole)
    with monkeypatch.context() as for_now:
        for_now.setattr("huidu.adapters.store.releases.begin_again", full)
        world.ticks(share, 10.0)
        fails(world)
        world.ticks(share, 25.0)
    assert share.view.fleet.release is None
    world.ticks(share, 1.0)
    (row,) = world.store().releases()
    assert (row["outcome"], row["guard"], row["started_by"]) == ("rolled_back", "errors", "ann")


def test_a_roll_back_is_answered_at_once_whatever_holds_the_store(world: World, share: Controller, whole: Path) -> None:
    from huidu.adapters.store.database import open_database

    world.engines.append(open_database(world.data, migrate=False, busy_seconds=0.1))
    share._parts.store._engine = world.engines[-1]  # type: ignore[attr-defined]
    with closing(connect(whole, 1.0)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ticks = threading.Thread(target=world.ticks, args=(share, 2.5))
        ticks.start()
        began = time.monotonic()
        share.rollback("li", "", None, 1.0)
        took = time.monotonic() - began
        ticks.join()
        assert routes_of(world).candidate is None
        other.execute("ROLLBACK")
    assert took < 1.0
