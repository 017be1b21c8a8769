"""What one tick decides: a pure function of what control knew and what it has just gathered.

The order matters: a roll back done without control is adopted before anything else, then evidence is added,
then the release moves by at most one step.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from huidu.core.assignment import SAMPLE_RATIO_MISMATCH, mismatch
from huidu.core.evidence import Kind, Observation, Row, Sums, blocks, crash_row, fold, text_row
from huidu.core.looks import Look, due
from huidu.core.plan import Golden, Measure, Share, Undecided
from huidu.core.record import Happening, Outcome, Record, Watch
from huidu.core.release import Event, Fleet, Phase, Release, advance, promotion, put_back, settled
from huidu.core.routes import Routes
from huidu.core.verdict import State, Verdict, carried, cause, certified, crashes, judge, judge_bake, judge_golden
from huidu.core.wording import words
from huidu.ports import Process, Recognition

# A candidate that is not ready by then will not be.
ADMISSION_SECONDS = 180.0
# A client that went away before this had no reason to complain of slowness.
PATIENCE_MS = 30_000.0

_PART_ROWS = 500
_ONCE = (Kind.TEXT, Kind.GOLDEN, Kind.CRASH, Kind.BAD)


@dataclass(frozen=True, slots=True)
class View:
    """What control knows: the recorded state, and the sums of the evidence recorded so far."""

    fleet: Fleet
    watch: Watch = field(default_factory=Watch)
    sums: Mapping[str, Sums] = field(default_factory=dict)
    golden: tuple[Row, ...] = ()
    known: frozenset[tuple[Kind, str]] = frozenset()
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a tick found. `ready` are the versions that could serve; `golden_size` utterances make the set whole."""

    now: float
    fence: int = 0
    routes: Routes | None = None
    observations: tuple[Observation, ...] = ()
    checkpoint: dict[str, Any] | None = None
    corrections: tuple[Recognition, ...] = ()
    processes: Mapping[str, Process] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()
    golden: tuple[Row, ...] = ()
    golden_size: int | None = None
    golden_failure: str | None = None


def remembered(fleet: Fleet, watch: Watch, rows: Iterable[Row]) -> View:
    """The view that stored state and evidence stand for: control starts with it."""
    view, left = View(fleet, watch), iter(rows)
    while part := tuple(islice(left, _PART_ROWS)):
        view = _with_rows(view, part)
    return view


def decide(view: View, found: Gathered) -> tuple[View, Record]:
    """The view after this tick, and what is to be recorded of it."""
    if found.fence > view.fleet.fence:
        return _adopt(view, found)
    release = view.fleet.release
    if release is None:
        return view, Record(late=_late_rows(view.fleet, found), checkpoint=found.checkpoint)
    view, rows = _gain(view, release, found)
    view, alarmed = _mismatched(view, release, found.now)
    moved, event, looked, outcome = _move(view, release, found)
    happenings = tuple(
        happening
        for happening in (alarmed, looked, _happening(release, moved.fleet, event, found.now, outcome))
        if happening is not None
    )
    after = moved.fleet.release or _ended(release, outcome, found.now)
    record = Record(after, moved.watch, outcome, happenings=happenings, evidence=rows, checkpoint=found.checkpoint)
    return moved, replace(record, late=_late_rows(view.fleet, found))


def _adopt(view: View, found: Gathered) -> tuple[View, Record]:
    """Takes over a roll back that was done without control."""
    release = view.fleet.release
    fleet = replace(view.fleet, fence=found.fence)
    late = _late_rows(fleet, found)
    if release is not None:
        view, rows = _gain(view, release, found)
        ended = advance(release, Event.FENCED, found.now)
        outcome = Outcome("rolled_back", release.stage_name, None, "rolled back while control did not answer")
        happening = Happening(release.id, found.now, "fenced", {"fence": found.fence})
        record = Record(ended, view.watch, outcome, happenings=(happening,), evidence=rows, late=late)
        return replace(view, fleet=settled(fleet, ended)), replace(record, checkpoint=found.checkpoint)
    if found.routes is not None and found.routes.stable != fleet.stable:
        payload = {"from": fleet.stable, "to": found.routes.stable, "fence": found.fence}
        happening = Happening(fleet.last_release, found.now, "put_back", payload)
        record = Record(happenings=(happening,), late=late, checkpoint=found.checkpoint)
        return replace(view, fleet=put_back(fleet, found.routes.stable)), record
    return replace(view, fleet=fleet), Record(late=late, checkpoint=found.checkpoint)


