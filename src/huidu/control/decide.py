"""What one tick decides: a pure function of what control knew and what it has just gathered.

The order matters: a roll back done without control is adopted before anything else, then evidence is added,
then the release moves by at most one step. While an alarm stands it takes none forward.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from huidu.core.alarms import Alarm, AlarmKind, ends_share
from huidu.core.assignment import mismatch
from huidu.core.audience import Rule
from huidu.core.evidence import Kind, Row, Sums, blocks, crash_row, fold, text_row
from huidu.core.faces import RequestKind
from huidu.core.floors import missing
from huidu.core.looks import Look, due
from huidu.core.observation import Failure, Observation, Sample, samples
from huidu.core.plan import Answer, Golden, Measure, Share, Undecided
from huidu.core.record import Happening, Outcome, Record, Watch
from huidu.core.release import Event, Fleet, Phase, Release, advance, aged, promotion, put_back, settled
from huidu.core.routes import Routes
from huidu.core.safety import Probe, included_run, probed
from huidu.core.sockets import SocketReport
from huidu.core.units import keyed
from huidu.core.verdict import State, Verdict, carried, cause, certified, crashes, judge, judge_golden
from huidu.core.wording import alarm_words, words
from huidu.ports import Process, Recognition

# A candidate that is not ready by then will not be.
ADMISSION_SECONDS = 180.0
# How verdicts are made. A record of another way is not derived again.
METHOD = 2

INCLUDED_FAILED = (
    "five recognitions in a row of users who chose the candidate failed, and none of the stable version's in between"
)
_PART_ROWS = 500
_ONCE = (Kind.TEXT, Kind.GOLDEN, Kind.CRASH, Kind.BAD)


@dataclass(frozen=True, slots=True)
class View:
    """What control knows: the recorded state, and the sums of the evidence recorded so far.

    `alarms` are those of the last tick; `others` counts, by version, requests of the release that carried no audio
    since control started.
    """

    fleet: Fleet
    watch: Watch = field(default_factory=Watch)
    sums: Mapping[str, Sums] = field(default_factory=dict)
    golden: tuple[Row, ...] = ()
    known: frozenset[tuple[Kind, str]] = frozenset()
    rows: int = 0
    alarms: tuple[Alarm, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a tick found.

    `step_seconds` went by since the last tick on a monotonic clock, and were watched. `ready` are the versions that
    could serve; `golden_size` utterances make the set whole. `read_from` names the places up to which log and
    reports had been read before. `reported` are the versions whose instances report on their sockets.
    `hang_seconds` is how long a short upload may wait. `alarms` are what gathering itself found wrong.
    """

    now: float
    step_seconds: float = 0.0
    fence: int = 0
    routes: Routes | None = None
    observations: tuple[Observation, ...] = ()
    reports: tuple[SocketReport, ...] = ()
    read_from: str = ""
    reported: frozenset[str] = frozenset()
    hang_seconds: float = 30.0
    checkpoint: dict[str, Any] | None = None
    corrections: tuple[Recognition, ...] = ()
    processes: Mapping[str, Process] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()
    golden: tuple[Row, ...] = ()
    golden_size: int | None = None
    golden_failure: str | None = None
    probe: Probe | None = None
    alarms: tuple[Alarm, ...] = ()

    def without_release(self) -> "Gathered":
        """What is left of it where another release runs by now: lines and reports name their own."""
        return replace(
            self,
            corrections=(),
            ready=frozenset(),
            golden=(),
            golden_size=None,
            golden_failure=None,
            probe=None,
        )

    def samples(self) -> tuple[Sample, ...]:
        """What lines and reports say of recognitions."""
        return tuple(samples(self.observations, self.reports, self.hang_seconds, self.reported))


def remembered(fleet: Fleet, watch: Watch, rows: Iterable[Row]) -> View:
    """The view that stored state and evidence stand for: control starts with it."""
    view, left = View(fleet, watch), iter(rows)
    while part := tuple(islice(left, _PART_ROWS)):
        view = _with_rows(view, part)
    return view


