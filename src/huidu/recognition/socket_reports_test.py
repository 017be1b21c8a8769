"""The reports that real sockets leave."""

import contextlib
import itertools
import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from huidu.core.errors import UnavailableError
from huidu.core.sockets import SocketReport, bad_close
from huidu.recognition.app_test import until
from huidu.recognition.meter_test import speech
from huidu.recognition.stream import StreamLimits
from huidu.recognition.stream_test import (
    RATE_HZ,
    SILENCE,
    SPOKEN,
    START,
    STOP,
    Served,
    begin,
    finals,
    message,
    serving,
    to_the_end,
)
from huidu.recognition.transcribe import Limits
from huidu.recognition.utterances_test import noise

SOON = StreamLimits(report_seconds=0.1)
# 17 s of which 13.6 are speech, without a pause.
LONG_SPEECH = speech(17).tobytes()


def last(served: Served) -> SocketReport:
    """The report of a socket that has ended."""
    until(lambda: any(report.ended for report in served.sockets.reports))
    return next(report for report in served.sockets.reports if report.ended)


def mute_seconds(served: Served, enough: float) -> float:
    """What an open socket reports, once that is enough."""
    reports = served.sockets.reports
    until(lambda: any(report.mute_speech_seconds > enough for report in reports))
    return reports[-1].mute_speech_seconds


def said(socket: ClientConnection, *parts: str | bytes) -> None:
    for part in parts:
        socket.send(part)


def test_a_short_socket_leaves_one_report_of_all_it_was() -> None:
    headers = {
        "x-request-id": "r-1",
        "x-huidu-release": "5",
        "x-huidu-rule": "share",
        "x-huidu-unit": "0" * 16,
        "x-huidu-peer": "f" * 16,
        "x-huidu-share-bp": "500",
        "x-huidu-key-id": "h1-3f2a9c",
    }
    before = time.time()
    with serving() as served:
        with served.open(**headers) as socket:
            started = begin(socket)
            said(socket, SPOKEN, STOP)
            found, code, _ = to_the_end(socket)
        report = last(served)
    assert (code, len(served.sockets.reports)) == (1000, 1)
    assert before <= report.opened_at <= report.time <= time.time()
    assert report.first_message_ms is not None
    assert 0 < report.first_message_ms < (report.time - report.opened_at) * 1000 + 1
    sent = sum(len(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode()) for one in (started, *found))
    assert report == SocketReport(
        "r-1", 1, True, report.time, report.opened_at, "v1", 5, "share", "0" * 16, "f" * 16, 500, 1000, "service",
        report.first_message_ms, 3, 1 + len(found), len(START) + len(SPOKEN) + len(STOP), sent,
        len(SPOKEN) / 2 / RATE_HZ, 0.0, "h1-3f2a9c",
    )  # fmt: skip
    assert bad_close(report) is None


def test_an_open_socket_is_reported_now_and_then_and_at_its_end() -> None:
    with serving(SOON) as served:
        with served.open() as socket:
            begin(socket)
            until(lambda: len(served.sockets.reports) >= 2)
            said(socket, SPOKEN)
            until(lambda: served.sockets.reports[-1].first_message_ms is not None)
            said(socket, STOP)
            to_the_end(socket)
        last(served)
        time.sleep(0.3)  # nothing comes behind the end
        reports = served.sockets.reports
    assert [report.number for report in reports] == list(range(1, len(reports) + 1))
    assert [report.ended for report in reports] == [False] * (len(reports) - 1) + [True]
    assert {(report.close_code, report.closed_by) for report in reports[:-1]} == {(None, None)}
    assert len({(report.request_id, report.opened_at) for report in reports}) == 1
    assert reports[0].first_message_ms is None
    for one, other in itertools.pairwise(reports):
        assert one.time <= other.time
        assert (one.frames_up, one.bytes_down) <= (other.frames_up, other.bytes_down)


@pytest.mark.parametrize("purpose", ["golden", "probe"])
def test_only_sockets_of_users_are_reported(purpose: str) -> None:
    with serving(SOON) as served:
        with served.open(**{"x-huidu-purpose": purpose}) as socket:
            begin(socket)
            said(socket, SPOKEN, STOP)
            to_the_end(socket)
        finals(served, SPOKEN)
        last(served)
    assert [row.purpose for row in served.rows] == [purpose, "live"]
    assert [row.answered for row in served.rows] == [False, True]
    assert len({report.request_id for report in served.sockets.reports}) == 1


