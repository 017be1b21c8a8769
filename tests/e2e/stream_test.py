"""A stream that moves at a roll back, through both gateways: what was said is heard once, and nothing is missing."""

import contextlib
import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from fronts import require
from installation import Installation, running, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from huidu.client import Final, Stream
from huidu.demo.kit import read_kit, shipped

KIT = read_kit(shipped())
RATE_HZ = 16_000
MINUTES = 5
# The same model twice: a move must change nothing of what is heard.
CONFIG = f"""\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", engine: {{engine}}, drain: move}}
control: {{listen: "127.0.0.1:{{control}}"}}
instances: {{listen: "127.0.0.1:{{instances}}"}}
admission: {{reserve: 50MB}}
versions:
  v1: {{model: {KIT.model(KIT.stable)}}}
  v2: {{model: {KIT.model(KIT.stable)}}}
stable: v1
audience:
  include: [{{cookie: tester}}]
plan:
  - {{share: 5%, for: 10m}}
  - {{share: 100%, for: 10m}}
guards:
  latency: {{fail_above: 20x, at_most: 30x}}
"""


@pytest.fixture(scope="module", params=["envoy", "nginx"])
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require(request.param)
    with running(tmp_path_factory.mktemp(request.param), CONFIG.replace("{engine}", request.param)) as found:
        yield found


@pytest.fixture(scope="module")
def recording() -> bytes:
    """Five minutes of kit sentences with pauses between them, as PCM."""
    pause = np.zeros(int(0.8 * RATE_HZ), dtype=np.int16)
    parts: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
    samples = 0
    for clip in KIT.clips:
        spoken, rate_hz = soundfile.read(clip.audio, dtype="int16")
        assert rate_hz == RATE_HZ
        parts += [spoken, pause]
        samples += len(spoken) + len(pause)
        if samples >= MINUTES * 60 * RATE_HZ:
            break
    return np.concatenate(parts).tobytes()


class Speaker:
    """Speaks a recording, and waits in the middle of it until told to go on."""

    def __init__(self, up: Installation, recording: bytes):
        self.half_said, self.go_on = threading.Event(), threading.Event()
        self.connections = 0
        self._pool = ThreadPoolExecutor(1)
        self._heard = self._pool.submit(self._speak, up, recording)

    def _speak(self, up: Installation, recording: bytes) -> list[Final]:
        url = f"{up.url.replace('http', 'ws', 1)}/ws/stream-transcribe"
        chunk = RATE_HZ // 5 * 2
        with Stream(url, sample_rate_hz=RATE_HZ, cookies={"tester": "1"}) as stream:
            for start in range(0, len(recording), chunk):
                if start >= len(recording) // 2 and not self.half_said.is_set():
                    self.half_said.set()
                    assert self.go_on.wait(60)
                stream.send(recording[start : start + chunk])
                self.connections = stream.connections
            finals = stream.finish()
            self.connections = stream.connections
        return finals

    def finals(self) -> list[Final]:
        found = self._heard.result(timeout=180)
        self._pool.shutdown()
        return found


def _spoken(up: Installation, recording: bytes) -> list[Final]:
    speaker = Speaker(up, recording)
    speaker.go_on.set()
    return speaker.finals()


def test_a_whole_recording_sent_at_once_is_slowed_and_heard(up: Installation, recording: bytes) -> None:
    """By a client that knows nothing of Huidu: it sends as fast as it may, and reads when all is sent."""
    url = f"{up.url.replace('http', 'ws', 1)}/ws/stream-transcribe"
    with connect(url, compression=None) as socket:
        socket.send(json.dumps({"type": "start", "sample_rate_hz": RATE_HZ}))
        for start in range(0, len(recording), 64_000):
            socket.send(recording[start : start + 64_000])
        socket.send(json.dumps({"type": "stop"}))
        messages = [json.loads(message) for message in socket]
    assert messages[-1]["type"] == "done"
    heard = [message["text"] for message in messages if message["type"] == "final" and message["text"]]
    assert heard == [final.text for final in _spoken(up, recording)]


def test_a_frame_that_is_far_too_large_is_closed_with_1009(up: Installation) -> None:
    url = f"{up.url.replace('http', 'ws', 1)}/ws/stream-transcribe"
    with connect(url, compression=None) as socket:
        socket.send(json.dumps({"type": "start", "sample_rate_hz": RATE_HZ}))
        assert json.loads(socket.recv())["type"] == "started"
        with contextlib.suppress(ConnectionClosed):
            socket.send(bytes(20_000_000))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("control", ["answers", "stopped"])
def test_a_stream_that_moves_at_a_roll_back_is_heard_as_one_that_does_not(
    up: Installation, recording: bytes, control: str
) -> None:
    alone = _spoken(up, recording)
    assert {final.version for final in alone} == {"v1"}
    assert len(alone) > 50
    up.release_into("v2", "share:500")
    speaker = Speaker(up, recording)
    assert speaker.half_said.wait(120)
    pid = up.control_pid()
    if control == "stopped":
        os.kill(pid, signal.SIGSTOP)
    try:
        done = up.huidu("rollback", "--json")
        assert done.returncode == 0, done.stderr
        speaker.go_on.set()
        moved = speaker.finals()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert speaker.connections == 2
    versions = [final.version for final in moved]
    assert versions == sorted(versions, reverse=True)
    assert set(versions) == {"v1", "v2"}
    assert [(final.text, final.start_sample, final.end_sample) for final in moved] == [
        (final.text, final.start_sample, final.end_sample) for final in alone
    ]
    until(lambda: up.status()["control"] == "answers" and "v2" not in up.status()["versions"])
    rows = [line for line in _history(up) if line[0] == "stream"]
    assert sum(audio_seconds for _, audio_seconds in rows) == pytest.approx(2 * len(recording) / 2 / RATE_HZ, rel=0.01)


def _history(up: Installation) -> list[tuple[str, float]]:
    """Rows of the last two streams: file name and seconds of audio."""
    with sqlite3.connect(up.folder / "data/history.db") as database:
        rows: list[tuple[str, float]] = database.execute(
            "select filename, audio_seconds from recognition_history where filename = 'stream' order by id"
        ).fetchall()
    return rows[-3:]


def test_a_stream_finishes_where_it_is_when_a_release_goes_forward(up: Installation, recording: bytes) -> None:
    short = recording[: RATE_HZ * 2 * 30]
    up.release_into("v2", "share:500")
    speaker = Speaker(up, short)
    assert speaker.half_said.wait(60)
    assert up.huidu("promote", "--reason", "measured").returncode == 0
    until(lambda: up.status()["stage"] == "bake")
    speaker.go_on.set()
    assert {final.version for final in speaker.finals()} == {"v2"}
    assert speaker.connections == 1
    assert up.huidu("rollback").returncode == 0
    until(lambda: "v2" not in up.status()["versions"])
