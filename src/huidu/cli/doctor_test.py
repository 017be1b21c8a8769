import json
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from huidu.adapters.spool.folder import SpoolFolder
from huidu.cli.app import app
from huidu.cli.doctor import _gateway, _spools, _store
from huidu.ports import Recognition
from huidu.recognition.recorder_test import numbered
from huidu.settings import load
from huidu.wire import make_history


def configured(folder: Path, text: str) -> Path:
    path = folder / "huidu.yaml"
    path.write_text(f"data: {folder}/data\n{text}\n")
    return path


def findings(config: Path) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(app, ["doctor", "--config", str(config), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_services_that_are_gone_are_bad_and_get_a_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        versions = f'{{v1: {{url: "http://127.0.0.1:1"}}, v2: {{url: "http://127.0.0.1:{port}"}}}}'
        code, found = findings(configured(tmp_path, f"versions: {versions}\nstable: v1"))
    assert code == 1
    first, second = [each for each in found if each["what"] in ("version v1", "version v2")]
    assert (first["ok"], first["found"]) == (False, "http://127.0.0.1:1 refuses connections")
    assert "change the `url:` of v1" in first["fix"]
    assert (second["ok"], second["fix"]) == (True, "")
    assert second["found"].endswith("accepts connections, no answer within 1 s")


@pytest.mark.parametrize("engine", ["envoy", "nginx"])
def test_what_is_not_measured_behind_nginx_is_a_remark(tmp_path: Path, engine: str) -> None:
    versions = '{v1: {url: "http://127.0.0.1:1"}, v2: {model: models/v2}}'
    text = f"gateway: {{engine: {engine}}}\nversions: {versions}\nstable: v1"
    remarks = [each for each in _gateway(load(configured(tmp_path, text))) if each.what == "sockets"]
    assert [each.ok for each in remarks] == ([True] if engine == "nginx" else [])
    for each in remarks:
        assert each.found.startswith("sockets of v1: bytes and seconds only; close codes and messages are not_measured")


def test_recognitions_that_were_lost_lately_are_bad_and_those_that_wait_are_told(tmp_path: Path) -> None:
    spools = SpoolFolder(tmp_path / "data/spool", "v1", size=1 << 16)
    spool = spools.own()
    assert spool is not None
    spool.append(numbered(3))
    assert [(each.ok, each.found) for each in _spools(tmp_path / "data")] == [
        (True, "3 recognitions of v1 wait for the history, 0 were lost")
    ]
    spool.lose(2)
    [found] = _spools(tmp_path / "data")
    assert (found.ok, found.found) == (False, "3 recognitions of v1 wait for the history, 2 were lost")
    spools.end()


def test_how_long_texts_are_kept_and_how_fast_they_grow_is_said(tmp_path: Path) -> None:
    versions = 'versions: {v1: {url: "http://127.0.0.1:1"}}\nstable: v1\n'
    without = configured(tmp_path, versions)
    [said] = [each for each in findings(without)[1] if each["what"] == "retention"]
    assert said["ok"]
    assert said["found"] == "nothing is pruned, texts and file names are kept for ever: no history yet"
    assert "retention: {texts: 30d}" in said["fix"]
    assert not (tmp_path / "data" / "history.db").exists()
    values = {"version": "v1", "fingerprint": "", "attempt": 1, "answered": True, "purpose": "live", "engine": "echo"}
    values |= {"device": "cpu", "audio_sha256": "", "filename": "a.wav", "raw_text": "x", "audio_seconds": 1.0}
    history = make_history(tmp_path / "data")
    for number in range(3):
        at = time.time() - number * 100_000
        history.add(Recognition(created_time=at, request_id=f"r-{number}", decode_ms=1.0, **values))  # type: ignore[arg-type]
    with_limit = configured(tmp_path, versions + "retention: {texts: 30d}")
    status = tmp_path / "data" / "run" / "status.json"
    status.parent.mkdir()
    status.write_text('{"retention": {"trouble": "the clock says so"}}')
    said, trouble = [each for each in findings(with_limit)[1] if each["what"] in ("retention", "prune")]
    assert said["found"].startswith("texts and file names are kept for 30 days: about 3 recognitions since 20")
    assert " more a day as in the last one" in said["found"]
    assert (trouble["ok"], trouble["found"]) == (False, "the clock says so")


def test_hotwords_that_an_engine_ignores_are_a_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "words.txt").write_text("灰度\n", encoding="utf-8")
    model = Path(__file__).parents[1] / "demo" / "kit" / "models" / "v1"
    versions = f"versions: {{v1: {{model: {model}, hotwords: words.txt}}}}\nstable: v1\n"
    config = configured(tmp_path, versions)
    [said] = [each for each in findings(config)[1] if each["what"] == "hotwords"]
    assert (said["ok"], said["found"]) == (True, "version v1: engine sherpa-onnx ignores hotwords")
    checked = CliRunner().invoke(app, ["config", "check", "--config", str(config), "--json"])
    assert json.loads(checked.stdout)["notes"] == [said["found"]]


def test_a_store_that_takes_nothing_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "gateway").mkdir(parents=True)
    assert [each.found for each in _store(data)] == [f"{data}/history.db is gone"]
    make_history(data)
    assert list(_store(data)) == []
    with closing(sqlite3.connect(data / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (found,) = _store(data)
    assert not found.ok
    assert "database is locked" in found.found
    assert "wait in the spool" in found.fix
