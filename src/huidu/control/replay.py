"""Deriving a release's verdicts again from its evidence: the record must explain itself."""

from typing import Any

from huidu.control.decide import METHOD
from huidu.core.alarms import AlarmKind
from huidu.core.assignment import mismatch
from huidu.core.evidence import Kind, Row, fold
from huidu.core.looks import Look
from huidu.core.plan import Share
from huidu.core.record import release_from_json
from huidu.core.release import Release
from huidu.core.verdict import Verdict, judge, judge_golden


def replay(stored: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    """Each look of a stored release with the verdicts recorded then, derived again now, and whether they agree.

    Looks of an earlier Huidu, which judged in another way, are counted and not derived again.
    """
    release, _ = release_from_json(stored["state"])
    events = stored["events"]
    recorded = [event["payload"] for event in events if event["kind"] == "look"]
    looks = [_again(release, look, rows) for look in recorded if look.get("method") == METHOD]
    raised = [event["payload"] for event in events if event["kind"] == "alarm"]
    # Where rows were lost with a store, what was made of them cannot be derived again.
    unfair = [alarm for alarm in raised if alarm["alarm"] == AlarmKind.SAMPLE_RATIO_MISMATCH and "rows" in alarm]
    alarms = [_alarm_again(release, alarm, rows) for alarm in unfair]
    agree = all(each["agree"] for each in (*looks, *alarms))
    earlier = len(recorded) - len(looks)
    return {"id": release.id, "looks": looks, "alarms": alarms, "earlier_looks": earlier, "agree": agree}


def _again(release: Release, recorded: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    known = rows[: recorded["rows"]]
    look = Look(recorded["index"], recorded["certifying"])
    derived = {name: verdict.as_json() for name, verdict in _verdicts(release, recorded["stage"], known, look).items()}
    return {
        "stage": recorded["stage"],
        "index": look.index,
        "recorded": recorded["verdicts"],
        "derived": derived,
        "agree": derived == recorded["verdicts"],
    }


def _alarm_again(release: Release, recorded: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    stage = next(each for each in release.plan.stages if isinstance(each, Share) and each.name == recorded["stage"])
    derived = mismatch(fold(rows[: recorded["rows"]], stage.name), stage, release.candidate, release.stable)
    return {**recorded, "derived": derived, "agree": derived == recorded["numbers"]}


def _verdicts(release: Release, stage: str, rows: list[Row], look: Look) -> dict[str, Verdict]:
    if stage == "golden":
        return judge_golden(release.rules, [row for row in rows if row.kind is Kind.GOLDEN], look)
    return judge(release.rules, fold(rows, stage), release.candidate, release.stable, look)