def _gain(view: View, release: Release, found: Gathered) -> tuple[View, tuple[Row, ...]]:
    """The view with the evidence of this tick added, each thing once."""
    rows = [*_request_rows(view, release, found), *_text_rows(release, found), *found.golden]
    crashed, pids = _crash_rows(view, release, found)
    fresh: dict[tuple[Kind, str], Row] = {}
    for row in (*rows, *crashed):
        if (row.kind, row.key) not in view.known:
            fresh.setdefault((row.kind, row.key), row)
    added = tuple(fresh.values())
    return _with_rows(replace(view, watch=replace(view.watch, pids=pids)), added), added


def _with_rows(view: View, rows: tuple[Row, ...]) -> View:
    if not rows:
        return view
    sums = dict(view.sums)
    for stage in {row.stage for row in rows}:
        sums[stage] = sums.get(stage, Sums()) + fold(rows, stage)
    once = {(row.kind, row.key) for row in rows if row.kind in _ONCE}
    return replace(
        view,
        sums=sums,
        golden=view.golden + tuple(row for row in rows if row.kind is Kind.GOLDEN),
        known=view.known | once if once else view.known,
        rows=view.rows + len(rows),
    )


def _request_rows(view: View, release: Release, found: Gathered) -> list[Row]:
    # An older log beside a new store may name a release of the same number.
    own = (observation for observation in found.observations if observation.time >= release.started_at)
    return blocks(own, view.sums, release.id, PATIENCE_MS, _part(found))


def _late_rows(fleet: Fleet, found: Gathered) -> tuple[tuple[int, Row], ...]:
    """Rows of releases that are over: their last requests were under way, or not read yet, when they ended."""
    running = fleet.release.id if fleet.release else None
    named = {observation.release for observation in found.observations} - {running}
    over = sorted(release for release in named if release is not None and 1 <= release <= fleet.last_release)
    return tuple(
        (release, row) for release in over for row in blocks(found.observations, {}, release, PATIENCE_MS, _part(found))
    )


def _part(found: Gathered) -> str:
    """How far the log is read: no two ticks that read lines have the same."""
    return "" if found.checkpoint is None else str(found.checkpoint["read"])


def _text_rows(release: Release, found: Gathered) -> list[Row]:
    """Corrected texts of requests that a bucket assigned and that their own version answered."""
    return [
        text_row(
            release.stage_name,
            row.version,
            row.unit,
            row.audio_sha256,
            row.corrected_text,
            row.raw_text,
            found.now,
        )
        for row in found.corrections
        if row.corrected_text is not None
        and row.unit is not None
        and row.rule in ("share", "rest")
        and row.attempt == 1
    ]


def _crash_rows(view: View, release: Release, found: Gathered) -> tuple[list[Row], dict[str, int]]:
    """Processes of both versions that ended unasked since they were last seen, and the processes seen now."""
    pids = dict(view.watch.pids)
    rows = []
    for version in (release.stable, release.candidate):
        process = found.processes.get(version)
        if process is None:
            continue
        before = pids.get(version, 0)
        if before and process.pid != before:
            rows.append(crash_row(release.stage_name, version, f"{version}:{before}", found.now))
        # Before it is admitted a candidate may still be finding its feet; that is admission's to judge.
        if process.pid or before:
            pids[version] = process.pid
    return rows, pids


def _mismatched(view: View, release: Release, now: float) -> tuple[View, Happening | None]:
    """The view with the alarm that the users are not split as asked, once in a stage; and its line of the record."""
    stage = release.stage
    if not isinstance(stage, Share) or stage.name in view.watch.mismatches:
        return view, None
    numbers = mismatch(view.sums.get(stage.name, Sums()), stage, release.candidate, release.stable)
    if numbers is None:
        return view, None
    payload = {"alarm": SAMPLE_RATIO_MISMATCH, "stage": stage.name, "rows": view.rows, "numbers": numbers}
    watch = replace(view.watch, mismatches={**view.watch.mismatches, stage.name: numbers})
    return replace(view, watch=watch), Happening(release.id, now, "alarm", payload)


