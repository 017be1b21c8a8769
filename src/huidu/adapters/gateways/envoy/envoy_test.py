"""What only Envoy can get wrong, on the real one. What both gateways promise is in tests/contract."""

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from huidu.adapters.gateways.envoy import front as front_module
from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
from huidu.adapters.gateways.folder import until
from huidu.adapters.gateways.place import Place
from huidu.core.audience import Audience, ClaimRule, CookieRule
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.jwt import Jwt, checked_keys
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream

SECRETS = ("first secret of at least 32 bytes", "other secret of at least 32 bytes")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def service(name: str) -> Iterator[str]:
    """Answers with its name and the rule it was told; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = f"{name} {self.headers.get('x-huidu-rule', '-')}".encode()
            self.send_response(500 if self.path == "/broken" else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class Front:
    def __init__(self, gateway: EnvoyGateway, port: int, process: "subprocess.Popen[bytes]"):
        self.gateway, self.port, self.process = gateway, port, process

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, **headers: str) -> str:
        with closing(self.connect()) as connection:
            return text_of(connection, headers)

    def lines(self, count: int) -> list[dict[str, Any]]:
        """The log, when it has that many lines."""
        path = self.gateway.places.gateway_log
        assert until(lambda: len(path.read_text().splitlines()) >= count, 3.0)
        return [json.loads(line) for line in path.read_text().splitlines()]

    def stat(self, name: str) -> int:
        return int(self.gateway._folder.stat(name) or 0)


def text_of(connection: http.client.HTTPConnection, headers: dict[str, str]) -> str:
    connection.request("GET", "/", headers=headers)
    return connection.getresponse().read().decode()


@contextmanager
def front(folder: Path, routes: Routes, **place: Any) -> Iterator[Front]:
    port = free_port()
    gateway = EnvoyGateway(Places(folder), Place("127.0.0.1", port, **place), workers=1)
    gateway.prepare(routes)
    process = subprocess.Popen(gateway.command(), stderr=subprocess.DEVNULL)
    try:
        assert gateway.applied(routes.generation, 10.0)
        assert until(lambda: accepts(port), 5.0)
        yield Front(gateway, port, process)
    finally:
        process.terminate()
        process.wait()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.fixture
def upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    with service("v1") as stable, service("v2") as candidate:
        yield Upstream("v1", (stable,)), Upstream("v2", (candidate,))


def serving(generation: int, upstreams: tuple[Upstream, ...], **more: Any) -> Routes:
    audience = more.pop("audience", Audience(include=(CookieRule("in"),)))
    return Routes(generation, "v1", upstreams, release=1, candidate="v2", audience=audience, **more)


def keys(secret: str) -> str:
    return checked_keys(json.dumps({"keys": [json.loads(jwt.algorithms.HMACAlgorithm.to_jwk(secret))]}))


def token(secret: str) -> str:
    return jwt.encode({"iss": "sso", "role": "tester", "exp": int(time.time()) + 60}, secret, "HS256")


def audience_of_testers(secret: str) -> Audience:
    return Audience(include=(ClaimRule("role", ("tester",)),), jwt=Jwt(keys(secret), "sso", ("header", "cookie:sso")))


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    (configuration,) = document["resources"]
    (host,) = configuration["virtual_hosts"]
    change(host)
    return document


def test_routes_that_envoy_refuses_are_an_error_and_those_before_go_on(
    tmp_path: Path, upstreams: tuple[Upstream, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with front(tmp_path, serving(1, upstreams)) as gate:
        honest = gate.gateway._document

        def to_nowhere(routes: Routes) -> dict[str, Any]:
            return changed(honest(routes), lambda host: host["routes"][-1]["route"].update(cluster="nowhere"))

        monkeypatch.setattr(gate.gateway, "_document", to_nowhere)
        with pytest.raises(UnavailableError, match=r"Envoy refused rds.json of version 2 .*accepted:"):
            gate.gateway.swap(serving(2, upstreams), fence=0)
        known = gate.gateway.routes()
        assert known is not None
        assert known.generation == 1
        assert gate.get() == "v1 rest"
        monkeypatch.setattr(gate.gateway, "_document", honest)
        gate.gateway.swap(serving(3, upstreams), fence=0)
        assert gate.gateway.applied(3, 1.0)


def test_a_bootstrap_that_envoy_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    gateway = EnvoyGateway(Places(tmp_path), Place("no address", 1))
    with pytest.raises(InvalidError, match=r"malformed IP address: no address.*; accepted:"):
        gateway.prepare(Routes(1, "v1", (Upstream("v1", ("127.0.0.1:1",)),)))
    assert not (tmp_path / "gateway" / "bootstrap.json").exists()


def test_a_policy_that_fails_sends_nobody_to_the_candidate(
    tmp_path: Path, upstreams: tuple[Upstream, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with front(tmp_path, serving(1, upstreams, share_bp=10_000)) as gate:
        assert gate.get() == "v2 share"
        honest = gate.gateway._document

        def failing(routes: Routes) -> dict[str, Any]:
            def fail(host: dict[str, Any]) -> None:
                (program,) = host["typed_per_filter_config"].values()
                program["source_code"]["inline_string"] = "function envoy_on_request(handle) error('broken') end"

            return changed(honest(routes), fail)

        monkeypatch.setattr(gate.gateway, "_document", failing)
        gate.gateway.swap(serving(2, upstreams, share_bp=10_000), fence=0)
        assert until(lambda: gate.get() == "v1 -", 2.0)


def test_keys_change_under_an_open_connection_and_without_a_new_listener(
    tmp_path: Path, upstreams: tuple[Upstream, ...]
) -> None:
    first, other = ({"authorization": f"Bearer {token(secret)}"} for secret in SECRETS)
    with (
        front(tmp_path, serving(1, upstreams, audience=audience_of_testers(SECRETS[0]))) as gate,
        closing(gate.connect()) as kept,
    ):
        assert text_of(kept, first) == "v2 included"
        assert text_of(kept, other) == "v1 rest"
        # The first that is valid counts, wherever it stands.
        assert text_of(kept, other | {"cookie": f"sso={token(SECRETS[0])}"}) == "v2 included"
        mine = kept.sock
        gate.gateway.swap(serving(2, upstreams, audience=audience_of_testers(SECRETS[1])), fence=0)
        assert until(lambda: text_of(kept, other) == "v2 included", 2.0)
        assert text_of(kept, first) == "v1 rest"
        assert kept.sock is mine
        assert gate.stat("listener_manager.listener_added") == 1
        assert gate.stat("listener_manager.listener_modified") == 0


def test_one_dead_address_of_several_costs_the_candidate_no_user(
    tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    stable, candidate = upstreams
    several = Upstream("v2", (candidate.addresses[0], f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"))
    with front(tmp_path, serving(1, (stable, several), share_bp=10_000)) as gate:
        assert until(lambda: gate.stat("cluster.version_v2.membership_healthy") == 1, 5.0)
        assert {gate.get() for _ in range(30)} == {"v2 share"}
        assert {line["attempts"] for line in gate.lines(30)} == {1}


def test_a_candidate_that_is_unwell_at_all_addresses_is_still_tried_first(
    tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    """Otherwise the stable version would take its users without a bound."""
    stable, candidate = upstreams
    unwell = Upstream("v2", (candidate.addresses[0], f"127.0.0.1:{free_port()}"), health="/broken")
    with front(tmp_path, serving(1, (stable, unwell), share_bp=10_000)) as gate:
        assert until(lambda: gate.stat("cluster.version_v2.membership_healthy") == 0, 5.0)
        assert {gate.get() for _ in range(20)} == {"v2 share", "v1 share"}
        tried = {(line["served_by"], line["attempts"]) for line in gate.lines(20)}
        assert tried == {("v2", 1), ("v1", 2)}


def test_what_is_shown_holds_no_secret(tmp_path: Path, upstreams: tuple[Upstream, ...]) -> None:
    gateway = EnvoyGateway(Places(tmp_path), Place("127.0.0.1", 1))
    audience = Audience(volunteers_only=True, jwt=Jwt(keys(SECRETS[0]), None, ("header",)))
    routes = serving(1, upstreams, audience=audience)
    gateway.prepare(routes)
    shown = json.dumps(gateway.rendered(routes))
    key = json.loads(keys(SECRETS[0]))["keys"][0]["k"]
    assert gateway.secret() not in shown
    assert key not in shown
    assert key in (tmp_path / "gateway" / "envoy" / "tokens" / "ecds.json").read_text()


# ------------------------------------------------------------------ sockets of services that cannot tell


def vanish(connection: socket.socket) -> None:
    """Breaks a connection without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def obey(stream: ServerConnection) -> None:
    """A service that echoes, and ends as it is asked."""
    with suppress(ConnectionClosed):
        for message in stream:
            match message:
                case "close":
                    stream.close(1011, "broken")
                case "vanish":
                    vanish(stream.socket)
                case "end":
                    stream.socket.shutdown(socket.SHUT_RDWR)
                case "mute":
                    pass
                case _:
                    stream.send(message)


