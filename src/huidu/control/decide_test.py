"""What a tick decides, from values to values."""

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.control.decide import ADMISSION_SECONDS, INCLUDED_FAILED, METHOD, Gathered, View, decide, remembered
from huidu.control.replay import replay
from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.audience import Audience
from huidu.core.evidence import Kind, Row, golden_row
from huidu.core.faces import RequestKind
from huidu.core.observation import Observation
from huidu.core.plan import Golden, Plan, Rules, Share, Undecided
from huidu.core.record import (
    Happening,
    Record,
    Watch,
    fleet_from_json,
    fleet_to_json,
    release_from_json,
    release_to_json,
)
from huidu.core.release import Event, Fleet, Phase, Release, advance, begin, settled, standing
from huidu.core.routes import Routes, Upstream
from huidu.core.safety import Heard, Probe
from huidu.core.sockets import SocketReport
from huidu.core.window import Window
from huidu.ports import Process, Recognition

SHARES = Plan((Share(2000, 8.0), Share(10_000, 8.0)))
UNITS = [f"{number:016x}" for number in range(400)]


def view(plan: Plan = SHARES, *events: Event, now: float = 0.0) -> View:
    fleet = settled(Fleet("v1"), begin(1, "v2", "v1", plan, Rules(), now))
    for event in events:
        assert fleet.release is not None
        fleet = settled(fleet, advance(fleet.release, event, now))
    return View(fleet)


def requests(share_bp: int, now: float, bad_on_candidate: bool = False, each: int = 3) -> tuple[Observation, ...]:
    """Every unit makes some requests; a fifth of the units are on the candidate."""
    number = count()
    found = []
    for index, unit in enumerate(UNITS):
        on_candidate = index % 5 == 0
        version = "v2" if on_candidate else "v1"
        for _ in range(each):
            attempts = 2 if on_candidate and bad_on_candidate else 1
            served_by = "v1" if attempts == 2 else version
            found.append(
                Observation(
                    now, f"{now}-{next(number)}", 1, version, served_by, 1, "share" if on_candidate else "rest",
                    unit, share_bp, attempts, 200, 20.0 + index % 7, 3.0, peer=f"p{index % 40}",
                    service_ms=20.0 + index % 7, upload_ms=1.0, bytes_up=96_000,
                )
            )  # fmt: skip
    return tuple(found)


def process(version: str, pid: int, state: str = "running") -> Process:
    return Process(version, state, pid, 0.0, 10**8)


def tick(at: View, now: float, **found: object) -> tuple[View, Record]:
    """One tick. Without `step_seconds` control has watched all the time since the stage began."""
    release = at.fleet.release
    watched = max(0.0, now - release.entered_at - release.watched_seconds) if release else 0.0
    return decide(at, replace(Gathered(now), **{"step_seconds": watched, **found}))  # type: ignore[arg-type]


def running(at: View) -> Release:
    assert at.fleet.release is not None
    return at.fleet.release


def ended(record: Record) -> tuple[str, str | None]:
    """How a release ended in a tick, and by which guard."""
    assert record.outcome is not None
    return record.outcome.outcome, record.outcome.guard


def test_without_a_release_only_the_checkpoint_moves() -> None:
    after, record = tick(View(Fleet("v1")), 1.0, checkpoint={"read": 9})
    assert after == View(Fleet("v1"))
    assert record == Record(checkpoint={"read": 9})


def test_a_ready_candidate_is_admitted_and_one_that_cannot_start_is_rolled_back() -> None:
    admitted, _ = tick(view(), 1.0, ready=frozenset({"v2"}))
    assert admitted.fleet.release is not None
    assert admitted.fleet.release.phase is Phase.SHARE
    fatal, record = tick(view(), 1.0, processes={"v2": process("v2", 0, "fatal")})
    assert fatal.fleet.release is None
    assert record.outcome is not None
    assert (record.outcome.outcome, record.outcome.guard) == ("rolled_back", "admission")
    late, record = tick(view(), ADMISSION_SECONDS + 1)
    assert late.fleet.release is None


def test_a_crash_of_the_candidate_rolls_back_at_the_next_tick() -> None:
    at = view(SHARES, Event.ADMITTED)
    at, _ = tick(at, 1.0, processes={"v1": process("v1", 10), "v2": process("v2", 20)})
    assert at.fleet.release is not None
    at, record = tick(at, 1.5, processes={"v1": process("v1", 10), "v2": process("v2", 21)})
    assert at.fleet.release is None
    assert record.outcome is not None
    assert (record.outcome.outcome, record.outcome.guard, record.outcome.stage) == (
        "rolled_back",
        "crashes",
        "share:2000",
    )


def test_a_crash_of_both_says_nothing_against_the_candidate() -> None:
    at = view(SHARES, Event.ADMITTED)
    at, _ = tick(at, 1.0, processes={"v1": process("v1", 10), "v2": process("v2", 20)})
    at, _ = tick(at, 1.5, processes={"v1": process("v1", 11), "v2": process("v2", 21)})
    assert at.fleet.release is not None


def test_requests_that_had_to_fall_back_roll_a_candidate_back_by_errors() -> None:
    at = view(SHARES, Event.ADMITTED)
    at, record = tick(at, 4.1, observations=requests(2000, 3.0, bad_on_candidate=True), checkpoint={"read": 1})
    assert at.fleet.release is None
    assert record.outcome is not None
    assert record.outcome.guard == "errors"
    assert [happening.kind for happening in record.happenings] == ["look", "failed"]


def test_a_stage_passes_only_when_its_time_is_over_and_its_numbers_are_reached() -> None:
    stages = Plan((Share(500, 4.0, at_least=10**6), Share(2000, 4.0), Share(10_000, 4.0)))
    at = view(stages, Event.ADMITTED)
    at, _ = tick(at, 9.0, observations=requests(500, 3.0), checkpoint={"read": 1})
    assert at.fleet.release is not None
    assert at.fleet.release.stage_name == "share:500"
    at = view(Plan((Share(500, 4.0, at_least=10), *stages.stages[1:])), Event.ADMITTED)
    early, _ = tick(at, 3.0, observations=requests(500, 3.0), checkpoint={"read": 1})
    assert early.fleet.release is not None
    assert early.fleet.release.stage_name == "share:500"
    later, _ = tick(early, 4.5, checkpoint={"read": 1})
    assert later.fleet.release is not None
    assert later.fleet.release.stage_name == "share:2000"


def test_no_evidence_never_promotes_but_a_person_may() -> None:
    at = view(SHARES, Event.ADMITTED)
    for second in range(1, 200):
        at, record = tick(at, float(second))
        assert record.outcome is None
    assert at.fleet.release is not None
    assert at.fleet.release.stage_name == "share:2000"
    assert advance(at.fleet.release, Event.PROMOTE_ASKED, 200.0).phase is Phase.BAKE


