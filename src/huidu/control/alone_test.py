import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from huidu.control.alone import alone
from huidu.core.errors import RefusedError, UnavailableError
from huidu.core.places import Places

HOLD = """
import sys
from pathlib import Path
from huidu.control.alone import alone
from huidu.core.places import Places
with alone(Places(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_control_is_refused_by_the_number_of_the_first_until_that_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(RefusedError, match=rf"another control runs on .* \(pid {first.pid}\); accepted"):
            alone(Places(tmp_path)).__enter__()
        # Whatever way it ends.
        os.kill(first.pid, signal.SIGKILL)
    for _ in range(2):
        with alone(Places(tmp_path)):
            assert Places(tmp_path).control_lock.read_text() == f"{os.getpid()}\n"


def test_nobody_is_named_where_nobody_signed(tmp_path: Path) -> None:
    with alone(Places(tmp_path)):
        Places(tmp_path).control_lock.write_text("half a num")
        with pytest.raises(RefusedError, match=r"another control runs on \S+; accepted"):
            alone(Places(tmp_path)).__enter__()


def test_a_full_disk_names_nobody_and_keeps_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path)
    places.run.mkdir()
    places.control_lock.symlink_to("/dev/full")
    with alone(places):
        pass


def test_a_folder_that_cannot_be_written_to_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    with pytest.raises(UnavailableError, match=r"cannot be written to .*; accepted: a data folder that can") as refused:
        alone(Places(tmp_path)).__enter__()
    assert "\n" not in str(refused.value)