@contextmanager
def sockets(folder: Path, managed: bool = False) -> Iterator[Front]:
    """A gateway before a candidate that speaks WebSocket and gets everybody."""
    with serve(obey, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.socket.getsockname()[1]}"
        upstreams = tuple(Upstream(version, (address,), managed=managed) for version in ("v1", "v2"))
        with front(folder, serving(1, upstreams, share_bp=10_000)) as gate:
            yield gate


def stream_to(gate: Front) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{gate.port}/ws", compression=None, legacy=True)


def ends(gate: Front, number: int) -> list[dict[str, Any]]:
    """The lines of so many sockets that ended."""
    path = gate.gateway.places.gateway_log

    def found() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if line["kind"] == "socket" and "open" not in line]

    assert until(lambda: len(found()) >= number, 5.0)
    return found()


def opens(gate: Front) -> list[dict[str, Any]]:
    text = gate.gateway.places.gateway_log.read_text()
    return [line for line in map(json.loads, text.splitlines()) if "open" in line]


SEEN = ("close_code", "closed_by", "frames_up", "frames_down")


def test_the_log_tells_how_each_socket_ended_and_by_whom(tmp_path: Path) -> None:
    def asks(word: str) -> Callable[[ClientConnection], None]:
        def end(stream: ClientConnection) -> None:
            stream.send(word)
            with suppress(ConnectionClosed):
                stream.recv()

        return end

    cases: dict[str, tuple[Callable[[ClientConnection], None], tuple[Any, ...]]] = {
        "service closes": (asks("close"), (1011, "service", 3, 2)),
        "service resets": (asks("vanish"), (1006, "service", 3, 2)),
        "service ends": (asks("end"), (1006, "service", 3, 2)),
        "client closes": (lambda stream: stream.close(4000), (4000, "client", 2, 2)),
        "client closes without a code": (_close_without_code, (1005, "client", 2, 2)),
        "client resets": (lambda stream: vanish(stream.socket), (1006, "client", 2, 2)),
        "client ends": (lambda stream: stream.socket.shutdown(socket.SHUT_RDWR), (1006, "client", 2, 2)),
    }
    with sockets(tmp_path) as gate:
        for number, (name, (end, meant)) in enumerate(cases.items(), 1):
            stream = stream_to(gate)
            for message in ("a", b"x" * 70_000):
                stream.send(message)
                assert stream.recv() == message
            stream.ping().wait(5)
            end(stream)
            line = ends(gate, number)[-1]
            assert tuple(line[key] for key in SEEN) == meant, name
            assert 0 <= line["first_message_ms"] < 1000
            assert (line["status"], line["service_ms"], line["upload_ms"]) == (101, None, None)
            assert line["bytes_up"] > 70_000 < line["bytes_down"]