_Moved = tuple[View, Event | None, Happening | None, Outcome | None]


def _move(view: View, release: Release, found: Gathered) -> _Moved:
    match release.phase:
        case Phase.ADMISSION:
            return _admit(view, release, found)
        case Phase.GOLDEN:
            return _golden(view, release, found)
        case _:
            return _serve(view, release, found)


def _admit(view: View, release: Release, found: Gathered) -> _Moved:
    process = found.processes.get(release.candidate)
    if release.held is not None:
        return view, None, None, None
    if release.candidate in found.ready:
        return _to(view, release, Event.ADMITTED, found.now)
    fatal = process is not None and process.state == "fatal"
    if fatal or release.elapsed_seconds(found.now) > ADMISSION_SECONDS:
        how = "could not start" if fatal else f"was not ready within {ADMISSION_SECONDS:g} s"
        reason = f"{release.candidate} {how}; see logs/instance-{release.candidate}.log"
        return _fail(view, release, found.now, "admission", reason)
    return view, None, None, None


def _golden(view: View, release: Release, found: Gathered) -> _Moved:
    stage = release.stage
    assert isinstance(stage, Golden)
    crashed = _crashed(view, release)
    if crashed is not None:
        return _fail(view, release, found.now, "crashes", words(crashed, "en"))
    if release.held is None and found.golden_failure is not None:
        held = advance(release, Event.UNDECIDED, found.now, found.golden_failure)
        return replace(view, fleet=settled(view.fleet, held)), Event.UNDECIDED, None, None
    if release.held is not None or found.golden_size is None or len(view.golden) < found.golden_size:
        return view, None, None, None
    look = Look(view.watch.looks + 1, 1)
    view, looked = _looked(view, release, judge_golden(release.rules, view.golden, look), look, found.now)
    failed = cause(view.watch.verdicts)
    if failed is not None:
        moved = _fail(view, release, found.now, failed.guard, words(failed, "en"))
        return moved[0], moved[1], looked, moved[3]
    undecided = [verdict for verdict in view.watch.verdicts.values() if verdict.state is State.UNDECIDED]
    if undecided and stage.undecided is Undecided.ASK:
        held = advance(release, Event.UNDECIDED, found.now, "the golden set is undecided: promote or roll back")
        return replace(view, fleet=settled(view.fleet, held)), Event.UNDECIDED, looked, None
    passed = _to(view, release, Event.STAGE_PASSED, found.now)
    return passed[0], passed[1], looked, None


def _serve(view: View, release: Release, found: Gathered) -> _Moved:
    """A share or the bake: losses are answered at once, going forward needs time, numbers and proof."""
    crashed = _crashed(view, release)
    if crashed is not None:
        return _fail(_judged(view, {crashed.guard: crashed}), release, found.now, crashed.guard, words(crashed, "en"))
    stage = release.stage
    assert isinstance(stage, Share)
    elapsed = release.elapsed_seconds(found.now)
    # A held release is looked at all the same: losses are answered whether it goes on or not.
    taken = due(stage, found.now - release.entered_at, view.watch.taken)
    looked = None
    if taken is not None:
        certifies = taken >= stage.for_seconds and _before_everybody(release)
        look = Look(view.watch.looks + 1, view.watch.certifying + 1 if certifies else 0)
        view, looked = _looked(view, release, _judge(view, release, look), look, found.now)
        view = replace(view, watch=replace(view.watch, taken=taken))
    failed = cause(view.watch.verdicts)
    if failed is not None:
        moved = _fail(view, release, found.now, failed.guard, words(failed, "en"))
        return moved[0], moved[1], looked, moved[3]
    if release.held is None and _may_go_on(view, release, stage, elapsed):
        passed = _to(view, release, Event.STAGE_PASSED, found.now)
        return passed[0], passed[1], looked, passed[3]
    return view, None, looked, None


