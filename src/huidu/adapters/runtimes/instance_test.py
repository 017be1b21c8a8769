import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fronts import make_certificate

from huidu.adapters.runtimes.instance import HttpInstance
from huidu.core.errors import InvalidError, UnavailableError
from huidu.ports import Reach


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_authorities_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidError, match="accepted: a PEM file of certificates") as refused:
        HttpInstance().trust([str(path)])
    assert "\n" not in str(refused.value)


def test_nobody_at_an_address_is_neither_ready_nor_asked_to_move_streams() -> None:
    instance = HttpInstance()
    for address in ("127.0.0.1:1", "http://127.0.0.1:1", "https://127.0.0.1:1"):
        assert not instance.ready(address)
        with pytest.raises(UnavailableError, match="was not asked to move its streams"):
            instance.move_streams(address)


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """The address of a server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("body", [b"[]", b'"x"', b'{"text": null}', b'{"text": {"a": 1}}', b"{}", b"no JSON", b""])
def test_an_odd_answer_is_no_transcript(tmp_path: Path, body: bytes) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"RIFF")
    with answering(body) as address, pytest.raises(UnavailableError, match=r"gave no transcript of a\.wav"):
        HttpInstance().transcribe(address, audio, "one")


def test_a_recording_that_is_gone_is_no_transcript(tmp_path: Path) -> None:
    with answering(b'{"text": "x"}') as address, pytest.raises(UnavailableError, match="gave no transcript"):
        HttpInstance().transcribe(address, tmp_path / "gone.wav", "one")


@contextmanager
def saying(say: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that takes one connection and says what it is told to."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            if context is None:
                say(connection)
            else:
                with context.wrap_socket(connection, server_side=True) as secured:
                    say(secured)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Whoever was never asked is let go.
            with contextlib.suppress(OSError):
                socket.create_connection(listener.getsockname(), 1).close()
            thread.join()


def silent(connection: socket.socket) -> None:
    connection.settimeout(10)
    while connection.recv(4096):
        pass


def dripping(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"H")
        time.sleep(0.1)


def text(said: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    return say


@pytest.mark.parametrize(
    ("say", "found"),
    [
        (text(b"HTTP/1.1 200 OK\r\n\r\n"), Reach(True, "answers (HTTP 200)")),
        (text(b"HTTP/1.0 404 Not Found\r\n\r\n" + bytes(1 << 20)), Reach(True, "answers (HTTP 404)")),
        (text(b"HTTP/1.1 5"), Reach(True, "accepts connections, speaks no HTTP")),
        (text(b"220 mail.example ESMTP\r\n"), Reach(True, "accepts connections, speaks no HTTP")),
        (text(b"\xff\x00\n"), Reach(True, "accepts connections, speaks no HTTP")),
        (text(b""), Reach(False, "accepts connections and ends them without an answer")),
        (socket.socket.close, Reach(False, "accepts connections and ends them without an answer")),
        (silent, Reach(True, "accepts connections, no answer within 1 s")),
        (dripping, Reach(True, "accepts connections, speaks no HTTP")),
    ],
)
def test_whether_anybody_serves_is_told_in_time(say: Callable[[socket.socket], None], found: Reach) -> None:
    with saying(say) as port:
        started = time.monotonic()
        assert HttpInstance().reach(f"127.0.0.1:{port}") == found
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("http://127.0.0.1:1", "refuses connections"),
        ("https://127.0.0.1:1", "refuses connections"),
        ("http://no-such-host.invalid:80", "has no address"),
        ("http://127.0.0.1:99999", "is no address"),
        ("http://" + "a" * 300, "is no address"),
    ],
)
def test_nobody_is_told_apart(address: str, detail: str) -> None:
    found = HttpInstance().reach(address)
    assert not found.answers
    # A resolver without a network may take longer than anybody waits.
    assert found.detail.startswith((detail, "does not answer")), found


def test_who_takes_no_more_connections_does_not_answer() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The queue of a listener that never accepts fills up; then nobody is answered any more.
        for _ in range(3):
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(listener.getsockname())
        found = HttpInstance().reach(f"127.0.0.1:{listener.getsockname()[1]}")
    assert found == Reach(False, "does not answer within 1 s")


def test_a_certificate_counts_only_where_somebody_vouches_for_it(tmp_path: Path) -> None:
    ours, other = make_certificate(tmp_path, "ours", "127.0.0.1"), make_certificate(tmp_path, "other", "10.9.9.9")
    for certificate, found in ((ours, Reach(True, "answers (HTTP 204)")), (other, None)):
        instance = HttpInstance()
        if found:
            instance.trust([str(certificate.certificate)])
        with saying(text(b"HTTP/1.1 204 No Content\r\n\r\n"), certificate.context()) as port:
            reached = instance.reach(f"https://127.0.0.1:{port}")
        assert reached == found or (not found and not reached.answers and "its certificate" in reached.detail)


def test_who_speaks_no_tls_is_of_no_use_to_an_https_address() -> None:
    for say in (silent, text(b"HTTP/1.1 400 Bad Request\r\n\r\n"), text(b"")):
        with saying(say) as port:
            found = HttpInstance().reach(f"https://127.0.0.1:{port}")
        assert (found.answers, found.detail[:33]) == (False, "accepts connections, but no TLS (")
