"""What a tick decides, from values to values."""

from dataclasses import replace
from itertools import count

import pytest

from huidu.control.decide import ADMISSION_SECONDS, Gathered, View, decide, remembered
from huidu.core.evidence import Kind, Observation, golden_row
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
    after, record = tick(View(Fleet("v1")), 1.0, checkpoint={"inode": 1, "offset": 9})
    assert after == View(Fleet("v1"))
    assert record == Record(checkpoint={"inode": 1, "offset": 9})


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
    at, record = tick(at, 4.1, observations=requests(2000, 3.0, bad_on_candidate=True), checkpoint={"offset": 1})
    assert at.fleet.release is None
    assert record.outcome is not None
    assert record.outcome.guard == "errors"
    assert [happening.kind for happening in record.happenings] == ["look", "failed"]


def test_a_stage_passes_only_when_its_time_is_over_and_its_numbers_are_reached() -> None:
    stages = Plan((Share(500, 4.0, at_least=10**6), Share(2000, 4.0), Share(10_000, 4.0)))
    at = view(stages, Event.ADMITTED)
    at, _ = tick(at, 9.0, observations=requests(500, 3.0), checkpoint={"offset": 1})
    assert at.fleet.release is not None
    assert at.fleet.release.stage_name == "share:500"
    at = view(Plan((Share(500, 4.0, at_least=10), *stages.stages[1:])), Event.ADMITTED)
    early, _ = tick(at, 3.0, observations=requests(500, 3.0), checkpoint={"offset": 1})
    assert early.fleet.release is not None
    assert early.fleet.release.stage_name == "share:500"
    later, _ = tick(early, 4.5, checkpoint={"offset": 1})
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
    still, _ = tick(at, 100.0, observations=requests(2000, 3.0), checkpoint={"offset": 1})
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
    back = Routes(4, "v1", (Upstream("v1", "127.0.0.1:1"),))
    after, _ = tick(promoted, 1.0, fence=3, routes=back)
    assert (after.fleet.stable, after.fleet.fence) == ("v1", 3)


def test_a_view_is_the_same_after_a_restart() -> None:
    at = view(SHARES, Event.ADMITTED)
    rows = []
    for second in (1.0, 2.1, 4.1):
        at, record = tick(at, second, observations=requests(2000, second, each=1), checkpoint={"offset": second})
        rows += list(record.evidence)
    assert at.fleet.release is not None
    release, watch = release_from_json(release_to_json(at.fleet.release, at.watch))
    again = remembered(fleet_from_json(fleet_to_json(at.fleet), release), watch, rows)
    assert again == at
    assert {kind for kind, _ in again.known} <= set(Kind)
    assert watch != Watch()
