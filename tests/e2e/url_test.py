"""Two services of another make, known by their URLs only: the first example of docs/gateway.md, on both gateways."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
from fronts import Backend, require
from installation import Installation, running, until

from huidu.core.bucket import bucket

CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}", share_expiry: 5s}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
audience:
  include: [{cookie: ABTEST_FunasrV2}]
plan:
  - {share: 0%, for: 1h}
  - {share: 50%, for: 1h}
  - {share: 100%, for: 1h}
guards:
  errors: {fail_above: +99pp, at_most: +100pp}
  latency: {fail_above: 50x, at_most: 60x}
"""
TESTER = {"cookie": "ABTEST_FunasrV2=1"}


@dataclass
class Site:
    up: Installation
    old: Backend
    new: Backend

    def names(self, headers: list[dict[str, str]]) -> list[str]:
        """Who served each request."""
        with httpx.Client() as client:
            return [
                client.post(f"{self.up.url}/asr?x=1", headers=each, content=b"a").json()["name"] for each in headers
            ]


@pytest.fixture(params=["envoy", "nginx"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require(request.param)
    old, new = Backend("old"), Backend("new")
    text = CONFIG.replace("{engine}", request.param).replace("{old}", str(old.port)).replace("{new}", str(new.port))
    with running(tmp_path_factory.mktemp(request.param), text) as up:
        yield Site(up, old, new)
    old.close()
    new.close()


def users(number: int, salt: str, share_bp: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Cookies of users in the share and of others."""
    inside: list[dict[str, str]] = []
    outside: list[dict[str, str]] = []
    for each in (f"user-{index}" for index in range(number)):
        (inside if bucket(salt, each) < share_bp else outside).append({"cookie": f"huidu_uid={each}"})
    return inside, outside


def test_services_of_another_make_are_released_as_ours_are(site: Site) -> None:
    up = site.up
    assert set(site.names([{}, TESTER])) == {"old"}

    up.release_into("new", "share:0")
    inside, outside = users(60, up.routes()["salt"], 5000)
    assert site.names([TESTER, {}, *inside[:5]]) == ["new", "old", *["old"] * 5]
    explained = json.loads(up.huidu("explain", "--cookie", "ABTEST_FunasrV2=1", "--json").stdout)
    assert (explained["version"], explained["rule"]) == ("new", "included")

    assert up.huidu("promote", "--reason", "testers are content").returncode == 0
    until(lambda: up.status()["share_bp"] == 5000)
    assert set(site.names(inside)) == {"new"}
    assert set(site.names(outside)) == {"old"}

    # A candidate that is gone costs nobody a request.
    site.new.close()
    assert set(site.names([TESTER, *inside])) == {"old"}
    site.new = Backend("new", site.new.port)
    until(lambda: set(site.names(inside)) == {"new"})

    # Without control the share ends by itself; who chose the candidate stays.
    control = up.control_pid()
    os.kill(control, signal.SIGSTOP)
    try:
        expires_at = up.routes()["expires_at"]
        until(lambda: time.time() > expires_at + 0.5, 15)
        assert set(site.names(inside)) == {"old"}
        assert site.names([TESTER]) == ["new"]
        # And the way back needs no control either.
        assert up.huidu("rollback").returncode == 0
        assert set(site.names([TESTER, *inside])) == {"old"}
    finally:
        os.kill(control, signal.SIGCONT)
    until(lambda: up.status()["control"] == "answers" and up.status()["stage"] is None)
    assert up.releases()[0]["outcome"] == "rolled_back"


def test_a_roll_back_while_the_gateway_hangs_is_done_and_said_to_be_unconfirmed(site: Site) -> None:
    up = site.up
    up.release_into("new", "share:0")
    assert site.names([TESTER]) == ["new"]
    master = psutil.Process(up.gateway_pid())
    family = [*master.children(recursive=True), master]
    for process in family:
        process.suspend()
    try:
        done = up.huidu("rollback")
        assert (done.returncode, "refused" in done.stderr) == (1, False)
        assert "everybody is on old: the gateway has not confirmed it yet" in done.stdout
    finally:
        for process in family:
            process.resume()
    until(lambda: site.names([TESTER]) == ["old"])
    until(lambda: up.status()["control"] == "answers" and up.status()["stage"] is None)
    assert up.releases()[0]["outcome"] == "rolled_back"
