import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fakes import FakeGateway

from huidu.cli import run_commands
from huidu.core.errors import TakenOverError, UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.settings import load

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


@dataclass
class Prepared(FakeGateway):  # type: ignore[misc]
    """Remembers what it was prepared with; a full disk takes nothing."""

    prepared: list[Routes] = field(default_factory=list)
    full: bool = False

    def prepare(self, routes: Routes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.prepared.append(routes)


@pytest.mark.parametrize("full", [False, True])
def test_up_starts_with_the_routes_in_force_where_the_store_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], full: bool
) -> None:
    """The file names the stable version of the day of installation; who was promoted since stays stable."""
    config = tmp_path / "huidu.yaml"
    config.write_text("versions: {v0: {model: m}, v1: {model: m}, v2: {model: m}}\nstable: v0\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    managed = tuple(Upstream(name, (address,), managed=True) for name in ("v1", "v2", "gone"))
    gateway = Prepared(swapped=[replace(SHARE, upstreams=managed)], full=full)
    begun = run_commands._as_in_force(load(config), gateway, UnavailableError("it is locked"))
    assert (begun.stable, begun.stable_address, begun.waits) == ("v1", address, True)
    assert [version.name for version, _ in begun.running] == ["v1", "v2"]
    assert [routes.expires_at for routes in gateway.prepared] == ([] if full else [0.0])
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "it is locked: v1 is the stable version" in said


def test_up_says_what_the_store_said_where_no_routes_are_in_force_or_a_port_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "huidu.yaml"
    config.write_text("versions: {v1: {model: m}}\nstable: v1\n")
    why = UnavailableError("it is locked")
    with pytest.raises(UnavailableError, match=r"^it is locked$"):
        run_commands._as_in_force(load(config), Prepared(), why)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        gateway = Prepared(swapped=[Routes(5, "v1", (Upstream("v1", (taken,), managed=True),))])
        with pytest.raises(UnavailableError, match=f"it is locked; and somebody else listens at {taken}"):
            run_commands._as_in_force(load(config), gateway, why)


def test_control_goes_on_where_it_cannot_write_where_it_listens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places(tmp_path)
    # As a full disk does, whoever runs the tests.
    places.control_file.mkdir(parents=True)
    run_commands._say_where(places, {"url": "http://127.0.0.1:7900", "socket": None, "pid": 1})
    assert "control.json cannot be written" in caplog.text
    assert list(places.run.iterdir()) == [places.control_file]
