"""Commands over a real store, with a gateway and a machine that do as they are told."""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from huidu.adapters.store.database import open_database
from huidu.adapters.store.releases import SqlStore
from huidu.control.controller import Config, Controller, Parts
from huidu.core.audience import Audience
from huidu.core.errors import HuiduError, RefusedError, TakenOverError, UnavailableError
from huidu.core.plan import Plan, Rules, Share
from huidu.core.record import Record
from huidu.core.release import Event, Phase, Seen, advance, settled
from huidu.core.routes import Routes
from huidu.core.testset import TestSet
from huidu.core.version import Version
from huidu.ports import GatewayLog, History, Process

PLAN = Plan((Share(500, 60.0), Share(5000, 60.0), Share(10_000, 60.0)))


@dataclass
class StillClock:
    time: float = 100.0

    def now(self) -> float:
        return self.time


@dataclass
class FakeGateway:
    """Puts everything in force at once."""

    swapped: list[Routes] = field(default_factory=list)

    def swap(self, routes: Routes, fence: int) -> None:
        self.swapped.append(routes)

    def refresh(self) -> None:
        """Nothing beside the routes."""

    def fence(self) -> int:
        return 0

    def routes(self) -> Routes | None:
        return self.swapped[-1] if self.swapped else None

    def applied(self, generation: int, wait_seconds: float) -> bool:
        return True

    def in_flight(self, version: str) -> int:
        return 0


@dataclass
class FakeRuntime:
    running: set[str] = field(default_factory=set)

    def start(self, version: Version, address: str) -> None:
        self.running.add(version.name)

    def stop(self, version: str) -> None:
        self.running.discard(version)

    def processes(self) -> dict[str, Process]:
        return {name: Process(name, "running", 7, 0.0, 10**6) for name in self.running}

    def free_memory_bytes(self) -> int:
        return 10**12

    def free_address(self, host: str, first_port: int, taken: Collection[str]) -> str:
        return next(f"{host}:{port}" for port in range(first_port, 65536) if f"{host}:{port}" not in taken)


class FakeInstance:
    def ready(self, address: str) -> bool:
        return True

    def transcribe(self, address: str, audio: Path, request_id: str) -> str:
        return "一"

    def trust(self, authorities: Collection[str]) -> None:
        """Everybody is trusted."""

    def move_streams(self, address: str) -> int:
        return 0


def no_set(path: Path) -> TestSet:
    raise AssertionError(f"no golden stage asks for {path}")


@dataclass
class World:
    data: Path
    gateway: FakeGateway = field(default_factory=FakeGateway)
    runtime: FakeRuntime = field(default_factory=FakeRuntime)
    clock: StillClock = field(default_factory=StillClock)
    engines: list[Engine] = field(default_factory=list)

    def store(self) -> SqlStore:
        self.engines.append(open_database(self.data, migrate=True))
        return SqlStore(self.engines[-1])

    def control(self, store: SqlStore | None = None) -> Controller:
        versions = {name: Version(name, model=f"models/{name}") for name in ("v0", "v1", "v2")}
        config = Config(versions, "v1", Audience(), PLAN, Rules(), 900.0, 0, ("127.0.0.1", 7860))
        parts = Parts(
            store=store or self.store(),
            # Commands ask neither.
            history=cast("History", None),
            log=cast("GatewayLog", None),
            gateway=self.gateway,
            runtime=self.runtime,
            instance=FakeInstance(),
            clock=self.clock,
            check=lambda version: None,
            read_set=no_set,
        )
        return Controller(parts, config)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    for engine in found.engines:
        engine.dispose()


def in_stage(controller: Controller, stage: str, store: SqlStore) -> None:
    """Starts a release of v2, which passes its stages up to this one as if by evidence."""
    controller.start("v2", "ann", "new words")
    while (release := controller.view.fleet.release) is not None and release.stage_name != stage:
        event = Event.ADMITTED if release.phase is Phase.ADMISSION else Event.STAGE_PASSED
        moved = advance(release, event, 100.0)
        controller.view = replace(controller.view, fleet=settled(controller.view.fleet, moved))
        store.record(controller.view.fleet, Record(moved))


@pytest.fixture
def last_share(world: World) -> Controller:
    store = world.store()
    controller = world.control(store)
    in_stage(controller, "share:5000", store)
    return controller


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
    held = replace(release, held="something is odd: promote or roll back", held_at=100.0)
    last_share.view = replace(last_share.view, fleet=settled(last_share.view.fleet, held))
    assert last_share.promote("li", "it is fine").stage_name == "bake"


def test_the_record_of_a_promotion_names_who_took_which_step(world: World, last_share: Controller) -> None:
    last_share.promote("li", "testers are content")
    last_share.promote("wang", "month end")
    (row,) = world.store().releases()
    assert (row["outcome"], row["ended_at"]) == ("promoted", 100.0)
    assert row["reason"] == "promoted by wang: month end; share:5000 passed by li: testers are content"


def test_how_the_last_release_ended_is_known_until_the_next_begins(world: World, last_share: Controller) -> None:
    assert last_share.last_release is None
    last_share.rollback("li", "numbers are wrong", None, 100.0)
    for controller in (last_share, world.control()):
        assert controller.last_release == {
            "id": 1, "version": "v2", "outcome": "rolled_back", "reason": "rolled back by li: numbers are wrong",
            "ended_at": 100.0, "put_back": [],
        }  # fmt: skip


def test_a_version_put_back_is_told_beside_the_release_that_it_undid(world: World, last_share: Controller) -> None:
    for _ in range(2):
        last_share.promote("li", "sure")
    assert last_share.last_release is not None
    assert (last_share.last_release["outcome"], last_share.last_release["put_back"]) == ("promoted", [])
    last_share._live.processes = world.runtime.processes()
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
    ):
        with pytest.raises(TakenOverError):
            command()
    assert first.view == before
    assert len(world.gateway.swapped) == swaps
    assert [event["kind"] for event in second.release(1)["events"]] == ["started"]
