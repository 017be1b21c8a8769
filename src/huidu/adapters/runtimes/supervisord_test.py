import time
from types import SimpleNamespace

import pytest

from huidu.adapters.runtimes.supervisord import Complaints, PromptPoller


def test_the_loop_looks_at_its_processes_well_before_supervisords_own_second_is_over() -> None:
    poller = PromptPoller(SimpleNamespace(logger=None))
    started = time.monotonic()
    assert poller.poll(1) == ([], [])
    assert time.monotonic() - started < 0.9


def test_a_log_that_cannot_be_written_is_said_once_and_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complaints = Complaints()
    for _ in range(3):
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            complaints.say()
    assert capsys.readouterr().err == "huidu: a log cannot be written: [Errno 28] No space left on device\n"