def test_a_held_release_does_not_go_on_but_is_still_rolled_back() -> None:
    at = view(SHARES, Event.ADMITTED, Event.PAUSE_ASKED)
    still, _ = tick(at, 100.0, observations=requests(2000, 3.0), checkpoint={"read": 1})
    assert (running(still).stage_name, running(still).held) == ("share:2000", running(at).held)
    assert (running(still).watched_seconds, running(still).elapsed_seconds) == (100.0, 0.0)
    at, _ = tick(at, 1.0, processes={"v2": process("v2", 20)})
    gone, record = tick(at, 2.0, processes={"v2": process("v2", 21)})
    assert gone.fleet.release is None
    assert record.outcome is not None


def golden_rows(wrong: int, of: int) -> tuple[object, ...]:
    return tuple(
        golden_row(
            f"u{number}", f"s{number % 8}", "号码一零零八六", "号码一零零八六",
            "号码一千零八十六" if number < wrong else "号码一零零八六", 1.0,
        )
        for number in range(of)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "undecided", "stage"),
    [(30, "ask", None), (0, "go_on", "share:2000"), (2, "go_on", "share:2000"), (2, "ask", "golden")],
)
def test_the_golden_set_stops_asks_or_lets_through(wrong: int, undecided: str, stage: str | None) -> None:
    plan = Plan((Golden("set.tsv", Undecided(undecided)), *SHARES.stages))
    at = view(plan, Event.ADMITTED)
    rows = golden_rows(wrong, 40)
    at, _ = tick(at, 1.0, golden=rows[:20], golden_size=40)
    assert at.fleet.release is not None
    at, record = tick(at, 2.0, golden=rows[20:], golden_size=40)
    assert (at.fleet.release.stage_name if at.fleet.release else None) == stage
    if stage is None:
        assert record.outcome is not None
        assert (record.outcome.stage, record.outcome.guard) == ("golden", "numerals")
    if stage == "golden":
        assert at.fleet.release is not None
        assert at.fleet.release.held is not None


def test_evidence_counts_once_however_often_it_is_gathered() -> None:
    at = view(SHARES, Event.ADMITTED)
    row = recognition("v2", "a" * 64)
    at, first = tick(at, 1.0, corrections=(row,))
    at, again = tick(at, 1.5, corrections=(row, replace(row, id=2)))
    assert (len(first.evidence), len(again.evidence)) == (1, 0)
    assert len(at.sums["share:2000"].of("v2").texts) == 1


def test_texts_of_people_who_were_chosen_and_not_drawn_are_not_compared() -> None:
    at = view(SHARES, Event.ADMITTED)
    for changes in ({"rule": "included"}, {"attempt": 2}, {"unit": None}):
        _, record = tick(at, 1.0, corrections=(replace(recognition("v2", "b" * 64), **changes),))
        assert record.evidence == ()


def recognition(version: str, sha: str) -> Recognition:
    return Recognition(
        id=1, created_time=1.0, filename="a", raw_text="一千零八十六", corrected_text="一零零八六", version=version,
        fingerprint="f", request_id="r", attempt=1, answered=True, purpose="live", engine="e", device="cpu",
        audio_seconds=1.0, decode_ms=1.0, audio_sha256=sha, release_id=1, rule="share", unit=UNITS[0],
    )  # fmt: skip


def test_a_roll_back_done_without_control_is_adopted_before_anything_else() -> None:
    at = view(SHARES, Event.ADMITTED)
    after, record = tick(at, 1.0, fence=1, observations=requests(2000, 1.0))
    assert (after.fleet.release, after.fleet.fence) == (None, 1)
    assert record.outcome is not None
    assert record.outcome.outcome == "rolled_back"
    promoted = View(Fleet("v2", previous="v1"))
    back = Routes(4, "v1", (Upstream("v1", ("127.0.0.1:1",)),))
    after, _ = tick(promoted, 1.0, fence=3, routes=back)
    assert (after.fleet.stable, after.fleet.fence) == ("v1", 3)


def test_a_view_is_the_same_after_a_restart() -> None:
    at = view(SHARES, Event.ADMITTED)
    rows = []
    for second in (1.0, 2.1, 4.1):
        at, record = tick(at, second, observations=requests(2000, second, each=1), checkpoint={"read": second})
        rows += list(record.evidence)
    assert at.fleet.release is not None
    release, watch = release_from_json(release_to_json(at.fleet.release, at.watch))
    again = remembered(fleet_from_json(fleet_to_json(at.fleet), release), watch, rows)
    assert again == at
    assert {kind for kind, _ in again.known} <= set(Kind)
    assert watch != Watch()


def arrivals(share_bp: int, on_candidate: float, users: int, seconds: float, start: float = 0.0) -> list[Observation]:
    """New users, evenly over some seconds; the given part of them, evenly, gets the candidate."""
    found = []
    for number in range(users):
        hit = int((number + 1) * on_candidate) > int(number * on_candidate)
        version, rule = ("v2", "share") if hit else ("v1", "rest")
        at, name = start + number * seconds / users, f"{share_bp}-{start}-{number}"
        unit = f"{number + int(start) * 10**6:016x}"
        found.append(Observation(at, name, 1, version, version, 1, rule, unit, share_bp, 1, 200, 20.0, 3.0))
    return found


def fed(at: View, seen: list[Observation], until: float, read: int = 0) -> tuple[View, list[Record]]:
    """The view after a tick every half second, each with the lines of its time."""
    records = []
    for half in range(1, int(until * 2) + 1):
        now = half / 2
        new = tuple(each for each in seen if now - 0.5 <= each.time < now)
        at, record = tick(at, now, observations=new, checkpoint={"read": read + half})
        records.append(record)
    return at, records


LONG = Plan((Share(2000, 40.0), Share(10_000, 40.0)))


@pytest.mark.parametrize(("share_bp", "observed", "users"), [(2000, 0.1, 1600), (2000, 0.0, 300), (500, 0.2, 600)])
def test_users_who_are_not_split_as_asked_raise_an_alarm_once(share_bp: int, observed: float, users: int) -> None:
    plan = Plan((Share(share_bp, 40.0), Share(10_000, 40.0)))
    at, records = fed(view(plan, Event.ADMITTED), arrivals(share_bp, observed, users, 40.0), 40.0)
    (alarm,) = [each for record in records for each in record.happenings if each.kind == "alarm"]
    assert (alarm.payload["alarm"], alarm.payload["stage"]) == ("sample_ratio_mismatch", f"share:{share_bp}")
    assert alarm.payload["numbers"] == at.watch.mismatches[f"share:{share_bp}"]
    assert alarm.payload["numbers"]["p_value"] <= 0.001


def test_users_who_are_split_as_asked_raise_none() -> None:
    at, _ = fed(view(LONG, Event.ADMITTED), arrivals(2000, 0.2, 3000, 40.0), 39.0)
    assert at.watch.mismatches == {}


def test_shares_of_nobody_and_of_everybody_are_not_tested() -> None:
    plan = Plan((Share(0, 20.0), Share(2000, 20.0), Share(10_000, 20.0)))
    at, _ = fed(view(plan, Event.ADMITTED), arrivals(0, 0.0, 900, 20.0), 19.5)
    assert at.watch.mismatches == {}
    bake = view(plan, Event.ADMITTED, Event.PROMOTE_ASKED, Event.PROMOTE_ASKED)
    at, _ = fed(bake, arrivals(10_000, 0.5, 900, 19.0), 19.5)
    assert at.watch.mismatches == {}