# Who hears nothing


def test_an_engine_that_hears_nothing_in_speech_is_mute_while_the_socket_is_open() -> None:
    with serving(SOON) as served, served.open() as socket:
        served.engine.deaf = True
        begin(socket)
        said(socket, LONG_SPEECH)
        assert mute_seconds(served, 10) == pytest.approx(13.6, abs=0.2)
        report = served.sockets.reports[-1]
        assert (report.ended, report.first_message_ms, bad_close(report)) == (False, None, "mute")


def test_an_engine_that_hears_nothing_in_many_short_utterances_is_mute() -> None:
    with serving() as served:
        served.engine.deaf = True
        finals(served, (speech(2).tobytes() + SILENCE * 2) * 8)
        report = last(served)
    assert 12 < report.mute_speech_seconds < 16
    assert (report.close_code, report.first_message_ms, bad_close(report)) == (1000, None, "mute")


def test_who_is_silent_or_in_steady_noise_is_not_mute() -> None:
    with serving() as served:
        served.engine.deaf = True
        finals(served, SILENCE * 40 + noise((30, -25)).tobytes())
        assert last(served).mute_speech_seconds < 1.1


def test_an_engine_that_never_answers_is_mute_while_the_socket_is_open() -> None:
    with serving(SOON, service_limits=Limits(workers=2, patience_seconds=0.1)) as served, served.open() as socket:
        served.engine.gate.clear()
        begin(socket)
        said(socket, speech(2).tobytes())
        assert served.engine.entered.acquire(timeout=30)
        # What comes while it hangs is not even looked at.
        said(socket, *[LONG_SPEECH[start : start + 16_000] for start in range(0, len(LONG_SPEECH), 16_000)])
        assert mute_seconds(served, 10) == pytest.approx(15.2, abs=0.3)
        socket.close()
        assert bad_close(last(served)) == "mute"
        served.engine.gate.set()


@pytest.mark.parametrize("patience_seconds", [60, 0.1])
def test_who_waits_for_his_turn_is_not_mute_unless_no_turn_will_come(patience_seconds: float) -> None:
    limits = Limits(workers=1, patience_seconds=patience_seconds)
    with serving(SOON, service_limits=limits) as served, served.open() as first:
        served.engine.gate.clear()
        begin(first)
        said(first, speech(2).tobytes())
        assert served.engine.entered.acquire(timeout=30)
        with served.open(**{"x-request-id": "waiting"}) as waiting:
            begin(waiting)
            said(waiting, LONG_SPEECH + SILENCE * 2)
            reports = served.sockets.reports
            until(lambda: sum(report.request_id == "waiting" for report in reports) > 5)
            if patience_seconds > 1:
                assert {report.mute_speech_seconds for report in reports} == {0.0}
            else:
                until(lambda: any(report.request_id == "waiting" and bad_close(report) for report in reports))
            served.engine.gate.set()
            assert message(waiting)["type"] in ("partial", "final")


def test_audio_that_comes_faster_than_it_is_recognised_is_not_mute() -> None:
    with serving(SOON, service_limits=Limits(workers=1)) as served:
        waited = served.engine.gate.wait

        def slowly(timeout: float | None = None) -> bool:
            time.sleep(0.3)
            return waited(timeout)

        served.engine.gate.wait = slowly  # type: ignore[method-assign]
        finals(served, LONG_SPEECH * 3, chunk_bytes=100_000)
        report = last(served)
    assert (report.mute_speech_seconds, report.close_code) == (0.0, 1000)
    assert len(served.sockets.reports) > 2


# How sockets end


@pytest.mark.parametrize("error", [UnavailableError("the device is gone"), ZeroDivisionError("x")])
def test_an_engine_that_fails_closes_with_1011(error: Exception) -> None:
    with serving() as served, served.open() as socket:
        served.engine.error = error
        begin(socket)
        said(socket, SPOKEN)
        assert to_the_end(socket)[1] == 1011
        report = last(served)
    assert (report.close_code, report.closed_by, bad_close(report)) == (1011, "service", "close_1011")


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, None])
def test_a_client_that_closes_is_nobodys_failure(code: int | None) -> None:
    with serving() as served:
        with served.open() as socket:
            begin(socket)
            said(socket, SPOKEN)
            if code is None:
                socket.socket.close()
            else:
                socket.close(code)
        report = last(served)
    assert (report.close_code, report.closed_by, bad_close(report)) == (code or 1006, "client", None)


