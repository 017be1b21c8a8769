import asyncio
import contextlib
import hashlib
import json
import logging
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from huidu.adapters.audio.soundfile_reader import SoundfileReader
from huidu.cli.serve import listen, server_config
from huidu.core.errors import UnavailableError
from huidu.core.sockets import SocketReport
from huidu.ports import Audio, Recognition
from huidu.recognition.app import create_app
from huidu.recognition.app_test import INFO, ListHistory, until
from huidu.recognition.pieces import join
from huidu.recognition.stream import PATH, StreamLimits, _Inbox
from huidu.recognition.transcribe import Limits, Service
from huidu.recognition.utterances_test import noise

RATE_HZ = 8_000
# Three utterances with pauses between them.
SPOKEN = noise((0.5, -120), (1.5, -20), (1.0, -120), (2.5, -25), (0.8, -60), (1.2, -15), (0.2, -120)).tobytes()
SPEECH = noise((3.0, -20)).tobytes()
SILENCE = bytes(RATE_HZ)


class ListeningEngine:
    """The text names exactly the samples that were heard, unless it is `deaf`. Waits for its `gate`."""

    name = "listening"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.error: Exception | None = None
        self.deaf = False

    def transcribe(self, audio: Audio, hotwords: Sequence[str] = ()) -> str:
        self.entered.release()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.deaf:
            return ""
        pcm = (audio.samples * 32768).astype("<i2").tobytes()
        return " ".join([f"{len(audio.samples)}:{zlib.crc32(pcm):08x}", *hotwords])


class ListSockets:
    """`ports.Sockets` in a list, enough for these tests."""

    def __init__(self) -> None:
        self.reports: list[SocketReport] = []
        self.forgot_before: list[float] = []
        self.on_report: Callable[[SocketReport], None] = lambda report: None

    def report(self, report: SocketReport) -> None:
        self.on_report(report)
        self.reports.append(report)

    def forget(self, before: float) -> int:
        self.forgot_before.append(before)
        return 0

    def after(self, last_id: int, limit: int) -> list[SocketReport]:
        raise NotImplementedError

    def newest_id(self) -> int:
        raise NotImplementedError


@dataclass
class Served:
    """An instance with real sockets."""

    port: int
    engine: ListeningEngine
    history: ListHistory
    sockets: ListSockets

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"

    def open(self, **headers: str) -> ClientConnection:
        return connect(self.url, additional_headers=headers, compression=None, close_timeout=2)

    def drain(self, **headers: str) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}/api/v1/drain", json={"streams": "move"}, headers=headers)

    @property
    def streams(self) -> int:
        return int(httpx.get(f"http://127.0.0.1:{self.port}/api/v1/drain").json()["streams"])

    @property
    def rows(self) -> list[Recognition]:
        return [row for row in self.history.rows if row.filename == "stream"]


@contextmanager
def uvicorn_running(app: Any) -> Iterator[tuple[int, uvicorn.Server]]:
    """An application served as `huidu serve` does it, and its port."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(server_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving(
    limits: StreamLimits = StreamLimits(), ready: bool = True, version: str = "v1", service_limits: Limits = Limits()
) -> Iterator[Served]:
    engine, history, sockets, load = ListeningEngine(), ListHistory(), ListSockets(), threading.Event()
    if ready:
        load.set()

    def loaded() -> ListeningEngine:
        load.wait()
        return engine

    info = type(INFO)(version, *[getattr(INFO, name) for name in INFO.__slots__[1:]])
    service = Service(loaded, SoundfileReader(), history, info, service_limits, ("版本",))
    try:
        with uvicorn_running(create_app(service, history, info, service_limits, limits, sockets)) as (port, _):
            served = Served(port, engine, history, sockets)
            if ready:
                until(lambda: _is_ready(port))
            # What warming up left is no part of any test.
            while engine.entered.acquire(blocking=False):
                pass
            yield served
    finally:
        load.set()
        engine.gate.set()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def begin(socket: ClientConnection, **more: Any) -> dict[str, Any]:
    socket.send(json.dumps({"type": "start", "sample_rate_hz": RATE_HZ, **more}))
    return message(socket)


def message(socket: ClientConnection) -> dict[str, Any]:
    said = json.loads(socket.recv(timeout=30))
    assert isinstance(said, dict)
    return said


def to_the_end(socket: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """All messages but partial ones, and with which code and reason the socket was closed."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            one = message(socket)
        except ConnectionClosed as error:
            return found, error.rcvd.code if error.rcvd else 1006, error.rcvd.reason if error.rcvd else ""
        if one["type"] != "partial":
            found.append(one)


