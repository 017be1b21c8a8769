import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, insert, select, text

from huidu.adapters.store import database
from huidu.adapters.store.database import network_file_system, open_database, reading, writing
from huidu.adapters.store.schema import metadata, state
from huidu.core.errors import InvalidError, UnavailableError

MIGRATIONS = Path(database.__file__).parent / "migrations"


def empty_database(file: Path) -> None:
    """A database of Huidu's before its first migration."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.commit()


def test_what_is_made_is_its_owners_alone_whatever_the_process_would_give(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        engine = open_database(tmp_path / "data", migrate=False)
        with writing(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
        found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert set(found) >= {"history.db", "history.db.lock", "history.db-wal", "history.db-shm"}
    assert set(found.values()) == {0o600}


def test_a_fresh_folder_gets_the_schema_in_wal_mode(tmp_path: Path) -> None:
    with reading(open_database(tmp_path / "new" / "data", migrate=False)) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == database.HEAD
        assert connection.scalar(text("SELECT count(*) FROM recognition_history")) == 0
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_migrations_and_schema_agree(tmp_path: Path) -> None:
    empty_database(tmp_path / database.FILE_NAME)
    with reading(open_database(tmp_path, migrate=True)) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == database.HEAD


def test_the_newest_migration_is_the_one_written_into_fresh_databases() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


def test_a_migration_leaves_a_copy_of_what_was_before(tmp_path: Path) -> None:
    empty_database(tmp_path / database.FILE_NAME)
    open_database(tmp_path, migrate=True)
    with closing(sqlite3.connect(tmp_path / f"history.db.before-{database.HEAD}")) as copy:
        tables = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("alembic_version",)]


def test_an_up_to_date_schema_is_not_copied(tmp_path: Path) -> None:
    open_database(tmp_path, migrate=True)
    open_database(tmp_path, migrate=True)
    assert not list(tmp_path.glob("*before*"))


@pytest.mark.parametrize("migrate", [False, True])
def test_a_newer_schema_is_left_alone(tmp_path: Path, migrate: bool) -> None:
    with writing(open_database(tmp_path, migrate=False)) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("ALTER TABLE recognition_history ADD COLUMN mood TEXT"))
    with reading(open_database(tmp_path, migrate=migrate)) as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / database.FILE_NAME)) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(InvalidError, match="database of something else"):
        open_database(tmp_path, migrate=True)


def test_a_file_that_is_no_database_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / database.FILE_NAME).write_bytes(b"not a database at all, really" * 100)
    with pytest.raises(UnavailableError, match="file is not a database") as caught:
        open_database(tmp_path, migrate=False)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InvalidError, match="cannot be made"):
        open_database(tmp_path / "data", migrate=False)


def test_a_locked_store_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_S", 0.0)
    engine = open_database(tmp_path, migrate=False)
    with writing(engine), pytest.raises(UnavailableError, match="locked"), writing(engine):
        pass


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    engine = open_database(tmp_path, migrate=False)
    with writing(engine) as writer, reading(engine) as reader:
        writer.execute(text("INSERT INTO state VALUES ('x', '1')"))
        assert reader.scalar(text("SELECT count(*) FROM state")) == 0


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    engine = open_database(tmp_path, migrate=False)

    def stop_half_way() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO state VALUES ('x', '1')"))
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        stop_half_way()
    with reading(engine) as connection:
        assert connection.scalar(text("SELECT count(*) FROM state")) == 0


def test_processes_that_open_a_fresh_folder_at_once_all_succeed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from huidu.adapters.store.database import open_database, writing\n"
        "from sqlalchemy import text\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with writing(open_database(Path(sys.argv[1]), migrate=sys.argv[2] == 'True')) as connection:\n"
        "    connection.execute(text('INSERT INTO state VALUES (:name, 1)'), {'name': sys.argv[3]})\n"
    )
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, data, str(name == 0), str(name)], stdin=pipe, stdout=pipe, text=True
        )
        for data in [str(tmp_path / "data")]
        for name in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * 4, ends
    with reading(open_database(tmp_path / "data", migrate=False)) as connection:
        assert connection.scalar(text("SELECT count(*) FROM state")) == 4


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/share /mnt/share nfs4 rw 0 0
tmpfs /mnt/share/local tmpfs rw 0 0
host:/x /home/me/my\\040files fuse.sshfs rw 0 0
//nas/y /nas cifs rw 0 0
/dev/sdb /nas ext4 rw 0 0
short line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data", None),
        ("/mnt/share/data", "nfs4"),
        ("/mnt/shared/data", None),
        ("/mnt/share/local/data", None),
        ("/home/me/my files/data", "fuse.sshfs"),
        ("/nas/data", None),
    ],
)
def test_the_deepest_and_last_mount_counts(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "network_file_system", lambda path, mounts: "nfs4")
    with pytest.raises(InvalidError, match=r"network file system \(nfs4\); accepted: a local disk"):
        open_database(tmp_path, migrate=False)


def test_json_columns_keep_any_value(tmp_path: Path) -> None:
    values = {"half a surrogate": "\ud800", "large": 2**70, "small": 0.1, "text": "一零零八六", "none": None}
    for value in (values, {name: value for name, value in values.items() if name not in ("half a surrogate", "large")}):
        engine = open_database(tmp_path, migrate=True)
        with writing(engine) as connection:
            connection.execute(delete(state))
            connection.execute(insert(state).values(name="x", value=value))
        with reading(engine) as connection:
            assert connection.execute(select(state.c.value)).scalar_one() == value
