"""The release as a state machine: a table of what each phase accepts, and what then stands.

A command or a verdict becomes an `Event`; `advance` looks (phase, event) up in `TRANSITIONS` and returns the
release after it. `standing` says which traffic and which processes a state stands for; `effects` says how to
get there from what is. Nothing else moves traffic, so what a crash left undone the next tick mends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from huidu.core.errors import RefusedError
from huidu.core.plan import Golden, Plan, Rules, Share, Stage


class Phase(StrEnum):
    ADMISSION = "admission"
    GOLDEN = "golden"
    SHARE = "share"
    BAKE = "bake"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


class Event(StrEnum):
    ADMITTED = "admitted"
    STAGE_PASSED = "stage_passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    PROMOTE_ASKED = "promote_asked"
    PAUSE_ASKED = "pause_asked"
    RESUME_ASKED = "resume_asked"
    ROLLBACK_ASKED = "rollback_asked"
    FENCED = "fenced"
    HELD = "held"
    BLINDED = "blinded"


class Move(StrEnum):
    """What an accepted event does to a release."""

    NEXT = "next"
    BACK = "back"
    HOLD = "hold"
    END_SHARE = "end_share"
    GO_ON = "go_on"


_ALWAYS = {Event.FAILED: Move.BACK, Event.ROLLBACK_ASKED: Move.BACK, Event.FENCED: Move.BACK}
_HOLDS = {Event.PAUSE_ASKED: Move.HOLD, Event.RESUME_ASKED: Move.GO_ON}
# What control itself holds: a guard that asks for people, or evidence that has stopped.
_WATCHED = {Event.HELD: Move.HOLD, Event.BLINDED: Move.END_SHARE}
_PASSES = {Event.STAGE_PASSED: Move.NEXT, Event.PROMOTE_ASKED: Move.NEXT}

TRANSITIONS: Mapping[Phase, Mapping[Event, Move]] = {
    Phase.ADMISSION: {Event.ADMITTED: Move.NEXT, **_HOLDS, **_ALWAYS},
    Phase.GOLDEN: {Event.UNDECIDED: Move.HOLD, **_PASSES, **_HOLDS, **_ALWAYS},
    Phase.SHARE: {**_PASSES, **_HOLDS, **_WATCHED, **_ALWAYS},
    Phase.BAKE: {**_PASSES, **_HOLDS, **_WATCHED, **_ALWAYS},
    Phase.PROMOTED: {},
    Phase.ROLLED_BACK: {},
}

# While held, nothing moves forward by itself; people and losses still count.
_REFUSED_WHILE_HELD = frozenset({Event.ADMITTED, Event.STAGE_PASSED, Event.UNDECIDED, Event.PAUSE_ASKED, Event.HELD})
# A hold of Huidu's own is a question, which a promotion answers; a person's is lifted first.
_REFUSED_WHILE_PAUSED = _REFUSED_WHILE_HELD | {Event.PROMOTE_ASKED}
_REFUSED_WHILE_NOT_HELD = frozenset({Event.RESUME_ASKED})
_LOOK_AGAIN = "accepted: look at `huidu status` and ask again"


@dataclass(frozen=True, slots=True)
class Override:
    """A stage that ended because a person said so."""

    stage: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Release:
    """One attempt to replace `stable` by `candidate`. `stage_index` is -1 in admission.

    `watched_seconds` is how long control has watched this stage, and `held_seconds` how much of that it stood still:
    sums of steps between ticks on a monotonic clock, so that neither a wall clock that jumps nor the absence of
    control makes a stage older. `salt` draws the users; releases from before salts were random have none.
    `generation` was in force at the gateway when the release began: its own requests bear a later one.
    `share_ended` says that the share's users are on the stable version until somebody resumes.
    `held` says why it is held; `held_by` who paused it, None where Huidu itself holds it. `overrides` are the stages
    that people passed, in order.
    """

    id: int
    candidate: str
    stable: str
    plan: Plan
    rules: Rules
    phase: Phase
    stage_index: int
    entered_at: float
    started_at: float
    held: str | None = None
    held_seconds: float = 0.0
    watched_seconds: float = 0.0
    salt: str = ""
    generation: int = 0
    share_ended: bool = False
    held_by: str | None = None
    overrides: tuple[Override, ...] = ()
    # What the store held beside these, by another version of Huidu (`codec.unknown`).
    more: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False, metadata={"not_stored": True})

    @property
    def stage(self) -> Stage | None:
        return self.plan.stages[self.stage_index] if self.stage_index >= 0 else None

    @property
    def stage_name(self) -> str:
        return self.stage.name if self.stage else Phase.ADMISSION.value

    @property
    def share_bp(self) -> int:
        if not isinstance(self.stage, Share) or self.over or self.share_ended:
            return 0
        return self.stage.share_bp

    @property
    def holdback_bp(self) -> int:
        return self.stage.holdback_bp if isinstance(self.stage, Share) and self.share_bp else 0

    @property
    def serving(self) -> bool:
        """Whether users may meet the candidate."""
        return self.phase in (Phase.SHARE, Phase.BAKE)

    @property
    def over(self) -> bool:
        return self.phase in (Phase.PROMOTED, Phase.ROLLED_BACK)

    @property
    def elapsed_seconds(self) -> float:
        """Time in this stage towards its end: without the time it was held."""
        return self.watched_seconds - self.held_seconds


def accepted(release: Release) -> tuple[Event, ...]:
    """The events that the release accepts now; refusals and clients read it from here."""
    if release.held is None:
        refused = _REFUSED_WHILE_NOT_HELD
    else:
        refused = _REFUSED_WHILE_HELD if release.held_by is None else _REFUSED_WHILE_PAUSED
    return tuple(event for event in TRANSITIONS[release.phase] if event not in refused)


def begin(
    release_id: int,
    candidate: str,
    stable: str,
    plan: Plan,
    rules: Rules,
    now: float,
    salt: str = "",
    generation: int = 0,
) -> Release:
    """A release at its start, in admission. `salt` is random, `generation` the one in force at the gateway."""
    return Release(
        release_id, candidate, stable, plan, rules, Phase.ADMISSION, -1, now, now, salt=salt, generation=generation
    )


def aged(release: Release, step_seconds: float, idle: bool = False) -> Release:
    """The release after control has watched it for so much longer; `idle` while its users cannot meet the candidate."""
    waits = release.held is not None or idle
    return replace(
        release,
        watched_seconds=release.watched_seconds + step_seconds,
        held_seconds=release.held_seconds + (step_seconds if waits else 0.0),
    )


def advance(release: Release, event: Event, now: float, reason: str = "", by: str | None = None) -> Release:
    """The release after an event at `now`; `by` is the person who asked for it, None where Huidu did.

    Raises `RefusedError` that names what is accepted.
    """
    if event not in accepted(release):
        listed = ", ".join(accepted(release)) or "nothing, it is over"
        state = f"{release.stage_name}{' (held)' if release.held is not None else ''}"
        raise RefusedError(f"{event} is not accepted in {state}; accepted now: {listed}")
    match TRANSITIONS[release.phase][event]:
        case Move.NEXT:
            override = () if by is None else (Override(release.stage_name, by, reason),)
            return replace(_next(release, now), overrides=release.overrides + override)
        case Move.BACK:
            return replace(release, phase=Phase.ROLLED_BACK, held=None, held_by=None)
        case Move.HOLD:
            why = reason or event.value if by is None else said("paused", by, reason)
            return replace(release, held=why, held_by=by)
        case Move.END_SHARE:
            return replace(release, held=release.held or reason or event.value, share_ended=True)
        case Move.GO_ON:
            return replace(release, held=None, held_by=None, share_ended=False)


def _next(release: Release, now: float) -> Release:
    index = release.stage_index + 1
    fresh = replace(
        release,
        entered_at=now,
        held=None,
        held_by=None,
        held_seconds=0.0,
        watched_seconds=0.0,
        share_ended=False,
    )
    if index == len(release.plan.stages):
        return replace(fresh, phase=Phase.PROMOTED)
    return replace(fresh, stage_index=index, phase=_phase_of(release.plan.stages[index]))


def _phase_of(stage: Stage) -> Phase:
    if isinstance(stage, Golden):
        return Phase.GOLDEN
    return Phase.BAKE if stage.name == "bake" else Phase.SHARE


def said(what: str, by: str, reason: str) -> str:
    """What a person did, in one line: `paused by li: lunch`."""
    line = " ".join(reason.split())
    return f"{what} by {by}{': ' + line if line else ''}"


def promotion(release: Release) -> str:
    """Why a release was promoted: each step that a person took instead of the evidence is named."""
    by_hand, head = release.overrides, "every stage passed"
    if by_hand and by_hand[-1].stage == release.stage_name:
        head = said("promoted", by_hand[-1].by, by_hand[-1].reason)
        by_hand = by_hand[:-1]
    return "; ".join([head, *(said(f"{each.stage} passed", each.by, each.reason) for each in by_hand)])


@dataclass(frozen=True, slots=True)
class Seen:
    """The release and the stage that the sender of a command had before them; None where they name none.

    `ago_seconds` is how long ago the command was given: nobody can have meant a stage that began since.
    """

    release: int | None = None
    stage: str | None = None
    ago_seconds: float | None = None


def as_seen(release: Release | None, seen: Seen, now: float) -> Release:
    """The release that runs, where it stands as the sender of a command saw it.

    Raises `RefusedError` with what has changed since, or where none runs.
    """
    if release is None:
        if seen == Seen():
            raise RefusedError("no release runs; accepted: huidu release start VERSION")
        was = f"release {seen.release}" if seen.release is not None else "the release"
        where = f" in {seen.stage}" if seen.stage is not None else ""
        raise RefusedError(f"{was}, which you saw{where}, is over; {_LOOK_AGAIN}")
    if seen.release is not None and seen.release != release.id:
        runs = f"release {release.id} of {release.candidate} runs now, in {release.stage_name}"
        raise RefusedError(f"{runs}, not release {seen.release} as you saw; {_LOOK_AGAIN}")
    if seen.stage is not None and seen.stage != release.stage_name:
        stands = f"release {release.id} is in {release.stage_name} now"
        raise RefusedError(f"{stands}, not in {seen.stage} as you saw; {_LOOK_AGAIN}")
    # A stage that begins in the future was entered before the clock was set back: nothing is known of it.
    if seen.ago_seconds is not None and 0 <= now - release.entered_at < seen.ago_seconds:
        raise RefusedError(f"release {release.id} is in {release.stage_name} now, since after you asked; {_LOOK_AGAIN}")
    return release


@dataclass(frozen=True, slots=True)
class Fleet:
    """What control knows for certain: who is stable, who is still warm, which release runs.

    `previous` is the former stable version, warm until the next release; `fence` the last roll back without
    control that was adopted; `addresses` where each version answers that has a process or a URL.
    """

    stable: str
    previous: str | None = None
    release: Release | None = None
    last_release: int = 0
    fence: int = 0
    addresses: tuple[tuple[str, str], ...] = ()
    # What the store held beside these, by another version of Huidu (`codec.unknown`).
    more: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False, metadata={"not_stored": True})

    def address(self, version: str) -> str:
        """`host:port` of a managed version, else its first URL. Raises `KeyError` for one that has neither."""
        return dict(self.addresses)[version]


def placed(fleet: Fleet, version: str, address: str) -> Fleet:
    """The fleet with a version's address known."""
    return replace(fleet, addresses=tuple(sorted({**dict(fleet.addresses), version: address}.items())))