def _judge(view: View, release: Release, look: Look) -> dict[str, Verdict]:
    sums = view.sums.get(release.stage_name, Sums())
    if release.phase is Phase.SHARE:
        return judge(release.rules, sums, release.candidate, release.stable, look)
    shares = [stage for stage in release.plan.stages if isinstance(stage, Share)]
    before = view.sums.get(shares[-2].name, Sums()) if len(shares) > 1 else Sums()
    return judge_bake(release.rules, sums, before, release.candidate, release.stable, look)


def _may_go_on(view: View, release: Release, stage: Share, elapsed: float) -> bool:
    """Whether the stage is over and was comparable; only a certified candidate goes on to everybody."""
    served = view.sums.get(stage.name, Sums()).of(release.candidate).requests
    if elapsed < stage.for_seconds or served < stage.at_least or stage.name in view.watch.mismatches:
        return False
    return not _before_everybody(release) or certified(release.rules, view.watch.verdicts)


def _before_everybody(release: Release) -> bool:
    """Whether the bake comes next: the one step that needs proof, so that all of beta is spent on it."""
    following = release.plan.stages[release.stage_index + 1 :]
    return bool(following) and following[0].name == "bake"


def _crashed(view: View, release: Release) -> Verdict | None:
    """The crash guard is a rule, not a test: it answers at every tick."""
    guard = next((guard for guard in release.rules.guards if guard.measure is Measure.COUNT), None)
    if guard is None:
        return None
    verdict = crashes(guard, view.sums.get(release.stage_name, Sums()), release.candidate, release.stable)
    return verdict if verdict.state is State.FAILED else None


def _judged(view: View, verdicts: Mapping[str, Verdict]) -> View:
    return replace(view, watch=replace(view.watch, verdicts=carried(view.watch.verdicts, verdicts)))


def _looked(
    view: View, release: Release, verdicts: Mapping[str, Verdict], look: Look, now: float
) -> tuple[View, Happening]:
    """The view after a look, and the look as a line of the record: with it any verdict can be derived again."""
    judged = _judged(view, verdicts)
    watch = replace(
        judged.watch,
        looks=look.index,
        # The golden set certifies for itself alone.
        certifying=max(judged.watch.certifying, look.certifying) if release.serving else 0,
    )
    payload = {
        "stage": release.stage_name,
        "index": look.index,
        "certifying": look.certifying,
        "rows": view.rows,
        "verdicts": {name: verdict.as_json() for name, verdict in verdicts.items()},
    }
    return replace(judged, watch=watch), Happening(release.id, now, "look", payload)


def _to(view: View, release: Release, event: Event, now: float) -> _Moved:
    moved = advance(release, event, now)
    outcome = None
    if moved.phase is Phase.PROMOTED:
        outcome = Outcome("promoted", release.stage_name, None, promotion(moved))
    return entered(view, moved), event, None, outcome


def _fail(view: View, release: Release, now: float, guard: str, reason: str) -> _Moved:
    moved = advance(release, Event.FAILED, now)
    outcome = Outcome("rolled_back", release.stage_name, guard, reason)
    return replace(view, fleet=settled(view.fleet, moved)), Event.FAILED, None, outcome


def entered(view: View, release: Release) -> View:
    """The view with a release in its next stage, where looks start afresh.

    What the golden set said does not certify what users meet: the first share begins without verdicts.
    """
    before = view.fleet.release
    golden = before is not None and before.phase is Phase.GOLDEN
    verdicts = {} if golden else view.watch.verdicts
    return replace(view, fleet=settled(view.fleet, release), watch=replace(view.watch, verdicts=verdicts, taken=0.0))


def _ended(release: Release, outcome: Outcome | None, now: float) -> Release:
    """The final state of a release that this step ended, for its record."""
    phase = Phase.PROMOTED if outcome is not None and outcome.outcome == "promoted" else Phase.ROLLED_BACK
    return replace(release, phase=phase, entered_at=now, held=None, held_at=None, held_by=None)


def _happening(
    release: Release, fleet: Fleet, event: Event | None, now: float, outcome: Outcome | None
) -> Happening | None:
    if event is None:
        return None
    after = fleet.release.stage_name if fleet.release else (outcome.outcome if outcome else "over")
    payload: dict[str, Any] = {"from": release.stage_name, "to": after}
    if outcome is not None:
        payload |= {"guard": outcome.guard, "reason": outcome.reason}
    return Happening(release.id, now, event.value, payload)
