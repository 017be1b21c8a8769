import hashlib
import resource
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from huidu.adapters.store.database import open_database
from huidu.adapters.store.history import SqlHistory, text_of, time_of
from huidu.adapters.store.importing import Imported, import_history, parsed_time, version_rule
from huidu.core.errors import InvalidError, UnavailableError

COLUMNS = "id, created_time, filename, file_path, raw_text, itn_text, language, hotwords, itn_enabled"
OLD = f"CREATE TABLE recognition_history ({COLUMNS.replace('id,', 'id INTEGER PRIMARY KEY,', 1)})"
ROWS: list[tuple[Any, ...]] = [
    (1, "2025-03-01 08:00:00", "meeting_v2_001.mp3", None, "一零零八六", "10086", "zh", "云帆", 1),
    (2, "2025-03-01T16:00:00.250+08:00", "b.wav", "gone.wav", "你好", None, None, None, 0),
    (7, 1_740_816_000.5, "c.wav", "here.wav", "再见", "", "zh", "", None),
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(tmp_path / "data", migrate=False)
    yield opened
    opened.dispose()


def older(path: Path, rows: list[tuple[Any, ...]] = ROWS, create: str = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(create)
        if rows:
            connection.executemany(f"INSERT INTO recognition_history VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return path


def measure(path: Path) -> float:
    if path.read_bytes() == b"no audio":
        raise InvalidError("no audio")
    return 2.5


def take(engine: Engine, file: Path, pattern: str | None = None) -> Imported:
    return import_history(engine, file, version_rule(pattern=pattern), measure)


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    files = [file for file in folder.iterdir() if file.is_file() and not file.name.endswith("-shm")]
    return {each.name: (hashlib.sha256(each.read_bytes()).hexdigest(), each.stat().st_mtime_ns) for each in files}


def test_rows_are_taken_with_what_is_known_and_nothing_made_up(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "here.wav").write_bytes(b"audio")
    assert take(engine, older(tmp_path / "old.db"), r"_(v\d+)_") == Imported(3, 0, ())
    rows = {row.filename: row for row in SqlHistory(engine).page(10, None, None, None)}
    first, second, third = (rows[name] for name in ("meeting_v2_001.mp3", "b.wav", "c.wav"))
    assert (first.raw_text, first.itn_text, first.language, first.hotwords) == ("一零零八六", "10086", "zh", "云帆")
    assert (first.version, second.version) == ("v2", "imported")
    assert [each.created_time for each in (first, second, third)] == [1740816000, 1740816000.25, 1740816000.5]
    assert [each.itn_enabled for each in (first, second, third)] == [True, False, False]
    assert (third.audio_seconds, third.audio_sha256) == (2.5, hashlib.sha256(b"audio").hexdigest())
    assert (second.audio_seconds, second.audio_sha256, second.file_path) == (0, "", "gone.wav")
    for row in rows.values():
        assert (row.fingerprint, row.engine, row.device, row.decode_ms, row.rtf) == (
            "",
            "unknown",
            "unknown",
            0,
            row.rtf,
        )
        assert (row.answered, row.purpose, row.status, row.attempt) == (True, "live", "done", 1)
        assert (row.release_id, row.unit, row.user_key, row.corrected_text) == (None, None, None, None)
        assert row.request_id.startswith("import:")
        assert len(row.request_id) <= 64


def test_importing_again_adds_nothing_and_new_rows_are_added(engine: Engine, tmp_path: Path) -> None:
    file = older(tmp_path / "old.db")
    assert take(engine, file) == Imported(3, 0, ())
    before = SqlHistory(engine).page(10, None, None, None)
    assert take(engine, file) == Imported(0, 3, ())
    assert take(engine, Path(shutil.copy(file, tmp_path / "copy.db"))) == Imported(0, 3, ())
    assert SqlHistory(engine).page(10, None, None, None) == before
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO recognition_history SELECT 8, created_time, filename, file_path, raw_text, "
            "itn_text, language, hotwords, itn_enabled FROM recognition_history WHERE id = 1"
        )
    assert take(engine, file) == Imported(1, 3, ())


def test_what_people_did_to_an_imported_row_stays(engine: Engine, tmp_path: Path) -> None:
    file, history = older(tmp_path / "old.db"), SqlHistory(engine)
    take(engine, file)
    row = history.page(1, None, None, None)[0]
    history.correct(row.id, "better", "ann", 2e9)
    take(engine, file)
    assert history.get(row.id).corrected_text == "better"


def test_the_other_spelling_is_the_same_history(engine: Engine, tmp_path: Path) -> None:
    create = (
        "CREATE TABLE recognition_history (id INTEGER PRIMARY KEY, Timestamp, filename, result_text, normalized_text)"
    )
    other = [(row[0], row[1], row[2], row[4], row[5]) for row in ROWS]
    assert take(engine, older(tmp_path / "other.db", other, create)) == Imported(3, 0, ())
    assert {row.raw_text for row in SqlHistory(engine).page(10, None, None, None)} == {row[4] for row in ROWS}
    assert take(engine, older(tmp_path / "old.db")) == Imported(0, 3, ())


def test_the_fewest_columns_are_a_time_and_a_text(engine: Engine, tmp_path: Path) -> None:
    create = "CREATE TABLE recognition_history (created_time, itn_text)"
    rows: list[tuple[Any, ...]] = [("2025-03-01", "same"), ("2025-03-01", "same")]
    assert take(engine, older(tmp_path / "old.db", rows, create)) == Imported(2, 0, ())
    assert {(row.raw_text, row.itn_text) for row in SqlHistory(engine).page(9, None, None, None)} == {("", "same")}


def test_audio_that_cannot_be_read_keeps_its_digest(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")
    rows = [(1, 1e9, "", str(tmp_path / "a.wav"), "x", None, None, None, 0)]
    rows += [
        (number, 1e9, "", path, "x", None, None, None, 0) for number, path in enumerate(("\0", "x" * 5000, "."), 2)
    ]
    assert take(engine, older(tmp_path / "old.db", rows)).imported == 4
    found = {row.filename: row for row in SqlHistory(engine).page(10, None, None, None)}
    assert found["a.wav"].audio_seconds == 0
    assert found["a.wav"].audio_sha256 == hashlib.sha256(b"no audio").hexdigest()


def test_bad_rows_are_named_and_the_others_go_on(engine: Engine, tmp_path: Path) -> None:
    times: list[object] = ["yesterday", None, "", -1, 1e300, b"\xff", "1969-12-31 23:59:59", "2025-13-01", "9" * 400]
    rows: list[tuple[Any, ...]]
    rows = [(number, time, "a.wav", None, "x", None, None, None, 0) for number, time in enumerate(times, 1)]
    rows += [(50, 1e9, "a.wav", None, b"\xff\xfe", None, None, None, 0), *((60 + row[0], *row[1:]) for row in ROWS)]
    file = older(tmp_path / "old.db", rows)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE recognition_history SET raw_text = CAST(x'ff' AS TEXT) WHERE id = 61")
    for known in (0, 2):
        found = take(engine, file)
        assert (found.imported, found.known) == (2 - known, known)
        assert [each.row for each in found.refused] == [*range(1, 10), 50, 61]
        assert all(each.why and "\n" not in each.why for each in found.refused)


def test_a_version_that_is_no_name_refuses_its_row(engine: Engine, tmp_path: Path) -> None:
    found = take(engine, older(tmp_path / "old.db"), r"meeting(.*)$")
    assert found.imported == 2
    assert [each.row for each in found.refused] == [1]


MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, ZONES, st.sampled_from(["T", " "]), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_a_time_is_the_same_in_every_way_of_writing_it(moment: datetime, zone: timezone, between: str, to: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    plain = moment.replace(tzinfo=None).isoformat(between, to)
    zoned = moment.astimezone(zone).isoformat(between, to)
    for written in (zoned, plain, f"{plain}Z", seconds, int(seconds)):
        assert parsed_time(written) == seconds
    assert parsed_time(text_of(seconds)) == time_of(text_of(seconds)) == seconds


@given(st.floats(1e8, 9e9))
def test_epoch_seconds_are_read_from_numbers_and_their_text(seconds: float) -> None:
    assert parsed_time(seconds) == parsed_time(repr(seconds)) == seconds


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.binary(), st.booleans()))
def test_anything_as_a_time_is_read_or_refused(given: object) -> None:
    try:
        seconds = parsed_time(given)
    except ValueError as error:
        said = str(error)
    else:
        said = f"accepted: {text_of(seconds)}"
        assert len(text_of(seconds)) == 23
    assert "accepted" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "pattern"), [("", None), ("v 1", None), ("x" * 65, None), ("v1", "("), ("v1", "v"), ("v1", "(v)(1)")]
)
def test_versions_and_patterns_that_cannot_be_are_refused(name: str, pattern: str | None) -> None:
    with pytest.raises(InvalidError, match="accepted"):
        version_rule(name, pattern)


