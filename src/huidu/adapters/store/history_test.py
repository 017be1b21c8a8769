import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.store.database import open_database
from huidu.adapters.store.history import SqlHistory, text_of, time_of
from huidu.ports import Recognition

ROW = Recognition(
    created_time=1_795_335_022.123,
    filename="call.wav",
    raw_text="你好",
    version="v1",
    fingerprint="f" * 64,
    request_id="r-1",
    attempt=1,
    answered=True,
    purpose="live",
    engine="echo",
    device="cpu",
    audio_seconds=1.0,
    decode_ms=10.0,
    audio_sha256="a" * 64,
)


def test_times_are_utc_text_with_milliseconds() -> None:
    assert text_of(1_795_335_022.123) == "2026-11-22 08:10:22.123"
    assert text_of(0.9996) == "1970-01-01 00:00:01.000"


@pytest.mark.parametrize("text", ["2026-11-22 08:10:22.123", "2026-11-22 08:10:22"])
def test_text_is_read_back_as_utc(text: str) -> None:
    assert text_of(time_of(text))[:19] == "2026-11-22 08:10:22"


@given(st.floats(min_value=0, max_value=4e9))
def test_text_keeps_times_to_the_millisecond_and_their_order(time: float) -> None:
    assert time_of(text_of(time)) == pytest.approx(time, abs=0.00051)
    assert text_of(time) <= text_of(time + 0.001)


def test_scripts_find_the_columns_as_they_expect_them(tmp_path: Path) -> None:
    engine = open_database(tmp_path, migrate=False)
    SqlHistory(engine).add(ROW)
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        found = connection.execute("SELECT created_time, raw_text, itn_enabled, rtf, options FROM recognition_history")
        assert found.fetchall() == [("2026-11-22 08:10:22.123", "你好", 0, 0.01, None)]


def test_an_instance_serves_on_a_history_that_control_has_not_migrated_yet(tmp_path: Path) -> None:
    open_database(tmp_path, migrate=False).dispose()
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        connection.execute("ALTER TABLE recognition_history DROP COLUMN unit_key_id")
        connection.execute("ALTER TABLE socket_reports DROP COLUMN unit_key_id")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    history = SqlHistory(open_database(tmp_path, migrate=False))
    row = replace(ROW, release_id=1, unit="0" * 16, unit_key_id="h1-3f2a9c")
    first = history.add(row)
    history.correct(first, "你好", "li", 1.0)
    assert [each.unit_key_id for each in (history.get(first), *history.page(9, None, None, None))] == [None, None]
    assert [each.id for each in history.corrections(1, ())] == [first]
    open_database(tmp_path, migrate=True).dispose()
    second = history.add(replace(row, request_id="r-2"))
    assert [history.get(each).unit_key_id for each in (first, second)] == [None, "h1-3f2a9c"]


def test_rows_of_other_programs_are_read(tmp_path: Path) -> None:
    engine = open_database(tmp_path, migrate=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO recognition_history (created_time, filename, version, fingerprint, request_id, attempt, "
            "answered, engine, device, audio_seconds, decode_ms, status, purpose, itn_enabled) VALUES "
            "('2026-11-22 08:10:22', 'a.wav', 'v1', '', 'r', 1, 1, 'x', 'cpu', 1, 1, 'done', 'live', 0)"
        )
    row = SqlHistory(engine).get(1)
    assert (row.raw_text, row.audio_sha256) == ("", "")
