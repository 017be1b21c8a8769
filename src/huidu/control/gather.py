"""What a tick gathers. Every source may be gone, late or wrong: that is said, and the others are read all the same.

Only two kinds of reading end a tick: the gateway's own files (fence and routes), without which nothing may be done.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from huidu.control.decide import Gathered, View
from huidu.control.golden import GoldenRun
from huidu.control.parts import Config, Parts
from huidu.control.probing import ClipProbe, Reached, clip_of
from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.errors import HuiduError
from huidu.core.flow import Flow, Seen, flowed
from huidu.core.observation import Observation
from huidu.core.release import Fleet, Phase, Release, standing
from huidu.core.safety import Probe
from huidu.core.sockets import SocketReport
from huidu.ports import Process, Reach, Recognition

_T = TypeVar("_T")
# Longer than this between two ticks nobody watched.
_LONGEST_STEP_SECONDS = 5.0
# A clock is corrected by less than this without anybody being misled.
_JUMP_SECONDS = 5.0
_UNSTEADY_SECONDS = 60.0
REPORTS_AT_ONCE = 2000
# How often the gateway is asked to open its log anew while lines do not arrive.
_REOPEN_SECONDS = 2.0
# A gateway that has not answered since control began may still be starting.
_BEGINNING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lines:
    """What was new in the log and among the reports on sockets."""

    observations: tuple[Observation, ...]
    reports: tuple[SocketReport, ...]
    checkpoint: dict[str, Any] | None
    read_from: str


class Gatherer:
    """Reads all sources for one tick after the other. What it remembers between them can be found again."""

    def __init__(self, parts: Parts):
        self._parts = parts
        # What was last seen of them; None before the first time.
        self.processes: Mapping[str, Process] | None = None
        self._flow = Flow()
        self._last: tuple[float, float] | None = None
        self._jump: tuple[float, float] | None = None
        self._reopened_at = 0.0
        self._reached = Reached(parts.instance, parts.clock)
        self._clips = ClipProbe(parts.instance, parts.clock)
        # To look through a golden set takes long: once for each release.
        self._clip: tuple[int, Path | None] | None = None

    @property
    def reached(self) -> dict[str, Reach]:
        """Whether anybody serves at the URLs of foreign versions, as it was found last."""
        return self._reached.found

    def gather(
        self,
        view: View,
        config: Config,
        checkpoint: dict[str, Any] | None,
        texts: Collection[int],
        golden: GoldenRun | None,
        reads: bool = True,
    ) -> Gathered:
        """What is new since `checkpoint`. `texts` are the corrections that are known already.

        Without `reads` evidence is left where it is: in the log and the store.
        """
        parts, fleet, release = self._parts, view.fleet, view.fleet.release
        now, at = parts.clock.now(), parts.clock.monotonic()
        alarms: list[Alarm] = []
        step_seconds = self._step(now, at)
        lines = self._lines(checkpoint, at, alarms) if reads else self._no_lines(checkpoint, at, alarms)
        corrections = self._corrections(release, texts, alarms) if reads else ()
        self.processes = _asked(parts.runtime.processes, self.processes, alarms)
        processes = self.processes or {}
        self._reached.look([config.versions[name] for name in standing(fleet).running if name in config.versions])
        alarms += [*self._unreachable(release), *self._unsteady(at)]
        return Gathered(
            now=now,
            step_seconds=step_seconds,
            fence=parts.gateway.fence(),
            routes=parts.gateway.routes(),
            observations=lines.observations,
            reports=lines.reports,
            read_from=lines.read_from,
            reported=config.managed,
            hang_seconds=config.hang_after_seconds,
            checkpoint=lines.checkpoint,
            corrections=corrections,
            processes=processes,
            ready=self._ready(fleet, release),
            golden=golden.rows() if golden else (),
            golden_size=golden.size if golden else None,
            golden_failure=golden.failure if golden else None,
            probe=self._probe(view, release),
            alarms=tuple(alarms),
        )

    # ------------------------------------------------------------------ time

    def _step(self, now: float, at: float) -> float:
        """The time watched since the last tick; and whether the wall clock went another way meanwhile."""
        last, self._last = self._last, (now, at)
        if last is None:
            return 0.0
        step = at - last[1]
        jumped = (now - last[0]) - step
        if abs(jumped) > _JUMP_SECONDS:
            self._jump = (at, jumped)
        return min(max(0.0, step), _LONGEST_STEP_SECONDS)

    def _unsteady(self, at: float) -> list[Alarm]:
        if self._jump is None or at - self._jump[0] > _UNSTEADY_SECONDS:
            return []
        return [Alarm(AlarmKind.CLOCK_JUMPED, numbers={"seconds": self._jump[1]}, seconds=at - self._jump[0])]

    # ------------------------------------------------------------------ evidence

    def _lines(self, checkpoint: dict[str, Any] | None, at: float, alarms: list[Alarm]) -> Lines:
        before = checkpoint or {}
        trouble: str | None = None
        observations: tuple[Observation, ...] = ()
        after = checkpoint
        try:
            read = self._parts.log.read(checkpoint)
            observations, after, trouble = tuple(read.observations), read.checkpoint, read.trouble
        except HuiduError as error:
            trouble = str(error)
        reports, last_report = self._reports(before, alarms)
        if after is not None and last_report is not None:
            after = {**after, "reports": last_report}
        self._watch_flow(at, (after or {}).get("lines", 0), trouble, alarms)
        return Lines(observations, reports, after, f"{before.get('read', 0)}.{before.get('reports', 0)}")

    def _no_lines(self, checkpoint: dict[str, Any] | None, at: float, alarms: list[Alarm]) -> Lines:
        """Nothing, which is said: nobody watches users meanwhile."""
        before = checkpoint or {}
        self._watch_flow(at, before.get("lines", 0), "no more evidence can be kept until it can be recorded", alarms)
        return Lines((), (), checkpoint, f"{before.get('read', 0)}.{before.get('reports', 0)}")

    def _reports(self, before: dict[str, Any], alarms: list[Alarm]) -> tuple[tuple[SocketReport, ...], int | None]:
        """New reports and the number of the last one; None while that is not known.

        What was reported before control kept such a number is nobody's.
        """
        known: int | None = before.get("reports")

        def ask() -> tuple[tuple[SocketReport, ...], int | None]:
            if known is None:
                return (), self._parts.sockets.newest_id()
            found = tuple(self._parts.sockets.after(known, REPORTS_AT_ONCE))
            if found:
                return found, found[-1].id
            # A store that was restored from a copy counts from an earlier number on.
            return (), min(known, self._parts.sockets.newest_id())

        nothing: tuple[tuple[SocketReport, ...], int | None] = ((), known)
        return _asked(ask, nothing, alarms)

    def _watch_flow(self, at: float, read: int, trouble: str | None, alarms: list[Alarm]) -> None:
        """Compares lines written with lines read, and has the log opened anew where they do not arrive."""
        # Asked after the log was read: what is written meanwhile must not look lost.
        written = self._parts.gateway.written()
        if written is None:
            seen = Seen(at, None, 0, "", read, trouble)
        else:
            seen = Seen(at, written.lines, written.failures, written.life, read, trouble)
        self._flow = flowed(self._flow, seen)
        seconds = self._flow.seconds(at)
        if seconds is None:
            return
        # A gateway that begins beside control has served nobody yet: it is waited for.
        begins = self._flow.life == "" and seconds < _BEGINNING_SECONDS
        alarms.append(Alarm(AlarmKind.EVIDENCE_STALLED, self._flow.why, seconds=seconds, blinds=not begins))
        if at - self._reopened_at >= _REOPEN_SECONDS:
            self._reopened_at = at
            self._parts.log.reopen()

    def _corrections(
        self, release: Release | None, texts: Collection[int], alarms: list[Alarm]
    ) -> tuple[Recognition, ...]:
        if release is None:
            return ()
        return _asked(lambda: tuple(self._parts.history.corrections(release.id, texts)), (), alarms)

    # ------------------------------------------------------------------ versions

    def _ready(self, fleet: Fleet, release: Release | None) -> frozenset[str]:
        if release is None or release.phase is not Phase.ADMISSION:
            return frozenset()
        ready = self._parts.instance.ready(fleet.address(release.candidate))
        return frozenset({release.candidate}) if ready else frozenset()

    def _unreachable(self, release: Release | None) -> list[Alarm]:
        if release is None:
            return []
        gone = self._reached.gone((release.stable, release.candidate))
        return [Alarm(AlarmKind.UNREACHABLE, reach.detail) for _, reach in gone]

    def _probe(self, view: View, release: Release | None) -> Probe | None:
        """Has a clip given to both versions while users may meet the candidate; returns what came of the last."""
        if release is None or not release.serving:
            self._clips.stop()
            return None
        fleet = view.fleet
        self._clips.ask(
            release.id,
            fleet.address(release.stable),
            fleet.address(release.candidate),
            lambda: self._clip_for(release),
            view.watch.probe.number,
        )
        return self._clips.take()

    def _clip_for(self, release: Release) -> Path | None:
        if self._clip is None or self._clip[0] != release.id:
            self._clip = (release.id, clip_of(release.plan, self._shortest, self._parts.clip))
        return self._clip[1]

    def _shortest(self, path: Path) -> Path | None:
        spoken = (each for each in self._parts.read_set(path).utterances if each.text.strip())
        shortest = min(spoken, key=lambda each: each.audio_seconds, default=None)
        return shortest.audio if shortest is not None else None


def _asked(ask: Callable[[], _T], otherwise: _T, alarms: list[Alarm]) -> _T:
    """What a source answers; where it cannot, that is an alarm, and what was known before stands."""
    try:
        return ask()
    except HuiduError as error:
        alarms.append(Alarm(AlarmKind.SOURCE_UNREADABLE, str(error)))
        return otherwise
