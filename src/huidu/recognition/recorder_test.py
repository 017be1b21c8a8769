import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from huidu.adapters.spool.folder import SpoolFolder
from huidu.core.errors import InvalidError, UnavailableError
from huidu.ports import History, Recognition
from huidu.recognition import recorder as module
from huidu.recognition.app_test import ListHistory, until
from huidu.recognition.recorder import Kept, Recorder
from huidu.wire import make_history

ROW = Recognition(
    created_time=1_795_334_422.123,
    filename="call.wav",
    raw_text="请拨打一零零八六",
    version="v1",
    fingerprint="f" * 64,
    request_id="r-1",
    attempt=1,
    answered=True,
    purpose="live",
    engine="echo",
    device="cpu",
    audio_seconds=2.0,
    decode_ms=10.0,
    audio_sha256="a" * 64,
)


def numbered(count: int, first: int = 0) -> list[Recognition]:
    return [replace(ROW, request_id=f"r-{number}") for number in range(first, first + count)]


class LateHistory(ListHistory):
    """Refuses when told to, and notes what came late."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Recognition] = []
        self.refuse: Callable[[Recognition], None] = lambda row: None

    def add_all(self, rows: Sequence[Recognition], late: bool = False) -> list[int]:
        for row in rows:
            self.refuse(row)
        self.late += rows if late else []
        return super().add_all(rows)


def locked(_: Recognition) -> None:
    raise UnavailableError("the store cannot do it now: database is locked")


@contextmanager
def recording(history: History, folder: Path, version: str = "v1", size: int = 1 << 20) -> Iterator[Recorder]:
    spools = SpoolFolder(folder, version, size)
    recorder = Recorder(history, spools)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()
        spools.end()


@contextmanager
def lock(data: Path) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    with closing(sqlite3.connect(data / "history.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def ids(rows: Sequence[Recognition]) -> list[str]:
    return [row.request_id for row in rows]


def test_a_row_that_is_recorded_at_once_has_its_id(tmp_path: Path) -> None:
    history = LateHistory()
    with recording(history, tmp_path) as recorder:
        recorded = recorder.record(ROW)
        assert (recorded.kept, recorded.row) == (Kept.YES, replace(ROW, id=1))
        assert (history.late, recorder.state().waiting_rows) == ([], 0)


def test_rows_wait_while_the_history_refuses_and_go_before_later_ones(tmp_path: Path) -> None:
    history = LateHistory()
    history.refuse = locked
    with recording(history, tmp_path) as recorder:
        rows = numbered(20)
        assert {recorder.record(row).kept for row in rows} == {Kept.LATER}
        assert recorder.state().waiting_rows == 20
        history.refuse = lambda row: None
        until(lambda: recorder.record(replace(ROW, request_id="last")).kept is Kept.YES)
        assert ids(history.rows)[:20] == ids(rows)
        assert history.late[:20] == rows
        assert recorder.state().waiting_rows == recorder.state().lost_rows == 0


def test_without_a_spool_answers_go_out_all_the_same_and_what_is_lost_is_counted() -> None:
    history = LateHistory()
    history.refuse = locked
    recorder = Recorder(history)
    assert [recorder.record(row).kept for row in numbered(3)] == [Kept.NO] * 3
    assert recorder.state().lost_rows == 3
    history.refuse = lambda row: None
    until(lambda: recorder.record(ROW).kept is Kept.YES)
    recorder.stop()


def test_a_full_spool_is_said_and_its_rows_arrive(tmp_path: Path) -> None:
    history = LateHistory()
    history.refuse = locked
    with recording(history, tmp_path, size=16 << 10) as recorder:
        kept = [recorder.record(row).kept for row in numbered(40)]
        assert kept == sorted(kept)  # all that wait, then those that are lost
        assert set(kept) == {Kept.LATER, Kept.NO}
        assert recorder.state().lost_rows == kept.count(Kept.NO)
        history.refuse = lambda row: None
        until(lambda: recorder.state().waiting_rows == 0)
        assert ids(history.rows) == [f"r-{number}" for number in range(kept.count(Kept.LATER))]


def test_a_history_that_hangs_delays_nobody(tmp_path: Path) -> None:
    gate, history = threading.Event(), LateHistory()

    def hang(_: Recognition) -> None:
        gate.wait(30)

    history.refuse = hang
    with recording(history, tmp_path) as recorder:
        began = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            kept = list(pool.map(lambda row: recorder.record(row).kept, numbered(50)))
        assert set(kept) == {Kept.LATER}
        assert time.monotonic() - began < 2  # 0.25 s, on a machine that does nothing else
        gate.set()
        until(lambda: recorder.state().waiting_rows == 0)
    # The first ones came twice: once by the writer that hung, and once from the spool. The history knows them.
    assert set(ids(history.rows)) == set(ids(numbered(50)))


@pytest.mark.parametrize("error", [InvalidError("no such row"), ZeroDivisionError("x")])
def test_a_row_that_is_refused_for_what_it_holds_is_lost_alone(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    history = LateHistory()

    def refuse(row: Recognition) -> None:
        if row.raw_text == "bad":
            raise error

    history.refuse = refuse
    bad = replace(ROW, request_id="bad", raw_text="bad")
    with recording(history, tmp_path) as recorder, caplog.at_level(logging.ERROR):
        assert recorder.record(bad).kept is Kept.NO
        assert recorder.record(ROW).kept is Kept.YES
        history.refuse = locked
        first, last = numbered(30, 100), numbered(30, 200)
        assert {recorder.record(row).kept for row in [*first, bad, *last]} == {Kept.LATER}
        history.refuse = refuse
        until(lambda: recorder.state().waiting_rows == 0)
        assert ids(history.late) == ids([*first, *last])
        assert recorder.state().lost_rows == 2
    assert [line.split(":")[0] for line in caplog.messages] == ["recognition bad is lost"] * 2


def test_what_waits_when_an_instance_stops_is_replayed_by_the_next(tmp_path: Path) -> None:
    history = LateHistory()
    history.refuse = locked
    with recording(history, tmp_path) as recorder:
        recorder.record(ROW)
    history.refuse = lambda row: None
    with recording(history, tmp_path, version="v9") as recorder:
        until(lambda: ids(history.rows) == ["r-1"])
        until(lambda: [path.name[:3] for path in tmp_path.iterdir()] == ["v9-"])
        assert recorder.record(replace(ROW, request_id="r-2")).kept is Kept.YES


def test_a_row_of_a_recognition_that_outlives_its_service_is_kept(tmp_path: Path) -> None:
    history = LateHistory()
    with recording(history, tmp_path) as recorder:
        recorder.stop()
        assert recorder.record(ROW).kept is Kept.YES
        history.refuse = locked
        assert recorder.record(ROW).kept is Kept.LATER


def test_many_requests_while_another_process_holds_the_lock_are_each_there_once(tmp_path: Path) -> None:
    history = make_history(tmp_path)
    rows = numbered(200)
    waits: list[float] = []

    def record(row: Recognition) -> Kept:
        began = time.monotonic()
        kept = recorder.record(row).kept
        waits.append(time.monotonic() - began)
        return kept

    with recording(history, tmp_path / "spool") as recorder:
        with ThreadPoolExecutor(16) as pool:
            before = list(pool.map(record, rows[:20]))
            with lock(tmp_path):
                during = list(pool.map(record, rows[20:150]))
            after = list(pool.map(record, rows[150:]))
        until(lambda: recorder.state().waiting_rows == 0)
        assert Kept.NO not in before + after
        assert set(during) == {Kept.LATER}
    stored = history.page(500, None, None, None)
    assert sorted(ids(stored)) == sorted(ids(rows))
    assert all(row.answered for row in stored)
    assert sorted(waits)[len(waits) // 2] < 0.8  # 0.25 s at most, on a machine that does nothing else


def test_what_was_left_goes_back_where_the_history_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_AGAIN_S", 0.05)
    history = LateHistory()
    history.refuse = locked
    with recording(history, tmp_path, version="v1") as recorder:
        recorder.record(ROW)
    with recording(history, tmp_path, version="v2"):
        time.sleep(0.2)
        with recording(history, tmp_path, version="v1"):
            history.refuse = lambda row: None
            until(lambda: ids(history.rows) == ["r-1"])
