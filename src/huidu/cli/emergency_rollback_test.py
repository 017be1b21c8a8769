"""The emergency roll back does what it says, whoever answers in control's place and whatever lies in its files."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from huidu.adapters.gateways.envoy.swap import EnvoyFolder
from huidu.adapters.gateways.folder import both
from huidu.cli import emergency
from huidu.core.audience import Audience, CookieRule
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream, rolled_back, to_json

UPSTREAMS = (Upstream("v1", ("127.0.0.1:1",)), Upstream("v2", ("127.0.0.1:2",)))
SERVING = Routes(
    5,
    "v1",
    UPSTREAMS,
    release=3,
    candidate="v2",
    share_bp=2000,
    expires_at=9e9,
    audience=Audience(include=(CookieRule("tester"),)),
)
BACK = {"to": "v1", "from": "v2", "generation": 6, "received_at": 1.0}


class Site:
    """A gateway's folder in the middle of a release, whose gateway takes what lies in its file; and who answers."""

    def __init__(self, folder: Path):
        self.places = Places(folder / "data")
        self.folder = EnvoyFolder(self.places)
        self.folder.create()
        self.put(SERVING)
        self.answers: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.down = False

    def put(self, routes: Routes) -> None:
        back = rolled_back(routes, routes.generation + 1)
        document = {"version_info": str(routes.generation)}
        laid_out = ({"version_info": str(back.generation)}, to_json(back)) if back else None
        self.folder.swap(document, to_json(routes), laid_out)

    def in_force(self) -> int | None:
        return None if self.down else int(json.loads(self.folder.document_path.read_text())["version_info"])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path)
    (tmp_path / "huidu.yaml").write_text("data: data\n")
    monkeypatch.setenv("HUIDU_CONFIG", str(tmp_path / "huidu.yaml"))
    monkeypatch.setattr(EnvoyFolder, "in_force", lambda _: made.in_force())
    monkeypatch.setattr(emergency, "_PROOF_SECONDS", 0.2)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            assert made.answers is not None
            made.answers(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        made.places.control_file.write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "pid": 1}))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def says(status: int, found: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    text = found if isinstance(found, bytes) else json.dumps(found).encode()

    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    return say


def half(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"to": "v1"')


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")
    for _ in range(30):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        threading.Event().wait(0.1)


def noise(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff" * 50)


STRANGERS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "503": says(503, {"error": "unavailable", "detail": "the store is locked"}),
    "500": says(500, {"detail": "Internal Server Error"}),
    "500 in control's shape": says(500, {"error": "unavailable", "detail": "no space left"}),
    "404 of another service": says(404, {"detail": "Not Found"}),
    "refused although there is something": says(409, {"error": "refused", "detail": "nothing to roll back"}),
    "a page": says(200, b"<html>"),
    "nothing": says(200, b""),
    "no object": says(200, [1]),
    "another object": says(200, {"ok": True}),
    "control's shape from a stranger": says(200, BACK),
    "wrong types": says(200, BACK | {"generation": "6", "to": 5}),
    "half": half,
    "drips": drips,
    "no HTTP": noise,
    "hangs up": lambda handler: handler.connection.close(),
}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = emergency.main(["rollback", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_whatever_is_not_controls_own_success_is_no_answer(
    site: Site, stranger: Callable[[BaseHTTPRequestHandler], None], capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = stranger
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert out.startswith("everybody is on v1: the gateway reports it")
    assert "done without it" in out
    routes = site.folder.routes()
    assert routes is not None
    # Whoever chose the candidate by a rule is back, too.
    assert (routes["candidate"], routes["stable"], site.in_force(), site.folder.fence()) == (None, "v1", 6, 1)


@pytest.mark.parametrize(("family", "code"), [("invalid", 2), ("not_found", 2)])
def test_a_command_that_was_asked_wrongly_is_said_to_be(
    site: Site, family: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = says(422, {"error": family, "detail": "unknown version; accepted: v1"})
    assert run(capsys) == (code, "", "huidu: unknown version; accepted: v1\n")
    assert site.in_force() == 5


def test_controls_success_counts_once_the_routes_show_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def control(handler: BaseHTTPRequestHandler) -> None:
        site.put(replace(SERVING, generation=7, candidate=None, release=None, share_bp=0, expires_at=None))
        says(200, BACK | {"generation": 7})(handler)

    site.answers = control
    code, out, _ = run(capsys, "--json")
    assert (code, json.loads(out)["by"], site.folder.fence()) == (0, "control", 0)


@pytest.mark.parametrize("status", [503, 409])
def test_what_somebody_did_meanwhile_is_done(site: Site, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    def control(handler: BaseHTTPRequestHandler) -> None:
        site.put(replace(SERVING, generation=7, candidate=None, release=None, share_bp=0, expires_at=None))
        says(status, {"error": "refused" if status == 409 else "unavailable", "detail": "supervisord is gone"})(handler)

    site.answers = control
    code, out, err = run(capsys)
    assert (code, err, site.folder.fence()) == (0, "", 0)
    assert out.startswith("everybody is on v1: the gateway reports it")


def test_a_second_roll_back_says_that_everybody_is_there_already(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = STRANGERS["500"]
    assert run(capsys)[0] == 0
    code, out, _ = run(capsys)
    assert code == 0
    assert "already, and nothing was changed" in out
    assert site.folder.fence() == 1
    # Control itself says so in its own words.
    site.answers = says(409, {"error": "refused", "detail": "nothing to roll back: v1 serves everybody; accepted: x"})
    assert run(capsys) == (1, "", "huidu: nothing to roll back: v1 serves everybody; accepted: x\n")


def test_a_gateway_that_is_down_is_not_said_to_report(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.answers, site.down = STRANGERS["500"], True
    code, out, _ = run(capsys)
    assert code == 1
    assert "the gateway has not confirmed it yet" in out
    routes = site.folder.routes()
    assert routes is not None
    assert routes["candidate"] is None


def test_a_stopped_control_holds_the_lock_in_vain(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.answers = STRANGERS["500"]
    with site.folder.locked(1.0) as held:
        assert held
        assert run(capsys)[0] == 0


@pytest.mark.parametrize("text", [b"", b"{", b'{"generation": 5', b"\xff\xfe", b"[]", b"5"])
@pytest.mark.parametrize("both_copies", [False, True])
def test_damaged_routes_do_not_keep_anybody_from_going_back(
    site: Site, text: bytes, both_copies: bool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    site.answers = STRANGERS["503"]
    for path in both(site.places.gateway / "routes.json")[: 2 if both_copies else 1]:
        path.write_bytes(text)
    code, out, _ = run(capsys)
    assert code == 0
    assert out.startswith("everybody is on v1")
    assert any("routes.json is" in line for line in caplog.messages)
    # Going back has put whole ones in place.
    assert EnvoyFolder(site.places).routes() is not None


def test_a_damaged_roll_back_counts_by_its_copy_and_without_one_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = STRANGERS["503"]
    back = site.places.gateway / "back" / "5"
    for name in ("routes.json", "document.json"):
        (back / name).write_text("{")
    kept = back / "document.json.kept"
    kept.write_text(kept.read_text()[:-1])
    code, _, err = run(capsys)
    assert code == 1
    assert err.count("\n") == 1
    assert "document.json is damaged" in err
    assert site.in_force() == 5
    site.put(replace(SERVING, generation=7))
    for name in ("routes.json", "document.json"):
        (site.places.gateway / "back" / "7" / name).write_text("{")
    assert run(capsys)[0] == 0
    assert site.in_force() == 8


@pytest.mark.parametrize("text", [None, "", "{", '{"pid": 3}', '{"url": 5}', '{"url": "http://[::1"}', "[1]"])
def test_nobody_needs_to_know_where_control_listens(
    site: Site, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    site.places.control_file.unlink()
    if text is not None:
        site.places.control_file.write_text(text)
    assert run(capsys)[0] == 0
    assert site.in_force() == 6


def test_after_a_promotion_nobody_is_sent_to_a_version_that_has_ended(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = STRANGERS["503"]
    site.put(Routes(7, "v2", UPSTREAMS, previous="v1"))
    code, _, err = run(capsys)
    assert code == 1
    assert "v1 does not answer at 127.0.0.1:1" in err
    assert site.in_force() == 7
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as former:
        there = Upstream("v1", (f"127.0.0.1:{former.server_port}",))
        site.put(Routes(9, "v2", (there, UPSTREAMS[1]), previous="v1"))
        assert run(capsys)[0] == 0
    assert site.in_force() == 10


def test_what_lies_somewhere_else_is_found_by_the_environment(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answers = STRANGERS["503"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(capsys)[0] == 0
    monkeypatch.delenv("HUIDU_CONFIG")
    code, _, err = run(capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "huidu.yaml does not exist" in err
    # The folder that holds one is named, too.
    assert run(capsys, "--config", str(tmp_path))[0] == 0


def test_a_user_without_a_name_can_roll_back(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    site.answers = STRANGERS["503"]
    monkeypatch.setattr("getpass.getuser", nobody)
    assert run(capsys)[0] == 0


def test_a_swap_that_was_cut_short_is_gone_back_from_by_what_the_gateway_reports(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.answers = STRANGERS["503"]
    kept = [(path, path.read_bytes()) for path in both(site.places.gateway / "routes.json")]
    site.put(replace(SERVING, generation=7, share_bp=5000))
    for path, content in kept:
        path.write_bytes(content)
    assert run(capsys)[0] == 0
    assert site.in_force() == 8


@pytest.mark.parametrize("name", ["candidate", "versions", "release", "guards"])
def test_a_last_status_of_another_huidu_is_shown_as_far_as_it_is_understood(
    site: Site, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.places.control_file.unlink()
    status: dict[str, Any] = {
        "stable": "v1",
        "candidate": None,
        "release": None,
        "guards": {},
        "versions": {},
        "differences": [],
    }
    status |= {"one_more": 5}
    del status[name]
    site.places.status_file.write_text(json.dumps(status))
    assert emergency.main(["status"]) == 0
    assert "stable     v1" in capsys.readouterr().out
    site.places.status_file.write_text(json.dumps(status)[:-3])
    assert emergency.main(["status"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_fence_of_a_damaged_file_rises_beyond_any_that_was(site: Site) -> None:
    for path in both(site.places.gateway / "fence"):
        os.truncate(path, 10)
    assert site.folder.raise_fence() > 10**9
    assert EnvoyFolder(site.places).fence() > 10**9
