import logging
import threading
import time

import pytest

from huidu.core.errors import UnavailableError
from huidu.core.sockets import SocketReport
from huidu.core.sockets_test import REPORT
from huidu.recognition import reporter as module
from huidu.recognition.reporter import Reporter
from huidu.recognition.stream_test import ListSockets, until


def test_reports_of_a_week_are_kept_from_one_start_to_the_next() -> None:
    sockets = ListSockets()
    reporter = Reporter(sockets, clock=lambda: 1_000_000.0)
    reporter.start()
    reporter.write(REPORT)
    reporter.stop()
    assert (sockets.forgot_before, sockets.reports) == ([1_000_000.0 - 7 * 86_400], [REPORT])
    reporter.write(REPORT)
    assert sockets.reports == [REPORT]


@pytest.mark.parametrize("error", [UnavailableError("no such table:\n socket_reports"), ZeroDivisionError("x")])
def test_a_store_that_refuses_is_one_line_of_the_log(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    sockets = ListSockets()

    def refuse(report: SocketReport) -> None:
        raise error

    sockets.on_report = refuse
    reporter = Reporter(sockets)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            reporter.write(REPORT)
        until(lambda: not reporter._waiting)
        assert len(caplog.records) == 1
        assert "\n" not in caplog.text.strip()
        sockets.on_report = lambda report: None
        reporter.write(REPORT)
        until(lambda: len(sockets.reports) == 1)
        sockets.on_report = refuse
        reporter.write(REPORT)
        reporter.stop()
    assert len(caplog.records) == 2


def test_a_store_that_hangs_holds_nobody_up(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 10)
    monkeypatch.setattr(module, "_LAST_WORDS_SECONDS", 0.1)
    sockets, gate = ListSockets(), threading.Event()

    def hang(report: SocketReport) -> None:
        gate.wait(30)

    sockets.on_report = hang
    reporter = Reporter(sockets)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            reporter.write(REPORT)
        reporter.stop()
    assert time.monotonic() - started < 5
    assert [record.getMessage().endswith("the store is too slow") for record in caplog.records] == [True]
    gate.set()
