"""What only Envoy can get wrong, on the real one. What both gateways promise is in tests/contract."""

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

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
    def __init__(self, gateway: EnvoyGateway, port: int):
        self.gateway, self.port = gateway, port

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
def front(folder: Path, routes: Routes) -> Iterator[Front]:
    port = free_port()
    gateway = EnvoyGateway(Places(folder), Place("127.0.0.1", port), workers=1)
    gateway.prepare(routes)
    process = subprocess.Popen(gateway.command(), stderr=subprocess.DEVNULL)
    try:
        assert gateway.applied(routes.generation, 10.0)
        assert until(lambda: accepts(port), 5.0)
        yield Front(gateway, port)
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
