"""The nginx adapter over the real nginx: who gets what, fallback, hanging candidates, tokens, the log."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from disks import full, small_disk
from fronts import accepts, free_port, until

from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.adapters.gateways.nginx.swap import NginxFolder
from huidu.adapters.gateways.place import Place, Tls
from huidu.core.audience import Audience, ClaimRule, HeaderRule, Request, decide
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.jwt import Jwt, checked_keys, volunteer_keys
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.ports import FenceError, Written


class Backend:
    """A plain HTTP server that says its name and what it got; `mode` makes it fail in one way or another."""

    def __init__(self, name: str, tls: ssl.SSLContext | None = None):
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self._answer(hashlib.md5(body).hexdigest())

            def do_GET(self) -> None:
                self._answer("")

            do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815

            def _answer(self, digest: str) -> None:
                backend.seen += 1
                if self.headers.get("upgrade") and backend.mode == "ok":
                    self._echo()
                    return
                if backend.mode == "slow":
                    time.sleep(backend.seconds)
                if backend.mode == "hang":
                    backend.released.wait(20)
                if backend.mode in ("reset", "hang"):
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    self.close_connection = True
                    return
                body = json.dumps(
                    {
                        "name": name,
                        "md5": digest,
                        "method": self.command,
                        "path": self.path,
                        "headers": [[key.lower(), value] for key, value in self.headers.items()],
                    }
                ).encode()
                self.send_response(backend.status)
                self.send_header("content-length", str(len(body)))
                self.send_header("x-audio-seconds", "1.5")
                if backend.chars is not None:
                    self.send_header("x-huidu-chars", backend.chars)
                self.end_headers()
                if backend.mode == "pause":
                    self.wfile.write(body[:1])
                    time.sleep(backend.seconds)
                    body = body[1:]
                self.wfile.write(body)

            def _echo(self) -> None:
                self.send_response(101)
                self.send_header("upgrade", "websocket")
                self.send_header("connection", "upgrade")
                self.end_headers()
                self.wfile.write(name.encode())
                while data := self.connection.recv(4096):
                    self.wfile.write(data)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.status, self.mode, self.seconds, self.seen = 200, "ok", 1.0, 0
        self.chars: str | None = None
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients that leave are no news."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def name(self) -> str:
        return str(self.json()["name"])

    def got(self, name: str) -> str | None:
        """A header as the backend got it; several joined."""
        values = [value for key, value in self.json()["headers"] if key == name]
        return ",".join(values) if values else None


@dataclass
class Front:
    """A running gateway with two backends."""

    gateway: NginxGateway
    places: Places
    place: Place
    routes: Routes
    stable: Backend
    candidate: Backend
    process: "subprocess.Popen[bytes]"

    @property
    def folder(self) -> NginxFolder:
        return NginxFolder(self.places)

    def swap(self, routes: Routes, fence: int = 0) -> Routes:
        current = self.gateway.routes()
        assert current is not None
        fresh = replace(routes, generation=current.generation + 2)
        self.gateway.swap(fresh, fence)
        assert self.gateway.applied(fresh.generation, 5.0)
        return fresh

    def serve(self, share_bp: int = 10_000, **changes: Any) -> Routes:
        serving = replace(self.routes, release=7, candidate="v2", share_bp=share_bp, expires_at=time.time() + 600)
        return self.swap(replace(serving, **changes))

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        headers: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
        connection: HTTPConnection | None = None,
    ) -> Answer:
        used = connection or HTTPConnection("127.0.0.1", self.place.listen_port, timeout=30)
        named = any(name == "Host" for name, _ in headers or [])
        used.putrequest(method, path, skip_accept_encoding=True, skip_host=named)
        for name, value in headers or []:
            used.putheader(name, value.encode("utf-8", "surrogateescape"))
        if body is not None:
            used.putheader("content-length", str(len(body)))
        try:
            used.endheaders(body)
            return _answer(used.getresponse())
        finally:
            if connection is None:
                used.close()

    def lines(self) -> list[dict[str, Any]]:
        if not self.places.gateway_log.exists():
            return []
        return [json.loads(line) for line in self.places.gateway_log.read_text().splitlines()]

    def line(self, request_id: str | None) -> dict[str, Any]:
        """The log line of a request, once it is written."""
        until(lambda: any(line["request_id"] == request_id for line in self.lines()))
        (found,) = [line for line in self.lines() if line["request_id"] == request_id]
        return found


def _answer(response: HTTPResponse) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers[name.lower()] = f"{headers[name.lower()]}\n{value}" if name.lower() in headers else value
    return Answer(response.status, headers, response.read())


@contextmanager
def started(gateway: NginxGateway, routes: Routes, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    gateway.prepare(routes)
    process = subprocess.Popen(gateway.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until(lambda: accepts(port) or process.poll() is not None)
        until(lambda: gateway.applied(1, 0.0))
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def running(folder: Path, **changes: Any) -> Iterator[Front]:
    stable, candidate = Backend("v1"), Backend("v2")
    place = Place("127.0.0.1", free_port(), **({"hang_after_seconds": 1.0} | changes))
    places = Places(folder)
    gateway = NginxGateway(places, place, workers=2)
    routes = Routes(1, "v1", (Upstream("v1", (stable.address,)), Upstream("v2", (candidate.address,))))
    try:
        with started(gateway, routes, place.listen_port) as process:
            yield Front(gateway, places, place, routes, stable, candidate, process)
            errors = folder / "gateway" / "nginx" / "error.log"
            assert "huidu:" not in errors.read_text()
    finally:
        stable.close()
        candidate.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Front]:
    """One that no busy machine keeps waiting for too long."""
    with running(tmp_path, hang_after_seconds=30.0) as found:
        yield found


# ---------------------------------------------------------------------- who gets what


def test_a_state_that_nginx_refuses_stays_out(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.serve(10_000)
    before = front.gateway.routes()
    assert before is not None
    monkeypatch.setattr(front.gateway, "_document", lambda routes: {"generation": routes.generation})
    with pytest.raises(UnavailableError, match=f"goes on with {before.generation}; accepted"):
        front.gateway.swap(replace(before, generation=before.generation + 1, share_bp=0), 0)
    assert front.gateway.routes() == before
    assert front.ask("GET", "/").name == "v2"


def test_a_request_reaches_its_version_as_it_was_sent(front: Front) -> None:
    for share_bp, name in ((0, "v1"), (10_000, "v2")):
        front.serve(share_bp)
        answer = front.ask("PUT", "/a%2Fb//c/./d?x=%20&y", [("Host", "Example.org:99")], b"audio")
        assert (answer.name, answer.got("host")) == (name, "Example.org:99")
        assert answer.json()["path"] == "/a%2Fb//c/./d?x=%20&y"
        assert answer.json()["md5"] == hashlib.md5(b"audio").hexdigest()
        assert answer.got("x-huidu-rule") == ("share" if name == "v2" else "rest")
        assert (answer.got("x-huidu-release"), answer.got("x-huidu-attempt")) == ("7", "1")
        assert (answer.got("x-forwarded-for"), answer.got("x-forwarded-proto")) == ("127.0.0.1", "http")
        assert answer.headers["x-huidu-generation"] == str(front.folder.in_force())
        assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
        uid = answer.headers["set-cookie"].removeprefix("huidu_uid=").split(";")[0]
        again = front.ask(headers=[("Cookie", f"huidu_uid={uid}")])
        assert "set-cookie" not in again.headers
        assert again.got("x-huidu-unit") == answer.got("x-huidu-unit")
        assert uid not in front.places.gateway_log.read_text()


def test_names_of_ours_that_a_client_sends_are_dropped(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("http.client._MAXHEADERS", 1000)
    front.serve(0)
    filler = [(f"a-{number}", "1") for number in range(150)]
    forged = [("x-huidu-side", "c"), ("X-HUIDU-Rule", "included"), ("x_huidu_unit", "u"), ("X-Envoy-Max-Retries", "3")]
    answer = front.ask(headers=[*filler, *forged, ("X-Request-Id", "mine"), ("x-huidu-release", "99")])
    names = [name for name, _ in answer.json()["headers"]]
    assert answer.name == "v1"
    assert answer.got("x-huidu-rule") == "rest"
    assert answer.got("x-huidu-release") == "7"
    assert answer.got("x-request-id") != "mine"
    assert not any("_" in name or name.startswith("x-envoy") or name == "x-huidu-side" for name in names)
    assert sum(name.startswith("a-") for name in names) == 150


def test_a_share_ends_by_itself_when_its_time_is_over(front: Front) -> None:
    front.serve(10_000, expires_at=time.time() + 1)
    assert front.ask().name == "v2"
    until(lambda: front.ask().name == "v1")
    assert front.ask().got("x-huidu-rule") == "expired"


# ---------------------------------------------------------------------- tokens


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _signed(header: Any, claims: Any, sign: Callable[[bytes], bytes]) -> str:
    text = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{text}.{_b64(sign(text.encode()))}"


class Keys:
    """One key of each kind, and tokens signed with them."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"a secret of more than sixteen bytes"
        rsa_numbers, ec_numbers = self.rsa.public_key().public_numbers(), self.ec.public_key().public_numbers()
        self.jwks = checked_keys(
            json.dumps(
                {
                    "keys": [
                        {"kty": "RSA", "kid": "r", "n": _number(rsa_numbers.n), "e": _number(rsa_numbers.e)},
                        {"kty": "EC", "crv": "P-256", "x": _number(ec_numbers.x, 32), "y": _number(ec_numbers.y, 32)},
                        {"kty": "oct", "kid": "h", "k": _b64(self.secret)},
                    ]
                }
            )
        )

    def rs256(self, text: bytes) -> bytes:
        return self.rsa.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def es256(self, text: bytes) -> bytes:
        r, s = decode_dss_signature(self.ec.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def hs256(self, text: bytes) -> bytes:
        return hmac.new(self.secret, text, "sha256").digest()


def _number(value: int, length: int | None = None) -> str:
    return _b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def test_only_valid_tokens_count(front: Front) -> None:
    keys = Keys()
    tester = ClaimRule("role", ("tester",))
    jwt = Jwt(keys.jwks, "sso", ("header", "cookie:sso_token"))
    front.serve(0, audience=Audience(include=(tester,), jwt=jwt))
    now = int(time.time())
    good = {"sub": "ann", "role": ["a", "tester"], "iss": "sso", "exp": now + 600}
    public = keys.rsa.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signers = {"RS256": keys.rs256, "ES256": keys.es256, "HS256": keys.hs256}
    accepted = [_signed({"alg": name}, good, sign) for name, sign in signers.items()]
    accepted += [_signed({"alg": "RS256", "kid": "r"}, good, keys.rs256) for _ in range(2)]
    # The key without a name may be meant by any name.
    accepted += [_signed({"alg": "ES256", "kid": "unknown"}, good, keys.es256)]
    accepted += [_signed({"alg": "HS256"}, good | {"nbf": now + 1}, keys.hs256)]

    def hs(claims: Any, header: Any = None) -> str:
        return _signed({"alg": "HS256"} if header is None else header, claims, keys.hs256)

    refused = [
        _signed({"alg": "RS256", "kid": "h"}, good, keys.rs256),
        _signed({"alg": "none"}, good, lambda _: b""),
        _signed({"alg": "HS256"}, good, lambda text: hmac.new(public, text, "sha256").digest()),
        _signed({"alg": "HS256"}, good, keys.rs256),
        _signed({"alg": "RS256"}, good, keys.hs256),
        _signed({"alg": "ES256"}, good, lambda text: keys.ec.sign(text, ec.ECDSA(hashes.SHA256()))),
        _signed({"alg": "ES256"}, good, lambda _: bytes(64)),
        hs(good, {"alg": ["HS256"]}),
        hs(good, {"alg": "HS256", "kid": 5}),
        hs(good, ["HS256"]),
        hs(good, {}),
        hs(good | {"exp": now - 5}),
        hs({name: value for name, value in good.items() if name != "exp"}),
        hs(good | {"exp": "soon"}),
        hs(good | {"exp": None}),
        hs(good | {"nbf": now + 60}),
        hs(good | {"iss": "other"}),
        hs({name: value for name, value in good.items() if name != "iss"}),
        hs(good | {"role": "tester\r\nx-evil: 1"}),
        hs(good | {"sub": "a\nb"}),
        hs([good]),
        accepted[0][:-4] + "AAAA",
        accepted[0] + ".x",
        "sk-an-api-key",
        "..",
        "a.b.c",
        "x" * 20_000,
    ]
    for token in accepted:
        answer = front.ask(headers=[("Authorization", f"Bearer {token}")])
        assert (answer.name, answer.got("authorization")) == ("v2", f"Bearer {token}"), token
        assert front.ask(headers=[("Cookie", f"a=b; sso_token={token}")]).name == "v2"
        assert front.ask(headers=[("Authorization", "Bearer nonsense"), ("Cookie", f"sso_token={token}")]).name == "v2"
    for token in refused:
        answer = front.ask(headers=[("Authorization", f"Bearer {token}")])
        assert (answer.status, answer.name, answer.got("x-huidu-rule")) == (200, "v1", "rest"), token
        assert "huidu_uid" in answer.headers["set-cookie"]
    # Remembered, but not longer than it holds.
    short = hs(good | {"exp": int(time.time())})
    until(lambda: front.ask(headers=[("Authorization", f"Bearer {short}")]).name == "v1")
    # The unit is the subject, whatever it is written in.
    named = hs(good | {"sub": "张三", "role": "none"})
    unit = front.ask(headers=[("Authorization", f"Bearer {named}")]).got("x-huidu-unit")
    routes = front.gateway.routes()
    assert routes is not None
    request = Request(claims={"sub": "张三"})
    assert unit == decide(request, routes, front.gateway.secret(), time.time(), "").unit


def test_volunteers_are_known_by_a_signed_cookie(front: Front) -> None:
    front.serve(10_000, audience=Audience(volunteers_only=True))
    key = json.loads(volunteer_keys(front.gateway.secret()))["keys"][0]["k"]
    secret = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))

    def cookie(issuer: str, exp: float, secret: bytes = secret) -> list[tuple[str, str]]:
        token = _signed(
            {"alg": "HS256"}, {"iss": issuer, "exp": exp}, lambda text: hmac.new(secret, text, "sha256").digest()
        )
        return [("Cookie", f"huidu_volunteer={token}")]

    later = time.time() + 60
    assert front.ask(headers=cookie("huidu", later)).name == "v2"
    for headers in ([], cookie("sso", later), cookie("huidu", time.time() - 9), cookie("huidu", later, b"guessed")):
        answer = front.ask(headers=headers)
        assert (answer.name, answer.got("x-huidu-rule")) == ("v1", "not_volunteer")


