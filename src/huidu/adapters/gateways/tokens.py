"""Tokens verified in Python, as the gateways do it in their own configuration: for `explain`, and to make cookies."""

import base64
import binascii
import json
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jwt as pyjwt

from huidu.core.jwt import (
    CLOCK_SKEW_SECONDS,
    VOLUNTEER_COOKIE,
    VOLUNTEER_ISSUER,
    Jwt,
    cookie_token,
    tokens,
    volunteer_keys,
)

_TEXTS = ("iss", "sub", "jti")
_TIMES = ("iat", "nbf", "exp")


def claims_of(jwt: Jwt | None, authorization: Sequence[str], cookies: Sequence[str], now: float) -> dict[str, Any]:
    """The claims of the first valid token in the values of Authorization and Cookie; empty without one."""
    if jwt is None:
        return {}
    return first_valid(jwt, tokens(jwt, authorization, cookies), now)


def first_valid(jwt: Jwt, candidates: Iterable[str], now: float) -> dict[str, Any]:
    """The claims of the first of these tokens that is valid at `now` (epoch seconds); empty where none is."""
    found = (_valid(token, jwt.keys, jwt.issuer, now) for token in candidates)
    return next((claims for claims in found if claims is not None), {})


def is_volunteer(secret: str, cookies: Sequence[str], now: float) -> bool:
    """Whether the values of Cookie hold a valid cookie of a volunteer."""
    token = cookie_token(cookies, VOLUNTEER_COOKIE)
    return token is not None and _valid(token, volunteer_keys(secret), VOLUNTEER_ISSUER, now) is not None


def volunteer_token(secret: str, now: float, for_seconds: float) -> str:
    """The value of the cookie of somebody who agreed."""
    (key,) = json.loads(volunteer_keys(secret))["keys"]
    payload = {"iss": VOLUNTEER_ISSUER, "iat": int(now), "exp": int(now + for_seconds)}
    return pyjwt.encode(payload, pyjwt.PyJWK(key).key, algorithm="HS256")


def _valid(token: str, keys: str, issuer: str | None, now: float) -> dict[str, Any] | None:
    signed, dot, signature = token.rpartition(".")
    # As Envoy reads base64: blanks in it do not count.
    token = signed + dot + signature.replace(" ", "").replace("\t", "")
    header, claims = _parts(token)
    if header is None or claims is None or not _holds(claims, issuer, now):
        return None
    kid = header.get("kid")
    for key in json.loads(keys)["keys"]:
        named_otherwise = isinstance(kid, str) and kid and "kid" in key and key["kid"] != kid
        if header.get("alg") == key["alg"] and not named_otherwise and _signed(token, key):
            return claims
    return None


def _holds(claims: dict[str, Any], issuer: str | None, now: float) -> bool:
    """Whether the payload has the types that a JWT must have, and is of this time and issuer."""
    if any(not isinstance(claims[name], str) for name in _TEXTS if name in claims):
        return False
    times = [claims[name] for name in _TIMES if name in claims]
    if any(isinstance(value, bool) or not isinstance(value, int | float) or value < 0 for value in times):
        return False
    if "exp" not in claims or (issuer is not None and claims.get("iss") != issuer):
        return False
    return bool(now <= claims["exp"] + CLOCK_SKEW_SECONDS and claims.get("nbf", 0) <= now + CLOCK_SKEW_SECONDS)


def _parts(token: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    parts = token.split(".")
    if len(parts) != 3:
        return None, None
    return _object(parts[0]), _object(parts[1])


def _object(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _signed(token: str, key: dict[str, str]) -> bool:
    # Types and times are judged above, as the gateways judge them; here only the signature counts.
    unchecked = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
    try:
        with warnings.catch_warnings():
            # How long a secret must be was settled when the configuration was read.
            warnings.simplefilter("ignore", pyjwt.InsecureKeyLengthWarning)
            pyjwt.decode(token, pyjwt.PyJWK(key).key, algorithms=[key["alg"]], options=unchecked)  # type: ignore[arg-type]
    except (pyjwt.PyJWTError, ValueError):
        return False
    return True
