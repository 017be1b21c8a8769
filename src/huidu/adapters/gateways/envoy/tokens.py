"""Who names a user: Envoy's filter jwt_authn, discovered from a file, so that keys change without a new listener.

A token that is missing or wrong makes nobody fail: the request is anonymous. What is verified is read from the
filter's metadata by the policy (`filter.lua`), never copied into headers.
"""

from itertools import combinations

from huidu.adapters.gateways.envoy.shapes import Json, typed
from huidu.core.jwt import BEARER, CLOCK_SKEW_SECONDS, VOLUNTEER_COOKIE, VOLUNTEER_ISSUER, Jwt, volunteer_keys
from huidu.core.routes import Routes

FILTER = "envoy.filters.http.jwt_authn"
KIND = "extensions.filters.http.jwt_authn.v3.JwtAuthentication"

_VOLUNTEER = "volunteer"
_HEADER = "header"
_COOKIE_PREFIX = "cookie:"
# Verified tokens that a worker remembers of each source: thousands of users, a few megabytes.
_REMEMBERED_TOKENS = 5_000
_LONGEST_TOKEN_BYTES = 8_192


def token_filter(routes: Routes, secret: str) -> Json:
    """The filter as a discovered extension. Without tokens to read it has no rules, and does nothing."""
    jwt, volunteers = routes.audience.jwt, routes.audience.volunteers_only
    providers: dict[str, Json] = {}
    if jwt:
        providers |= {f"source {number}": _source(jwt, each) for number, each in enumerate(jwt.sources, 1)}
    sources = dict(zip(providers, jwt.sources if jwt else (), strict=True))
    if volunteers:
        sources[_VOLUNTEER] = f"{_COOKIE_PREFIX}{VOLUNTEER_COOKIE}"
        providers[_VOLUNTEER] = _provider(volunteer_keys(secret), VOLUNTEER_ISSUER, sources[_VOLUNTEER], _VOLUNTEER)
    # One rule for each set of sources that may hold a token, the largest first. A request without any matches no
    # rule, and costs nothing more.
    sets = [names for size in range(len(sources), 0, -1) for names in combinations(sources, size)]
    rules = [
        {
            "match": {"prefix": "/", "headers": [_may_hold(sources[name]) for name in names]},
            "requires": _required(names),
        }
        for names in sets
    ]
    filter_config = typed(KIND, providers=providers, rules=rules) if providers else typed(KIND)
    return typed("config.core.v3.TypedExtensionConfig", name=FILTER, typed_config=filter_config)


def _source(jwt: Jwt, source: str) -> Json:
    return _provider(jwt.keys, jwt.issuer, source, "claims")


def _provider(keys: str, issuer: str | None, source: str, metadata: str) -> Json:
    bearer = [{"name": "authorization", "value_prefix": "Bearer "}]
    place = {"from_headers": bearer} if source == _HEADER else {"from_cookies": [source.removeprefix(_COOKIE_PREFIX)]}
    return {
        **({} if issuer is None else {"issuer": issuer}),
        **place,
        "local_jwks": {"inline_string": keys},
        "forward": True,
        "payload_in_metadata": metadata,
        "require_expiration": True,
        "clock_skew_seconds": CLOCK_SKEW_SECONDS,
        "jwt_cache_config": {"jwt_cache_size": _REMEMBERED_TOKENS, "jwt_max_token_size": _LONGEST_TOKEN_BYTES},
    }


def _required(names: tuple[str, ...]) -> Json:
    """The first valid of the user's tokens, and beside it the volunteer's."""
    users = [name for name in names if name != _VOLUNTEER]
    needs = [_first_valid(each) for each in (users, [_VOLUNTEER] if _VOLUNTEER in names else []) if each]
    return needs[0] if len(needs) == 1 else {"requires_all": {"requirements": needs}}


def _first_valid(providers: list[str]) -> Json:
    listed: list[Json] = [{"provider_name": name} for name in providers]
    return {"requires_any": {"requirements": [*listed, {"allow_missing_or_failed": {}}]}}


def _may_hold(source: str) -> Json:
    if source == _HEADER:
        return {"name": "authorization", "string_match": {"safe_regex": {"regex": BEARER}}}
    return {"name": "cookie", "string_match": {"contains": f"{source.removeprefix(_COOKIE_PREFIX)}="}}
