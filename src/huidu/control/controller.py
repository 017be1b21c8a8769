"""Control: one way through for everything that moves. Gather, decide, record, apply.

Ticks come from one thread, commands from others; a lock makes each step whole. Gathering happens outside the
lock, so that a command never waits for a slow log or a slow instance.

A step towards the stable version is applied first and recorded when the store allows; every other one is recorded
first and applied after, and refused while the store refuses.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from huidu.control.admission import Need, admit
from huidu.control.beginning import caught_up, from_routes
from huidu.control.decide import Gathered, View, decide, entered, remembered
from huidu.control.gather import REPORTS_AT_ONCE, Gatherer
from huidu.control.golden import GoldenRun
from huidu.control.journal import Journal
from huidu.control.memory import Lives, Peak
from huidu.control.parts import Config, Parts
from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.audience import CLOCK_BACK_SECONDS
from huidu.core.errors import (
    BusyError,
    HuiduError,
    InvalidError,
    LostError,
    RefusedError,
    TakenOverError,
    UnavailableError,
    unknown_name,
)
from huidu.core.plan import Golden
from huidu.core.record import Happening, Outcome, Record
from huidu.core.release import (
    Direction,
    Effect,
    Event,
    Fleet,
    Phase,
    Release,
    Route,
    Seen,
    Standing,
    Start,
    Stop,
    advance,
    as_seen,
    begin,
    direction,
    effects,
    ended,
    placed,
    promotion,
    put_back,
    said,
    settled,
    standing,
)
from huidu.core.routes import Routes, leads_back, upstream_of
from huidu.core.spool import Head, by_version
from huidu.core.version import Version
from huidu.core.window import intervals_around
from huidu.ports import FenceError, Instance, Loss, Process, Reach, Store

_LOG = logging.getLogger(__name__)
_APPLIED_SECONDS = 2.0
# What a person asks for is not refused because another process holds the store's lock for a moment.
_BUSY_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
_BRING_UP_TRIES = 600
_ALIVE = ("running", "starting", "backoff")
_BRING_UP_PAUSE_SECONDS = 0.1
# A stage's age is stored at least so often: what a killed control forgets of it, the stage lasts longer.
_AGE_SECONDS = 5.0
# An instance that cannot record for so long although control can is a reason to look at all of the database.
_STUCK_SECONDS, _LOOK_AGAIN_SECONDS = 10.0, 120.0
_FORGET_SECONDS, _KEEP_REPORTS_SECONDS = 3600.0, 86_400.0


@dataclass(slots=True)
class _Live:
    """What lives only as long as the process; all of it can be found again."""

    checkpoint: dict[str, Any] | None = None
    golden: GoldenRun | None = None
    texts: set[int] = field(default_factory=set)
    peaks: dict[str, int] = field(default_factory=dict)
    swapped_at: float = 0.0
    forgot_at: float = 0.0
    coming: frozenset[str] = frozenset()
    # When a version was left by traffic, and whether its streams are to move.
    left: dict[str, "_Left"] = field(default_factory=dict)
    # Versions that could not be asked to move their streams.
    deaf: set[str] = field(default_factory=set)
    # How the last release ended, and the number and stable version for which that was read.
    ended: tuple[tuple[int, str], dict[str, Any]] | None = None
    # What the last tick failed with, and since when each did; empty where it did not.
    failing: str = ""
    failing_since: float = 0.0
    # The first row that waited in each spool at the last look, and when the next one is due.
    stuck: set[tuple[str, int]] = field(default_factory=set)
    look_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Left:
    at: float
    move: bool


class Controller:
    """Holds the view of the fleet and is the only one that changes it."""

    def __init__(self, parts: Parts, config: Config):
        self._parts, self.config = parts, config
        self._lock = threading.RLock()
        self._live = _Live()
        self._lives = Lives(_kept_lives(parts.store))
        self._gatherer = Gatherer(parts)
        parts.instance.trust(config.authorities)
        self.journal = Journal(parts.store, parts.clock)
        self.view = self._kept = View(Fleet(config.stable))
        self._begin()

    def _begin(self) -> None:
        """Takes up what is stored, corrected by what is in force. Raises `UnavailableError` where neither is known."""
        gateway, now = self._parts.gateway, self._parts.clock.now()
        try:
            stored = self._parts.store.load()
            rows = self._parts.store.each_evidence(stored.fleet.release.id) if stored and stored.fleet.release else ()
            self.view = self._kept = remembered(stored.fleet, stored.watch, rows) if stored else self.view
        except LostError:
            if (loss := self._parts.store.loss()) is None:
                raise
            self.view = self._kept = self._unstored(loss.words)
            self.view = self._kept = self.journal.begin_again(loss, self.view, {})
            return
        if stored is None:
            self.view = self._kept = self._unstored(self._parts.store.lost)
            return
        self.journal.remember(stored.fleet.release, stored.checkpoint)
        self._live.checkpoint, self._live.texts = stored.checkpoint, set()
        routes = gateway.routes()
        if routes is not None and gateway.fence() <= self.view.fleet.fence:
            found = caught_up(self.view, routes, now)
            if found is not None:
                self._keep(*found)

    def _unstored(self, lost: str) -> View:
        """The view where nothing is stored: as the routes in force say, never as the file where there are such."""
        routes = self._parts.gateway.routes()
        if routes is None:
            view, record = View(self._with_address(Fleet(self.config.stable), self.config.stable)), Record()
        else:
            fence, config = self._parts.gateway.fence(), self.config
            view, record = from_routes(routes, fence, config.plan, config.rules, lost, self._parts.clock.now())
            _LOG.warning("the store knows nothing of what is in force; the stable version is %s", routes.stable)
        self.journal.keep(view.fleet, record)
        return view

    @property
    def processes(self) -> Mapping[str, Process]:
        """The managed processes as the last tick saw them."""
        return self._gatherer.processes or {}

    @property
    def reached(self) -> Mapping[str, Reach]:
        """Whether anybody serves at the URLs of foreign versions, as it was found last."""
        return self._gatherer.reached

    @property
    def spooled(self) -> Mapping[str, Head]:
        """What of each version's recognitions waits for the history now, and what was lost."""
        return by_version(self._parts.spooled())

    @property
    def golden_done(self) -> tuple[int, int] | None:
        """Utterances of the golden set recognised so far, and their number; None outside the golden stage."""
        run = self._live.golden
        return (len(self.view.golden), run.size) if run else None

    @property
    def last_release(self) -> dict[str, Any] | None:
        """How the last release ended, as its record says; None while one runs and before the first."""
        fleet = self.view.fleet
        # Whatever puts an earlier version back changes the stable one.
        key = (fleet.last_release, fleet.stable)
        if fleet.release is not None or fleet.last_release == 0:
            return None
        unrecorded = self.journal.outcome
        if unrecorded is not None and unrecorded[0].id == fleet.last_release:
            release, outcome = unrecorded
            shown = {"id": release.id, "version": release.candidate, "outcome": outcome.outcome}
            return shown | {"reason": outcome.reason, "ended_at": release.entered_at, "put_back": []}
        if self._live.ended is None or self._live.ended[0] != key:
            names = ("id", "version", "outcome", "reason", "ended_at", "put_back")
            try:
                row = self._parts.store.release(fleet.last_release)
            except HuiduError as error:
                return dict.fromkeys(names) | {"id": fleet.last_release, "reason": str(error)}
            if self.journal.refusal is not None:
                return {name: row[name] for name in names}
            self._live.ended = (key, {name: row[name] for name in names})
        return self._live.ended[1]

    def awake(self) -> Routes:
        """Prepares for processes that all start now, as under a fresh `huidu up`; returns the routes to begin with.

        Ports that somebody else has taken meanwhile are exchanged, and what ended with the last `up` was no crash.
        The share begins expired: its users come back once the candidate is ready.
        """
        with self._lock:
            fleet, release = self.view.fleet, self.view.fleet.release
            for version in sorted(standing(fleet).running):
                fleet = self._with_address(fleet, version, fresh=True)
            watch = replace(self.view.watch, pids={})
            self._insist(replace(self.view, fleet=fleet, watch=watch), Record(release, watch))
            begun = self._routes(standing(fleet), 1, 0.0)
            return replace(begun, expires_at=0.0 if release else None, issued_at=None)

    def running(self) -> list[tuple[Version, str]]:
        """The versions that have, or should have, a process, with their addresses."""
        fleet = self.view.fleet
        return [(self._version(name), fleet.address(name)) for name in sorted(standing(fleet).running)]

    # ------------------------------------------------------------------ the tick

    @property
    def unwatched(self) -> tuple[Alarm, ...]:
        """The alarm that nothing is decided now, since ticks fail (a store that is locked); what is shown is old."""
        if not self._live.failing:
            return ()
        seconds = self._parts.clock.monotonic() - self._live.failing_since
        return (Alarm(AlarmKind.SOURCE_UNREADABLE, f"control cannot watch: {self._live.failing}", seconds=seconds),)

    @property
    def unrecorded(self) -> dict[str, Any] | None:
        """What the store has refused, for how long, and how much waits; None where it takes what it is given."""
        refusal = self.journal.refusal
        if refusal is None:
            return None
        return {"seconds": round(refusal[0], 1), "reason": refusal[1], "rows": self.journal.waiting}

    def tick(self) -> None:
        """Gathers, decides, records and applies once. What it fails with stands as an alarm until one succeeds."""
        live = self._live
        try:
            self._tick()
        except Exception as error:
            if not live.failing:
                live.failing_since = self._parts.clock.monotonic()
            live.failing = str(error) or type(error).__name__
            raise
        live.failing = ""

    def _tick(self) -> None:
        live, seen, journal = self._live, self.view, self.journal
        journal.confirm()
        self._mend()
        # What cannot be kept any more stays in the log.
        reads = not journal.full
        found = self._gatherer.gather(seen, self.config, live.checkpoint, live.texts, live.golden, reads)
        trouble: UnavailableError | None = None
        with self._lock:
            if _running(seen) != _running(self.view):
                found = found.without_release()
            unrecorded = self._step(found)
            live.checkpoint = found.checkpoint
            live.texts.update(row.id for row in found.corrections)
            self._run_golden()
            try:
                self._apply()
            except UnavailableError as error:
                # A disk that refuses must not keep anything else from happening.
                trouble = error
            if unrecorded is not None:
                journal.keep(self.view.fleet, unrecorded)
        self._note_memory(found)
        self.drain()
        self._parts.gateway.refresh()
        self._parts.log.rotate_if_due(found.now)
        if journal.checkpoint is not None:
            self._parts.log.forget(journal.checkpoint, found.now)
        self._forget_reports(found)
        if trouble is not None:
            raise trouble

    def _step(self, found: Gathered) -> Record | None:
        """Takes the step that is due; what of it is to be recorded once it is applied.

        A step forward is recorded here, or not taken.
        """
        before, alarms = self.view, self.journal.alarms()
        view, record = decide(before, replace(found, alarms=found.alarms + alarms))
        if direction(before.fleet, view.fleet) is Direction.FORWARD:
            try:
                self._insist(view, record)
            except TakenOverError:
                raise
            except UnavailableError:
                alarms = self.journal.alarms(at_once=True)
                view, record = decide(before, replace(found, alarms=found.alarms + alarms))
            else:
                return None
        worth = _worth_recording(self._kept, view, record, self._live.checkpoint)
        self.view = view
        # Whether the store takes anything again is found out by giving it something.
        if not worth and self.journal.refusal is None:
            return None
        self._kept = view
        return record

    def _mend(self) -> None:
        """Begins a new store where the old one is gone or damaged, or goes on with an earlier copy of it."""
        loss = self.journal.loss() or self._loss_beside()
        if loss is None:
            return
        with self._lock:
            try:
                if loss.left == "copy":
                    self._parts.store.claim()
                    self.journal.drop()
                    self._begin()
                else:
                    self.view = self._kept = self.journal.begin_again(loss, self.view, self._live.peaks)
                    self._live.checkpoint = self.journal.checkpoint
                # Rows have other ids now.
                self._live.texts, self._live.ended = set(), None
            except TakenOverError:
                raise
            except UnavailableError as error:
                _LOG.warning("no new store can be made now: %s", error)

    def _loss_beside(self) -> Loss | None:
        """What is lost where control's own tables are whole, and the one that instances write to is not.

        It is looked for where one cannot record and control can. Without control's lock: it may take seconds.
        """
        live, now = self._live, self._parts.clock.monotonic()
        if now < live.look_at:
            return None
        before, live.look_at = live.stuck, now + _STUCK_SECONDS
        live.stuck = {(head.version, head.first) for head in self._parts.spooled() if head.waiting_rows}
        if not before & live.stuck or self.journal.refusal is not None:
            return None
        live.look_at = now + _LOOK_AGAIN_SECONDS
        try:
            return self._parts.store.loss()
        except TakenOverError:
            raise
        except UnavailableError:
            return None

    def _forget_reports(self, found: Gathered) -> None:
        """Reports on sockets are read once; those of a day ago are nobody's business any more.

        Not while more wait to be read, nor by a clock that has just jumped.
        """
        jumped = any(alarm.kind is AlarmKind.CLOCK_JUMPED for alarm in found.alarms)
        all_read = 0 < len(found.reports) < REPORTS_AT_ONCE and not jumped
        recorded = self.journal.refusal is None
        if all_read and recorded and found.now - self._live.forgot_at > _FORGET_SECONDS:
            self._live.forgot_at = found.now
            self._parts.sockets.forget(found.now - _KEEP_REPORTS_SECONDS)

    def _run_golden(self) -> None:
        """Starts the golden set where the release stands in it, ends it where the release has left it."""
        fleet, live = self.view.fleet, self._live
        release = fleet.release
        in_golden = release is not None and isinstance(release.stage, Golden) and not release.over
        if live.golden is not None and (not in_golden or release is None or live.golden.release != release.id):
            live.golden.stop()
            live.golden = None
        if live.golden is not None and live.golden.failure and release is not None and release.held is None:
            # Somebody said to go on: what is missing is tried again.
            live.golden = None
        if in_golden and live.golden is None and release is not None and isinstance(release.stage, Golden):
            live.golden = self._golden_run(release, Path(release.stage.set))
            done = frozenset(row.key for row in self.view.golden)
            live.golden.start(fleet.address(release.stable), fleet.address(release.candidate), done)

    def _golden_run(self, release: Release, path: Path) -> GoldenRun:
        """The run of a set; one that fails at once where the set has gone since the release began."""
        try:
            return GoldenRun(release.id, self._parts.read_set(path).utterances, self._parts.instance, self._parts.clock)
        except InvalidError as error:
            run = GoldenRun(release.id, [], self._parts.instance, self._parts.clock)
            run.failure = str(error)
            return run

    def _note_memory(self, found: Gathered) -> None:
        grown = {
            name: process.rss_bytes
            for name, process in found.processes.items()
            if process.rss_bytes > 1.02 * self._live.peaks.get(name, 0)
        }
        if grown:
            self._live.peaks.update(grown)
            with self._lock:
                self.journal.note_peaks(grown)
        if self._lives.note({name: process.rss_bytes for name, process in found.processes.items()}, found.now):
            try:
                self._parts.store.keep_memory(self._lives.to_json())
            except TakenOverError:
                raise
            except UnavailableError:
                pass  # the next minute stores this one, too

    # ------------------------------------------------------------------ applying

    def _apply(self) -> None:
        """Brings processes and traffic to where the state says; what fails now, the next tick does."""
        wanted = self._wanted()
        routes = self._parts.gateway.routes()
        steps = effects(self._actual(routes, wanted), wanted)
        trouble: list[UnavailableError] = []
        # Traffic waits for a version to be started, and never for what has become of processes on its way back.
        if routes is not None and leads_back(routes, self._routes(wanted, routes.generation, 0.0)):
            steps.sort(key=lambda effect: not isinstance(effect, Route))
        for effect in steps:
            try:
                self._carry_out(effect, wanted, routes)
            except UnavailableError as error:
                if isinstance(effect, Route):
                    raise
                trouble.append(error)
        swapped = any(isinstance(effect, Route) for effect in steps)
        if routes is not None and not swapped and self._stale(routes, wanted):
            self._swap(wanted, routes)
        if trouble:
            raise trouble[0]

    def _carry_out(self, effect: Effect, wanted: Standing, routes: Routes | None) -> None:
        match effect:
            case Start(version):
                self._parts.runtime.start(self._version(version), self.view.fleet.address(version))
            case Route():
                self._swap(wanted, routes)
            case Stop(version):
                # Requests that it still answers are let finish, up to a limit.
                if self._parts.gateway.in_flight(version) == 0 or self._overdue(version):
                    self._parts.runtime.stop(version)
                    self._live.left.pop(version, None)

    def _wanted(self) -> Standing:
        wanted = standing(self.view.fleet)
        return replace(wanted, running=wanted.running | self._live.coming)

    def _actual(self, routes: Routes | None, wanted: Standing) -> Standing | None:
        if routes is None:
            return None
        traffic = Standing(routes.stable, routes.candidate, routes.share_bp, routes.release)
        if self._gatherer.processes is None:
            # Nothing is started or stopped for what nobody has seen yet.
            return replace(traffic, running=wanted.running)
        # What has ended, or was given up, is to be started again.
        running = frozenset(name for name, process in self.processes.items() if process.state in _ALIVE)
        elsewhere = frozenset(name for name in wanted.running if not self._version(name).managed)
        return replace(traffic, running=running | elsewhere)

    def _stale(self, routes: Routes, wanted: Standing) -> bool:
        """Whether routes in force are to be written again although they lead where they should."""
        now = self._parts.clock.now()
        fresh = self._routes(wanted, routes.generation, now)
        if replace(fresh, expires_at=routes.expires_at, issued_at=routes.issued_at) != routes:
            return True
        if routes.expires_at is not None:
            begun = routes.issued_at is None or routes.issued_at - CLOCK_BACK_SECONDS <= now
            if not begun or routes.expires_at - now < self.config.share_expiry_seconds * 2 / 3:
                # After a long absence, or a jump of the clock, users come back only to a candidate that can serve.
                return (begun and routes.expires_at > now) or self._candidate_ready(wanted)
        unproven = self._parts.clock.monotonic() - self._live.swapped_at > _APPLIED_SECONDS
        return unproven and not self._parts.gateway.applied(routes.generation, 0.0) and self._answering()

    def _candidate_ready(self, wanted: Standing) -> bool:
        candidate = wanted.candidate
        return candidate is not None and self._parts.instance.ready(self.view.fleet.address(candidate))

    def _answering(self) -> bool:
        """Whether the gateway answers at all; one that is down reads its files when it comes back."""
        return self._parts.gateway.applied(0, 0.0)

    def _swap(self, wanted: Standing, routes: Routes | None) -> None:
        current = self._parts.gateway.routes() or routes
        # The number behind each generation belongs to the roll back that is laid out beside it. A release knows its
        # own requests by later ones, also where the gateway's folder was lost and began anew.
        release = self.view.fleet.release
        newest = max(current.generation if current else -1, release.generation if release else -1)
        generation = newest + 2
        now = self._parts.clock.now()
        fresh = self._routes(wanted, generation, now)
        try:
            self._parts.gateway.swap(fresh, self.view.fleet.fence)
        except FenceError:
            self._adopt_fence()
        except UnavailableError:
            if current is None or not leads_back(current, fresh) or not self._fall_back(current):
                raise
        else:
            self._note_left(current, fresh)
        self._live.swapped_at = self._parts.clock.monotonic()

    def _fall_back(self, current: Routes) -> bool:
        """Puts the roll back in force that is laid out, where nothing can be written; whether there was one.

        It takes users along who chose the candidate. This control adopts the fence that it raises by this; one that
        comes after it does, too, and ends the release.
        """
        back = self._parts.gateway.go_back()
        if back is None:
            return False
        fence = self._parts.gateway.fence()
        _LOG.warning("no routes can be written: the roll back that was laid out is in force, fence %d", fence)
        self.view = replace(self.view, fleet=replace(self.view.fleet, fence=fence))
        self._note_left(current, back)
        return True

    def _note_left(self, before: Routes | None, after: Routes) -> None:
        """Remembers versions that no new request goes to, so that what they have open comes to an end."""
        serving = {after.stable, after.candidate}
        for served in filter(None, serving):
            self._live.left.pop(served, None)
            self._live.deaf.discard(served)
        for version in {before.stable, before.candidate} - serving if before else ():
            # Going forward, streams finish where they began; only a version that is given up is fled from.
            promoted = before is not None and after.stable == before.candidate
            if version is not None:
                self._live.left[version] = _Left(self._parts.clock.monotonic(), after.move_streams and not promoted)

    def _overdue(self, version: str) -> bool:
        now = self._parts.clock.monotonic()
        return now - self._live.left.setdefault(version, _Left(now, False)).at > self.config.drain_limit_seconds

    def drain(self) -> None:
        """Moves streams off versions that were left, again until none is open there.

        Without the lock: an instance that hangs is slow to answer. The gateway must have taken the new routes
        first, or a stream would come back to where it was.
        """
        for version, left in list(self._live.left.items()):
            if version in self._live.deaf or not (left.move or self._overdue(version)):
                continue
            routes = self._parts.gateway.routes()
            if routes is None or not self._parts.gateway.applied(routes.generation, _APPLIED_SECONDS):
                continue
            if self._parts.gateway.in_flight(version) == 0:
                if left.move:
                    self._live.left.pop(version, None)
                continue
            try:
                self._parts.instance.move_streams(self.view.fleet.address(version))
            except UnavailableError as error:
                self._live.deaf.add(version)
                _LOG.warning("%s; they finish where they are", error)

    def _adopt_fence(self) -> None:
        """Somebody rolled back while this process slept: what they did stands."""
        gateway, now = self._parts.gateway, self._parts.clock.now()
        view, record = decide(self.view, Gathered(now, fence=gateway.fence(), routes=gateway.routes()))
        self._keep(view, replace(record, checkpoint=None))
        # What this process wrote over it before it noticed is written over in turn.
        self._apply()

    def _routes(self, wanted: Standing, generation: int, now: float) -> Routes:
        fleet = self.view.fleet
        known, release = dict(fleet.addresses), fleet.release
        serving = wanted.candidate is not None and release is not None
        return Routes(
            generation=generation,
            stable=wanted.stable,
            upstreams=tuple(
                upstream_of(self._version(name), known[name]) for name in sorted(wanted.running) if name in known
            ),
            previous=fleet.previous,
            release=wanted.release,
            candidate=wanted.candidate,
            share_bp=wanted.share_bp,
            expires_at=now + self.config.share_expiry_seconds if wanted.candidate else None,
            issued_at=now if wanted.candidate else None,
            salt=release.salt if serving and release is not None else "",
            holdback_bp=release.holdback_bp if serving and release is not None else 0,
            audience=self.config.audience,
            open=intervals_around(self.config.audience.windows, now),
            move_streams=self.config.move_streams,
            ended=ended(fleet),
        )

    # ------------------------------------------------------------------ commands

    def start(self, version: str, by: str, reason: str = "") -> Release:
        """Starts a release of `version`. Raises `RefusedError` where one runs or the memory does not suffice."""
        return _when_the_store_takes_it(lambda: self._start(version, by, reason))

    def _start(self, version: str, by: str, reason: str) -> Release:
        with self._lock:
            now, fleet = self._parts.clock.now(), self.view.fleet
            self._refuse_start(fleet, version)
            fleet = self._with_address(fleet, version)
            routes = self._parts.gateway.routes()
            release = begin(
                fleet.last_release + 1,
                version,
                fleet.stable,
                self.config.plan,
                self.config.rules,
                now,
                self._parts.salt(),
                routes.generation if routes else 0,
            )
            happening = Happening(release.id, now, "started", {"by": by, "reason": reason, "version": version})
            self._insist(View(settled(fleet, release)), Record(release, by=by, happenings=(happening,)))
            # Another set: a tick may be going through the old one now.
            self._live.texts = set()
            self._apply()
            return release

    def _refuse_start(self, fleet: Fleet, version: str) -> None:
        if fleet.release is not None:
            running = fleet.release
            raise RefusedError(
                f"release {running.id} of {running.candidate} runs ({running.stage_name}); accepted: one at a time, "
                "after it has ended or `huidu rollback`"
            )
        candidate = self._version(version)
        if version == fleet.stable:
            raise RefusedError(f"{version} is the stable version already; accepted: another version")
        self._parts.check(candidate)
        for stage in self.config.plan.stages:
            if isinstance(stage, Golden):
                self._parts.read_set(Path(stage.set))
        if candidate.managed:
            self._refuse_memory(fleet, candidate)
        else:
            self._refuse_unreachable(candidate)

    def _refuse_unreachable(self, candidate: Version) -> None:
        reaches = [(url, self._parts.instance.reach(url)) for url in candidate.urls]
        if not any(reach.answers for _, reach in reaches):
            said = "; ".join(f"{url} {reach.detail}" for url, reach in reaches)
            raise RefusedError(f"{candidate.name} is not admitted: {said}; accepted: a service that answers")

    def _refuse_memory(self, fleet: Fleet, candidate: Version) -> None:
        processes = self._parts.runtime.processes()

        def used(name: str | None) -> int:
            return processes[name].rss_bytes if name in processes else 0

        admit(
            Need(candidate.name, self._peak(candidate.name), used(candidate.name)),
            Need(fleet.stable, self._peak(fleet.stable), used(fleet.stable)) if fleet.stable in processes else None,
            self.config.reserve_bytes,
            # The former stable version ends when this release begins.
            self._parts.runtime.free_memory_bytes() + (used(fleet.previous) if fleet.previous != candidate.name else 0),
        )

    def _peak(self, version: str) -> Peak:
        """What admission counts with for a version that Huidu runs."""
        try:
            measured = self._parts.store.peak_memory_bytes(version)
        except UnavailableError as error:
            # A start is refused for this when it is to be recorded; the way back is not.
            _LOG.warning("what %s took before cannot be read: %s", version, error)
            measured = self._live.peaks.get(version)
        return self._lives.peak(version, self._version(version).memory_bytes, measured)

    # Each of these raises `RefusedError` where the release is not, or no longer, where its sender saw it.

    def promote(self, by: str, reason: str, seen: Seen = Seen(), resume: bool = False) -> Release:
        """Moves on now, past what is undecided, and with `resume` past a colleague's pause.

        Raises `RefusedError` without a release, before it is admitted, and while it is paused.
        """
        return self._ask(Event.PROMOTE_ASKED, by, reason, seen, resume)

    def pause(self, by: str, reason: str, seen: Seen = Seen()) -> Release:
        """Holds the release where it is; losses are still answered."""
        return self._ask(Event.PAUSE_ASKED, by, reason, seen)

    def resume(self, by: str, reason: str, seen: Seen = Seen()) -> Release:
        """Goes on after a hold."""
        return self._ask(Event.RESUME_ASKED, by, reason, seen)

    def _ask(self, event: Event, by: str, reason: str, seen: Seen, resume: bool = False) -> Release:
        return _when_the_store_takes_it(lambda: self._asked(event, by, reason, seen, resume))

    def _asked(self, event: Event, by: str, reason: str, seen: Seen, resume: bool) -> Release:
        with self._lock:
            now = self._parts.clock.now()
            moved = release = as_seen(self.view.fleet.release, seen, now)
            steps = [event]
            if event is Event.PROMOTE_ASKED and release.held_by is not None:
                if not resume:
                    raise RefusedError(f"{release.held}; accepted: promote --resume, or resume first")
                steps = [Event.RESUME_ASKED, event]
            for step in steps:
                moved = advance(moved, step, now, reason, by)
            outcome = None
            if moved.phase is Phase.PROMOTED:
                outcome = Outcome("promoted", release.stage_name, None, promotion(moved))
            stays = moved.stage_index == release.stage_index and not moved.over
            view = replace(self.view, fleet=settled(self.view.fleet, moved)) if stays else entered(self.view, moved)
            payload = {"by": by, "reason": reason, "from": release.stage_name}
            happenings = tuple(Happening(release.id, now, step.value, payload) for step in steps)
            self._insist(view, Record(moved, view.watch, outcome, happenings=happenings))
            self._apply()
            return moved

    def rollback(self, by: str, reason: str, to: str | None, received_at: float) -> dict[str, Any]:
        """Everybody back: on the stable version, or after a promotion on an earlier one.

        Returns who serves now, who served, and the generation that the gateway will report once it is in force.
        Raises `RefusedError` where there is nothing to go back from.
        """
        if to is not None:
            self._bring_up(to)
        try:
            with self._lock:
                fleet = self.view.fleet
                left = fleet.release.candidate if fleet.release else fleet.stable
                self._live.coming = frozenset()
                if fleet.release is not None:
                    self._end(fleet.release, by, reason, to, received_at)
                else:
                    self._go_back(fleet, by, reason, to, received_at)
                routes = self._parts.gateway.routes()
        finally:
            self._live.coming = frozenset()
        if any(left.move for left in self._live.left.values()):
            threading.Thread(target=self.drain, daemon=True).start()
        return {
            "to": self.view.fleet.stable,
            "from": left,
            "generation": routes.generation if routes else 0,
            "received_at": received_at,
        }

    def _end(self, release: Release, by: str, reason: str, to: str | None, received_at: float) -> None:
        if to is not None and to != release.stable:
            raise RefusedError(f"a release runs, whose stable version is {release.stable}; accepted: rollback first")
        now = self._parts.clock.now()
        moved = advance(release, Event.ROLLBACK_ASKED, now)
        outcome = Outcome("rolled_back", release.stage_name, None, said("rolled back", by, reason))
        payload = {"by": by, "reason": reason, "received_at": received_at, "from": release.candidate}
        happening = Happening(release.id, now, Event.ROLLBACK_ASKED.value, payload | {"to": release.stable})
        record = Record(replace(moved, entered_at=now), self.view.watch, outcome, happenings=(happening,))
        self._retreat(replace(self.view, fleet=settled(self.view.fleet, moved)), record)

    def _go_back(self, fleet: Fleet, by: str, reason: str, to: str | None, received_at: float) -> None:
        target = to or fleet.previous
        if target is None:
            raise RefusedError(
                f"nothing to roll back: {fleet.stable} serves everybody and no former stable version is warm; "
                "accepted: rollback --to VERSION"
            )
        process = self.processes.get(target)
        if self._version(target).managed and (process is None or process.state not in ("running", "starting")):
            raise UnavailableError(f"{target} does not run now; accepted: again in a moment, or rollback --to VERSION")
        now = self._parts.clock.now()
        payload = {"by": by, "reason": reason, "received_at": received_at, "from": fleet.stable, "to": target}
        happening = Happening(fleet.last_release, now, "put_back", payload)
        self._retreat(View(put_back(fleet, target)), Record(happenings=(happening,)))

    def _bring_up(self, version: str) -> None:
        """Starts a version that has no process of its own, and waits until it can take everybody.

        Without the lock: what runs is watched meanwhile. Refused while a release runs, which ends otherwise.
        """
        with self._lock:
            fleet = self.view.fleet
            wanted = self._version(version)
            if fleet.release is not None or version in standing(fleet).running or not wanted.managed:
                return
            self._parts.check(wanted)
            self._refuse_memory(fleet, wanted)
            # Its old port may have gone to another version since.
            fleet = self._with_address(fleet, version)
            # Where it answers is the way back's business, and recorded when that is.
            self._keep(replace(self.view, fleet=fleet), Record())
            self._parts.runtime.start(wanted, fleet.address(version))
            self._live.coming = frozenset({version})
        if not _ready_in_time(self._parts.instance, fleet.address(version)):
            self._live.coming = frozenset()
            raise UnavailableError(f"{version} did not become ready; see logs/instance-{version}.log")

    # ------------------------------------------------------------------ small parts

    def reconfigure(self, config: Config) -> None:
        """Takes a changed configuration over; nothing that runs restarts because of it."""
        with self._lock:
            fleet = self.view.fleet
            gone = [name for name in standing(fleet).running if name not in config.versions]
            if gone:
                raise RefusedError(f"{', '.join(gone)} runs and is not in the file; accepted: a file that names it")
            self._parts.instance.trust(config.authorities)
            # The gateway waits as long as it was started with, and both must call the same a hang.
            self.config = replace(config, hang_after_seconds=self.config.hang_after_seconds)
            self._apply()

    def _insist(self, view: View, record: Record) -> None:
        """Records a step before it is applied. Raises `UnavailableError`: then nothing has happened."""
        self.journal.insist(view.fleet, record)
        self.view = self._kept = view

    def _keep(self, view: View, record: Record) -> None:
        """Takes a step that is recorded when the store allows."""
        self.view = self._kept = view
        self.journal.keep(view.fleet, record)

    def _retreat(self, view: View, record: Record) -> None:
        """A step towards the stable version: in force first, recorded when the store allows.

        Raises `UnavailableError` where it cannot be put in force now: it stands all the same, and each tick tries.
        """
        # Whoever was taken over changes nothing any more.
        self.journal.confirm()
        self.view = self._kept = view
        try:
            self._apply()
        except UnavailableError as error:
            if not self._in_force():
                raise
            _LOG.warning("%s; everybody is back all the same", error)
        finally:
            self.journal.keep(self.view.fleet, record)

    def _in_force(self) -> bool:
        """Whether traffic goes where the state says."""
        routes, wanted = self._parts.gateway.routes(), standing(self.view.fleet)
        return routes is not None and not any(
            isinstance(effect, Route) for effect in effects(self._actual(routes, wanted), wanted)
        )

    def _version(self, name: str) -> Version:
        if name not in self.config.versions:
            raise unknown_name("version", name, list(self.config.versions))
        return self.config.versions[name]

    def _with_address(self, fleet: Fleet, version: str, fresh: bool = False) -> Fleet:
        """The fleet with an address for a version: its URL, or a port that is free.

        A running version keeps its address, unless `fresh` says that nothing runs yet.
        """
        urls = self._version(version).urls
        if urls:
            return placed(fleet, version, urls[0])
        live = standing(fleet).running
        known = dict(fleet.addresses)
        taken = frozenset(address for name, address in known.items() if name in live and name != version)
        process = self.processes.get(version)
        # One that was just left may still run: its process keeps its port, whatever the state says.
        runs = version in live or (process is not None and process.state in _ALIVE)
        if runs and version in known and not fresh:
            return fleet
        host, first = self.config.first_address
        return placed(fleet, version, self._parts.runtime.free_address(host, first, taken))


