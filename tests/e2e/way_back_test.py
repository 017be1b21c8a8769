"""There is always a way back: whatever refuses, everybody is on the stable version and nobody is without an answer.

The stable version is a real model under `huidu up`, whose recognitions are recorded; the candidate is a service of
another make, which fails when it is told to. The data folder is a file system of 30 MB. What happened is told by the
answers that users got, by the gateway and by the rows that lie in the database afterwards.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from callers import Asked, Callers
from disks import full, small_disk
from fronts import Backend, Behaviour, RawClient, require
from installation import Installation, running, until

from huidu.core.places import Places
from huidu.demo.kit import read_kit, shipped

KIT = read_kit(shipped())
CONFIG = f"""\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", engine: {{engine}}}}
control: {{listen: "127.0.0.1:{{control}}"}}
instances: {{listen: "127.0.0.1:{{instances}}"}}
admission: {{reserve: 50MB}}
versions:
  old: {{model: {KIT.model(KIT.stable)}}}
  new: {{url: "http://127.0.0.1:{{new}}"}}
stable: old
audience:
  include: [{{cookie: tester}}]
plan: [{{share: 20%, for: 1h}}, {{share: 100%, for: 1h}}]
guards:
  errors: {{fail_above: +1pp, at_most: +20pp}}
  latency: off
  cer: off
  numerals: off
"""
PER_SECOND, BACK_SECONDS, GONE_SECONDS = 10.0, 2.0, 30.0
# So many answers in a row without one of the candidate do not happen by chance at 20 % (0.8^60 is one in a million).
NOBODY = 60
BOUNDARY = b"huidu-boundary"
DEEP = pytest.mark.deep


def _upload() -> bytes:
    """The shortest clip of the kit, as a form."""
    clip = min((clip.audio for clip in KIT.clips), key=lambda file: file.stat().st_size)
    head = b'--%s\r\nContent-Disposition: form-data; name="audio"; filename="clip"\r\n\r\n' % BOUNDARY
    return head + clip.read_bytes() + b"\r\n--%s--\r\n" % BOUNDARY


FORM = ("content-type", f"multipart/form-data; boundary={BOUNDARY.decode()}")
CLIP = _upload()


@dataclass
class Site:
    """An installation on a small disk, and what is done to it."""

    up: Installation
    engine: str
    candidate: Backend
    disk: bool
    undo: list[Callable[[], None]] = field(default_factory=list)
    at_end: list[Callable[[], None]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.up.folder / "data"

    @property
    def database(self) -> Path:
        return self.data / "history.db"

    def callers(self) -> Callers:
        return Callers(self.up.gateway, posts=PER_SECOND, path="/api/v1/transcribe", headers=(FORM,), clip=CLIP)

    def release(self, callers: Callers) -> None:
        """A release that serves, and of which something is known."""
        self.up.release_into("new", "share:2000")
        until(lambda: len([asked for asked in callers.asked if asked.name == "new"]) >= 10)

    def served(self, lines: list[tuple[str, str]]) -> str:
        """Who serves one recognition with these header lines."""
        client = RawClient(self.up.gateway)
        answer = client.request([FORM, *lines], "/api/v1/transcribe", "POST", CLIP)
        client.close()
        assert answer.status == 200, answer
        return str(json.loads(answer.body).get("version", "new"))

    def rows(self) -> dict[tuple[str, int], int]:
        """How often each live recognition that was answered lies in the history, by request and attempt."""
        found: dict[tuple[str, int], int] = {}
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as store:
            query = "select request_id, attempt from recognition_history where purpose = 'live' and status = 'done'"
            for key in store.execute(query):
                found[key] = found.get(key, 0) + 1
        return found

    def heal(self) -> None:
        while self.undo:
            self.undo.pop()()


@pytest.fixture
def site(tmp_path: Path, engine: str) -> Iterator[Site]:
    require(engine)
    candidate = Backend("new")
    candidate.behaviour = Behaviour(before_seconds=0.02, text="ni hao", chars="6")
    text = CONFIG.replace("{engine}", engine).replace("{new}", str(candidate.port))
    with small_disk(tmp_path / "data", megabytes=30) as disk, running(tmp_path, text) as up:
        installed = Site(up, engine, candidate, disk is not None)
        try:
            yield installed
        finally:
            installed.heal()
            for each in installed.at_end:
                each()
    candidate.close()


# ------------------------------------------------------------------ harms


def _full(site: Site) -> None:
    """No byte is left on the file system of the data folder."""
    if not site.disk:
        pytest.skip("a file system of its own needs root and mount")
    filling = full(site.data)
    filling.__enter__()
    site.undo.append(lambda: filling.__exit__(None, None, None))


def _locked(site: Site) -> None:
    """Another process holds the database's write lock."""
    store = sqlite3.connect(site.database, timeout=10, check_same_thread=False, isolation_level=None)
    store.execute("BEGIN IMMEDIATE")

    def free() -> None:
        store.execute("ROLLBACK")
        store.close()

    site.undo.append(free)


