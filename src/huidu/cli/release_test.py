"""What `huidu release` prints of what control answers."""

from typing import Any

import pytest

from huidu.cli import release
from huidu.cli.app import run

BACK = {
    "release": 3, "time": 20.0, "from": "v2", "to": "v1", "by": "wang", "reason": "numbers are wrong",
    "without_control": False,
}  # fmt: skip
ROW = {
    "id": 3, "version": "v2", "stage": "bake", "outcome": "promoted", "reason": "promoted by li: sure",
    "started_at": 10.0, "put_back": [BACK, BACK | {"by": None, "reason": "", "without_control": True}],
}  # fmt: skip


def said(
    answer: Any, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setattr(release, "ask_control", lambda *_: answer)
    assert run(["release", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_list_shows_what_was_put_back_below_what_it_undid(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"id": 0, "version": "v1", "started_at": 5.0, "outcome": None, "stage": None, "reason": None}
    lines = said([ROW, first | {"put_back": [BACK | {"release": None}]}], ["list"], monkeypatch, capsys)
    assert lines[0].endswith("  v2  promoted in bake: promoted by li: sure")
    assert lines[1].endswith("  put back from v2 to v1 by wang, undoing release 3: numbers are wrong")
    assert lines[2].endswith("  put back from v2 to v1 without control, undoing release 3")
    assert lines[3].endswith("  v1  before the first release")
    assert lines[4].endswith("  put back from v2 to v1 by wang: numbers are wrong")
    assert said([], ["list"], monkeypatch, capsys) == ["there was no release yet"]


def test_a_release_shows_what_undid_it_before_its_events(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"time": 11.0, "kind": "admitted", "payload": {}}
    lines = said(ROW | {"events": [event]}, ["show", "3"], monkeypatch, capsys)
    assert [("put back" in line, "admitted" in line) for line in lines] == [
        (False, False), (True, False), (True, False), (False, True),
    ]  # fmt: skip


def test_a_start_says_on_stderr_what_the_file_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {"took_effect": ["plan"], "next_release": [], "needs_up": ["data"], "no_effect": [], "unchanged": 1}
    answer = {"id": 4, "version": "v2", "stage": "admission", "config": changed}
    monkeypatch.setattr(release, "ask_control", lambda *_: answer)
    assert run(["release", "start", "v2"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "release 4 of v2 has started: admission\n"
    assert printed.err.splitlines() == ["plan: takes effect now", "data: needs a new `huidu up`"]


@pytest.mark.parametrize(("earlier", "more"), [(0, ""), (2, "; 2 of an earlier Huidu are left out")])
def test_a_replay_says_which_looks_it_leaves_out(
    earlier: int, more: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"id": 3, "looks": [{}, {}, {}], "alarms": [], "earlier_looks": earlier, "agree": True}
    lines = said(answer, ["replay", "3"], monkeypatch, capsys)
    assert lines == [f"release 3: 3 looks; every verdict comes out as recorded{more}"]