def test_a_slower_candidate_is_no_mismatch() -> None:
    """Lines are written when requests end: at any moment more of the slower version's are still to come."""
    plan = Plan((Share(5000, 240.0), Share(10_000, 40.0)))
    at = view(plan, Event.ADMITTED)
    seen = [(each.time + (12.0 if each.version == "v2" else 1.0), each) for each in arrivals(5000, 0.5, 4000, 40.0)]
    for half in range(1, 80):
        now = half / 2
        new = tuple(each for end, each in seen if now - 0.5 <= end < now)
        at, _ = tick(at, now, observations=new, checkpoint={"read": half})
        assert at.watch.mismatches == {}
    units = {name: len(at.sums["share:5000"].of(name).units) for name in ("v1", "v2")}
    assert units["v2"] < 0.75 * units["v1"]


def test_an_alarm_holds_the_stage_but_neither_a_person_nor_a_roll_back() -> None:
    stages = (Share(2000, 8.0), Share(5000, 8.0), Share(10_000, 8.0))
    right, _ = fed(view(Plan(stages), Event.ADMITTED), arrivals(2000, 0.2, 900, 7.0), 9.0)
    assert right.fleet.release is not None
    assert right.fleet.release.stage_name == "share:5000"
    # Users who are split right later do not make good what was wrong.
    seen = arrivals(2000, 0.02, 200, 5.0) + arrivals(2000, 0.23, 1200, 10.0, start=5.0)
    at, _ = fed(view(Plan(stages), Event.ADMITTED), seen, 30.0)
    assert at.fleet.release is not None
    assert (at.fleet.release.stage_name, at.fleet.release.held) == ("share:2000", None)
    moved = advance(at.fleet.release, Event.PROMOTE_ASKED, 31.0)
    next_stage = replace(at, fleet=settled(at.fleet, moved))
    again, _ = tick(next_stage, 31.5, observations=requests(5000, 31.0)[:5], checkpoint={"read": 900})
    assert again.fleet.release is not None
    assert set(again.watch.mismatches) == {"share:2000"}
    at, _ = tick(at, 31.0, processes={"v2": process("v2", 20)})
    at, record = tick(at, 31.5, processes={"v2": process("v2", 21)})
    assert at.fleet.release is None
    assert record.outcome is not None


def test_an_alarm_outlives_control_and_is_derived_again() -> None:
    at, records = fed(view(LONG, Event.ADMITTED), arrivals(2000, 0.05, 900, 20.0), 20.0)
    assert at.fleet.release is not None
    stored = release_to_json(at.fleet.release, at.watch)
    _, watch = release_from_json(json.loads(json.dumps(stored)))
    assert watch == at.watch
    assert watch.mismatches
    rows = [row for record in records for row in record.evidence]
    happened = [each for record in records for each in record.happenings]
    events: list[dict[str, Any]] = [{"kind": each.kind, "payload": each.payload} for each in happened]
    again = replay({"state": stored, "events": events}, rows)
    assert (again["agree"], len(again["alarms"])) == (True, 1)
    events[[event["kind"] for event in events].index("alarm")]["payload"]["numbers"]["candidate_units"] += 1
    assert not replay({"state": stored, "events": events}, rows)["agree"]
    del stored["watch"]["mismatches"]
    assert release_from_json(stored)[1].mismatches == {}


def counted(rows: list[Row]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.kind is Kind.SECOND:
            for version, counts in row.payload.items():
                found.update({(version, rule): number for rule, number in counts["rules"].items()})
    return found


def test_each_line_counts_for_the_release_that_it_names() -> None:
    at = view(SHARES, Event.ADMITTED)
    lines = requests(2000, 3.0, each=1)
    whole = Counter((each.version, each.rule) for each in lines)
    parts = [lines[start::4] for start in range(4)]
    early = lines[0]._replace(request_id="before", time=-5.0)
    at, first = tick(at, 3.5, observations=(early, *parts[0]), checkpoint={"read": 1}, read_from="0.0")
    assert at.fleet.release is not None
    ended = replace(at, fleet=settled(at.fleet, advance(at.fleet.release, Event.ROLLBACK_ASKED, 4.0)))
    rest, second = tick(ended, 4.5, observations=parts[1], checkpoint={"read": 2}, read_from="1.0")
    assert (rest, second.evidence) == (ended, ())
    following = View(settled(ended.fleet, begin(2, "v2", "v1", SHARES, Rules(), 3.0)))
    mixed = tuple(each._replace(release=release) for each in parts[2] for release in (1, 2, 3, None))
    after, third = tick(following, 6.0, observations=mixed, checkpoint={"read": 3}, read_from="2.0")
    fenced, fourth = tick(at, 6.0, fence=1, observations=parts[3], checkpoint={"read": 4}, read_from="3.0")
    assert fenced.fleet.release is None
    late = [(release, row) for record in (second, third) for release, row in record.late]
    assert {release for release, _ in late} == {1}
    rows = [*first.evidence, *(row for _, row in late), *fourth.evidence]
    assert counted(rows) == whole
    assert len({(row.kind, row.key) for row in rows}) == len(rows)
    assert sum(counted(list(third.evidence)).values()) == len(parts[2])
    assert after.rows == len(third.evidence)


# ------------------------------------------------------------------ what counts, and what does not


def others(count: int, now: float, version: str = "v2") -> tuple[Observation, ...]:
    """Probes and pages: requests that carry no audio."""
    found = requests(2000, now)[:count]
    return tuple(
        each._replace(request_id=f"o{now}-{number}", kind=RequestKind.OTHER, version=version, served_by=version,
                      rule="share" if version == "v2" else "rest", service_ms=0.1, status=200)
        for number, each in enumerate(found)
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["v1", "v2"])), min_size=1, max_size=6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_requests_without_audio_change_no_verdict_no_floor_and_no_split(
    probes: list[tuple[int, str]], bad: bool
) -> None:
    plain = beside = view(SHARES, Event.ADMITTED)
    for number, (count_, version) in enumerate(probes):
        now = 1.0 + number
        seen = requests(2000, now, bad_on_candidate=bad, each=1)[: 60 + number]
        plain, recorded = tick(plain, now + 0.5, observations=seen)
        beside, recorded_beside = tick(beside, now + 0.5, observations=seen + others(count_, now, version))
        assert recorded_beside == recorded
    assert replace(beside, others={}) == replace(plain, others={})


def test_requests_without_audio_are_shown_by_version() -> None:
    at, _ = tick(view(SHARES, Event.ADMITTED), 1.5, observations=others(50, 1.0) + others(20, 1.0, "v1"))
    assert (at.others, at.rows) == ({"v2": 50, "v1": 20}, 0)


def test_requests_without_audio_move_no_stage() -> None:
    at = view(SHARES, Event.ADMITTED)
    for second in range(60):
        at, _ = tick(at, second + 1.0, observations=others(300, float(second)) + others(300, float(second), "v1"))
    assert (running(at).stage_name, at.watch.looks > 0) == ("share:2000", True)


