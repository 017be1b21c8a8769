"""How fast control reads the gateway's log: whole ticks (read, parse, blocks, decide, store) against plain JSON.

    .venv/bin/python tests/bench/log_reading.py --lines 400000 --units 200000 --per-second 20000

Prints lines a second of `orjson.loads` alone, of control catching up on a long log, and the ticks of control at a
steady rate, all over the same lines. The log holds three versions, four rules, fallbacks and failures.
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from huidu.adapters.gateways.log import GatewayLogFiles
from huidu.adapters.store.database import open_database
from huidu.adapters.store.releases import SqlStore
from huidu.control.decide import Gathered, View, decide, remembered
from huidu.core.plan import Plan, Rules, Share
from huidu.core.record import Record
from huidu.core.release import Event, Fleet, advance, begin, settled

START = 1_800_000_000.0
SHARE = Share(2000, 3600.0)
TICK_SECONDS = 0.5


def log_lines(lines: int, units: int, per_second: int) -> list[bytes]:
    """Lines as Envoy writes them: keys sorted, about 500 bytes each, by users who come again at random."""
    chance = random.Random(1)
    names = [f"{chance.getrandbits(64):016x}" for _ in range(units)]
    return [orjson.dumps(_line(chance, names, START + number / per_second)) for number in range(lines)]


def _line(chance: random.Random, names: list[str], now: float) -> dict[str, object]:
    user, kind = chance.randrange(len(names)), chance.random()
    bucket = user * 7919 % 10_000
    rule = "included" if kind < 0.02 else "excluded" if kind < 0.03 else "share" if bucket < SHARE.share_bp else "rest"
    version = "v2" if rule in ("included", "share") else "v1"
    fell_back = version == "v2" and chance.random() < 0.002
    seconds, took_ms = round(chance.uniform(1, 60), 2), int(chance.lognormvariate(6, 0.7))
    return {
        "attempts": 2 if fell_back else 1,
        "audio_seconds": seconds,
        "bucket": bucket,
        "bytes_down": 300,
        "bytes_up": int(32_000 * seconds),
        "chars": int(4 * seconds),
        "close_code": None,
        "closed_by": None,
        "first_message_ms": None,
        "frames_down": None,
        "frames_up": None,
        "generation": 14,
        "kind": "recognition",
        "ms": took_ms + 20,
        "peer": f"{user % 5000:016x}",
        "release": 1,
        "request_id": f"{chance.getrandbits(32):08x}-4c5e-4b5f-9c8e-{chance.getrandbits(48):012x}",
        "rule": rule,
        "served_by": "v1" if fell_back else version,
        "service_ms": took_ms,
        "share_bp": SHARE.share_bp,
        "status": 503 if version == "v1" and chance.random() < 0.001 else 200,
        "time": round(now, 3),
        "unit": names[user],
        "unit_kind": "cookie",
        "upload_ms": 20,
        "version": version,
    }


class Control:
    """The part of a tick that grows with the log, over a real store and real files."""

    def __init__(self, folder: Path):
        self.live = folder / "gateway.jsonl"
        self.store = SqlStore(open_database(folder, migrate=True))
        self.log = GatewayLogFiles(self.live, lambda: True, 256 * 10**6)
        self.checkpoint: dict[str, Any] | None = None
        release = begin(1, "v2", "v1", Plan((SHARE, Share(10_000, 3600.0))), Rules(), START - 1)
        self.view = View(settled(Fleet("v1"), advance(release, Event.ADMITTED, START - 1)))
        self.store.record(self.view.fleet, Record(self.view.fleet.release))

    def tick(self, now: float) -> int:
        self.log.rotate_if_due(now)
        before, read = self.checkpoint or {}, self.log.read(self.checkpoint)
        self.checkpoint = read.checkpoint
        found = Gathered(
            now,
            step_seconds=TICK_SECONDS,
            observations=tuple(read.observations),
            read_from=f"{before.get('read', 0)}.0",
            checkpoint=read.checkpoint,
        )
        self.view, record = decide(self.view, found)
        self.store.record(self.view.fleet, replace(record, checkpoint=read.checkpoint))
        self.log.forget(read.checkpoint, now)
        return len(read.observations)


def catch_up(lines: list[bytes], per_second: int) -> Iterator[float]:
    """Seconds of each tick that reads on in a log that is there already."""
    with tempfile.TemporaryDirectory() as folder:
        control = Control(Path(folder))
        control.live.write_bytes(b"\n".join(lines) + b"\n")
        read = 0
        while read < len(lines):
            started = time.perf_counter()
            read += control.tick(START + read / per_second)
            yield time.perf_counter() - started


def steady(lines: list[bytes], per_second: int) -> tuple[list[float], float]:
    """Seconds of each tick while lines come at the given rate; seconds to remember all of it after a restart."""
    with tempfile.TemporaryDirectory() as folder:
        control = Control(Path(folder))
        each, ticks = round(per_second * TICK_SECONDS), []
        with control.live.open("ab", buffering=0) as file:
            for start in range(0, len(lines), each):
                file.write(b"\n".join(lines[start : start + each]) + b"\n")
                started = time.perf_counter()
                control.tick(START + start / per_second)
                ticks.append(time.perf_counter() - started)
        started = time.perf_counter()
        again = remembered(control.view.fleet, control.view.watch, control.store.each_evidence(1))
        assert again == control.view
        return ticks, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("--lines", 400_000), ("--units", 200_000), ("--per-second", 20_000)):
        parser.add_argument(name, type=int, default=value)
    asked = parser.parse_args()
    lines = log_lines(asked.lines, asked.units, asked.per_second)
    print(f"{len(lines)} lines of {sum(map(len, lines)) / len(lines):.0f} bytes, {asked.units} units")
    started = time.perf_counter()
    for line in lines:
        orjson.loads(line)
    plain = len(lines) / (time.perf_counter() - started)
    print(f"orjson.loads  {plain:>9,.0f} lines/s")
    before = _resident_mb()
    ticks = list(catch_up(lines, asked.per_second))
    path = len(lines) / sum(ticks)
    print(f"catching up   {path:>9,.0f} lines/s, {path / plain:.2f} of orjson.loads; longest tick {max(ticks):.2f} s")
    ticks, restart = steady(lines, asked.per_second)
    tail = statistics.mean(ticks[-5:])
    print(
        f"steady        {asked.per_second:>9,} lines/s: ticks {statistics.mean(ticks) * 1000:.0f} ms, the last five "
        f"{tail * 1000:.0f} ms, the longest {max(ticks) * 1000:.0f} ms, of {TICK_SECONDS * 1000:.0f} ms"
    )
    print(f"restart       {restart:.2f} s; peak memory {_resident_mb() - before:.0f} MB above the lines themselves")


def _resident_mb() -> float:
    """The largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
