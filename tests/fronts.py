"""Real gateways in front of plain servers of another make: what the gateway suites start and talk to."""

import asyncio
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httptools
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as WebSocketRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
from huidu.adapters.gateways.gateway import FileGateway
from huidu.adapters.gateways.nginx.binary import find_nginx_with_lua
from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.adapters.gateways.place import Place
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.files import write_aside

GATEWAYS: dict[str, Callable[[Places, Place], FileGateway]] = {"envoy": EnvoyGateway, "nginx": NginxGateway}


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first truthy value of the condition; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ------------------------------------------------------------------ plain servers


@dataclass
class Behaviour:
    """How a backend answers from now on."""

    status: int = 200
    before_seconds: float = 0.0  # until the first byte of the answer
    pause_seconds: float = 0.0  # between the two halves of the answer
    reset: str = ""  # at once, after_reading, in_answer: how it drops connections
    hangs: bool = False  # reads, and never answers
    audio_seconds: str = "1.5"  # what it says of itself
    chars: str | None = "12"  # how long it says its text is; None: it does not say
    text: str | None = None  # what it hears; None: its answer has no text
    socket: str = "echoes"  # or "closes 1011" each at its first message, or "mute": reads and never says a word


class Backend:
    """An HTTP/1.1 server that says its name and what it got, and misbehaves as asked."""

    def __init__(self, name: str, port: int = 0, tls: ssl.SSLContext | None = None):
        self.name, self.behaviour = name, Behaviour()
        self.requests = 0
        self.connections: set[_Connection] = set()
        self._loop = uvloop.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, tls, started), daemon=True)
        self._thread.start()
        assert started.wait(10)
        self.address = f"127.0.0.1:{self.port}"

    def _run(self, port: int, tls: ssl.SSLContext | None, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.create_server(lambda: _Connection(self), "127.0.0.1", port, ssl=tls, backlog=4096)
        self._server = self._loop.run_until_complete(listening)
        self.port = self._server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


class _Connection(asyncio.Protocol):
    """One connection: requests are answered one after the other."""

    def __init__(self, backend: Backend):
        self._backend = backend
        self._parser = httptools.HttpRequestParser(self)
        self._socket: ServerProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._backend.connections.add(self)
        if self._backend.behaviour.reset == "at once":
            self.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._backend.connections.discard(self)

    def abort(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._socket is None and b"upgrade: websocket" in data.lower():
            self._socket = ServerProtocol()
        if self._socket is not None:
            self._echo(self._socket, data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self.abort()

    def _echo(self, protocol: ServerProtocol, data: bytes) -> None:
        """A WebSocket: says the backend's name and echoes. "close" closes it as a move does, "headers" tells them."""
        protocol.receive_data(data)
        for event in protocol.events_received():
            kind = self._backend.behaviour.socket
            if isinstance(event, WebSocketRequest):
                self._upgraded = event.headers
                protocol.send_response(protocol.accept(event))
                if kind == "echoes":
                    protocol.send_text(self._backend.name.encode())
            elif kind != "echoes" and isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                if kind == "closes 1011":
                    protocol.send_close(1011, "an internal error")
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and event.data == b"close":
                protocol.send_close(4012, "moved: connect again")
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and event.data == b"headers":
                protocol.send_text(json.dumps({k.lower(): v for k, v in self._upgraded.raw_items()}).encode())
            elif protocol.state is not State.OPEN:
                pass  # a close is under way
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                send = {Opcode.TEXT: protocol.send_text, Opcode.BINARY: protocol.send_binary}
                send.get(event.opcode, protocol.send_continuation)(event.data, event.fin)
        for piece in protocol.data_to_send():
            self.transport.write(piece) if piece else self.transport.close()

    def on_message_begin(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._target, self._length, self._digest = b"", 0, hashlib.sha256()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode().lower(), value.decode(errors="surrogateescape")))

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        self._digest.update(body)

    def on_message_complete(self) -> None:
        backend, behaviour = self._backend, self._backend.behaviour
        backend.requests += 1
        if behaviour.reset == "after reading":
            self.abort()
        elif not behaviour.hangs:
            said = {} if behaviour.text is None else {"text": behaviour.text}
            got = {
                "name": backend.name,
                "method": self._parser.get_method().decode(),
                "target": self._target.decode(errors="surrogateescape"),
                "headers": self._headers,
                "length": self._length,
                "sha256": self._digest.hexdigest(),
            }
            self._answer(behaviour, json.dumps(got | said).encode())

    def _answer(self, behaviour: Behaviour, body: bytes) -> None:
        lines = [f"content-length: {len(body)}", f"x-audio-seconds: {behaviour.audio_seconds}"]
        if behaviour.chars is not None:
            lines.append(f"x-huidu-chars: {behaviour.chars}")
        head = "\r\n".join((f"HTTP/1.1 {behaviour.status} X", *lines, "", "")).encode()
        loop, half = asyncio.get_event_loop(), len(body) // 2
        if behaviour.reset == "in answer":
            self.transport.write(head + body[:half])
            loop.call_later(0.1, self.abort)
        elif behaviour.before_seconds or behaviour.pause_seconds:

            def begin() -> None:
                if self.transport.is_closing():
                    return  # whoever asked has left
                self.transport.write(head + body[:half])
                loop.call_later(behaviour.pause_seconds, self.transport.write, body[half:])

            loop.call_later(behaviour.before_seconds, begin)
        else:
            self.transport.write(head + body)


# ------------------------------------------------------------------ a raw client


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def got(self, name: str) -> str | None:
        """A header as the backend got it."""
        return next((value for key, value in self.json["headers"] if key == name), None)

    @property
    def minted(self) -> str:
        """The value of huidu_uid that the gateway gave; empty where it gave none."""
        return (self.header("set-cookie") or "").partition("huidu_uid=")[2].partition(";")[0]


class RawClient:
    """One kept connection that sends exactly the bytes it is given."""

    def __init__(self, port: int, timeout_seconds: float = 30.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def close(self) -> None:
        self.socket.close()

    def request(self, lines: Any = (), target: str = "/", method: str = "GET", body: bytes = b"") -> Answer:
        self.send([request_bytes(lines, target, method, body)])
        return self.receive()

    def send(self, requests: list[bytes]) -> None:
        self.socket.sendall(b"".join(requests))

    def receive(self) -> Answer:
        head, _, self._left = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        first, *rest = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
        length = next((int(value) for name, value in headers if name == "content-length"), None)
        if length is None:
            return Answer(int(first.split()[1]), headers, self._chunks())
        while len(self._left) < length:
            self._more()
        body, self._left = self._left[:length], self._left[length:]
        return Answer(int(first.split()[1]), headers, body)

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size, _, self._left = self._until(b"\r\n").partition(b"\r\n")
            length = int(size, 16) + 2
            while len(self._left) < length:
                self._more()
            chunk, self._left = self._left[:length], self._left[length:]
            if length == 2:
                return body
            body += chunk[:-2]

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._left:
            self._more()
        return self._left

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the gateway closed the connection")
        self._left += data


def request_bytes(lines: Any = (), target: str = "/", method: str = "GET", body: bytes = b"") -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: asr.example"]
    head += [f"{name}: {value}" for name, value in lines]
    if body or method in ("POST", "PUT", "PATCH"):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + body


# ------------------------------------------------------------------ a gateway


@dataclass
class Front:
    """A running gateway before a stable and a candidate backend."""

    engine: str
    gateway: FileGateway
    places: Places
    port: int
    routes: Routes
    stable: Backend
    candidate: Backend
    process: "subprocess.Popen[bytes]"
    output: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    clients: list[RawClient] = field(default_factory=list)
    _read_of: tuple[int, bytes] = (0, b"")
    _read_bytes: int = 0
    _lines: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Front({self.engine})"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serving(self, share_bp: int, **changes: Any) -> Routes:
        """A release that serves; `changes` are fields of `Routes`."""
        usual = {"release": 7, "candidate": "v2", "share_bp": share_bp, "expires_at": time.time() + 600}
        return replace(self.routes, **(usual | changes))

    def swap(self, routes: Routes, fence: int = 0) -> Routes:
        """Puts routes in force everywhere and returns them with their generation."""
        fresh = self.put(routes, fence)
        self.reach(fresh.generation)
        return fresh

    def put(self, routes: Routes, fence: int = 0) -> Routes:
        current = self.gateway.routes()
        assert current is not None
        fresh = replace(routes, generation=current.generation + 2)
        self.gateway.swap(fresh, fence)
        assert self.gateway.applied(fresh.generation, 5.0), self.output.read_text()[-2000:]
        return fresh

    def reach(self, generation: int) -> None:
        """Workers take a swap over within milliseconds of the report; wait until new connections show it."""
        streak = 0

        def shown() -> bool:
            nonlocal streak
            with closing(RawClient(self.port)) as client:
                seen = client.request([("x-probe", "1")]).header("x-huidu-generation")
            streak = streak + 1 if seen == str(generation) else 0
            return streak >= 8

        until(shown)

    def client(self) -> RawClient:
        """A connection that is closed with the gateway, if not before."""
        self.clients.append(RawClient(self.port))
        return self.clients[-1]

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines of the log's live file. Each is parsed once: there may be a hundred thousand."""
        try:
            with self.places.gateway_log.open("rb") as file:
                # A file that follows one that was deleted may have its inode, but no line with the same time.
                which = (os.fstat(file.fileno()).st_ino, file.read(100))
                if which != self._read_of or os.fstat(file.fileno()).st_size < self._read_bytes:
                    self._read_of, self._read_bytes, self._lines = which, 0, []
                file.seek(self._read_bytes)
                whole = [line for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            return []
        self._read_bytes += sum(map(len, whole))
        self._lines += map(json.loads, whole)
        return list(self._lines)

    def line_of(self, request_id: str | None) -> dict[str, Any]:
        """The line of a request, once it has been written."""
        found = until(lambda: [line for line in self.lines() if line["request_id"] == request_id])
        assert len(found) == 1
        line: dict[str, Any] = found[0]
        return line

    def restart(self) -> None:
        self.process = start_gateway(self.gateway, self.output, self.port)
        self.started.append(self.process)


def require(engine: str) -> None:
    """Skips a test of a gateway that this machine does not have; where nothing may be skipped that is a failure."""
    if engine == "nginx":
        try:
            find_nginx_with_lua()
        except UnavailableError as error:
            pytest.skip(str(error))


def start_gateway(gateway: FileGateway, output: Path, port: int) -> "subprocess.Popen[bytes]":
    with output.open("ab") as log:
        process = subprocess.Popen(gateway.command(), stdout=log, stderr=log)

    def up() -> bool:
        assert process.poll() is None, output.read_text()[-2000:]
        return accepts(port)

    until(up)
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a gateway with its workers: TERM is how both stop at once."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def front(engine: str, folder: Path, secret: str | None = None, **place: Any) -> Iterator[Front]:
    """A gateway of a kind with two backends; `place` are fields of `Place`."""
    require(engine)
    stable, candidate = Backend("v1"), Backend("v2")
    port = free_port()
    places = Places(folder)
    gateway = GATEWAYS[engine](places, Place(**({"listen_host": "127.0.0.1", "listen_port": port} | place)))
    if secret is not None:
        places.gateway.mkdir(parents=True, exist_ok=True)
        write_aside(places.gateway / "secret", secret)
    routes = Routes(1, "v1", (Upstream("v1", (stable.address,)), Upstream("v2", (candidate.address,))))
    gateway.prepare(routes)
    output = folder / "gateway.out"
    process = start_gateway(gateway, output, port)
    made = Front(engine, gateway, places, port, routes, stable, candidate, process, output, [process])
    until(lambda: gateway.applied(1, 0.0))
    try:
        yield made
    finally:
        for client in made.clients:
            client.close()
        for started in made.started:
            end(started)
        stable.close()
        candidate.close()


def rss_bytes(pid: int) -> int:
    """Resident memory of a process and its children."""
    import psutil

    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


# ------------------------------------------------------------------ certificates


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(folder: Path, name: str, *hosts: str) -> Certificate:
    """A self-signed certificate for hosts, which is also the authority that vouches for it."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    for path, content in (
        (found.certificate, made.public_bytes(Encoding.PEM)),
        (found.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    ):
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_bytes(content)
        aside.rename(path)
    return found
