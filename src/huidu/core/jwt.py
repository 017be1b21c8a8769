"""Which tokens count: where they stand in a request, with which keys they are signed, what is read of them.

Only the parts without cryptography: verification is the gateways' and, for `explain`, an adapter's.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from huidu.core.errors import InvalidError

# Clocks of machines differ a little: a token is taken this much longer, and earlier.
CLOCK_SKEW_SECONDS = 1
VOLUNTEER_COOKIE = "huidu_volunteer"
VOLUNTEER_ISSUER = "huidu"

# What each kind of key signs with. A key that announces another algorithm is refused, and one that announces none
# is given its own: so a token can never choose how it is verified.
_ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "oct": "HS256"}
_MEMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "oct": ("k",)}
_LEAST_BYTES = {"n": 256, "k": 16}

# The whole value of Authorization with a token, as all gateways match it.
BEARER = r"Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)"


@dataclass(frozen=True, slots=True)
class Jwt:
    """Tokens that name a user. `keys` is the text of a JWKS as `checked_keys` gives it.

    `sources` are the places where a token is looked for: `header` (Authorization: Bearer) or `cookie:NAME`. The
    first of them that holds a valid token counts. Without `issuer` any issuer is taken.
    """

    keys: str
    issuer: str | None
    sources: tuple[str, ...]


def checked_keys(text: str) -> str:
    """A JWKS as canonical JSON with the algorithm of each key filled in. Raises `InvalidError`."""
    try:
        found = json.loads(text)
        listed = found["keys"]
        assert isinstance(listed, list)
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
        raise InvalidError('read no JWKS; accepted: JSON such as {"keys": [{"kty": "RSA", …}]}') from None
    if not listed:
        raise InvalidError("read a JWKS without keys; accepted: at least one key")
    return json.dumps({"keys": [_checked_key(number, key) for number, key in enumerate(listed, 1)]}, sort_keys=True)


def _checked_key(number: int, key: Any) -> dict[str, str]:
    kind = key.get("kty") if isinstance(key, dict) else None
    if not isinstance(kind, str) or kind not in _ALGORITHMS or (kind == "EC" and key.get("crv") != "P-256"):
        raise InvalidError(f"key {number}: read kty {kind!r}; accepted: RSA (RS256), EC P-256 (ES256), oct (HS256)")
    algorithm = _ALGORITHMS[kind]
    if key.get("alg", algorithm) != algorithm:
        raise InvalidError(f"key {number}: read alg {key['alg']!r} for a key of kind {kind}; accepted: {algorithm}")
    kept = {"kty": kind, "alg": algorithm}
    for name in _MEMBERS[kind]:
        value = key.get(name)
        least = _LEAST_BYTES.get(name, 1)
        if not isinstance(value, str) or len(_decoded(value) or b"") < least:
            raise InvalidError(f"key {number}: read no usable '{name}'; accepted: base64url of {least} bytes or more")
        kept[name] = value.rstrip("=")
    if kind == "EC":
        kept["crv"] = "P-256"
    if isinstance(key.get("kid"), str) and key["kid"]:
        kept["kid"] = key["kid"]
    return kept


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def volunteer_keys(secret: str) -> str:
    """The JWKS that the cookie of a volunteer is signed with."""
    key = base64.urlsafe_b64encode(f"{secret}:volunteer".encode()).decode().rstrip("=")
    return json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": key}]}, sort_keys=True)


def bearer_token(authorization: Sequence[str]) -> str | None:
    """The token in the values of Authorization; None without one, or with anything beside it."""
    found = re.fullmatch(BEARER, ",".join(authorization))
    return found[1] if found else None


def cookie_token(cookies: Iterable[str], name: str) -> str | None:
    """The first value of a cookie in the values of Cookie, as Envoy reads it: quotes around it do not count."""
    for part in (part for value in cookies for part in value.split(";")):
        key, equals, value = part.lstrip(" ").partition("=")
        if equals and key == name:
            return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
    return None


def tokens(jwt: Jwt, authorization: Sequence[str], cookies: Sequence[str]) -> list[str]:
    """The tokens of a request in the order in which they count."""
    found = []
    for source in jwt.sources:
        name = source.removeprefix("cookie:")
        found.append(bearer_token(authorization) if source == "header" else cookie_token(cookies, name))
    return [token for token in found if token]


def usable_claims(claims: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any] | None:
    """The named claims of a verified token; None where one of them holds a control character.

    Such a token is nobody's: what is written into logs and headers must not be steered by whom it names.
    """
    found = {name: claims[name] for name in names if name in claims}
    for value in found.values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any(ord(character) < 32 or ord(character) == 127 for character in text):
                return None
    return found
