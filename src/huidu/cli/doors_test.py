"""The ways to control, tried with servers that stand in its place."""

import http.server
import json
import os
import socket
import socketserver
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from huidu import owner
from huidu.cli import doors
from huidu.cli.doors import ClosedError, door, listening
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.owner import Token, make_token


@pytest.fixture
def places() -> Iterator[Places]:
    # The path of a Unix socket is short.
    with tempfile.TemporaryDirectory() as folder:
        found = Places(Path(folder) / "data")
        found.run.mkdir(parents=True)
        yield found


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = json.dumps({"by": self.server.name, "shown": self.headers["authorization"]}).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Silent."""

    def address_string(self) -> str:
        return ""


@contextmanager
def serving(name: str, listener: socket.socket) -> Iterator[None]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.name = listener, name  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def control(places: Places, name: str = "socket") -> Iterator[None]:
    with listening(places.control_socket) as listener, serving(name, listener):
        yield


@contextmanager
def port(name: str = "port") -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(name, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def ask(places: Places, said: dict[str, Any] | None, environment: dict[str, str] | None = None) -> dict[str, Any]:
    way = door(places, said, 2.0, environment or {})
    try:
        way.connection.request("GET", "/", headers=way.headers)
        found: dict[str, Any] = json.loads(way.connection.getresponse().read())
    finally:
        way.connection.close()
    return found


def test_the_socket_goes_before_the_port_and_needs_no_token(places: Places) -> None:
    make_token(places)
    with control(places), port() as url:
        assert ask(places, {"url": url, "socket": "x"}) == {"by": "socket", "shown": None}
        # Also where the file that says where control is cannot be read.
        assert ask(places, None) == {"by": "socket", "shown": None}


def test_the_socket_is_its_owners_alone_and_goes_with_its_process(places: Places) -> None:
    with listening(places.control_socket):
        assert stat.S_IMODE(places.control_socket.lstat().st_mode) == 0o600
    assert not places.control_socket.exists()


def test_the_socket_of_a_killed_process_is_replaced(places: Places) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(places.control_socket))
    with pytest.raises(ConnectionRefusedError):
        ask(places, None)
    with control(places):
        assert ask(places, None)["by"] == "socket"


def test_another_that_took_the_place_keeps_it(places: Places) -> None:
    with listening(places.control_socket):
        places.control_socket.unlink()
        with listening(places.control_socket):
            mine = places.control_socket.lstat().st_ino
            # So that the number is not free again.
            (places.run / "other").touch()
            assert places.control_socket.lstat().st_ino == mine
    assert not places.control_socket.exists()


def test_what_is_no_socket_is_not_removed(places: Places) -> None:
    places.control_socket.write_text("mine")
    with pytest.raises(UnavailableError, match="accepted: a path where nothing lies"), listening(places.control_socket):
        pass
    assert places.control_socket.read_text() == "mine"


def test_a_control_without_its_socket_is_not_looked_for_at_its_port(places: Places) -> None:
    """Somebody else may be there by now, and would hear the token."""
    make_token(places)
    with port() as url, pytest.raises(ClosedError, match=r"control\.sock does not exist"):
        ask(places, {"url": url, "socket": str(places.control_socket)})
    with pytest.raises(ClosedError, match=r"control\.json does not exist"):
        ask(places, None)


def test_a_control_of_before_is_asked_at_its_port_and_shown_nothing(places: Places) -> None:
    make_token(places)
    with port() as url:
        assert ask(places, {"url": url, "pid": 1}) == {"by": "port", "shown": None}


def test_a_control_that_could_make_no_socket_is_shown_the_token_at_its_port(places: Places) -> None:
    make_token(places)
    with port() as url:
        shown = ask(places, {"url": url, "socket": None})["shown"]
    assert shown == f"Bearer {Token(places).read()}"


@pytest.mark.parametrize("said", [{}, {"socket": None}])
def test_another_user_at_the_port_hears_nothing(
    places: Places, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_token(places)
    stranger = lambda _: frozenset({4242})  # noqa: E731
    monkeypatch.setattr(doors, "listeners", stranger)
    monkeypatch.setattr(owner, "listeners", stranger)
    with port() as url, pytest.raises(ClosedError, match="belongs to another user"):
        ask(places, {"url": url, **said})


def test_another_user_at_the_socket_hears_nothing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "peer", lambda _: 4242)
    with control(places), pytest.raises(ClosedError, match="belongs to another user"):
        ask(places, None)


def test_a_url_and_its_token_are_the_askers(places: Places) -> None:
    make_token(places)
    with control(places), port() as url:
        assert ask(places, None, {"HUIDU_URL": url, "HUIDU_TOKEN": "given"}) == {"by": "port", "shown": "Bearer given"}
        # The token here is for the installation here.
        assert ask(places, None, {"HUIDU_URL": url.removeprefix("http://")}) == {"by": "port", "shown": None}
    with pytest.raises(ClosedError, match="accepted: http://HOST:PORT"):
        ask(places, None, {"HUIDU_URL": "http://a:b"})


def test_whoever_owns_the_data_folder_and_root_are_believed(places: Places) -> None:
    assert owner.trusted(places) == {0, os.geteuid(), places.data.stat().st_uid}