def heard(version: str, number: int, users: int, now: float, share_bp: int = 500) -> tuple[Observation, ...]:
    """So many recognitions of so many users of one version."""
    rule = "share" if version == "v2" else "rest"
    found = requests(share_bp, now, each=1)
    return tuple(
        each._replace(request_id=f"{version}-{now}-{index}", version=version, served_by=version, rule=rule,
                      unit=f"{(1 if version == 'v2' else 2):08x}{index % users:08x}")
        for index, each in enumerate((found * 2)[:number])
    )  # fmt: skip


STEPS = Plan((Share(500, 1.0), Share(5000, 60.0), Share(10_000, 1.0)))


@pytest.mark.parametrize("seconds", [0.0, 1.0, 30.0])
@pytest.mark.parametrize(
    ("candidate", "stable", "goes_on"),
    [
        ((100, 3), (100, 3), True),
        ((99, 3), (400, 3), False),
        ((400, 3), (99, 3), False),
        ((400, 2), (400, 9), False),
        ((400, 9), (400, 2), False),
        ((0, 1), (400, 9), False),
        ((0, 1), (0, 1), False),
    ],
)
def test_no_stage_goes_on_without_its_floor(
    seconds: float, candidate: tuple[int, int], stable: tuple[int, int], goes_on: bool
) -> None:
    """Whatever its time: a stage of an instant asks the same."""
    plan = Plan((Share(500, seconds), *STEPS.stages[1:]))
    seen = heard("v2", *candidate, now=0.1) + heard("v1", *stable, now=0.1)
    at, _ = tick(view(plan, Event.ADMITTED), 31.0, observations=seen)
    assert running(at).stage_name == ("share:5000" if goes_on else "share:500")


def test_a_floor_of_ones_own_is_kept() -> None:
    plan = Plan((Share(500, 1.0, at_least=120, units=5), *STEPS.stages[1:]))
    for number, users, stage in ((120, 4, "share:500"), (119, 5, "share:500"), (120, 5, "share:5000")):
        seen = heard("v2", number, users, 0.1) + heard("v1", 400, 9, 0.1)
        at, _ = tick(view(plan, Event.ADMITTED), 9.0, observations=seen)
        assert running(at).stage_name == stage


@pytest.mark.parametrize("holdback_bp", [0, 500])
def test_the_bake_asks_the_candidates_side_alone(holdback_bp: int) -> None:
    plan = Plan((Share(500, 1.0), Share(10_000, 2.0, holdback_bp=holdback_bp)))
    bake = view(plan, Event.ADMITTED, Event.PROMOTE_ASKED)
    at, record = tick(bake, 3.0, observations=heard("v2", 99, 3, 0.1, 10_000))
    assert (running(at).phase, record.outcome) == (Phase.BAKE, None)
    at, record = tick(bake, 3.0, observations=heard("v2", 100, 3, 0.1, 10_000))
    assert ended(record) == ("promoted", None)
    assert at.fleet.stable == "v2"


def test_a_share_of_nobody_asks_for_nothing() -> None:
    plan = Plan((Share(0, 2.0), *STEPS.stages))
    at, _ = tick(view(plan, Event.ADMITTED), 1.9)
    assert running(at).stage_name == "share:0"
    at, _ = tick(at, 2.0)
    assert running(at).stage_name == "share:500"


# ------------------------------------------------------------------ time


@given(st.lists(st.sampled_from([0.0, 3600.0, -3600.0, 86_400.0 * 400]), min_size=16, max_size=24))
@settings(max_examples=25, deadline=None)
def test_only_steps_make_a_stage_older(jumps: list[float]) -> None:
    """Whatever the wall clock does between two ticks."""
    wall, at = 10**9 + 0.0, view(Plan((Share(2000, 8.0), *STEPS.stages[1:])), Event.ADMITTED, now=10**9)
    seen = heard("v2", 200, 9, 10**9 + 1.0, 2000) + heard("v1", 200, 9, 10**9 + 1.0, 2000)
    at, _ = tick(at, wall, observations=seen, step_seconds=0.0)
    for number, jump in enumerate(jumps, start=1):
        wall += 0.5 + jump
        at, _ = tick(at, wall, step_seconds=0.5)
        assert running(at).stage_name == ("share:2000" if number < 16 else "share:5000")


def test_the_absence_of_control_makes_no_stage_older() -> None:
    at = view(SHARES, Event.ADMITTED)
    at, _ = tick(at, 1.0, observations=requests(2000, 0.5), step_seconds=1.0)
    at, _ = tick(at, 90_000.0, step_seconds=0.0)
    assert running(at).watched_seconds == 1.0
    late, record = tick(view(), 90_000.0, step_seconds=0.0)
    assert (running(late).phase, record.outcome) == (Phase.ADMISSION, None)


# ------------------------------------------------------------------ alarms

ALARMS = [
    Alarm(AlarmKind.EVIDENCE_STALLED, "it stopped", seconds=4.0, blinds=True),
    Alarm(AlarmKind.UNREACHABLE, "v2 is gone", seconds=1000.0),
    Alarm(AlarmKind.CLOCK_JUMPED, numbers={"seconds": 3600.0}),
    Alarm(AlarmKind.SOURCE_UNREADABLE, "no history", seconds=1000.0),
]


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.kind.value)
def test_no_step_forward_is_taken_while_an_alarm_stands(alarm: Alarm) -> None:
    golden = Plan((Golden("set.tsv", Undecided.GO_ON), *SHARES.stages))
    bake = view(Plan((Share(500, 1.0), Share(10_000, 8.0))), Event.ADMITTED, Event.PROMOTE_ASKED)
    before: list[tuple[View, dict[str, Any], str]] = [
        (view(), {"ready": frozenset({"v2"})}, "share:2000"),
        (view(golden, Event.ADMITTED), {"golden": golden_rows(0, 40), "golden_size": 40}, "share:2000"),
        (view(STEPS, Event.ADMITTED), {"observations": requests(500, 0.5)}, "share:5000"),
        (bake, {"observations": requests(10_000, 0.5)}, "over"),
    ]
    for at, found, then in before:
        stands, record = tick(at, 9.0, **found, alarms=(alarm,))
        assert (running(stands).stage_name, record.outcome) == (running(at).stage_name, None)
        assert running(stands).held is None
        assert [each.kind for each in record.happenings if each.kind != "look"] == ["alarm"]
        # A wait of any length in admission is not the candidate's doing.
        stands, record = tick(stands, 1000.0, **found, alarms=(alarm,))
        assert record.outcome is None
        gone_on, record = tick(stands, 1000.5, **found)
        after = gone_on.fleet.release.stage_name if gone_on.fleet.release else "over"
        assert after == then
        assert "alarm_over" in [each.kind for each in record.happenings]


