"""Crowds of uploads and of streams: by numbers alone, and against a service with real sockets."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Message
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from huidu.adapters.audio.soundfile_reader import SoundfileReader
from huidu.adapters.engines.echo import EchoEngine
from huidu.recognition.app import create_app
from huidu.recognition.app_test import INFO, TEXT, WAV, ListHistory
from huidu.recognition.crowd import (
    IN_MEMORY_BYTES,
    CrowdedError,
    CrowdLimits,
    NoDiskError,
    SlowError,
    Uploads,
    connections_for,
    uploads_for,
)
from huidu.recognition.stream import PATH, StreamLimits
from huidu.recognition.stream_test import begin, message, uvicorn_running
from huidu.recognition.transcribe import Limits, Service

OFFICE, OTHER = "0" * 16, "1" * 16
GB = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def comes(size_bytes: int, more: bool = True) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(size_bytes), "more_body": more}

    return receive


async def stalls() -> Message:
    await asyncio.sleep(3600)
    raise AssertionError


async def stalled(uploads: Uploads, address: str, count: int) -> list["asyncio.Task[Message]"]:
    """Uploads that bring nothing, each on its way."""
    tasks = [asyncio.create_task(uploads.receive(uploads.begin(address, 0), stalls)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def left(tasks: list["asyncio.Task[Message]"]) -> int:
    return sum(not task.done() for task in tasks)


async def enters(uploads: Uploads, address: str) -> bool:
    upload = uploads.begin(address, 0)
    try:
        await uploads.receive(upload, comes(100, more=False))
    except CrowdedError:
        return False
    finally:
        uploads.leave(upload)
    return True


async def end(tasks: list["asyncio.Task[Message]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_one_address_has_what_it_wants_while_there_is_room_and_leaves_some_to_others() -> None:
    async def story() -> None:
        uploads = Uploads(CrowdLimits(uploads=10))
        tasks = await stalled(uploads, OFFICE, 12)
        assert (left(tasks), uploads.count) == (8, 8)
        with pytest.raises(CrowdedError, match=r"8 of at most 10 uploads are this address's own"):
            tasks[-1].result()
        assert await enters(uploads, OTHER)
        assert not await enters(uploads, OFFICE)
        more = [task for number in range(4) for task in await stalled(uploads, f"{number:016x}", 1)]
        with pytest.raises(CrowdedError, match="no more than 10 uploads are taken at a time"):
            more[-1].result()
        assert uploads.count == 10
        await end(tasks + more)

    asyncio.run(story())


def test_what_rests_gives_way_when_nearly_all_is_taken() -> None:
    async def story() -> None:
        clock = Clock()
        uploads = Uploads(CrowdLimits(uploads=10), clock=clock)
        tasks = await stalled(uploads, OFFICE, 8)
        clock.now = 4.9
        uploads.look()
        await asyncio.sleep(0.01)
        assert left(tasks) == 8
        clock.now = 5.1
        uploads.look()
        await asyncio.sleep(0.01)
        assert left(tasks) == 5
        errors = [task.exception() for task in tasks if task.done()]
        assert all(isinstance(error, SlowError) and error.status_code == 408 for error in errors)
        await end(tasks)

    asyncio.run(story())


def test_while_there_is_room_an_upload_has_half_a_minute() -> None:
    async def story() -> None:
        clock = Clock()
        uploads = Uploads(CrowdLimits(), clock=clock)
        tasks = await stalled(uploads, OFFICE, 1400)
        for clock.now, still in ((29.9, 1400), (30.1, 0)):
            uploads.look()
            await asyncio.sleep(0.01)
            assert left(tasks) == still
        await end(tasks)

    asyncio.run(story())


def test_memory_and_disk_are_given_back() -> None:
    async def story() -> None:
        uploads = Uploads(CrowdLimits(), free_bytes=lambda: GB)
        small, large = uploads.begin(OFFICE, 0), uploads.begin(OFFICE, 0)
        await uploads.receive(small, comes(1000))
        await uploads.receive(large, comes(1000))
        await uploads.receive(large, comes(IN_MEMORY_BYTES))
        assert uploads.held_bytes == (1000, 1000 + IN_MEMORY_BYTES)
        await uploads.receive(large, comes(0, more=False))
        # It has come in, and lies there until it is recognised.
        assert (uploads.count, uploads.held_bytes) == (1, (1000, 1000 + IN_MEMORY_BYTES))
        uploads.leave(small)
        uploads.leave(large)
        assert (uploads.count, uploads.held_bytes) == (0, (0, 0))

    asyncio.run(story())


def test_uploads_take_half_of_the_free_disk_and_small_ones_need_none() -> None:
    async def story() -> None:
        limits = CrowdLimits(disk_bytes=GB)
        uploads = Uploads(limits, free_bytes=lambda: GB)
        with pytest.raises(NoDiskError) as refused:
            await uploads.receive(uploads.begin(OFFICE, GB // 2 + 1), comes(1))
        # What no gateway sends to another version, which has no more room.
        assert refused.value.status_code == 413
        assert refused.value.headers == {"retry-after": "30"}
        await uploads.receive(uploads.begin(OFFICE, GB // 2), comes(1))
        full = Uploads(limits, free_bytes=lambda: 0)
        upload = full.begin(OFFICE, 0)
        await full.receive(upload, comes(IN_MEMORY_BYTES))
        with pytest.raises(NoDiskError):
            await full.receive(upload, comes(1))

    asyncio.run(story())


def test_uploads_in_memory_are_bounded_together() -> None:
    async def story() -> None:
        uploads = Uploads(CrowdLimits(memory_bytes=10_000))
        held = [uploads.begin(f"{number:016x}", 0) for number in range(10)]
        for each in held:
            await uploads.receive(each, comes(1000))
        with pytest.raises(CrowdedError, match="all the memory"):
            await uploads.receive(held[0], comes(1))

    asyncio.run(story())


@pytest.mark.parametrize("open_files", [256, 1024, 4096, 20_000, 65_536, 10**6])
def test_a_process_takes_no_more_than_its_files_can_bear(open_files: int) -> None:
    uploads, connections = uploads_for(open_files), connections_for(open_files)
    assert 16 <= uploads <= connections
    if open_files >= 1024:
        # Each upload may have a temporary file beside its connection.
        assert connections + uploads < open_files
    if open_files >= 20_000:
        assert uploads == 4096


# ------------------------------------------------------------------ with real sockets


@contextmanager
def serving(crowd: CrowdLimits = CrowdLimits(), streams: StreamLimits = StreamLimits()) -> Iterator[int]:
    """The port of an instance that is ready."""
    history = ListHistory()
    service = Service(EchoEngine, SoundfileReader(), history, INFO, Limits())
    with uvicorn_running(create_app(service, history, INFO, Limits(), streams, crowd_limits=crowd)) as (port, _):
        deadline = time.monotonic() + 30
        while httpx.get(f"http://127.0.0.1:{port}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield port


def asked(port: int, peer: str = OTHER, content: Any = None) -> httpx.Response:
    files = {"audio": ("a.wav", content or WAV)}
    return httpx.post(f"http://127.0.0.1:{port}/api/v1/transcribe", files=files, headers={"x-huidu-peer": peer})


def stalled_socket(port: int, path: str = "/api/v1/transcribe", peer: str = OFFICE) -> socket.socket:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nx-huidu-peer: {peer}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000\r\n\r\n--b\r\n"
    )
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(head.encode())
    return client


def all_of(client: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    while data := client.recv(1 << 16):
        found += data
    return found


@pytest.mark.parametrize("path", ["/api/v1/transcribe", "/v1/audio/transcriptions"])
def test_an_upload_that_stalls_is_answered_408_and_its_connection_closed(path: str) -> None:
    with serving(CrowdLimits(slow_seconds=0.3, look_seconds=0.05)) as port, closing(stalled_socket(port, path)) as slow:
        head, _, body = all_of(slow).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in head
        detail = "less than 4000 bytes a second came over 0.3 s; accepted: a faster upload"
        said = json.loads(body)
        assert said in (
            {"error": "too_slow", "detail": detail},
            {"error": {"message": detail, "type": "invalid_request_error", "param": None, "code": "too_slow"}},
        )
        assert asked(port).json()["raw_text"] == TEXT


def test_a_slow_uplink_is_never_ended() -> None:
    def slowly() -> Iterator[bytes]:
        body = httpx.Request("POST", "http://a", files={"audio": ("a.wav", WAV)})
        kinds.append(body.headers["content-type"])
        content = body.read()
        for start in range(0, len(content), 200):
            yield content[start : start + 200]
            time.sleep(0.02)

    kinds: list[str] = []
    pieces = slowly()
    first = next(pieces)

    def whole() -> Iterator[bytes]:
        yield first
        yield from pieces

    with serving(CrowdLimits(slow_seconds=0.2, look_seconds=0.02)) as port:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/transcribe", content=whole(), headers={"content-type": kinds[0]}
        )
    assert (answer.status_code, answer.json()["raw_text"]) == (200, TEXT)


def test_others_are_answered_while_one_address_stalls_and_it_is_told_so() -> None:
    with serving(CrowdLimits(uploads=10)) as port, ExitStack() as held:
        for _ in range(8):
            held.enter_context(closing(stalled_socket(port)))
        late = held.enter_context(closing(stalled_socket(port)))
        answer = late.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        assert [asked(port).status_code for _ in range(5)] == [200] * 5
        for number in range(2, 5):
            held.enter_context(closing(stalled_socket(port, peer=f"{number:016x}")))
        assert asked(port).status_code == 503
        # Control's word goes through all the same.
        assert httpx.post(f"http://127.0.0.1:{port}/api/v1/drain", json={"streams": "move"}).status_code == 200


def test_an_upload_without_room_on_disk_is_413_and_may_come_again() -> None:
    with serving(CrowdLimits(disk_bytes=IN_MEMORY_BYTES)) as port:
        answer = asked(port, content=bytes(IN_MEMORY_BYTES + 100))
        assert (answer.status_code, answer.headers["retry-after"]) == (413, "30")
        assert answer.json()["error"] == "too_large"
        assert asked(port).status_code == 200


def test_idle_streams_of_one_client_do_not_keep_others_out() -> None:
    limits = StreamLimits(max_streams=10, rest_seconds=0.3)
    with serving(CrowdLimits(look_seconds=0.05), limits) as port, ExitStack() as held:

        def opened(peer: str) -> Any:
            return connect(f"ws://127.0.0.1:{port}{PATH}", additional_headers={"x-huidu-peer": peer}, compression=None)

        idle = []
        for _ in range(12):
            with contextlib.suppress(InvalidStatus):
                idle.append(held.enter_context(opened(OFFICE)))
        assert len(idle) == 8
        for each in idle:
            begin(each)
        other = held.enter_context(opened(OTHER))
        assert begin(other)["type"] == "started"
        # As many as make room, down to half of ten at most, are told why.
        with ThreadPoolExecutor(len(idle)) as pool:
            ended = [found for found in pool.map(_fate, idle) if found]
        assert 1 <= len(ended) <= 3
        detail = "next to no audio came for 0.3 s, and others want a stream; accepted: audio as it is spoken, or stop"
        assert ended[0] == (1008, "invalid", detail)


def _fate(stream: Any) -> tuple[int, str, str] | None:
    """How a stream is closed with which word; None where it stays open."""
    try:
        said = json.loads(stream.recv(timeout=1))
    except TimeoutError:
        return None
    with pytest.raises(ConnectionClosed) as closed:
        message(stream)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, said["error"], said["detail"]
