"""How long an instance waits for a client, seen from its connection."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import Receive, Scope, Send

from huidu.cli.serve import listen
from huidu.recognition.connections import BoundedProtocol


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once, without a look at the body."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@contextmanager
def serving(**limits: Any) -> Iterator[int]:
    usual = {"max_connections": 4, "head_seconds": 0.2, "linger_seconds": 0.2}
    protocol = partial(BoundedProtocol, **(usual | limits))
    config = uvicorn.Config(refusing, http=cast("Any", protocol), lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connected(port: int, said: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(said)
    return client


def refused(client: socket.socket) -> None:
    """Reads the answer, all of it."""
    found = b""
    while not found.endswith(b"\r\n\r\nno"):
        more = client.recv(100)
        assert more, found
        found += more
    assert found.startswith(b"HTTP/1.1 413 ")


def seconds_until_closed(client: socket.socket, meanwhile: Callable[[], object] = lambda: None) -> float:
    started = time.monotonic()
    client.settimeout(0.05)
    while time.monotonic() < started + 10:
        try:
            meanwhile()
            if not client.recv(1 << 16):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


def test_who_says_nothing_or_half_a_head_or_drips_it_is_not_waited_for() -> None:
    with serving() as port:
        for said in (b"", b"POST / HTTP/1.1\r\nHost: a\r\n"):
            with closing(connected(port, said)) as client:
                assert seconds_until_closed(client) < 2
        with closing(connected(port, b"POST / HTTP/1.1\r\n")) as client:
            assert seconds_until_closed(client, lambda: client.send(b"a: b\r\n")) < 2


def test_what_comes_behind_an_early_answer_is_read_for_a_while() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    with serving() as port, closing(connected(port, head)) as client:
        refused(client)
        assert seconds_until_closed(client, lambda: client.send(b"x")) < 2


def test_a_kept_connection_whose_upload_ended_late_goes_on() -> None:
    with serving() as port, closing(connected(port)) as client:
        for _ in range(3):
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
            refused(client)
            client.sendall(b"body")
            # Longer than a head, or the rest of an upload, may take.
            time.sleep(0.3)


def test_connections_over_the_limit_are_closed_and_others_go_on() -> None:
    with serving(head_seconds=30) as port, ExitStack() as held:
        first = [held.enter_context(closing(connected(port))) for _ in range(4)]
        with closing(connected(port)) as late:
            assert seconds_until_closed(late) < 2
        for client in first:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            refused(client)


def told(port: int, said: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the body of what is answered before the connection is closed."""
    found = b""
    with closing(connected(port, said)) as client:
        while more := client.recv(1 << 16):
            found += more
    head, _, body = found.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower(), found
    return int(head.split()[1]), json.loads(body)


def test_what_is_no_request_is_told_so_in_the_one_shape() -> None:
    with serving() as port:
        assert told(port, b"\x16\x03\x01\r\n\r\n") == (400, {"error": "invalid", "detail": "a malformed request"})
        status, body = told(port, b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
        assert (status, body["error"]["code"]) == (400, "invalid")


def test_a_head_without_an_end_is_not_kept() -> None:
    with serving(head_seconds=30) as port:
        for endless in (b"X: " + b"a" * 100_000, b"X: a\r\n" * 20_000):
            status, body = told(port, b"GET / HTTP/1.1\r\nHost: a\r\n" + endless)
            assert (status, body["error"]) == (431, "too_large")


def test_a_body_may_be_larger_than_a_head() -> None:
    with serving() as port, closing(connected(port)) as client:
        for _ in range(2):
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
            refused(client)
