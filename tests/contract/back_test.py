"""The way back of both gateways on a disk that takes nothing more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from disks import full, read_only, small_disk
from fronts import Front, front

from huidu.adapters.gateways.installed import installed_folder
from huidu.core.audience import Audience, CookieRule
from huidu.core.errors import UnavailableError
from huidu.core.routes import Routes
from huidu.ports import FenceError

TESTER = {"cookie": "tester=1"}


@pytest.fixture(params=["envoy", "nginx"])
def gate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        if disk is None:
            pytest.skip("no disk can be mounted here")
        with front(request.param, disk, "a secret") as made:
            yield made


def release(gate: Front) -> Routes:
    return gate.serving(2000, audience=Audience(include=(CookieRule("tester"),)))


def served(gate: Front, headers: dict[str, str]) -> str:
    return str(httpx.get(gate.url, headers=headers).json()["name"])


def test_a_full_disk_takes_no_new_routes_and_leaves_those_in_force(gate: Front) -> None:
    routes = gate.swap(release(gate))
    before = installed_folder(gate.places).prepared_routes()
    with full(gate.places.data):
        with pytest.raises(UnavailableError, match=r"No space left.*what was in force stays") as refused:
            gate.gateway.swap(replace(routes, generation=routes.generation + 2, share_bp=5000), 0)
        assert "\n" not in str(refused.value)
        assert gate.gateway.routes() == routes
        assert gate.gateway.applied(routes.generation, 0.0)
        assert served(gate, TESTER) == "v2"
        # The roll back still fits what is in force.
        assert installed_folder(gate.places).prepared_routes() == before
    assert gate.swap(replace(routes, share_bp=5000)).share_bp == 5000


def test_everybody_goes_back_on_a_full_disk(gate: Front) -> None:
    routes = gate.swap(release(gate))
    assert served(gate, TESTER) == "v2"
    with full(gate.places.data):
        back = gate.gateway.go_back()
        assert back is not None
        assert (back.stable, back.candidate, back.generation) == ("v1", None, routes.generation + 1)
        assert gate.gateway.applied(back.generation, 5.0)
        gate.reach(back.generation)
        # Whoever chose the candidate by a rule is back, too.
        assert served(gate, TESTER) == "v1"
        assert (gate.gateway.fence(), gate.gateway.routes()) == (1, back)
        # From there nobody goes back any further.
        assert gate.gateway.go_back() is None
        with pytest.raises(FenceError):
            gate.gateway.swap(replace(routes, generation=routes.generation + 2), 0)
    # As soon as there is room, the next routes have a roll back of their own.
    again = gate.swap(release(gate), fence=1)
    assert served(gate, TESTER) == "v2"
    found = gate.gateway.go_back()
    assert found is not None
    assert found.generation == again.generation + 1
    assert gate.gateway.fence() == 2


def test_everybody_goes_back_in_a_folder_that_cannot_be_written_to(gate: Front) -> None:
    """nginx is told on its socket; Envoy looks at files, and what cannot be done is said in one line."""
    gate.swap(release(gate))
    with read_only(gate.places.gateway):
        folder = installed_folder(gate.places)
        if gate.engine == "envoy":
            with pytest.raises(UnavailableError, match="Read-only file system"):
                folder.go_back(0.3)
            return
        back = folder.go_back(0.3)
        assert back is not None
        assert folder.await_generation(back["generation"], 5.0)
        gate.reach(back["generation"])
        assert served(gate, TESTER) == "v1"
        assert len(folder.unrecorded) == 4
        assert all("Read-only file system" in line for line in folder.unrecorded)