def test_alarms_are_recorded_as_they_begin_and_as_they_end() -> None:
    at, happened = view(SHARES, Event.ADMITTED), list[tuple[float, str, Any]]()
    stalled, unreachable = ALARMS[0], ALARMS[1]
    for second, alarms in enumerate([(), (stalled,), (stalled, unreachable), (unreachable,), (), (stalled,)], start=1):
        at, record = tick(at, float(second), alarms=alarms, step_seconds=0.0)
        assert at.alarms == alarms
        assert at.watch.alarms == tuple(sorted(alarm.kind.value for alarm in alarms))
        happened += [(each.time, each.kind, each.payload["alarm"]) for each in record.happenings]
    assert happened == [
        (2.0, "alarm", "evidence_stalled"),
        (3.0, "alarm", "unreachable"),
        (4.0, "alarm_over", "evidence_stalled"),
        (5.0, "alarm_over", "unreachable"),
        (6.0, "alarm", "evidence_stalled"),
    ]


def blind(seconds: float) -> tuple[Alarm, ...]:
    return (Alarm(AlarmKind.EVIDENCE_STALLED, "the gateway does not answer", seconds=seconds, blinds=True),)


@pytest.mark.parametrize("stage", ["share:2000", "bake"])
def test_a_share_ends_after_fifteen_blind_seconds_and_nothing_is_rolled_back(stage: str) -> None:
    events = [Event.ADMITTED] + [Event.PROMOTE_ASKED] * (stage == "bake")
    at, _ = tick(view(SHARES, *events), 20.0, alarms=blind(14.9))
    assert (running(at).share_ended, running(at).held) == (False, None)
    at, record = tick(at, 21.0, alarms=blind(15.0))
    assert (running(at).stage_name, running(at).share_ended, running(at).held_by) == (stage, True, None)
    assert (running(at).held or "").startswith("the share has ended: the gateway's evidence has stopped: ")
    assert [each.kind for each in record.happenings][-1:] == ["blinded"]
    assert record.happenings[-1].payload["reason"] == running(at).held
    traffic = standing(at.fleet)
    # Users who chose the candidate keep it.
    assert (traffic.share_bp, traffic.candidate) == (0, "v2")
    # Once, however long it lasts; and missing data alone never rolls back.
    for second in range(22, 400, 30):
        at, record = tick(at, float(second), alarms=blind(second - 6.0))
        assert (record.outcome, [each.kind for each in record.happenings if each.kind != "look"]) == (None, [])
    # Nor does it go on by itself when all is well again.
    at, _ = tick(at, 500.0, observations=requests(running(at).plan.stages[-1].share_bp, 0.5))  # type: ignore[union-attr]
    assert (running(at).stage_name, running(at).share_bp) == (stage, 0)
    resumed = advance(running(at), Event.RESUME_ASKED, 501.0, "seen", "li")
    assert resumed.share_bp == {"share:2000": 2000, "bake": 10_000}[stage]


def test_a_share_that_a_colleague_paused_ends_too_and_stays_theirs() -> None:
    paused = view(SHARES, Event.ADMITTED)
    paused = replace(
        paused, fleet=settled(paused.fleet, advance(running(paused), Event.PAUSE_ASKED, 1.0, "lunch", "li"))
    )
    at, _ = tick(paused, 20.0, alarms=blind(15.0))
    assert (running(at).share_ended, running(at).held, running(at).held_by) == (True, "paused by li: lunch", "li")


def test_a_share_of_nobody_has_none_to_end() -> None:
    plan = Plan((Share(0, 100.0), *SHARES.stages))
    at, _ = tick(view(plan, Event.ADMITTED), 20.0, alarms=blind(600.0))
    assert (running(at).share_ended, running(at).held) == (False, None)


@pytest.mark.parametrize("alarm", [*ALARMS, *blind(15.0)], ids=lambda alarm: f"{alarm.kind.value}-{alarm.seconds}")
def test_a_candidate_that_fails_is_rolled_back_while_an_alarm_stands(alarm: Alarm) -> None:
    at = view(SHARES, Event.ADMITTED)
    at, record = tick(at, 4.1, observations=requests(2000, 3.0, bad_on_candidate=True), alarms=(alarm,))
    assert ended(record) == ("rolled_back", "errors")


def test_a_crash_is_answered_while_an_alarm_stands_and_the_release_is_held() -> None:
    at = view(SHARES, Event.ADMITTED, Event.PAUSE_ASKED)
    at, _ = tick(at, 1.0, processes={"v2": process("v2", 20)}, alarms=blind(20.0))
    _, record = tick(at, 1.5, processes={"v2": process("v2", 21)}, alarms=blind(20.5))
    assert ended(record) == ("rolled_back", "crashes")


# ------------------------------------------------------------------ what users did not get


def rejecting(share_bp: int, now: float, status: int = 404) -> tuple[Observation, ...]:
    """The candidate refuses everybody."""
    found = requests(share_bp, now)
    return tuple(each._replace(status=status) if each.version == "v2" else each for each in found)


@pytest.mark.parametrize("status", [404, 429, 401])
def test_a_candidate_that_refuses_everybody_is_held_once_in_a_stage(status: int) -> None:
    at = view(Plan((Share(2000, 8.0), Share(5000, 8.0), Share(10_000, 8.0))), Event.ADMITTED)
    at, record = tick(at, 4.1, observations=rejecting(2000, 3.0, status))
    assert (record.outcome, [each.kind for each in record.happenings]) == (None, ["look", "held"])
    assert (running(at).held or "").startswith("refused requests: proven worse")
    assert record.happenings[-1].payload["reason"] == running(at).held
    # Who said to go on has seen it: it is not asked about again, and the stage goes on.
    at = replace(at, fleet=settled(at.fleet, advance(running(at), Event.RESUME_ASKED, 4.2, "known", "li")))
    for second in (5.0, 6.0, 8.5):
        at, record = tick(at, second, observations=rejecting(2000, second - 0.5, status))
    assert (running(at).stage_name, running(at).held) == ("share:5000", None)
    # In the next stage it is a question again.
    at, record = tick(at, 13.0, observations=rejecting(5000, 12.5, status))
    assert [each.kind for each in record.happenings][-1] == "held"
    assert at.watch.held_for == ("share:2000 rejects", "share:5000 rejects")


def test_what_both_refuse_is_nobodys_fault() -> None:
    seen = tuple(each._replace(status=400) for each in requests(2000, 3.0))
    at, record = tick(view(SHARES, Event.ADMITTED), 4.1, observations=seen)
    assert (running(at).held, record.outcome) == (None, None)


HEARD, REFUSED, SILENT = Heard("一", 200), Heard(None, 404, "404 Not Found"), Heard("", 200)


@pytest.mark.parametrize("first", ["probe", "loss"])
def test_a_candidate_that_refuses_what_stable_takes_is_rolled_back(first: str) -> None:
    at = view(SHARES, Event.ADMITTED)
    shown, loss = Probe(1, HEARD, REFUSED), rejecting(2000, 3.0)
    found: list[dict[str, Any]] = [{"probe": shown}, {"observations": loss}]
    for number, each in enumerate(found if first == "probe" else reversed(found)):
        assert at.fleet.release is not None
        at, record = tick(at, 4.1 + 4 * number, **each)
    assert ended(record) == ("rolled_back", "rejects")