def decide(view: View, found: Gathered) -> tuple[View, Record]:
    """The view after this tick, and what is to be recorded of it."""
    seen = found.samples()
    if found.fence > view.fleet.fence:
        return _adopt(view, found, seen)
    release = view.fleet.release
    if release is None:
        late = _late_rows(view.fleet, found, seen)
        return replace(view, alarms=found.alarms), Record(late=late, checkpoint=found.checkpoint)
    release = aged(release, found.step_seconds, idle=release.serving and _closed(found))
    view, rows = _gain(replace(view, fleet=replace(view.fleet, release=release)), release, found, seen)
    view = _probed(view, found)
    view, alarmed = _alarmed(view, release, found)
    moved, event, looked, outcome = _move(view, release, found)
    moved_on = _happening(release, moved.fleet, event, found.now, outcome)
    happenings = tuple(happening for happening in (*alarmed, looked, moved_on) if happening is not None)
    after = moved.fleet.release or _ended(release, outcome, found.now)
    record = Record(after, moved.watch, outcome, happenings=happenings, evidence=rows, checkpoint=found.checkpoint)
    return moved, replace(record, late=_late_rows(view.fleet, found, seen))


def _closed(found: Gathered) -> bool:
    """Whether the audience's windows are closed now: a night without users makes no stage older."""
    routes = found.routes
    if routes is None or not routes.audience.windows:
        return False
    return not any(start <= found.now < end for start, end in routes.open)


def _adopt(view: View, found: Gathered, seen: tuple[Sample, ...]) -> tuple[View, Record]:
    """Takes over a roll back that was done without control."""
    release = view.fleet.release
    fleet = replace(view.fleet, fence=found.fence)
    late = _late_rows(fleet, found, seen)
    if release is not None:
        view, rows = _gain(view, release, found, seen)
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


def _gain(view: View, release: Release, found: Gathered, seen: tuple[Sample, ...]) -> tuple[View, tuple[Row, ...]]:
    """The view with the evidence of this tick added, each thing once."""
    own = _own(release, seen)
    rows = [*_request_rows(view, release, found, own), *_text_rows(release, found), *found.golden]
    crashed, pids = _crash_rows(view, release, found)
    fresh: dict[tuple[Kind, str], Row] = {}
    for row in (*rows, *crashed):
        if (row.kind, row.key) not in view.known:
            fresh.setdefault((row.kind, row.key), row)
    added = tuple(fresh.values())
    run = included_run(view.watch.included, own, release.candidate, release.stable)
    view = replace(view, watch=replace(view.watch, pids=pids, included=run), others=_others(view, release, found))
    return _with_rows(view, added), added