def _close_without_code(stream: ClientConnection) -> None:
    stream.socket.sendall(Frame(Opcode.CLOSE, b"").serialize(mask=True))
    with suppress(ConnectionClosed):
        stream.recv()


def test_frames_that_come_byte_by_byte_are_counted(tmp_path: Path) -> None:
    with sockets(tmp_path) as gate:
        stream = stream_to(gate)
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for payload in (b"short", b"x" * 300):
            for each in Frame(Opcode.TEXT, payload).serialize(mask=True):
                stream.socket.sendall(bytes([each]))
            assert stream.recv() == payload.decode()
        stream.close(1000)
        (line,) = ends(gate, 1)
        assert tuple(line[key] for key in SEEN) == (1000, "client", 2, 2)


def test_a_service_that_never_says_anything_is_seen_while_its_sockets_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_module, "OPEN_SOCKET_INTERVAL", "0.3s")
    with sockets(tmp_path) as gate:
        stream = stream_to(gate)
        for _ in range(5):
            stream.send("mute")
        assert until(lambda: len(opens(gate)) >= 2, 5.0)
        line = opens(gate)[-1]
        assert (line["open"], line["kind"], line["status"]) == (True, "socket", 101)
        assert tuple(line[key] for key in (*SEEN, "first_message_ms")) == (None, None, 5, 0, None)
        assert line["bytes_up"] >= 5 * len("mute")
        assert line["ms"] >= 300
        # Another request that takes its time is no socket.
        with closing(gate.connect()) as upload:
            upload.putrequest("POST", "/asr")
            upload.putheader("content-length", "1000")
            upload.endheaders(b"half")
            before = len(opens(gate))
            assert until(lambda: len(opens(gate)) >= before + 2, 5.0)
        assert {line["kind"] for line in opens(gate)} == {"socket"}
        written = gate.gateway.written()
        stream.close(1000)
        ends(gate, 1)
        # Each line counts, also those of open sockets.
        assert written is not None
        path = gate.gateway.places.gateway_log
        assert until(
            lambda: (now := gate.gateway.written()) is not None and now.lines == len(path.read_text().splitlines()), 3.0
        )