def refusal(engine: Engine, file: Path) -> str:
    with pytest.raises(InvalidError) as caught:
        take(engine, file)
    assert "\n" not in str(caught.value)
    assert SqlHistory(engine).page(1, None, None, None) == []
    return str(caught.value)


def test_what_is_no_such_database_is_refused_in_a_line(engine: Engine, tmp_path: Path) -> None:
    content = older(tmp_path / "old.db").read_bytes()
    for name, changed in {
        "empty": b"",
        "text": b"id,created_time\n",
        "magic": content[:16],
        "head": content[:100],
        "cut": content[:6000],
        "garbage": content[:100] + b"\xee" * (len(content) - 100),
    }.items():
        (tmp_path / name).write_bytes(changed)
        assert str(tmp_path / name) in refusal(engine, tmp_path / name)
    assert "does not exist" in refusal(engine, tmp_path / "none.db")
    assert "does not exist" in refusal(engine, tmp_path)
    other = older(tmp_path / "other.db", [], "CREATE TABLE other (x)")
    assert "no table recognition_history" in refusal(engine, other)
    textless = older(tmp_path / "textless.db", [], "CREATE TABLE recognition_history (id, created_time, filename)")
    assert "no column raw_text or result_text or itn_text or normalized_text" in refusal(engine, textless)
    timeless = older(tmp_path / "timeless.db", [], "CREATE TABLE recognition_history (id, raw_text)")
    assert "no column created_time or timestamp" in refusal(engine, timeless)
    assert "Huidu itself" in refusal(engine, tmp_path / "data" / "history.db")