def _own(release: Release, seen: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """The samples of a release. An older log beside a new store may name one of the same number.

    A stable instance reports sockets that it took over from the candidate: these are the candidate's, as the
    gateway's lines say.
    """
    return tuple(
        sample
        for sample in seen
        if sample.release == release.id
        and not (sample.rule == Rule.SHARE and sample.version == release.stable)
        and (sample.generation is None or sample.generation > release.generation)
        # Releases from before generations were kept go by the clock.
        and (release.generation > 0 or sample.time >= release.started_at)
    )


def _others(view: View, release: Release, found: Gathered) -> Mapping[str, int]:
    """Requests of a release that carry no audio: shown, and no evidence."""
    others = dict(view.others)
    for observation in found.observations:
        if observation.release == release.id and observation.kind == RequestKind.OTHER:
            others[observation.version] = others.get(observation.version, 0) + 1
    return others


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


def _request_rows(view: View, release: Release, found: Gathered, own: tuple[Sample, ...]) -> list[Row]:
    """The rows of recognitions. A socket that was found bad before counts so once, and so does a line read twice."""
    new: list[Sample] = []
    bad: set[str] = set()
    for sample in own:
        if sample.failure is Failure.BAD:
            if sample.request_id in bad or (Kind.BAD, sample.request_id) in view.known:
                sample = replace(sample, failure=None, reason=None)
            bad.add(sample.request_id)
        new.append(sample)
    return blocks(new, view.sums, release.id, _part(found))


def _late_rows(fleet: Fleet, found: Gathered, seen: tuple[Sample, ...]) -> tuple[tuple[int, Row], ...]:
    """Rows of releases that are over: their last requests were under way, or not read yet, when they ended."""
    running = fleet.release.id if fleet.release else None
    named = {sample.release for sample in seen} - {running}
    over = sorted(release for release in named if release is not None and 1 <= release <= fleet.last_release)
    return tuple((release, row) for release in over for row in blocks(seen, {}, release, _part(found)))


def _part(found: Gathered) -> str:
    """How far log and reports had been read before: the same whoever reads, and another for each tick that reads."""
    return f"@{found.read_from}" if found.read_from else ""


def _text_rows(release: Release, found: Gathered) -> list[Row]:
    """Corrected texts of requests that a bucket assigned and that their own version answered."""
    return [
        text_row(
            release.stage_name,
            row.version,
            keyed(row.unit_key_id, row.unit),
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


def _probed(view: View, found: Gathered) -> View:
    if found.probe is None:
        return view
    return replace(view, watch=replace(view.watch, probe=probed(view.watch.probe, found.probe)))


def _alarmed(view: View, release: Release, found: Gathered) -> tuple[View, tuple[Happening, ...]]:
    """The view with the alarms that stand now; each is recorded as it begins and as it ends."""
    view, alarms = _mismatched(view, release)
    alarms += found.alarms
    if release.serving and view.watch.probe.alarming:
        numbers = {"probes": float(view.watch.probe.silent)}
        alarms += (Alarm(AlarmKind.NO_TEXT, release.candidate, numbers),)
    names = tuple(sorted({alarm.kind.value for alarm in alarms}))
    before = view.watch.alarms
    begun = [alarm for alarm in alarms if alarm.kind.value not in before]
    happenings = [Happening(release.id, found.now, "alarm", _alarm_payload(view, release, alarm)) for alarm in begun]
    over = [name for name in before if name not in names]
    happenings += [Happening(release.id, found.now, "alarm_over", {"alarm": name}) for name in over]
    return replace(view, alarms=alarms, watch=replace(view.watch, alarms=names)), tuple(happenings)


def _alarm_payload(view: View, release: Release, alarm: Alarm) -> dict[str, Any]:
    return {
        "alarm": alarm.kind.value,
        "stage": release.stage_name,
        "rows": view.rows,
        "numbers": dict(alarm.numbers),
        "reason": alarm_words(alarm, "en"),
    }


def _mismatched(view: View, release: Release) -> tuple[View, tuple[Alarm, ...]]:
    """The view with the alarm that users are not split as asked. Once raised, it stands to the end of its stage."""
    stage = release.stage
    if not isinstance(stage, Share) or not release.share_bp:
        return view, ()
    numbers = view.watch.mismatches.get(stage.name)
    if numbers is None:
        numbers = mismatch(view.sums.get(stage.name, Sums()), stage, release.candidate, release.stable)
        if numbers is None:
            return view, ()
        watch = replace(view.watch, mismatches={**view.watch.mismatches, stage.name: numbers})
        view = replace(view, watch=watch)
    return view, (Alarm(AlarmKind.SAMPLE_RATIO_MISMATCH, numbers=numbers),)


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
        # A blind start would be a step forward, too.
        return (view, None, None, None) if view.alarms else _to(view, release, Event.ADMITTED, found.now)
    fatal = process is not None and process.state == "fatal"
    if fatal or release.elapsed_seconds > ADMISSION_SECONDS:
        how = "could not start" if fatal else f"was not ready within {ADMISSION_SECONDS:g} s"
        log = f"; see logs/instance-{release.candidate}.log" if process is not None else ""
        reason = f"{release.candidate} {how}{log}"
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
    whole = found.golden_size is not None and len(view.golden) >= found.golden_size
    if release.held is not None or view.alarms or not whole:
        return view, None, None, None
    look = Look(view.watch.looks + 1, 1)
    view, looked = _looked(view, release, judge_golden(release.rules, view.golden, look), look, found.now)
    failed = cause(view.watch.verdicts)
    if failed is not None:
        failing = _fail(view, release, found.now, failed.guard, words(failed, "en"))
        return failing[0], failing[1], looked, failing[3]
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
    if view.watch.included.ends_release:
        return _fail(view, release, found.now, "included", INCLUDED_FAILED)
    stage = release.stage
    assert isinstance(stage, Share)
    # A held release is looked at all the same: losses are answered whether it goes on or not.
    taken = due(stage, release.watched_seconds, view.watch.taken)
    looked = None
    if taken is not None:
        certifies = taken >= stage.for_seconds and _before_everybody(release)
        look = Look(view.watch.looks + 1, view.watch.certifying + 1 if certifies else 0)
        view, looked = _looked(view, release, _judge(view, release, look), look, found.now)
        view = replace(view, watch=replace(view.watch, taken=taken))
    moved = _answered(view, release, found)
    if moved is None and not view.alarms and release.held is None and _may_go_on(view, release, stage):
        moved = _to(view, release, Event.STAGE_PASSED, found.now)
    return (moved[0], moved[1], looked, moved[3]) if moved is not None else (view, None, looked, None)


def _answered(view: View, release: Release, found: Gathered) -> _Moved | None:
    """What is done about proven losses and blindness; None where there is neither."""
    lost = {name: verdict for name, verdict in view.watch.verdicts.items() if _rolls_back(view, release, verdict)}
    failed = cause(lost)
    if failed is not None:
        return _fail(view, release, found.now, failed.guard, words(failed, "en"))
    blind = ends_share(view.alarms)
    if blind is not None and release.share_bp:
        reason = f"the share has ended: {alarm_words(blind, 'en')}"
        blinded = advance(release, Event.BLINDED, found.now, reason)
        return replace(view, fleet=settled(view.fleet, blinded)), Event.BLINDED, None, None
    asks = cause({name: verdict for name, verdict in view.watch.verdicts.items() if _holds(view, release, verdict)})
    if asks is None or release.held is not None:
        return None
    watch = replace(view.watch, held_for=(*view.watch.held_for, f"{release.stage_name} {asks.guard}"))
    held = advance(release, Event.HELD, found.now, words(asks, "en"))
    return replace(view, fleet=settled(view.fleet, held), watch=watch), Event.HELD, None, None


def _rolls_back(view: View, release: Release, verdict: Verdict) -> bool:
    """Whether a loss is answered by a roll back: what only holds does so where a probe has shown the same."""
    if not verdict.failed:
        return False
    confirmed = verdict.guard == "rejects" and view.watch.probe.refused
    return confirmed or _answer(release, verdict) is Answer.ROLLBACK


def _holds(view: View, release: Release, verdict: Verdict) -> bool:
    """Whether a loss asks for people. They are asked once in a stage: who said to go on has seen it."""
    if not verdict.failed or _answer(release, verdict) is not Answer.HOLD:
        return False
    return f"{release.stage_name} {verdict.guard}" not in view.watch.held_for


def _answer(release: Release, verdict: Verdict) -> Answer:
    guard = release.rules.guard(verdict.guard)
    return guard.answer if guard is not None else Answer.ROLLBACK


def _judge(view: View, release: Release, look: Look) -> dict[str, Verdict]:
    sums = view.sums.get(release.stage_name, Sums())
    return judge(release.rules, sums, release.candidate, release.stable, look)


def _may_go_on(view: View, release: Release, stage: Share) -> bool:
    """Whether the stage is over and has seen enough; only a certified candidate goes on to everybody."""
    sums = view.sums.get(stage.name, Sums())
    if release.elapsed_seconds < stage.for_seconds or missing(stage, sums, release.candidate, release.stable):
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
        "method": METHOD,
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

    What the golden set said does not certify what users meet: the first share begins without verdicts. What somebody
    was asked about, and went on from, is measured anew.
    """
    before = view.fleet.release
    golden = before is not None and before.phase is Phase.GOLDEN
    kept = {name: verdict for name, verdict in view.watch.verdicts.items() if not golden and not verdict.failed}
    return replace(view, fleet=settled(view.fleet, release), watch=replace(view.watch, verdicts=kept, taken=0.0))


def _ended(release: Release, outcome: Outcome | None, now: float) -> Release:
    """The final state of a release that this step ended, for its record."""
    phase = Phase.PROMOTED if outcome is not None and outcome.outcome == "promoted" else Phase.ROLLED_BACK
    return replace(release, phase=phase, entered_at=now, held=None, held_by=None)


def _happening(
    release: Release, fleet: Fleet, event: Event | None, now: float, outcome: Outcome | None
) -> Happening | None:
    if event is None:
        return None
    after = fleet.release.stage_name if fleet.release else (outcome.outcome if outcome else "over")
    payload: dict[str, Any] = {"from": release.stage_name, "to": after}
    if outcome is not None:
        payload |= {"guard": outcome.guard, "reason": outcome.reason}
    elif release.held is None and fleet.release is not None and fleet.release.held is not None:
        payload["reason"] = fleet.release.held
    return Happening(release.id, now, event.value, payload)
