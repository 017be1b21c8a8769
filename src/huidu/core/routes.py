"""What the gateway is told: one frozen value per generation."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from huidu.core.address import network
from huidu.core.audience import Audience, ClaimRule, CookieRule, HeaderRule, Matcher, NetworkRule
from huidu.core.jwt import Jwt
from huidu.core.version import Version
from huidu.core.window import Interval, Window


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version answers.

    `addresses` are `host:port`, in the order of configuration; requests go round those that work. With `tls` they
    are spoken to by HTTPS and must show a certificate for their host that `ca` (a PEM file; None: the system's
    authorities) vouches for. `health` is a path whose answer below 500 says that an address works; None where
    only failing requests tell.
    """

    version: str
    addresses: tuple[str, ...]
    tls: bool = False
    ca: str | None = None
    health: str | None = None


def upstream_of(version: Version, address: str) -> Upstream:
    """Where a version answers: at its URLs, or at the `host:port` that its own process was given."""
    if version.managed:
        return Upstream(version.name, (address,))
    addresses = tuple(url.partition("://")[2] for url in version.urls)
    return Upstream(version.name, addresses, version.urls[0].startswith("https:"), version.ca, version.health)


@dataclass(frozen=True, slots=True)
class Routes:
    """Who gets what from `generation` on, until the next one.

    `candidate` is set only in a serving stage; then `release`, `share_bp` and `expires_at` (epoch seconds,
    past which the gateway itself sends the share's users to the stable version) hold. `previous` is the
    former stable version while it is still warm. `open` are the audience's windows as UTC intervals.
    `move_streams`: at a roll back open streams move to the stable version instead of finishing where they are.
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
    open: tuple[Interval, ...] = ()
    move_streams: bool = False

    @property
    def salt(self) -> str:
        """Salts the buckets, so that each release picks other users."""
        return f"r{self.release or 0}"

    def upstream(self, version: str) -> Upstream | None:
        return next((up for up in self.upstreams if up.version == version), None)


def rolled_back(routes: Routes, generation: int) -> Routes | None:
    """The routes that a roll back puts in force; None where there is nothing to go back from.

    With a release in a serving stage: the stable version for all. Else the former stable version, while warm.
    """
    if routes.candidate is not None:
        return replace(routes, generation=generation, release=None, candidate=None, share_bp=0, expires_at=None)
    if routes.previous is not None and routes.upstream(routes.previous):
        return replace(routes, generation=generation, stable=routes.previous, previous=None)
    return None


def to_json(routes: Routes) -> dict[str, Any]:
    """Plain JSON that `from_json` reads back to an equal value."""
    audience = routes.audience
    plain = {name: getattr(routes, name) for name in _PLAIN}
    return plain | {
        "upstreams": [asdict(up) | {"addresses": list(up.addresses)} for up in routes.upstreams],
        "open": [list(interval) for interval in routes.open],
        "audience": {
            "exclude": [matcher_to_json(rule) for rule in audience.exclude],
            "include": [matcher_to_json(rule) for rule in audience.include],
            "key": list(audience.key),
            "windows": [asdict(window) | {"days": list(window.days)} for window in audience.windows],
            "volunteers_only": audience.volunteers_only,
            "jwt": asdict(audience.jwt) | {"sources": list(audience.jwt.sources)} if audience.jwt else None,
        },
    }


def from_json(found: dict[str, Any]) -> Routes:
    audience = found["audience"]
    jwt = audience["jwt"]
    return Routes(
        **{name: found[name] for name in _PLAIN},
        upstreams=tuple(Upstream(**{**up, "addresses": tuple(up["addresses"])}) for up in found["upstreams"]),
        open=tuple((start, end) for start, end in found["open"]),
        audience=Audience(
            exclude=tuple(_matcher(rule) for rule in audience["exclude"]),
            include=tuple(_matcher(rule) for rule in audience["include"]),
            key=tuple(audience["key"]),
            windows=tuple(Window(**{**window, "days": tuple(window["days"])}) for window in audience["windows"]),
            volunteers_only=audience["volunteers_only"],
            jwt=Jwt(**{**jwt, "sources": tuple(jwt["sources"])}) if jwt else None,
        ),
    )


_PLAIN = ("generation", "stable", "previous", "release", "candidate", "share_bp", "expires_at", "move_streams")


def matcher_to_json(rule: Matcher) -> dict[str, Any]:
    """{"header": name, "value": v}, {"cookie": name} with "value" only where the rule has one, {"cidr": text}
    or {"claim": name, "in": [values]}."""
    match rule:
        case HeaderRule(name, value):
            return {"header": name, "value": value}
        case CookieRule(name, value):
            return {"cookie": name} | ({} if value is None else {"value": value})
        case NetworkRule(found):
            return {"cidr": str(found)}
        case ClaimRule(claim, values):
            return {"claim": claim, "in": list(values)}


def _matcher(found: dict[str, Any]) -> Matcher:
    if "header" in found:
        return HeaderRule(found["header"], found["value"])
    if "cidr" in found:
        return NetworkRule(network(found["cidr"]))
    if "claim" in found:
        return ClaimRule(found["claim"], tuple(found["in"]))
    return CookieRule(found["cookie"], found.get("value"))
