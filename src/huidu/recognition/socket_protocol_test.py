import asyncio
import base64
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from huidu.cli.serve import listen, server_config

PING_S = 0.1
PATIENCE_S = 0.3


class Reading:
    """Takes what comes on one socket, while it is `open`."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.sizes: list[int] = []
        self.code: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.sizes.append(len(message["bytes"]))
            while not self.open.is_set():
                await asyncio.sleep(0.01)
        self.code = message["code"]


@contextmanager
def listening(app: Any) -> Iterator[socket.socket]:
    """A connection to a server that pings often."""
    config = server_config(app)
    config.ws_ping_interval, config.ws_ping_timeout, config.lifespan = PING_S, PATIENCE_S, "off"
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with socket.create_connection(listener.getsockname()) as connection:
                connection.settimeout(10)
                yield connection
        finally:
            server.should_exit = True
            thread.join()


def opening(path: str = "/", version: int = 13, more: str = "") -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n{more}\r\n".encode()
    )


@contextmanager
def serving(app: Any) -> Iterator[socket.socket]:
    """A connection that has become a WebSocket; nothing answers its pings."""
    with listening(app) as connection:
        connection.sendall(opening())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")
        yield connection


def frame(payload: bytes) -> bytes:
    """A masked binary message; the mask is zero, which is one like any other."""
    size = len(payload).to_bytes(8, "big")
    return b"\x82\xff" + size + bytes(4) + payload


def closing_code(connection: socket.socket) -> int:
    """The code of the close frame that comes, behind pings."""
    received = b""
    while b"\x88" not in received or len(received) < received.index(b"\x88") + 4:
        part = connection.recv(4096)
        assert part, "the connection ended without a close frame"
        received += part
    at = received.index(b"\x88")
    return int.from_bytes(received[at + 2 : at + 4], "big")


def test_who_sends_lives_without_answering_pings_and_who_is_silent_does_not() -> None:
    app = Reading()
    with serving(app) as connection:
        until = time.monotonic() + 4 * PATIENCE_S
        while time.monotonic() < until:
            connection.sendall(frame(bytes(100)))
            time.sleep(PING_S)
        assert app.code is None
        assert closing_code(connection) == 1011


def test_whom_nobody_reads_lives() -> None:
    app = Reading()
    app.open.clear()
    with serving(app) as connection:
        connection.sendall(frame(bytes(100)))
        time.sleep(4 * PATIENCE_S)
        assert app.code is None
        app.open.set()
        assert closing_code(connection) == 1011


@pytest.mark.parametrize("size", [20_000_000, 2_000_000])
def test_who_sends_too_much_at_once_hears_of_it(size: int) -> None:
    app = Reading()
    with serving(app) as connection:
        # All of it is sent, and taken, before the answer is looked at.
        connection.sendall(frame(bytes(size)))
        assert closing_code(connection) == 1009
    assert app.sizes == []
    assert app.code == 1009


async def closing_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    """What becomes of a path that has no sockets."""
    await receive()
    await send({"type": "websocket.close"})


@pytest.mark.parametrize("more", [f"Cookie: sso={'x' * 30_000}\r\n", "X-A: b\r\n" * 180, "X-A: 中\r\n"])
def test_a_socket_begins_with_as_long_a_head_as_any_request(more: str) -> None:
    with listening(Reading()) as connection:
        connection.sendall(opening(more=more))
        assert connection.recv(4096).startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (opening("/nowhere"), 404),
        (opening(version=7), 400),
        (opening(more="X-A: b\r\n" * 1500), 431),
        (opening("/?" + "x" * 70_000), 414),
    ],
)
def test_a_socket_that_does_not_begin_is_told_why_in_the_one_shape(said: bytes, status: int) -> None:
    found = b""
    with listening(closing_at_once) as connection:
        connection.sendall(said)
        while part := connection.recv(1 << 16):
            found += part
    head, _, body = found.partition(b"\r\n\r\n")
    assert (int(head.split()[1]), set(json.loads(body))) == (status, {"error", "detail"})
    assert f"content-length: {len(body)}\r\n".encode() in head.lower() + b"\r\n"
    assert b"content-type: application/json" in head.lower()
