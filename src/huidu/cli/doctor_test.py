import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from huidu.adapters.spool.folder import SpoolFolder
from huidu.cli.app import app
from huidu.cli.doctor import _gateway, _spools
from huidu.recognition.recorder_test import numbered
from huidu.settings import load


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
