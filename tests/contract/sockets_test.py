"""What every store of socket reports must keep, whatever stands behind it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from huidu.core.errors import UnavailableError
from huidu.core.sockets_test import REPORT
from huidu.ports import Sockets
from huidu.wire import make_history, make_sockets


@pytest.fixture(params=["fresh", "migrated"])
def sockets(request: pytest.FixtureRequest, tmp_path: Path) -> Sockets:
    if request.param == "migrated":
        older(tmp_path)
        return make_sockets(tmp_path, migrate=True)
    return make_sockets(tmp_path)


def older(data: Path) -> None:
    """Leaves a database as the version before socket reports made it, with a row in it."""
    make_history(data)
    with closing(sqlite3.connect(data / "history.db")) as connection:
        connection.executescript("DROP TABLE socket_reports; ALTER TABLE recognition_history DROP COLUMN unit_key_id")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.execute("INSERT INTO state VALUES ('kept', '1')")
        connection.commit()


def test_a_report_is_found_unchanged_behind_those_before_it(sockets: Sockets) -> None:
    assert (sockets.newest_id(), sockets.after(0, 10)) == (0, [])
    is_open = replace(REPORT, ended=False, close_code=None, closed_by=None, first_message_ms=None, share_bp=None)
    direct = replace(REPORT, request_id="r-2", release_id=None, rule=None, unit=None, peer=None)
    for report in (is_open, replace(REPORT, number=2), direct):
        sockets.report(report)
    found = sockets.after(0, 10)
    assert [replace(each, id=0) for each in found] == [is_open, replace(REPORT, number=2), direct]
    assert sockets.after(found[0].id, 1) == [found[1]]
    assert sockets.newest_id() == found[2].id


def test_a_report_that_comes_twice_is_stored_once(sockets: Sockets) -> None:
    sockets.report(REPORT)
    sockets.report(replace(REPORT, frames_up=9_999))
    assert [each.frames_up for each in sockets.after(0, 10)] == [REPORT.frames_up]


def test_a_request_that_fell_back_may_have_a_socket_on_each_version(sockets: Sockets) -> None:
    sockets.report(REPORT)
    sockets.report(replace(REPORT, version="v1"))
    assert [each.version for each in sockets.after(0, 10)] == ["v2", "v1"]


def test_old_reports_are_forgotten_and_their_ids_never_come_again(sockets: Sockets) -> None:
    for number in range(1, 4):
        sockets.report(replace(REPORT, number=number, time=100.0 * number))
    last = sockets.newest_id()
    assert sockets.forget(300.0) == 2
    assert [each.number for each in sockets.after(0, 10)] == [3]
    assert (sockets.forget(1e12), sockets.forget(1e12)) == (1, 0)
    sockets.report(replace(REPORT, number=4))
    assert [each.number for each in sockets.after(last, 10)] == [4]


def test_large_counts_are_kept(sockets: Sockets) -> None:
    sockets.report(replace(REPORT, bytes_up=2**40, bytes_down=2**40))
    assert sockets.after(0, 10)[0].bytes_up == 2**40


def test_many_old_reports_are_all_forgotten(sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huidu.adapters.store.sockets._FORGET_ROWS", 3)
    for number in range(1, 8):
        sockets.report(replace(REPORT, number=number))
    assert sockets.forget(REPORT.time + 1) == 7
    assert sockets.after(0, 10) == []


def test_a_schema_older_than_reports_refuses_them_until_control_migrates(tmp_path: Path) -> None:
    older(tmp_path)
    sockets = make_sockets(tmp_path)
    for refused in (lambda: sockets.report(REPORT), sockets.newest_id, lambda: sockets.forget(0.0)):
        with pytest.raises(UnavailableError, match="no such table: socket_reports"):
            refused()
    make_sockets(tmp_path, migrate=True)
    sockets.report(REPORT)
    assert sockets.newest_id() == 1


def test_the_migration_deletes_nothing_and_leaves_a_copy(tmp_path: Path) -> None:
    older(tmp_path)
    make_sockets(tmp_path, migrate=True)
    for file in ("history.db", "history.db.before-0003"):
        with closing(sqlite3.connect(tmp_path / file)) as connection:
            assert connection.execute("SELECT value FROM state WHERE name = 'kept'").fetchall() == [(1,)]