# ---------------------------------------------------------------------- fallback


@pytest.mark.parametrize("mode", ["refuses", "503", "reset", "hang"])
def test_stable_serves_what_the_candidate_cannot(front: Front, mode: str) -> None:
    changes: dict[str, Any] = {}
    if mode == "refuses":
        nobody = Upstream("v2", (f"127.0.0.1:{free_port()}",))
        changes["upstreams"] = (front.routes.upstreams[0], nobody)
    elif mode == "503":
        front.candidate.status = 503
    else:
        front.candidate.mode = mode
    front.serve(**changes)
    # A hang is told after a second for each 8 kB.
    sizes = (4000, 0) if mode == "hang" else (100_000, 5_000_000)
    for method, size in (("GET", 0), ("POST", 1), ("PUT", sizes[0]), ("DELETE", 0), ("POST", sizes[1])):
        body = os.urandom(size)
        answer = front.ask(method, "/x%20y?z", body=body if size or method == "POST" else None)
        assert (answer.status, answer.name, answer.json()["method"]) == (200, "v1", method)
        assert answer.json()["path"] == "/x%20y?z"
        assert answer.json()["md5"] == (hashlib.md5(body).hexdigest() if method != "GET" else "")
        assert answer.got("x-huidu-attempt") == "2"
        line = front.line(answer.got("x-request-id"))
        assert (line["version"], line["served_by"], line["attempts"], line["status"]) == ("v2", "v1", 2, 200)
        assert (line["ms"] >= 1000) == (mode == "hang")
    until(lambda: front.gateway.in_flight("v2") == 0 and front.gateway.in_flight("v1") == 0)
    assert front.folder.status()["fallbacks"] == 0


