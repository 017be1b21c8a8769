"""Real models that fail users of sockets: no status and, behind nginx, no frame shows it. Their instances say it.

Both candidates are the kit's stable model with its ONNX file changed: one fails on what users say, so that its
instance closes each socket with 1011, and one hears nothing in anything.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile
from broken_models import failing, silent
from callers import Callers
from fronts import require
from installation import running, until
from watching import SEEN_SECONDS, Watched

from huidu.demo.kit import read_kit, shipped

pytestmark = pytest.mark.deep

KIT = read_kit(shipped())
RATE_HZ = 16_000
CONFIG = f"""\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", engine: {{engine}}}}
control: {{listen: "127.0.0.1:{{control}}"}}
instances: {{listen: "127.0.0.1:{{instances}}"}}
admission: {{reserve: 50MB}}
versions:
  stable: {{model: {KIT.model(KIT.stable)}}}
  failing: {{model: {{folder}}/failing}}
  silent: {{model: {{folder}}/silent}}
stable: stable
plan: [{{share: 20%, for: 1m}}, {{share: 100%, for: 1m}}]
guards:
  errors: {{fail_above: +1pp, at_most: +20pp}}
  latency: {{fail_above: 20x, at_most: 30x}}
"""
PLAN: list[dict[str, Any]] = [
    {"share": "20%", "for": "40s", "at_least": 10},
    {"share": "50%", "for": "10m"},
    {"share": "100%", "for": "10m"},
]
START = json.dumps({"type": "start", "sample_rate_hz": RATE_HZ})


@dataclass
class Site(Watched):
    engine: str = "envoy"

    def rolled_back(self, began: float) -> None:
        """Control's own clip may hold it first: the sockets themselves roll it back."""
        self.held_or_gone(began)
        until(lambda: self.status()["stage"] is None, SEEN_SECONDS)
        self.figure("rolled back", began)
        assert time.time() - began < SEEN_SECONDS
        assert self.up.releases()[0]["guard"] == "errors"
        assert not self.went_forward(began)

    def reports(self, version: str) -> list[dict[str, Any]]:
        """What instances reported of sockets of a version."""
        with closing(sqlite3.connect(f"file:{self.up.folder}/data/history.db?mode=ro", uri=True)) as store:
            store.row_factory = sqlite3.Row
            found = store.execute("select * from socket_reports where version = ?", (version,))
            return [dict(row) for row in found]

    def lines(self, version: str) -> list[dict[str, Any]]:
        """The gateway's lines of sockets of a version."""
        lines = (self.up.folder / "data/logs/gateway.jsonl").read_text().splitlines(keepends=True)
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in found if line["version"] == version and line["kind"] == "socket"]


@pytest.fixture(scope="module", params=["envoy", "nginx"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    require(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    failing(KIT.model(KIT.stable), folder / "failing")
    silent(KIT.model(KIT.stable), folder / "silent")
    with running(folder, CONFIG.replace("{engine}", request.param).replace("{folder}", str(folder))) as up:
        yield Site(up, "stable", engine=request.param)


@pytest.fixture
def site(installed: Site) -> Iterator[Site]:
    installed.figures.clear()
    yield installed
    installed.end()
    print("\n   ", "; ".join(installed.figures))


def speech(seconds: float) -> bytes:
    """Sentences of the kit one after the other, as PCM; at least so many seconds."""
    parts: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    for clip in KIT.clips:
        samples, rate_hz = soundfile.read(clip.audio, dtype="int16")
        assert rate_hz == RATE_HZ
        parts.append(samples)
        if sum(map(len, parts)) >= seconds * RATE_HZ:
            break
    return np.concatenate(parts).astype("<i2").tobytes()


def test_an_engine_that_fails_on_each_socket_is_held_or_gone_within_a_minute(site: Site) -> None:
    # A sentence and the pause after it, which ends an utterance.
    audio = speech(1.5) + bytes(RATE_HZ * 2)
    with _speakers(site, sockets=10, socket_seconds=1.5, audio=audio) as callers:
        began = time.time()
        site.start("failing", PLAN)
        site.rolled_back(began)
    assert any(asked.status == 1011 for asked in callers.opened)
    closed = {(report["close_code"], report["closed_by"]) for report in site.reports("failing") if report["ended"]}
    assert (1011, "service") in closed
    if site.engine == "nginx":
        assert {line["close_code"] for line in site.lines("failing")} == {None}


def test_an_engine_that_hears_nothing_on_a_socket_is_held_or_gone_within_a_minute(site: Site) -> None:
    """It takes ten seconds of speech to know; these are sent within two."""
    with _speakers(site, sockets=4, socket_seconds=2.5, audio=speech(6)) as callers:
        began = time.time()
        site.start("silent", PLAN)
        site.rolled_back(began)
    assert callers.opened
    assert any(report["mute_speech_seconds"] > 10 for report in site.reports("silent"))
    assert not any(report["mute_speech_seconds"] > 10 for report in site.reports("stable"))


def _speakers(site: Site, **of: Any) -> Callers:
    return Callers(site.up.gateway, socket_path="/ws/stream-transcribe", start=START, **of)
