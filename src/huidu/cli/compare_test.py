import json
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from huidu.cli.app import run
from huidu.ports import Recognition
from huidu.wire import make_history

CONFIG = """versions:
  v1: {url: "http://127.0.0.1:10095"}
  v2: {url: "http://127.0.0.1:10096"}
stable: v1
guards: {cer: {fail_above: +0pp, at_most: +20pp}}
"""
SAID = "今天天气很好我们出去走走一零零八六"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "huidu.yaml").write_text(CONFIG)
    return tmp_path / "data"


def recognitions(version: str, wrong: int, count: int = 120, ago: float = 60.0) -> Iterable[Recognition]:
    """Of forty users; so many of a hundred are empty, and all are corrected."""
    for index in range(count):
        yield Recognition(
            created_time=time.time() - ago,
            filename="call.wav",
            fingerprint="f" * 64,
            attempt=1,
            answered=True,
            purpose="live",
            engine="echo",
            device="cpu",
            language="zh",
            version=version,
            rule="share" if version == "v2" else "rest",
            request_id=f"{version}-{index}-{ago}",
            unit=f"{index % 40:016x}",
            raw_text="" if index * 37 % 100 < wrong else SAID,
            corrected_text=SAID,
            corrected_by="me",
            corrected_at=time.time(),
            audio_seconds=4.0,
            decode_ms=40.0 + index % 7,
            audio_sha256=f"{index}",
        )


