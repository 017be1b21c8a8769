"""Commands that meet, controls that meet, and a control that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fronts import Backend
from installation import Installation, free_ports, running, until

CONFIG = """\
data: data
gateway: {listen: "127.0.0.1:{gateway}"}
control: {listen: "127.0.0.1:{control}", share_expiry: 60s}
versions:
  old: {url: "http://127.0.0.1:{old}"}
  new: {url: "http://127.0.0.1:{new}"}
stable: old
plan:
  - {share: 20%, for: 1h}
  - {share: 50%, for: 1h}
  - {share: 100%, for: 1h}
guards:
  errors: {fail_above: +10pp, at_most: +20pp}
"""
PEOPLE = 2


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    old, new = Backend("old"), Backend("new")
    text = CONFIG.replace("{old}", str(old.port)).replace("{new}", str(new.port))
    with running(tmp_path_factory.mktemp("control"), text) as found:
        yield found
    old.close()
    new.close()


@pytest.fixture
def in_last_share(up: Installation) -> Iterator[Installation]:
    up.release_into("new", "share:2000")
    assert up.huidu("promote", "--reason", "the first share").returncode == 0
    assert up.status()["stage"] == "share:5000"
    yield up
    if up.status()["stage"] is not None:
        assert up.huidu("rollback").returncode == 0
    until(lambda: "new" not in up.status()["versions"])


def at_once(up: Installation, *words: str) -> list[tuple[int, str]]:
    """One command by several people at the same moment: exit codes and what they were told."""
    command = [sys.executable, "-m", "huidu", *words, "--config", str(up.folder / "huidu.yaml")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    people = [subprocess.Popen(command, text=True, **pipes) for _ in range(PEOPLE)]
    told = [person.communicate(timeout=60)[1] for person in people]
    return [(person.returncode, said) for person, said in zip(people, told, strict=True)]


def control_url(up: Installation) -> str:
    return str(json.loads((up.folder / "data/run/control.json").read_text())["url"])


def test_of_two_promotions_from_the_last_share_one_is_refused_and_the_bake_stands(in_last_share: Installation) -> None:
    found = at_once(in_last_share, "promote", "--reason", "seen enough")
    ((code, said),) = [each for each in found if each[0] != 0]
    assert code == 1
    assert "release" in said
    assert "is in bake now" in said
    assert "accepted: look at `huidu status`" in said
    assert said.count("\n") == 1
    assert in_last_share.status()["stage"] == "bake"


def test_the_same_promotion_delivered_twice_takes_one_step(in_last_share: Installation) -> None:
    number = in_last_share.status()["release"]["id"]
    body = {"by": "li", "reason": "seen enough", "expected_release": number, "expected_stage": "share:5000"}
    asked: dict[str, Any] = {"url": f"{control_url(in_last_share)}/api/v1/promote", "json": body}
    first, second = (httpx.post(**asked, headers=in_last_share.operator()) for _ in range(2))
    assert (first.status_code, first.json()["stage"]) == (200, "bake")
    assert (second.status_code, second.json()["error"]) == (409, "refused")
    assert second.json()["detail"].startswith(f"release {number} is in bake now, not in share:5000 as you saw")


def test_the_record_names_who_overrode_and_what_was_put_back(in_last_share: Installation) -> None:
    up = in_last_share
    assert up.huidu("pause", "--reason", "lunch").returncode == 0
    refused = up.huidu("promote", "--reason", "testers are content")
    assert (refused.returncode, "paused by " in refused.stderr) == (1, True)
    assert ": lunch; accepted: promote --resume, or resume first" in refused.stderr
    assert up.huidu("promote", "--resume", "--reason", "testers are content").returncode == 0
    assert up.huidu("promote", "--reason", "month end").returncode == 0
    last = up.status()["last_release"]
    assert last["outcome"] == "promoted"
    assert ": month end; share:2000 passed by " in last["reason"]
    assert last["reason"].endswith(": testers are content")
    assert up.huidu("rollback", "--reason", "numbers are wrong").returncode == 0
    listed = up.huidu("release", "list").stdout.splitlines()
    assert "promoted in bake: promoted by " in listed[0]
    assert "  put back from new to old by " in listed[1]
    assert listed[1].endswith(f"undoing release {last['id']}: numbers are wrong")
    assert f"last       release {last['id']} of new: promoted: promoted by" in up.huidu("status").stdout


def test_a_file_taken_over_is_told_key_by_key(up: Installation) -> None:
    path = up.folder / "huidu.yaml"
    text = path.read_text()
    changed = text.replace("share_expiry: 60s", "share_expiry: 50s").replace("+20pp", "+30pp")
    path.write_text(changed.replace("gateway: {", "gateway: {max_upload: 5MB, "))
    try:
        found = json.loads(up.huidu("config", "apply", "--json").stdout)
        assert (found["applied"], found["took_effect"]) == (True, ["control.share_expiry"])
        assert (found["next_release"], found["needs_up"]) == (["guards.errors.at_most"], ["gateway.max_upload"])
        again = up.huidu("config", "apply").stdout.splitlines()
        assert again[1:] == ["  gateway.max_upload: needs a new `huidu up`"]
    finally:
        path.write_text(text)
    os.kill(up.control_pid(), signal.SIGHUP)
    log, line = (
        up.folder / "data/logs/control.log",
        "huidu.yaml: guards.errors.at_most: counts from the next release on",
    )
    # Once there, by the command, and once back, by the signal.
    until(lambda: log.read_text().count(line) == 2)
    assert json.loads(up.huidu("config", "apply", "--json").stdout)["unchanged"] > 30


def test_a_second_control_is_refused_by_the_number_of_the_first(up: Installation) -> None:
    control = up.control_pid()
    refused = up.huidu("control")
    assert refused.returncode == 1
    assert f"another control runs on {up.folder / 'data'} (pid {control}); accepted" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert (up.control_pid(), up.status()["control"]) == (control, "answers")


def test_a_control_whose_lock_was_taken_away_ends_when_another_writes(up: Installation) -> None:
    before = up.control_pid()
    (up.folder / "data/run/control.lock").unlink()
    # On another port, as one that somebody starts by hand from a copy of the file.
    (port,) = free_ports(1)
    other = up.folder / "other.yaml"
    other.write_text((up.folder / "huidu.yaml").read_text().replace(control_url(up).rpartition(":")[2], str(port)))
    command = [sys.executable, "-m", "huidu", "control", "--config", str(other)]
    with (up.folder / "other.log").open("w") as log, subprocess.Popen(command, stderr=log) as second:
        try:
            until(lambda: up.control_pid() == second.pid)
            until(lambda: not alive(before))
        finally:
            second.terminate()
    # supervisord's own control comes back as soon as the other is gone.
    until(lambda: up.control_pid() not in (before, second.pid) and up.status()["control"] == "answers")
    assert "another control has taken over the store" in (up.folder / "data/logs/control.log").read_text()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_killed_control_is_replaced(up: Installation) -> None:
    """Within two seconds on a machine that does nothing else; on a busy one by so much more as it is slower."""
    url = control_url(up)
    until(lambda: answers(url))
    # What supervisord takes for a process that has come up.
    time.sleep(1.5)
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import huidu.cli.app, huidu.control.app, sqlalchemy"], check=True)
    imports_seconds = time.monotonic() - started
    before = up.control_pid()
    killed = time.monotonic()
    os.kill(before, signal.SIGKILL)
    until(lambda: not answers(url), 5)
    until(lambda: answers(url), 30)
    replaced_seconds = time.monotonic() - killed
    assert up.control_pid() != before
    assert replaced_seconds < max(2.0, 3 * imports_seconds), f"{replaced_seconds:.2f} s"
    print(f"replaced within {replaced_seconds:.2f} s; imports alone take {imports_seconds:.2f} s")