def test_other_errors_of_the_candidate_pass_through(front: Front) -> None:
    front.serve()
    for status in (400, 404, 413, 418, 429, 500, 501):
        front.candidate.status = status
        answer = front.ask("POST", body=b"x")
        assert (answer.status, answer.name) == (status, "v2")
    front.candidate.status, front.stable.status = 503, 502
    answer = front.ask()
    assert (answer.status, answer.name) == (502, "v1")


def test_a_large_upload_is_not_tried_again(tmp_path: Path) -> None:
    with running(tmp_path, retry_body_bytes=100_000) as front:
        front.serve()
        front.candidate.status = 503
        assert front.ask("POST", body=bytes(100_000)).name == "v1"
        answer = front.ask("POST", body=bytes(100_001))
        assert (answer.status, answer.json()["error"], answer.headers["retry-after"]) == (503, "unavailable", "1")
        until(lambda: any(line["status"] == 503 for line in front.lines()))
        (line,) = [line for line in front.lines() if line["status"] == 503]
        assert (line["version"], line["served_by"], line["attempts"]) == ("v2", "v2", 1)


def test_only_so_many_fall_back_at_a_time(tmp_path: Path) -> None:
    with running(tmp_path, max_fallbacks=3) as front:
        front.serve()
        front.candidate.status = 503
        front.stable.mode, front.stable.seconds = "slow", 1.0
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(front.ask().status)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] * 3 + [503] * 9
        assert front.ask().status == 200


