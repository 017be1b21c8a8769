"""What users feel while things change and break: both gateways under load on loopback, counted request by request.

    make load                                      everything, both gateways: about ten minutes
    PYTHONPATH=tests .venv/bin/python tests/bench/gateway_load.py changes kills --engine nginx --scale 0.1

    changes   routes change 1,000 times by `promote`, each awaited, under 64 kept connections at 2,000 requests/s
              and 50 open WebSockets
    kills     30 s of GET and of POST with 100 kB and 5 MB, while the candidate is killed and restarted every 2 s
    stops     30 s of GET and of POST with 4 kB, while the candidate is stopped (SIGSTOP) and `hang_after` is 3 s: a
              longer upload is rightly waited for longer
    dead      users of the stable version while 1,000 connections meet a candidate that is not there
    sockets   1,000 WebSockets for a minute, each echoing

Ends with exit code 1 when a request failed whose answer had not begun, or a socket broke.
"""

import argparse
import asyncio
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvloop
from fronts import GATEWAYS, Backend, accepts, free_port, front, request_bytes, until
from websockets.asyncio.client import connect

from huidu.core.bucket import bucket
from huidu.core.routes import Upstream

CONNECTIONS = 64


@dataclass
class Count:
    """What became of the requests of one kind of user."""

    served: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    cut: int = 0  # answers that had begun and did not end
    latency_ms: list[float] = field(default_factory=list)

    def quantile(self, level: float) -> float:
        ordered = sorted(self.latency_ms)
        return ordered[min(len(ordered) - 1, int(level * len(ordered)))] if ordered else float("nan")

    def __str__(self) -> str:
        of = ", ".join(f"{name} {number}" for name, number in sorted(self.served.items()))
        lost = f"failed {len(self.failed)}, cut {self.cut}"
        return f"{of}; {lost}; p50 {self.quantile(0.5):.1f} ms, p99 {self.quantile(0.99):.1f} ms"


Maker = Callable[[random.Random], bytes]


