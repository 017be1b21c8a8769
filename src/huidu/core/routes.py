"""What the gateway is told: one frozen value per generation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from huidu.core import codec
from huidu.core.address import network
from huidu.core.audience import Audience, ClaimRule, CookieRule, HeaderRule, Matcher, NetworkRule
from huidu.core.plan import FULL_BP
from huidu.core.version import Version
from huidu.core.window import Interval


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version answers.

    `addresses` are `host:port`, in the order of configuration; requests go round those that work. With `tls` they
    are spoken to by HTTPS and must show a certificate for their host that `ca` (a PEM file; None: the system's
    authorities) vouches for. `health` is a path whose answer below 500 says that an address works; None where
    only failing requests tell. `managed` says that it is an instance of ours, whose faces are known.
    """

    version: str
    addresses: tuple[str, ...]
    tls: bool = False
    ca: str | None = None
    health: str | None = None
    managed: bool = False


def upstream_of(version: Version, address: str) -> Upstream:
    """Where a version answers: at its URLs, or at the `host:port` that its own process was given."""
    if version.managed:
        return Upstream(version.name, (address,), managed=True)
    addresses = tuple(url.partition("://")[2] for url in version.urls)
    return Upstream(version.name, addresses, version.urls[0].startswith("https:"), version.ca, version.health)


@dataclass(frozen=True, slots=True)
class Routes:
    """Who gets what from `generation` on, until the next one.

    `candidate` is set only in a serving stage; then `release`, `salt`, `share_bp` and the share's time hold: it is
    in force from `issued_at` (less a little: `CLOCK_BACK_SECONDS`) to `expires_at`, epoch seconds, and outside of
    it the gateway itself sends the share's users to the stable version. At a share of 100 % the last `holdback_bp`
    of the buckets stay on the stable version, so that there is something to compare with. `previous` is the former
    stable version while it is still warm. `open` are the audience's windows as UTC intervals. `move_streams`: at a
    roll back open streams move to the stable version instead of finishing where they are. `ended` is the newest
    release that was over, or whose share had ended, by then (None: an earlier version did not say): what control
    could not record before it died it finds here.
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
    salt: str = ""
    issued_at: float | None = None
    holdback_bp: int = 0
    ended: int | None = None
    # What a stored document held beside these, by another version of Huidu (`codec.unknown`).
    more: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False, metadata={"not_stored": True})

    @property
    def bucket_salt(self) -> str:
        """Salts the buckets, so that each release picks other users.

        Releases that began before salts were random have none: theirs was their number, and their users stay.
        """
        return self.salt or f"r{self.release or 0}"

    @property
    def candidate_bp(self) -> int:
        """Buckets below this are the candidate's."""
        return min(self.share_bp, FULL_BP - self.holdback_bp)

    @property
    def all_managed(self) -> bool:
        """Whether every version that gets requests now is an instance of ours."""
        serving = [self.upstream(version) for version in (self.stable, self.candidate) if version is not None]
        return all(upstream is not None and upstream.managed for upstream in serving)

    def upstream(self, version: str) -> Upstream | None:
        return next((up for up in self.upstreams if up.version == version), None)


def rolled_back(routes: Routes, generation: int) -> Routes | None:
    """The routes that a roll back puts in force; None where there is nothing to go back from.

    With a release in a serving stage: the stable version for all. Else the former stable version, while warm.
    """
    if routes.candidate is not None:
        return replace(
            routes,
            generation=generation,
            release=None,
            candidate=None,
            share_bp=0,
            expires_at=None,
            salt="",
            issued_at=None,
            holdback_bp=0,
            ended=routes.ended if routes.release is None else routes.release,
        )
    if routes.previous is not None and routes.upstream(routes.previous):
        return replace(routes, generation=generation, stable=routes.previous, previous=None)
    return None


def leads_back(before: Routes, after: Routes) -> bool:
    """Whether routes take users off a version and give none to a candidate."""
    if before.candidate is None:
        return before.previous is not None and after.stable == before.previous and after.candidate is None
    return after.stable == before.stable and (after.candidate is None or after.candidate_bp < before.candidate_bp)


def to_json(routes: Routes) -> dict[str, Any]:
    """Plain JSON that `from_json` reads back to an equal value."""
    audience = routes.audience
    plain = {name: getattr(routes, name) for name in _PLAIN}
    document = plain | {
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
    merged: dict[str, Any] = codec.with_unknown(document, routes.more)
    return merged


def from_json(found: dict[str, Any], where: str = "routes") -> Routes:
    """The routes of a document, of another version of Huidu, too; what it holds beside them is kept in `more`.

    Raises `codec.StoredError` with `where`, the file, and the field.
    """
    routes = codec.read(Routes, found, where, {Matcher: _matcher})
    if routes.candidate is not None:
        # Without its end a share would last for ever.
        expires_at = codec.value(float | None, found, "expires_at", where, 0.0)
        routes = replace(routes, expires_at=expires_at)
    return replace(routes, more=codec.unknown(found, to_json(routes)))


_PLAIN = (
    *("generation", "stable", "previous", "release", "candidate", "share_bp", "expires_at", "move_streams"),
    *("salt", "issued_at", "holdback_bp", "ended"),
)


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


def _matcher(found: Any, where: str) -> Matcher:
    entries = codec.entries(found, where)
    if "header" in entries:
        return HeaderRule(codec.value(str, entries, "header", where), codec.value(str, entries, "value", where))
    if "cidr" in entries:
        return NetworkRule(codec.made(network, where, codec.value(str, entries, "cidr", where)))
    if "claim" in entries:
        values = codec.value(tuple[Any, ...], entries, "in", where)
        if all(isinstance(each, str | int) for each in values):
            return ClaimRule(codec.value(str, entries, "claim", where), values)
    if "cookie" in entries:
        value = codec.value(str | None, entries, "value", where, None)
        return CookieRule(codec.value(str, entries, "cookie", where), value)
    raise codec.StoredError(f"{where} reads no rule; accepted: one with header, cookie, cidr or claim")
