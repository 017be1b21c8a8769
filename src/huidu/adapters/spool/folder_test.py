import logging
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.spool.file import HALF_SUFFIX
from huidu.adapters.spool.folder import SIZE_BYTES, SpoolFolder, heads
from huidu.core.spool import HEAD_BYTES
from huidu.ports import Recognition, Spool
from huidu.recognition.recorder_test import ROW, numbered

SMALL = 64 << 10


def opened(folder: Path, version: str = "v1", size: int = SMALL) -> tuple[SpoolFolder, Spool]:
    spools = SpoolFolder(folder, version, size)
    spool = spools.own()
    assert spool is not None
    return spools, spool


def only(folder: Path) -> Path:
    [path] = folder.glob("*.spool")
    return path


def everything(spool: Spool) -> list[Recognition]:
    return spool.head(100_000)


def test_a_spool_is_laid_out_in_advance_for_its_owner_alone(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path / "spool", size=SIZE_BYTES)
    found = only(tmp_path / "spool").stat()
    assert found.st_size == SIZE_BYTES <= found.st_blocks * 512
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert spool.state().capacity_bytes == SIZE_BYTES - HEAD_BYTES
    spools.end()


def test_rows_come_out_as_they_went_in_and_in_their_order(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    rows = [replace(row, raw_text="半\ud800个", options={"prompt": "客服"}) for row in numbered(5)]
    assert spool.append(rows[:3]) == 3
    assert spool.append(rows[3:]) == 2
    assert spool.head(2) == rows[:2]
    spool.drop(2)
    assert everything(spool) == rows[2:]
    assert spool.state().waiting_rows == 3
    spools.end()


def test_what_was_replayed_is_wiped(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(9))
    spool.drop(9)
    assert set(only(tmp_path).read_bytes()[HEAD_BYTES:]) == {0}
    assert spool.state().waiting_bytes == 0
    spools.end()


def test_a_full_spool_takes_what_fits_and_again_once_there_is_room(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    rows = numbered(500)
    fitting = spool.append(rows)
    assert 20 < fitting < 500
    assert spool.append(rows[fitting:]) == 0
    spool.drop(10)
    again = spool.append(rows[fitting : fitting + 30])
    assert 8 <= again <= 10
    assert everything(spool) == rows[10 : fitting + again]
    spools.end()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=40))
def test_it_is_a_queue_whatever_comes_and_goes(tmp_path: Path, steps: list[tuple[bool, int]]) -> None:
    folder = tmp_path / os.urandom(4).hex()
    spools, spool = opened(folder)
    waiting: list[Recognition] = []
    next_number = 0
    for comes, count in steps:
        if comes:
            rows = [
                replace(ROW, request_id=f"r{next_number + each}", raw_text="x" * count * 20) for each in range(count)
            ]
            next_number += count
            waiting += rows[: spool.append(rows)]
        else:
            spool.drop(count)
            waiting = waiting[count:]
        assert spool.state().waiting_rows == len(waiting)
    spools.end()
    spools, spool = opened(folder)
    assert everything(spool) == waiting
    assert spool.state().lost_rows == 0
    spools.end()


def test_who_starts_next_takes_over_what_its_version_left(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(3))
    spool.lose(2)
    path = only(tmp_path)
    spools.end()
    spools, spool = opened(tmp_path)
    assert only(tmp_path) == path
    assert everything(spool) == numbered(3)
    assert spool.state().lost_rows == 2
    spools.end()


def test_another_version_empties_what_one_left_and_removes_it(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(3))
    other, own = opened(tmp_path, "v2")
    assert other.left() is None
    spools.end()
    left = other.left()
    assert left is not None
    assert everything(left) == numbered(3)
    assert other.left() is None
    assert everything(own) == []
    other.close(left)
    assert len(list(tmp_path.glob("*.spool"))) == 2
    left = other.left()
    assert left is not None
    left.drop(3)
    other.close(left)
    assert only(tmp_path).name.startswith("v2-")
    other.end()


def test_two_of_one_version_have_a_spool_each(tmp_path: Path) -> None:
    first, one = opened(tmp_path)
    second, other = opened(tmp_path)
    one.append(numbered(1))
    assert everything(other) == []
    assert sorted(head.waiting_rows for head in heads(tmp_path)) == [0, 1]
    first.end()
    second.end()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, SMALL), st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 255)), max_size=4), st.booleans())