async def user(port: int, make: Maker, pause_seconds: float, stop: asyncio.Event, count: Count, seed: int) -> None:
    """One kept connection that sends a request every so often, and opens another one only after a failure."""
    chance = random.Random(seed)
    await asyncio.sleep(chance.random() * pause_seconds)
    reader = writer = None
    while not stop.is_set():
        began, answered = time.perf_counter(), False
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            assert reader is not None
            writer.write(make(chance))
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            answered = True
            lower = head.lower()
            length = int(lower.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            body = await reader.readexactly(length)
            status = int(head.split(b" ", 2)[1])
            if status != 200:
                count.failed.append(f"{status} {body[:120]!r}")
            else:
                count.served[body[10:12].decode()] += 1
                count.latency_ms.append((time.perf_counter() - began) * 1000)
        except (OSError, asyncio.IncompleteReadError) as error:
            if answered:
                count.cut += 1
            else:
                count.failed.append(repr(error))
            if writer is not None:
                writer.close()
            reader = writer = None
        await asyncio.sleep(max(0.0, pause_seconds - (time.perf_counter() - began)))
    if writer is not None:
        writer.close()


async def load(
    port: int, make: Maker, connections: int, per_second: float, during: Callable[[], Any], count: Count
) -> Any:
    """Keeps users busy while `during` runs in a thread; returns what it returned."""
    stop = asyncio.Event()
    pause = connections / per_second
    users = [asyncio.create_task(user(port, make, pause, stop, count, number)) for number in range(connections)]
    found = await asyncio.to_thread(during)
    stop.set()
    await asyncio.gather(*users)
    return found


def get(chance: random.Random) -> bytes:
    return request_bytes([("Cookie", f"huidu_uid=user-{chance.randrange(10**6)}")])


_BODIES = {size: b"x" * size for size in (4_000, 100_000, 5_000_000)}


def mixed(chance: random.Random) -> bytes:
    """GET, POST of 100 kB, and now and then of 5 MB."""
    return _of_size(chance, chance.choices((0, 100_000, 5_000_000), (60, 38, 2))[0])


def short(chance: random.Random) -> bytes:
    """GET and POST of 4 kB."""
    return _of_size(chance, chance.choice((0, 4_000)))


def _of_size(chance: random.Random, size: int) -> bytes:
    lines = [("Cookie", f"huidu_uid=user-{chance.randrange(10**6)}")]
    return request_bytes(lines, method="POST", body=_BODIES[size]) if size else request_bytes(lines)


# ------------------------------------------------------------------ processes


@contextmanager
def backend_process(name: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = start_backend(name, port)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def start_backend(name: str, port: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, __file__, "backend", "--name", name, "--port", str(port)])
    until(lambda: accepts(port))
    return process


CONFIG = """\
data: data
gateway: {{listen: "127.0.0.1:{gateway}", engine: {engine}}}
control: {{listen: "127.0.0.1:{control}"}}
versions:
  v1: {{url: "http://127.0.0.1:{v1}"}}
  v2: {{url: "http://127.0.0.1:{v2}"}}
stable: v1
plan:
{stages}
guards:
  latency: {{fail_above: 50x, at_most: 60x}}
"""


@contextmanager
def installation(folder: Path, engine: str, stages: int) -> Iterator[tuple[int, int]]:
    """`huidu up` over two services that already run; its gateway's and control's ports."""
    ports = {name: free_port() for name in ("gateway", "control", "v1", "v2")}
    steps = [f"  - {{share: {(number + 1) * 99.99 / stages:.2f}%, for: 10h}}" for number in range(stages)]
    text = CONFIG.format(
        engine=engine, stages="\n".join([*dict.fromkeys(steps), "  - {share: 100%, for: 10h}"]), **ports
    )
    (folder / "huidu.yaml").write_text(text)
    with backend_process("v1", ports["v1"]), backend_process("v2", ports["v2"]):
        command = [sys.executable, "-m", "huidu", "up", "--config", str(folder / "huidu.yaml")]
        process = subprocess.Popen(command, stderr=(folder / "up.log").open("wb"))
        try:
            until(lambda: _healthy(ports["control"]) and accepts(ports["gateway"]), 60)
            yield ports["gateway"], ports["control"]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


# ------------------------------------------------------------------ scenarios


def changes(engine: str, scale: float) -> bool:
    number = max(10, int(1000 * scale))
    count, sockets = Count(), Sockets()
    with tempfile.TemporaryDirectory(prefix="huidu-load-") as name, installation(Path(name), engine, number) as ports:
        gateway, control = ports
        base = f"http://127.0.0.1:{control}/api/v1"
        operator = {"authorization": f"Bearer {(Path(name) / 'data/run/token').read_text().strip()}"}
        httpx.post(f"{base}/releases", json={"version": "v2"}, headers=operator).raise_for_status()
        until(lambda: httpx.get(f"{base}/status", headers=operator).json()["stage"].startswith("share"), 30)

        def promote() -> list[float]:
            found = []
            with httpx.Client(timeout=30, headers=operator) as client:
                for _ in range(number - 1):
                    answer = client.post(f"{base}/promote", json={"reason": "measured", "by": "load"}).json()
                    assert answer["applied"], answer
                    found.append(answer["applied_ms"])
            return found

        async def together() -> list[float]:
            async with sockets.open(gateway, 50):
                applied: list[float] = await load(gateway, get, CONNECTIONS, 2000, promote, count)
                return applied

        applied = sorted(uvloop.run(together()))
    print(f"  {count}")
    print(f"  {sockets}")
    print(
        f"  {len(applied)} changes applied after p50 {statistics.median(applied):.1f} ms, "
        f"p99 {applied[int(0.99 * len(applied))]:.1f} ms, max {applied[-1]:.1f} ms (wanted: 20 and 200)"
    )
    return not count.failed and not count.cut and not sockets.broken


def kills(engine: str, scale: float) -> bool:
    return _troubled(engine, scale, stopped=False)


def stops(engine: str, scale: float) -> bool:
    return _troubled(engine, scale, stopped=True)


def _troubled(engine: str, scale: float, stopped: bool) -> bool:
    port, count = free_port(), Count()
    with (
        tempfile.TemporaryDirectory(prefix="huidu-load-") as name,
        front(engine, Path(name), hang_after_seconds=3.0) as gate,
    ):
        candidate = start_backend("v2", port)
        upstreams = (gate.routes.upstreams[0], Upstream("v2", (f"127.0.0.1:{port}",)))
        gate.swap(gate.serving(5000, upstreams=upstreams))
        until_time = time.monotonic() + 30 * scale

        def trouble() -> None:
            nonlocal candidate
            if stopped:
                candidate.send_signal(signal.SIGSTOP)
                time.sleep(30 * scale)
                candidate.send_signal(signal.SIGCONT)
                return
            while time.monotonic() < until_time:
                candidate.kill()
                candidate.wait()
                time.sleep(1.0)
                candidate = start_backend("v2", port)
                time.sleep(1.0)

        uvloop.run(load(gate.port, short if stopped else mixed, CONNECTIONS, 600, trouble, count))
        candidate.kill()
        candidate.wait()
        fell_back = sum(line["served_by"] == "v1" and line["version"] == "v2" for line in gate.lines())
    print(f"  {count}; fell back {fell_back}")
    for text, times in Counter(count.failed).most_common(3):
        print(f"    {times} x {text}")
    return not count.failed and fell_back > 0


def dead(engine: str, scale: float) -> bool:
    found = {}
    sides: dict[bool, list[str]] = {True: [], False: []}
    for number in range(4000):
        sides[bucket("r7", f"user-{number}") < 5000].append(f"user-{number}")

    def of(side: bool) -> Maker:
        return lambda chance: request_bytes([("Cookie", f"huidu_uid={chance.choice(sides[side])}")])

    with tempfile.TemporaryDirectory(prefix="huidu-load-") as name, front(engine, Path(name)) as gate:
        nobody = Upstream("v2", (f"127.0.0.1:{free_port()}",))
        dead_routes = gate.serving(5000, upstreams=(gate.routes.upstreams[0], nobody))
        for what, routes, crowd in (
            ("alone", gate.serving(5000), 0),
            ("beside 1,000 connections onto a healthy candidate", gate.serving(5000), 1000),
            ("beside 1,000 connections onto a dead candidate", dead_routes, 1000),
        ):
            gate.swap(routes)
            stable, others = Count(), Count()

            async def both(crowd: int = crowd, stable: Count = stable, others: Count = others) -> None:
                def during() -> None:
                    time.sleep(15 * scale)

                work = [load(gate.port, of(False), 32, 200, during, stable)]
                if crowd:
                    work.append(load(gate.port, of(True), crowd, 500, during, others))
                await asyncio.gather(*work)

            uvloop.run(both())
            found[what] = stable
            print(f"  stable users {what}: {stable}")
            if crowd:
                print(f"    the others: {others}")
    healthy, broken = list(found.values())[1:]
    ratio = broken.quantile(0.99) / healthy.quantile(0.99)
    print(f"  p99 of stable users, dead against healthy: {ratio:.2f} (wanted: at most 2)")
    return ratio <= 2 and not any(count.failed for count in found.values())


class Sockets:
    """WebSockets that echo until told to close; what breaks is counted."""

    def __init__(self) -> None:
        self.echoes, self.broken = 0, 0

    def __str__(self) -> str:
        return f"WebSockets: {self.echoes} echoes, {self.broken} broken"

    def open(self, port: int, number: int) -> "_OpenSockets":
        return _OpenSockets(self, port, number)


class _OpenSockets:
    def __init__(self, counts: Sockets, port: int, number: int):
        self._counts, self._port, self._number = counts, port, number
        self._stop = asyncio.Event()

    async def __aenter__(self) -> None:
        ready = [asyncio.Event() for _ in range(self._number)]
        self._tasks = [asyncio.create_task(self._talk(number, ready[number])) for number in range(self._number)]
        for event in ready:
            await asyncio.wait_for(event.wait(), 60)

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _talk(self, number: int, ready: asyncio.Event) -> None:
        try:
            url = f"ws://127.0.0.1:{self._port}/ws"
            async with connect(url, ping_interval=None, open_timeout=60, max_queue=None) as socket:
                name = await socket.recv()
                ready.set()
                turn = 0
                while not self._stop.is_set():
                    said = f"{name} {number} {turn}"
                    await socket.send(said)
                    if await asyncio.wait_for(socket.recv(), 30) != said:
                        self._counts.broken += 1
                    self._counts.echoes += 1
                    turn += 1
                    await asyncio.sleep(random.uniform(0.5, 1.5) if self._number < 100 else random.uniform(3, 8))
        except Exception as error:
            ready.set()
            self._counts.broken += 1
            print(f"    socket {number}: {error!r}", file=sys.stderr)


def sockets(engine: str, scale: float) -> bool:
    counts = Sockets()
    with tempfile.TemporaryDirectory(prefix="huidu-load-") as name, front(engine, Path(name)) as gate:
        gate.swap(gate.serving(5000))

        async def minute() -> None:
            async with counts.open(gate.port, max(50, int(1000 * min(scale, 1)))):
                await asyncio.sleep(60 * scale)

        uvloop.run(minute())
    print(f"  {counts}")
    return counts.broken == 0 and counts.echoes > 0


SCENARIOS = {"changes": changes, "kills": kills, "stops": stops, "dead": dead, "sockets": sockets}


def scenario(name: str) -> str:
    # Not by `choices`, against which argparse also holds that none was named.
    if name not in (*SCENARIOS, "backend"):
        raise argparse.ArgumentTypeError(f"no scenario {name!r}; accepted: {', '.join(SCENARIOS)}")
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", type=scenario, metavar="SCENARIO")
    parser.add_argument("--engine", choices=sorted(GATEWAYS), help="default: one after the other")
    parser.add_argument("--scale", type=float, default=1.0, help="of time and number; default 1")
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.scenarios == ["backend"]:
        Backend(asked.name, asked.port)
        signal.pause()
    good = True
    for name in asked.scenarios or SCENARIOS:
        for engine in [asked.engine] if asked.engine else sorted(GATEWAYS):
            print(f"{name}, {engine}:", flush=True)
            held = SCENARIOS[name](engine, asked.scale)
            print(f"  {'held' if held else 'NOT HELD'}", flush=True)
            good = good and held
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
