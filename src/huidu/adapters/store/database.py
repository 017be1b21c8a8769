"""Opens the database: SQLite in WAL mode at `data/history.db`, made and migrated here and nowhere else.

Several processes open the same folder, often at the same moment (the instances and control start together),
so that making and migrating happen under a file lock. Only SQLAlchemy's errors stop at this border:
`reading`, `writing` and `store_errors` turn them into `UnavailableError`, and into `LostError` where the database is
gone or damaged. Whoever has it open finds a new one at the same path by itself.
"""

import fcntl
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Column, Connection, Engine, MetaData, String, Table, create_engine, event, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from huidu.adapters.store.opened import OpenedFile, is_lost
from huidu.adapters.store.schema import metadata
from huidu.core.errors import BusyError, InvalidError, LostError, UnavailableError

FILE_NAME = "history.db"
# The newest migration. Instances write it into a fresh database without importing Alembic; a test holds it to
# what lies in `migrations/versions`.
HEAD = "0003"

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 5.0
# WAL needs memory that all processes share and locks that hold: neither is true across machines.
_NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|afs|ncpfs|ceph|glusterfs|lustre|gpfs|beegfs|davfs\d*"
    r"|fuse\.(sshfs|s3fs|rclone|ceph|glusterfs|davfs2?|goofys|gcsfuse|smbnetfs|juicefs)"
)
_alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def open_database(data: Path, migrate: bool, busy_seconds: float | None = None) -> Engine:
    """The database of a data folder, with folder and schema made where there are none.

    With `migrate` an older schema is brought to the newest, after a copy of the file. A newer schema is left as
    it is: migrations only add. Raises `InvalidError` for a folder that cannot hold a database, `UnavailableError`
    when it cannot be opened now, `LostError` where it is damaged. A transaction waits `busy_seconds` for others.
    """
    _make_folder(data)
    engine = connected(data / FILE_NAME, busy_seconds)
    try:
        with alone(data), store_errors(), making(engine):
            _prepare(engine, data / FILE_NAME, migrate)
            _close_to_others(data)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the store and never waits for writers."""
    with store_errors(), engine.connect() as connection, connection.execution_options(huidu_reads=True).begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start; all of it is stored, or nothing."""
    with store_errors():
        with engine.begin() as connection:
            info = connection.info
            yield connection
        _opened(engine).refuse_moved(info)


def knows_unit_keys(connection: Connection) -> bool:
    """Whether the history says which key made a unit: it does not before control has migrated it (0003)."""
    known: bool = connection.info.get("huidu_unit_keys", False)
    if not known:
        query = "SELECT 1 FROM pragma_table_info('recognition_history') WHERE name = 'unit_key_id'"
        # Columns are only added: what is there once is there for as long as the connection lives.
        known = connection.info["huidu_unit_keys"] = connection.exec_driver_sql(query).first() is not None
    return known


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns what the database reports into `UnavailableError` or `LostError`, keeping its own words."""
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite's words about what is damaged quote it, and the driver takes them for UTF-8.
        raise LostError("the store cannot do it now: its tables are described by what is no text") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        said = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        busy = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        kind = LostError if is_lost(cause) else BusyError if busy else UnavailableError
        raise kind(f"the store cannot do it now: {said}") from error


def network_file_system(path: Path, mounts: str) -> str | None:
    """The type of the network file system that holds an absolute path, or None.

    `mounts` has the form of `/proc/mounts`. The deepest mount point counts, and of equal ones the last.
    """
    deepest, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces in a mount point are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), fields[2]
    return kind if _NETWORK.fullmatch(kind) else None


def _make_folder(data: Path) -> None:
    try:
        data.mkdir(0o700, parents=True, exist_ok=True)
        mounts = Path("/proc/mounts").read_text(errors="replace") if Path("/proc/mounts").exists() else ""
    except OSError as error:
        raise InvalidError(f"the data folder {data} cannot be made: {error.strerror}") from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise InvalidError(f"the data folder {data} cannot be written to; give one that this user may write to")
    if kind := network_file_system(data.resolve(), mounts):
        raise InvalidError(f"the data folder {data} lies on a network file system ({kind}); accepted: a local disk")


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Lets one process at a time make or migrate the database; the lock dies with its process."""
    descriptor = os.open(data / f"{FILE_NAME}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _close_to_others(data: Path) -> None:
    """What SQLite made takes the rights of the process; what it makes later beside it takes the file's."""
    for path in data.glob(f"{FILE_NAME}*"):
        found = path.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(0o600)


def connected(file: Path, busy_seconds: float | None = None) -> Engine:
    """An engine for the database in a file, which need not be there yet."""
    opened = OpenedFile(file, _BUSY_TIMEOUT_S if busy_seconds is None else busy_seconds)
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        creator=opened.connect,
        pool_size=8,
        json_serializer=_to_json,
        json_deserializer=_from_json,
        execution_options={"huidu_opened": opened},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "connect", opened.connected)
    event.listen(engine, "checkout", opened.check)
    event.listen(engine, "begin", _begin)
    return engine


def _opened(engine: Engine) -> OpenedFile:
    opened: OpenedFile = engine.get_execution_options()["huidu_opened"]
    return opened


@contextmanager
def making(engine: Engine) -> Iterator[None]:
    """Makes the file where there is none; until it holds a database it may be empty."""
    opened = _opened(engine)
    # Never opened where it is there: to close it again would drop the locks that this process holds on it.
    with suppress(FileExistsError):
        os.close(os.open(opened.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    opened.making = True
    try:
        yield
    finally:
        opened.making = False


def _to_json(value: Any) -> str:
    """JSON in a tenth of the time: a release's state stands in each of its commits."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Half a surrogate, and numbers beyond 64 bits, which orjson refuses.
        return json.dumps(value)


def _from_json(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnavailableError(f"the store holds what is no JSON ({error}); accepted: what Huidu stored") from error


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    # Transactions are begun in `_begin`: the driver's own would start too late to cover reads and table changes.
    connection.isolation_level = None
    # NORMAL: a commit outlives a crash of the process without waiting for the disk each time.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later could not wait for another writer: SQLite refuses it at once.
    reads = connection.get_execution_options().get("huidu_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _prepare(engine: Engine, file: Path, migrate: bool) -> None:
    with reading(engine) as connection:
        tables = set(inspect(connection).get_table_names())
    if not tables:
        create(engine)
        return
    if tables != {_alembic_version.name} and not {_alembic_version.name, "recognition_history"} <= tables:
        raise InvalidError(f"{file} is a database of something else; give another data folder")
    if migrate and _revision(engine) != HEAD:
        _migrate(engine, file)


def create(engine: Engine) -> None:
    """The newest schema in an empty database."""
    with writing(engine) as connection:
        metadata.create_all(connection)
        _alembic_version.create(connection)
        connection.execute(_alembic_version.insert().values(version_num=HEAD))


def _revision(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return connection.scalar(select(_alembic_version.c.version_num))


def _migrate(engine: Engine, file: Path) -> None:
    # Imported here: only control migrates, and only after an upgrade.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    revision = _revision(engine)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        return  # written by a newer Huidu
    _back_up(file, file.with_name(f"{file.name}.before-{HEAD}"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _back_up(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
