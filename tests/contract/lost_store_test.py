"""The store over a database that is locked, full, gone, damaged or exchanged while it is open."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from huidu.adapters.store import mending, opened
from huidu.adapters.store.database import open_database, reading, writing
from huidu.adapters.store.mending import damage, mended
from huidu.adapters.store.releases import SqlStore
from huidu.core.errors import LostError, UnavailableError
from huidu.core.evidence import crash_row
from huidu.core.plan import DEFAULT_PLAN, Rules
from huidu.core.record import Happening, Record
from huidu.core.release import Fleet, begin, placed, settled

RELEASE = begin(1, "v2", "v1", DEFAULT_PLAN, Rules(), 5.0)
FLEET = settled(placed(Fleet("v1"), "v1", "127.0.0.1:1"), RELEASE)
ROW = crash_row("bake", "v2", "v2:1", 6.0)
STARTED = Happening(1, 5.0, "started", {"by": "ann"})


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    engine = open_database(tmp_path, migrate=True, busy_seconds=0.1)
    found = SqlStore(engine)
    found.record(FLEET, Record(RELEASE, happenings=(STARTED,), evidence=(ROW,), checkpoint={"read": 9}))
    yield found
    engine.dispose()


@pytest.fixture
def file(store: SqlStore, tmp_path: Path) -> Path:
    """Its database, with nothing in the log beside it."""
    with closing(opened.connect(tmp_path / "history.db", 1.0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return tmp_path / "history.db"


@contextmanager
def locked_by_another_process(file: Path, how: str) -> Iterator[None]:
    code = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"connection.execute('{how}'); print('held', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.write("\n")
        other.stdin.flush()


def test_a_locked_database_refuses_at_once_and_nothing_is_lost(store: SqlStore, file: Path) -> None:
    with locked_by_another_process(file, "BEGIN EXCLUSIVE"):
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="locked") as refused:
            store.record(FLEET, Record(RELEASE))
        assert time.monotonic() - began < 1.0
        assert not isinstance(refused.value, LostError)
        # It can be read all the same, and is nobody else's.
        store.confirm()
        assert store.load() is not None
        assert (damage(file), store.loss()) == (None, None)
    store.record(FLEET, Record(RELEASE))


def test_a_full_disk_is_not_damage_and_ends(store: SqlStore, file: Path) -> None:
    rows = tuple(crash_row("bake", "v2", f"v2:{number}", 6.0) for number in range(5000))
    with writing(store._engine) as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages + 1}"))
    with pytest.raises(UnavailableError, match="full") as refused:
        store.record(FLEET, Record(RELEASE, happenings=(STARTED,), evidence=rows, checkpoint={"read": 10}))
    assert not isinstance(refused.value, LostError)
    assert store.loss() is None
    found = store.load()
    assert found is not None
    assert found.checkpoint == {"read": 9}
    store._engine.dispose()
    store.record(FLEET, Record(RELEASE, happenings=(STARTED,), evidence=rows, checkpoint={"read": 10}), again=True)
    assert len(store.evidence(1)) == 5000
    assert len(store.release(1)["events"]) == 1


def zeroed(file: Path) -> None:
    file.write_bytes(b"\0" * file.stat().st_size)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def overwritten(file: Path) -> None:
    file.write_bytes(b"what is this?" * 1000)


def deleted(file: Path) -> None:
    for path in file.parent.glob("history.db*"):
        if path.suffix != ".lock":
            path.unlink()


def deleted_alone(file: Path) -> None:
    file.unlink()


LOSSES = [zeroed, emptied, overwritten, deleted, deleted_alone]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_database_that_is_lost_is_noticed_by_readers_and_writers_and_never_made_by_them(
    store: SqlStore, file: Path, lose: Callable[[Path], None]
) -> None:
    lose(file)
    asked: list[Callable[[], Any]] = [
        store.confirm,
        store.load,
        store.releases,
        lambda: store.record(FLEET, Record(RELEASE)),
        lambda: store.raise_peak_memory({"v1": 1}, 1.0),
    ]
    for ask in asked:
        with pytest.raises(LostError) as refused:
            ask()
        assert "\n" not in str(refused.value)
    assert file.exists() == (lose not in (deleted, deleted_alone))


@pytest.mark.parametrize("lose", LOSSES)
def test_it_begins_anew_and_whoever_had_it_open_goes_on_with_the_new_one(
    store: SqlStore, file: Path, lose: Callable[[Path], None]
) -> None:
    instance = open_database(file.parent, migrate=False)
    with reading(instance) as connection:
        assert connection.scalar(text("SELECT count(*) FROM evidence")) == 1
    lose(file)
    loss = store.loss()
    assert loss is not None
    assert (loss.left, str(loss.aside or "nothing") in loss.words or loss.aside is None) == ("nothing", True)
    store.begin_again(loss, FLEET, Record(RELEASE, happenings=(STARTED,), evidence=(ROW,), checkpoint={"read": 5}))
    assert (loss.aside is not None and loss.aside.exists()) == (lose in (zeroed, emptied, overwritten))
    assert not list(file.parent.glob("*.new*"))
    assert file.stat().st_mode & 0o077 == 0
    found = store.load()
    assert found is not None
    assert (found.fleet, found.checkpoint, store.evidence(1)) == (FLEET, {"read": 5}, [ROW])
    assert store.loss() is None
    store.record(FLEET, Record(RELEASE, checkpoint={"read": 6}))
    with writing(instance) as connection:
        connection.execute(text("INSERT INTO state VALUES ('x', '1')"))
    # Those that let the old one go must not take the new one's log along.
    instance.dispose()
    for engine in (store._engine, instance):
        with reading(engine) as connection:
            assert connection.scalar(text("SELECT count(*) FROM state")) == 4
    instance.dispose()


def test_an_older_control_stays_out_when_another_has_begun_anew(store: SqlStore, file: Path) -> None:
    other = SqlStore(open_database(file.parent, migrate=True))
    other.claim()
    deleted(file)
    loss = other.loss()
    assert loss is not None
    other.begin_again(loss, FLEET, Record())
    with pytest.raises(UnavailableError, match="another control"):
        store.record(FLEET, Record())


def test_what_was_exchanged_meanwhile_is_looked_at_again(store: SqlStore, file: Path) -> None:
    kept = file.read_bytes()
    zeroed(file)
    loss = store.loss()
    assert loss is not None
    file.unlink()
    file.with_name("back").write_bytes(kept)
    file.with_name("back").rename(file)
    with pytest.raises(UnavailableError, match="exchanged meanwhile"):
        store.begin_again(loss, FLEET, Record())
    assert (store.loss(), len(store.evidence(1))) == (None, 1)


def test_without_room_for_a_new_one_everything_stays(
    store: SqlStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeroed(file)
    loss = store.loss()
    assert loss is not None

    def full(_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(mending, "create", full)
    with pytest.raises(UnavailableError, match="full"):
        store.begin_again(loss, FLEET, Record())
    assert file.read_bytes().strip(b"\0") == b""
    monkeypatch.undo()
    store.begin_again(loss, FLEET, Record(RELEASE))
    assert store.load() is not None


def test_a_file_that_is_whole_in_its_log_is_written_back_and_not_lost(store: SqlStore, tmp_path: Path) -> None:
    """Nothing of a young database stands in its file yet."""
    file = tmp_path / "history.db"
    zeroed(file)
    with pytest.raises(LostError):
        store.confirm()
    assert store.loss() is None
    store.confirm()
    assert store.evidence(1) == [ROW]


def test_a_damaged_one_is_set_aside_before_control_opens_it_and_a_locked_one_is_not(
    store: SqlStore, file: Path
) -> None:
    with locked_by_another_process(file, "BEGIN EXCLUSIVE"):
        assert mended(file.parent, file.name, 0.0) is None
    assert mended(file.parent, file.name, 0.0) is None
    store._engine.dispose()
    overwritten(file)
    said = mended(file.parent, file.name, 1_795_335_022.0)
    kept = file.with_name("history.db.damaged-20261122T081022Z")
    assert said == f"{file} is damaged: file is not a database; kept as {kept}"
    assert (kept.exists(), file.exists()) == (True, False)


def test_looking_at_the_file_keeps_the_locks_that_this_process_holds_on_it(store: SqlStore, file: Path) -> None:
    with writing(store._engine) as connection:
        connection.execute(text("INSERT INTO state VALUES ('x', '1')"))
        opened.refuse_headless(file)
        assert damage(file) is None
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0.1).execute('BEGIN IMMEDIATE')"
        other = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
        assert "database is locked" in other.stderr


def test_threads_that_use_it_while_it_is_exchanged_all_go_on(store: SqlStore, file: Path) -> None:
    instance, stop, odd = open_database(file.parent, migrate=False), threading.Event(), []

    def use() -> None:
        while not stop.is_set():
            try:
                with writing(instance) as connection:
                    connection.execute(text("UPDATE state SET value = value"))
            except UnavailableError:
                time.sleep(0.005)
            except Exception as error:
                odd.append(error)

    users = [threading.Thread(target=use) for _ in range(3)]
    for user in users:
        user.start()
    for _ in range(5):
        file.unlink()
        loss = store.loss()
        assert loss is not None
        store.begin_again(loss, FLEET, Record(RELEASE, evidence=(ROW,)))
        time.sleep(0.05)
    stop.set()
    for user in users:
        user.join()
    assert odd == []
    assert (store.evidence(1), damage(file)) == ([ROW], None)
    instance.dispose()


def test_what_lies_in_a_log_that_somebody_deletes_is_kept(store: SqlStore, tmp_path: Path) -> None:
    """Whoever opens the database later would find neither that nor anything that comes after it."""
    file, log = tmp_path / "history.db", tmp_path / "history.db-wal"
    others = open_database(tmp_path, migrate=False, busy_seconds=0.1)
    with reading(others) as connection:
        connection.execute(text("SELECT count(*) FROM releases"))
    for number in range(3):
        store.record(FLEET, Record(RELEASE, evidence=(crash_row("bake", "v2", f"a{number}", 7.0),)))
        log.unlink()
        for engine in (others, store._engine) if number % 2 else (store._engine, others):
            with writing(engine) as connection:
                connection.execute(text("UPDATE state SET name = name"))
        assert log.exists()
    with closing(sqlite3.connect(file)) as later:
        assert later.execute("SELECT count(*) FROM evidence").fetchone() == (4,)
        assert later.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    others.dispose()
