import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from huidu.cli.app import app
from huidu.cli.doctor import _gateway
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
