import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

import huidu.cli.history  # noqa: F401  (registers its commands)
from huidu.cli.app import run
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
