"""The state that nginx's Lua reads: one JSON value for each generation."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from huidu.adapters.gateways.nginx.keys import public_pem, secret_bytes
from huidu.adapters.gateways.place import Place
from huidu.adapters.gateways.policy import policy_json
from huidu.core.jwt import VOLUNTEER_COOKIE, VOLUNTEER_ISSUER, Jwt, volunteer_keys
from huidu.core.routes import Routes, Upstream
from huidu.core.units import unit_keys

Json = dict[str, Any]
# The IP addresses of a host name, as text.
Resolve = Callable[[str], list[str]]


def state(routes: Routes, place: Place, secret: str, resolve: Resolve) -> Json:
    """What `compiled` in lua/state.lua takes."""
    audience = routes.audience
    found: Json = {
        "policy": policy_json(routes, unit_keys(secret), place.trusted_proxies, place.recognition_paths),
        "upstreams": {up.version: upstream_json(up, resolve) for up in routes.upstreams},
        "limits": {
            "retry_body_bytes": place.retry_body_bytes,
            "max_fallbacks": place.max_fallbacks,
            "hang_after_seconds": place.hang_after_seconds,
        },
        "secure": place.tls is not None,
    }
    if audience.jwt is not None:
        found["jwt"] = verifier_json(audience.jwt)
    if audience.volunteers_only:
        cookie = f"cookie:{VOLUNTEER_COOKIE}"
        found["volunteer"] = verifier_json(Jwt(volunteer_keys(secret), VOLUNTEER_ISSUER, (cookie,)))
    return found


def upstream_json(upstream: Upstream, resolve: Resolve) -> Json:
    found: Json = {
        "addresses": [
            {"ip": f"[{ip}]" if ":" in ip else ip, "port": port, "host": host}
            for host, port in map(host_port, upstream.addresses)
            for ip in resolve(host)
        ],
        "tls": upstream.tls,
        "location": location_suffix(upstream),
    }
    return found if upstream.health is None else found | {"health": upstream.health}


def location_suffix(upstream: Upstream) -> str:
    """Names the locations of a version: nginx wants the authorities of an HTTPS upstream in its configuration."""
    if not upstream.tls:
        return ""
    return "_tls_" + hashlib.sha256(f"{upstream.version}\n{upstream.ca or ''}".encode()).hexdigest()[:12]


def host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def verifier_json(jwt: Jwt) -> Json:
    """What `verifier` in lua/jwt.lua takes; its digest says when anything in it changed."""
    found: Json = {
        "sources": list(jwt.sources),
        "keys": [_key_json(key) for key in json.loads(jwt.keys)["keys"]],
    }
    if jwt.issuer is not None:
        found["issuer"] = jwt.issuer
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return found | {"digest": digest}


def _key_json(key: dict[str, str]) -> Json:
    found = {"alg": key["alg"]} | ({"kid": key["kid"]} if "kid" in key else {})
    if key["kty"] == "oct":
        return found | {"secret": secret_bytes(key).hex()}
    return found | {"pem": public_pem(key)}
