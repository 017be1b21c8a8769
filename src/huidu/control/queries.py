"""What control says of itself: plain JSON, the same over HTTP and behind `--json`."""

from dataclasses import asdict
from typing import Any

from huidu.control.controller import Controller
from huidu.core.alarms import Alarm
from huidu.core.evidence import Sums, VersionSums
from huidu.core.floors import missing
from huidu.core.plan import Golden, Share, Stage
from huidu.core.record import Watch
from huidu.core.release import Release, accepted, standing
from huidu.core.routes import Routes
from huidu.core.spool import Head
from huidu.core.units import distinct
from huidu.core.verdict import State, Verdict
from huidu.core.wording import alarm_words, missing_words, one_peer_words, words

# Of a handful of recognitions most come from one address anyway.
_LEAST_FOR_A_NOTE = 20


def status(controller: Controller, routes: Routes | None, now: float) -> dict[str, Any]:
    """What runs, who gets what, where the release stands and why."""
    view, config = controller.view, controller.config
    fleet, release = view.fleet, view.fleet.release
    serving = release if release is not None and release.serving else None
    found: dict[str, Any] = {
        "as_of": now,
        "stable": fleet.stable,
        "candidate": release.candidate if release else None,
        "previous": fleet.previous,
        "stage": release.stage_name if release else None,
        "share_bp": serving.share_bp if serving else 0,
        "guards": _guards(release, view.watch) if release else {},
        "alarms": [_alarm(alarm) for alarm in (*controller.unwatched, *view.alarms)],
        "release": _release(controller, release) if release else None,
        "last_release": controller.last_release,
        "generation": routes.generation if routes else None,
        "expires_at": routes.expires_at if routes else None,
        "versions": _versions(controller),
        "spools": {version: _spool(head) for version, head in controller.spooled.items()},
        "differences": _differences(config.stable, fleet.stable),
        "unrecorded": controller.unrecorded,
    }
    return found


def _release(controller: Controller, release: Release) -> dict[str, Any]:
    stage, view = release.stage, controller.view
    sums = view.sums.get(release.stage_name, Sums())
    golden = controller.golden_done
    waits = missing(stage, sums, release.candidate, release.stable) if isinstance(stage, Share) else ()
    sides = {"candidate": sums.of(release.candidate), "stable": sums.of(release.stable)}
    return {
        "id": release.id,
        "plan": [stage_words(each) for each in release.plan.stages],
        "stage_index": release.stage_index,
        "elapsed_seconds": round(release.elapsed_seconds, 1),
        "for_seconds": stage.for_seconds if isinstance(stage, Share) else None,
        "golden": {"done": golden[0], "of": golden[1]} if golden else None,
        "held": release.held if release.held is not None else _held_by_alarm(controller),
        "share_ended": release.share_ended,
        "looks": view.watch.looks,
        "compared": {side: _compared(of) for side, of in sides.items()},
        "others": dict(view.others),
        "missing": [asdict(each) for each in waits],
        "waits_for": missing_words(waits, "en"),
        "waits_for_zh": missing_words(waits, "zh"),
        "notes": [_note(side, of, language="en") for side, of in sides.items() if _one_peer(of)],
        "notes_zh": [_note(side, of, language="zh") for side, of in sides.items() if _one_peer(of)],
        "probe": _probe(view.watch),
        "accepted": [event.value for event in accepted(release)],
    }


def _held_by_alarm(controller: Controller) -> str | None:
    """Why a release that nobody holds takes no step all the same."""
    alarms = (*controller.unwatched, *controller.view.alarms)
    return alarm_words(alarms[0], "en") if alarms else None


def _compared(sums: VersionSums) -> dict[str, int]:
    return {
        "requests": sums.requests,
        "failed": sums.bad,
        "users": sums.users,
        "texts": len(sums.texts),
        "sockets": sums.sockets,
        "peers": distinct(sums.peers),
    }


def _one_peer(sums: VersionSums) -> float | None:
    """The part of the recognitions that one address sent, where that is most of them."""
    if sums.requests < _LEAST_FOR_A_NOTE or not sums.peers:
        return None
    part = max(sums.peers.values()) / sums.requests
    return part if part > 0.5 else None


def _note(side: str, sums: VersionSums, language: str) -> str:
    return one_peer_words(_one_peer(sums) or 0.0, side, language)


def _probe(watch: Watch) -> str:
    """What clips that control sends say: `heard`, `silent`, `not_measured`, or `none` before the first."""
    if watch.probe.measured is None:
        return "none"
    if not watch.probe.measured:
        return State.NOT_MEASURED.value
    return "silent" if watch.probe.silent else "heard"


def _guards(release: Release, watch: Watch) -> dict[str, Any]:
    return {guard.name: _guard(watch.verdicts.get(guard.name)) for guard in release.rules.guards}


def _alarm(alarm: Alarm) -> dict[str, Any]:
    reasons = {"reason": alarm_words(alarm, "en"), "reason_zh": alarm_words(alarm, "zh")}
    return {"alarm": alarm.kind.value, **reasons, "seconds": round(alarm.seconds, 1), "numbers": dict(alarm.numbers)}


def _guard(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {
            "verdict": "undecided",
            "reason": "not looked at yet",
            "reason_zh": "尚未查看",
            "code": None,
            "numbers": {},
        }
    return {
        "verdict": verdict.state.value,
        "reason": words(verdict, "en"),
        "reason_zh": words(verdict, "zh"),
        "code": verdict.code.value,
        "numbers": dict(verdict.numbers),
    }


def _versions(controller: Controller) -> dict[str, Any]:
    fleet = controller.view.fleet
    found = {}
    for name in sorted(standing(fleet).running):
        process = controller.processes.get(name)
        found[name] = {
            "address": dict(fleet.addresses).get(name),
            "state": process.state if process else "elsewhere",
            "pid": process.pid if process else None,
            "memory_bytes": process.rss_bytes if process else None,
            "answers": reach.answers if (reach := controller.reached.get(name)) else None,
            "reach": reach.detail if reach else None,
            "not_measured": _unseen(controller, name),
        }
    return found


def _spool(head: Head) -> dict[str, Any]:
    return {
        "waiting_rows": head.waiting_rows,
        "waiting_bytes": head.waiting_bytes,
        "lost_rows": head.lost_rows,
        "lost_at": head.lost_at,
    }


def _unseen(controller: Controller, version: str) -> list[str]:
    """What of a version's answers and sockets nobody sees: its instance does not tell, and the gateway cannot."""
    config = controller.config
    if config.sees_messages:
        return []
    sockets = [] if version in config.managed else ["close_code", "first_message_ms", "frames_up", "frames_down"]
    return ["broken_answers", *sockets]


def _differences(configured: str, stable: str) -> list[str]:
    return [] if configured == stable else [f"the store says stable is {stable}, the file says {configured}"]


def stage_words(stage: Stage) -> str:
    """A stage as the plan writes it."""
    if isinstance(stage, Golden):
        return f"golden {stage.set} (undecided: {stage.undecided})"
    least = f", at least {stage.at_least} recognitions of {stage.units} users" if stage.share_bp else ""
    held_back = f", holdback {stage.holdback_bp / 100:g} %" if stage.holdback_bp else ""
    return f"{stage.share_bp / 100:g} % for {stage.for_seconds:g} s{least}{held_back}"
