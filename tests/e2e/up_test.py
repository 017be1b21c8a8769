"""`huidu up` on the shipped kit: the real engine, the real gateway, real processes that are really killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from installation import Installation, running, until

from huidu.demo.kit import Clip, read_kit, shipped

KIT = read_kit(shipped())
CONFIG = f"""\
data: data
gateway: {{listen: "127.0.0.1:{{gateway}}", max_upload: 100MB}}
control: {{listen: "127.0.0.1:{{control}}", share_expiry: 6s}}
instances: {{listen: "127.0.0.1:{{instances}}"}}
admission: {{reserve: 50MB}}
versions:
  v1: {{model: {KIT.model(KIT.stable)}}}
  v2: {{model: {KIT.model(KIT.candidates[1])}}}
stable: v1
plan:
  - {{share: 20%, for: 10m}}
  - {{share: 100%, for: 10m}}
guards:
  latency: {{fail_above: 20x, at_most: 30x}}
"""


@dataclass
class Users:
    """People who speak about twenty times a second, and never try again."""

    url: str
    clips: list[Clip]
    failures: list[str] = field(default_factory=list)
    served: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Users":
        self._threads = [threading.Thread(target=self._speak, args=(number,)) for number in range(10)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _speak(self, number: int) -> None:
        while not self._stop.is_set():
            # A new client now and then: new users keep coming.
            with httpx.Client(timeout=30) as client:
                for turn in range(4):
                    self._ask(client, self.clips[(number + turn) % len(self.clips)])
                    self._stop.wait(0.5)

    def _ask(self, client: httpx.Client, clip: Clip) -> None:
        try:
            files = {"file": (clip.audio.name, clip.audio.read_bytes())}
            answer = client.post(f"{self.url}/v1/audio/transcriptions", files=files, data={"model": "m"})
            self.served += 1
            if answer.status_code != 200:
                self.failures.append(f"{answer.status_code} {answer.text}")
        except httpx.HTTPError as error:
            self.failures.append(repr(error))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(tmp_path_factory.mktemp("up"), CONFIG) as found:
        yield found


@pytest.fixture
def in_share(up: Installation) -> Iterator[Installation]:
    up.release_into("v2", "share:2000")
    yield up
    if up.status()["stage"] is not None:
        assert up.huidu("rollback").returncode == 0
    until(lambda: "v2" not in up.status()["versions"])


CLIPS = list(KIT.clips[:40])


def test_a_killed_control_comes_back_and_goes_on_in_the_same_stage(in_share: Installation) -> None:
    with Users(in_share.url, CLIPS) as users:
        before = in_share.control_pid()
        os.kill(before, signal.SIGKILL)
        assert in_share.status()["stage"] == "share:2000"
        until(lambda: in_share.control_pid() != before)
        until(lambda: in_share.status()["control"] == "answers")
        assert in_share.status()["stage"] == "share:2000"
        assert in_share.status()["release"]["id"] == in_share.releases()[0]["id"]
    assert users.failures == []
    assert users.served > 20


def test_a_killed_candidate_costs_nobody_a_request_and_is_rolled_back(in_share: Installation) -> None:
    with Users(in_share.url, CLIPS) as users:
        until(lambda: in_share.status()["release"]["compared"]["candidate"]["requests"] > 3)
        os.kill(in_share.status()["versions"]["v2"]["pid"], signal.SIGKILL)
        until(lambda: in_share.status()["stage"] is None)
        until(lambda: in_share.routes()["candidate"] is None)
        more = users.served + 20
        until(lambda: users.served > more)
    assert users.failures == []
    last = in_share.releases()[0]
    assert (last["outcome"], last["guard"], last["stage"]) == ("rolled_back", "crashes", "share:2000")
    replayed = json.loads(in_share.huidu("release", "replay", str(last["id"]), "--json").stdout)
    assert replayed["agree"]


def test_a_killed_gateway_is_back_within_two_seconds_with_the_same_routes(in_share: Installation) -> None:
    before = in_share.routes()
    os.kill(in_share.gateway_pid(), signal.SIGKILL)
    started = time.monotonic()

    def back() -> bool:
        try:
            return httpx.get(f"{in_share.url}/readyz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    until(back, 2.0 - (time.monotonic() - started))
    after = in_share.routes()
    for name in ("stable", "candidate", "share_bp", "release"):
        assert after[name] == before[name]


def test_rolling_back_works_while_control_is_stopped(in_share: Installation) -> None:
    control = in_share.control_pid()
    os.kill(control, signal.SIGSTOP)
    try:
        started = time.monotonic()
        done = in_share.huidu("rollback", "--json")
        assert time.monotonic() - started < 2.0
        assert json.loads(done.stdout)["by"] == "cli"
        assert in_share.routes()["candidate"] is None
    finally:
        os.kill(control, signal.SIGCONT)
    until(lambda: in_share.status()["stage"] is None and in_share.status()["control"] == "answers")
    assert in_share.releases()[0]["outcome"] == "rolled_back"
    # The command that waited in control's socket came too late and changed nothing more.
    assert in_share.status()["stable"] == "v1"


def test_an_unwatched_share_ends_by_itself(in_share: Installation) -> None:
    control = in_share.control_pid()
    os.kill(control, signal.SIGSTOP)
    try:
        expires_at = in_share.routes()["expires_at"]
        until(lambda: time.time() > expires_at + 1, 15)
        with Users(in_share.url, CLIPS) as users:
            until(lambda: users.served > 30)
        assert users.failures == []
        lines = [json.loads(line) for line in (in_share.folder / "data/logs/gateway.jsonl").read_text().splitlines()]
        late = [line for line in lines if line["time"] > expires_at + 1]
        assert late
        assert {(line["version"], line["rule"]) for line in late} == {("v1", "expired")}
    finally:
        os.kill(control, signal.SIGCONT)
    until(lambda: in_share.status()["control"] == "answers")


def test_what_is_asked_at_the_wrong_time_is_refused_in_one_line(in_share: Installation) -> None:
    second = in_share.huidu("release", "start", "v2")
    assert second.returncode == 1
    assert "runs (share:2000); accepted" in second.stderr
    assert second.stderr.count("\n") == 1
    assert in_share.huidu("pause", "--reason", "lunch").returncode == 0
    assert in_share.status()["release"]["held"] is not None
    assert in_share.huidu("pause").returncode == 1
    assert in_share.huidu("resume").returncode == 0
    assert in_share.huidu("rollback").returncode == 0
    for command in (("promote", "--reason", "x"), ("pause",), ("resume",), ("rollback",)):
        refused = in_share.huidu(*command)
        assert refused.returncode == 1, command
        assert "accepted" in refused.stderr
    unknown = in_share.huidu("release", "start", "v9")
    assert (unknown.returncode, "unknown version 'v9'; accepted: v1, v2" in unknown.stderr) == (2, True)
    assert in_share.huidu("promote").returncode == 2


def test_bad_uploads_are_json_errors_through_the_gateway(up: Installation) -> None:
    for content in (b"", b"no audio at all", b"RIFF\x00\x00\x00\x00WAVEfmt "):
        answer = httpx.post(
            f"{up.url}/v1/audio/transcriptions", files={"file": ("a.wav", content)}, data={"model": "m"}
        )
        assert answer.status_code == 400
        assert "error" in answer.json()
    assert httpx.post(f"{up.url}/v1/audio/transcriptions", content=b"x").status_code == 400


def test_an_upload_over_the_limit_is_refused_through_the_gateway_and_a_large_one_passes(up: Installation) -> None:
    for size, status in ((60_000_000, 400), (120_000_000, 413)):
        files = {"file": ("a.wav", b"x" * size)}
        answer = httpx.post(f"{up.url}/v1/audio/transcriptions", files=files, data={"model": "m"}, timeout=60)
        assert answer.status_code == status
        assert "error" in answer.json()


def test_history_holds_each_recognition_with_its_version_and_takes_corrections(up: Installation) -> None:
    clip = CLIPS[0]
    files = {"audio": (clip.audio.name, clip.audio.read_bytes())}
    answer = httpx.post(f"{up.url}/api/v1/transcribe", files=files)
    assert answer.status_code == 200
    assert answer.headers["x-huidu-version"] == answer.json()["version"] == "v1"
    instance = f"http://{up.address('v1')}"
    assert httpx.get(f"{up.url}/api/v1/history").status_code == 403
    operator = up.operator()
    row = httpx.get(f"{instance}/api/v1/history/{answer.json()['id']}", headers=operator).json()
    assert (row["version"], row["raw_text"], row["purpose"]) == ("v1", answer.json()["raw_text"], "live")
    assert row["request_id"] == answer.headers["x-request-id"]
    correction = {"corrected_text": clip.text}
    corrected = httpx.patch(f"{instance}/api/v1/history/{row['id']}", json=correction, headers=operator)
    assert corrected.json()["corrected_text"] == clip.text


def test_a_second_up_and_taken_ports_are_refused_in_one_line(up: Installation, tmp_path: Path) -> None:
    again = up.huidu("up")
    assert again.returncode == 1
    assert "runs already" in again.stderr
    text = (up.folder / "huidu.yaml").read_text().replace("data: data", "data: other")
    (tmp_path / "huidu.yaml").write_text(text)
    command = [sys.executable, "-m", "huidu", "up", "--config", str(tmp_path / "huidu.yaml")]
    taken = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert taken.returncode == 1
    assert "in use" in taken.stderr


def test_too_little_memory_for_two_is_refused_with_the_numbers(up: Installation) -> None:
    path = up.folder / "huidu.yaml"
    text = path.read_text()
    path.write_text(text.replace("reserve: 50MB", "reserve: 900TB"))
    try:
        refused = up.huidu("release", "start", "v2")
        assert refused.returncode == 1
        assert "reserve 900000.00 GB" in refused.stderr
        assert "accepted" in refused.stderr
        assert up.status()["candidate"] is None
    finally:
        path.write_text(text)


def test_a_release_can_go_all_the_way_by_hand_and_back_by_one_command(up: Installation) -> None:
    up.release_into("v2", "share:2000")
    with Users(up.url, CLIPS) as users:
        assert up.huidu("promote", "--reason", "seen enough").returncode == 0
        assert up.status()["stage"] == "bake"
        assert up.huidu("promote", "--reason", "seen enough").returncode == 0
        status = up.status()
        assert (status["stable"], status["candidate"], status["stage"], status["share_bp"]) == ("v2", None, None, 0)
        until(lambda: up.routes()["stable"] == "v2")
        back = json.loads(up.huidu("rollback", "--json").stdout)
        assert (back["to"], back["from"], back["applied"], back["by"]) == ("v1", "v2", True, "control")
        # At once again, while its process may still run, or be about to end.
        up.release_into("v2", "share:2000")
        assert up.huidu("rollback").returncode == 0
    assert users.failures == []
    assert up.status()["stable"] == "v1"
    until(lambda: "v2" not in up.status()["versions"])
    assert up.huidu("rollback").returncode == 1
