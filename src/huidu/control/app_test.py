"""Control's HTTP face over a controller that notes what it is asked."""

import warnings
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from fakes import Clock

from huidu.control.app import create_app
from huidu.control.controller import Controller
from huidu.core.errors import RefusedError, TakenOverError
from huidu.core.plan import DEFAULT_PLAN, Rules
from huidu.core.release import Event, Release, Seen, advance, begin
from huidu.ports import Gateway, Store

with warnings.catch_warnings():
    # Starlette would rather have httpx's successor, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CHANGED = {
    "took_effect": ["control.share_expiry"], "next_release": ["alpha", "plan"], "needs_up": ["gateway.listen"],
    "no_effect": [], "unchanged": 40,
}  # fmt: skip
IN_SHARE = advance(begin(3, "v2", "v1", DEFAULT_PLAN, Rules(), 0.0), Event.ADMITTED, 1.0)


class NoGateway:
    def routes(self) -> None:
        return None


@dataclass
class Asked:
    """A controller that does everything, or refuses everything."""

    error: Exception | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def _note(self, *call: Any) -> Release:
        if self.error is not None:
            raise self.error
        self.calls.append(call)
        return IN_SHARE

    def start(self, version: str, by: str, reason: str) -> Release:
        return self._note("start", version, by, reason)

    def promote(self, by: str, reason: str, seen: Seen, resume: bool) -> Release:
        return self._note("promote", by, reason, seen, resume)

    def pause(self, by: str, reason: str, seen: Seen) -> Release:
        return self._note("pause", by, reason, seen)

    def resume(self, by: str, reason: str, seen: Seen) -> Release:
        return self._note("resume", by, reason, seen)


@dataclass
class Site:
    asked: Asked
    client: TestClient
    ended: list[TakenOverError] = field(default_factory=list)


@pytest.fixture
def site() -> Site:
    asked = Asked()
    ended: list[TakenOverError] = []
    app = create_app(
        cast("Controller", asked),
        cast("Store", None),
        cast("Gateway", NoGateway()),
        Clock(),
        lambda: dict(CHANGED),
        ended.append,
    )
    return Site(asked, TestClient(app), ended)


def test_a_command_names_what_its_sender_saw_and_an_old_script_names_nothing(site: Site) -> None:
    seen = {"expected_release": 3, "expected_stage": "share:500"}
    for name in ("pause", "resume"):
        assert site.client.post(f"/api/v1/{name}", json={"by": "li", "reason": "lunch", **seen}).status_code == 200
        assert site.client.post(f"/api/v1/{name}", json={"by": "li"}).status_code == 200
    fresh = {"resume": True, "asked_seconds_ago": 0.25}
    site.client.post("/api/v1/promote", json={"by": "li", "reason": "sure", **fresh, **seen})
    site.client.post("/api/v1/promote", json={"by": "li", "reason": "sure"})
    assert site.asked.calls == [
        ("pause", "li", "lunch", Seen(3, "share:500")),
        ("pause", "li", "", Seen()),
        ("resume", "li", "lunch", Seen(3, "share:500")),
        ("resume", "li", "", Seen()),
        ("promote", "li", "sure", Seen(3, "share:500", 0.25), True),
        ("promote", "li", "sure", Seen(), False),
    ]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("promote", {"reason": " "}),
        ("promote", {"reason": "x", "expected_stage": 7}),
        ("pause", {"expected_release": "three"}),
        ("pause", {"resume": True}),
        ("promote", {"reason": "x", "asked_seconds_ago": -1}),
        ("resume", {"expected": 3}),
    ],
)
def test_a_body_that_says_something_else_is_invalid(site: Site, name: str, body: dict[str, Any]) -> None:
    answer = site.client.post(f"/api/v1/{name}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert site.asked.calls == []


@pytest.mark.parametrize(
    "body",
    [
        '{"reason": ' + "[" * 100_000,
        '{"reason": "x", "expected_release": ' + "9" * 10_000 + "}",
        '{"reason": "x", "asked_seconds_ago": Infinity}',
        '{"reason": "x", "asked_seconds_ago": NaN}',
        '{"reason": "a\\u0000b"}',
        '{"reason": "a\\ud800b"}',
        '{"reason": "x", "by": "\\u001b[2J"}',
        '{"reason": 1e400}',
        "\0",
        "[]",
    ],
)
def test_a_body_made_to_break_is_one_line(site: Site, body: str) -> None:
    headers = {"content-type": "application/json"}
    answer = site.client.post("/api/v1/promote", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert answer.json()["detail"].isprintable()
    assert site.asked.calls == []


@pytest.mark.parametrize("number", ["-1", "9" * 30, "9" * 5000, "x"])
def test_a_number_that_no_release_can_have_is_invalid(site: Site, number: str) -> None:
    for path in (f"/api/v1/releases/{number}", f"/api/v1/releases/{number}/replay"):
        answer = site.client.get(path)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid")


def test_what_has_changed_is_a_refusal_in_one_line(site: Site) -> None:
    site.asked.error = RefusedError("release 3 is in bake now, not in share:5000 as you saw; accepted: look")
    answer = site.client.post("/api/v1/promote", json={"reason": "x", "expected_stage": "share:5000"})
    assert (answer.status_code, answer.json()) == (409, {"error": "refused", "detail": str(site.asked.error)})
    assert site.ended == []


def test_a_command_that_finds_another_control_ends_this_one(site: Site) -> None:
    site.asked.error = TakenOverError("another control has taken over the store")
    answer = site.client.post("/api/v1/pause", json={})
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert site.ended == [site.asked.error]


def test_the_file_taken_over_is_told_key_by_key(site: Site) -> None:
    assert site.client.post("/api/v1/config/apply").json() == {"applied": True, **CHANGED}


def test_what_waits_for_the_next_release_counts_for_the_one_that_starts(site: Site) -> None:
    answer = site.client.post("/api/v1/releases", json={"version": "v2", "by": "li"})
    assert answer.status_code == 201
    assert answer.json() == {
        "id": 3, "version": "v2", "stage": "share:500",
        "config": {**CHANGED, "took_effect": ["alpha", "control.share_expiry", "plan"], "next_release": []},
    }  # fmt: skip
