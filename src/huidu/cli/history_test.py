import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import huidu.cli.history  # noqa: F401  (registers its commands)
from huidu.cli.app import run
from huidu.ports import Recognition
from huidu.wire import make_history

CONFIG = 'versions:\n  old: {url: "http://127.0.0.1:10095"}\nstable: old\n'


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of an older tool, beside a configuration and an audio file of half a second."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "huidu.yaml").write_text(CONFIG)
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16_000)
    with closing(sqlite3.connect("old.db")) as connection, connection:
        connection.execute("CREATE TABLE recognition_history (id, timestamp, filename, file_path, result_text)")
        rows = [(1, "2025-03-01 08:00:00", "m_v2_1.mp3", "a.wav", "你好"), (2, 1e9, "x.mp3", None, "再见")]
        connection.executemany("INSERT INTO recognition_history VALUES (?, ?, ?, ?, ?)", rows)
    return Path("old.db")


def test_a_history_is_taken_over_once(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["history", "import", str(old), "--version", "v1", "--version-pattern", r"_(v\d+)_", "--json"]
    for imported, known in ((2, 0), (0, 2)):
        assert run(command) == 0
        assert json.loads(capsys.readouterr().out) == {"imported": imported, "known": known, "refused": []}
    rows = make_history(Path("data")).page(10, None, None, None)
    assert {(row.filename, row.version, row.audio_seconds) for row in rows} == {
        ("m_v2_1.mp3", "v2", 0.5),
        ("x.mp3", "v1", 0),
    }


def test_bad_rows_are_listed_and_fail_the_command(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("INSERT INTO recognition_history VALUES ('r-9', 'yesterday', 'x.mp3', NULL, 'x')")
    assert run(["history", "import", str(old)]) == 1
    said = capsys.readouterr()
    assert said.out == "imported 2, known 0, refused 1\n"
    assert said.err.startswith("huidu: row r-9: the time 'yesterday' cannot be read; accepted: ")
    assert said.err.count("\n") == 1
    assert run(["history", "import", str(old), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["row"] for each in found["refused"]] == ["r-9"]
    assert "yesterday" in found["refused"][0]["why"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["none.db"],
        ["huidu.yaml"],
        ["old.db", "--version-pattern", "("],
        ["old.db", "--version", "no name"],
        ["old.db", "--config", "none.yaml"],
    ],
)
def test_a_refusal_is_one_line(old: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "import", *arguments]) == 2
    said = capsys.readouterr().err
    assert "accepted" in said
    assert said.count("\n") == 1


def rows_ago(*days: float) -> list[int]:
    """Rows of so many days ago, each of a unit of its own; their ids."""
    history = make_history(Path("data"))
    made = []
    for number, ago in enumerate(days):
        values: dict[str, Any] = {
            "filename": f"call-{number}.wav",
            "raw_text": "你好",
            "version": "v1",
            "fingerprint": "",
            "attempt": 1,
        }
        values |= {"answered": True, "purpose": "live", "engine": "echo", "device": "cpu", "audio_sha256": "a"}
        row = Recognition(
            created_time=time.time() - ago * 86_400, request_id=f"r-{number}", unit=f"{number:016x}",
            audio_seconds=1.0, decode_ms=1.0, **values,
        )  # fmt: skip
        made.append(history.add(row))
    return made


def left() -> set[int]:
    return {row.id for row in make_history(Path("data")).page(100, None, None, None)}


def test_rows_are_deleted_and_come_back(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = rows_ago(1, 2, 40)
    assert run(["history", "delete", str(ids[0]), "--yes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["deleted"] == 1
    assert found["erased_after"] == pytest.approx(time.time() + 7 * 86_400, abs=60)
    assert left() == {ids[1], ids[2]}
    assert run(["history", "delete", "--unit", f"{1:016x}", "--before", "1d", "--yes"]) == 0
    assert run(["history", "delete", "--before", "30d", "--yes"]) == 0
    assert left() == set()
    assert run(["history", "delete", "--before", "0s", "--undo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"brought_back": 3}
    assert left() == set(ids)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        ([], "nothing is named; accepted: numbers of rows, --unit UNIT, --before TIME", 2),
        (["--unit", "li"], "read unit 'li'; accepted: 16 hex digits", 2),
        (["--before", "soon"], "read time 'soon'; accepted: 30d (ago), or 2026-11-22", 2),
        (["0"], "accepted: at most 10000, each from 1 on", 2),
        (["99999999999999999999"], "accepted: at most 10000, each from 1 on", 2),
        (["1"], "1 recognitions will be deleted, and there is nobody to ask; accepted: --yes", 1),
    ],
)
def test_a_deletion_that_is_not_meant_is_refused(
    old: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str, code: int
) -> None:
    ids = rows_ago(1)
    assert run(["history", "delete", *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert left() == set(ids)


def test_a_prune_says_what_it_would_take_and_what_it_took(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = rows_ago(40, 35, 1)
    make_history(Path("data")).correct(ids[0], "你好", "li", 1.0)
    with Path("huidu.yaml").open("a") as file:
        file.write("retention: {texts: 30d}\n")
    assert run(["history", "prune", "--dry-run"]) == 0
    assert "would take 1 recognitions, and the file names of 1 references, of before " in capsys.readouterr().out
    assert left() == set(ids)
    assert run(["history", "prune", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["erased"], found["unnamed"], found["trouble"]) == (1, 1, [])
    assert Path(found["copy"]).is_file()
    assert left() == {ids[0], ids[2]}
    assert run(["history", "prune", "--older-than", "12h", "--no-backup"]) == 0
    assert "took 0 recognitions" in capsys.readouterr().out  # the newest stands for its number
    assert left() == {ids[0]}


def test_without_a_limit_or_a_history_nothing_is_pruned(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "prune"]) == 2
    assert "accepted: retention: {texts: 30d}, or --older-than 30d" in capsys.readouterr().err
    assert run(["history", "prune", "--older-than", "1d"]) == 2
    assert run(["history", "delete", "1", "--yes"]) == 2
    assert not Path("data").exists()


def test_a_clock_from_another_year_is_not_pruned_by(
    old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = rows_ago(1, 0)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 400 * 86_400)
    assert run(["history", "prune", "--older-than", "30d"]) == 1
    assert "--trust-clock" in capsys.readouterr().err
    assert left() == set(ids)
    assert run(["history", "prune", "--older-than", "30d", "--trust-clock", "--json"]) == 0
    assert left() == set()
