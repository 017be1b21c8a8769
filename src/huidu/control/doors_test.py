import asyncio
import warnings
from typing import Any

import pytest

from huidu.control.doors import Doors

with warnings.catch_warnings():
    # Starlette would rather have httpx's successor, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

SOCKET = "/srv/huidu/data/run/control.sock"


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


def opens(header: str | None) -> bool:
    return header == "Bearer it"


@pytest.fixture
def client() -> TestClient:
    return TestClient(Doors(app, SOCKET, opens))


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "OPTIONS", "HEAD", "TRACE"])
def test_a_port_takes_nothing_without_the_token(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/v1/status", headers={"origin": "http://evil.example", "host": SOCKET})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "access-control-allow-origin" not in answer.headers
    if method != "HEAD":
        assert answer.json()["error"] == "unauthorized"
        assert "accepted: the header 'Authorization: Bearer TOKEN'" in answer.json()["detail"]
    assert client.request(method, "/api/v1/status", headers={"authorization": "Bearer it"}).status_code == 200


def test_whether_it_lives_is_nobodys_secret(client: TestClient) -> None:
    assert client.get("/healthz").text == "in"
    for method, path in (("POST", "/healthz"), ("GET", "/healthz/x"), ("GET", "//healthz"), ("GET", "/openapi.json")):
        assert client.request(method, path).status_code == 401


def status_by(server: Any, socket: str | None) -> int:
    """How a request that came in at an address is answered."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/v1/status", "headers": [], "server": server}
    asyncio.run(Doors(app, socket, opens)(scope, None, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


def test_what_comes_by_the_socket_has_passed_its_mode() -> None:
    assert status_by((SOCKET, None), SOCKET) == 200


@pytest.mark.parametrize(
    ("server", "socket"),
    [(("127.0.0.1", 7900), SOCKET), ((SOCKET, 7900), SOCKET), (None, SOCKET), (None, None), ((None, None), None)],
)
def test_what_came_another_way_did_not(server: Any, socket: str | None) -> None:
    assert status_by(server, socket) == 401


def test_a_web_socket_is_closed(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/x"):
        pass
    assert closed.value.code == 1008
