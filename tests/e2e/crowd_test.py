"""Nobody takes the service down by connections: crowds that rest, through both gateways, and everybody else beside."""

import asyncio
import json
import resource
import select
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from fronts import front, require
from installation import Installation, running
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from huidu.adapters.gateways.nginx import gateway as nginx_gateway
from huidu.core.observation import CLIENT_LEFT
from huidu.demo.kit import read_kit, shipped

KIT = read_kit(shipped())
CLIP = min((clip.audio for clip in KIT.clips), key=lambda audio: audio.stat().st_size)
CONFIG = f"""\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", engine: {{engine}}}}
control: {{listen: "127.0.0.1:{{control}}"}}
instances: {{listen: "127.0.0.1:{{instances}}"}}
admission: {{reserve: 50MB}}
versions:
  v1: {{model: {KIT.model(KIT.stable)}}}
stable: v1
"""
# Two clients, as the gateway sees them.
CROWD, OTHER = "127.0.0.1", "127.0.0.2"
STALLED, OTHERS, OFFICE, IDLE = 1400, 20, 64, 76
BYTES_PER_SECOND = 20_000
# The usual soft limit of files, under which 1,400 clients cannot even connect.
USUAL_FILES = 1024


@contextmanager
def usual_files() -> Iterator[None]:
    """What is started meanwhile begins with the usual limit of files; this process has as many as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * STALLED:
        pytest.skip(f"the hard limit of files is {hard}, this needs {3 * STALLED}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="module", params=["envoy", "nginx"])
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require(request.param)
    config = CONFIG.replace("{engine}", request.param)
    with usual_files():
        started = running(tmp_path_factory.mktemp(request.param), config)
        found = started.__enter__()
    try:
        yield found
    finally:
        started.__exit__(None, None, None)


def upload() -> tuple[bytes, bytes]:
    """The head and the body of a recognition."""
    part = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.flac"\r\n\r\n'
    body = part + CLIP.read_bytes() + b"\r\n--b--\r\n"
    head = (
        "POST /api/v1/transcribe HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode(), body


async def opened(up: Installation, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", up.gateway, local_addr=(address, 0))


async def stall(up: Installation) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upload of which no more than its beginning comes."""
    head, body = upload()
    reader, writer = await opened(up, CROWD)
    writer.write(head + body[:40])
    await writer.drain()
    return reader, writer


async def status(reader: asyncio.StreamReader, seconds: float = 60.0) -> int:
    """0 where the connection is closed without an answer."""
    async with asyncio.timeout(seconds):
        answer = await reader.read()
    return int(answer.split()[1]) if answer else 0


async def recognised(up: Installation, address: str, bytes_per_second: int | None = None) -> int:
    """The status of one recognition, sent at once or at a pace."""
    head, body = upload()
    reader, writer = await opened(up, address)
    try:
        writer.write(head)
        step = len(body) if bytes_per_second is None else bytes_per_second // 10
        for start in range(0, len(body), step):
            writer.write(body[start : start + step])
            await writer.drain()
            if bytes_per_second is not None:
                await asyncio.sleep(0.1)
        return await status(reader)
    finally:
        writer.close()


def test_a_crowd_that_rests_keeps_nobody_from_being_served(up: Installation) -> None:
    async def story() -> None:
        crowd = [await stall(up) for _ in range(STALLED)]
        others = [recognised(up, address) for address in (CROWD, OTHER) for _ in range(OTHERS // 2)]
        assert Counter(await asyncio.gather(*others)) == {200: OTHERS}
        office = [recognised(up, CROWD, BYTES_PER_SECOND) for _ in range(OFFICE)]
        assert Counter(await asyncio.gather(*office)) == {200: OFFICE}
        for _, writer in crowd:
            writer.close()

    asyncio.run(story())


def test_idle_sockets_of_one_client_keep_nobody_from_a_stream(up: Installation) -> None:
    url = f"ws://127.0.0.1:{up.gateway}/ws/stream-transcribe"

    async def stream(address: str) -> ClientConnection:
        found = await connect(url, local_addr=(address, 0), compression=None)
        await found.send(json.dumps({"type": "start", "sample_rate_hz": 16_000}))
        assert json.loads(await found.recv())["type"] == "started"
        return found

    async def story() -> None:
        tried = await asyncio.gather(*(stream(CROWD) for _ in range(IDLE)), return_exceptions=True)
        idle = [each for each in tried if not isinstance(each, BaseException)]
        assert len(idle) >= 32
        assert {each.response.status_code for each in tried if isinstance(each, InvalidStatus)} == {503}
        others = await asyncio.gather(*(stream(OTHER) for _ in range(5)))
        await asyncio.gather(*(each.close() for each in (*idle, *others)))

    asyncio.run(story())


@pytest.mark.deep
def test_a_crowd_that_rests_is_gone_after_a_while(up: Installation) -> None:
    async def story() -> None:
        crowd = [await stall(up) for _ in range(STALLED)]
        began = time.monotonic()
        answers = Counter(await asyncio.gather(*(status(reader) for reader, _ in crowd)))
        # nginx closes the connection without a word.
        assert answers in ({408: STALLED}, {0: STALLED})
        assert time.monotonic() - began < 45
        for _, writer in crowd:
            writer.close()

    asyncio.run(story())
    log = (up.folder / "data/logs/gateway.jsonl").read_text().splitlines()
    lines = [line for line in map(json.loads, log) if line["status"] == 408]
    assert len(lines) >= STALLED
    # Who did not bring his upload to its end has left: no version is measured by that.
    assert {(line["upload_ms"], line["service_ms"], line["status"] in CLIENT_LEFT) for line in lines} == {
        (None, None, True)
    }
    family = psutil.Process(up.process.pid).children(recursive=True)
    (instance,) = [each for each in family if "serve" in each.cmdline()]
    assert instance.num_fds() < 100
    assert instance.memory_info().rss < 600 * 10**6


def test_nginx_tells_one_client_that_has_too_many_requests_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx_gateway, "_MAX_CONNECTIONS", 64)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with front("nginx", tmp_path) as gate:
        gate.swap(gate.serving(10_000))
        before = gate.candidate.requests, gate.stable.requests
        head = b"POST /asr HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
        # Sixteen are a quarter of the connections of the one worker.
        clients = [gate.client() for _ in range(17)]
        for client in clients:
            client.socket.sendall(head)
        answered, _, _ = select.select([client.socket for client in clients], [], [], 10)
        (answer,) = [client.receive() for client in clients if client.socket in answered]
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        assert answer.json["error"] == "unavailable"
        assert answer.json["detail"] == "this address has 16 requests open; accepted: no more at a time"
        # It has not been sent to the stable version instead.
        assert (gate.candidate.requests, gate.stable.requests) == before
