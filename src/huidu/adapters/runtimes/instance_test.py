import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from huidu.adapters.runtimes.instance import HttpInstance
from huidu.core.errors import InvalidError, UnavailableError


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