def _when_the_store_takes_it(step: Callable[[], Release]) -> Release:
    """What a person asked for, again where the store was busy for a moment. Between tries the lock is free."""
    for pause_seconds in _BUSY_PAUSES_SECONDS:
        try:
            return step()
        except BusyError:
            time.sleep(pause_seconds)
    return step()


def _kept_lives(store: Store) -> Any:
    """What was kept of the memory that versions took; None where the store cannot say it now."""
    try:
        return store.memory()
    except UnavailableError as error:
        _LOG.warning("what versions took before cannot be read: %s", error)
        return None


def _ready_in_time(instance: Instance, address: str) -> bool:
    for _ in range(_BRING_UP_TRIES):
        if instance.ready(address):
            return True
        time.sleep(_BRING_UP_PAUSE_SECONDS)
    return False


def _running(view: View) -> int | None:
    return view.fleet.release.id if view.fleet.release else None


def _worth_recording(before: View, after: View, record: Record, checkpoint: dict[str, Any] | None) -> bool:
    """Whether a tick changed anything that must be found again: `before` is what was recorded last."""
    if record.happenings or record.evidence or record.outcome is not None:
        return True
    if _ageless(before.fleet) != _ageless(after.fleet) or before.watch != after.watch:
        return True
    return record.checkpoint != checkpoint or _age(after.fleet) - _age(before.fleet) >= _AGE_SECONDS


def _ageless(fleet: Fleet) -> Fleet:
    release = fleet.release
    return replace(fleet, release=replace(release, watched_seconds=0.0, held_seconds=0.0)) if release else fleet


def _age(fleet: Fleet) -> float:
    return fleet.release.watched_seconds if fleet.release else 0.0
