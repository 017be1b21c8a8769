import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from huidu.cli import emergency
from huidu.cli.emergency import data_folder

ALLOWED = {"huidu"}


@pytest.mark.parametrize("command", emergency.COMMANDS)
def test_an_emergency_imports_only_the_standard_library(command: str, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("data: here\n", "here"),
        ("versions: {}\ndata: './here there'   # why\n", "here there"),
        ("gateway: {data: no}\n", "data"),
        ("", "data"),
    ],
)
def test_the_data_folder_is_found_without_reading_yaml(text: str, folder: str, tmp_path: Path) -> None:
    config = tmp_path / "huidu.yaml"
    config.write_text(text)
    assert data_folder(config, {}) == (tmp_path / folder).resolve()
    assert data_folder(config, {"HUIDU_DATA": "/elsewhere"}) == Path("/elsewhere")


def test_a_data_folder_is_found_in_a_configuration_of_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "huidu.yaml").write_bytes("# 灰度\ndata: here\n".encode("gb18030"))
    assert data_folder(tmp_path / "huidu.yaml", {}) == tmp_path / "here"
