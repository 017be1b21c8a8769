"""The gateway contract over the real Envoy: who gets what, fallback, swaps, the fence, the log."""

import json
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
from huidu.adapters.gateways.envoy.log import EnvoyLog
from huidu.adapters.gateways.envoy.swap import SwapFolder
from huidu.core.audience import Audience, CookieRule, HeaderRule, Request, decide
from huidu.core.bucket import unit_of
from huidu.core.evidence import Observation
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.ports import FenceError
from huidu.wire import gateway_command


class Backend:
    """A plain HTTP server that says its name and the headers it got."""

    def __init__(self, name: str):
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.do_GET()

            def do_GET(self) -> None:
                body = json.dumps({"name": name, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
                self.send_response(backend.status)
                self.send_header("content-length", str(len(body)))
                self.send_header("x-audio-seconds", "1.5")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.status = 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Front:
    """A running gateway with two backends."""

    gateway: EnvoyGateway
    places: Places
    url: str
    routes: Routes
    stable: Backend
    candidate: Backend
    process: "subprocess.Popen[bytes]"
    command: list[str]

    def swap(self, routes: Routes, fence: int = 0) -> Routes:
        current = self.gateway.routes()
        assert current is not None
        fresh = replace(routes, generation=current.generation + 2)
        self.gateway.swap(fresh, fence)
        assert self.gateway.applied(fresh.generation, 5.0)
        self._reach_every_worker(fresh.generation)
        return fresh

    def _reach_every_worker(self, generation: int) -> None:
        """Workers take a swap over within milliseconds of the report; wait until new connections show it."""
        deadline = time.monotonic() + 5
        streak = 0
        while streak < 8 and time.monotonic() < deadline:
            seen = httpx.get(self.url, headers={"connection": "close"}).headers["x-huidu-generation"]
            streak = streak + 1 if seen == str(generation) else 0
        assert streak == 8

    def log(self) -> list[Observation]:
        return EnvoyLog(self.places.gateway_log).read(None)[0]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    stable, candidate = Backend("v1"), Backend("v2")
    port = free_port()
    places = Places(tmp_path)
    gateway = EnvoyGateway(places, ("127.0.0.1", port), retry_body_bytes=32 * 10**6, max_fallbacks=256)
    routes = Routes(1, "v1", (Upstream("v1", stable.address), Upstream("v2", candidate.address)))
    command = gateway_command(gateway.prepare(routes))
    log = (tmp_path / "envoy.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    until(lambda: accepts(port))
    yield Front(gateway, places, f"http://127.0.0.1:{port}", routes, stable, candidate, process, command)
    process.kill()
    process.wait()
    log.close()
    stable.close()
    candidate.close()


def serving(front: Front, share_bp: int, **changes: object) -> Routes:
    routes = replace(front.routes, release=7, candidate="v2", share_bp=share_bp, expires_at=time.time() + 600)
    return replace(routes, **changes)  # type: ignore[arg-type]


def test_gateway_decides_as_the_core_does(front: Front) -> None:
    chance = random.Random(5)
    client = httpx.Client()
    for number in range(12):
        routes = front.swap(_random_routes(front, chance, number))
        for _ in range(60):
            request = _random_request(chance)
            answer = _send(client, front.url, request)
            given = answer.headers.get("set-cookie", "").removeprefix("huidu_uid=").split(";")[0]
            meant = decide(request, routes, front.gateway.secret(), time.time(), given)
            got = answer.json()
            assert got["name"] == meant.version, (request, routes)
            assert got["headers"]["x-huidu-rule"] == meant.rule.value
            assert got["headers"]["x-huidu-unit"] == meant.unit
            assert bool(given) == (meant.unit_kind == "new")
    client.close()


def _random_routes(front: Front, chance: random.Random, number: int) -> Routes:
    matchers = [CookieRule("tester"), CookieRule("who", "x=1"), HeaderRule("x-tester", "1"), CookieRule("empty", "")]
    audience = Audience(
        tuple(chance.sample(matchers, chance.randint(0, 1))), tuple(chance.sample(matchers, chance.randint(0, 2)))
    )
    if number % 6 == 5:
        return replace(front.routes, audience=audience)
    expires_at = time.time() + chance.choice([600, -5])
    share_bp = chance.choice([0, 1, 500, 5000, 9999, 10_000])
    return serving(front, share_bp, release=number + 1, expires_at=expires_at, audience=audience)


def _random_request(chance: random.Random) -> Request:
    pool = [("tester", "1"), ("who", "x=1"), ("who", "y"), ("empty", ""), ("huidu_uid", ""), ("other", "a b")]
    cookies = chance.sample(pool, chance.randint(0, 3))
    if chance.random() < 0.7:
        cookies.insert(chance.randint(0, len(cookies)), ("huidu_uid", f"user-{chance.randint(0, 10**9)}"))
    headers = [("x-tester", chance.choice("12"))] if chance.random() < 0.3 else []
    return Request(tuple(cookies), tuple(headers))


def _send(client: httpx.Client, url: str, request: Request) -> httpx.Response:
    headers = dict(request.headers)
    if request.cookies:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies)
    client.cookies.clear()
    return client.get(url, headers=headers)


def test_gateway_keeps_a_first_contact_where_its_cookie_leads(front: Front) -> None:
    front.swap(serving(front, 5000))
    sides = set()
    for _ in range(60):
        with httpx.Client() as client:
            names = [client.get(front.url).json()["name"] for _ in range(3)]
        assert len(set(names)) == 1
        sides |= set(names)
    assert sides == {"v1", "v2"}


def test_gateway_drops_identity_headers_that_a_client_sends(front: Front) -> None:
    front.swap(serving(front, 0))
    forged = {"x-huidu-side": "candidate", "X-Huidu-Rule": "included", "x_huidu_unit": "u", "x-request-id": "mine"}
    got = httpx.get(front.url, headers=forged).json()
    assert got["name"] == "v1"
    assert got["headers"]["x-huidu-rule"] == "rest"
    assert got["headers"]["x-request-id"] != "mine"
    assert not any("_" in name for name in got["headers"])


@pytest.mark.parametrize("broken", ["refuses", "answers 503"])
def test_gateway_serves_from_stable_what_the_candidate_cannot_take(front: Front, broken: str) -> None:
    if broken == "refuses":
        nobody = Upstream("v2", f"127.0.0.1:{free_port()}")
        front.swap(serving(front, 10_000, upstreams=(front.routes.upstreams[0], nobody)))
    else:
        front.candidate.status = 503
        front.swap(serving(front, 10_000))
    unit = unit_of(front.gateway.secret(), "ann")
    with httpx.Client(cookies={"huidu_uid": "ann"}) as client:
        answers = [client.post(front.url, content=b"x" * size) for size in (1, 100_000, 5_000_000) for _ in range(5)]
    assert {(answer.status_code, answer.json()["name"]) for answer in answers} == {(200, "v1")}
    until(lambda: sum(row.unit == unit for row in front.log()) == len(answers))
    rows = [row for row in front.log() if row.unit == unit]
    assert {(row.version, row.served_by, row.attempts) for row in rows} == {("v2", "v1", 2)}


def test_gateway_ends_a_share_by_itself_when_its_time_is_over(front: Front) -> None:
    front.swap(serving(front, 10_000, expires_at=time.time() + 2))
    with httpx.Client() as client:
        assert client.get(front.url).json()["name"] == "v2"
        until(lambda: client.get(front.url).json()["name"] == "v1")
        assert client.get(front.url).json()["headers"]["x-huidu-rule"] == "expired"


def test_gateway_loses_no_request_while_routes_change(front: Front) -> None:
    stop, failures, served = threading.Event(), [], []

    def user(number: int) -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                answer = client.get(front.url, headers={"cookie": f"huidu_uid=u{number}"})
                served.append(answer.status_code)
                if answer.status_code != 200:
                    failures.append(answer.text)

    threads = [threading.Thread(target=user, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for number in range(40):
        front.swap(serving(front, number * 250, release=number % 3 + 1))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(served) > 100


def test_gateway_refuses_to_overwrite_a_roll_back_done_without_control(front: Front) -> None:
    front.swap(serving(front, 10_000))
    back = SwapFolder(front.places).go_back(lock_wait_seconds=0.3)
    assert back is not None
    assert front.gateway.applied(back["generation"], 5.0)
    with httpx.Client() as client:
        assert client.get(front.url).json()["name"] == "v1"
    with pytest.raises(FenceError):
        front.swap(serving(front, 10_000))
    assert front.gateway.fence() == 1
    routes = front.gateway.routes()
    assert routes is not None
    assert (routes.candidate, routes.generation) == (None, back["generation"])


def test_gateway_goes_back_although_a_stopped_process_holds_the_lock(front: Front) -> None:
    front.swap(serving(front, 10_000))
    folder = SwapFolder(front.places)
    with folder.locked(1.0) as held:
        assert held
        back = SwapFolder(front.places).go_back(lock_wait_seconds=0.1)
    assert back is not None
    assert front.gateway.applied(back["generation"], 5.0)


def test_gateway_comes_back_with_the_same_routes_after_a_kill(front: Front) -> None:
    routes = front.swap(serving(front, 10_000))
    front.process.kill()
    front.process.wait()
    again = subprocess.Popen(front.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: front.gateway.applied(routes.generation, 0.0))
        assert httpx.get(front.url).json()["name"] == "v2"
    finally:
        again.kill()
        again.wait()


def test_gateway_log_tells_each_request_once_with_all_fields(front: Front) -> None:
    front.swap(serving(front, 10_000))
    before = time.time()
    answer = httpx.get(front.url, headers={"cookie": "huidu_uid=abc"})
    number = answer.json()["headers"]["x-request-id"]
    until(lambda: any(row.request_id == number for row in front.log()))
    lines = [json.loads(line) for line in front.places.gateway_log.read_text().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == number]
    assert set(line) == {
        *("time", "request_id", "release", "version", "served_by", "generation", "rule", "unit", "unit_kind"),
        *("bucket", "share_bp", "attempts", "status", "ms", "audio_seconds"),
    }
    assert before - 1 < line["time"] < time.time() + 1
    assert (line["release"], line["version"], line["served_by"], line["rule"]) == (7, "v2", "v2", "share")
    assert (line["share_bp"], line["attempts"], line["status"], line["audio_seconds"]) == (10_000, 1, 200, 1.5)
    assert "abc" not in json.dumps(line)


def test_gateway_log_is_read_from_a_checkpoint_each_line_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.jsonl"
    log = EnvoyLog(path)
    assert log.read(None)[0] == []
    row = {"time": 1.0, "request_id": "a", "release": None, "version": "v1", "served_by": "v1", "generation": 1}
    row |= {
        "rule": "rest",
        "unit": "0" * 16,
        "share_bp": 0,
        "attempts": 1,
        "status": 200,
        "ms": 3,
        "audio_seconds": None,
    }
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"request_id": "b"})[:40])
    first, checkpoint = log.read(None)
    assert [each.request_id for each in first] == ["a"]
    assert log.read(checkpoint)[0] == []
    path.write_text(path.read_text()[:-40] + json.dumps(row | {"request_id": "b"}) + "\nnot json\n")
    second, checkpoint = log.read(checkpoint)
    assert [each.request_id for each in second] == ["b"]
    assert log.read(checkpoint)[0] == []
