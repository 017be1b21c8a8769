"""What the gateway is told: one frozen value per generation."""

from dataclasses import dataclass, field, replace
from typing import Any

from huidu.core.audience import Audience, CookieRule, HeaderRule, Matcher


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version answers: `address` is `host:port`."""

    version: str
    address: str


@dataclass(frozen=True, slots=True)
class Routes:
    """Who gets what from `generation` on, until the next one.

    `candidate` is set only in a serving stage; then `release`, `share_bp` and `expires_at` (epoch seconds,
    past which the gateway itself sends the share's users to the stable version) hold. `previous` is the
    former stable version while it is still warm.
    """

    generation: int
    stable: str
    upstreams: tuple[Upstream, ...]
    previous: str | None = None
    release: int | None = None
    candidate: str | None = None
    share_bp: int = 0
    expires_at: float | None = None
    audience: Audience = field(default_factory=Audience)

    @property
    def salt(self) -> str:
        """Salts the buckets, so that each release picks other users."""
        return f"r{self.release or 0}"

    def address(self, version: str) -> str | None:
        return next((up.address for up in self.upstreams if up.version == version), None)


def rolled_back(routes: Routes, generation: int) -> Routes | None:
    """The routes that a roll back puts in force; None where there is nothing to go back from.

    With a release in a serving stage: the stable version for all. Else the former stable version, while warm.
    """
    if routes.candidate is not None:
        return replace(routes, generation=generation, release=None, candidate=None, share_bp=0, expires_at=None)
    if routes.previous is not None and routes.address(routes.previous):
        return replace(routes, generation=generation, stable=routes.previous, previous=None)
    return None


def to_json(routes: Routes) -> dict[str, Any]:
    """Plain JSON that `from_json` reads back to an equal value."""
    return {
        "generation": routes.generation,
        "stable": routes.stable,
        "upstreams": {up.version: up.address for up in routes.upstreams},
        "previous": routes.previous,
        "release": routes.release,
        "candidate": routes.candidate,
        "share_bp": routes.share_bp,
        "expires_at": routes.expires_at,
        "exclude": [matcher_to_json(rule) for rule in routes.audience.exclude],
        "include": [matcher_to_json(rule) for rule in routes.audience.include],
    }


def from_json(found: dict[str, Any]) -> Routes:
    return Routes(
        generation=found["generation"],
        stable=found["stable"],
        upstreams=tuple(Upstream(version, address) for version, address in found["upstreams"].items()),
        previous=found["previous"],
        release=found["release"],
        candidate=found["candidate"],
        share_bp=found["share_bp"],
        expires_at=found["expires_at"],
        audience=Audience(
            tuple(_matcher(rule) for rule in found["exclude"]), tuple(_matcher(rule) for rule in found["include"])
        ),
    )


def matcher_to_json(rule: Matcher) -> dict[str, str]:
    """{"header": name, "value": v}, or {"cookie": name} with "value" only where the rule has one."""
    if isinstance(rule, HeaderRule):
        return {"header": rule.name, "value": rule.value}
    return {"cookie": rule.name} | ({} if rule.value is None else {"value": rule.value})


def _matcher(found: dict[str, str]) -> Matcher:
    if "header" in found:
        return HeaderRule(found["header"], found["value"])
    return CookieRule(found["cookie"], found.get("value"))
