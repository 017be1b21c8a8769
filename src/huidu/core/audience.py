"""Who gets the candidate: one pure decision, which both gateways carry in their own configuration.

The order and the names of the rules are those of design section 7.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from huidu.core.address import Network, packed_address
from huidu.core.bucket import bucket
from huidu.core.jwt import Jwt, usable_claims
from huidu.core.units import new_uid, peer_of, unit_of
from huidu.core.window import Window

if TYPE_CHECKING:
    from huidu.core.routes import Routes

UID_COOKIE = "huidu_uid"

# What can make a unit, beside `header:NAME`.
SUBJECT, COOKIE, ADDRESS = "jwt.sub", "cookie", "address"
HEADER_PREFIX = "header:"
# Kinds of a unit whose request had none of these: an id it was given to keep, or one for this request alone.
NEW, REQUEST = "new", "request"


class Rule(StrEnum):
    """Why a request got its version."""

    NO_RELEASE = "no_release"
    EXCLUDED = "excluded"
    INCLUDED = "included"
    WINDOW = "window"
    EXPIRED = "expired"
    NOT_VOLUNTEER = "not_volunteer"
    SHARE = "share"
    REST = "rest"


# Clocks differ a little and are set back a little; further back, what a share's time meant is not known any more.
CLOCK_BACK_SECONDS = 5.0

# Only requests that a bucket assigned enter verdicts: everybody else was chosen, not drawn.
COMPARED = frozenset({Rule.SHARE, Rule.REST})


@dataclass(frozen=True, slots=True)
class CookieRule:
    """Matches a cookie by exact name, or by name and value when `value` is given."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Matches a request header by name (lower case) and exact value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """Matches the client's address."""

    network: Network


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """Matches a claim of a valid token that is one of `values`, or a list that holds one of them."""

    claim: str
    values: tuple[str | int | bool, ...]


Matcher = CookieRule | HeaderRule | NetworkRule | ClaimRule


@dataclass(frozen=True, slots=True)
class Audience:
    """The rules beside the share.

    `key` lists what a user is, the first that a request has counts. Without `windows` the share is always open.
    """

    exclude: tuple[Matcher, ...] = ()
    include: tuple[Matcher, ...] = ()
    key: tuple[str, ...] = (SUBJECT, COOKIE)
    windows: tuple[Window, ...] = ()
    volunteers_only: bool = False
    jwt: Jwt | None = None

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that a decision reads."""
        named = {rule.claim for rule in (*self.exclude, *self.include) if isinstance(rule, ClaimRule)}
        return tuple(sorted(named | ({"sub"} if SUBJECT in self.key else set())))


@dataclass(frozen=True, slots=True)
class Request:
    """What a decision reads of a request: cookies in order as sent, headers by lower-case name.

    `address` is the client's (`client_address`), `claims` those of its first valid token, `volunteer` whether it
    carries a valid cookie of a volunteer.
    """

    cookies: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    volunteer: bool = False

    def cookie(self, name: str) -> str | None:
        """The first cookie of that name that is not empty."""
        return next((value for key, value in self.cookies if key == name and value), None)

    def header(self, name: str) -> str | None:
        """The first value of a header, unless it is empty."""
        return next((value for key, value in self.headers if key == name), None) or None


@dataclass(frozen=True, slots=True)
class Decision:
    """The version of a request, the rule that chose it, the unit it was drawn as, and whom it came from.

    `peer` is a keyed hash of the client's address; None where that is not known.
    """

    version: str
    rule: Rule
    unit: str
    unit_kind: str
    bucket: int
    peer: str | None = None


def cookies_of(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The cookies in the values of Cookie, in order; what has no name or no `=` is none."""
    parts = (part.partition("=") for value in values for part in value.split(";"))
    named = ((name.strip(" \t"), value.strip(" \t")) for name, equals, value in parts if equals)
    return tuple((name, value) for name, value in named if name)


def matches(request: Request, matcher: Matcher) -> bool:
    match matcher:
        case HeaderRule(name, value):
            return (name, value) in request.headers
        case CookieRule(name, None):
            return any(each == name for each, _ in request.cookies)
        case CookieRule(name, value):
            return (name, value) in request.cookies
        case NetworkRule(network):
            packed = packed_address(request.address) if request.address else None
            return packed is not None and packed in network
        case ClaimRule(claim, values):
            return _holds(request.claims.get(claim), values)


def _holds(found: Any, values: tuple[str | int | bool, ...]) -> bool:
    listed = found if isinstance(found, list) else [found]
    # True is 1 in Python and nowhere else.
    return any(
        value == each and isinstance(value, bool) is isinstance(each, bool) for each in listed for value in values
    )


def decide(request: Request, routes: "Routes", secret: str, now: float, request_id: str) -> Decision:
    """Which version the request gets at `now` (epoch seconds).

    A request that has nothing of the audience's key is drawn by its own id; where a cookie is part of the key, by
    the one that its sender is given to keep (`new_uid`).
    """
    claims = usable_claims(request.claims, routes.audience.claims) or {}
    request = Request(request.cookies, request.headers, request.address, claims, request.volunteer)
    user, kind = _user(request, routes.audience.key, secret, request_id)
    drawn = bucket(routes.bucket_salt, user)
    rule = _rule(request, routes, now, drawn)
    to_candidate = rule in (Rule.INCLUDED, Rule.SHARE) and routes.candidate is not None
    version = routes.candidate if to_candidate and routes.candidate else routes.stable
    unit = unit_of(secret, COOKIE if kind == NEW else kind, user)
    return Decision(version, rule, unit, kind, drawn, _peer(request.address, secret))


def _user(request: Request, key: tuple[str, ...], secret: str, request_id: str) -> tuple[str, str]:
    """What the request is drawn by, and the kind of it."""
    for kind in key:
        found: Any
        if kind == SUBJECT:
            found = request.claims.get("sub")
        elif kind == COOKIE:
            found = request.cookie(UID_COOKIE)
        elif kind == ADDRESS:
            packed = packed_address(request.address) if request.address else None
            # Written in one way only, whichever way it was sent.
            found = packed.hex() if packed else None
        else:
            found = request.header(kind.removeprefix(HEADER_PREFIX))
        if isinstance(found, str) and found:
            return found, kind
    return (new_uid(secret, request_id), NEW) if COOKIE in key else (request_id, REQUEST)


def _peer(address: str | None, secret: str) -> str | None:
    packed = packed_address(address) if address else None
    return peer_of(secret, packed) if packed else None


def _rule(request: Request, routes: "Routes", now: float, drawn: int) -> Rule:
    audience = routes.audience
    if routes.candidate is None:
        return Rule.NO_RELEASE
    if any(matches(request, matcher) for matcher in audience.exclude):
        return Rule.EXCLUDED
    if any(matches(request, matcher) for matcher in audience.include):
        return Rule.INCLUDED
    if audience.windows and not any(start <= now < end for start, end in routes.open):
        return Rule.WINDOW
    if not _in_force(routes, now):
        return Rule.EXPIRED
    if audience.volunteers_only and not request.volunteer:
        return Rule.NOT_VOLUNTEER
    return Rule.SHARE if drawn < routes.candidate_bp else Rule.REST


def _in_force(routes: "Routes", now: float) -> bool:
    """Whether the share's time is now: a clock that was set back must not make it longer."""
    if routes.issued_at is not None and now < routes.issued_at - CLOCK_BACK_SECONDS:
        return False
    return routes.expires_at is None or now < routes.expires_at