def finals(served: Served, audio: bytes, chunk_bytes: int = 1600, **start: Any) -> list[dict[str, Any]]:
    """The final results of a whole stream."""
    with served.open() as socket:
        begin(socket, **start)
        for first in range(0, len(audio), chunk_bytes):
            socket.send(audio[first : first + chunk_bytes])
        socket.send('{"type": "stop"}')
        found, code, _ = to_the_end(socket)
    assert (code, found[-1]["type"]) == (1000, "done")
    assert {one["type"] for one in found[:-1]} <= {"final"}
    return found[:-1]


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the server and the service log; uvicorn keeps its own from everybody else."""
    caplog.set_level(logging.CRITICAL, "websockets.client")  # the tests' own side
    logger = logging.getLogger("uvicorn")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


# What a good stream gives


def test_each_utterance_gives_a_final_result_with_its_place(shared: Served) -> None:
    found = finals(shared, SPOKEN)
    assert [(one["start_seconds"], one["end_seconds"]) for one in found] == [(0.4, 2.24), (2.9, 5.74), (6.2, 7.7)]
    for one in found:
        heard = SPOKEN[2 * one["start_sample"] : 2 * one["end_sample"]]
        assert one["text"] == f"{len(heard) // 2}:{zlib.crc32(heard):08x} 版本"
        assert one["start_seconds"] == one["start_sample"] / RATE_HZ


@pytest.mark.parametrize("chunk_bytes", [1, 333, 1_601, 50_000, 1_000_000])
def test_how_the_audio_is_cut_into_messages_makes_no_difference(shared: Served, chunk_bytes: int) -> None:
    audio = SPOKEN[-20_000:] if chunk_bytes == 1 else SPOKEN
    assert finals(shared, audio, chunk_bytes) == finals(shared, audio)


def test_a_stream_that_goes_on_in_another_connection_gives_the_same(shared: Served) -> None:
    whole = finals(shared, SPOKEN)
    for index, one in enumerate(whole):
        end = one["end_sample"]
        rest = [final["text"] for final in finals(shared, SPOKEN[2 * end :])]
        assert rest == [final["text"] for final in whole[index + 1 :]]


def test_partial_results_come_while_somebody_speaks(shared: Served) -> None:
    with shared.open() as socket:
        begin(socket)
        socket.send(SPEECH)
        partial = message(socket)
    assert (partial["type"], partial["start_sample"]) == ("partial", 0)
    assert partial["text"].startswith(f"{partial['end_sample']}:")


def test_start_is_answered_with_version_and_request_id(shared: Served) -> None:
    with shared.open(**{"x-request-id": "r-1"}) as socket:
        assert begin(socket) == {"type": "started", "version": "v1", "request_id": "r-1"}
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == "r-1"
        assert socket.response.headers["x-huidu-version"] == "v1"
    metrics = httpx.get(f"http://127.0.0.1:{shared.port}/metrics").text
    assert 'huidu_requests_total{face="stream",status="101"}' in metrics


def test_a_stream_leaves_one_row(shared: Served) -> None:
    headers = {"x-request-id": "r-2", "x-huidu-release": "5", "x-huidu-rule": "share", "x-huidu-unit": "0" * 16}
    with shared.open(**headers) as socket:
        begin(socket, language="zh", hotwords=["灰度", " 发布 "], itn=True)
        socket.send(SPOKEN)
        socket.send('{"type": "stop"}')
        found, _, _ = to_the_end(socket)
    [row] = [row for row in shared.rows if row.request_id == "r-2"]
    assert row.raw_text == join([one["text"] for one in found[:-1]])
    assert row.raw_text.endswith("版本 灰度 发布")
    assert (row.release_id, row.rule, row.unit, row.language, row.hotwords) == (
        5,
        "share",
        "0" * 16,
        "zh",
        "灰度\n发布",
    )
    assert (row.version, row.status, row.answered, row.error, row.purpose) == ("v1", "done", True, None, "live")
    assert row.audio_seconds == len(SPOKEN) / 2 / RATE_HZ
    assert row.audio_sha256 == hashlib.sha256(SPOKEN).hexdigest()
    assert row.decode_ms > 0


@pytest.mark.parametrize("audio", [b"", b"\1", SILENCE])
def test_a_stream_of_nothing_gives_nothing(shared: Served, audio: bytes) -> None:
    assert [one["text"] for one in finals(shared, audio)] in ([], [""])
    assert shared.rows[-1].raw_text == ""


def test_a_long_silence_is_done_with_by_empty_results(shared: Served) -> None:
    found = finals(shared, SILENCE * 24)
    assert [(one["text"], one["end_seconds"]) for one in found] == [("", 4.5), ("", 9.0), ("", 12.0)]


# What goes wrong

START = json.dumps({"type": "start", "sample_rate_hz": RATE_HZ})
STOP = '{"type": "stop"}'
BAD: dict[str, tuple[list[str | bytes], str]] = {
    "audio first": ([SPEECH], "audio came before the start message"),
    "no json": (["hello"], "is not JSON"),
    "no object": (["[1]"], "accepted: start"),
    "no type": (["{}"], "accepted: start"),
    "deep json": (["[" * 5_000], "is not JSON"),
    "stop first": ([STOP], "accepted: start"),
    "no rate": (['{"type": "start"}'], "sample_rate_hz: Field required"),
    "low rate": (['{"type": "start", "sample_rate_hz": 100}'], "sample_rate_hz"),
    "text rate": (['{"type": "start", "sample_rate_hz": "16000"}'], "sample_rate_hz"),
    "bad language": (['{"type": "start", "sample_rate_hz": 8000, "language": "中文 please"}'], "language"),
    "bad hotwords": (['{"type": "start", "sample_rate_hz": 8000, "hotwords": [1]}'], "hotwords"),
    "start twice": ([START, START], "accepted: audio and stop"),
    "text for audio": ([START, "AAAA"], "accepted: start and stop as JSON, audio as binary"),
    "unknown message": ([START, '{"type": "pause"}'], "'pause' is not accepted now"),
    "audio after stop": ([START, SPEECH, STOP, SPEECH], "audio came after stop"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_stream_is_refused_in_one_line(shared: Served, kind: str, quiet: pytest.LogCaptureFixture) -> None:
    sent, wanted = BAD[kind]
    shared.engine.gate.clear()  # so that all of it comes before anything is finished
    try:
        with shared.open() as socket:
            for one in sent:
                socket.send(one)
            found, code, _ = to_the_end(socket)
    finally:
        shared.engine.gate.set()
    assert (found[-1]["type"], found[-1]["error"], code) == ("error", "invalid", 1008)
    assert wanted in found[-1]["detail"]
    assert "\n" not in found[-1]["detail"]
    assert quiet.text == ""


@given(texts=st.lists(st.one_of(st.text(max_size=50), st.binary(max_size=50)), min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_random_messages_are_never_an_internal_error(
    shared: Served, texts: list[str | bytes], quiet: pytest.LogCaptureFixture
) -> None:
    with shared.open() as socket:
        for one in texts:
            try:
                socket.send(one)
            except ConnectionClosed:
                break
        found, code, _ = to_the_end(socket)
    assert (found[-1]["error"], code) == ("invalid", 1008)
    assert quiet.text == ""


def test_a_message_over_the_limit_closes_the_stream_alone(shared: Served, quiet: pytest.LogCaptureFixture) -> None:
    with shared.open() as socket:
        begin(socket)
        with contextlib.suppress(ConnectionClosed):
            socket.send(bytes(20_000_000))
        assert to_the_end(socket)[1] == 1009
    until(lambda: shared.streams == 0)
    assert "Traceback" not in quiet.text
    assert finals(shared, SPEECH)


def test_who_says_nothing_is_not_waited_for_long() -> None:
    with serving(StreamLimits(start_seconds=0.1, idle_seconds=0.2)) as served:
        with served.open() as socket:
            found, code, _ = to_the_end(socket)
        assert found[-1]["detail"] == "nothing came for 0.1 s; accepted: a start message within that"
        with served.open() as socket:
            begin(socket)
            found, code, _ = to_the_end(socket)
        assert found[-1]["detail"] == "nothing came for 0.2 s; accepted: audio, or stop within that"
        assert (code, served.streams) == (1008, 0)


def test_audio_that_comes_too_fast_is_slowed_and_recognised_all_the_same() -> None:
    audio = SPOKEN * 40
    with serving(StreamLimits(queue_seconds=5)) as served, ThreadPoolExecutor(1) as pool:
        served.engine.gate.clear()
        sent = pool.submit(finals, served, audio, 32_000)
        assert served.engine.entered.acquire(timeout=30)
        with contextlib.suppress(TimeoutError):
            sent.result(0.3)
        served.engine.gate.set()
        found = sent.result(60)
    assert found[-1]["end_sample"] == len(audio) // 2
    assert len([one for one in found if one["text"]]) == 3 * 40


def test_no_more_audio_waits_in_memory_than_is_allowed() -> None:
    inbox = _Inbox(StreamLimits(queue_seconds=1))
    start: list[Message] = [
        {"type": "websocket.receive", "text": json.dumps({"type": "start", "sample_rate_hz": RATE_HZ})}
    ]

    async def receive() -> Message:
        return start.pop() if start else {"type": "websocket.receive", "bytes": bytes(1600)}

    async def most_that_waits() -> int:
        filling = asyncio.create_task(inbox.fill(receive))
        most = 0
        for _ in range(50):
            for _ in range(20):
                await asyncio.sleep(0)
            most = max(most, len(inbox.audio))
            inbox.take_audio(4_000)
        filling.cancel()
        return most

    assert 2 * RATE_HZ <= asyncio.run(most_that_waits()) < 2 * RATE_HZ + 1600


def test_a_stream_of_which_nothing_is_recognised_any_more_ends() -> None:
    with serving(StreamLimits(queue_seconds=5, stall_seconds=0.2)) as served, served.open() as socket:
        begin(socket)
        served.engine.gate.clear()
        for _ in range(12):
            socket.send(SPEECH)
        found, code, _ = to_the_end(socket)
        assert (found[-1]["error"], code) == ("unavailable", 1013)
        assert found[-1]["detail"] == (
            "5 s of audio wait, and nothing was recognised of them for 0.2 s; come again later"
        )
        assert [row.status for row in served.rows] == ["error"]


def test_streams_over_the_limit_are_refused_before_they_open() -> None:
    with serving(StreamLimits(max_streams=1)) as served, served.open() as first:
        begin(first)
        with pytest.raises(InvalidStatus) as refused, served.open():
            pass
        answer = refused.value.response
        assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-huidu-version"]) == (
            503,
            "1",
            "v1",
        )
        assert (
            json.loads(answer.body or b"")["detail"]
            == "no more than 1 streams are accepted at a time; come again in a second"
        )
        first.close()
        until(lambda: served.streams == 0)
        assert finals(served, SPEECH)


def test_no_stream_opens_until_the_service_is_ready() -> None:
    with serving(ready=False) as served:
        until(lambda: httpx.get(f"http://127.0.0.1:{served.port}/healthz").status_code == 200)
        with pytest.raises(InvalidStatus, match="503"), served.open():
            pass


def test_who_leaves_leaves_a_row_of_what_was_answered(shared: Served, quiet: pytest.LogCaptureFixture) -> None:
    before = len(shared.rows)
    with shared.open() as socket:
        begin(socket)
        socket.send(SPOKEN)
        while message(socket)["type"] != "final":
            pass
        # Not even a goodbye.
        socket.socket.close()
    until(lambda: len(shared.rows) > before and shared.streams == 0)
    row = shared.rows[-1]
    assert (row.status, row.answered, row.error) == ("done", True, None)
    assert row.raw_text
    assert "Traceback" not in quiet.text


@pytest.mark.parametrize(
    ("error", "family"), [(UnavailableError("the device is gone"), "unavailable"), (ZeroDivisionError("x"), "internal")]
)
def test_a_failing_engine_ends_the_stream_and_is_in_the_history(error: Exception, family: str) -> None:
    with serving() as served, served.open() as socket:
        served.engine.error = error
        begin(socket)
        socket.send(SPOKEN)
        found, code, _ = to_the_end(socket)
        assert (found[-1]["error"], code) == (family, 1011)
        assert ("the log knows it as" in found[-1]["detail"]) == (family == "internal")
        [row] = served.rows
        assert (row.status, row.answered, row.raw_text, row.error) == ("error", False, "", found[-1]["detail"])


def test_the_end_of_a_stream_says_how_it_is_kept() -> None:
    with serving() as served, served.open() as socket:

        def full(row: Recognition) -> None:
            raise UnavailableError("the store cannot do it now: disk full")

        served.history.on_add = full
        begin(socket)
        socket.send(STOP)
        found, code, _ = to_the_end(socket)
    assert (found, code) == ([{"type": "done", "recorded": "no"}], 1000)


def test_a_server_that_stops_ends_its_streams_and_keeps_their_rows() -> None:
    with serving() as served:
        socket = connect(served.url, compression=None).__enter__()
        begin(socket)
        socket.send(SPOKEN)
        while message(socket)["type"] != "final":
            pass
    assert to_the_end(socket)[1] == 1012
    socket.close()
    assert [row.status for row in served.rows] == ["done"]


# Moving


def test_who_speaks_is_moved_at_the_next_pause(shared: Served) -> None:
    with shared.open() as socket:
        begin(socket)
        socket.send(SPEECH)
        assert message(socket)["type"] == "partial"
        assert shared.drain().json() == {"streams": 1}
        # More than a pause: what comes after the boundary is not answered here any more.
        socket.send(SILENCE + SPOKEN)
        found, code, reason = to_the_end(socket)
    assert [(one["type"], one["end_seconds"]) for one in found] == [("final", 3.24)]
    assert (code, reason) == (4012, "moved: connect again")
    row = shared.rows[-1]
    assert (row.status, row.audio_seconds, row.raw_text) == ("done", 3.24, found[0]["text"])


def test_who_is_silent_is_moved_at_once(shared: Served) -> None:
    with shared.open() as silent, shared.open() as fresh:
        begin(silent)
        silent.send(SILENCE)
        until(lambda: shared.streams == 2)
        assert shared.drain().json() == {"streams": 2}
        for socket in (silent, fresh):
            assert to_the_end(socket) == ([], 4012, "moved: connect again")


def test_who_comes_later_is_not_moved(shared: Served) -> None:
    with shared.open() as socket:
        begin(socket)
        shared.drain()
        assert to_the_end(socket)[1] == 4012
    assert len(finals(shared, SPOKEN)) == 3


def test_who_has_stopped_is_finished_and_not_moved(shared: Served) -> None:
    shared.engine.gate.clear()
    with shared.open() as socket:
        begin(socket)
        socket.send(SPOKEN)
        socket.send(STOP)
        # Its answer says that the server has read all before it.
        assert socket.ping().wait(30)
        assert shared.drain().json() == {"streams": 1}
        shared.engine.gate.set()
        found, code, _ = to_the_end(socket)
    assert (len(found), code) == (4, 1000)


def test_who_stops_sending_in_the_middle_of_a_word_is_moved_in_time() -> None:
    with serving(StreamLimits(move_seconds=0.2)) as served, served.open() as socket:
        begin(socket)
        socket.send(SPEECH)
        assert message(socket)["type"] == "partial"
        served.drain()
        assert to_the_end(socket)[:2] == ([], 4012)


def test_who_never_pauses_is_moved_at_the_limit_of_an_utterance(shared: Served) -> None:
    with shared.open() as socket:
        begin(socket)
        socket.send(SPEECH)
        assert message(socket)["type"] == "partial"
        shared.drain()
        for _ in range(9):
            socket.send(SPEECH)
        found, code, _ = to_the_end(socket)
    assert (len(found), code) == (1, 4012)
    assert 20 <= found[0]["end_seconds"] <= 25


@pytest.mark.parametrize("mark", ["x-huidu-unit", "x-forwarded-for"])
def test_a_drain_is_refused_to_whom_a_gateway_brings(shared: Served, mark: str) -> None:
    assert shared.drain(**{mark: "0" * 16}).status_code == 403


def test_a_drain_says_what_it_accepts(shared: Served) -> None:
    answer = httpx.post(f"http://127.0.0.1:{shared.port}/api/v1/drain", json={"streams": "kill"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert "move" in answer.json()["detail"]


def test_many_streams_at_once_get_their_own_texts(shared: Served) -> None:
    takes = [noise((0.5 + take / 10, -20), (1.0, -120), (1.0, -20)).tobytes() for take in range(12)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda audio: finals(shared, audio), takes))
    for audio, one in zip(takes, found, strict=True):
        assert one == finals(shared, audio)
    until(lambda: shared.streams == 0)