@pytest.mark.parametrize("probe", [Probe(1, REFUSED, REFUSED), Probe(1, HEARD, HEARD), Probe(1, SILENT, REFUSED)])
def test_a_probe_that_shows_nothing_of_it_leaves_the_loss_a_question(probe: Probe) -> None:
    _, record = tick(view(SHARES, Event.ADMITTED), 4.1, observations=rejecting(2000, 3.0), probe=probe)
    assert (record.outcome, [each.kind for each in record.happenings][-1]) == (None, "held")


def test_a_probe_alone_accuses_nobody() -> None:
    at = view(SHARES, Event.ADMITTED)
    for number in range(1, 9):
        at, record = tick(at, float(number), probe=Probe(number, HEARD, REFUSED))
        assert record.outcome is None
    assert [alarm.kind for alarm in at.alarms] == [AlarmKind.NO_TEXT]


def test_three_clips_in_a_row_without_a_text_are_an_alarm_until_one_has_one() -> None:
    at = view(SHARES, Event.ADMITTED)
    for number in (1, 2):
        at, _ = tick(at, float(number), probe=Probe(number, HEARD, SILENT))
        # The same again is no other one.
        at, _ = tick(at, number + 0.5, probe=Probe(number, HEARD, SILENT))
        assert at.alarms == ()
    at, record = tick(at, 3.0, probe=Probe(3, HEARD, SILENT))
    assert [each.payload["alarm"] for each in record.happenings if each.kind == "alarm"] == ["no_text"]
    at, _ = tick(at, 9.0, observations=requests(2000, 8.0))
    assert running(at).stage_name == "share:2000"
    at, _ = tick(at, 10.0, probe=Probe(4, SILENT, SILENT))
    # Where the stable version has no text either, nothing is measured and nothing held.
    assert (at.alarms, at.watch.probe.measured) == ((), False)


# ------------------------------------------------------------------ users who chose the candidate


def chosen(now: float, outcomes: str, users: int = 2, share_bp: int = 0, start: int = 0) -> tuple[Observation, ...]:
    """Recognitions of included users in turn: x failed, . served, l left; s and o are stable's, failed and served."""
    found = []
    for index, outcome in enumerate(outcomes, start=start):
        stable = outcome in "so"
        status = 503 if outcome in "xs" else 499 if outcome == "l" else 200
        version, rule = ("v1", "rest") if stable else ("v2", "included")
        unit = f"{index % users:016x}"
        found.append(
            Observation(now, f"i{now}-{index}", 1, version, version, 1, rule, unit, share_bp, 1, status, 20.0, 3.0,
                        peer="p", upload_ms=19.0)
        )  # fmt: skip
    return tuple(found)


@pytest.mark.parametrize(
    ("outcomes", "users", "ends"),
    [
        ("xxxxx", 2, True),
        ("xxxxx", 1, True),
        ("xxxx", 2, False),
        ("xx.xxx", 2, False),
        ("....xxxxx", 3, True),
        ("xxlxxx", 2, True),
        ("xxxosxx", 2, False),
        ("xxxooxx", 2, True),
        ("sxxxxx", 2, True),
    ],
)
@pytest.mark.parametrize("share_bp", [0, 2000, 10_000])
def test_five_failures_in_a_row_of_users_who_chose_the_candidate_end_the_release(
    share_bp: int, outcomes: str, users: int, ends: bool
) -> None:
    """In any stage that serves, also where nobody else may meet the candidate."""
    plan = Plan((Share(0, 8.0), Share(2000, 8.0), Share(10_000, 8.0)))
    at = view(plan, Event.ADMITTED, *[Event.PROMOTE_ASKED] * {0: 0, 2000: 1, 10_000: 2}[share_bp])
    at, record = tick(at, 2.0, observations=chosen(1.0, outcomes, users, share_bp))
    if ends:
        assert ended(record) == ("rolled_back", "included")
        assert record.outcome is not None
        assert record.outcome.reason == INCLUDED_FAILED
    else:
        assert (running(at).share_bp, record.outcome) == (share_bp, None)


def test_five_failures_of_one_of_two_users_are_one_users_trouble() -> None:
    plan = Plan((Share(0, 8.0), *SHARES.stages))
    at, _ = tick(view(plan, Event.ADMITTED), 1.0, observations=chosen(0.5, "..", 2))
    mine = tuple(each._replace(unit="0" * 16) for each in chosen(1.5, "xxxxxxxx", 2))
    at, record = tick(at, 2.0, observations=mine)
    assert record.outcome is None
    # The failure of another is then enough.
    at, record = tick(at, 3.0, observations=chosen(2.5, "x", 2, start=1))
    assert ended(record) == ("rolled_back", "included")


def test_failures_of_users_who_chose_it_are_counted_over_ticks_and_restarts() -> None:
    plan = Plan((Share(0, 8.0), *SHARES.stages))
    at = view(plan, Event.ADMITTED)
    for number in range(4):
        at, _ = tick(at, number + 1.0, observations=chosen(number + 0.5, "x", 2, start=number))
        release, watch = release_from_json(json.loads(json.dumps(release_to_json(running(at), at.watch))))
        at = replace(at, fleet=settled(at.fleet, release), watch=watch)
    _, record = tick(at, 5.0, observations=chosen(4.5, "x", 2, start=4))
    assert ended(record) == ("rolled_back", "included")


def test_what_users_who_chose_it_met_is_in_no_verdict() -> None:
    at, record = tick(view(SHARES, Event.ADMITTED), 2.0, observations=chosen(1.0, "x.x.x.x.", 4, 2000))
    assert at.sums["share:2000"].of("v2").requests == 0
    assert sum(row.kind is Kind.BAD for row in record.evidence) == 0


# ------------------------------------------------------------------ sockets


def report(index: int, now: float, number: int = 1, version: str | None = None, **changes: Any) -> SocketReport:
    """One report of a socket of one of the units; a fifth are on the candidate."""
    own = "v2" if index % 5 == 0 else "v1"
    found = SocketReport(
        f"s{index}", number, True, now, now - 2.0, version or own, 1, "share" if own == "v2" else "rest",
        UNITS[index], f"p{index % 40}", 2000, 1000, "client", 80.0, 40, 9, 64_000, 900, 2.0, 0.0,
    )  # fmt: skip
    return replace(found, **changes)


def sockets(now: float, candidate: dict[str, Any], stable: dict[str, Any], number: int = 1) -> tuple[SocketReport, ...]:
    return tuple(report(index, now, number, **(stable if index % 5 else candidate)) for index in range(len(UNITS)))


CLOSED_1011: dict[str, Any] = {"close_code": 1011, "closed_by": "service"}
MUTE: dict[str, Any] = {
    "ended": False,
    "close_code": None,
    "closed_by": None,
    "first_message_ms": None,
    "mute_speech_seconds": 10.5,
}
OPEN: dict[str, Any] = {"ended": False, "close_code": None, "closed_by": None}