def settled(fleet: Fleet, release: Release) -> Fleet:
    """The fleet after its release moved: an ended one changes or keeps the stable version.

    A new release ends the warmth of the former stable version, whose memory the candidate may need.
    """
    if release.phase is Phase.PROMOTED:
        return replace(fleet, stable=release.candidate, previous=release.stable, release=None)
    if release.phase is Phase.ROLLED_BACK:
        return replace(fleet, stable=release.stable, previous=None, release=None)
    return replace(fleet, release=release, previous=None, last_release=release.id)


def put_back(fleet: Fleet, to: str) -> Fleet:
    """The fleet with an earlier version as stable again, after a promotion. Raises `RefusedError`.

    The version left is not kept as one to go back to: a second roll back must never lead there.
    """
    if fleet.release is not None:
        raise RefusedError(f"release {fleet.release.id} runs; accepted: rollback, which ends it")
    if to == fleet.stable:
        raise RefusedError(f"{to} is the stable version already; accepted: another version")
    return replace(fleet, stable=to, previous=None)


class Direction(StrEnum):
    """Where a step leads users. Back is applied first and recorded when the store allows; forward the other way."""

    BACK = "back"
    NOWHERE = "nowhere"
    FORWARD = "forward"


def direction(before: Fleet, after: Fleet) -> Direction:
    """Where the step from one state to another leads users."""
    was, now = before.release, after.release
    if now is None:
        if was is None:
            # Without a release the stable version changes only as an earlier one is put back.
            return Direction.NOWHERE if after.stable == before.stable else Direction.BACK
        return Direction.BACK if after.stable == was.stable else Direction.FORWARD
    if was is None or was.id != now.id or was.stage_index != now.stage_index:
        return Direction.FORWARD
    if now.share_bp == was.share_bp:
        return Direction.NOWHERE
    return Direction.BACK if now.share_bp < was.share_bp else Direction.FORWARD


