"""Who gets the candidate: one pure decision, which both gateways carry in their own configuration.

The order and the names of the rules are those of design section 7.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from huidu.core.bucket import bucket, unit_of

if TYPE_CHECKING:
    from huidu.core.routes import Routes

UID_COOKIE = "huidu_uid"


class Rule(StrEnum):
    """Why a request got its version."""

    NO_RELEASE = "no_release"
    EXCLUDED = "excluded"
    INCLUDED = "included"
    EXPIRED = "expired"
    SHARE = "share"
    REST = "rest"


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


Matcher = CookieRule | HeaderRule


@dataclass(frozen=True, slots=True)
class Audience:
    """The rules beside the share."""

    exclude: tuple[Matcher, ...] = ()
    include: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a decision reads of a request: cookies in order as sent, headers by lower-case name."""

    cookies: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def cookie(self, name: str) -> str | None:
        """The first cookie of that name; an empty one counts as absent."""
        return next((value for key, value in self.cookies if key == name and value), None)


@dataclass(frozen=True, slots=True)
class Decision:
    """The version of a request, the rule that chose it, and the unit it was drawn as."""

    version: str
    rule: Rule
    unit: str
    unit_kind: str
    bucket: int


def matches(request: Request, matcher: Matcher) -> bool:
    if isinstance(matcher, HeaderRule):
        return (matcher.name, matcher.value) in request.headers
    if matcher.value is None:
        return any(name == matcher.name for name, _ in request.cookies)
    return (matcher.name, matcher.value) in request.cookies


def decide(request: Request, routes: "Routes", secret: str, now: float, new_uid: str) -> Decision:
    """Which version the request gets at `now` (epoch seconds).

    `new_uid` is the id that a request without the cookie `huidu_uid` is given, and drawn by at once.
    """
    sent = request.cookie(UID_COOKIE)
    user = sent or new_uid
    drawn = bucket(routes.salt, user)
    rule = _rule(request, routes, now, drawn)
    to_candidate = rule in (Rule.INCLUDED, Rule.SHARE) and routes.candidate is not None
    version = routes.candidate if to_candidate and routes.candidate else routes.stable
    return Decision(version, rule, unit_of(secret, user), "cookie" if sent else "new", drawn)


def _rule(request: Request, routes: "Routes", now: float, drawn: int) -> Rule:
    if routes.candidate is None:
        return Rule.NO_RELEASE
    if any(matches(request, matcher) for matcher in routes.audience.exclude):
        return Rule.EXCLUDED
    if any(matches(request, matcher) for matcher in routes.audience.include):
        return Rule.INCLUDED
    if routes.expires_at is not None and now >= routes.expires_at:
        return Rule.EXPIRED
    return Rule.SHARE if drawn < routes.share_bp else Rule.REST