@pytest.mark.parametrize("code", [1011, 1012, 1013, 1006])
def test_sockets_that_the_service_closes_badly_roll_it_back(code: int) -> None:
    candidate = {"close_code": code, "closed_by": "service"}
    _, record = tick(view(SHARES, Event.ADMITTED), 4.1, reports=sockets(3.0, candidate, {}), reported=BOTH)
    assert ended(record) == ("rolled_back", "errors")
    assert {row.payload["reason"] for row in record.evidence if row.kind is Kind.BAD} == {f"close_{code}"}


@pytest.mark.parametrize(
    ("candidate", "stable"),
    [
        ({}, {}),
        (CLOSED_1011, CLOSED_1011),
        # However clients close, and streams that moved.
        ({"close_code": 1006, "closed_by": "client"}, {}),
        ({"close_code": 1011, "closed_by": "client"}, {}),
        ({"close_code": 4012, "closed_by": "service"}, {}),
        # A muted microphone.
        ({"first_message_ms": None, "audio_seconds": 60.0}, {}),
        (MUTE, MUTE),
    ],
)
def test_sockets_that_end_as_the_stable_ones_do_are_healthy(candidate: dict[str, Any], stable: dict[str, Any]) -> None:
    _, record = tick(view(SHARES, Event.ADMITTED), 4.1, reports=sockets(3.0, candidate, stable), reported=BOTH)
    assert record.outcome is None


def test_a_mute_socket_is_seen_while_it_is_open() -> None:
    at = view(SHARES, Event.ADMITTED)
    at, record = tick(at, 2.1, reports=sockets(2.0, OPEN, OPEN), reported=BOTH)
    assert (record.outcome, at.sums["share:2000"].of("v2").bad) == (None, 0)
    _, record = tick(at, 4.1, reports=sockets(4.0, MUTE, OPEN, number=2), reported=BOTH)
    assert ended(record) == ("rolled_back", "errors")


@pytest.mark.parametrize("together", [True, False])
def test_no_socket_counts_twice_when_more_is_said_of_it(together: bool) -> None:
    """At once, as after an absence of control, or tick by tick."""
    parts = [
        [report(index, 3.0, 1, **(OPEN if index % 2 else MUTE)) for index in range(0, 400, 5)][:9],
        [report(index, 3.0, 2, **MUTE) for index in range(0, 400, 5)][:9],
        [report(index, 3.0, 3, **{**CLOSED_1011, "mute_speech_seconds": 11.0}) for index in range(0, 400, 5)][:9],
    ]
    at, rows = view(SHARES, Event.ADMITTED), list[Row]()
    steps = [[each for part in parts for each in part]] if together else parts
    for number, step in enumerate(steps):
        at, record = tick(at, 0.1 + number / 10, reports=tuple(step), read_from=f"0.{number}", reported=BOTH)
        rows += record.evidence
    found = at.sums["share:2000"].of("v2")
    assert (found.requests, found.bad, found.sockets, len(found.units)) == (9, 9, 9, 9)
    assert sum(row.kind is Kind.BAD for row in rows) == 9
    # Seconds of audio are known at the end.
    assert found.audio_ms == 9 * 2000


def socket_lines(now: float, candidate: dict[str, Any], stable: dict[str, Any]) -> tuple[Observation, ...]:
    found = requests(2000, now, each=1)
    common: dict[str, Any] = {
        "kind": RequestKind.SOCKET, "status": 101, "ms": 3000.0, "service_ms": None, "upload_ms": None,
        "first_message_ms": 80.0, "frames_up": 40, "frames_down": 9, "close_code": 1000, "closed_by": "client",
    }  # fmt: skip
    return tuple(each._replace(**{**common, **(candidate if each.version == "v2" else stable)}) for each in found)


def test_sockets_of_services_known_by_url_are_judged_by_the_gateways_lines() -> None:
    at = view(SHARES, Event.ADMITTED)
    _, record = tick(at, 4.1, observations=socket_lines(3.0, CLOSED_1011, {}))
    assert ended(record) == ("rolled_back", "errors")
    mute = {"open": True, "ms": 10_050.0, "frames_down": 0, "first_message_ms": None, "close_code": None}
    _, record = tick(at, 4.1, observations=socket_lines(3.0, mute, {}))
    assert ended(record) == ("rolled_back", "errors")
    _, record = tick(at, 4.1, observations=socket_lines(3.0, {}, {}))
    assert record.outcome is None


BOTH = frozenset({"v1", "v2"})


def test_a_socket_that_both_gateway_and_instance_tell_of_counts_once() -> None:
    lines, reports = socket_lines(3.0, {}, {}), sockets(3.0, {}, {})
    at, _ = tick(view(SHARES, Event.ADMITTED), 0.1, observations=lines, reports=reports, reported=BOTH)
    assert (at.sums["share:2000"].of("v2").requests, at.sums["share:2000"].of("v1").requests) == (80, 320)


def test_sockets_that_the_stable_version_took_over_are_the_candidates_failures() -> None:
    """The gateway asked stable instead, whose instance reports a healthy socket."""
    lines = socket_lines(3.0, {"served_by": "v1", "attempts": 2}, {})
    reports = tuple(
        report(index, 3.0, version="v1", rule="rest" if index % 5 else "share") for index in range(len(UNITS))
    )
    at = view(SHARES, Event.ADMITTED)
    early, _ = tick(at, 0.1, observations=lines, reports=reports, reported=BOTH)
    found = early.sums["share:2000"]
    assert (found.of("v2").requests, found.of("v2").bad, found.of("v1").requests) == (80, 80, 320)
    _, record = tick(at, 4.1, observations=lines, reports=reports, reported=BOTH)
    assert ended(record) == ("rolled_back", "errors")


def test_sockets_that_never_opened_are_told_by_the_gateway() -> None:
    lines = tuple(each._replace(status=503) if each.version == "v2" else each for each in socket_lines(3.0, {}, {}))
    reports = tuple(each for each in sockets(3.0, {}, {}) if each.version == "v1")
    _, record = tick(view(SHARES, Event.ADMITTED), 4.1, observations=lines, reports=reports, reported=BOTH)
    assert ended(record) == ("rolled_back", "errors")


# ------------------------------------------------------------------ the bake


def baking(seed: int, holdback_bp: int, rate_of: Any, seconds: int = 240) -> tuple[View, list[Record]]:
    """A bake of some minutes with 30 recognitions a second; each second's failure rate is what `rate_of` says."""
    chance = random.Random(seed)
    plan = Plan((Share(500, 1.0), Share(10_000, float(seconds), holdback_bp=holdback_bp)))
    at, records = view(plan, Event.ADMITTED, Event.PROMOTE_ASKED), list[Record]()
    for second in range(seconds):
        found = []
        for number in range(30):
            user = chance.randrange(2000)
            version = "v1" if user % 10_000 < holdback_bp / 5 else "v2"
            failed = chance.random() < rate_of(second, version)
            found.append(
                Observation(second + 0.5, f"{second}-{number}", 1, version, version, 1,
                            "share" if version == "v2" else "rest", f"{user:016x}", 10_000, 1, 500 if failed else 200,
                            20.0, 3.0, peer=f"p{user % 50}", service_ms=20.0 + user % 9, upload_ms=1.0, bytes_up=96_000)
            )  # fmt: skip
        at, record = tick(at, second + 1.0, observations=tuple(found))
        records.append(record)
        if record.outcome is not None:
            break
    return at, records


