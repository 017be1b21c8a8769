import csv
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from websockets.sync.server import ServerConnection, serve

import huidu.demo
from huidu import wire
from huidu.adapters.engines.sherpa import SherpaEngine
from huidu.cli.serve import listen
from huidu.client import Final, Partial, Stream, StreamError
from huidu.core.version import Version
from huidu.ports import Audio
from huidu.recognition.app_test import until
from huidu.recognition.stream import PATH, StreamLimits
from huidu.recognition.stream_test import RATE_HZ, SILENCE, SPEECH, SPOKEN, Served, serving, uvicorn_running
from huidu.recognition.transcribe import Limits
from huidu.recognition.utterances_test import noise

KIT = Path(huidu.demo.__file__).parent / "kit"
FAST: dict[str, Any] = {"sample_rate_hz": RATE_HZ, "first_pause_s": 0.01}


class Switch:
    """A TCP proxy whose target can be changed for later connections, and which can cut those that are open."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = listen("127.0.0.1", 0)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}{PATH}"

    def cut(self) -> None:
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads[1:]:
            thread.join()
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=_pump, args=(one, other)))
                self._threads[-1].start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@contextmanager
def switch(port: int) -> Iterator[Switch]:
    made = Switch(port)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def first() -> Iterator[Served]:
    with serving(version="v1") as served:
        yield served


@pytest.fixture(scope="module")
def second() -> Iterator[Served]:
    with serving(version="v2") as served:
        yield served


def heard(served: Served, audio: bytes) -> list[Final]:
    """What a stream gives that nothing happens to."""
    with Stream(served.url, **FAST) as stream:
        stream.send(audio)
        return stream.finish(30)


def said(results: list[Final]) -> list[tuple[str, int, int]]:
    return [(one.text, one.start_sample, one.end_sample) for one in results]


# What a good stream gives


def test_every_utterance_comes_with_its_place_and_version(first: Served) -> None:
    results = heard(first, SPOKEN)
    assert [(one.start_seconds, one.end_seconds) for one in results] == [(0.4, 2.24), (2.9, 5.74), (6.2, 7.7)]
    assert {one.version for one in results} == {"v1"}


def test_results_can_be_read_while_another_thread_sends(first: Served) -> None:
    partials: list[Partial] = []
    with Stream(first.url, **FAST, on_partial=partials.append) as stream:
        stream.send(SPEECH)
        results = stream.results()
        assert isinstance(next(results), Partial)

        def send_the_rest() -> None:
            stream.send(SILENCE + SPEECH)
            stream.finish(30)

        sender = threading.Thread(target=send_the_rest)
        sender.start()
        finals = [one for one in results if isinstance(one, Final)]
        sender.join()
        assert finals == stream.finish() == [one for one in stream.results() if isinstance(one, Final)]
    assert len(finals) == 2
    assert partials


def test_more_audio_than_the_window_holds_is_sent_as_fast_as_it_is_recognised(first: Served) -> None:
    with Stream(first.url, **FAST, window_s=30) as stream:
        for _ in range(40):
            stream.send(SPEECH)
        results = stream.finish(60)
    assert [one.start_sample for one in results[1:]] == [one.end_sample for one in results[:-1]]
    assert results[-1].end_sample == 40 * len(SPEECH) // 2


def test_silence_gives_no_results_and_is_not_kept(first: Served) -> None:
    with Stream(first.url, **FAST, window_s=30) as stream:
        stream.send(SILENCE * 100)
        assert stream.finish(30) == []


def test_language_and_hotwords_reach_the_service(first: Served) -> None:
    with Stream(first.url, **FAST, language="zh", hotwords=["灰度", "发布"], headers={"x-request-id": "c-1"}) as stream:
        assert stream.ignored == ("hotwords", "language")
        stream.send(SPOKEN)
        assert stream.finish(30)[0].text.endswith("灰度 发布")
    [row] = [row for row in first.rows if row.request_id == "c-1"]
    assert (row.language, row.hotwords) == ("zh", "灰度\n发布")


# Moves and failures


def test_a_move_in_the_middle_of_speech_changes_no_word(first: Served, second: Served) -> None:
    expected = heard(first, SPOKEN)
    with switch(first.port) as middle, Stream(middle.url, **FAST) as stream:
        results = stream.results()
        stream.send(SPOKEN[: 2 * 4 * RATE_HZ])
        while not (isinstance(one := next(results), Partial) and one.start_sample > 2 * RATE_HZ):
            pass
        middle.target = second.port
        assert first.drain().json() == {"streams": 1}
        stream.send(SPOKEN[2 * 4 * RATE_HZ :])
        until(lambda: stream.version == "v2")
        found = stream.finish(30)
    assert said(found) == said(expected)
    assert [one.version for one in found] == ["v1", "v1", "v2"]
    assert stream.connections == 2
    parts = [served.rows[-1] for served in (first, second)]
    assert [row.version for row in parts] == ["v1", "v2"]
    assert sum(row.audio_seconds for row in parts) == len(SPOKEN) / 2 / RATE_HZ


def test_several_moves_in_a_row_change_nothing(first: Served, second: Served) -> None:
    expected = heard(first, SPOKEN)
    with switch(first.port) as middle, Stream(middle.url, **FAST, tries=1) as stream:
        for turn, begin in enumerate(range(0, len(SPOKEN), RATE_HZ)):
            stream.send(SPOKEN[begin : begin + RATE_HZ])
            here, other = (first, second) if turn % 2 == 0 else (second, first)
            middle.target = other.port
            here.drain()
        assert said(stream.finish(30)) == said(expected)
    assert stream.connections > 3


def test_a_move_in_silence_happens_at_once(first: Served, second: Served) -> None:
    with switch(first.port) as middle, Stream(middle.url, **FAST) as stream:
        stream.send(SILENCE)
        middle.target = second.port
        first.drain()
        until(lambda: stream.version == "v2")
        assert first.streams == 0
        stream.send(SPOKEN)
        assert said(stream.finish(30)) == said(heard(first, SILENCE + SPOKEN))


def test_a_connection_that_is_cut_is_replaced(first: Served, second: Served) -> None:
    expected = heard(first, SPOKEN)
    with switch(first.port) as middle, Stream(middle.url, **FAST) as stream:
        results = stream.results()
        stream.send(SPOKEN[: 2 * 4 * RATE_HZ])
        while not isinstance(next(results), Final):
            pass
        middle.target = second.port
        middle.cut()
        until(lambda: stream.version == "v2")
        stream.send(SPOKEN[2 * 4 * RATE_HZ :])
        assert said(stream.finish(30)) == said(expected)


@given(places=st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=4), chunk=st.integers(500, 40_000))
@settings(deadline=None, max_examples=15)
def test_whatever_happens_to_connections_nothing_is_lost_or_doubled(
    first: Served, second: Served, places: list[tuple[float, bool]], chunk: int
) -> None:
    audio = noise((0.7, -20), (0.8, -120), (1.0, -25), (0.3, -120), (0.9, -15), (1.0, -60), (0.4, -20)).tobytes()
    happens = sorted((int(place * len(audio)), cut) for place, cut in places)
    with switch(first.port) as middle, Stream(middle.url, **FAST, tries=20) as stream:
        for begin in range(0, len(audio), chunk):
            stream.send(audio[begin : begin + chunk])
            while happens and happens[0][0] < begin + chunk:
                _, cut = happens.pop(0)
                middle.target = second.port if middle.target == first.port else first.port
                if cut:
                    middle.cut()
                else:
                    first.drain()
                    second.drain()
        assert said(stream.finish(60)) == said(heard(first, audio))


def test_a_service_that_is_overloaded_is_asked_again(second: Served) -> None:
    with serving(StreamLimits(queue_seconds=6, stall_seconds=0.2)) as small:
        expected = heard(second, SPOKEN)
        with switch(small.port) as middle, Stream(middle.url, **FAST) as stream:
            small.engine.gate.clear()
            stream.send(SPOKEN)
            small.engine.entered.acquire(timeout=30)
            middle.target = second.port
            stream.send(SPOKEN)
            until(lambda: stream.version == "v2")
            found = stream.finish(30)
            small.engine.gate.set()
        assert said(found)[:2] == said(expected)[:2]
        assert {one.version for one in found} == {"v2"}


def test_who_finds_nobody_again_gives_up_in_one_line(first: Served) -> None:
    with switch(first.port) as middle, Stream(middle.url, **FAST, tries=3) as stream:
        with listen("127.0.0.1", 0) as closed:
            middle.target = closed.getsockname()[1]
        middle.cut()
        with pytest.raises(StreamError, match="lost and 3 connections in a row failed"):
            stream.finish(30)
        with pytest.raises(StreamError, match="in a row failed"):
            list(stream.results())
        with pytest.raises(StreamError, match="in a row failed"):
            stream.send(SILENCE)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://127.0.0.1/x", "is no address; accepted: ws://HOST:PORT/ws/stream-transcribe"),
        ("ws://127.0.0.1:1/ws/stream-transcribe", "no stream to ws://127.0.0.1:1"),
        ("ws://127.0.0.1:{port}/other", "answered with status 404; accepted: the address"),
    ],
)
def test_a_wrong_address_is_told_at_once(first: Served, url: str, wanted: str) -> None:
    with pytest.raises(StreamError, match=wanted) as raised, Stream(url.format(port=first.port)):
        pass
    assert "\n" not in str(raised.value)


def test_what_the_service_refuses_is_told_in_its_words(first: Served) -> None:
    with pytest.raises(StreamError, match="language: String should match"), Stream(first.url, language="中文"):
        pass


def test_wrong_use_is_refused(first: Served) -> None:
    with pytest.raises(StreamError, match="accepted: 8000 to 48000"):
        Stream(first.url, 100)
    with pytest.raises(StreamError, match="accepted: 30 or more"):
        Stream(first.url, window_s=10)
    with pytest.raises(StreamError, match="not open"):
        Stream(first.url).send(SILENCE)
    with Stream(first.url, **FAST) as stream:
        stream.finish(30)
        with pytest.raises(StreamError, match="after finish"):
            stream.send(SILENCE)


def test_leaving_without_finish_gives_up(first: Served) -> None:
    with Stream(first.url, **FAST) as stream:
        stream.send(SPEECH)
    with pytest.raises(StreamError, match="closed before it was finished"):
        stream.finish()
    until(lambda: first.streams == 0)


def test_what_on_partial_raises_is_told(first: Served) -> None:
    def broken(partial: Partial) -> None:
        raise ValueError("oops")

    with Stream(first.url, **FAST, on_partial=broken) as stream:
        stream.send(SPEECH)
        with pytest.raises(StreamError, match="on_partial raised ValueError: oops"):
            list(stream.results())


@pytest.mark.parametrize(
    "answer",
    [
        "no json",
        "[]",
        '{"type": "final"}',
        '{"type": "final", "text": "x", "start_sample": 0, "end_sample": 99}',
        '{"type": "final", "text": "x", "start_sample": -5, "end_sample": 0}',
    ],
)
def test_nonsense_from_a_server_is_told(answer: str) -> None:
    def nonsense(connection: ServerConnection) -> None:
        connection.recv()
        connection.send('{"type": "started", "version": "v1", "request_id": "r"}')
        connection.send(answer)
        with suppress(Exception):
            connection.recv()

    with serve(nonsense, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with (
                Stream(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/") as stream,
                pytest.raises(StreamError, match="which is no message of a stream"),
            ):
                stream.finish(30)
        finally:
            server.shutdown()
            thread.join()


def test_cookies_of_the_server_come_back_to_it() -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Mints a cookie, and moves the first stream away at once."""
        if scope["type"] != "websocket":
            return
        seen.append(scope["headers"])
        await receive()
        cookies = [(b"set-cookie", b"huidu_uid=u-1; Path=/; Max-Age=100; HttpOnly")]
        await send({"type": "websocket.accept", "headers": cookies})
        await receive()
        answers: list[Message] = [{"type": "websocket.send", "text": '{"type": "started", "version": "v1"}'}]
        if len(seen) == 1:
            answers.append({"type": "websocket.close", "code": 4012, "reason": "moved: connect again"})
        else:
            answers.append({"type": "websocket.send", "text": '{"type": "done"}'})
        for answer in answers:
            await send(answer)

    headers = {"Cookie": "a=1; b=2", "X-Request-Id": "r-1", "Authorization": "Bearer x"}
    with (
        uvicorn_running(app) as (port, _),
        Stream(f"ws://127.0.0.1:{port}{PATH}", headers=headers, cookies={"b": "3"}) as stream,
    ):
        assert stream.finish(30) == []
        assert stream.cookies == {"a": "1", "b": "3", "huidu_uid": "u-1"}
    first, second = ({name.decode(): value.decode() for name, value in headers} for headers in seen)
    assert (first["cookie"], first["x-request-id"]) == ("a=1; b=3", "r-1")
    assert (second["cookie"], second["authorization"]) == ("a=1; b=3; huidu_uid=u-1", "Bearer x")
    # The history has one row for each request id.
    assert "x-request-id" not in second


