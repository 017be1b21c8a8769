"""Each line of the gateway's log counts exactly once, although control is killed again and again while it reads."""

import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from fronts import free_port, until

from huidu import wire
from huidu.settings import load

KILLS = 50
CONFIG = """\
data: data
gateway: {{listen: "127.0.0.1:{gateway}", log_rotate: 20KB}}
control: {{listen: "127.0.0.1:{control}"}}
audience: {{exclude: [{{cookie: out}}], include: [{{cookie: in}}]}}
versions:
  v1: {{url: "http://{v1}"}}
  v2: {{url: "http://{v2}"}}
stable: v1
plan:
  - {{share: 30%, for: 1h}}
  - {{share: 100%, for: 1h}}
guards:
  latency: {{fail_above: 50x, at_most: 60x}}
"""
# Runs `huidu control` again and again, each in a process of its own, without importing everything each time.
NURSERY = """\
import os, sys
import uvicorn, huidu.adapters.runtimes.instance, huidu.adapters.store.history, huidu.adapters.store.releases
import huidu.cli.app, huidu.control.app, huidu.control.loop, huidu.wire
from huidu.cli.main import main
sys.argv[1:1] = ["control", "--config"]
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        sys.exit(main())
    print(pid, flush=True)
    os.waitpid(pid, 0)
"""