def test_whatever_is_damaged_the_rest_is_replayed(
    tmp_path: Path, length: int, changes: list[tuple[int, int]], is_cut: bool
) -> None:
    folder = tmp_path / os.urandom(4).hex()
    spools, spool = opened(folder)
    rows = numbered(12)
    spool.append(rows)
    path = only(folder)
    spools.end()
    content = bytearray(path.read_bytes())
    for place, by in changes:
        content[place] ^= by
    path.write_bytes(content[:length] if is_cut else content)
    control = SpoolFolder(folder, None)
    left = control.left()
    found = everything(left) if left is not None else []
    assert found == [row for row in rows if row in found]
    if left is not None and 0 not in [place // HEAD_BYTES for place, _ in changes] and not (is_cut and length < SMALL):
        assert len(found) + left.state().lost_rows == len(rows)
    control.end()


def test_damage_is_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(3))
    path = only(tmp_path)
    spools.end()
    with path.open("r+b") as file:
        file.seek(HEAD_BYTES + 40)
        file.write(b"!")
    for _ in range(2):
        spools, spool = opened(tmp_path)
        assert everything(spool) == numbered(3)[1:]
        assert spool.state().lost_rows == 1
        spools.end()
    assert [record.getMessage().split(" are ")[0] for record in caplog.records] == [
        f"1 recognitions in the spool {path}"
    ]


def test_a_row_that_is_damaged_while_it_waits_is_lost_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(3))
    with only(tmp_path).open("r+b") as file:
        file.seek(HEAD_BYTES + 40)
        file.write(b"!")
    assert everything(spool) == numbered(3)[1:]
    assert (spool.state().waiting_rows, spool.state().lost_rows) == (2, 1)
    assert "row 1 in the spool" in caplog.text
    spools.end()


def test_what_is_somebody_elses_is_left_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "notes.spool").write_text("mine")
    (tmp_path / "empty.spool").touch()
    (tmp_path / "folder.spool").mkdir()
    (tmp_path / "link.spool").symlink_to("/etc/passwd")
    (tmp_path / "readme.txt").write_text("mine")
    os.mkfifo(tmp_path / "pipe.spool")
    before = sorted(tmp_path.iterdir())
    control = SpoolFolder(tmp_path, None)
    with caplog.at_level(logging.WARNING):
        assert control.left() is None
        assert control.left() is None
    assert sorted(record.getMessage().split(" is left")[0] for record in caplog.records) == [
        str(path) for path in before if path.suffix == ".spool"
    ]
    assert sorted(tmp_path.iterdir()) == before
    assert heads(tmp_path) == []


def test_what_was_being_laid_out_when_its_process_ended_is_cleared(tmp_path: Path) -> None:
    (tmp_path / f"v1-00{HALF_SUFFIX}").write_bytes(bytes(100))
    spools, _ = opened(tmp_path)
    assert not list(tmp_path.glob(f"*{HALF_SUFFIX}"))
    spools.end()


def test_no_room_is_no_spool_and_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "spool").touch()
    spools = SpoolFolder(tmp_path / "spool", "v1", SMALL)
    with caplog.at_level(logging.WARNING):
        assert spools.own() is None
        assert spools.own() is None
    assert len(caplog.records) == 1
    assert "will be lost: no spool" in caplog.text
    (tmp_path / "spool").unlink()
    assert spools.own() is not None
    spools.end()


def test_heads_tell_what_waits_without_a_lock(tmp_path: Path) -> None:
    assert heads(tmp_path / "none") == []
    spools, spool = opened(tmp_path, "v2")
    spool.append(numbered(4))
    spool.lose(1)
    [head] = heads(tmp_path)
    assert (head.version, head.waiting_rows, head.lost_rows) == ("v2", 4, 1)
    assert head.waiting_bytes == spool.state().waiting_bytes
    spools.end()


def test_a_spool_that_somebody_deletes_takes_nothing_more_and_is_laid_out_anew(tmp_path: Path) -> None:
    spools, spool = opened(tmp_path)
    spool.append(numbered(2))
    only(tmp_path).unlink()
    assert spool.append(numbered(1)) == 0
    assert spools.own() is spool
    spool.drop(len(everything(spool)))
    again = spools.own()
    assert again is not None
    assert (again.append(numbered(1)), only(tmp_path).exists()) == (1, True)
    spools.end()
