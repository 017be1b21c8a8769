"""Huidu is never blind: a log that goes while the candidate begins to fail, and failures that no status of 500 shows.

Real gateways in front of services of another make, which answer as they are told. 20 recognitions a second come from
400 users with cookies; a release stands in a stage of 20 %. What happened is told by the answers that users got, by
the gateway's log and by `huidu status`.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from callers import Callers
from disks import small_disk
from fronts import Backend, Behaviour, require
from installation import running, until
from watching import SEEN_SECONDS, Watched

CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}", engine: {engine}}
control: {listen: "127.0.0.1:{control}"}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
audience:
  include: [{cookie: tester}]
plan: [{share: 20%, for: 30s}, {share: 100%, for: 10s}]
guards:
  errors: {fail_above: +1pp, at_most: +20pp}
  latency: {fail_above: 2x, at_most: 4x}
  cer: off
  numerals: off
"""
# A first stage that a failing candidate could leave soon: what keeps it there is neither its length nor its floor.
SHORT: list[dict[str, Any]] = [
    {"share": "20%", "for": "20s", "at_least": 50},
    {"share": "50%", "for": "10m"},
    {"share": "100%", "for": "10m"},
]
SLOW: list[dict[str, Any]] = [{"share": "20%", "for": "90s", "at_least": 50}, *SHORT[1:]]
# One that a healthy candidate goes through to the end.
HEALTHY: list[dict[str, Any]] = [{"share": "20%", "for": "10s"}, {"share": "100%", "for": "5s"}]
TESTERS: list[dict[str, Any]] = [{"share": "0%", "for": "1h"}, *SHORT]
WELL = Behaviour(before_seconds=0.02, text="ni hao", chars="6")
PER_SECOND = 20.0
GONE_SECONDS = 30.0
# So many answers in a row without one of the candidate do not happen by chance at 20 % (0.8^60 is one in a million).
NOBODY = 60


@dataclass
class Site(Watched):
    """An installation over two services, and what is done to it."""

    engine: str = "envoy"
    services: dict[str, Backend] = field(default_factory=dict)
    disk: Path | None = None  # a small file system of its own, on which the logs are

    @property
    def log(self) -> Path:
        return self.up.folder / "data/logs/gateway.jsonl"

    @property
    def candidate(self) -> Backend:
        (name,) = set(self.services) - {self.stable}
        return self.services[name]

    def release(self, plan: list[dict[str, Any]]) -> None:
        self.start(self.candidate.name, plan)

    def lines(self) -> list[dict[str, Any]]:
        """The gateway's own report: its log as it lies there."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def callers(self, **of: Any) -> Callers:
        return Callers(self.up.gateway, **of)

    def gone(self, callers: Callers, began: float) -> None:
        """Waits until none of many answers in a row is the candidate's, and the share is over by the routes, too."""

        def nobody() -> bool:
            last = callers.since(began)[-NOBODY:]
            return len(last) == NOBODY and all(asked.name == self.stable for asked in last)

        until(nobody, GONE_SECONDS + 15)
        met = [asked.at for asked in callers.since(began) if asked.name == self.candidate.name]
        self.figures.append(f"last user met it after {max(met, default=began) - began:.1f} s")
        assert max(met, default=began) - began < GONE_SECONDS
        routes = self.up.routes()
        assert routes["candidate"] is None or routes["share_bp"] == 0
        assert not self.went_forward(began)

    def rest(self) -> None:
        for service in self.services.values():
            service.behaviour = WELL
        self.end()

    def goes_through(self, callers: Callers) -> None:
        """A healthy release is promoted by itself."""
        self.release(HEALTHY)
        began = time.time()
        name = self.candidate.name
        until(lambda: self.status()["stage"] is None, 120)
        assert self.up.releases()[0]["outcome"] == "promoted", self.up.releases()[0]
        self.figure("a healthy release went through", began)
        self.stable = name
        until(lambda: all(asked.name == name for asked in callers.since(time.time() - 1)))


