"""What one step of control adds to the store, and how values of the core read as plain JSON there."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from huidu.core import codec
from huidu.core.evidence import Row
from huidu.core.plan import LEAST_RECOGNITIONS, Golden, Plan, Rules, Share, Stage
from huidu.core.release import Fleet, Release, said
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
    document = {
        "stable": fleet.stable,
        "previous": fleet.previous,
        "running": fleet.release.id if fleet.release else None,
        "last_release": fleet.last_release,
        "fence": fleet.fence,
        "addresses": dict(fleet.addresses),
    }
    merged: dict[str, Any] = codec.with_unknown(document, fleet.more)
    return merged


def running_release(found: Any, where: str = "fleet") -> int | None:
    """The number of the release that runs, by what `fleet_to_json` wrote. Raises `codec.StoredError`."""
    number: int | None = codec.value(int | None, codec.entries(found, where), "running", where)
    return number


def fleet_from_json(found: Any, release: Release | None, where: str = "fleet") -> Fleet:
    """What it does not know is kept in `more`. Raises `codec.StoredError` with `where` and the field."""
    entries = codec.entries(found, where)
    fleet = Fleet(
        stable=codec.value(str, entries, "stable", where),
        previous=codec.value(str | None, entries, "previous", where, None),
        release=release,
        last_release=codec.value(int, entries, "last_release", where),
        fence=codec.value(int, entries, "fence", where),
        addresses=tuple(sorted(codec.value(dict[str, str], entries, "addresses", where).items())),
    )
    return replace(fleet, more=codec.unknown(entries, fleet_to_json(replace(fleet, release=None))))


def release_to_json(release: Release, watch: Watch) -> dict[str, Any]:
    rest = (each.name for each in fields(release) if each.name not in ("plan", "rules", "more"))
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
    merged: dict[str, Any] = codec.with_unknown(plain, release.more)
    return merged


@lru_cache(maxsize=4)
def _plan_to_json(plan: Plan) -> list[dict[str, Any]]:
    # A plan never changes, and is stored with every step of its release.
    return [asdict(stage) for stage in plan.stages]


def release_from_json(found: Any, where: str = "release") -> tuple[Release, Watch]:
    """Also of what another Huidu stored: what that did not know yet has its value from before there was such.

    What this one does not know is kept in the release's `more`. Raises `codec.StoredError` with `where`, the record,
    and the field.
    """
    entries = codec.entries(found, where)
    known = entries if "held_by" in entries else entries | _hold_of_old(codec.value(str | None, entries, "held", where))
    # Without its hold a release that people stopped would go on.
    release = codec.read(Release, known, where, _READERS, needed=("held",))
    if not -1 <= release.stage_index < len(release.plan.stages):
        raise codec.StoredError(
            f"{where}.stage_index reads {release.stage_index}; accepted: -1 to {len(release.plan.stages) - 1}"
        )
    watch = _watch(entries.get("watch"), f"{where}.watch")
    if "watched_seconds" not in entries:
        # Its age was a difference of wall clocks: the stage begins again, which promotes nobody.
        release, watch = replace(release, held_seconds=0.0), replace(watch, taken=0.0)
    # A list is written as one, a tuple is none: compared is what JSON would hold.
    written = json.loads(json.dumps(release_to_json(release, watch)))
    return replace(release, more=codec.unknown(entries, written)), watch


def _watch(found: Any, where: str) -> Watch:
    # A failure that was found is final, and each look has spent some of the chance of a false alarm.
    return codec.read(Watch, found, where, _READERS, needed=("verdicts", "looks", "certifying"))


def _plan(found: Any, where: str) -> Plan:
    if not isinstance(found, list):
        raise codec.StoredError(f"{where} is no list; accepted: the stages of a plan")
    return codec.made(Plan, where, tuple(_stage(each, f"{where}[{place}]") for place, each in enumerate(found)))


def _rules(found: Any, where: str) -> Rules:
    # A release keeps the rules it began with: the usual ones are others.
    return codec.read(Rules, found, where, needed=("guards", "alpha", "beta"))


def _stage(found: Any, where: str) -> Stage:
    entries = codec.entries(found, where)
    if "set" in entries:
        return codec.read(Golden, entries, where)
    if "units" not in entries:
        # Before stages had a floor, 0 stood for none.
        at_least = codec.value(int, entries, "at_least", where) or LEAST_RECOGNITIONS
        return codec.read(Share, entries | {"at_least": at_least}, where)
    return codec.read(Share, entries, where)


_READERS: Mapping[Any, codec.Reader] = {Plan: _plan, Rules: _rules}


def _hold_of_old(held: str | None) -> dict[str, Any]:
    """A hold stored when its text alone told whose it was: `pause_asked by li: lunch`."""
    found = re.fullmatch(r"pause_asked by (.*?)(?:: (.*))?", held or "", re.DOTALL)
    return {"held": said("paused", found[1], found[2] or ""), "held_by": found[1]} if found else {"held_by": None}