def test_a_client_that_is_gone_when_it_is_answered_has_left() -> None:
    with serving() as served:
        served.engine.gate.clear()
        with served.open() as socket:
            begin(socket)
            said(socket, SPOKEN)
            assert served.engine.entered.acquire(timeout=30)
            socket.socket.close()
        served.engine.gate.set()
        report = last(served)
    assert (report.close_code, report.closed_by, bad_close(report)) == (1006, "client", None)


def test_a_client_that_never_begins_is_reported_too() -> None:
    with serving() as served:
        with served.open() as socket:
            socket.close()
        report = last(served)
    assert (report.frames_up, report.frames_down, report.audio_seconds) == (0, 0, 0.0)
    assert (report.close_code, report.closed_by) == (1000, "client")


def test_a_socket_that_is_moved_is_healthy() -> None:
    with serving() as served, served.open() as socket:
        begin(socket)
        said(socket, SILENCE)
        served.drain()
        assert to_the_end(socket)[1] == 4012
        report = last(served)
    assert (report.close_code, report.closed_by, bad_close(report)) == (4012, "service", None)


def test_a_client_that_breaks_the_rules_is_closed_and_nobodys_failure() -> None:
    for sent, code in (("hello", 1008), (bytes(20_000_000), 1009)):
        with serving() as served:
            with served.open() as socket, contextlib.suppress(ConnectionClosed):
                begin(socket)
                said(socket, sent)
                to_the_end(socket)
            report = last(served)
        assert (report.close_code, report.closed_by, bad_close(report)) == (code, "service", None)


def test_a_stream_that_cannot_keep_up_closes_with_1013() -> None:
    with serving(StreamLimits(queue_seconds=5, stall_seconds=0.2)) as served, served.open() as socket:
        begin(socket)
        served.engine.gate.clear()
        said(socket, speech(3).tobytes())
        assert served.engine.entered.acquire(timeout=30)
        said(socket, *[SILENCE * 2] * 8)
        assert to_the_end(socket)[1] == 1013
        served.engine.gate.set()
        assert bad_close(last(served)) == "close_1013"


def test_a_server_that_stops_ends_its_sockets_and_still_reports_them() -> None:
    with serving() as served:
        socket = served.open().__enter__()
        begin(socket)
        said(socket, SPOKEN)
        while message(socket)["type"] != "final":
            pass
    report = last(served)
    assert (report.close_code, report.closed_by, bad_close(report)) == (1012, "service", "close_1012")
    socket.close()


def test_a_stream_that_is_refused_before_it_opens_leaves_no_report() -> None:
    with serving(StreamLimits(max_streams=0)) as served:
        with pytest.raises(Exception, match="503"), served.open():
            pass
        assert served.sockets.reports == []


# A store that does not take them


def test_a_store_that_refuses_or_hangs_disturbs_no_stream(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def refuse(report: SocketReport) -> None:
        raise UnavailableError("the store cannot do it now: no such table: socket_reports")

    def hang(report: SocketReport) -> None:
        gate.wait(30)

    with serving() as served:
        whole = finals(served, SPOKEN)
    with caplog.at_level(logging.WARNING), serving(SOON) as served:
        for on_report in (refuse, hang):
            served.sockets.on_report = on_report
            for _ in range(3):
                assert finals(served, SPOKEN) == whole
        assert httpx.get(f"http://127.0.0.1:{served.port}/readyz").status_code == 200
        gate.set()
    assert caplog.text.count("does not take reports of sockets") == 1
    assert "no such table" in caplog.text


def test_reports_reach_the_store_of_an_installation(tmp_path: Path) -> None:
    from huidu.wire import make_sockets

    sockets = make_sockets(tmp_path)
    with serving() as served:
        served.sockets.on_report = sockets.report
        finals(served, SPOKEN)
        report = last(served)
    assert sockets.after(0, 10) == [replace(report, id=1)]
