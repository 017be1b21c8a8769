import json
import os
from pathlib import Path

import pytest

from huidu.adapters.gateways.refused import tidy_refused_log
from huidu.core.errors import UnavailableError

NOW, DAY = 1_795_334_400.0, 86_400.0


class Gateway:
    """Writes into the file that it has open, and begins a new one when it hears."""

    def __init__(self, live: Path):
        self.live, self.deaf = live, False
        self.inode = self._begin()

    def _begin(self) -> int:
        self.live.touch()
        return self.live.stat().st_ino

    def reopen(self) -> bool:
        if not self.deaf:
            self.inode = self._begin()
        return not self.deaf

    def refuse(self, at: float) -> None:
        [path] = [path for path in self.live.parent.iterdir() if path.stat().st_ino == self.inode]
        with path.open("a") as file:
            file.write(json.dumps({"time": at, "status": 431}) + "\n")
        os.utime(path, (at, at))


def times(folder: Path) -> list[float]:
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines()]
    return sorted(json.loads(line)["time"] for line in lines)


@pytest.mark.parametrize("keep_days", [1, 7, 30])
def test_every_line_lives_as_long_as_is_kept_and_no_longer(tmp_path: Path, keep_days: int) -> None:
    gateway = Gateway(tmp_path / "gateway-refused.jsonl")
    for step in range(90):
        now = NOW + step * keep_days * DAY / 30
        gateway.refuse(now)
        tidy_refused_log(gateway.live, gateway.reopen, now, keep_days * DAY)
        left = times(tmp_path)
        assert left[0] >= now - keep_days * DAY
        assert left[-1] == now
    assert len(left) >= 20


def test_a_gateway_that_does_not_hear_loses_no_line(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway-refused.jsonl")
    gateway.refuse(NOW)
    gateway.deaf = True
    for day in range(1, 20):
        tidy_refused_log(gateway.live, gateway.reopen, NOW + day * DAY, 7 * DAY)
        gateway.refuse(NOW + day * DAY)
    gateway.deaf = False
    tidy_refused_log(gateway.live, gateway.reopen, NOW + 20 * DAY, 7 * DAY)
    gateway.refuse(NOW + 20 * DAY)
    assert gateway.live.read_text().count("\n") == 1
    assert len(times(tmp_path)) == 21


def test_lines_that_tell_no_time_are_as_old_as_their_file(tmp_path: Path) -> None:
    live = tmp_path / "gateway-refused.jsonl"
    for content in (b"", b"\xff\n", b"[]\n", b'{"time": "x"}\n'):
        live.write_bytes(content)
        os.utime(live, (NOW, NOW))
        tidy_refused_log(live, lambda: True, NOW + 1, 7 * DAY)
        assert live.exists()
    tidy_refused_log(live, lambda: True, NOW + 2 * DAY, 7 * DAY)
    assert not live.exists()


def test_without_a_folder_nothing_is_done_and_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    tidy_refused_log(tmp_path / "none" / "gateway-refused.jsonl", lambda: True, NOW, DAY)
    (tmp_path / "gateway-refused.jsonl").mkdir()
    with pytest.raises(UnavailableError, match="cannot be tidied"):
        tidy_refused_log(tmp_path / "gateway-refused.jsonl", lambda: True, NOW, DAY)