def fill(data: Path, *rows: Recognition) -> None:
    history = make_history(data)
    for row in rows:
        history.add(row)


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = run(["compare", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_version_that_is_worse_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(data, *recognitions("v1", 3), *recognitions("v2", 60))
    status, found = compared(capsys, "v1", "v2", "--since", "24h")
    assert (status, found["verdict"]) == (4, "worse")
    assert found["until"] - found["since"] == pytest.approx(86_400)
    one, other = found["versions"].values()
    assert (one["name"], one["rows"], one["users"], one["rules"]) == ("v1", 120, 40, {"rest": 120})
    assert (other["corrected"], other["audio_seconds"]) == (120, 480.0)
    empty = found["measures"]["empty_on_speech"]
    assert empty["difference"] == pytest.approx(empty["candidate"] - empty["baseline"], abs=1e-6)
    assert empty["verdict"] == found["measures"]["cer"]["verdict"] == "worse"
    assert found["measures"]["cer"]["at_most"] == 0.2  # of huidu.yaml
    assert run(["compare", "v1", "v2"]) == 4
    said = capsys.readouterr().out
    assert "empty on speech" in said
    assert said.endswith("v2 is WORSE\n")


def test_little_evidence_is_undecided(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(data, *recognitions("v1", 5, 8), *recognitions("v2", 5, 8))
    assert compared(capsys, "v1", "v2")[0] == 3
    assert run(["compare", "v1", "v2"]) == 3
    assert capsys.readouterr().out.endswith("v2 is undecided\n")


def test_what_is_proven_alike_exits_with_zero(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ("errors", "cer", "numerals")
    guards = ", ".join(f"{name}: {{fail_above: +0pp, at_most: +60pp}}" for name in limits)
    (data.parent / "huidu.yaml").write_text(
        CONFIG.replace("{cer: {fail_above: +0pp, at_most: +20pp}}", f"{{{guards}}}")
    )
    # As many users as it takes to exclude half a point of each signal.
    rows = [
        replace(row, unit=f"{index:016x}", corrected_text=row.corrected_text if index < 60 else None)
        for version in ("v1", "v2")
        for index, row in enumerate(recognitions(version, 0, 1500))
    ]
    fill(data, *rows)
    status, found = compared(capsys, "v1", "v2")
    assert {name for name, each in found["measures"].items() if each and each["verdict"] != "not_worse"} == {
        "decode_ms_p50",
        "units_per_second",
        "mean_units",
    }
    assert (status, found["verdict"]) == (0, "not_worse")


def test_only_the_time_counts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(data, *recognitions("v1", 0, 4), *recognitions("v2", 0, 4), *recognitions("v2", 0, 5, ago=7200.0))
    assert [each["rows"] for each in compared(capsys, "v1", "v2", "--since", "1h")[1]["versions"].values()] == [4, 4]
    assert [each["rows"] for each in compared(capsys, "v1", "v2", "--since", "3h")[1]["versions"].values()] == [4, 9]
    assert run(["compare", "v1", "v2", "--since", "3h", "--until", "1h"]) == 2
    assert "version v1 has no rows in this time; accepted: v2 (5 rows)" in capsys.readouterr().err
    assert run(["compare", "v1", "v2", "--since", "7d", "--until", "5h"]) == 2
    assert "in all: v1 (4 rows), v2 (9 rows)" in capsys.readouterr().err


def test_nothing_is_written(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(data, *recognitions("v1", 0, 4), *recognitions("v2", 0, 4))
    with closing(sqlite3.connect(data / "history.db")) as connection:
        before = list(connection.iterdump())
    compared(capsys, "v1", "v2")
    with closing(sqlite3.connect(data / "history.db")) as connection:
        assert list(connection.iterdump()) == before


@pytest.fixture
def older(data: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An older tool's history, taken over: its versions are known by file names only, and by no user."""
    with closing(sqlite3.connect("old.db")) as connection, connection:
        connection.execute("CREATE TABLE recognition_history (id, timestamp, filename, result_text)")
        names = [f"meeting_v{1 + index % 2}_{index:03}.mp3" for index in range(40)] + ["other.mp3"]
        rows = [(index, time.time() - 3600, name, SAID) for index, name in enumerate(names)]
        connection.executemany("INSERT INTO recognition_history VALUES (?, ?, ?, ?)", rows)
    assert run(["history", "import", "old.db"]) == 0
    capsys.readouterr()
    return data


def test_versions_known_by_file_names(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = compared(capsys, "v1", "v2", "--version-pattern", r"_(v\d+)_")
    assert [(each["name"], each["rows"], each["rules"]) for each in found["versions"].values()] == [
        ("v1", 20, {"unknown": 20}),
        ("v2", 20, {"unknown": 20}),
    ]
    assert (status, found["compared"], found["unmatched"]) == (3, "all", 1)
    assert [each["without_audio_length"] for each in found["versions"].values()] == [20, 20]
    assert found["measures"]["errors"] is found["measures"]["decode_ms_p95"] is found["measures"]["cer"] is None
    assert found["measures"]["loops"]["difference"] == 0
    assert run(["compare", "v1", "v2", "--version-pattern", r"_(v\d+)_"]) == 3
    assert "note: 1 rows are left out" in capsys.readouterr().out


def test_without_the_pattern_there_is_one_version(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "v1", "v2"]) == 2
    assert "accepted: imported (41 rows)" in capsys.readouterr().err
    assert run(["compare", "v1", "v9", "--version-pattern", r"_(v\d+)_"]) == 2
    assert "accepted: v1 (20 rows), v2 (20 rows); 1 file names match no version" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["v1", "v2"],
        ["v1", "v1"],
        ["v1", "v2", "--since", "yesterday"],
        ["v1", "v2", "--since", "1h", "--until", "2h"],
        ["v1", "v2", "--config", "none.yaml"],
    ],
)
def test_a_refusal_is_one_line_and_makes_nothing(
    data: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *arguments]) == 2
    said = capsys.readouterr().err
    assert "accepted" in said
    assert said.count("\n") == 1
    assert not data.exists()


@pytest.mark.parametrize("pattern", ["(", "v1"])
def test_a_wrong_pattern_is_refused(older: Path, pattern: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "v1", "v2", "--version-pattern", pattern]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_was_pruned_is_left_out_and_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = 86_400.0
    rows = [row for version in ("v1", "v2") for row in recognitions(version, 0, ago=60.0)]
    rows += [row for version in ("v1", "v2") for row in recognitions(version, 50, ago=2 * day)]
    fill(data, *rows)
    assert run(["compare", "v1", "v2", "--since", "7d", "--json"]) in (0, 3, 4)
    assert json.loads(capsys.readouterr().out)["versions"]["v1"]["rows"] == 240
    assert run(["history", "prune", "--older-than", "1d"]) == 0
    capsys.readouterr()
    assert run(["compare", "v1", "v2", "--since", "7d", "--json"]) in (0, 3, 4)
    found = json.loads(capsys.readouterr().out)
    # Corrected rows are still there: they stand for nobody else.
    assert found["versions"]["v1"]["rows"] == 120
    assert found["since"] == pytest.approx(time.time() - day, abs=60)
    assert "were pruned: the comparison begins there" in found["remarks"][-1]
    assert run(["compare", "v1", "v2", "--since", "7d", "--until", "3d"]) == 2
    assert "were pruned; accepted: a time after that" in capsys.readouterr().err
