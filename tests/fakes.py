"""The ports of control as plain objects that do as they are told, or fail when they are told to."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from huidu.adapters.store.database import open_database
from huidu.adapters.store.releases import SqlStore
from huidu.control.controller import Controller
from huidu.control.parts import Config, Parts
from huidu.core.audience import Audience
from huidu.core.errors import UnavailableError
from huidu.core.observation import Observation
from huidu.core.plan import Plan, Rules, Share
from huidu.core.record import Record
from huidu.core.release import Event, Phase, advance, settled
from huidu.core.routes import Routes, rolled_back
from huidu.core.safety import Heard
from huidu.core.sockets import SocketReport
from huidu.core.testset import TestSet
from huidu.core.version import Version
from huidu.ports import FenceError, LogRead, Process, Reach, Recognition, Written

PLAN = Plan((Share(500, 60.0), Share(5000, 60.0), Share(10_000, 60.0)))


@dataclass
class Clock:
    """Stands still until it is moved. The wall clock may be set; the monotonic one only goes on."""

    time: float = 1_800_000_000.0
    steady: float = 5_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.steady

    def go_on(self, seconds: float) -> None:
        self.time += seconds
        self.steady += seconds

    def set_by(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Failing:
    """Methods named in `errors` raise what stands there."""

    errors: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def _asked(self, name: str) -> None:
        self.asked.append(name)
        if name in self.errors:
            raise self.errors[name]

    def fail(self, name: str, why: str = "it does not answer") -> None:
        self.errors[name] = UnavailableError(f"{name}: {why}; accepted: one that does")


@dataclass
class FakeLog(Failing):
    """Lines by number. Like the real one it counts what it has read in the checkpoint."""

    lines: list[Observation] = field(default_factory=list)
    trouble: str | None = None
    stopped: bool = False  # what is written does not arrive

    def put(self, *lines: Observation) -> None:
        self.lines += lines

    def rotate_if_due(self, now: float) -> None:
        self._asked("rotate_if_due")

    def reopen(self) -> bool:
        self._asked("reopen")
        return True

    def read(self, checkpoint: dict[str, Any] | None) -> LogRead:
        self._asked("read")
        before = (checkpoint or {}).get("lines", 0)
        new = [] if self.stopped else self.lines[before:]
        count = before + len(new)
        return LogRead(new, {"files": {"f": 100 * count}, "read": 100 * count, "lines": count}, self.trouble)

    def forget(self, checkpoint: dict[str, Any], now: float) -> None:
        self._asked("forget")


@dataclass
class FakeGateway(Failing):
    """Puts everything in force at once, and counts the lines of a log."""

    log: FakeLog = field(default_factory=FakeLog)
    swapped: list[Routes] = field(default_factory=list)
    fence_number: int = 0
    silent: bool = False
    failures: int = 0
    life: str = "one"
    busy: dict[str, int] = field(default_factory=dict)

    def swap(self, routes: Routes, fence: int) -> None:
        self._asked("swap")
        if self.fence_number > fence:
            raise FenceError(f"the fence is {self.fence_number}, control knows {fence}")
        self.swapped.append(routes)

    def go_back(self) -> Routes | None:
        self._asked("go_back")
        now = self.routes()
        back = rolled_back(now, now.generation + 1) if now else None
        if back is not None:
            self.fence_number += 1
            self.swapped.append(back)
        return back

    def refresh(self) -> None:
        self._asked("refresh")

    def fence(self) -> int:
        self._asked("fence")
        return self.fence_number

    def routes(self) -> Routes | None:
        return self.swapped[-1] if self.swapped else None

    def applied(self, generation: int, wait_seconds: float) -> bool:
        return not self.silent

    def in_flight(self, version: str) -> int:
        return self.busy.get(version, 0)

    def written(self) -> Written | None:
        return None if self.silent else Written(len(self.log.lines), self.failures, self.life)


@dataclass
class FakeRuntime(Failing):
    """Processes that run as soon as they are started; each start has a process id of its own."""

    running: dict[str, int] = field(default_factory=dict)
    pid: int = 100

    def start(self, version: Version, address: str) -> None:
        self._asked(f"start {version.name}")
        if version.managed and version.name not in self.running:
            self.pid += 1
            self.running[version.name] = self.pid

    def stop(self, version: str) -> None:
        self._asked(f"stop {version}")
        self.running.pop(version, None)

    def crash(self, version: str) -> None:
        self.pid += 1
        self.running[version] = self.pid

    def processes(self) -> dict[str, Process]:
        self._asked("processes")
        return {name: Process(name, "running", pid, 0.0, 10**6) for name, pid in self.running.items()}

    def free_memory_bytes(self) -> int:
        return 10**12

    def free_address(self, host: str, first_port: int, taken: Collection[str]) -> str:
        return next(f"{host}:{port}" for port in range(first_port, 65536) if f"{host}:{port}" not in taken)


@dataclass
class FakeInstance(Failing):
    """Is ready, hears 一, and is there, at every address but those in `gone` and `deaf`."""

    gone: set[str] = field(default_factory=set)
    deaf: dict[str, Heard] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)
    before_hearing: Callable[[str], None] = lambda address: None
    before_reaching: Callable[[str], None] = lambda address: None

    def ready(self, address: str) -> bool:
        return address not in self.gone

    def reach(self, address: str) -> Reach:
        self.before_reaching(address)
        return Reach(False, "refuses connections") if address in self.gone else Reach(True, "answers (HTTP 200)")

    def transcribe(self, address: str, audio: Path, request_id: str, timeout_seconds: float = 60.0) -> str:
        self._asked(f"transcribe {address}")
        return "一"

    def hear(self, address: str, audio: Path, request_id: str) -> Heard:
        self.before_hearing(address)
        self.heard.append((address, request_id))
        return self.deaf.get(address, Heard("一", 200))

    def trust(self, authorities: Collection[str]) -> None:
        """Everybody is trusted."""

    def move_streams(self, address: str) -> int:
        self._asked("move_streams")
        return 0


@dataclass
class FakeHistory(Failing):
    """Only what control asks for."""

    rows: list[Recognition] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def corrections(self, release_id: int, known: Collection[int]) -> list[Recognition]:
        self._asked("corrections")
        self.meanwhile()
        return [row for row in self.rows if row.release_id == release_id and row.id not in known]


@dataclass
class FakeSockets(Failing):
    """Reports by number."""

    reports: list[SocketReport] = field(default_factory=list)

    def report(self, report: SocketReport) -> None:
        self.reports.append(replace(report, id=len(self.reports) + 1))

    def after(self, last_id: int, limit: int) -> list[SocketReport]:
        self._asked("after")
        return [report for report in self.reports if report.id > last_id][:limit]

    def newest_id(self) -> int:
        self._asked("newest_id")
        return len(self.reports)

    def forget(self, before: float) -> int:
        self._asked("forget")
        return 0


def no_set(path: Path) -> TestSet:
    raise AssertionError(f"no golden stage asks for {path}")


class World:
    """All that control works with. The store is the real one; what is not asked for does well."""

    def __init__(self, data: Path, foreign: bool = False):
        self.data, self.clock, self.log = data, Clock(), FakeLog()
        self.gateway, self.runtime, self.instance = FakeGateway(log=self.log), FakeRuntime(), FakeInstance()
        self.history, self.sockets = FakeHistory(), FakeSockets()
        self.clip: Path | None = None
        self.salts = iter(f"{number:016x}" for number in range(7, 1000))
        names = ("v0", "v1", "v2")
        urls = {name: (f"http://{name}:80",) if foreign else () for name in names}
        models = {name: None if foreign else f"models/{name}" for name in names}
        self.versions = {name: Version(name, model=models[name], urls=urls[name]) for name in names}
        self.plan = PLAN
        self.engines: list[Engine] = []

    def store(self) -> SqlStore:
        """Another connection to the one store."""
        self.engines.append(open_database(self.data, migrate=True))
        return SqlStore(self.engines[-1])

    def close(self) -> None:
        for engine in self.engines:
            engine.dispose()

    def config(self) -> Config:
        return Config(self.versions, "v1", Audience(), self.plan, Rules(), 900.0, 0, ("127.0.0.1", 7860))

    def parts(self, store: SqlStore | None = None) -> Parts:
        return Parts(
            store=store or self.store(),
            history=self.history,  # type: ignore[arg-type]
            sockets=self.sockets,
            log=self.log,
            gateway=self.gateway,
            runtime=self.runtime,
            instance=self.instance,
            clock=self.clock,
            check=lambda version: None,
            read_set=no_set,
            clip=lambda: self.clip,
            salt=lambda: next(self.salts),
        )

    def control(self, store: SqlStore | None = None) -> Controller:
        return Controller(self.parts(store), self.config())

    def ticks(self, controller: Controller, seconds: float, step: float = 0.5) -> None:
        """Goes on for so long, with a tick after each step."""
        for _ in range(round(seconds / step)):
            self.clock.go_on(step)
            controller.tick()


def in_stage(controller: Controller, stage: str, store: SqlStore) -> None:
    """Starts a release of v2, which passes its stages up to this one as if by evidence."""
    controller.start("v2", "ann", "new words")
    while (release := controller.view.fleet.release) is not None and release.stage_name != stage:
        event = Event.ADMITTED if release.phase is Phase.ADMISSION else Event.STAGE_PASSED
        moved = advance(release, event, release.entered_at)
        controller.view = replace(controller.view, fleet=settled(controller.view.fleet, moved))
        store.record(controller.view.fleet, Record(moved))


def lines(
    time: float, versions: dict[str, int], share_bp: int = 500, release: int = 1, name: str = "r", **changes: Any
) -> list[Observation]:
    """So many recognitions of each version, each by one of forty users and from one of ten addresses."""
    found = []
    for version, count in versions.items():
        for number in range(count):
            rule = "share" if version == "v2" else "rest"
            unit = f"{(1 if version == 'v2' else 2):08x}{number % 40:08x}"
            seen = Observation(
                time, f"{name}-{version}-{number}", release, version, version, 99, rule, unit, share_bp, 1, 200,
                20.0 + number % 7, 3.0, peer=f"p{number % 10}", service_ms=20.0 + number % 7, upload_ms=1.0,
                bytes_up=96_000,
            )  # fmt: skip
            found.append(seen._replace(**changes))
    return found
