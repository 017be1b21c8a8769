import time
from types import SimpleNamespace

from huidu.adapters.runtimes.supervisord import PromptPoller


def test_the_loop_looks_at_its_processes_well_before_supervisords_own_second_is_over() -> None:
    poller = PromptPoller(SimpleNamespace(logger=None))
    started = time.monotonic()
    assert poller.poll(1) == ([], [])
    assert time.monotonic() - started < 0.9
