from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeGateway

from huidu.cli import run_commands
from huidu.core.errors import TakenOverError, UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream

UPSTREAMS = (Upstream("v1", ("127.0.0.1:1",)), Upstream("v2", ("127.0.0.1:2",)))
SHARE = Routes(5, "v1", UPSTREAMS, release=1, candidate="v2", share_bp=500, expires_at=1e9)


def begun(failures: Iterator[str]) -> str:
    for failure in failures:
        raise UnavailableError(failure)
    return "begun"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_commands, "_TICK_SECONDS", 0.001)


def test_control_waits_for_a_store_that_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    gateway = FakeGateway(swapped=[SHARE])
    failures = iter(["locked", "locked", "full"])
    assert run_commands._patiently(lambda: begun(failures), gateway) == "begun"
    # Each is said once, and for a moment's wait nobody is moved.
    assert [record.message for record in caplog.records] == [
        "control waits for the store: locked",
        "control waits for the store: full",
    ]
    assert gateway.swapped == [SHARE]


def test_while_nobody_can_watch_everybody_is_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_commands, "SHARE_ENDS_SECONDS", 0.0)
    gateway = FakeGateway(swapped=[SHARE])
    failures = iter(["locked"] * 5)
    assert run_commands._patiently(lambda: begun(failures), gateway) == "begun"
    assert (gateway.swapped[-1].candidate, gateway.swapped[-1].ended, gateway.fence_number) == (None, 1, 1)
    # Once: what is in force then has no candidate.
    assert gateway.asked == ["go_back"]


def test_one_that_was_taken_over_waits_for_nothing() -> None:
    def taken() -> str:
        raise TakenOverError("another control has taken over")

    with pytest.raises(TakenOverError):
        run_commands._patiently(taken, FakeGateway(swapped=[SHARE]))


def test_control_goes_on_where_it_cannot_write_where_it_listens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places(tmp_path)
    # As a full disk does, whoever runs the tests.
    places.control_file.mkdir(parents=True)
    run_commands._say_where(places, {"url": "http://127.0.0.1:7900", "socket": None, "pid": 1})
    assert "control.json cannot be written" in caplog.text
    assert list(places.run.iterdir()) == [places.control_file]