def test_an_answer_that_pauses_is_cut_where_it_is_the_candidates(front: Front) -> None:
    for backend in (front.stable, front.candidate):
        backend.mode, backend.seconds = "pause", 2.0
    front.serve(0)
    assert front.ask().name == "v1"
    front.serve()
    with pytest.raises(HTTPException):
        front.ask()
    front.candidate.seconds = 0.5
    assert front.ask().name == "v2"


def test_a_long_upload_is_waited_for_longer(front: Front) -> None:
    front.serve()
    front.candidate.mode, front.candidate.seconds = "slow", 1.6
    # One second, and one for each 8 kB.
    assert front.ask("POST", body=bytes(8_000)).name == "v2"
    assert front.ask("POST", body=bytes(800)).name == "v1"
    with socket.create_connection(("127.0.0.1", front.place.listen_port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        client.sendall(b"1f40\r\n" + bytes(8_000) + b"\r\n0\r\n\r\n")
        assert b'"name": "v2"' in _all(client)


def test_a_slow_stable_version_is_not_cut(front: Front) -> None:
    front.serve(0)
    front.stable.mode, front.stable.seconds = "slow", 2.0
    assert front.ask().name == "v1"
    front.serve()
    front.candidate.mode = "hang"
    started_at = time.monotonic()
    assert front.ask().name == "v1"
    assert 2.9 < time.monotonic() - started_at < 4.5


def test_a_slow_upload_does_not_fail_over(front: Front) -> None:
    front.serve()
    with socket.create_connection(("127.0.0.1", front.place.listen_port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        for byte in b"data":
            time.sleep(0.5)
            client.sendall(bytes([byte]))
        assert b'"name": "v2"' in _all(client)


def _all(client: socket.socket) -> bytes:
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def _upgraded(front: Front) -> tuple[socket.socket, str]:
    client = socket.create_connection(("127.0.0.1", front.place.listen_port), timeout=10)
    client.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    received = b""
    while not received.endswith((b"v1", b"v2")):
        data = client.recv(4096)
        assert data, received
        received += data
    assert received.startswith(b"HTTP/1.1 101")
    return client, received[-2:].decode()


def test_sockets_stay_on_their_version_and_fall_back_at_the_upgrade(front: Front) -> None:
    front.serve()
    first, name = _upgraded(front)
    assert (name, front.gateway.in_flight("v2")) == ("v2", 1)
    front.candidate.mode = "reset"
    second, name = _upgraded(front)
    assert name == "v1"
    front.swap(front.routes)
    # Longer than a candidate is waited for: silence is nothing that ends a socket.
    time.sleep(1.5)
    for client in (first, second):
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
    assert (front.gateway.in_flight("v2"), front.gateway.in_flight("v1")) == (1, 1)
    for client in (first, second):
        client.close()
    until(lambda: (front.gateway.in_flight("v2"), front.gateway.in_flight("v1")) == (0, 0))


# ---------------------------------------------------------------------- several addresses, names, HTTPS


def test_requests_go_round_the_addresses_that_work(front: Front) -> None:
    other = Backend("other")
    dead = f"127.0.0.1:{free_port()}"
    try:
        both = Upstream("v1", (front.stable.address, dead, f"localhost:{other.port}"))
        front.swap(replace(front.routes, upstreams=(both,)))
        names = [front.ask("POST", body=b"x").name for _ in range(40)]
        assert {names.count("v1") > 10, names.count("other") > 10} == {True}
        # The candidate's other address serves while one is down; each failure falls back meanwhile.
        both = Upstream("v2", (other.address, dead), health="/healthz")
        front.serve(upstreams=(front.routes.upstreams[0], both))
        until(lambda: dead in front.folder.status()["left_out"])
        time.sleep(0.2)
        assert {front.ask().name for _ in range(20)} == {"other"}
    finally:
        other.close()


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now, day = datetime.now(UTC), timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate, private


def test_https_upstreams_are_verified_and_mix_with_plain_ones(front: Front, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "good")
    wrong, _ = _certificate(tmp_path, "wrong")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure = Backend("secure", context)
    try:
        plain = front.routes.upstreams[0]
        trusted = Upstream("v2", (f"localhost:{secure.port}",), tls=True, ca=str(certificate))
        front.serve(upstreams=(plain, trusted))
        until(lambda: front.ask().name == "secure")
        front.swap(replace(front.routes, stable="v2", upstreams=(trusted, plain)))
        assert front.ask().name == "secure"
        # Falling back from plain HTTP to HTTPS.
        front.stable.status = 503
        front.serve(stable="v2", candidate="v1", upstreams=(trusted, plain))
        assert front.ask("POST", body=b"x").name == "secure"
        front.stable.status = 200
        front.serve(upstreams=(plain, replace(trusted, ca=str(wrong))))
        until(lambda: front.ask().name == "v1")
        with pytest.raises(InvalidError, match=r"nothing\.pem"):
            front.serve(upstreams=(plain, replace(trusted, ca=str(tmp_path / "nothing.pem"))))
        assert front.ask().status == 200
    finally:
        secure.close()


def test_the_listener_speaks_tls_and_takes_over_a_new_certificate(tmp_path: Path) -> None:
    old, old_key = _certificate(tmp_path, "old")
    new, new_key = _certificate(tmp_path, "new")
    with running(tmp_path, tls=Tls(str(old), str(old_key))) as front:
        front.serve()

        def shown() -> bytes:
            with socket.create_connection(("localhost", front.place.listen_port)) as plain:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["h2", "http/1.1"])
                with context.wrap_socket(plain, server_hostname="localhost") as client:
                    assert client.selected_alpn_protocol() == "h2"
                    return client.getpeercert(binary_form=True) or b""

        before = shown()
        trusting = ssl.create_default_context(cafile=str(old))
        client = HTTPSConnection("localhost", front.place.listen_port, context=trusting)
        answer = front.ask("POST", body=b"x", connection=client)
        assert (answer.name, answer.got("x-forwarded-proto")) == ("v2", "https")
        assert answer.headers["set-cookie"].endswith("; Secure")
        old.write_bytes(new.read_bytes())
        old_key.write_bytes(new_key.read_bytes())
        until(lambda: shown() != before)
        assert front.ask(connection=client).name == "v2"
        client.close()
        _by_http2(front)
        # One file without the other changes nothing, and is said.
        old.write_bytes(_certificate(tmp_path, "third")[0].read_bytes())
        errors = tmp_path / "gateway" / "nginx" / "error.log"
        until(lambda: "certificate and key do not fit" in errors.read_text())
        assert shown() == ssl.PEM_cert_to_DER_cert(new.read_text())
        errors.write_text("")


def _by_http2(front: Front) -> None:
    """Uploads of a known length, of none, and one that the client leaves in."""
    url = f"https://localhost:{front.place.listen_port}/"
    curl = ["curl", "--silent", "--insecure", "--http2", "--output", "/dev/null", "--data-binary", "@-"]
    unknown = ["--header", "Content-Length:"]
    for more, seconds, status in ((unknown, 10, 200), ([], 10, 200), (["--limit-rate", "20k"], 0.5, None)):
        sent = bytes(100_000)
        command = [*curl, *more, "--max-time", str(seconds), url]
        line = _next_line(front, lambda: subprocess.run(command, input=sent, check=False))  # noqa: B023
        if status is not None:
            assert (line["status"], line["bytes_up"], line["attempts"]) == (status, len(sent), 1)
        else:
            assert (line["upload_ms"], line["served_by"], line["attempts"]) == (None, None, 0)
            assert 0 < line["bytes_up"] < len(sent)


# ---------------------------------------------------------------------- changes, restarts, limits


def test_no_request_is_lost_while_routes_change(front: Front) -> None:
    stop, failures, served = threading.Event(), [], []

    def user(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", front.place.listen_port)
        while not stop.is_set():
            answer = front.ask(headers=[("Cookie", f"huidu_uid=u{number}")], connection=connection)
            served.append(answer.status)
            if answer.status != 200:
                failures.append(answer.body)
        connection.close()

    threads = [threading.Thread(target=user, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for number in range(40):
        front.serve(number * 250, release=number % 3 + 1)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(served) > 40
    until(lambda: front.gateway.in_flight("v2") == 0)


def test_a_roll_back_done_without_control_holds(front: Front) -> None:
    front.serve()
    back = front.folder.go_back(lock_wait_seconds=0.3)
    assert back is not None
    assert front.gateway.applied(back["generation"], 5.0)
    assert front.ask().name == "v1"
    with pytest.raises(FenceError):
        front.serve()


def test_the_routes_survive_a_killed_master_and_a_killed_worker(front: Front) -> None:
    routes = front.serve()
    master = front.folder.status()["master"]
    workers = [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]
    front.candidate.mode, front.candidate.seconds = "pause", 1.0
    slow = [threading.Thread(target=_forgiving, args=(front,)) for _ in range(8)]
    for thread in slow:
        thread.start()
    until(lambda: front.gateway.in_flight("v2") == 8)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    until(lambda: front.gateway.in_flight("v2") == 0 and front.folder.in_force() == routes.generation)
    for thread in slow:
        thread.join()
    front.candidate.mode = "ok"
    assert front.ask().name == "v2"
    front.process.kill()
    front.process.wait()
    again = subprocess.Popen(front.gateway.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: front.folder.status().get("master") == again.pid)
        assert front.ask().name == "v2"
    finally:
        again.terminate()
        again.wait()


def test_on_a_full_disk_it_starts_and_takes_uploads(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", megabytes=8) as disk:
        if disk is None:
            pytest.skip("a file system of its own needs root and mount")
        with running(disk) as front, full(disk):
            front.process.terminate()
            front.process.wait()
            # As `huidu up` does, which goes on with what lies there.
            with suppress(UnavailableError):
                front.gateway.prepare(front.routes)
            again = subprocess.Popen(front.gateway.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                until(lambda: front.folder.status().get("master") == again.pid)
                assert front.ask("POST", body=bytes(2_000_000)).status == 200
                assert front.ask("POST", body=bytes(3_000_000)).status == 500
            finally:
                again.terminate()
                again.wait()
    assert Path("/dev/null").is_char_device()


def _forgiving(front: Front) -> None:
    with suppress(OSError, HTTPException):
        front.ask()


def test_the_log_says_what_is_promised_and_is_reopened(front: Front) -> None:
    front.serve()
    before = time.time()
    answer = front.ask(
        "POST", "/secret-path?token=1", [("Cookie", "huidu_uid=ann-the-user"), ("X-Forwarded-For", "9.9.9.9")], b"x"
    )
    line = front.line(answer.got("x-request-id"))
    assert list(line) == [
        *("time", "request_id", "release", "version", "served_by", "generation", "kind", "rule", "unit", "unit_kind"),
        *("peer", "bucket", "share_bp", "key_id", "attempts", "upload_ms", "bytes_up", "status", "ms", "service_ms"),
        *("bytes_down", "audio_seconds", "chars", "flags"),
        *("close_code", "closed_by", "first_message_ms", "frames_up", "frames_down"),
    ]
    assert before - 1 < line["time"] < time.time() + 1
    assert (line["release"], line["version"], line["served_by"], line["rule"]) == (7, "v2", "v2", "share")
    assert (line["share_bp"], line["attempts"], line["status"], line["audio_seconds"]) == (10_000, 1, 200, 1.5)
    assert (line["unit"], line["unit_kind"]) == (answer.got("x-huidu-unit"), "cookie")
    written = front.places.gateway_log.read_text()
    assert not any(word in written for word in ("ann-the-user", "secret-path", "127.0.0.1", "9.9.9.9"))
    moved = front.places.gateway_log.rename(front.places.logs / "moved.jsonl")
    assert front.gateway.reopen_log()
    until(lambda: front.places.gateway_log.exists())
    time.sleep(0.2)
    front.line(front.ask().got("x-request-id"))
    assert len(moved.read_text().splitlines()) == 1


def _said(front: Front, sent: bytes) -> bytes:
    """What comes back for these bytes, until the gateway closes."""
    with socket.create_connection(("127.0.0.1", front.place.listen_port), timeout=10) as client:
        client.sendall(sent)
        return _all(client)


def _left(front: Front, sent: bytes) -> None:
    """A client that leaves without waiting for an answer."""
    with socket.create_connection(("127.0.0.1", front.place.listen_port), timeout=10) as client:
        client.sendall(sent)
        time.sleep(0.1)


def _next_line(front: Front, do: Callable[[], object]) -> dict[str, Any]:
    before = _written(front).lines
    until(lambda: len(front.lines()) == before)
    do()
    until(lambda: len(front.lines()) > before)
    (line,) = front.lines()[before:]
    return line


def test_the_log_tells_kinds_of_requests_and_their_peer(front: Front) -> None:
    front.serve()
    asked = {
        "recognition": front.ask("POST", "/v1/audio/transcriptions?x=/ws", body=b"x"),
        "other": front.ask("GET", "/healthz"),
    }
    for kind, answer in asked.items():
        line = front.line(answer.got("x-request-id"))
        assert line["kind"] == kind
        assert re.fullmatch("[0-9a-f]{16}", line["peer"])
        told = line["peer"] if kind == "recognition" else None
        assert (answer.got("x-huidu-peer"), answer.got("x-huidu-share-bp")) == (told, None)
    line = _next_line(front, lambda: _upgraded(front)[0].close())
    assert (line["kind"], line["status"], line["service_ms"], line["upload_ms"]) == ("socket", 101, None, 0)
    # An instance reports on its sockets itself: it is told what the gateway knows.
    answer = front.ask("GET", "/ws", [("Upgrade", "websocket"), ("Connection", "upgrade"), ("x-huidu-peer", "mine")])
    assert answer.status == 101


def test_a_version_is_told_of_a_socket_what_the_log_says_of_it(front: Front) -> None:
    front.serve(2500, audience=Audience(include=(HeaderRule("x-tester", "1"),)))
    front.candidate.mode = "declines"
    headers = [("Upgrade", "WebSocket"), ("Connection", "upgrade"), ("x-huidu-peer", "mine"), ("x-tester", "1")]
    answer = front.ask("GET", "/ws?a", headers)
    line = front.line(answer.got("x-request-id"))
    assert (answer.got("x-huidu-peer"), answer.got("x-huidu-share-bp")) == (line["peer"], "2500")
    assert (line["kind"], line["status"], line["share_bp"], line["service_ms"]) == ("socket", 200, 2500, None)


def test_the_log_tells_the_upload_from_the_service(front: Front) -> None:
    front.serve()
    front.candidate.mode, front.candidate.seconds = "slow", 0.4

    def slow_upload() -> None:
        with socket.create_connection(("127.0.0.1", front.place.listen_port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
            for byte in b"data":
                time.sleep(0.25)
                client.sendall(bytes([byte]))
            assert b'"name": "v2"' in _all(client)

    line = _next_line(front, slow_upload)
    assert 900 < line["upload_ms"] < 1300
    assert 390 < line["service_ms"] < 700
    assert line["ms"] >= line["upload_ms"] + line["service_ms"] - 5
    assert (line["bytes_up"], line["bytes_down"] > 100) == (4, True)
    # The last try counts where there were two.
    front.candidate.mode, front.stable.mode, front.stable.seconds = "reset", "slow", 0.2
    line = _next_line(front, lambda: front.ask("POST", body=b"x"))
    assert (line["attempts"], 190 < line["service_ms"] < 390) == (2, True)
    front.stable.mode = "reset"
    line = _next_line(front, lambda: front.ask("POST", body=b"x"))
    assert (line["attempts"], line["served_by"], line["status"], line["service_ms"]) == (2, "v1", 503, None)


def test_the_log_counts_bodies_without_what_is_around_them(front: Front) -> None:
    front.serve()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n5\r\nefghi\r\n0\r\n\r\n"
    assert _next_line(front, lambda: _said(front, chunked))["bytes_up"] == 9
    zeros = head + b"Content-Length: 00000002\r\n\r\nab"
    assert _next_line(front, lambda: _said(front, zeros))["bytes_up"] == 2
    answer = front.ask("POST", body=bytes(300_000))
    line = front.line(answer.got("x-request-id"))
    assert (line["bytes_up"], line["bytes_down"]) == (300_000, len(answer.body))
    line = _next_line(front, lambda: front.ask())
    assert line["bytes_up"] == 0

    def socket_of(sent: bytes) -> None:
        client, _ = _upgraded(front)
        client.sendall(sent)
        assert client.recv(len(sent), socket.MSG_WAITALL) == sent
        client.close()

    line = _next_line(front, lambda: socket_of(b"x" * 1000))
    # After the 101: the name, and the echo. To the version: these and the request for the upgrade.
    assert line["bytes_down"] == 1002
    assert 1000 < line["bytes_up"] < 2500
    assert [line[name] for name in ("close_code", "closed_by", "first_message_ms", "frames_up", "frames_down")] == (
        [None] * 5
    )


def test_a_client_that_leaves_while_it_uploads_asked_no_version(front: Front) -> None:
    front.serve()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    lines = [
        _next_line(front, lambda: _left(front, head + b"\r\n" + bytes(400))),
        _next_line(front, lambda: _left(front, head + b"Expect: 100-continue\r\n\r\n" + bytes(400))),
    ]
    for line in lines:
        assert (line["upload_ms"], line["service_ms"], line["attempts"], line["served_by"]) == (None, None, 0, None)
        assert (line["version"], line["bytes_up"], line["kind"]) == ("v2", 400, "recognition")
        assert line["status"] >= 400


def test_every_line_is_whole_whatever_a_client_does(tmp_path: Path) -> None:
    with running(tmp_path, max_upload_bytes=1000) as front:
        front.serve()
        head = b"POST / HTTP/1.1\r\nHost: x\r\n"
        chunks = head + b"Transfer-Encoding: chunked\r\n\r\n"
        refused = {
            413: chunks + b"800\r\n" + bytes(2048) + b"\r\n0\r\n\r\n",
            400: chunks + b"4\r\nabcdXX",
        }
        for status, sent in refused.items():
            line = _next_line(front, lambda sent=sent: _left(front, sent))  # type: ignore[misc]
            assert (line["status"], line["attempts"], line["served_by"]) == (status, 0, None)
            assert line["upload_ms"] is None
        line = _next_line(front, lambda: _said(front, b"GET /\r\n"))
        assert (line["status"], line["served_by"]) == (200, "v2")
        line = _next_line(front, lambda: _said(front, b"GET / HTTP/1.0\r\n\r\n"))
        assert (line["status"], line["attempts"]) == (200, 1)
        # A client that is gone before there is an answer.
        front.candidate.mode, front.candidate.seconds = "slow", 0.5
        for sent in (b"GET /\r\n", b"GET / HTTP/1.0\r\n\r\n", head + b"Content-Length: 2\r\n\r\nab"):
            line = _next_line(front, lambda sent=sent: _left(front, sent))  # type: ignore[misc]
            assert (line["status"], line["attempts"], line["service_ms"]) == (499, 1, None)
        front.candidate.mode = "ok"
        for said, chars in (("12", 12), ("0", 0), ("", None), ("1.5", None), ("07", None), ('1,"a":2', None)):
            front.candidate.chars = said
            assert _next_line(front, lambda: front.ask())["chars"] == chars


def test_a_version_without_an_address_was_not_asked(front: Front) -> None:
    nowhere = Upstream("v2", ("no-such-name.invalid:80",))
    front.serve(upstreams=(front.routes.upstreams[0], nowhere))
    answer = front.ask("POST", body=b"x")
    assert (answer.name, answer.got("x-huidu-attempt")) == ("v1", "2")
    assert front.line(answer.got("x-request-id"))["attempts"] == 2
    front.swap(replace(front.routes, upstreams=(replace(nowhere, version="v1"),)))
    line = _next_line(front, lambda: front.ask("POST", body=b"x"))
    assert (line["status"], line["attempts"], line["served_by"]) == (503, 0, None)


# ---------------------------------------------------------------------- lines written


def _in_files(front: Front) -> int:
    """Whole lines in all files of the log."""
    files = [path for path in front.places.logs.glob("gateway*.jsonl") if path.name != "gateway-refused.jsonl"]
    texts = [path.read_text() for path in files if path.is_file()]
    return sum(1 for text in texts for line in text.splitlines() if json.loads(line))


def _written(front: Front) -> Written:
    """What is said when all requests are over: a client has its answer before its line is written."""
    until(lambda: front.gateway.in_flight("v1") + front.gateway.in_flight("v2") == 0)
    return _counted(front)


def _counted(front: Front) -> Written:
    found = front.gateway.written()
    assert found is not None
    return found


@contextmanager
def _busy(front: Front, users: int = 4) -> Iterator[None]:
    """Users that ask all the time and forgive what breaks."""
    stop = threading.Event()

    def user() -> None:
        connection = HTTPConnection("127.0.0.1", front.place.listen_port, timeout=10)
        while not stop.is_set():
            try:
                front.ask(connection=connection)
            except (OSError, HTTPException):
                connection.close()
        connection.close()

    threads = [threading.Thread(target=user) for _ in range(users)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_lines_written_are_the_lines_in_the_files(front: Front) -> None:
    front.serve(5000)
    log, life = front.places.gateway_log, _written(front).life
    with _busy(front):
        for number in range(4):
            until(lambda: log.exists() and log.stat().st_size > 50_000)
            log.rename(log.with_name(f"gateway-{number}.jsonl"))
            assert front.gateway.reopen_log()
            until(log.exists)
            _said(front, b"nonsense\r\n\r\n")
        # New workers, while the old ones end what they have.
        os.kill(front.folder.status()["master"], signal.SIGHUP)
        before = log.stat().st_size
        until(lambda: log.stat().st_size > before + 100_000)
    assert _written(front) == Written(_in_files(front), 0, life)


def test_lines_are_counted_anew_when_a_worker_was_killed(front: Front) -> None:
    front.serve(5000)
    log, master = front.places.gateway_log, front.folder.status()["master"]
    lives = {_written(front).life}
    for _ in range(3):
        with _busy(front):
            before = _in_files(front)
            until(lambda before=before: _in_files(front) > before + 50)
            worker = Path(f"/proc/{master}/task/{master}/children").read_text().split()[0]
            os.kill(int(worker), signal.SIGKILL)
            until(lambda: _counted(front).life not in lives)
        first = _written(front)
        lives.add(first.life)
        log.unlink()
        assert front.gateway.reopen_log()
        until(log.exists)
        time.sleep(0.2)
        with _busy(front):
            until(lambda: log.stat().st_size > 20_000)
        assert _written(front) == replace(first, lines=first.lines + _in_files(front))
    assert len(lives) == 4


def test_lines_go_on_being_counted_where_the_log_cannot_be_opened(front: Front) -> None:
    front.serve(0)
    log = front.places.gateway_log
    front.ask()
    until(lambda: _in_files(front) == 1)

    def asked(times: int) -> Written:
        before = _written(front)
        for _ in range(times):
            front.ask()
        until(lambda: _written(front).lines == before.lines + times)
        return _written(front)

    # Removed: lines go on into the file without a name until the log is reopened.
    log.unlink()
    asked(3)
    assert not log.exists()
    assert front.gateway.reopen_log()
    until(log.exists)
    time.sleep(0.2)
    asked(2)
    assert len(front.lines()) == 2
    # Renamed, and another one made in its place, as logrotate does.
    log.rename(log.with_name("gateway-1.jsonl"))
    log.touch()
    asked(3)
    assert (len(front.lines()), _in_files(front)) == (0, 5)
    assert front.gateway.reopen_log()
    time.sleep(0.2)
    asked(1)
    assert len(front.lines()) == 1
    # Something else in its place: nginx says so in error.log, and goes on in the file it has.
    log.rename(log.with_name("gateway-2.jsonl"))
    log.mkdir()
    assert front.gateway.reopen_log()
    time.sleep(0.2)
    last = asked(2)
    assert (_in_files(front), last.lines) == (8, 12)
    log.rmdir()
    assert front.gateway.reopen_log()
    until(log.exists)
    time.sleep(0.2)
    assert asked(1).lines == last.lines + 1
    assert len(front.lines()) == 1
    errors = front.places.gateway / "nginx" / "error.log"
    assert "Is a directory" in errors.read_text()


def test_an_nginx_that_is_down_says_nothing_and_another_one_counts_anew(front: Front) -> None:
    before = _written(front)
    front.process.terminate()
    front.process.wait()
    assert front.gateway.written() is None
    assert not front.gateway.reopen_log()
    with started(front.gateway, front.routes, front.place.listen_port):
        after = _written(front)
        assert (after.lines, after.life != before.life) == (0, True)


def test_what_is_refused_early_is_refused_in_json(tmp_path: Path) -> None:
    with running(tmp_path, max_upload_bytes=1000, max_header_bytes=8192) as front:
        front.serve()
        port = front.place.listen_port
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n" + bytes(2_000_000))
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413")
            assert b"1000 bytes" in (body or client.recv(65536))
        assert front.ask(headers=[("Cookie", "a=" + "b" * 8000)]).status == 200
        answer = front.ask(headers=[("Cookie", "a=" + "b" * 9000)])
        assert (answer.status, answer.json()["error"]) == (431, "too_large")
        for smuggled in (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            b"nonsense\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(smuggled)
                assert b" 400 " in _all(client)
        assert not any(line["status"] in (400, 413, 431) for line in front.lines())


def test_half_a_gigabyte_passes_with_little_memory(patient: Front) -> None:
    patient.serve()
    master = patient.folder.status()["master"]
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()

    def peak_bytes() -> int:
        status = "".join(Path(f"/proc/{pid}/status").read_text() for pid in workers)
        return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024

    before = peak_bytes()
    block, count = os.urandom(1_000_000), 500
    digest = hashlib.md5()
    connection = HTTPConnection("127.0.0.1", patient.place.listen_port, timeout=60)
    connection.putrequest("POST", "/")
    connection.putheader("content-length", str(len(block) * count))
    connection.endheaders()
    for _ in range(count):
        connection.send(block)
        digest.update(block)
    answer = _answer(connection.getresponse())
    connection.close()
    assert (answer.name, answer.json()["md5"]) == ("v2", digest.hexdigest())
    assert peak_bytes() - before < 64 * 2**20
