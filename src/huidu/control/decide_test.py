"""What a tick decides, from values to values."""

import json
from collections import Counter
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from huidu.control.decide import ADMISSION_SECONDS, Gathered, View, decide, remembered
from huidu.control.replay import replay
from huidu.core.evidence import Kind, Observation, Row, golden_row
from huidu.core.plan import Golden, Plan, Rules, Share, Undecided
from huidu.core.record import Record, Watch, fleet_from_json, fleet_to_json, release_from_json, release_to_json
from huidu.core.release import Event, Fleet, Phase, advance, begin, settled
from huidu.core.routes import Routes, Upstream
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
                    unit, share_bp, attempts, 200, 20.0 + index % 7, 3.0,
                )
            )  # fmt: skip
    return tuple(found)


def process(version: str, pid: int, state: str = "running") -> Process:
    return Process(version, state, pid, 0.0, 10**8)


def tick(at: View, now: float, **found: object) -> tuple[View, Record]:
    return decide(at, replace(Gathered(now), **found))  # type: ignore[arg-type]


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
    assert still.fleet == at.fleet
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
    at, first = tick(at, 3.5, observations=(early, *parts[0]), checkpoint={"read": 1})
    assert at.fleet.release is not None
    ended = replace(at, fleet=settled(at.fleet, advance(at.fleet.release, Event.ROLLBACK_ASKED, 4.0)))
    rest, second = tick(ended, 4.5, observations=parts[1], checkpoint={"read": 2})
    assert (rest, second.evidence) == (ended, ())
    following = View(settled(ended.fleet, begin(2, "v2", "v1", SHARES, Rules(), 3.0)))
    mixed = tuple(each._replace(release=release) for each in parts[2] for release in (1, 2, 3, None))
    after, third = tick(following, 6.0, observations=mixed, checkpoint={"read": 3})
    fenced, fourth = tick(at, 6.0, fence=1, observations=parts[3], checkpoint={"read": 4})
    assert fenced.fleet.release is None
    late = [(release, row) for record in (second, third) for release, row in record.late]
    assert {release for release, _ in late} == {1}
    rows = [*first.evidence, *(row for _, row in late), *fourth.evidence]
    assert counted(rows) == whole
    assert len({(row.kind, row.key) for row in rows}) == len(rows)
    assert sum(counted(list(third.evidence)).values()) == len(parts[2])
    assert after.rows == len(third.evidence)
