import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select

from huidu.adapters.store import deleting
from huidu.adapters.store.database import FILE_NAME, open_database, reading, writing
from huidu.adapters.store.deleting import Chosen
from huidu.adapters.store.history import SqlHistory
from huidu.adapters.store.pruning import SqlPruning, Taken
from huidu.adapters.store.schema import recognition_history as table
from huidu.core.errors import NotFoundError, UnavailableError
from huidu.core.retention import Cutoffs, Remembered, cutoffs
from huidu.ports import Recognition

NOW, DAY = 1_795_334_400.0, 86_400.0
LIMITS = cutoffs(NOW, 30 * DAY)


class Kept:
    """A history with rows whose every text is marked by their number."""

    def __init__(self, data: Path):
        self.data = data
        self.engine: Engine = open_database(data, migrate=False)
        self.history = SqlHistory(self.engine)
        self.pruning = SqlPruning(self.engine, data)

    def add(self, number: int, days_old: float, request: str = "") -> int:
        said = {name: f"{name}-{number:05d}-end" for name in ("filename", "raw_text", "itn_text", "hotwords", "error")}
        said["raw_text"] += "字" * (number % 70 * 20)
        return self.history.add(
            Recognition(
                created_time=NOW - days_old * DAY, version="v1", fingerprint="f" * 64, attempt=1, answered=True,
                request_id=request or f"r-{number}", purpose="live", engine="echo", device="cpu", audio_seconds=1.0,
                decode_ms=1.0, audio_sha256="a" * 64, unit=f"{number % 3:016x}",
                options={"prompt": f"prompt-{number:05d}-end"}, **said,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    def prune(self, limits: Cutoffs = LIMITS) -> Taken:
        found = sum(self.pruning.batches(limits), Taken())
        assert self.pruning.empty_log()
        return found

    def numbers_in_files(self) -> set[int]:
        """The numbers of which anything is left in the database or its log."""
        files = (self.data / FILE_NAME, self.data / f"{FILE_NAME}-wal")
        content = b"".join(file.read_bytes() for file in files if file.exists())
        return {int(found) for found in re.findall(rb"(?:filename|text|hotwords|error|prompt)-(\d{5})-end", content)}

    def ids(self) -> set[int]:
        with reading(self.engine) as connection:
            return set(connection.scalars(select(table.c.id).where(table.c.deleted_at.is_(None))))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path / "data")
    yield found
    found.engine.dispose()


def test_of_what_is_pruned_no_byte_is_left_in_the_files(kept: Kept) -> None:
    for number in range(300):
        kept.add(number, days_old=60 - number / 5)  # number 150 is 30 days old
    for number in range(0, 300, 7):
        # Written again by another attempt to record it, as after a crash.
        kept.add(number, days_old=60 - number / 5)
    assert kept.numbers_in_files() == set(range(300))
    assert kept.prune() == Taken(erased=150)
    assert kept.numbers_in_files() == set(range(150, 300))
    assert kept.prune() == Taken()
    with closing(sqlite3.connect(kept.data / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_people_corrected_stays_without_the_name_of_its_file(kept: Kept) -> None:
    for number in range(40):
        kept.add(number, days_old=40)
    kept.history.correct(8, "reference", "li", NOW - 39 * DAY)
    kept.history.correct(9, "", "li", NOW - 39 * DAY)
    # The newest is stripped and stands for its number.
    assert kept.prune() == Taken(erased=37, unnamed=2)
    assert kept.ids() == {8, 9}
    row = kept.history.get(8)
    assert (row.filename, row.corrected_text, row.audio_sha256) == ("", "reference", "a" * 64)
    assert row.raw_text.startswith("raw_text-00007")
    content = (kept.data / FILE_NAME).read_bytes()
    assert b"filename-00007" not in content
    assert b"text-00007" in content
    assert kept.prune() == Taken()
    assert kept.ids() == {8, 9}


def test_the_number_of_a_row_is_never_given_again(kept: Kept) -> None:
    ids = [kept.add(number, days_old=40) for number in range(3)]
    kept.prune()
    assert kept.ids() == set()
    assert kept.numbers_in_files() == set()
    with pytest.raises(NotFoundError):
        kept.history.get(ids[-1])
    assert kept.add(7, days_old=0) > ids[-1]
    assert kept.prune() == Taken(erased=1)
    assert len(kept.ids()) == 1


def test_what_was_deleted_comes_back_for_a_week_and_is_then_erased(kept: Kept) -> None:
    ids = [kept.add(number, days_old=1) for number in range(9)]
    kept.history.correct(ids[0], "reference", "li", NOW)
    assert deleting.delete(kept.engine, Chosen(ids=tuple(ids[:2])), NOW) == 2
    assert deleting.delete(kept.engine, Chosen(unit=f"{2:016x}"), NOW + DAY) == 3
    assert kept.ids() == {ids[3], ids[4], ids[6], ids[7]}
    assert deleting.bring_back(kept.engine, Chosen(ids=(ids[1],))) == 1
    never = cutoffs(NOW + 7.5 * DAY, None)
    assert kept.prune(never) == Taken(erased=1)
    assert kept.numbers_in_files() == {1, 2, 3, 4, 5, 6, 7, 8}
    assert deleting.bring_back(kept.engine, Chosen(ids=(ids[0], ids[2]))) == 1
    kept.prune(cutoffs(NOW + 9 * DAY, None))
    assert kept.numbers_in_files() == {1, 2, 3, 4, 6, 7}
    assert kept.ids() == {ids[number] for number in (1, 2, 3, 4, 6, 7)}


def test_deletions_during_a_prune_are_found_by_a_later_one(kept: Kept) -> None:
    for number in range(20):
        kept.add(number, days_old=1)
    deleting.delete(kept.engine, Chosen(ids=(10,)), NOW)
    steps = kept.pruning.batches(cutoffs(NOW + 8 * DAY, None))
    next(steps)
    deleting.delete(kept.engine, Chosen(ids=(2,)), NOW + 8 * DAY)
    assert list(steps) == []
    kept.prune(cutoffs(NOW + 16 * DAY, None))
    assert kept.numbers_in_files() == set(range(20)) - {9, 1}


def test_rows_are_deleted_by_all_that_is_given(kept: Kept) -> None:
    for number in range(9):
        kept.add(number, days_old=number)
    chosen = Chosen(unit=f"{0:016x}", before=NOW - 2.5 * DAY)
    assert deleting.count(kept.engine, chosen) == 2
    assert deleting.delete(kept.engine, chosen, NOW) == 2
    assert kept.ids() == set(range(1, 10)) - {4, 7}
    assert deleting.count(kept.engine, chosen) == 0


def test_a_prune_may_be_stopped_and_done_again(kept: Kept) -> None:
    for number in range(200):
        kept.add(number, days_old=40)
    first = next(kept.pruning.batches(LIMITS))
    assert 0 < first.erased < 200
    rest = kept.prune()
    assert first.erased + rest.erased == 199  # the newest stays, bare
    assert kept.numbers_in_files() == set()


def test_others_write_between_the_steps_of_a_prune(kept: Kept) -> None:
    for number in range(200):
        kept.add(number, days_old=40)
    for step, _ in enumerate(kept.pruning.batches(LIMITS)):
        kept.add(1000 + step, days_old=0)
    assert len(kept.ids()) > 1


def test_no_transaction_takes_many_rows(kept: Kept) -> None:
    with writing(kept.engine) as connection:
        first = connection.execute(table.insert().values(_values(kept, 0)))
        assert first.rowcount == 1
        connection.execute(table.insert(), [_values(kept, number) for number in range(1, 3000)])
    taken = [step.erased for step in kept.pruning.batches(LIMITS)]
    assert sum(taken) == 2999
    assert max(taken) <= 250


def _values(kept: Kept, number: int) -> dict[str, object]:
    common = {"version": "v1", "fingerprint": "", "attempt": 1, "answered": True, "purpose": "live", "status": "done"}
    told = {"filename": f"{number}.wav", "raw_text": "字" * 60, "request_id": f"bulk-{number}"}
    sizes = {"engine": "echo", "device": "cpu", "audio_seconds": 1.0, "decode_ms": 1.0, "itn_enabled": False}
    return {"created_time": "2026-01-01 00:00:00.000", **common, **told, **sizes}


# ------------------------------------------------------------------ copies


def copied(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id, filename, raw_text, options FROM recognition_history").fetchall()


def test_a_copy_holds_what_a_prune_takes_and_is_the_owners_alone(kept: Kept) -> None:
    for number in range(4):
        kept.add(number, days_old=31 if number < 3 else 0)
    kept.history.correct(2, "reference", "li", NOW)
    path = kept.pruning.copy(LIMITS, NOW)
    assert path is not None
    assert path.name == "history.db.before-prune-20261122T080000Z"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [(row[0], row[1]) for row in copied(path)] == [(n + 1, f"filename-{n:05d}-end") for n in range(3)]
    assert copied(path)[0][3] == '{"prompt":"prompt-00000-end"}'
    assert kept.pruning.copy(cutoffs(NOW, 400 * DAY), NOW + 1) is None
    assert list(kept.data.glob("*.part*")) == []


def test_without_room_for_a_copy_nothing_is_taken(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.add(1, days_old=40)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**8}))
    with pytest.raises(UnavailableError, match=r"accepted: more room, or `huidu history prune --no-backup`"):
        kept.pruning.copy(LIMITS, NOW)
    assert list(kept.data.glob("*prune*")) == []


def test_copies_go_as_they_grow_old(kept: Kept) -> None:
    ages = {"before-prune-a": 8, "before-prune-b": 6, "before-0002": 8, "before-0001": 31, "damaged-1": 31}
    for name, days in ages.items():
        path = kept.data / f"{FILE_NAME}.{name}"
        path.write_text("texts")
        os.utime(path, (NOW - days * DAY,) * 2)

    def left() -> set[str]:
        return {path.name.removeprefix(f"{FILE_NAME}.") for path in kept.data.glob(f"{FILE_NAME}.*[a-z0-9]")} & set(
            ages
        )

    kept.pruning.forget_copies(NOW, None)
    assert left() == set(ages) - {"before-prune-a"}
    kept.pruning.forget_copies(NOW, 30 * DAY)
    assert left() == {"before-prune-b", "before-0002"}


# ------------------------------------------------------------------ what is known, and what may fail


def test_memory_is_kept_and_a_spoilt_one_is_none(kept: Kept) -> None:
    assert kept.pruning.remembered() == Remembered()
    kept.pruning.remember(Remembered(1.0, 2.0, 3.0))
    assert kept.pruning.remembered() == Remembered(1.0, 2.0, 3.0)
    with writing(kept.engine) as connection:
        connection.exec_driver_sql("UPDATE state SET value = '[1]' WHERE name = 'retention'")
    assert kept.pruning.remembered() == Remembered()


def test_the_size_tells_what_a_day_adds(kept: Kept) -> None:
    assert kept.pruning.size(NOW).rows == 0
    assert kept.pruning.size(NOW).bytes_a_day == 0
    for number in range(10):
        kept.add(number, days_old=0.5 if number > 7 else 20)
    size = kept.pruning.size(NOW)
    assert (size.rows, size.rows_a_day, size.oldest) == (10, 2, NOW - 20 * DAY)
    assert size.bytes_a_day == pytest.approx(size.file_bytes / 5)
    assert kept.pruning.newest() == NOW - 0.5 * DAY


def test_a_reader_puts_off_the_emptying_of_the_log(kept: Kept) -> None:
    kept.add(1, days_old=40)
    with closing(sqlite3.connect(kept.data / FILE_NAME)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM recognition_history").fetchall()
        kept.add(2, days_old=40)
        assert not kept.pruning.empty_log()
    assert kept.pruning.empty_log()


def test_a_locked_store_refuses_and_loses_nothing(kept: Kept) -> None:
    for number in range(3):
        kept.add(number, days_old=40)
    event.listen(
        kept.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=10"), insert=True
    )
    with closing(sqlite3.connect(kept.data / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            list(kept.pruning.batches(LIMITS))
    assert kept.numbers_in_files() == {0, 1, 2}


def test_a_file_that_is_gone_is_not_made_anew(kept: Kept) -> None:
    kept.engine.dispose()
    for path in _files(kept.data):
        path.unlink()
    with pytest.raises(UnavailableError):
        kept.pruning.empty_log()
    assert list(_files(kept.data)) == []


def _files(data: Path) -> Iterable[Path]:
    return [path for path in data.glob(f"{FILE_NAME}*") if not path.name.endswith(".lock")]
