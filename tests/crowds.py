"""Speech services of another make, and the people who use them: what the suites on fair verdicts let loose."""

import asyncio
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httptools
import uvloop
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as WebSocketRequest
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

# Bytes of a second of audio, as 16 kHz PCM and as Opus of 16 kbit/s, by what a file begins with.
BYTES_PER_SECOND = {b"RIFF": 32_000, b"OggS": 2_000}


def wav(seconds: float) -> bytes:
    """What looks like so many seconds of WAV to a stub: only its beginning and length are read."""
    return b"RIFF".ljust(int(seconds * BYTES_PER_SECOND[b"RIFF"]), b"\0")


def opus(seconds: float) -> bytes:
    """What looks like so many seconds of Opus to a stub."""
    return b"OggS".ljust(int(seconds * BYTES_PER_SECOND[b"OggS"]), b"\0")


# ------------------------------------------------------------------ services


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()


@dataclass
class Service:
    """A service that recognises in a part of the audio's length, by POST or WebSocket, and says who it is.

    It answers 500 to a part `fails` of recognitions, drawn at random, and 400 to what is no audio. A socket gets a
    text for each second of audio, and at the end of the audio (a text message) the last one and a normal close.
    """

    name: str
    loop: Loop
    part_of_length: float = 0.05
    fails: float = 0.0
    says_seconds: bool = False
    port: int = 0
    requests: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(5))

    def __post_init__(self) -> None:
        self._server = self.loop.run(self._listen()).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=4096
        )

    def close(self) -> None:
        self.loop.loop.call_soon_threadsafe(self._server.close)


class _Connection(asyncio.Protocol):
    """One connection: requests are answered one after the other."""

    def __init__(self, service: Service):
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._socket: ServerProtocol | None = None
        self._heard_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if self._socket is None and b"upgrade: websocket" in data.lower():
            self._socket = ServerProtocol()
        if self._socket is not None:
            self._speak(self._socket, data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def _speak(self, protocol: ServerProtocol, data: bytes) -> None:
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, WebSocketRequest):
                protocol.send_response(protocol.accept(event))
                self._service.requests += 1
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                before, self._heard_bytes = self._heard_bytes, self._heard_bytes + len(event.data)
                second = BYTES_PER_SECOND[b"RIFF"]
                if self._heard_bytes // second > before // second:
                    protocol.send_text(json.dumps({"partial": "你好", "name": self._service.name}).encode())
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                protocol.send_text(json.dumps({"text": "你好", "name": self._service.name}).encode())
                protocol.send_close(1000)
        for piece in protocol.data_to_send():
            self._transport.write(piece) if piece else self._transport.close()

    def on_message_begin(self) -> None:
        self._length, self._head = 0, b""

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if len(self._head) < 4:
            self._head += body[:4]

    def on_message_complete(self) -> None:
        service = self._service
        service.requests += 1
        known = BYTES_PER_SECOND.get(self._head[:4])
        if known is None:
            self._answer(400, {"error": "no audio"}, None)
            return
        seconds = self._length / known
        status = 500 if service.chance.random() < service.fails else 200
        after = seconds * service.part_of_length * service.chance.uniform(0.9, 1.1)
        loop = asyncio.get_running_loop()
        loop.call_later(after, self._answer, status, {"text": "你好", "name": service.name}, seconds)

    def _answer(self, status: int, said: dict[str, str], seconds: float | None) -> None:
        if self._transport.is_closing():
            return
        body = json.dumps(said).encode()
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {len(body)}"]
        if self._service.says_seconds and seconds is not None:
            lines.append(f"x-audio-seconds: {seconds:.3f}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + body)


# ------------------------------------------------------------------ clients


@dataclass(frozen=True)
class Caller:
    """Who asks: a cookie (none: a recorder), and the address that a trusted proxy tells (none: the tests' own)."""

    uid: str | None = None
    address: str | None = None

    def lines(self) -> list[str]:
        cookie = [] if self.uid is None else [f"Cookie: huidu_uid={self.uid}"]
        return cookie + ([] if self.address is None else [f"X-Forwarded-For: {self.address}"])


@dataclass(frozen=True)
class Answer:
    status: int
    name: str | None = None
    minted: str | None = None


class GoneError(Exception):
    """The connection ended before there was an answer."""


async def post(
    port: int,
    caller: Caller,
    body: bytes,
    bytes_per_second: float = 0.0,
    leave_at: int | None = None,
    stays: float = 0.0,
) -> Answer:
    """Sends a recording, at a rate where one is given.

    `leave_at`: goes away after so many bytes (-1: after all) and so many seconds more, and hears no answer (status 0).
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = ["POST /asr HTTP/1.1", "Host: asr.example", f"Content-Length: {len(body)}", "Connection: close"]
        writer.write("\r\n".join([*head, *caller.lines(), "", ""]).encode())
        await _upload(writer, body if leave_at is None or leave_at < 0 else body[:leave_at], bytes_per_second)
        if leave_at is not None:
            await asyncio.sleep(stays)
            return Answer(0)
        return _answer(await reader.read())
    except ConnectionError as error:
        raise GoneError(str(error)) from error
    finally:
        writer.transport.abort()


async def _upload(writer: asyncio.StreamWriter, body: bytes, bytes_per_second: float) -> None:
    if not bytes_per_second:
        writer.write(body)
        await writer.drain()
        return
    step = max(1, int(bytes_per_second / 10))
    started = time.monotonic()
    for number, start in enumerate(range(0, len(body), step)):
        await asyncio.sleep(max(0.0, started + number / 10 - time.monotonic()))
        writer.write(body[start : start + step])
        await writer.drain()


def _answer(raw: bytes) -> Answer:
    head, ended, body = raw.partition(b"\r\n\r\n")
    if not ended:
        raise GoneError("no whole answer")
    if b"transfer-encoding: chunked" in head.lower():
        body = body[body.find(b"{") : body.rfind(b"}") + 1]
    minted = head.partition(b"huidu_uid=")[2].partition(b";")[0].decode() or None
    try:
        name = json.loads(body).get("name")
    except ValueError:
        name = None
    return Answer(int(head.split()[1]), name, minted)


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)


async def raw(port: int, caller: Caller, head: list[str], body: bytes) -> bytes:
    """Sends exactly this, returns the first of the answer (nothing where none comes within a second) and goes away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join([*head, "Host: asr.example", *caller.lines(), "", ""]).encode() + body)
        return await asyncio.wait_for(reader.read(1 << 16), 1)
    except TimeoutError:
        return b""
    finally:
        writer.transport.abort()


