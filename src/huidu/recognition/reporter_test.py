import logging
import threading
import time
from dataclasses import replace

import pytest

from huidu.core.errors import UnavailableError
from huidu.core.sockets import SocketReport
from huidu.core.sockets_test import REPORT
from huidu.recognition import reporter as module
from huidu.recognition.app_test import until
from huidu.recognition.reporter import Reporter
from huidu.recognition.stream_test import ListSockets


def test_reports_of_a_week_are_kept_from_one_start_to_the_next() -> None:
    sockets = ListSockets()
    reporter = Reporter(sockets, clock=lambda: 1_000_000.0)
    reporter.start()
    reporter.write(REPORT)
    reporter.stop()
    assert (sockets.forgot_before, sockets.reports) == ([1_000_000.0 - 7 * 86_400], [REPORT])
    reporter.write(REPORT)
    assert sockets.reports == [REPORT]


def test_reports_wait_for_a_store_that_refuses_and_arrive_in_their_order(caplog: pytest.LogCaptureFixture) -> None:
    sockets = ListSockets()

    def refuse(report: SocketReport) -> None:
        raise UnavailableError("the database is\n locked")

    sockets.on_report = refuse
    reporter = Reporter(sockets)
    reports = [replace(REPORT, number=number) for number in range(1, 6)]
    with caplog.at_level(logging.WARNING):
        for report in reports:
            reporter.write(report)
        until(lambda: bool(caplog.records))
        sockets.on_report = lambda report: None
        reporter.stop()
    assert sockets.reports == reports
    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.strip()


def test_a_report_that_is_refused_for_what_it_holds_holds_no_other_up(caplog: pytest.LogCaptureFixture) -> None:
    sockets = ListSockets()

    def refuse(report: SocketReport) -> None:
        if report.number == 1:
            raise ZeroDivisionError("x")

    sockets.on_report = refuse
    reporter = Reporter(sockets)
    with caplog.at_level(logging.WARNING):
        for number in (1, 2):
            reporter.write(replace(REPORT, number=number))
        reporter.stop()
    assert [report.number for report in sockets.reports] == [2]
    assert "1 reports of sockets were lost" in caplog.text


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
        for number in range(50):
            reporter.write(replace(REPORT, number=number, ended=number in (5, 6)))
        # Of open sockets the latest remain: they say all that the earlier ones said.
        assert [report.number for report in reporter._waiting] == [0, 5, 6, *range(43, 50)]
        reporter.stop()
    assert time.monotonic() - started < 5
    assert "the store is too slow" in caplog.text
    assert "50 reports of sockets were lost" in caplog.text
    gate.set()