# With a real model


def kit_recording(sentences: int) -> tuple[bytes, list[str]]:
    """Some of the kit's sentences with pauses between them, and their texts.

    The kit's small model is sensitive to how long the silence before a sentence is, down to hundredths of a second.
    The sentences are some without noise that it hears as they are, whichever of several lengths it has.
    """
    model = SherpaEngine(KIT / "models" / "v1")
    pause = np.zeros(12_800, np.int16)
    parts, texts = [pause], []
    with (KIT / "test.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            samples, rate_hz = soundfile.read(KIT / row["audio"], dtype="int16")
            cut = [Audio(samples[begin:].astype(np.float32) / 32768, rate_hz) for begin in (0, 320, 640)]
            if np.abs(samples[:800]).max() < 50 and all(model.transcribe(audio) == row["text"] for audio in cut):
                parts += [samples, pause]
                texts.append(row["text"])
            if len(texts) == sentences:
                break
    return np.concatenate(parts).tobytes(), texts


@pytest.fixture(scope="module")
def recording() -> tuple[bytes, list[str]]:
    return kit_recording(6)


@contextmanager
def real(data: Path, version: str = "v1") -> Iterator[int]:
    """An instance with the kit's model, and its port."""
    app = wire.instance_app(Version(version, "sherpa-onnx", str(KIT / "models" / "v1"), "cpu", None), data, Limits())
    with uvicorn_running(app) as (port, _):
        until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
        yield port


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False


def test_the_kits_sentences_are_heard_one_by_one(recording: tuple[bytes, list[str]], tmp_path: Path) -> None:
    audio, texts = recording
    with real(tmp_path / "data") as port, Stream(f"ws://127.0.0.1:{port}{PATH}") as stream:
        for begin in range(0, len(audio), 3_201):
            stream.send(audio[begin : begin + 3_201])
        assert [one.text for one in stream.finish(60)] == texts
        url, asked = f"http://127.0.0.1:{port}/api/v1/history", {"purpose": "live"}
        page = httpx.get(url, params=asked, headers=operator(tmp_path / "data")).json()
    assert [(row["filename"], row["raw_text"], row["version"]) for row in page["items"]] == [
        ("stream", "".join(texts), "v1")
    ]


def test_the_kits_sentences_survive_two_moves(recording: tuple[bytes, list[str]], tmp_path: Path) -> None:
    audio, texts = recording
    chunks = [audio[begin : begin + 8_000] for begin in range(0, len(audio), 8_000)]
    with real(tmp_path / "a", "v1") as one, real(tmp_path / "b", "v2") as two, switch(one) as middle:
        moves = {len(chunks) // 3: (one, two), len(chunks) * 2 // 3: (two, one)}
        opens = {one: operator(tmp_path / "a"), two: operator(tmp_path / "b")}
        with Stream(middle.url) as stream:
            for place, chunk in enumerate(chunks):
                stream.send(chunk)
                if place in moves:
                    here, other = moves[place]
                    until(partial(one_stream, here, opens[here]))
                    middle.target = other
                    url, wish = f"http://127.0.0.1:{here}/api/v1/drain", {"streams": "move"}
                    moved = httpx.post(url, json=wish, headers=opens[here])
                    assert moved.json() == {"streams": 1}
            found = stream.finish(60)
        assert [final.text for final in found] == texts
        assert stream.connections >= 2


def operator(data: Path) -> dict[str, str]:
    """What an instance over a data folder wants to see of whoever reads its history or moves its streams."""
    return {"authorization": f"Bearer {(data / 'run/token').read_text().strip()}"}


def one_stream(port: int, headers: dict[str, str]) -> bool:
    return bool(httpx.get(f"http://127.0.0.1:{port}/api/v1/drain", headers=headers).json()["streams"] == 1)


SERVE = (
    "import sys; from pathlib import Path; from huidu.cli.serve import serve\n"
    "serve(Path(sys.argv[1]), 'v1', port=int(sys.argv[2]), data=Path(sys.argv[3]))\n"
)


def test_a_server_that_is_killed_costs_no_word(recording: tuple[bytes, list[str]], tmp_path: Path) -> None:
    audio, texts = recording
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, "-c", SERVE, str(KIT / "models" / "v1"), str(port), str(tmp_path / "killed")]
    with real(tmp_path / "b", "v2") as other, subprocess.Popen(arguments) as process:
        try:
            until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
            with switch(port) as middle, Stream(middle.url, first_pause_s=0.01) as stream:
                results = stream.results()
                stream.send(audio[: len(audio) // 2])
                while not isinstance(next(results), Final):
                    pass
                middle.target = other
                os.kill(process.pid, signal.SIGKILL)
                stream.send(audio[len(audio) // 2 :])
                found = stream.finish(60)
            assert [one.text for one in found] == texts
            assert {one.version for one in found} == {"v1", "v2"}
        finally:
            process.kill()
