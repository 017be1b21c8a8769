"""Who goes where: the routes of one generation, with the policy that the filter reads (`filter.lua`)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from huidu.adapters.gateways import answers
from huidu.adapters.gateways.envoy.clusters import fallback_cluster, version_cluster
from huidu.adapters.gateways.envoy.shapes import Json, header, typed
from huidu.adapters.gateways.place import Place
from huidu.adapters.gateways.policy import policy_json, policy_source
from huidu.core.audience import UID_COOKIE, Rule
from huidu.core.routes import Routes
from huidu.core.units import KEY_ID_HEADER, UnitKeys

ROUTES_NAME = "huidu"
LUA_FILTER = "envoy.filters.http.lua"

_COOKIE_SECONDS = 365 * 86_400
# Where the stable version has one address, all that is sent there again is what met a kept connection as it closed:
# keeping more for that would cost every upload a copy of itself.
_KEPT_FOR_ONE_ADDRESS = 4 * 1024
_GREATEST_LENGTH = 2**63 - 1
# The filter sets it at its end, so that a request for which it failed lands on the stable version.
RULE_HEADER = "x-huidu-rule"


def route_configuration(routes: Routes, place: Place, keys: UnitKeys) -> Json:
    return typed(
        "config.route.v3.RouteConfiguration",
        name=ROUTES_NAME,
        # A route to nowhere would be accepted otherwise, and answer 503 to everyone.
        validate_clusters=True,
        response_headers_to_add=[
            header("x-huidu-generation", str(routes.generation)),
            header("set-cookie", "%DYNAMIC_METADATA(huidu:cookie)%", "APPEND_IF_EXISTS_OR_ADD"),
        ],
        virtual_hosts=[
            {
                "name": "all",
                "domains": ["*"],
                "include_request_attempt_count": True,
                "typed_per_filter_config": {LUA_FILTER: _policy(routes, place, keys)},
                "routes": _routes(routes, place),
                "request_headers_to_add": [header(KEY_ID_HEADER, keys.key_id)],
            }
        ],
    )


def _policy(routes: Routes, place: Place, keys: UnitKeys) -> Json:
    """The program that decides, with the policy written into it: so it need not be looked up by each request."""
    secure = "; Secure" if place.tls else ""
    tail = f"; Path=/; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"
    values = {
        "POLICY": policy_json(routes, keys, place.trusted_proxies, place.recognition_paths),
        "LOG_HEAD": _log_head(routes, keys.key_id),
        "COOKIE_HEAD": f"{UID_COOKIE}=",
        "COOKIE_TAIL": tail,
        "SHARE_BP": str(routes.share_bp),
        "HANG_AFTER_SECONDS": place.hang_after_seconds,
        "WATCH_STABLE": _watched(routes, routes.stable),
        "WATCH_CANDIDATE": _watched(routes, routes.candidate),
    }
    head = f"local {', '.join(values)} = {', '.join(map(lua_literal, values.values()))}\n"
    return typed("extensions.filters.http.lua.v3.LuaPerRoute", source_code={"inline_string": head + _program()})


def _watched(routes: Routes, version: str | None) -> bool:
    """Whether the gateway itself looks into a version's sockets: an instance of ours tells of its own."""
    upstream = routes.upstream(version) if version is not None else None
    return upstream is not None and not upstream.managed


def _log_head(routes: Routes, key_id: str) -> str:
    """What each log line of this generation has in common, up to its time."""
    common = {
        "release": routes.release,
        "generation": routes.generation,
        "share_bp": routes.share_bp,
        "key_id": key_id,
    }
    return json.dumps(common, separators=(",", ":"))[1:-1] + ',"time":'


@cache
def _program() -> str:
    """The Lua text of the decision without its comments: Envoy reads all of it at each change."""
    return lua_program(policy_source() + files(__package__).joinpath("filter.lua").read_text())


def lua_program(text: str) -> str:
    """A Lua text without its comments."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--")) + "\n"


def lua_literal(value: Any) -> str:
    """A JSON value as Lua writes it. What is null is left out of tables, as Lua knows it."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            plain = all(" " <= character <= "~" and character not in '"\\' for character in value)
            return f'"{value}"' if plain else '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
        case list():
            return "{" + ",".join(lua_literal(each) for each in value) + "}"
        case dict():
            return "{" + ",".join(f"[{lua_literal(key)}]={lua_literal(each)}" for key, each in value.items()) + "}"
    raise AssertionError(f"no JSON: {value!r}")


def _routes(routes: Routes, place: Place) -> list[Json]:
    served = []
    if routes.candidate is not None:
        cluster = fallback_cluster(routes.candidate, routes.stable)
        for rule in (Rule.SHARE, Rule.INCLUDED):
            chosen = [{"name": RULE_HEADER, "string_match": {"exact": rule.value}}]
            action = {"cluster": cluster, **_fallback(place)}
            served += _route(routes, place, routes.candidate, chosen, action, place.retry_body_bytes)
    stable = {"cluster": version_cluster(routes.stable), **_second_try()}
    several = any(up.version == routes.stable and len(up.addresses) > 1 for up in routes.upstreams)
    kept_bytes = place.retry_body_bytes if several else min(place.retry_body_bytes, _KEPT_FOR_ONE_ADDRESS)
    return served + _route(routes, place, routes.stable, [], stable, kept_bytes)


def _route(
    routes: Routes, place: Place, version: str, headers: list[Json], action: Json, kept_bytes: int
) -> list[Json]:
    """The route of a version, and before it the refusal of what is too large to be sent to it.

    Both bear the version's name, which the log shows. Of a body `kept_bytes` are kept for a second try.
    """
    common: Json = {"name": version}
    if routes.release is not None:
        common["request_headers_to_add"] = [header("x-huidu-release", str(routes.release))]
    beyond = {"start": place.max_upload_bytes + 1, "end": _GREATEST_LENGTH}
    too_large = {"name": "content-length", "range_match": beyond}
    return [
        common
        | {
            # The rule first: it is the cheaper to compare, and most often another.
            "match": {"prefix": "/", "headers": [*headers, too_large]},
            "direct_response": {"status": answers.too_large(place).status},
        },
        common
        | {
            "match": {"prefix": "/", "headers": headers},
            "request_body_buffer_limit": kept_bytes,
            "route": {"timeout": "0s", **action},
        },
    ]


def _fallback(place: Place) -> Json:
    """One more try, on the stable version.

    gateway-error covers resets after the request was sent, too; an answer that has begun is never tried again.
    The time of a try begins at the end of the upload; a try that has not begun to answer by then goes on beside the
    second one, and whichever answers first counts. So neither is ever cut. The time said here is that of requests
    without a body and of sockets; the policy allows uploads more (`filter.lua`).
    """
    return {
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request,gateway-error",
            "num_retries": 1,
            "per_try_timeout": f"{place.hang_after_seconds:.3f}s",
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.005s"},
        },
        "hedge_policy": {"hedge_on_per_try_timeout": True},
    }


def _second_try() -> Json:
    """A kept connection may close just as a request takes it: nothing was sent, so a second try is safe."""
    return {
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 1,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                }
            ],
            "host_selection_retry_max_attempts": 3,
            "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.005s"},
        }
    }
