"""What one step of control adds to the store, and how values of the core read as plain JSON there."""

import re
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from huidu.core.evidence import Row
from huidu.core.plan import (
    LEAST_RECOGNITIONS,
    Answer,
    Golden,
    Guard,
    Measure,
    Plan,
    Rules,
    Share,
    Stage,
    Undecided,
)
from huidu.core.release import Fleet, Override, Phase, Release, said
from huidu.core.safety import IncludedRun, ProbeState
from huidu.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Watch:
    """What control remembers of a release beside its phase: verdicts so far and the looks taken.

    `looks` counts looks over the whole release, `certifying` those that could certify; `taken` is the point of
    the present stage, in seconds, at which the last look was taken; `pids` are the processes seen by version, so
    that one that fell and came back is noticed even after a restart of control; `mismatches` are the numbers of
    the sample ratio mismatches found, by stage; `held_for` names stage and guard of what people were asked about once;
    `probe` is what clips that control sends itself have shown, `included` what became lately of users who chose the
    candidate; `alarms` are the names of the alarms that stood at the last tick.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    looks: int = 0
    certifying: int = 0
    taken: float = 0.0
    pids: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, dict[str, float]] = field(default_factory=dict)
    held_for: tuple[str, ...] = ()
    probe: ProbeState = field(default_factory=ProbeState)
    included: IncludedRun = field(default_factory=IncludedRun)
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a release ended. `guard` is set where a verdict ended it."""

    outcome: str  # promoted or rolled_back
    stage: str
    guard: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a release's record; append only."""

    release: int
    time: float
    kind: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored in one transaction together with the new state of the fleet.

    `release` is the release the step belongs to, also when the step ended it; `evidence` belongs to it. `late` is
    evidence of releases that were over before it was read, each row with its release.
    """

    release: Release | None = None
    watch: Watch = field(default_factory=Watch)
    outcome: Outcome | None = None
    by: str = "control"
    happenings: tuple[Happening, ...] = ()
    evidence: tuple[Row, ...] = ()
    late: tuple[tuple[int, Row], ...] = ()
    checkpoint: dict[str, Any] | None = None


def fleet_to_json(fleet: Fleet) -> dict[str, Any]:
    """All but the running release, which has a row of its own."""
    return {
        "stable": fleet.stable,
        "previous": fleet.previous,
        "running": fleet.release.id if fleet.release else None,
        "last_release": fleet.last_release,
        "fence": fleet.fence,
        "addresses": dict(fleet.addresses),
    }


def fleet_from_json(found: dict[str, Any], release: Release | None) -> Fleet:
    return Fleet(
        stable=found["stable"],
        previous=found["previous"],
        release=release,
        last_release=found["last_release"],
        fence=found["fence"],
        addresses=tuple(sorted(found["addresses"].items())),
    )


def release_to_json(release: Release, watch: Watch) -> dict[str, Any]:
    rest = (each.name for each in fields(release) if each.name not in ("plan", "rules"))
    plain: dict[str, Any] = {name: getattr(release, name) for name in rest}
    plain["overrides"] = [asdict(each) for each in release.overrides]
    plain["plan"], plain["rules"] = _plan_to_json(release.plan), asdict(release.rules)
    plain["watch"] = {
        "verdicts": {name: verdict.as_json() for name, verdict in watch.verdicts.items()},
        "looks": watch.looks,
        "certifying": watch.certifying,
        "taken": watch.taken,
        "pids": watch.pids,
        "mismatches": watch.mismatches,
        "held_for": list(watch.held_for),
        "probe": asdict(watch.probe),
        "included": asdict(watch.included),
        "alarms": list(watch.alarms),
    }
    return plain


@lru_cache(maxsize=4)
def _plan_to_json(plan: Plan) -> list[dict[str, Any]]:
    # A plan never changes, and is stored with every step of its release.
    return [asdict(stage) for stage in plan.stages]


def release_from_json(found: dict[str, Any]) -> tuple[Release, Watch]:
    """Also of what an earlier Huidu stored: what it did not know yet has its value from before there was such."""
    rules = found["rules"]
    named = {each.name for each in fields(Release)} - {"plan", "rules", "phase", "overrides"}
    known = {name: value for name, value in found.items() if name in named}
    release = Release(
        plan=Plan(tuple(_stage(stage) for stage in found["plan"])),
        rules=Rules(tuple(_guard(guard) for guard in rules["guards"]), rules["alpha"], rules["beta"]),
        phase=Phase(found["phase"]),
        # Releases stored before overrides were kept have none.
        overrides=tuple(Override(**each) for each in found.get("overrides", ())),
        **(known if "held_by" in known else known | _hold_of_old(known["held"])),
    )
    if "watched_seconds" not in found:
        # Its age was a difference of wall clocks: the stage begins again, which promotes nobody.
        return replace(release, held_seconds=0.0), replace(_watch(found["watch"]), taken=0.0)
    return release, _watch(found["watch"])


def _watch(found: dict[str, Any]) -> Watch:
    included = found.get("included", {})
    return Watch(
        {name: Verdict.from_json(verdict) for name, verdict in found["verdicts"].items()},
        found["looks"],
        found["certifying"],
        found["taken"],
        found["pids"],
        found.get("mismatches", {}),
        tuple(found.get("held_for", ())),
        ProbeState(**found.get("probe", {})),
        IncludedRun(tuple(included.get("units", ())), tuple(included.get("users", ()))),
        tuple(found.get("alarms", ())),
    )


def _guard(found: dict[str, Any]) -> Guard:
    known = {**found, "measure": Measure(found["measure"])}
    return Guard(**(known | ({"answer": Answer(found["answer"])} if "answer" in found else {})))


def _hold_of_old(held: str | None) -> dict[str, Any]:
    """A hold stored when its text alone told whose it was: `pause_asked by li: lunch`."""
    found = re.fullmatch(r"pause_asked by (.*?)(?:: (.*))?", held or "", re.DOTALL)
    return {"held": said("paused", found[1], found[2] or ""), "held_by": found[1]} if found else {"held_by": None}


def _stage(found: dict[str, Any]) -> Stage:
    if "set" in found:
        return Golden(found["set"], Undecided(found["undecided"]))
    if "units" not in found:
        # Before stages had a floor, 0 stood for none.
        return Share(found["share_bp"], found["for_seconds"], found["at_least"] or LEAST_RECOGNITIONS)
    return Share(**found)
