"""The log, rotated, torn and cut: each whole line once."""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from huidu.adapters.gateways import log as log_module
from huidu.adapters.gateways.log import GatewayLogFiles
from huidu.core.errors import UnavailableError

NOW = 1_800_000_000.0
DAY = 86_400.0
ROW = {
    "time": 1.0, "release": None, "version": "v1", "served_by": "v1", "generation": 1, "rule": "rest",
    "unit": "0" * 16, "share_bp": 0, "attempts": 1, "status": 200, "ms": 3, "audio_seconds": None,
}  # fmt: skip


def line(number: int) -> bytes:
    return json.dumps({"request_id": f"r{number}", **ROW}).encode() + b"\n"


def lines(start: int, stop: int) -> bytes:
    return b"".join(line(number) for number in range(start, stop))


class Gateway:
    """Writes as gateways do: to an open file, whatever its name, until it is told to open one again."""

    def __init__(self, path: Path):
        self.path, self.hears = path, True
        self.file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        self.file.write(data)

    def reopen(self) -> bool:
        if self.hears:
            self.file.close()
            self.file = self.path.open("ab", buffering=0)
        return self.hears


class Reader:
    """Reads on from its checkpoint, which goes through JSON as in the store."""

    def __init__(self, files: GatewayLogFiles, checkpoint: dict[str, Any] | None = None):
        self.files, self.checkpoint = files, checkpoint
        self.trouble: str | None = None

    def read(self) -> list[str]:
        found = self.files.read(json.loads(json.dumps(self.checkpoint)))
        self.checkpoint, self.trouble = found.checkpoint, found.trouble
        return [observation.request_id for observation in found.observations]

    @property
    def lines(self) -> int:
        """Lines read since ever."""
        return int((self.checkpoint or {}).get("lines", 0))


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "gateway.jsonl"


@pytest.fixture
def gateway(live: Path) -> Iterator[Gateway]:
    gateway = Gateway(live)
    yield gateway
    gateway.file.close()


@pytest.fixture
def files(live: Path, gateway: Gateway) -> GatewayLogFiles:
    return GatewayLogFiles(live, gateway.reopen, 1000)


def named(start: int, stop: int) -> list[str]:
    return [f"r{number}" for number in range(start, stop)]


def rotated(live: Path) -> list[Path]:
    return sorted(live.parent.glob("gateway-*.jsonl"))


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    reader = Reader(GatewayLogFiles(tmp_path / "none" / "gateway.jsonl", lambda: True, 1))
    assert (reader.read(), reader.checkpoint) == ([], {"files": {}, "read": 0, "lines": 0})
    assert reader.trouble is None
    reader.files.rotate_if_due(NOW)
    assert reader.read() == []


def test_half_a_line_waits_for_its_end(gateway: Gateway, files: GatewayLogFiles) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 2) + line(2)[:40])
    assert reader.read() == ["r0", "r1"]
    assert reader.read() == []
    gateway.write(line(2)[40:])
    assert reader.read() == ["r2"]


def test_a_file_is_rotated_when_it_is_too_large(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 2))
    files.rotate_if_due(NOW)
    assert rotated(live) == []
    gateway.write(lines(2, 10))
    files.rotate_if_due(NOW)
    assert [path.name for path in rotated(live)] == ["gateway-20270115T080000.000000Z.jsonl"]
    gateway.write(lines(10, 12))
    assert reader.read() == named(0, 12)


def test_a_renamed_file_is_read_for_as_long_as_it_gets_lines(
    live: Path, gateway: Gateway, files: GatewayLogFiles
) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 10))
    slow = gateway.path.open("ab", buffering=0)
    assert reader.read() == named(0, 10)
    files.rotate_if_due(NOW)
    for turn in range(3):
        slow.write(line(100 + turn))
        gateway.write(line(200 + turn))
        assert reader.read() == [f"r{100 + turn}", f"r{200 + turn}"]
    slow.close()


def test_a_gateway_that_does_not_hear_goes_on_in_the_renamed_file(
    live: Path, gateway: Gateway, files: GatewayLogFiles
) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 10))
    gateway.hears = False
    files.rotate_if_due(NOW)
    gateway.write(lines(10, 20))
    files.rotate_if_due(NOW + 1)
    assert not live.exists()
    assert (len(rotated(live)), reader.read()) == (1, named(0, 20))
    gateway.hears = True
    files.rotate_if_due(NOW + 2)
    gateway.write(lines(20, 21))
    assert (live.exists(), reader.read()) == (True, ["r20"])