@pytest.fixture(scope="module", params=["envoy", "nginx"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require(request.param)
    services = {name: Backend(name) for name in ("old", "new")}
    text = CONFIG.replace("{engine}", request.param)
    for name, service in services.items():
        service.behaviour = WELL
        text = text.replace(f"{{{name}}}", str(service.port))
    folder = tmp_path_factory.mktemp(request.param)
    with small_disk(folder / "data/logs") as disk, running(folder, text) as up:
        yield Site(up, "old", engine=request.param, services=services, disk=disk)
    for service in services.values():
        service.close()


@pytest.fixture
def site(installed: Site) -> Iterator[Site]:
    installed.figures.clear()
    yield installed
    installed.rest()
    # Shown with -s, and where a test fails.
    print("\n   ", "; ".join(installed.figures))


# ------------------------------------------------------------------ the log goes


Undo = Callable[[], None]


def _removed(site: Site) -> Undo:
    site.log.unlink()
    return lambda: None


def _renamed(site: Site) -> Undo:
    """As logrotate does by itself: rename and create."""
    site.log.rename(site.log.with_name("gateway.jsonl.1"))
    site.log.touch()
    return lambda: None


def _a_directory(site: Site) -> Undo:
    aside = site.log.with_name("gateway.jsonl.1")
    site.log.rename(aside)
    site.log.mkdir()
    return site.log.rmdir


def _full(site: Site) -> Undo:
    """No byte is left on the file system of the log."""
    if site.disk is None:
        return _a_directory(site)
    filler = site.disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler.unlink


HARMS = {"removed": _removed, "renamed": _renamed, "full": _full, "a directory": _a_directory}


DEEP = pytest.mark.deep


@pytest.mark.parametrize(
    "harm", ["removed", *(pytest.param(each, marks=DEEP) for each in ("renamed", "full", "a directory"))]
)
def test_a_candidate_that_fails_while_the_log_goes_is_gone_within_half_a_minute(site: Site, harm: str) -> None:
    with site.callers(posts=PER_SECOND) as callers:
        site.release(SHORT)
        site.evidence()
        began = time.time()
        undo = HARMS[harm](site)
        site.candidate.behaviour = Behaviour(status=500)
        try:
            site.alarm("evidence_stalled", began)
            site.gone(callers, began)
        finally:
            undo()
        restored = time.time()
        until(lambda: not site.status()["alarms"], 30)
        site.figure("no alarm any more", restored)
        site.rest()
        # What comes now is read again.
        if harm == "removed":
            site.release(SHORT)
            site.evidence()
        else:
            site.goes_through(callers)
    assert {asked.status for asked in callers.asked} <= {200, 500}


@DEEP
def test_a_log_that_is_emptied_is_read_on(site: Site) -> None:
    """As logrotate does with `copytruncate`."""
    with site.callers(posts=PER_SECOND) as callers:
        site.release(SHORT)
        site.evidence()
        began = time.time()
        os.truncate(site.log, 0)
        site.candidate.behaviour = Behaviour(status=500)
        site.gone(callers, began)
    assert site.up.releases()[0]["guard"] == "errors"


# ------------------------------------------------------------------ failures without a status of 500


BAD = {
    "404": Behaviour(status=404),
    "429": Behaviour(status=429),
    "empty-counted": replace(WELL, text="", chars="0"),
    "empty-uncounted": replace(WELL, text=None, chars=None),
}


@pytest.mark.parametrize("bad", ["404", *(pytest.param(each, marks=DEEP) for each in BAD if each != "404")])
def test_a_candidate_that_gives_no_text_is_held_or_gone_within_a_minute(site: Site, bad: str) -> None:
    with site.callers(posts=PER_SECOND) as callers:
        # What nothing of the traffic shows, control's own clips do: they come every 45 s.
        site.release(SLOW if bad == "empty-uncounted" else SHORT)
        site.evidence()
        began = time.time()
        site.candidate.behaviour = BAD[bad]
        site.held_or_gone(began)
    assert {asked.status for asked in callers.asked} <= {200, BAD[bad].status}


def test_a_candidate_that_closes_each_socket_with_1011_is_held_or_gone_within_a_minute(site: Site) -> None:
    with site.callers(sockets=PER_SECOND) as callers:
        site.release(SHORT)
        site.evidence()
        began = time.time()
        site.candidate.behaviour = replace(WELL, socket="closes 1011")
        until(lambda: any(asked.status == 1011 for asked in callers.opened))
        if site.engine == "nginx":
            # It sees no frame of a service known by its URL only, and that is what is said.
            assert "close_code" in site.status()["versions"][site.candidate.name]["not_measured"]
            assert f"unseen     {site.candidate.name}: not_measured" in site.up.huidu("status").stdout
            return
        assert "failed requests" in site.held_or_gone(began)
    bad = [line for line in site.lines() if line["version"] == site.candidate.name and line["close_code"] == 1011]
    assert bad
    assert {line["closed_by"] for line in bad} == {"service"}


@DEEP
def test_a_candidate_that_never_says_a_word_on_a_socket_is_held_or_gone_within_a_minute(site: Site) -> None:
    """Behind nginx a mute socket shows by its bytes."""
    with site.callers(sockets=PER_SECOND, socket_seconds=12.0) as callers:
        # What is mute is so after ten seconds: a stage shorter than that would not see any.
        site.release(SLOW)
        began = time.time()
        site.candidate.behaviour = replace(WELL, socket="mute")
        assert "failed requests" in site.held_or_gone(began)
    assert {asked.name for asked in callers.opened if asked.at > began + 1} == {site.stable, ""}


# ------------------------------------------------------------------ probes, no traffic, testers


@DEEP
def test_probes_beside_recognitions_hide_no_slow_candidate(site: Site) -> None:
    with site.callers(posts=PER_SECOND, probes=50) as callers:
        site.release(SHORT)
        site.evidence()
        began = time.time()
        site.candidate.behaviour = replace(WELL, before_seconds=WELL.before_seconds * 10)
        until(lambda: site.status()["stage"] is None, SEEN_SECONDS)
        site.figure("rolled back", began)
        last = site.up.releases()[0]
        assert (last["outcome"], last["guard"]) == ("rolled_back", "latency")
        site.gone(callers, began)
    assert callers.probed[200] > 50
    assert set(callers.probed) == {200}


def test_probes_alone_are_no_evidence_and_nothing_goes_on_without_any(site: Site) -> None:
    with site.callers(probes=50) as callers:
        site.release([{"share": "20%", "for": "2s"}, {"share": "100%", "for": "2s"}])
        began = time.time()
        until(lambda: site.status()["release"]["elapsed_seconds"] > 6, 30)
        found = site.status()
        assert found["stage"] == "share:2000"
        assert found["release"]["compared"]["stable"]["requests"] == 0
        assert sum(found["release"]["others"].values()) > 100
        assert "candidate: 0 of 100 recognitions, 0 of 3 users" in found["release"]["waits_for"]
        assert not site.went_forward(0)
        assert {guard["verdict"] for guard in found["guards"].values()} <= {"undecided", "not_measured"}
        site.figure("still in its first stage, which was to last 2 s,", began)
    assert set(callers.probed) == {200}


def test_a_candidate_that_is_dead_for_testers_ends_by_rule(site: Site) -> None:
    """Nobody but testers meets it: nothing can be compared."""
    site.release(TESTERS)
    with site.callers(posts=2, headers=(("cookie", "tester=1"),), users=3) as callers:
        until(lambda: any(asked.name == site.candidate.name for asked in callers.asked))
        assert {asked.name for asked in callers.asked} == {site.candidate.name}
        began = time.time()
        site.candidate.behaviour = Behaviour(status=500)
        until(lambda: site.status()["stage"] is None, 30)
        site.figure("ended", began)
        last = site.up.releases()[0]
        assert (last["outcome"], last["guard"]) == ("rolled_back", "included")
        until(lambda: [asked.name for asked in callers.asked[-3:]] == [site.stable] * 3)


@DEEP
def test_a_healthy_candidate_goes_through_beside_probes_after_all_that(site: Site) -> None:
    with site.callers(posts=PER_SECOND, probes=50) as callers:
        site.goes_through(callers)
    assert {asked.status for asked in callers.asked} == {200}


# ------------------------------------------------------------------ control is killed


@DEEP
def test_a_control_that_is_killed_while_the_candidate_fails_loses_nothing(site: Site) -> None:
    with site.callers(posts=PER_SECOND) as callers:
        site.release(SHORT)
        site.evidence()
        began = time.time()
        os.kill(site.up.control_pid(), signal.SIGKILL)
        site.candidate.behaviour = Behaviour(status=500)
        until(lambda: _quietly(lambda: site.status()["stage"] is None), GONE_SECONDS)
        site.figure("rolled back", began)
        assert site.up.releases()[0]["guard"] == "errors"
        site.gone(callers, began)


def _quietly(ask: Callable[[], Any]) -> Any:
    """None where control does not answer."""
    with suppress(httpx.HTTPError):
        return ask()
    return None