def test_a_locked_source_is_said_to_be_locked(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huidu.adapters.store.importing._WAIT_SECONDS", 0.01)
    file = older(tmp_path / "old.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="locked by another program"):
            take(engine, file)


def test_a_source_in_wal_mode_is_read_whole_and_left_as_it_was(engine: Engine, tmp_path: Path) -> None:
    file = older(tmp_path / "old" / "old #1.db", [])
    left = tmp_path / "left"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"INSERT INTO recognition_history VALUES ({', '.join('?' * 9)})", ROWS[0])
        connection.commit()
        shutil.copytree(file.parent, left)
        before = snapshot(file.parent)
        assert take(engine, file) == Imported(1, 0, ())  # while it is open elsewhere
        assert snapshot(file.parent) == before
    before = snapshot(file.parent)
    assert take(engine, file) == Imported(0, 1, ())  # closed
    assert snapshot(file.parent) == before
    (left / "old #1.db-shm").unlink()
    before = snapshot(left)
    assert take(engine, left / "old #1.db") == Imported(0, 1, ())  # copied by somebody, with its log
    assert snapshot(left) == before
    assert not (left / "old #1.db-shm").exists()


def test_a_source_is_left_as_it_was(engine: Engine, tmp_path: Path) -> None:
    file = older(tmp_path / "old" / "old.db")
    file.chmod(0o444)
    before = snapshot(file.parent)
    take(engine, file)
    assert snapshot(file.parent) == before


def test_a_large_source_is_taken_in_bounded_memory(engine: Engine, tmp_path: Path) -> None:
    text = "一零零八六" * 400  # 6 kB a row, 120 MB in all
    file = older(tmp_path / "old.db", [])
    with closing(sqlite3.connect(file)) as connection, connection:
        rows = ((number, 1e9 + number, "a.wav", None, text, None, None, None, 0) for number in range(20_000))
        connection.executemany(f"INSERT INTO recognition_history VALUES ({', '.join('?' * 9)})", rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert take(engine, file) == Imported(20_000, 0, ())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80_000


TYPED = OLD.replace("created_time", "created_time TEXT").replace("raw_text", "raw_text TEXT COLLATE NOCASE")


@pytest.mark.parametrize("create", [OLD, f"{TYPED} WITHOUT ROWID"], ids=["row ids", "without row ids"])
def test_a_flipped_byte_anywhere_gives_a_summary_or_a_refusal_of_one_line(
    engine: Engine, tmp_path: Path, create: str
) -> None:
    _flipped(engine, older(tmp_path / "whole.db", create=create), (0xFF,))


@pytest.mark.deep
@pytest.mark.parametrize("create", [OLD, f"{TYPED} WITHOUT ROWID"], ids=["row ids", "without row ids"])
def test_any_flipped_bit_gives_a_summary_or_a_refusal_of_one_line(engine: Engine, tmp_path: Path, create: str) -> None:
    _flipped(engine, older(tmp_path / "whole.db", create=create), [1 << bit for bit in range(8)])


def _flipped(engine: Engine, whole: Path, masks: Iterable[int]) -> None:
    content, file = whole.read_bytes(), whole.with_name("old.db")
    for at, mask in product((at for at, byte in enumerate(content) if byte), masks):
        file.write_bytes(content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :])
        try:
            found = take(engine, file)
        except InvalidError as error:
            lines = [str(error)]
        else:
            lines = [f"{row.row} {row.why}" for row in found.refused]
        assert all(line.isprintable() and "accepted" in line for line in lines), (at, mask, lines)


def test_a_damaged_row_does_not_lose_the_others(engine: Engine, tmp_path: Path) -> None:
    rows = [(number, 1e9 + number, f"<{number}>.wav", None, "text", *[None] * 4) for number in range(1, 501)]
    file = older(tmp_path / "old.db", rows)
    content = bytearray(file.read_bytes())
    for number in (1, 7, 8, 250, 500):
        # The row's head says how long it is itself: now longer than the row.
        at = content.index(f"<{number}>.wav".encode())
        head = content.rindex(b"\x0a\x00\x07", 0, at)
        content[head] = 0x7F
    file.write_bytes(content)
    found = take(engine, file)
    assert [row.row for row in found.refused] == [1, 7, 8, 250, 500]
    assert found.imported == 495


def test_a_name_that_is_no_text_is_refused_in_a_line(engine: Engine, tmp_path: Path) -> None:
    content = older(tmp_path / "old.db").read_bytes()
    for name in (b"recognition_history", b"created_time", b"CREATE TABLE", b"itn_enabled"):
        for at in (content.index(name), content.rindex(name)):
            (tmp_path / "bad.db").write_bytes(content[:at] + b"\xff" + content[at + 1 :])
            with suppress(InvalidError):  # a name that we do not need may be anything
                take(engine, tmp_path / "bad.db")


def test_the_id_of_a_refused_row_is_told_in_a_line(engine: Engine, tmp_path: Path) -> None:
    create = "CREATE TABLE recognition_history (id, created_time, raw_text)"
    ids: list[Any] = ["a\x1b[2J\nb", b"\xff", None, 1.5, 3]
    found = take(engine, older(tmp_path / "old.db", [(each, "never", "x") for each in ids], create))
    assert [row.row for row in found.refused] == ["a\\x1b[2J\\nb", "b'\\xff'", "None", "1.5", 3]


@given(st.binary(max_size=200), st.integers(0, 8191), st.integers(0, 3))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_gives_a_summary_or_a_refusal(
    engine: Engine, tmp_path: Path, damage: bytes, at: int, cut: int
) -> None:
    file = tmp_path / "old.db"
    if not file.exists():
        older(tmp_path / "whole.db")
    content = bytearray((tmp_path / "whole.db").read_bytes())
    content[at : at + len(damage)] = damage
    file.write_bytes(content[: len(content) >> cut])
    with suppress(InvalidError):
        take(engine, file)