class Backend:
    """A service that answers everything, and /slow after a while."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self._answer()

            def _answer(self) -> None:
                if self.path == "/slow":
                    time.sleep(1.5)
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Installation:
    folder: Path
    gateway_port: int
    control_port: int
    nursery: "subprocess.Popen[str]"
    gateway: "subprocess.Popen[bytes] | None" = None
    control_pid: int = 0

    @property
    def logs(self) -> Path:
        return self.folder / "data" / "logs"

    def start_control(self) -> None:
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write("\n")
        self.nursery.stdin.flush()
        self.control_pid = int(self.nursery.stdout.readline())

    def start_gateway(self) -> None:
        command = wire.make_gateway(load(self.folder / "huidu.yaml")).command()
        self.gateway = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"http://127.0.0.1:{self.control_port}/api/v1{path}"
        token = (self.folder / "data/run/token").read_text().strip()
        operator = {"authorization": f"Bearer {token}"}
        return httpx.request(method, url, json=body, headers=operator, timeout=10).json()

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.control_port)) == 0

    def query(self, text: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.folder}/data/history.db?mode=ro", uri=True, timeout=10)) as store:
            return store.execute(text).fetchall()

    def bytes_read(self) -> int:
        found = self.query("select value from state where name = 'log_checkpoint'")
        return int(json.loads(found[0][0])["read"]) if found else 0

    def bytes_logged(self) -> int:
        return sum(os.fstat(file.fileno()).st_size for file in self.files())

    def files(self) -> Iterator[BinaryIO]:
        """All log files there ever were: a second name keeps those that control deletes."""
        kept = self.folder / "kept"
        kept.mkdir(exist_ok=True)
        with ExitStack() as stack:
            # Opened first: control may rename it at any moment.
            live = self.logs / "gateway.jsonl"
            opened: list[BinaryIO] = []
            with suppress(FileNotFoundError):
                opened.append(stack.enter_context(live.open("rb")))
            for path in self.logs.glob("gateway-2*.jsonl"):
                if not (kept / path.name).exists():
                    os.link(path, kept / path.name)
            inodes = {os.fstat(file.fileno()).st_ino for file in opened}
            yield from opened
            for path in kept.iterdir():
                if path.stat().st_ino not in inodes:
                    with path.open("rb") as file:
                        yield file


@dataclass
class Traffic:
    """Users, some with a cookie of their own, some without, some chosen by a rule; and now and then a page."""

    port: int
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Traffic":
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._stop.wait(0.008):
            kind = chance.random()
            cookies = [f"huidu_uid=u{chance.randint(0, 300)}"] if kind < 0.8 else []
            cookies += ["in=1"] if kind < 0.05 else ["out=1"] if kind < 0.1 else []
            method, body = ("GET", None) if chance.random() < 0.1 else ("POST", b"audio")
            try:
                connection.request(method, "/", body, {"cookie": "; ".join(cookies)})
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the gateway was killed
        connection.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    v1, v2 = Backend(), Backend()
    gateway_port, control_port = free_port(), free_port()
    text = CONFIG.format(gateway=gateway_port, control=control_port, v1=v1.address, v2=v2.address)
    (tmp_path / "huidu.yaml").write_text(text)
    with (tmp_path / "control.log").open("w") as log:
        nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY, str(tmp_path / "huidu.yaml")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        made = Installation(tmp_path, gateway_port, control_port, nursery)
        yield made
        if made.control_pid:
            os.kill(made.control_pid, signal.SIGKILL)
        nursery.communicate()
        if made.gateway is not None:
            made.gateway.kill()
            made.gateway.wait()
    v1.close()
    v2.close()


def logged(files: Iterable[BinaryIO]) -> Counter[tuple[str, str]]:
    """Recognitions of the release by version and rule, from the files themselves."""
    found: Counter[tuple[str, str]] = Counter()
    for file in files:
        for line in file.read().split(b"\n"):
            # Half a line of a gateway that was killed may stand before a whole one.
            start = line.rfind(b'{"')
            try:
                row = json.loads(line[max(0, start) :])
            except ValueError:
                continue
            if row["release"] == 1 and row["kind"] == "recognition":
                found[row["version"], row["rule"]] += 1
    return found


def stored(installation: Installation) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """The same from the evidence: by version and rule, and the compared requests by version."""
    rules: Counter[tuple[str, str]] = Counter()
    compared: Counter[str] = Counter()
    for (payload,) in installation.query("select payload from evidence where release_id = 1 and kind = 'second'"):
        for version, counts in json.loads(payload).items():
            rules.update({(version, rule): count for rule, count in counts["rules"].items()})
            compared[version] += counts["requests"]
    return rules, compared


def kill_at_random(installation: Installation, chance: random.Random) -> None:
    """Kills control at a moment that follows from what it has read, or from what the gateway has logged."""
    if chance.random() < 0.5:
        aim = installation.bytes_read() + chance.randint(1, 9_000)
        until(lambda: installation.bytes_read() >= aim)
    else:
        aim = installation.bytes_logged() + chance.randint(1, 50_000)
        until(lambda: installation.bytes_logged() >= aim)
    os.kill(installation.control_pid, signal.SIGKILL)


def test_each_line_counts_once_although_control_is_killed_again_and_again(installation: Installation) -> None:
    chance = random.Random(50)
    installation.start_control()
    until(installation.answers)
    assert installation.ask("GET", "/status")["stable"] == "v1"
    installation.start_gateway()
    assert installation.ask("POST", "/releases", {"version": "v2"})["id"] == 1
    until(lambda: installation.ask("GET", "/status")["stage"] == "share:3000")
    with Traffic(installation.gateway_port):
        until(lambda: logged(installation.files())["v2", "share"])
        for kill in range(KILLS):
            if kill == KILLS // 2:
                assert installation.gateway is not None
                installation.gateway.kill()
                installation.gateway.wait()
                installation.start_gateway()
            kill_at_random(installation, chance)
            installation.start_control()
        until(installation.answers)
        asked = [
            threading.Thread(target=httpx.post, args=(f"http://127.0.0.1:{installation.gateway_port}/slow",))
            for _ in range(10)
        ]
        for each in asked:
            each.start()
        # These end when their release is over.
        time.sleep(0.3)
        assert installation.ask("POST", "/rollback", {"by": "test"})["to"] == "v1"
        for each in asked:
            each.join()
    ended_at = installation.query("select ended_at from releases")[0][0]
    until(lambda: stored(installation)[0] == logged(installation.files()), 15)
    until(lambda: installation.bytes_read() == installation.bytes_logged())
    lines, (rules, compared) = logged(installation.files()), stored(installation)
    assert rules == lines
    assert set(lines) == {(v, r) for v, r in (("v1", "rest"), ("v1", "excluded"), ("v2", "share"), ("v2", "included"))}
    assert compared == {"v1": lines["v1", "rest"], "v2": lines["v2", "share"]}
    assert sum(lines.values()) > 1000
    assert len(list(installation.files())) > 5
    # What ended late is in the record of a release that was over, whose outcome stands.
    assert installation.query("select outcome from releases") == [("rolled_back",)]
    (newest,) = installation.query("select max(id) from evidence where release_id = 1")
    (row,) = installation.query(f"select time, payload from evidence where id = {newest[0]}")
    assert row[0] <= ended_at
