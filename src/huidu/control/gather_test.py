"""What a tick gathers from sources that are there, gone, late or wrong."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import World, lines

from huidu.control.decide import Gathered, View
from huidu.control.gather import Gatherer
from huidu.core.alarms import AlarmKind
from huidu.core.plan import Rules
from huidu.core.release import Event, Fleet, advance, begin, placed, settled
from huidu.core.sockets import SocketReport


class Site:
    """A gatherer that goes on from what it gathered, as control does once it is recorded."""

    def __init__(self, world: World):
        self.world = world
        self.parts = world.parts()
        self.gatherer = Gatherer(self.parts)
        self.checkpoint: dict[str, Any] | None = None
        self.view = View(Fleet("v1", addresses=(("v1", "h:1"),)))
        self.texts: set[int] = set()

    def tick(self, seconds: float = 0.5) -> Gathered:
        self.world.clock.go_on(seconds)
        found = self.gatherer.gather(self.view, self.world.config(), self.checkpoint, self.texts, None)
        self.checkpoint = found.checkpoint
        return found

    def restarted(self) -> "Site":
        again = Site(self.world)
        again.checkpoint, again.view = self.checkpoint, self.view
        return again

    def serve(self) -> None:
        """A release in its first share."""
        release = begin(1, "v2", "v1", self.world.plan, Rules(), self.world.clock.time)
        release = advance(release, Event.ADMITTED, self.world.clock.time)
        self.view = View(settled(placed(self.view.fleet, "v2", "h:2"), release))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = World(tmp_path)
    yield Site(world)
    world.close()


def kinds(found: Gathered) -> set[AlarmKind]:
    return {alarm.kind for alarm in found.alarms}


def put(site: Site, count: int, name: str) -> None:
    site.world.log.put(*lines(site.world.clock.time, {"v1": count}, name=name))


def test_new_lines_come_once_and_are_named_by_the_place_they_were_read_from(site: Site) -> None:
    put(site, 7, "a")
    first, second = site.tick(), site.tick()
    assert (len(first.observations), first.read_from) == (7, "0.0")
    assert (len(second.observations), second.read_from) == (0, "700.0")
    put(site, 2, "b")
    assert (len(site.tick().observations), site.tick().read_from) == (2, "900.0")
    assert site.checkpoint == {"files": {"f": 900}, "read": 900, "lines": 9, "reports": 0}


def test_where_nothing_was_read_the_same_place_is_read_again(site: Site) -> None:
    put(site, 3, "a")
    site.tick()
    site.world.log.fail("read")
    before = site.checkpoint
    for _ in range(3):
        found = site.tick()
        assert (found.observations, found.checkpoint) == ((), before)
    del site.world.log.errors["read"]
    put(site, 4, "b")
    found = site.tick()
    assert (len(found.observations), found.read_from) == (4, "300.0")


# ------------------------------------------------------------------ whether lines arrive


def stalled(found: Gathered) -> float | None:
    """For how long evidence has been away, as the tick says; None where it is not."""
    alarms = [alarm for alarm in found.alarms if alarm.kind is AlarmKind.EVIDENCE_STALLED]
    assert all(alarm.blinds for alarm in alarms)
    return alarms[0].seconds if alarms else None


def test_lines_written_are_compared_with_lines_read_over_restarts(site: Site) -> None:
    """The log's checkpoint counts lines, the gateway those of its own run: only how far they drift apart tells."""
    put(site, 50, "before")
    for turn in range(20):
        put(site, 3, f"a{turn}")
        assert stalled(site.tick()) is None
    again = site.restarted()
    for turn in range(20):
        put(again, 3, f"b{turn}")
        assert stalled(again.tick()) is None
    # Another run of the gateway counts from 0.
    site.world.gateway.log = replace(site.world.log, lines=[])
    site.world.gateway.life = "two"
    for turn in range(20):
        put(again, 3, f"c{turn}")
        site.world.gateway.log.put(*lines(1.0, {"v1": 3}))
        assert stalled(again.tick()) is None


