"""Users of a gateway, so many recognitions a second, in one thread; what each of them got is kept."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

import uvloop
from fronts import request_bytes
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

USERS = 400
_ANSWER_SECONDS = 60.0


class Asked(NamedTuple):
    """One request as its user saw it: who answered, and the status; 0 and why where there was none.

    `at` and `ended` are epoch seconds, `request_id` is what the service was told.
    """

    at: float
    name: str
    status: int
    why: str = ""
    ended: float = 0.0
    request_id: str = ""


class Connection:
    """A kept connection to the gateway."""

    def __init__(self, port: int):
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer; raises `OSError` or `EOFError` where there is none."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if self._streams is not None and self._streams[0].at_eof():
                    self.close()  # whoever served it is gone since
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
                reader, writer = self._streams
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _body(reader, head.lower())
        except (OSError, EOFError):
            self.close()
            raise
        if b"connection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head:
        return await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


@dataclass
class Callers:
    """While this is entered, users with cookies of their own ask the gateway.

    `posts`, `probes` and `sockets` are so many a second: recognitions by POST, `GET /healthz` of a monitor without a
    cookie, and WebSockets that send `audio` a second for `socket_seconds`, or until they are closed. `clip` is what is
    posted to `path`.
    """

    port: int
    posts: float = 0.0
    probes: float = 0.0
    sockets: float = 0.0
    path: str = "/asr"
    headers: tuple[tuple[str, str], ...] = ()
    clip: bytes = b"a" * 16_000
    users: int = USERS
    socket_path: str = "/ws"
    socket_seconds: float = 0.5
    start: str | None = None
    audio: bytes = b"a" * 3_200
    seed: int = 0
    asked: list[Asked] = field(default_factory=list)
    opened: list[Asked] = field(default_factory=list)
    probed: Counter[int] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def __enter__(self) -> "Callers":
        self._run_of = random.Random(self.seed or None).getrandbits(40)
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def since(self, at: float) -> list[Asked]:
        """Recognitions that were asked for after a time."""
        return [asked for asked in list(self.asked) if asked.at > at]

    async def _run(self) -> None:
        kinds: list[tuple[float, Callable[[Connection], Coroutine[Any, Any, None]]]] = [
            (self.posts, self._post),
            (self.probes, self._probe),
            (self.sockets, self._talk),
        ]
        async with asyncio.TaskGroup() as group:
            for rate, ask in kinds:
                if rate:
                    group.create_task(self._keep_asking(rate, ask))

    async def _keep_asking(self, rate: float, ask: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
        """Begins so many a second, however long the answers take."""
        free: list[Connection] = []
        loop = asyncio.get_running_loop()
        due = loop.time()

        async def once(connection: Connection) -> None:
            await ask(connection)
            free.append(connection)

        async with asyncio.TaskGroup() as group:
            while not self._stop.is_set():
                group.create_task(once(free.pop() if free else Connection(self.port)))
                due = max(due + 1 / rate, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))
        for connection in free:
            connection.close()

    def _cookie(self) -> str:
        return f"huidu_uid={self._run_of:x}-{random.randrange(self.users)}"

    async def _post(self, connection: Connection) -> None:
        at = time.time()
        lines = [("cookie", self._cookie()), *self.headers]
        try:
            status, body = await connection.ask(request_bytes(lines, self.path, "POST", self.clip))
            name, request_id = _told(body)
            self.asked.append(Asked(at, name, status, "", time.time(), request_id))
        except (OSError, EOFError) as error:
            self.asked.append(Asked(at, "", 0, repr(error), time.time()))

    async def _probe(self, connection: Connection) -> None:
        try:
            self.probed[(await connection.ask(request_bytes([], "/healthz")))[0]] += 1
        except (OSError, EOFError):
            self.probed[0] += 1

    async def _talk(self, _: Connection) -> None:
        """Speaks into a socket of its own. Its name is that of the service that greeted; its status the close code."""
        at, name = time.time(), ""
        url = f"ws://127.0.0.1:{self.port}{self.socket_path}"
        try:
            async with connect(
                url, additional_headers={"cookie": self._cookie()}, ping_interval=None, compression=None
            ) as socket:
                reading = asyncio.create_task(self._read(socket))
                if self.start is not None:
                    await socket.send(self.start)
                await self._speak(socket, reading)
                await socket.close()
                name = await reading
            self.opened.append(Asked(at, name, socket.close_code or 0))
        except (OSError, TimeoutError, WebSocketException) as error:
            self.opened.append(Asked(at, name, 0, repr(error)))

    async def _speak(self, socket: Any, reading: "asyncio.Task[str]") -> None:
        ends = asyncio.get_running_loop().time() + self.socket_seconds
        try:
            while not self._stop.is_set() and not reading.done():
                await socket.send(self.audio)
                left = ends - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                await asyncio.wait((reading,), timeout=min(1.0, left))
        except ConnectionClosed:
            pass

    async def _read(self, socket: Any) -> str:
        """The first word of a service; empty where it says none before the socket ends."""
        first = ""
        try:
            async for message in socket:
                if not first and isinstance(message, str):
                    first = message
        except ConnectionClosed:
            pass
        return first


def _told(body: bytes) -> tuple[str, str]:
    """The name of the service that answered, or the version of an instance, and the request's id as it got it."""
    try:
        found = json.loads(body)
        if "version" in found:
            return str(found["version"]), str(found["request_id"])
        return str(found["name"]), str(dict(found["headers"]).get("x-request-id", ""))
    except (ValueError, KeyError, TypeError):
        return "", ""