def test_sockets_of_our_own_instances_are_left_to_their_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "OPEN_SOCKET_INTERVAL", "0.2s")
    with sockets(tmp_path, managed=True) as gate:
        stream = stream_to(gate)
        began = time.monotonic()
        while time.monotonic() < began + 0.5:
            stream.send("a")
            assert stream.recv() == "a"
        stream.close(4000)
        (line,) = ends(gate, 1)
        assert [line[key] for key in (*SEEN, "first_message_ms")] == [None] * 5
        assert line["bytes_up"] > 0
        assert opens(gate) == []


def test_what_is_no_websocket_passes_and_nothing_is_made_up(tmp_path: Path) -> None:
    with sockets(tmp_path) as gate:
        stream = stream_to(gate)
        stream.socket.sendall(b"no frame at all" * 100)
        with suppress(ConnectionClosed):
            stream.recv()
        (line,) = ends(gate, 1)
        assert tuple(line[key] for key in ("close_code", "closed_by", "frames_up")) == (None, None, None)


def test_sockets_that_the_gateway_itself_ends_are_nobodys_doing(tmp_path: Path) -> None:
    with sockets(tmp_path) as gate:
        stream = stream_to(gate)
        stream.send("mute")
        time.sleep(0.1)
        gate.process.terminate()
        gate.process.wait()
        (line,) = ends(gate, 1)
        assert (line["close_code"], line["closed_by"]) == (1006, None)
        stream.socket.close()


# ------------------------------------------------------------------ its log and a candidate that hangs


def test_a_log_that_cannot_be_written_shows_as_failures(tmp_path: Path, upstreams: tuple[Upstream, ...]) -> None:
    with front(tmp_path, serving(1, upstreams)) as gate:
        log = gate.gateway.places.gateway_log

        def failures() -> int:
            written = gate.gateway.written()
            assert written is not None
            return written.failures

        gate.get()
        assert failures() == 0
        for spoil in (_put_a_folder, _put_a_full_disk):
            known = failures()
            log.unlink(missing_ok=True)
            spoil(log)
            assert gate.gateway.reopen_log()
            gate.get()
            assert until(lambda: failures() > known, 3.0)  # noqa: B023
            if log.is_dir():
                log.rmdir()
        log.unlink()
        assert gate.gateway.reopen_log()
        gate.get()
        gate.lines(1)


def _put_a_folder(log: Path) -> None:
    log.mkdir()


def _put_a_full_disk(log: Path) -> None:
    log.symlink_to("/dev/full")


def test_an_upload_to_a_stopped_candidate_ends_in_bounded_time(
    tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    """SIGSTOP of a real process, which takes connections all the same, and nothing that fills its buffers."""
    port = free_port()
    script = f"import http.server as h; h.ThreadingHTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler)"
    process = subprocess.Popen([sys.executable, "-c", f"{script}.serve_forever()"], stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: accepts(port), 10.0)
        routes = serving(1, (upstreams[0], Upstream("v2", (f"127.0.0.1:{port}",))), share_bp=10_000)
        with front(tmp_path, routes, hang_after_seconds=0.5, retry_body_bytes=8_000) as gate:
            os.kill(process.pid, signal.SIGSTOP)
            with closing(gate.connect()) as connection:
                began = time.monotonic()
                # Whoever still sends may be cut before the answer is read.
                with suppress(ConnectionError):
                    connection.request("POST", "/asr", body=b"x" * 20_000_000)
                # Half a second and one more; the kernel looks at connections now and then.
                assert 1.0 < time.monotonic() - began < 8.0
            (line,) = gate.lines(1)
            # What is kept for a second try is less than that.
            assert (line["version"], line["status"], line["upload_ms"]) == ("v2", 503, None)
    finally:
        process.kill()
        process.wait()
