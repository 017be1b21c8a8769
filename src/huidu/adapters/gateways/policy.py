"""The policy as `policy.lua` reads it: plain JSON, the same for both gateways."""

from importlib.resources import files
from typing import Any

from huidu.core.address import Network
from huidu.core.audience import CLOCK_BACK_SECONDS, Matcher, NetworkRule
from huidu.core.faces import faces_of
from huidu.core.routes import Routes, matcher_to_json
from huidu.core.units import UnitKeys


def policy_source() -> str:
    """The Lua text of the decision, to stand before a gateway's own."""
    return files(__package__).joinpath("policy.lua").read_text()


def policy_json(
    routes: Routes, keys: UnitKeys, trusted: tuple[Network, ...], recognition_paths: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What `compile` in `policy.lua` takes. `trusted` are the proxies whose word on the client's address counts.

    `recognition_paths` are the paths of foreign services that take audio.
    """
    faces = faces_of(routes.all_managed, recognition_paths)
    audience = routes.audience
    sources = audience.jwt.sources if audience.jwt else ()
    policy: dict[str, Any] = {
        "generation": routes.generation,
        "keys": {name: _words(getattr(keys, name)) for name in ("unit", "peer", "new_high", "new_low")},
        "key_id": keys.key_id,
        "salt": routes.bucket_salt,
        "stable": routes.stable,
        "share_bp": routes.share_bp,
        "candidate_bp": routes.candidate_bp,
        "exclude": [_matcher(rule) for rule in audience.exclude],
        "include": [_matcher(rule) for rule in audience.include],
        "key": list(audience.key),
        # Without tokens to verify there are no claims to ask for.
        "claims": list(audience.claims) if audience.jwt else [],
        "bearer": audience.jwt is not None and "header" in audience.jwt.sources,
        "token_cookies": [source.removeprefix("cookie:") for source in sources if source != "header"],
        "windows": bool(audience.windows),
        "open": [list(interval) for interval in routes.open],
        "volunteers_only": audience.volunteers_only,
        "trusted": [_network(network) for network in trusted],
    }
    known = {
        "candidate": routes.candidate,
        "release": routes.release,
        "expires_at": routes.expires_at,
        "begins_at": None if routes.issued_at is None else routes.issued_at - CLOCK_BACK_SECONDS,
        "posts": None if faces.posts is None else list(faces.posts),
        "sockets": None if faces.sockets is None else list(faces.sockets),
    }
    return policy | {name: value for name, value in known.items() if value is not None}


def _words(key: bytes) -> list[int]:
    return [int.from_bytes(half, "little") for half in (key[:4], key[4:])]


def _matcher(rule: Matcher) -> dict[str, Any]:
    return _network(rule.network) if isinstance(rule, NetworkRule) else matcher_to_json(rule)


def _network(network: Network) -> dict[str, Any]:
    return {"packed": network.packed.hex(), "bits": network.bits}