def test_other_files_beside_it_are_left_alone(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    for name in ("gateway-refused.jsonl", "gateway-20270115.jsonl", "gateway.jsonl.1"):
        live.with_name(name).write_bytes(line(7))
    gateway.write(line(1))
    reader = Reader(files)
    assert reader.read() == ["r1"]
    files.forget(reader.checkpoint or {}, NOW)
    assert len(list(live.parent.iterdir())) == 4


def test_a_new_file_with_the_old_inode_number_is_another_file(
    live: Path, gateway: Gateway, files: GatewayLogFiles
) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 5))
    assert reader.read() == named(0, 5)
    # The same inode with other content, as after a deletion and a new file.
    os.truncate(live, 0)
    assert reader.read() == []
    gateway.write(lines(50, 53))
    assert reader.read() == named(50, 53)


def test_a_checkpoint_of_the_old_form_is_understood(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    gateway.write(lines(0, 10))
    old = {"inode": live.stat().st_ino, "offset": len(lines(0, 4))}
    assert Reader(files, old).read() == named(4, 10)
    files.rotate_if_due(NOW)
    gateway.write(line(10))
    reader = Reader(files, old)
    assert reader.read() == named(4, 11)
    assert reader.checkpoint is not None
    assert reader.checkpoint["read"] == len(lines(0, 11))
    assert reader.read() == []
    # A file that was replaced while control was away, and one that never was there.
    assert Reader(files, {"inode": 1, "offset": 9}).read() == named(0, 11)
    assert Reader(files, {"inode": 0, "offset": 0}).read() == named(0, 11)


def test_one_read_is_bounded_and_the_next_goes_on(
    gateway: Gateway, files: GatewayLogFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_READ_BYTES", 1000)
    monkeypatch.setattr(log_module, "_LINE_BYTES", 300)
    reader = Reader(files)
    for turn in range(4):
        gateway.write(lines(10 * turn, 10 * turn + 10))
        files.rotate_if_due(NOW + turn)
    found: list[str] = []
    reads = 0
    while part := reader.read():
        assert len(part) <= 1000 // len(line(10))
        found += part
        reads += 1
    assert (found, reads > 8) == (named(0, 40), True)


@pytest.mark.parametrize("cut", [0, 1, 30, len(line(1)) - 1])
def test_a_torn_line_does_not_swallow_the_one_after_it(gateway: Gateway, files: GatewayLogFiles, cut: int) -> None:
    gateway.write(line(0) + line(1)[:cut] + line(2) + line(3))
    whole = ["r1"] if cut == len(line(1)) - 1 else []
    assert Reader(files).read() == ["r0", *whole, "r2", "r3"]


@pytest.mark.parametrize(
    "junk",
    [
        b"\0" * 5000,
        b"\0" * 3_000_000,
        bytes(range(11, 256)) * 9,
        b'\n\r\n\n{"a": 1}\n[1]\n"x"\n7\nnull\nNaN\n{"',
        line(0).replace(b'"1', b'"x').replace(b'"0', b'"z'),
        line(0).replace(b'"ms": 3', b'"ms": null'),
    ],
)
def test_junk_neither_stalls_nor_swallows(gateway: Gateway, files: GatewayLogFiles, junk: bytes) -> None:
    reader = Reader(files)
    gateway.write(line(1) + junk)
    found = reader.read()
    gateway.write(line(2))
    found += reader.read() + reader.read()
    assert found == ["r1", "r2"]


def test_a_log_cut_down_by_others_is_read_from_its_new_start(
    live: Path, gateway: Gateway, files: GatewayLogFiles
) -> None:
    reader = Reader(files)
    gateway.write(lines(0, 10))
    assert reader.read() == named(0, 10)
    live.with_name("gateway.jsonl.1").write_bytes(live.read_bytes())
    os.truncate(live, 0)
    gateway.write(lines(10, 12))
    assert reader.read() == named(10, 12)
    # Cut behind its first line it is still the same file: what is written from there on is new.
    os.truncate(live, len(line(10)))
    assert reader.read() == []
    gateway.write(line(12))
    assert reader.read() == ["r12"]


def test_a_copy_of_a_file_is_not_read_again(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    gateway.write(lines(0, 3))
    live.with_name("gateway-20270115T080000.000000Z.jsonl").write_bytes(live.read_bytes())
    assert Reader(files).read() == named(0, 3)


def test_a_file_that_may_not_be_read_is_reported(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    gateway.write(line(0))
    gateway.file.close()
    live.unlink()
    live.mkdir()
    with pytest.raises(UnavailableError, match=r"cannot be read or rotated.*accepted"):
        files.read(None)


def old_files(live: Path, gateway: Gateway, files: GatewayLogFiles, ages_days: list[float]) -> None:
    for number, days in enumerate(ages_days):
        gateway.write(lines(100 * number, 100 * number + 10))
        files.rotate_if_due(NOW - days * DAY)
    for path in rotated(live):
        os.utime(path, (NOW - DAY, NOW - DAY))


def test_old_files_go_once_they_are_read(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    old_files(live, gateway, files, [9, 8, 1])
    reader = Reader(files)
    files.forget({"files": {}, "read": 0}, NOW)
    assert len(rotated(live)) == 3
    reader.read()
    assert reader.checkpoint is not None
    files.forget(reader.checkpoint, NOW)
    assert len(rotated(live)) == 1
    assert reader.read() == []
    assert len(reader.checkpoint["files"]) == 1


def test_the_oldest_of_too_many_go(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    old_files(live, gateway, files, [1 - number / 100 for number in range(11)])
    reader = Reader(files)
    reader.read()
    files.forget(reader.checkpoint or {}, NOW)
    assert len(rotated(live)) == 8


@pytest.mark.parametrize("late", [line(77), line(77)[:30], b""])
def test_a_file_that_got_lines_just_now_or_unread_ones_stays(
    live: Path, gateway: Gateway, files: GatewayLogFiles, late: bytes
) -> None:
    old_files(live, gateway, files, [9])
    reader = Reader(files)
    reader.read()
    (path,) = rotated(live)
    with path.open("ab") as file:
        file.write(late)
    os.utime(path, (NOW - 1, NOW - 1))
    files.forget(reader.checkpoint or {}, NOW)
    assert path.exists()
    os.utime(path, (NOW - DAY, NOW - DAY))
    files.forget(reader.checkpoint or {}, NOW)
    # Half a line will never get its end; a whole one is still to be read.
    assert path.exists() == late.endswith(b"\n")


def test_whatever_happens_each_line_is_read_once(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    chance = random.Random(11)
    reader, written, found, pending = Reader(files), 0, [], b""
    for turn in range(600):
        what = chance.random()
        if what < 0.5:
            count = chance.randint(1, 6)
            data = pending + lines(written, written + count)
            written += count
            cut = chance.randint(0, 30) if chance.random() < 0.3 else 0
            pending = data[len(data) - cut :]
            gateway.write(data[: len(data) - cut])
        elif what < 0.7:
            gateway.hears = chance.random() < 0.6
            if not pending:
                files.rotate_if_due(NOW + turn)
        elif what < 0.8:
            before = reader.checkpoint
            reader.read()
            reader.checkpoint = before  # control was killed before it could store
        else:
            found += reader.read()
    gateway.write(pending)
    found += reader.read()
    assert sorted(found) == sorted(named(0, written))
    assert len(rotated(live)) > 10
    # As many as the gateway says that it has written: else evidence would look lost.
    assert reader.lines == written


# ------------------------------------------------------------------ what others do to the log


@dataclass
class Meddled:
    """A log of some lines that were read, to which somebody else now does something."""

    live: Path
    gateway: Gateway
    reader: Reader

    def again(self) -> Reader:
        """Control after a restart."""
        files = GatewayLogFiles(self.live, self.gateway.reopen, 10**6)
        return Reader(files, json.loads(json.dumps(self.reader.checkpoint)))


@pytest.fixture
def meddled(live: Path, gateway: Gateway) -> Meddled:
    reader = Reader(GatewayLogFiles(live, gateway.reopen, 10**6))
    gateway.write(lines(0, 10))
    assert (reader.read(), reader.trouble) == (named(0, 10), None)
    return Meddled(live, gateway, reader)


def test_a_removed_log_is_said_to_be_gone_until_there_is_one_again(meddled: Meddled) -> None:
    meddled.live.unlink()
    for _ in range(3):
        assert meddled.reader.read() == []
        assert meddled.reader.trouble == f"the gateway's log {meddled.live} is gone"
    assert meddled.reader.files.reopen()
    meddled.gateway.write(lines(10, 12))
    assert meddled.reader.read() == named(10, 12)
    assert (meddled.reader.read(), meddled.reader.trouble) == ([], None)


@pytest.mark.parametrize("name", ["gateway.jsonl.1", "gateway.jsonl-20270115", "gateway.jsonl.old"])
@pytest.mark.parametrize("recreated", [True, False])
def test_what_goes_on_into_a_file_that_somebody_renamed_is_read(meddled: Meddled, name: str, recreated: bool) -> None:
    live, gateway, reader = meddled.live, meddled.gateway, meddled.reader
    gateway.write(lines(10, 12))
    live.rename(live.with_name(name))
    if recreated:
        live.touch()
    gateway.write(lines(12, 15))
    assert reader.read() == named(10, 15)
    assert "the gateway's log" in str(reader.trouble)
    gateway.write(lines(15, 16))
    assert reader.read() == named(15, 16)
    assert reader.files.reopen()
    gateway.write(lines(16, 18))
    assert reader.read() == named(16, 18)
    assert (reader.read(), reader.trouble) == ([], None)
    assert reader.lines == 18


def test_a_renamed_file_is_read_on_after_a_restart_of_control(meddled: Meddled) -> None:
    meddled.live.rename(meddled.live.with_name("gateway.jsonl.1"))
    meddled.gateway.write(lines(10, 13))
    again = meddled.again()
    assert again.read() == named(10, 13)
    # Nobody knows any more that there was one: lines written tell.
    assert again.trouble is None
    meddled.gateway.reopen()
    meddled.gateway.write(line(13))
    assert (again.read(), again.lines) == (["r13"], 14)


def test_a_file_renamed_between_listing_and_opening_is_not_lost(
    meddled: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, gateway, reader = meddled.live, meddled.gateway, meddled.reader
    gateway.write(lines(10, 12))
    listed = GatewayLogFiles._moved

    def rename_behind(files: GatewayLogFiles) -> list[Path]:
        found = listed(files)
        if not live.with_name("gateway.jsonl.1").exists():
            live.rename(live.with_name("gateway.jsonl.1"))
            gateway.write(lines(12, 14))
            gateway.reopen()
        return found

    monkeypatch.setattr(GatewayLogFiles, "_moved", rename_behind)
    assert reader.read() + reader.read() == named(10, 14)
    gateway.write(line(14))
    assert (reader.read(), reader.lines) == (["r14"], 15)


@pytest.mark.parametrize("content", [lines(700, 705), b"\x1f\x8b\0\n\0\n", b"", b"no end of line"])
def test_a_file_that_was_never_read_is_somebody_elses(meddled: Meddled, content: bytes) -> None:
    for name in ("gateway.jsonl.1", "gateway.jsonl.1.gz", "gateway.jsonl~", "gateway.jsonl.bak"):
        meddled.live.with_name(name).write_bytes(content)
    meddled.gateway.write(line(10))
    assert (meddled.reader.read(), meddled.reader.trouble) == (["r10"], None)
    assert (meddled.again().read(), meddled.reader.lines) == ([], 11)


def test_a_strangers_file_that_cannot_be_read_stops_nothing(meddled: Meddled, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = meddled.live.with_name("gateway.jsonl.1.gz")
    stranger.write_bytes(b"x")
    denied(stranger, monkeypatch)
    meddled.gateway.write(line(10))
    assert (meddled.reader.read(), meddled.reader.trouble) == (["r10"], None)


def denied(refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This file belongs to another user; whoever runs the tests may be allowed everything."""
    opened = Path.open

    def open_(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", open_)


def test_a_log_of_another_user_is_reported_and_read_on_from_where_it_was(
    meddled: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddled.gateway.write(line(10))
    with monkeypatch.context() as for_now:
        denied(meddled.live, for_now)
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"Permission denied; accepted: a file of this user"):
                meddled.reader.read()
    assert (meddled.reader.read(), meddled.reader.lines) == (["r10"], 11)


def test_what_is_no_file_is_reported_and_never_waited_for(meddled: Meddled) -> None:
    live, aside = meddled.live, meddled.live.with_name("kept")
    live.rename(aside)
    for put, take_away in ((os.mkfifo, Path.unlink), (Path.mkdir, Path.rmdir)):
        put(live)
        with pytest.raises(UnavailableError, match=r"it is no file; accepted: a file of this user"):
            meddled.reader.read()
        take_away(live)
    aside.rename(live)
    meddled.gateway.write(line(10))
    assert meddled.reader.read() == ["r10"]


def test_its_own_rotation_is_no_trouble(live: Path, gateway: Gateway, files: GatewayLogFiles) -> None:
    reader = Reader(files)
    for turn in range(5):
        gateway.write(lines(10 * turn, 10 * turn + 9))
        files.rotate_if_due(NOW + turn)
        assert (reader.read(), reader.trouble) == (named(10 * turn, 10 * turn + 9), None)
        gateway.write(line(10 * turn + 9))
        assert (reader.read(), reader.trouble) == ([f"r{10 * turn + 9}"], None)
    assert (len(rotated(live)), reader.lines) == (5, 50)


@pytest.mark.parametrize("name", ["gateway.jsonl.bak", "gateway.jsonl.1", "gateway-20270115T080000.000000Z.jsonl"])
def test_a_copy_does_not_hide_the_file_that_lines_go_to(meddled: Meddled, name: str) -> None:
    meddled.live.with_name(name).write_bytes(meddled.live.read_bytes())
    meddled.gateway.write(lines(10, 12))
    assert meddled.reader.read() == named(10, 12)
    meddled.gateway.write(line(12))
    assert meddled.again().read() == ["r12"]
    assert meddled.reader.trouble is None


def test_what_was_not_read_before_the_log_was_copied_and_cut_down_is_read_in_the_copy(meddled: Meddled) -> None:
    meddled.gateway.write(lines(10, 12))
    meddled.live.with_name("gateway.jsonl.1").write_bytes(meddled.live.read_bytes())
    os.truncate(meddled.live, 0)
    meddled.gateway.write(lines(12, 14))
    assert meddled.reader.read() == named(10, 14)
    assert meddled.reader.read() == []


def test_lines_that_are_not_understood_are_told_where_they_are_many(meddled: Meddled) -> None:
    meddled.gateway.write(lines(10, 40) + b"half of one\n")
    assert (meddled.reader.read(), meddled.reader.trouble) == (named(10, 40), None)
    meddled.gateway.write(b"GET / HTTP/1.1 200\n" * 7 + lines(40, 43))
    assert meddled.reader.read() == named(40, 43)
    assert meddled.reader.trouble == "7 of 10 lines of the gateway's log are not understood"
    # Written all the same: they are none that are missing.
    assert meddled.reader.lines == 51


def test_lines_are_counted_once_whatever_control_forgets(meddled: Meddled) -> None:
    before = meddled.again()
    meddled.gateway.write(lines(10, 25))
    assert meddled.reader.read() == named(10, 25)
    # Killed before it could store what it had read.
    assert before.read() == named(10, 25)
    assert (before.checkpoint, before.lines) == (meddled.reader.checkpoint, 25)


def test_a_checkpoint_of_the_old_form_knows_its_file_by_another_name(meddled: Meddled) -> None:
    old = {"inode": meddled.live.stat().st_ino, "offset": len(lines(0, 4))}
    meddled.live.rename(meddled.live.with_name("gateway.jsonl.1"))
    meddled.gateway.reopen()
    meddled.gateway.write(line(10))
    reader = Reader(meddled.reader.files, old)
    assert (reader.read(), reader.lines) == ([*named(4, 10), "r10"], 7)


def test_lines_of_an_older_huidu_are_recognitions(gateway: Gateway, files: GatewayLogFiles) -> None:
    gateway.write(line(1))
    (seen,) = files.read(None).observations
    assert (seen.kind, seen.peer, seen.service_ms, seen.chars, seen.open) == ("recognition", None, None, None, False)


def test_a_line_is_read_with_all_that_it_says(gateway: Gateway, files: GatewayLogFiles) -> None:
    said = {
        "kind": "socket", "peer": "abc", "service_ms": 7, "upload_ms": 9, "bytes_up": 11, "bytes_down": 13, "chars": 0,
        "close_code": 1011, "closed_by": "service", "first_message_ms": 1.5, "frames_up": 3, "frames_down": 4,
        "open": True,
    }  # fmt: skip
    gateway.write(json.dumps({**json.loads(line(1)), **said}).encode() + b"\n")
    (seen,) = files.read(None).observations
    assert {name: getattr(seen, name) for name in said} == said
