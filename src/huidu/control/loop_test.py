import threading

import pytest

from huidu.control.loop import Loop
from huidu.core.errors import TakenOverError, UnavailableError


def test_errors_are_logged_once_until_they_change_and_never_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    errors = [UnavailableError("down"), UnavailableError("down"), OSError(28, "no space"), ValueError("a bug"), None]
    left, done = iter(errors), threading.Event()

    def tick() -> None:
        error = next(left, None)
        if error is not None:
            raise error
        done.set()

    loop = Loop(tick, 0.001, lambda error: None)
    loop.start()
    assert done.wait(10)
    loop.stop()
    said = [(record.getMessage(), record.exc_info is not None) for record in caplog.records]
    # Only a bug brings its traceback.
    assert said == [
        ("tick: down", False),
        ("tick: [Errno 28] no space", False),
        ("tick: ValueError('a bug')", True),
    ]


def test_a_control_that_was_taken_over_ticks_no_more() -> None:
    heard: list[TakenOverError] = []
    ticks: list[None] = []

    def tick() -> None:
        ticks.append(None)
        raise TakenOverError("another")

    loop = Loop(tick, 0.001, heard.append)
    loop.start()
    loop._thread.join(timeout=10)
    assert not loop._thread.is_alive()
    assert (len(ticks), [str(error) for error in heard]) == (1, ["another"])