def _zeroed(site: Site) -> None:
    for name in ("history.db", "history.db-wal"):
        with suppress(FileNotFoundError), (site.data / name).open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(0)
            file.write(bytes(size))


def _log_deleted(site: Site) -> None:
    """Whoever has the database open still writes to it."""
    (site.data / "history.db-wal").unlink()


def _deleted(site: Site) -> None:
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        (site.data / name).unlink(missing_ok=True)


def _stopped(site: Site) -> None:
    """Control does not answer: it holds its port and its socket, and says nothing."""
    pid = site.up.control_pid()
    os.kill(pid, signal.SIGSTOP)
    site.undo.append(lambda: os.kill(pid, signal.SIGCONT))


def _full_and_stopped(site: Site) -> None:
    _full(site)
    _stopped(site)


def _without_control(site: Site) -> tuple[str, int]:
    """Control is gone for good, and nobody brings it back; says where it listened."""
    found = json.loads((site.data / "run/control.json").read_text())
    host, _, port = found["url"].rpartition("/")[2].rpartition(":")
    _kill_supervisord(site)
    with suppress(ProcessLookupError):
        os.kill(int(found["pid"]), signal.SIGKILL)
    until(lambda: not _accepts(host, int(port)))
    return host, int(port)


def _accepts(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


class _Failing(BaseHTTPRequestHandler):
    """Answers 500 to everything, as a control that is broken does."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b'{"error": "internal", "detail": "an internal error"}'
        self.send_response(500)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 (what http.server calls)

    def log_message(self, *_: Any) -> None:
        pass


class _Stranger(_Failing):
    """Another program, which answers everything well."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b"<html>hello</html>"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 (what http.server calls)


def _answered_by(handler: type[BaseHTTPRequestHandler]) -> Callable[[Site], None]:
    """Somebody else answers where control did: at its port, and at its socket."""

    def harm(site: Site) -> None:
        host, port = _without_control(site)
        _serve(site, ThreadingHTTPServer((host, port), handler))
        path = Places(site.data.resolve()).control_socket
        path.unlink(missing_ok=True)
        _serve(site, _UnixServer(str(path), handler))

    return harm


def _serve(site: Site, server: ThreadingHTTPServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The last that was noted is undone first.
    site.undo += [server.server_close, server.shutdown]


class _UnixServer(ThreadingHTTPServer):
    """HTTP on a Unix socket."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "control", 0

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = self.socket.accept()
        return connection, ("unix", 0)


def _kill_supervisord(site: Site) -> None:
    """Its children live on, and are nobody's: what is left of them ends with the test."""
    (supervisord,) = [
        each for each in psutil.Process(site.up.process.pid).children() if "supervisord" in str(each.cmdline())
    ]
    left = supervisord.children()
    supervisord.kill()

    def end() -> None:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.terminate()

    site.at_end.append(end)


HARMS: dict[str, Callable[[Site], None]] = {
    "disk full": _full,
    "disk full, control stopped": _full_and_stopped,
    "locked": _locked,
    "zeroed": _zeroed,
    "deleted": _deleted,
    "log deleted": _log_deleted,
    "stranger": _answered_by(_Stranger),
    "control answers 500": _answered_by(_Failing),
    "supervisord killed": _kill_supervisord,
}
# What make test tries; make test-deep tries the rest.
USUAL = {("envoy", "disk full, control stopped")}
EACH = [
    pytest.param(engine, harm, marks=() if (engine, harm) in USUAL else DEEP)
    for engine in ("envoy", "nginx")
    for harm in HARMS
]
# Under these control lives, and watches.
WATCHED = ("disk full", "locked", "zeroed", "deleted", "supervisord killed")


@pytest.mark.parametrize(("engine", "harm"), EACH)
def test_one_command_has_everybody_back_and_recognitions_go_on(site: Site, harm: str) -> None:
    with site.callers() as callers:
        site.release(callers)
        assert site.served([("cookie", "tester=1")]) == "new"
        HARMS[harm](site)
        time.sleep(1)
        began = time.time()
        # From another folder, with no more than the environment that says where the installation is.
        done = subprocess.run(
            [sys.executable, "-m", "huidu", "rollback", "--json"],
            env=os.environ | {"HUIDU_CONFIG": str(site.up.folder / "huidu.yaml")},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        took = time.time() - began
        assert done.returncode == 0, done.stderr + done.stdout
        answer = json.loads(done.stdout)
        assert (answer["to"], answer["applied"]) == ("old", True)
        assert site.served([("cookie", "tester=1")]) == "old"
        until(lambda: len(callers.since(began + BACK_SECONDS)) >= NOBODY)
        met = [asked.at - began for asked in callers.since(began) if asked.name == "new"]
        print(f"\n    {site.engine}, {harm}: rollback {took:.2f} s, last user {max(met, default=0):.2f} s")
        assert max(met, default=0) < BACK_SECONDS
    _all_answered(callers)
    site.heal()
    _complete(site, callers, harm)


@DEEP
@pytest.mark.parametrize("harm", WATCHED)
@pytest.mark.parametrize("engine", ["envoy", "nginx"])
def test_a_failing_candidate_is_gone_within_half_a_minute(site: Site, harm: str) -> None:
    """By its guard while lines arrive, else because evidence stalls."""
    with site.callers() as callers:
        site.release(callers)
        began = time.time()
        HARMS[harm](site)
        site.candidate.behaviour = Behaviour(status=500)

        def nobody() -> bool:
            last = callers.since(began)[-NOBODY:]
            return len(last) == NOBODY and all(asked.name == "old" for asked in last)

        until(nobody, GONE_SECONDS + 15)
        met = [asked.at - began for asked in callers.since(began) if asked.name != "old"]
        print(f"\n    {site.engine}, {harm}: last user met it after {max(met, default=0):.1f} s")
        assert max(met, default=0) < GONE_SECONDS
    site.heal()
    until(lambda: _ended(site), 60)


def _ended(site: Site) -> bool:
    """Rolled back by what was seen; where nothing could be seen, held without a share until a person says."""
    found = site.up.status()
    routes = site.up.routes()
    held = found["release"] is not None and found["release"]["held"] is not None
    return found["stage"] is None or (held and (routes["candidate"] is None or routes["share_bp"] == 0))


@DEEP
@pytest.mark.parametrize("harm", ["zeroed", "deleted"])
@pytest.mark.parametrize("engine", ["envoy", "nginx"])
def test_after_a_restart_the_stable_version_is_the_one_of_the_routes(site: Site, harm: str) -> None:
    """Whatever the file says: it named the version of the day of installation."""
    site.up.release_into("new", "share:2000")
    for _ in range(2):
        assert site.up.huidu("promote", "--reason", "the test wants it").returncode == 0
    until(lambda: site.up.status()["stable"] == "new")
    site.up.process.terminate()
    site.up.process.wait(timeout=60)
    HARMS[harm](site)
    with _up_again(site):
        assert site.up.status()["stable"] == "new"
        assert site.served([]) == "new"


@DEEP
@pytest.mark.parametrize("harm", ["disk full", "locked"])
@pytest.mark.parametrize("engine", ["envoy", "nginx"])
def test_what_cannot_be_written_keeps_nothing_from_starting(site: Site, harm: str) -> None:
    """With the routes in force; the one command works, and control begins once the store lets it."""
    site.up.release_into("new", "share:2000")
    site.up.process.terminate()
    site.up.process.wait(timeout=60)
    HARMS[harm](site)
    with _up_again(site) as said:
        assert "Traceback" not in said
        assert "control waits for the store" in said
        assert site.up.huidu("rollback").returncode == 0
        assert {site.served([("cookie", "tester=1")]), *(site.served([]) for _ in range(NOBODY))} == {"old"}
        site.heal()
        until(lambda: site.up.status()["control"] == "answers", 60)
        assert site.up.status()["stable"] == "old"


@contextmanager
def _up_again(site: Site) -> Iterator[str]:
    """`huidu up` once more; yields what it said until it was ready."""
    path = site.up.folder / "up2.log"
    with path.open("w") as log:
        command = [sys.executable, "-m", "huidu", "up", "--config", str(site.up.folder / "huidu.yaml")]
        again = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: "ready:" in path.read_text() or again.poll() is not None)
        assert again.poll() is None, path.read_text()
        yield path.read_text()
    finally:
        again.terminate()
        again.wait(timeout=60)


def _all_answered(callers: Callers) -> None:
    failed: list[Asked] = [asked for asked in callers.asked if asked.status != 200]
    assert failed == []


def _complete(site: Site, callers: Callers, harm: str) -> None:
    """What the stable version recognised lies in the history once each, and the record says how the release ended."""
    asked = {each.request_id for each in callers.asked if each.name == "old"}
    if harm in ("zeroed", "deleted"):
        # What was in the old file is gone; what came after it, and control's record, are there.
        until(lambda: site.database.exists() and len(site.rows()) > 10, 60)
        assert set(site.rows().values()) == {1}
    else:
        until(lambda: asked <= {request for request, _ in site.rows()}, 60)
        assert set(site.rows().values()) == {1}
    if harm in ("stranger", "control answers 500", "supervisord killed"):
        return  # nobody is there who could write the record: the next `up` adopts it
    # What nginx could not write is not forgotten before other lines arrive.
    with site.callers():
        until(lambda: site.up.status()["stage"] is None and not site.up.status()["alarms"], 60)
    last = site.up.releases()[0]
    assert (last["version"], last["outcome"]) == ("new", "rolled_back")
    assert len([row for row in site.up.releases() if row["id"] == last["id"]]) == 1
