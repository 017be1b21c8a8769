import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from huidu.cli import emergency
from huidu.cli.emergency import status_text
from huidu.core.places import Places

ALLOWED = {"huidu"}


class FakeControl(ThreadingHTTPServer):
    """Says the status that it is given, and answers each command alike; `answer` None: it hangs up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status: Any = {"stage": "share:500", "release": {"id": 3}}
        self.answer: tuple[int, Any] | None = (200, {"id": 3, "stage": "bake"})
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeControl

    def do_GET(self) -> None:
        self._say(200, self.server.status)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body))
        if self.server.answer is not None:
            self._say(*self.server.answer)

    def _say(self, status: int, found: Any) -> None:
        text = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeControl]:
    places = Places(tmp_path / "data")
    places.run.mkdir(parents=True)
    (tmp_path / "huidu.yaml").write_text("data: data\n")
    monkeypatch.setenv("HUIDU_CONFIG", str(tmp_path / "huidu.yaml"))
    monkeypatch.setattr("getpass.getuser", lambda: "li")
    with FakeControl() as server:
        places.control_file.write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "pid": 1}))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


SEEN = {"by": "li", "reason": "x", "expected_release": 3, "expected_stage": "share:500"}


@pytest.mark.parametrize(
    ("words", "path", "more"),
    [
        (["promote"], "/api/v1/promote", {"resume": False, "asked_seconds_ago": 0.5}),
        (["promote", "--resume"], "/api/v1/promote", {"resume": True, "asked_seconds_ago": 0.5}),
        (
            ["promote", "--stage", "golden"],
            "/api/v1/promote",
            {"resume": False, "expected_stage": "golden", "asked_seconds_ago": None},
        ),
        (["pause"], "/api/v1/pause", {}),
        (["resume", "--stage", "bake"], "/api/v1/resume", {"expected_stage": "bake"}),
    ],
)
def test_a_command_carries_the_release_and_the_stage_of_the_status(
    control: FakeControl,
    words: list[str],
    path: str,
    more: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(emergency, "_running_seconds", lambda: 0.5)
    assert emergency.main([*words, "--reason", "x"]) == 0
    assert control.asked == [(path, SEEN | more)]
    assert capsys.readouterr().out == "release 3: now in bake\n"


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        ({"stage": None, "release": None}, None, "no release runs; accepted: huidu release start VERSION"),
        # Somebody else listens where control did: neither is a release that does not run.
        ({}, None, "control does not answer (something else answers where it should); accepted: start it"),
        ([1], None, "control does not answer (something else answers where it should); accepted: start it"),
        (b"<html>", None, "is not control); accepted: start it"),
        (
            {"stage": "share:500", "release": {"id": 3}},
            (
                409,
                {"error": "refused", "detail": "release 3 is in bake now, not in share:500 as you saw; accepted: look"},
            ),
            "huidu: release 3 is in bake now, not in share:500 as you saw; accepted: look",
        ),
        (
            {"stage": "share:500", "release": {"id": 3}},
            None,
            "may have done it all the same; accepted: look at `huidu status`, or again with --stage share:500",
        ),
        ({"stage": "share:500", "release": {"id": 3}}, (404, {"detail": "Not Found"}), "may have done it all the same"),
    ],
)
def test_a_command_that_is_not_done_says_why_in_one_line(
    control: FakeControl, status: Any, answer: tuple[int, Any] | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    control.status, control.answer = status, answer
    assert emergency.main(["promote", "--reason", "x"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_process_knows_when_its_command_was_given() -> None:
    code = "import time; from huidu.cli import emergency; time.sleep(0.3); print(emergency._running_seconds())"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.3 <= float(done.stdout) <= time.monotonic() - started + 0.02


def test_recognitions_that_wait_or_are_lost_are_told_in_the_status() -> None:
    found: dict[str, Any] = {
        "stable": "v1", "candidate": None, "guards": {}, "versions": {}, "differences": [], "control": "answers",
    }  # fmt: skip
    spools = {"v1": {"waiting_rows": 0, "lost_rows": 0}, "v2": {"waiting_rows": 12, "lost_rows": 3}}
    lines = [line for line in status_text(found | {"spools": spools}).splitlines() if line.startswith("records")]
    assert lines == [
        "records    v2: 12 recognitions wait for the history; 3 were lost, recognised and recorded nowhere"
    ]


def test_where_the_gateway_leads_is_told_while_control_is_silent() -> None:
    """What control said last may be over since."""
    found = {"stable": "v1", "candidate": "v2", "stage": "share:500", "share_bp": 500, "guards": {}, "versions": {}}
    found |= {"differences": [], "control": "no answer (timed out)", "as_of": time.time() - 40}
    led = {"stable": "v1", "candidate": None, "share_bp": 0, "generation": 9}
    (said,) = [line for line in status_text(found | {"in_force": led}).splitlines() if line.startswith("in force")]
    assert said == "in force   everybody on v1, as the gateway's files say; all above is of 40 s ago"
    led |= {"candidate": "v2", "share_bp": 500}
    assert "v2 has 5 %, the others on v1" in status_text(found | {"in_force": led})


def test_the_end_of_the_last_release_is_told_in_the_status() -> None:
    found: dict[str, Any] = {
        "stable": "v1", "candidate": None, "guards": {}, "versions": {}, "differences": [], "control": "answers",
    }  # fmt: skip
    assert not any(line.startswith("last") for line in status_text(found).splitlines())
    back = {"release": 3, "from": "v2", "to": "v1", "by": "wang", "reason": "numbers", "without_control": False}
    last = {"id": 3, "version": "v2", "outcome": "promoted", "reason": "promoted by li: sure", "put_back": [back]}
    lines = status_text(found | {"last_release": last}).splitlines()
    assert "last       release 3 of v2: promoted: promoted by li: sure" in lines
    assert "put back   from v2 to v1 by wang, undoing release 3: numbers" in lines
    back |= {"without_control": True, "by": None, "reason": "", "release": None}
    assert "put back   from v2 to v1 without control" in status_text(found | {"last_release": last}).splitlines()
    unknown = {"id": 3, "version": None, "outcome": None, "reason": "the store is locked", "put_back": None}
    assert "last       release 3: not known: the store is locked" in status_text(found | {"last_release": unknown})


@pytest.mark.parametrize("command", emergency.COMMANDS)
def test_an_emergency_imports_only_the_standard_library(command: str, tmp_path: Path) -> None:
    (tmp_path / "huidu.yaml").write_text("data: here\nstable: v1\n")
    code = (
        "import sys, json; before = set(sys.modules)\n"
        f"sys.argv = ['huidu', {command!r}, '--config', {str(tmp_path / 'huidu.yaml')!r}, '--reason', 'x']\n"
        "if sys.argv[1] == 'status': sys.argv = sys.argv[:-2]\n"
        "from huidu.cli.main import main\n"
        "code = main()\n"
        "print(json.dumps([code, sorted({name.split('.')[0] for name in set(sys.modules) - before})]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    exit_code, imported = json.loads(done.stdout.splitlines()[-1])
    assert set(imported) - set(sys.stdlib_module_names) <= ALLOWED
    assert exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "accepted" in done.stderr or "gone back to" in done.stderr


def test_status_shows_alarms_beside_the_guards() -> None:
    found: dict[str, Any] = {
        "stable": "v1", "candidate": None, "guards": {}, "versions": {}, "differences": [], "control": "answers",
        "alarms": [{"alarm": "sample_ratio_mismatch", "reason": "12 of 480 users", "reason_zh": "", "numbers": {}}],
    }  # fmt: skip
    assert "alarm      sample_ratio_mismatch: 12 of 480 users" in emergency.status_text(found).splitlines()
    # As an older control has left it.
    del found["alarms"]
    assert "alarm" not in emergency.status_text(found)