def test_lines_that_do_not_arrive_are_an_alarm_within_five_seconds(site: Site) -> None:
    for turn in range(10):
        put(site, 3, f"a{turn}")
        site.tick()
    site.world.log.stopped = True
    found = []
    for turn in range(40):
        put(site, 3, f"b{turn}")
        found.append(stalled(site.tick()))
    began = next(index for index, seconds in enumerate(found) if seconds is not None)
    assert began <= 10
    assert found[-1] == pytest.approx((len(found) - 1 - began) * 0.5)
    site.world.log.stopped = False
    assert [stalled(site.tick()) is None for _ in range(12)][-1]


@pytest.mark.parametrize("trouble", ["silent", "failures", "trouble", "unreadable"])
def test_what_is_wrong_with_the_log_itself_is_an_alarm_at_once(site: Site, trouble: str) -> None:
    put(site, 3, "a")
    for _ in range(10):
        site.tick()
    gateway, log = site.world.gateway, site.world.log
    if trouble == "silent":
        gateway.silent = True
    elif trouble == "failures":
        gateway.failures = 2
    elif trouble == "trouble":
        log.trouble = "the gateway's log is gone"
    else:
        log.fail("read")
    assert stalled(site.tick()) == 0.0
    gateway.silent, log.trouble = False, None
    log.errors.clear()
    assert [stalled(site.tick()) is None for _ in range(12)][-1]


def test_the_log_is_asked_to_be_opened_anew_at_most_every_two_seconds_and_only_while_it_stalls(site: Site) -> None:
    for _ in range(10):
        site.tick()
    assert site.world.log.asked.count("reopen") == 0
    site.world.log.trouble = "the gateway's log is gone"
    for _ in range(20):
        site.tick()
    assert site.world.log.asked.count("reopen") == 5
    site.world.log.trouble = None
    for _ in range(20):
        site.tick()
    asked = site.world.log.asked.count("reopen")
    for _ in range(20):
        site.tick()
    assert site.world.log.asked.count("reopen") == asked


# ------------------------------------------------------------------ reports on sockets


def report(number: int, time: float) -> SocketReport:
    return SocketReport(
        f"s{number}", 1, True, time, time - 1.0, "v2", 1, "share", "0" * 16, "p", 500, 1000, "client", 10.0, 1, 1, 1, 1,
        1.0, 0.0,
    )  # fmt: skip


def told(site: Site, *numbers: int) -> None:
    for number in numbers:
        site.world.sockets.report(report(number, site.world.clock.time))


def asked(found: Gathered) -> list[str]:
    return [each.request_id for each in found.reports]


def test_reports_come_once_and_their_number_is_in_the_checkpoint(site: Site) -> None:
    site.tick()
    told(site, 1, 2)
    found = site.tick()
    assert (asked(found), found.read_from) == (["s1", "s2"], "0.0")
    assert (site.checkpoint or {})["reports"] == 2
    assert asked(site.restarted().tick()) == []
    told(site, 3)
    found = site.restarted().tick()
    assert (asked(found), found.read_from) == (["s3"], "0.2")


def test_what_was_reported_before_control_kept_a_number_is_nobodys(site: Site) -> None:
    """A first start, or one after an upgrade: its checkpoint knows lines, and no reports."""
    told(site, 1, 2, 3)
    site.checkpoint = {"files": {}, "read": 0, "lines": 0}
    assert asked(site.tick()) == []
    told(site, 4)
    assert asked(site.tick()) == ["s4"]


def test_old_reports_stay_nobodys_where_the_first_question_fails(site: Site) -> None:
    told(site, 1, 2, 3)
    site.world.sockets.fail("newest_id")
    found = site.tick()
    assert (kinds(found), "reports" in (site.checkpoint or {})) == ({AlarmKind.SOURCE_UNREADABLE}, False)
    site.world.sockets.errors.clear()
    assert asked(site.tick()) == []
    told(site, 4)
    assert asked(site.tick()) == ["s4"]


def test_reports_that_cannot_be_read_now_are_read_later(site: Site) -> None:
    site.tick()
    told(site, 1)
    site.world.sockets.fail("after")
    for _ in range(2):
        assert (kinds(found := site.tick()), asked(found)) == ({AlarmKind.SOURCE_UNREADABLE}, [])
    site.world.sockets.errors.clear()
    assert asked(site.tick()) == ["s1"]


