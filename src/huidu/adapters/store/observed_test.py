import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from huidu.adapters.store.database import FILE_NAME, open_database
from huidu.adapters.store.history import SqlHistory
from huidu.adapters.store.observed import ObservedRow, observed, open_existing, versions_between
from huidu.adapters.store.schema import recognition_history as table
from huidu.core.errors import HuiduError, InvalidError
from huidu.ports import Recognition

NOW = 1_795_335_022.0
ROW = Recognition(
    created_time=NOW,
    filename="call.wav",
    raw_text="一零零八六",
    itn_text="10086",
    version="v1",
    fingerprint="f" * 64,
    request_id="r",
    attempt=1,
    answered=True,
    purpose="live",
    engine="echo",
    device="cpu",
    audio_seconds=1.5,
    decode_ms=10.0,
    audio_sha256="a" * 64,
    language="zh",
    rule="share",
    unit="0123456789abcdef",
    user_key="fedcba9876543210",
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with closing_engine(open_database(tmp_path / "data", migrate=False)) as opened:
        yield opened


@contextmanager
def closing_engine(opened: Engine) -> Iterator[Engine]:
    try:
        yield opened
    finally:
        opened.dispose()


def store(engine: Engine, **changes: Any) -> int:
    history = SqlHistory(engine)
    return history.add(replace(ROW, **{"request_id": f"r{len(history.page(500, None, None, None))}"} | changes))


def found(engine: Engine, since: float = 0.0, until: float = NOW + 1, versions: Any = None) -> list[ObservedRow]:
    return list(observed(engine, since, until, versions))


def test_a_row_comes_with_what_is_compared(engine: Engine) -> None:
    row = store(engine)
    SqlHistory(engine).correct(row, "一零零八五", "me", NOW)
    assert found(engine) == [
        ObservedRow(
            version="v1",
            filename="call.wav",
            failed=False,
            rule="share",
            attempt=1,
            user="0123456789abcdef",
            text="一零零八六",
            corrected_text="一零零八五",
            language="zh",
            audio_seconds=1.5,
            decode_ms=10.0,
            audio_sha256="a" * 64,
            speech=None,
        )
    ]


def test_only_live_rows_that_were_answered_or_failed_are_observed(engine: Engine) -> None:
    store(engine, raw_text="answered")
    store(engine, raw_text="nobody waited", answered=False)
    store(engine, raw_text="failed", answered=False, status="error")
    store(engine, raw_text="failed half way", status="error")
    store(engine, raw_text="golden", purpose="golden", answered=False)
    store(engine, raw_text="failed golden", purpose="golden", answered=False, status="error")
    gone = store(engine, raw_text="deleted")
    with engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == gone).values(deleted_at="2026-11-22 08:10:22.000"))
    assert {(row.text, row.failed) for row in found(engine)} == {
        ("answered", False),
        ("failed", True),
        ("failed half way", True),
    }


def test_a_time_begins_with_since_and_ends_before_until(engine: Engine) -> None:
    for ago in (3.0, 2.0, 1.0, 0.0):
        store(engine, created_time=NOW - ago, raw_text=str(ago))
    assert [row.text for row in found(engine, NOW - 2, NOW)] == ["2.0", "1.0"]
    assert versions_between(engine, NOW - 2, NOW) == {"v1": 2}


def test_versions_are_chosen_and_counted(engine: Engine) -> None:
    for version in ("v1", "v2", "v2", "v3"):
        store(engine, version=version)
    assert [row.version for row in found(engine, versions=("v2", "v3"))] == ["v2", "v2", "v3"]
    assert versions_between(engine, 0, NOW + 1) == {"v1": 1, "v2": 2, "v3": 1}
    assert versions_between(engine, 0, 1) == {}


@pytest.mark.parametrize(
    ("unit", "key", "user"), [("u", "k", "u"), (None, "k", "k"), ("", "k", "k"), ("", "", None), (None, None, None)]
)
def test_a_user_is_the_unit_or_the_key(engine: Engine, unit: str | None, key: str | None, user: str | None) -> None:
    store(engine, unit=unit, user_key=key)
    assert [row.user for row in found(engine)] == [user]


def test_units_of_different_keys_are_different_users(engine: Engine) -> None:
    for key_id in (None, "h1-3f2a9c", ""):
        store(engine, unit="u", unit_key_id=key_id)
    assert [row.user for row in found(engine)] == ["u", "h1-3f2a9c:u", "u"]


def test_a_history_of_before_there_were_key_ids_is_observed(engine: Engine) -> None:
    store(engine, unit="u")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE recognition_history DROP COLUMN unit_key_id")
    assert [row.user for row in found(engine)] == ["u"]


@pytest.mark.parametrize(
    ("segments", "speech"),
    [
        ("NULL", None),
        ("'null'", None),
        ("'[]'", False),
        ("'[ ]'", False),
        ("""'[{"start": 0.1}]'""", True),
        ("'{}'", None),
    ],
)
def test_an_empty_list_of_segments_is_silence(engine: Engine, segments: str, speech: bool | None) -> None:
    store(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE recognition_history SET segments = {segments}")
    assert [row.speech for row in found(engine)] == [speech]


def test_rows_of_other_programs_have_empty_texts(engine: Engine) -> None:
    store(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE recognition_history SET raw_text = NULL, audio_sha256 = NULL")
    [row] = found(engine)
    assert (row.text, row.audio_sha256) == ("", "")


def test_a_history_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"there is no history at .*history\.db; accepted"):
        open_existing(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []
    open_database(tmp_path, migrate=False).dispose()
    open_existing(tmp_path).dispose()


def test_many_rows_are_read_in_bounded_memory_and_reading_can_stop(engine: Engine) -> None:
    text = "一零零八六" * 400  # 6 kB a row, 120 MB in all
    store(engine)
    with engine.begin() as connection:
        columns = [column.name for column in table.columns if column.name not in ("id", "request_id", "raw_text")]
        names = ", ".join(f'"{name}"' for name in columns)
        connection.exec_driver_sql(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
            f"INSERT INTO recognition_history (request_id, raw_text, {names}) "
            f"SELECT 'n' || i, ?, {names} FROM n, recognition_history WHERE id = 1",
            (text,),
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in observed(engine, 0.0, NOW + 1)) == 20_001
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    with closing(observed(engine, 0.0, NOW + 1)) as rows:
        assert next(rows).version == "v1"


def test_a_flipped_byte_in_a_history_is_told_in_one_line_or_not_seen(engine: Engine, tmp_path: Path) -> None:
    store(engine)
    engine.dispose()  # the last to close it brings all into the one file
    content, copy = (tmp_path / "data" / FILE_NAME).read_bytes(), tmp_path / "copy"
    copy.mkdir()
    said = []
    # Of its many pages: the first with the schema's words, and the one of the rows.
    row, page = content.index(b"call.wav"), 4096
    for at in (*range(0, page, 11), *range(row // page * page, (row // page + 1) * page)):
        if not content[at]:
            continue
        for file in copy.iterdir():
            file.unlink()
        (copy / FILE_NAME).write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            with closing_engine(open_existing(copy)) as opened:
                found(opened)
        except HuiduError as error:
            said.append(str(error))
    assert said
    assert not any("\n" in each for each in said)
