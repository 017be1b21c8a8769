"""Control, the candidate and the gateway are killed 40 times under load: what users get, and what is counted of it."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from callers import Asked, Callers
from fronts import accepts, free_port, require
from installation import Installation, running, until
from watching import Watched

KILLS = 40
PER_SECOND = 20.0
# Envoy writes its lines out so often: what it answered since then is not in the log when it is killed.
FLUSH_SECONDS = {"envoy": 0.2, "nginx": 0.0}
CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}"}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
plan: [{share: 30%, for: 1h}, {share: 100%, for: 1h}]
guards:
  errors: {fail_above: +99pp, at_most: +100pp}
  latency: {fail_above: 50x, at_most: 60x}
  cer: off
  numerals: off
"""
SERVICE = """\
import signal, sys
from fronts import Backend, Behaviour
Backend(sys.argv[1], int(sys.argv[2])).behaviour = Behaviour(text="ni hao", chars="6")
signal.pause()
"""


@dataclass
class Service:
    """A service in a process of its own."""

    name: str
    port: int = field(default_factory=free_port)

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SERVICE, self.name, str(self.port)]
        self._process = subprocess.Popen(command, env=environment)
        until(lambda: accepts(self.port))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(name: str) -> Iterator[Service]:
    service = Service(name)
    service.start()
    try:
        yield service
    finally:
        service.kill()


@dataclass
class Site(Watched):
    engine: str = ""
    candidate: Service = field(default_factory=lambda: Service("new"))
    # When the gateway was killed, and when it answered again.
    gateway_down: list[tuple[float, float]] = field(default_factory=list)

    def kill(self, what: str) -> None:
        """Kills one process of three and waits until it is back."""
        began = time.time()
        if what == "candidate":
            self.candidate.kill()
            time.sleep(0.3)
            self.candidate.start()
        elif what == "control":
            pid = self.up.control_pid()
            os.kill(pid, signal.SIGKILL)
            until(lambda: self.up.control_pid() != pid)
            there = time.time() - began
            until(self._answers)
            self.figures.append(f"control {there:.1f} s, answers {time.time() - began:.1f} s")
        else:
            os.kill(self.up.gateway_pid(), signal.SIGKILL)
            until(lambda: not accepts(self.up.gateway) or time.time() > began + 0.3)
            until(lambda: accepts(self.up.gateway))
            self.gateway_down.append((began, time.time()))
            self.figures.append(f"gateway {time.time() - began:.1f} s")

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError, ValueError, OSError):
            return bool(self.status())
        return False

    def excused(self, asked: Asked) -> bool:
        """Whether a request without an answer met a gateway that was killed."""
        return any(asked.ended >= killed and asked.at <= back + 0.5 for killed, back in self.gateway_down)


@pytest.fixture(params=["envoy", "nginx"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    require(request.param)
    with serving("old") as old, serving("new") as new:
        text = CONFIG.replace("{engine}", request.param).replace("{old}", str(old.port)).replace("{new}", str(new.port))
        with running(tmp_path, text) as up:
            yield Site(up, "old", engine=request.param, candidate=new)


def logged(up: Installation) -> dict[str, tuple[str, str]]:
    """Version and rule of each request of a release, by its id. Half a line may stand before a whole one."""
    found = {}
    for file in (up.folder / "data/logs").glob("gateway*.jsonl"):
        for line in file.read_bytes().splitlines():
            with suppress(ValueError):
                row = json.loads(line[max(0, line.rfind(b'{"')) :])
                assert row["request_id"] not in found
                if row["release"] is not None and row["kind"] == "recognition":
                    found[row["request_id"]] = (row["version"], row["rule"])
    return found


def counted(up: Installation) -> Counter[tuple[str, str]]:
    """The same from the evidence of the release: how many by version and rule."""
    found: Counter[tuple[str, str]] = Counter()
    with closing(sqlite3.connect(f"file:{up.folder}/data/history.db?mode=ro", uri=True, timeout=10)) as store:
        for (payload,) in store.execute("select payload from evidence where kind = 'second'"):
            for version, counts in json.loads(payload).items():
                found.update({(version, rule): count for rule, count in counts["rules"].items()})
    return found


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_forty_kills_cost_nobody_a_request_but_those_of_the_gateway_and_no_line_counts_twice(site: Site) -> None:
    chance = random.Random(40)
    site.start("new", [{"share": "30%", "for": "1h"}, {"share": "100%", "for": "1h"}])
    with Callers(site.up.gateway, posts=PER_SECOND) as callers:
        until(lambda: {asked.name for asked in callers.asked} == {"old", "new"})
        for number in range(KILLS):
            aim = len(callers.asked) + chance.randint(5, 35)
            until(lambda aim=aim: len(callers.asked) >= aim)
            site.kill(("control", "candidate", "gateway")[number % 3])
        aim = len(callers.asked) + 40
        until(lambda: len(callers.asked) >= aim)
    print("\n   ", "; ".join(site.figures))
    until(site._answers)
    until(lambda: counted(site.up) == Counter(logged(site.up).values()), 20)
    lines = logged(site.up)

    failed = [asked for asked in callers.asked if asked.status != 200]
    assert [asked for asked in failed if not site.excused(asked)] == []
    unlogged = [asked for asked in callers.asked if asked.status == 200 and asked.request_id not in lines]
    flush = FLUSH_SECONDS[site.engine]
    early = [
        asked
        for asked in unlogged
        if not any(killed - flush - 0.1 <= asked.ended <= killed + 0.1 for killed, _ in site.gateway_down)
    ]
    print(
        f"    {len(callers.asked)} asked, {len(failed)} failed with the gateway, {len(unlogged)} answers without a line"
    )
    assert early == []
    assert len(callers.asked) > KILLS * 20
    assert {rule for _, rule in lines.values()} <= {"share", "rest", "no_release"}