async def stream(port: int, caller: Caller, seconds: float, pace: float = 1.0) -> Answer:
    """Streams silence over a WebSocket in pieces of a tenth of a second, `pace` times as fast as it is spoken.

    The status is 101 where the service spoke and closed as it should.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    protocol = ClientProtocol(parse_uri("ws://asr.example/asr"))
    request = protocol.connect()
    for line in caller.lines():
        name, _, value = line.partition(": ")
        request.headers[name] = value
    protocol.send_request(request)
    texts: list[dict[str, Any]] = []
    try:
        await _hand_over(protocol, writer)
        listening = asyncio.create_task(_listen(protocol, reader, writer, texts))
        piece = b"\0" * (BYTES_PER_SECOND[b"RIFF"] // 10)
        for _ in range(round(seconds * 10)):
            await asyncio.sleep(0.1 / pace)
            if protocol.handshake_exc is None and protocol.state.name == "OPEN":
                protocol.send_binary(piece)
                await _hand_over(protocol, writer)
        if protocol.state.name == "OPEN":
            protocol.send_text(b"end")
            await _hand_over(protocol, writer)
        await listening
    except ConnectionError as error:
        raise GoneError(str(error)) from error
    finally:
        writer.transport.abort()
    well = protocol.close_code == 1000 and texts
    return Answer(101 if well else protocol.close_code or 0, texts[-1]["name"] if texts else None)


async def _listen(
    protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, texts: list[dict[str, Any]]
) -> None:
    while data := await reader.read(1 << 16):
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                texts.append(json.loads(bytes(event.data)))
        await _hand_over(protocol, writer)
    protocol.receive_eof()


async def _hand_over(protocol: ClientProtocol, writer: asyncio.StreamWriter) -> None:
    for piece in protocol.data_to_send():
        if piece:
            writer.write(piece)
    await writer.drain()


# ------------------------------------------------------------------ crowds


Ask = Callable[[int], Awaitable[Answer]]


@dataclass
class Crowd:
    """People who ask so many times a second, whatever became of what they asked. `ask` gets the turn's number."""

    loop: Loop
    ask: Ask
    per_second: float = 20.0
    answers: Counter[tuple[int, str | None]] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    asked: int = 0
    _asking: set["asyncio.Task[None]"] = field(default_factory=set)
    _stopped: bool = False

    @property
    def refused(self) -> dict[tuple[int, str | None], int]:
        """Answers that were no recognition, and how many."""
        return {answer: count for answer, count in self.answers.items() if answer[0] not in (101, 200)}

    async def run(self) -> None:
        started = time.monotonic()
        for turn in itertools.count():
            await asyncio.sleep(max(0.0, started + turn / self.per_second - time.monotonic()))
            if self._stopped:
                break
            task = asyncio.create_task(self._once(turn))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        await asyncio.gather(*self._asking)

    async def _once(self, turn: int) -> None:
        self.asked += 1
        try:
            answer = await self.ask(turn)
            self.answers[answer.status, answer.name] += 1
        except (GoneError, OSError) as error:
            self.troubles.append(repr(error))

    def stop(self) -> None:
        self._stopped = True


@contextmanager
def crowd(loop: Loop, ask: Ask, per_second: float = 20.0) -> Iterator[Crowd]:
    """A crowd that asks until the block ends; then what is under way is waited for."""
    made = Crowd(loop, ask, per_second)
    running = loop.run(made.run())
    try:
        yield made
    finally:
        made.stop()
        running.result(60)
