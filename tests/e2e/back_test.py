"""One command brings everybody back, whatever has happened to disk, control and supervisord."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from disks import full, small_disk
from fronts import Backend, require
from installation import Installation, running, until

CONFIG = """\
data: "data"   # a disk of its own
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}"}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
audience:
  include: [{cookie: tester}]
plan:
  - {share: 20%, for: 12h}
  - {share: 100%, for: 12h}
"""
BACK_SECONDS = 2.0


@pytest.fixture(params=["envoy", pytest.param("nginx", marks=pytest.mark.deep)])
def up(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """A release at 20 %, on a disk that a test may fill."""
    require(request.param)
    old, new = Backend("old"), Backend("new")
    config = CONFIG.replace("{engine}", request.param).replace("{old}", str(old.port)).replace("{new}", str(new.port))
    with small_disk(tmp_path / "data", megabytes=30) as disk:
        if disk is None:
            pytest.skip("no disk can be mounted here")
        with running(tmp_path, config) as made:
            made.release_into("new", "share:2000")
            assert _served(made, "tester=1") == "new"
            yield made
    old.close()
    new.close()


def _served(up: Installation, cookie: str) -> str:
    return str(httpx.post(f"{up.url}/asr", headers={"cookie": cookie}, content=b"a").json()["name"])


def _everybody_goes_back(up: Installation) -> None:
    started = time.monotonic()
    done = up.huidu("rollback", "--json")
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["applied"]
    assert seconds < BACK_SECONDS
    assert {_served(up, "tester=1"), *(_served(up, f"huidu_uid={number}") for number in range(30))} == {"old"}


def test_everybody_is_back_on_a_full_disk_while_control_is_stopped(up: Installation) -> None:
    control = up.control_pid()
    with full(up.folder / "data"):
        os.kill(control, signal.SIGSTOP)
        try:
            _everybody_goes_back(up)
        finally:
            os.kill(control, signal.SIGCONT)
    # With room again control takes over what was done.
    until(lambda: up.status()["stage"] is None and up.releases()[0]["outcome"] == "rolled_back")
    assert up.routes()["candidate"] is None


def test_everybody_is_back_when_supervisord_is_dead(up: Installation) -> None:
    (supervisord,) = psutil.Process(up.process.pid).children()
    left = supervisord.children(recursive=True)
    supervisord.kill()
    try:
        _everybody_goes_back(up)
        # Once more there is nothing to do.
        assert "old" in up.huidu("rollback").stderr
    finally:
        for process in left:
            process.kill()
        psutil.wait_procs(left, 10)
