"""Deriving a release's verdicts again from its evidence: the record must explain itself."""

from typing import Any

from huidu.core.assignment import mismatch
from huidu.core.evidence import Kind, Row, fold
from huidu.core.looks import Look
from huidu.core.plan import Share
from huidu.core.record import release_from_json
from huidu.core.release import Release
from huidu.core.verdict import Verdict, judge, judge_bake, judge_golden


def replay(stored: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    """Each look of a stored release with the verdicts recorded then, derived again now, and whether they agree."""
    release, _ = release_from_json(stored["state"])
    events = stored["events"]
    looks = [_again(release, event["payload"], rows) for event in events if event["kind"] == "look"]
    alarms = [_alarm_again(release, event["payload"], rows) for event in events if event["kind"] == "alarm"]
    agree = all(each["agree"] for each in (*looks, *alarms))
    return {"id": release.id, "looks": looks, "alarms": alarms, "agree": agree}


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
    if stage == "bake":
        shares = [each.name for each in release.plan.stages if isinstance(each, Share)]
        before = fold(rows, shares[-2]) if len(shares) > 1 else fold([])
        return judge_bake(release.rules, fold(rows, stage), before, release.candidate, release.stable, look)
    return judge(release.rules, fold(rows, stage), release.candidate, release.stable, look)