def test_many_reports_are_caught_up_with_in_steps(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huidu.control.gather.REPORTS_AT_ONCE", 4)
    site.tick()
    told(site, *range(1, 11))
    assert [len(asked(site.tick())) for _ in range(4)] == [4, 4, 2, 0]


def test_a_store_restored_from_a_copy_is_read_on(site: Site) -> None:
    site.tick()
    told(site, *range(1, 9))
    site.tick()
    site.world.sockets.reports = site.world.sockets.reports[:3]
    assert asked(site.tick()) == []
    told(site, 20)
    assert asked(site.tick()) == ["s20"]


# ------------------------------------------------------------------ time


def test_a_step_is_the_time_watched_on_the_steady_clock(site: Site) -> None:
    assert site.tick().step_seconds == 0.0
    assert site.tick(0.7).step_seconds == pytest.approx(0.7)
    for seconds in (3600.0, -3600.0):
        site.world.clock.set_by(seconds)
        found = site.tick()
        assert found.step_seconds == pytest.approx(0.5)
        (alarm,) = found.alarms
        assert alarm.kind is AlarmKind.CLOCK_JUMPED
        assert alarm.numbers["seconds"] == pytest.approx(seconds)
    # Nobody watched a machine that slept.
    assert site.tick(7200.0).step_seconds <= 5.0
    assert site.restarted().tick(50.0).step_seconds == 0.0


def test_a_clock_that_has_jumped_is_unsteady_for_a_minute_and_one_that_is_corrected_is_not(site: Site) -> None:
    site.tick()
    for seconds in (1.0, -1.0, 4.0, -4.0):
        site.world.clock.set_by(seconds)
        assert kinds(site.tick()) == set()
    site.world.clock.set_by(-6.0)
    found = [kinds(site.tick(1.0)) for _ in range(65)]
    assert found == [{AlarmKind.CLOCK_JUMPED}] * 61 + [set()] * 4


# ------------------------------------------------------------------ each source by itself


@pytest.mark.parametrize(("part", "name"), [("history", "corrections"), ("runtime", "processes"), ("sockets", "after")])
def test_a_source_that_fails_keeps_no_other_from_being_read(site: Site, part: str, name: str) -> None:
    site.serve()
    site.world.runtime.running["v1"] = 7
    site.tick()
    getattr(site.world, part).fail(name)
    put(site, 3, "a")
    told(site, 1)
    found = site.tick()
    assert kinds(found) == {AlarmKind.SOURCE_UNREADABLE}
    assert len(found.observations) == 3
    assert asked(found) == ([] if part == "sockets" else ["s1"])
    # Of processes what was seen last stands.
    assert found.processes["v1"].pid == 7


def test_all_sources_at_once_may_be_gone(site: Site) -> None:
    site.serve()
    for part, name in (("log", "read"), ("history", "corrections"), ("runtime", "processes"), ("sockets", "newest_id")):
        getattr(site.world, part).fail(name)
    site.world.gateway.silent = True
    found = site.tick()
    assert [alarm.kind for alarm in found.alarms].count(AlarmKind.SOURCE_UNREADABLE) == 3
    assert kinds(found) == {AlarmKind.SOURCE_UNREADABLE, AlarmKind.EVIDENCE_STALLED}
    assert found.checkpoint is None


def test_clips_are_sent_only_while_users_may_meet_the_candidate(site: Site) -> None:
    site.world.clip = Path("clip.wav")
    site.tick()
    assert site.gatherer._clips._asking is None
    site.serve()
    first = site.tick()
    assert site.gatherer._clips._asking is not None
    site.gatherer._clips._asking.join(10)
    # Told once, by the tick that asked or by the next.
    assert [found.probe is not None for found in (first, site.tick(), site.tick())].count(True) == 1
    assert [address for address, _ in site.world.instance.heard] == ["h:1", "h:2"]
    site.view = View(Fleet("v1", addresses=site.view.fleet.addresses))
    assert site.tick(600.0).probe is None
    assert len(site.world.instance.heard) == 2