def ended(fleet: Fleet) -> int:
    """The newest release that users are no longer spread by: it is over, or its share has ended. 0 before the first."""
    release = fleet.release
    return fleet.last_release - (release is not None and not release.share_ended)


@dataclass(frozen=True, slots=True)
class Standing:
    """The traffic and the processes that a state stands for."""

    stable: str
    candidate: str | None = None
    share_bp: int = 0
    release: int | None = None
    running: frozenset[str] = frozenset()


def standing(fleet: Fleet) -> Standing:
    """What the state of a fleet stands for."""
    release = fleet.release
    running = {fleet.stable} | ({fleet.previous} if fleet.previous else set())
    if release is None:
        return Standing(fleet.stable, running=frozenset(running))
    running.add(release.candidate)
    if not release.serving:
        return Standing(fleet.stable, running=frozenset(running))
    return Standing(fleet.stable, release.candidate, release.share_bp, release.id, frozenset(running))


@dataclass(frozen=True, slots=True)
class Start:
    version: str


@dataclass(frozen=True, slots=True)
class Stop:
    version: str


@dataclass(frozen=True, slots=True)
class Route:
    stable: str
    candidate: str | None
    share_bp: int
    release: int | None


Effect = Start | Stop | Route


def effects(actual: Standing | None, wanted: Standing) -> list[Effect]:
    """How to get from what is to what the state stands for: start, then route, then stop."""
    running = actual.running if actual else frozenset()
    steps: list[Effect] = [Start(version) for version in sorted(wanted.running - running)]
    route = Route(wanted.stable, wanted.candidate, wanted.share_bp, wanted.release)
    if actual is None or Route(actual.stable, actual.candidate, actual.share_bp, actual.release) != route:
        steps.append(route)
    return steps + [Stop(version) for version in sorted(running - wanted.running)]
