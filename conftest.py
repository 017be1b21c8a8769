"""What all tests share.

With CI=true a skipped test is a failure: it would have said nothing. HUIDU_TEST_WITHOUT=nginx,sctk hides programs from
the tests, as if this machine had none of them; there a skip that names one of them is accepted.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long one example takes says how busy the machine is. Tests of speed measure for themselves.
hypothesis.settings.register_profile("huidu", deadline=None, print_blob=True)
hypothesis.settings.load_profile("huidu")

WITHOUT = frozenset(filter(None, os.environ.get("HUIDU_TEST_WITHOUT", "").split(",")))


def _hide(programs: frozenset[str]) -> None:
    """Nobody finds these programs, and nobody starts them by a path known otherwise."""
    find = shutil.which

    def which(cmd: Any, *arguments: Any, **named: Any) -> Any:
        return None if Path(os.fsdecode(cmd)).name in programs else find(cmd, *arguments, **named)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            executable, command = arguments[:2]
            started = executable or (command if isinstance(command, (str, bytes)) else command[0])
            if Path(os.fsdecode(started)).name in programs:
                raise FileNotFoundError(2, "hidden by HUIDU_TEST_WITHOUT", os.fsdecode(started))

    shutil.which = which
    sys.addaudithook(refuse)


if WITHOUT:
    _hide(WITHOUT)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr)
        if not any(program in reason for program in WITHOUT):
            report.outcome = "failed"
            report.longrepr = f"skipped, which CI does not accept: {reason}"
