import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fronts import make_certificate

from huidu.adapters.runtimes.instance import HttpInstance
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.safety import Heard
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


def test_streams_are_moved_with_what_may_be_shown_at_that_address() -> None:
    shown = {"with": "t" * 32, "without": None}
    for case, token in shown.items():
        asked_for: list[str] = []

        def token_of(address: str, token: str | None = token, asked_for: list[str] = asked_for) -> str | None:
            asked_for.append(address)
            return token

        with answering(b'{"streams": 3}') as server:
            assert HttpInstance(token_of).move_streams(server.address) == 3
        ((headers, _),) = server.asked
        assert asked_for == [server.address]
        assert headers.get("authorization") == (f"Bearer {token}" if token else None), case


@dataclass
class Answering:
    """A server that gives one answer to everything, and keeps what it was asked."""

    address: str
    asked: list[tuple[dict[str, str], bytes]]


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[Answering]:
    asked: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            asked.append(({name.lower(): value for name, value in self.headers.items()}, content))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Answering(f"127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    return path


ODD = [b"[]", b"[" * 200_000, b'"x"', b'{"text": null}', b'{"text": {"a": 1}}', b"{}", b"no JSON", b"", b"\xff\xfe"]


@pytest.mark.parametrize("body", ODD)
def test_an_odd_answer_is_no_transcript(clip: Path, body: bytes) -> None:
    with answering(body) as server:
        with pytest.raises(UnavailableError, match=r"gave no transcript of a\.wav"):
            HttpInstance().transcribe(server.address, clip, "one")
        heard = HttpInstance().hear(server.address, clip, "one")
    # It answered, and with what nobody can read as a text.
    assert (heard.text, heard.status, heard.refused) == (None, 200, False)
    assert heard.detail != ""


@pytest.mark.parametrize("purpose", ["golden", "probe"])
def test_what_control_asks_for_itself_is_marked_as_such(clip: Path, purpose: str) -> None:
    """An instance of ours keeps it apart from what users asked."""
    with answering('{"text": "一零零"}'.encode()) as server:
        instance = HttpInstance()
        if purpose == "golden":
            assert instance.transcribe(server.address, clip, "golden-1") == "一零零"
        else:
            assert instance.hear(f"http://{server.address}", clip, "golden-1") == Heard("一零零", 200)
    ((headers, content),) = server.asked
    assert (headers["x-huidu-purpose"], headers["x-request-id"]) == (purpose, "golden-1")
    assert b"RIFF" in content


@pytest.mark.parametrize(
    ("status", "body", "something", "refused"),
    [
        (200, '{"text": "好"}', True, False),
        (200, '{"text": ""}', False, False),
        (200, '{"text": " \\n"}', False, False),
        (404, '{"detail": "Not Found"}', False, True),
        (429, '{"text": "busy"}', False, True),
        (415, "", False, True),
        (500, '{"text": "broken"}', False, False),
        (503, "", False, False),
    ],
)
def test_what_a_version_makes_of_a_clip_is_told_with_its_status(
    clip: Path, status: int, body: str, something: bool, refused: bool
) -> None:
    with answering(body.encode(), status) as server:
        heard = HttpInstance().hear(server.address, clip, "probe-1")
    assert (heard.status, heard.something, heard.refused) == (status, something, refused)


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_that_is_none_is_no_transcript(clip: Path, status: int) -> None:
    with answering(b'{"text": "x"}', status) as server, pytest.raises(UnavailableError, match=str(status)):
        HttpInstance().transcribe(server.address, clip, "one")


def test_nobody_and_nothing_to_send_are_no_text_and_never_an_error(clip: Path) -> None:
    instance = HttpInstance()
    for address in ("127.0.0.1:1", "http://127.0.0.1:1", "https://127.0.0.1:1", "http://no-such-host.invalid", "x y"):
        heard = instance.hear(address, clip, "probe-1")
        assert (heard.text, heard.status, heard.refused) == (None, None, False)
        assert heard.detail != ""
    with answering(b'{"text": "x"}') as server:
        for gone in (clip.with_name("gone.wav"), clip.parent):
            assert instance.hear(server.address, gone, "probe-1").text is None


def test_a_service_that_hangs_up_or_speaks_no_http_gives_no_text(clip: Path) -> None:
    for say in (text(b""), text(b"220 mail.example ESMTP\r\n"), text(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")):
        with saying(say) as port:
            heard = HttpInstance().hear(f"127.0.0.1:{port}", clip, "probe-1")
        assert (heard.something, heard.refused) == (False, False)


def test_a_recording_that_is_gone_is_no_transcript(tmp_path: Path) -> None:
    with answering(b'{"text": "x"}') as server, pytest.raises(UnavailableError, match="gave no transcript"):
        HttpInstance().transcribe(server.address, tmp_path / "gone.wav", "one")


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