def moving(second: int, version: str) -> float:
    """2 % that moves by 80 % of itself over the time."""
    return 0.02 * (1 + 0.8 * (1 if second % 240 >= 120 else -1))


@pytest.mark.parametrize("seed", range(3))
def test_a_base_rate_that_moves_rolls_nothing_back_in_the_bake(seed: int) -> None:
    at, records = baking(seed, 500, moving)
    assert ended(records[-1]) == ("promoted", None)
    assert at.fleet.stable == "v2"


def test_the_holdback_shows_a_candidate_that_becomes_worse_in_the_bake() -> None:
    _, records = baking(1, 500, lambda second, version: 0.3 if version == "v2" and second > 100 else 0.02)
    assert ended(records[-1]) == ("rolled_back", "errors")


def test_without_a_holdback_only_crashes_are_judged_in_the_bake() -> None:
    _, records = baking(1, 0, lambda second, version: 0.9, seconds=20)
    assert ended(records[-1]) == ("promoted", None)
    plan = Plan((Share(500, 1.0), Share(10_000, 60.0)))
    at, _ = tick(view(plan, Event.ADMITTED, Event.PROMOTE_ASKED), 1.0, processes={"v2": process("v2", 20)})
    _, record = tick(at, 1.5, processes={"v2": process("v2", 21)})
    assert ended(record) == ("rolled_back", "crashes")


def test_a_holdback_that_is_not_kept_raises_the_alarm_of_a_share() -> None:
    plan = Plan((Share(2000, 20.0), Share(10_000, 40.0, holdback_bp=500)))
    bake = view(plan, Event.ADMITTED, Event.PROMOTE_ASKED)
    at, _ = fed(bake, arrivals(10_000, 0.95, 900, 30.0), 30.0)
    assert at.watch.mismatches == {}
    at, _ = fed(bake, arrivals(10_000, 0.7, 900, 30.0), 30.0)
    assert set(at.watch.mismatches) == {"bake"}


# ------------------------------------------------------------------ what is kept, and derived again


def story() -> tuple[View, list[Row], list[Happening]]:
    """A release with looks, a hold and an end by errors."""
    at, rows, happened = view(SHARES, Event.ADMITTED), list[Row](), list[Happening]()
    for number, now in enumerate((0.6, 1.2, 2.4, 4.3)):
        seen = requests(2000, now - 0.3, bad_on_candidate=number == 3, each=2)
        corrections = tuple(
            replace(recognition("v2", f"{index:064x}"), id=index) for index in range(5 * number, 5 * number + 5)
        )
        at, record = tick(
            at,
            now,
            observations=seen,
            corrections=corrections,
            read_from=f"{number}.0",
            checkpoint={"read": number + 1},
        )
        rows += record.evidence
        happened += record.happenings
    assert at.fleet.release is None
    return at, rows, happened


def stored(happened: list[Happening]) -> dict[str, Any]:
    state = release_to_json(running(view(SHARES, Event.ADMITTED)), Watch())
    events = [{"kind": each.kind, "payload": each.payload} for each in happened]
    found: dict[str, Any] = json.loads(json.dumps({"state": state, "events": events}))
    return found


def test_every_look_is_derived_again_bit_for_bit() -> None:
    _, rows, happened = story()
    again = replay(stored(happened), [replace(row, payload=json.loads(json.dumps(row.payload))) for row in rows])
    assert (again["agree"], len(again["looks"]), again["earlier_looks"]) == (True, 3, 0)
    assert all(look["derived"] == look["recorded"] for look in again["looks"])
    assert any(verdict["state"] == "failed" for verdict in again["looks"][-1]["recorded"].values())


def test_a_record_that_was_changed_is_noticed() -> None:
    _, rows, happened = story()
    missing_one = next(index for index, row in enumerate(rows) if row.kind is Kind.BAD)
    assert not replay(stored(happened), rows[:missing_one] + rows[missing_one + 1 :])["agree"]


@pytest.mark.parametrize("method", [None, METHOD - 1, METHOD + 1])
def test_looks_of_another_huidu_are_counted_and_not_derived_again(method: int | None) -> None:
    _, rows, happened = story()
    record = stored(happened)
    looks = [event["payload"] for event in record["events"] if event["kind"] == "look"]
    for payload in looks[:2]:
        # Judged in another way, with other verdicts.
        payload |= {"method": method, "verdicts": {}}
        if method is None:
            del payload["method"]
    again = replay(record, rows)
    assert (again["agree"], len(again["looks"]), again["earlier_looks"]) == (True, len(looks) - 2, 2)


def test_evidence_is_told_by_generation_from_that_of_an_older_release_of_the_same_number() -> None:
    """An older log beside a new store names releases from 1 on, too; and clocks may have been set since."""
    fleet = settled(Fleet("v1"), begin(1, "v2", "v1", SHARES, Rules(), 1000.0, "salt", 40))
    at = View(settled(fleet, advance(running(View(fleet)), Event.ADMITTED, 1000.0)))
    seen = [
        each._replace(generation=generation, time=time, request_id=f"{generation}-{time}-{number}")
        for generation in (38, 40, 42, 57)
        for time in (1.0, 1001.0)
        for number, each in enumerate(requests(2000, 0.0)[:30])
    ]
    at, record = tick(at, 1002.0, observations=tuple(seen), step_seconds=0.5)
    found = at.sums["share:2000"]
    assert found.of("v1").requests + found.of("v2").requests == 2 * 2 * 30
    assert record.late == ()


def test_evidence_does_not_depend_on_which_control_read_it_nor_when() -> None:
    """Its keys are places in the log: what two read from the same place on is the same row."""
    parts = [requests(2000, now, bad_on_candidate=True, each=1)[start::3] for now in (0.2, 0.4) for start in range(3)]
    kept: list[list[Row]] = []
    for late in (0.0, 7.0):
        at, rows = view(SHARES, Event.ADMITTED), list[Row]()
        for number, part in enumerate(parts):
            now = 0.5 + number / 100 + late
            at, record = tick(at, now, observations=part, read_from=f"{100 * number}.0", step_seconds=0.01)
            rows += record.evidence
        kept.append(rows)
    assert kept[0] == kept[1]
    assert len({(row.kind, row.key) for row in kept[0]}) == len(kept[0])


def test_a_night_outside_the_window_makes_no_stage_older() -> None:
    window = Window(tuple(range(7)), 9 * 60, 18 * 60, "UTC")
    routes = Routes(1, "v1", (Upstream("v1", ("h:1",)),), audience=Audience(windows=(window,)), open=((100, 200),))
    at = view(SHARES, Event.ADMITTED)
    for now in (150.0, 250.0, 10_000.0):
        at, _ = tick(at, now, routes=routes, step_seconds=3.0)
    assert (running(at).elapsed_seconds, running(at).watched_seconds) == (3.0, 9.0)
