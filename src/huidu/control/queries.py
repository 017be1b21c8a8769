"""What control says of itself: plain JSON, the same over HTTP and behind `--json`."""

from typing import Any

from huidu.control.controller import Controller
from huidu.core.assignment import SAMPLE_RATIO_MISMATCH
from huidu.core.evidence import Sums
from huidu.core.plan import Golden, Share, Stage
from huidu.core.record import Watch
from huidu.core.release import Release, accepted, standing
from huidu.core.routes import Routes
from huidu.core.verdict import Verdict
from huidu.core.wording import mismatch_words, words


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
        "alarms": _alarms(release, view.watch) if release else [],
        "release": _release(controller, release, now) if release else None,
        "last_release": controller.last_release,
        "generation": routes.generation if routes else None,
        "expires_at": routes.expires_at if routes else None,
        "versions": _versions(controller),
        "differences": _differences(config.stable, fleet.stable),
    }
    return found


def _release(controller: Controller, release: Release, now: float) -> dict[str, Any]:
    stage = release.stage
    sums = controller.view.sums.get(release.stage_name, Sums())
    golden = controller.golden_done
    candidate, stable = sums.of(release.candidate), sums.of(release.stable)
    return {
        "id": release.id,
        "plan": [stage_words(each) for each in release.plan.stages],
        "stage_index": release.stage_index,
        "elapsed_seconds": round(release.elapsed_seconds(now), 1),
        "for_seconds": stage.for_seconds if isinstance(stage, Share) else None,
        "golden": {"done": golden[0], "of": golden[1]} if golden else None,
        "held": release.held,
        "looks": controller.view.watch.looks,
        "compared": {
            "candidate": {"requests": candidate.requests, "users": len(candidate.units), "texts": len(candidate.texts)},
            "stable": {"requests": stable.requests, "users": len(stable.units), "texts": len(stable.texts)},
        },
        "accepted": [event.value for event in accepted(release)],
    }


def _guards(release: Release, watch: Watch) -> dict[str, Any]:
    return {guard.name: _guard(watch.verdicts.get(guard.name)) for guard in release.rules.guards}


def _alarms(release: Release, watch: Watch) -> list[dict[str, Any]]:
    """What is wrong with this stage itself: it does not go on until a person says so."""
    numbers = watch.mismatches.get(release.stage_name)
    if numbers is None:
        return []
    reasons = {"reason": mismatch_words(numbers, "en"), "reason_zh": mismatch_words(numbers, "zh")}
    return [{"alarm": SAMPLE_RATIO_MISMATCH, **reasons, "numbers": numbers}]


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
        }
    return found


def _differences(configured: str, stable: str) -> list[str]:
    return [] if configured == stable else [f"the store says stable is {stable}, the file says {configured}"]


def stage_words(stage: Stage) -> str:
    """A stage as the plan writes it."""
    if isinstance(stage, Golden):
        return f"golden {stage.set} (undecided: {stage.undecided})"
    least = f", at least {stage.at_least} requests" if stage.at_least else ""
    return f"{stage.share_bp / 100:g} % for {stage.for_seconds:g} s{least}"
