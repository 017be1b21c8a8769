"""Random policies and requests, and what the core says of them: shared by the suites that compare gateways with it.

A request is what goes over the wire: header lines in order, and the address it comes from. Its meaning is read here
once more, by the reference functions of the core.
"""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import strategies as st

from huidu.adapters.gateways.tokens import claims_of, is_volunteer, volunteer_token
from huidu.core.address import Network, client_address, network
from huidu.core.audience import (
    ADDRESS,
    COOKIE,
    SUBJECT,
    Audience,
    ClaimRule,
    CookieRule,
    Decision,
    HeaderRule,
    NetworkRule,
    Request,
    cookies_of,
    decide,
)
from huidu.core.jwt import VOLUNTEER_COOKIE, Jwt, checked_keys
from huidu.core.routes import Routes
from huidu.core.window import Window

SECRET = "0123456789abcdef0123456789abcdef"
TRUSTED = (network("127.0.0.0/8"), network("10.200.0.0/16"), network("fd00:7::/32"))
ISSUER = "sso"

# ------------------------------------------------------------------ keys and tokens

RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
SHARED = b"a secret of thirty-two bytes long"


def _jwk(key: Any, **more: str) -> str:
    algorithm = {"rsa": jwt.algorithms.RSAAlgorithm, "ec": jwt.algorithms.ECAlgorithm}[more.pop("kind")]
    named = "".join(f', "{name}": "{value}"' for name, value in more.items())
    return str(algorithm.to_jwk(key.public_key()))[:-1] + named + "}"


_OCT = jwt.algorithms.HMACAlgorithm.to_jwk(SHARED)
JWKS = checked_keys(f'{{"keys": [{_jwk(RSA_KEY, kind="rsa", kid="r1")}, {_jwk(EC_KEY, kind="ec", kid="e1")}, {_OCT}]}}')
JWT = Jwt(JWKS, ISSUER, ("header", "cookie:sso_token"))


def signed(claims: dict[str, Any], algorithm: str = "RS256", key: Any = None, **header: Any) -> str:
    keys = {"RS256": RSA_KEY, "ES256": EC_KEY, "HS256": SHARED}
    return jwt.encode(claims, keys[algorithm] if key is None else key, algorithm, headers=header or None)


def _alg_none(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none")


def _confused(claims: dict[str, Any]) -> str:
    """HS256 with the public key's text as its secret, made by hand: PyJWT itself refuses to."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    header = b'{"alg":"HS256","typ":"JWT"}'
    text = f"{part(header)}.{part(json.dumps(claims).encode())}"
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{text}.{part(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def _make_tokens() -> list[str]:
    later = int(time.time()) + 7200
    good = {"iss": ISSUER, "exp": later}
    subjects: list[Any] = ["alice", "bob", "张三", "", "a b", "x" * 300]
    found = [signed(good | {"sub": subject}, algorithm) for subject in subjects for algorithm in ("RS256", "HS256")]
    found += [signed(good | {"sub": "carol"}, "ES256", kid="e1"), signed(good | {"sub": "dan"}, "RS256", kid="r1")]
    roles: list[Any] = ["tester", ["tester", "dev"], ["dev"], [], True, 1, 2, 1.0, {"tester": "tester"}, None, "Tester"]
    found += [signed(good | {"sub": "erin", "role": role}, "ES256") for role in roles]
    found += [signed(good | {"role": "tester"}, "HS256"), signed(good | {"sub": "frank", "exp": later + 0.5}, "HS256")]
    # What must be nobody's.
    found += [
        _alg_none(good | {"sub": "mallory", "role": "tester"}),
        _confused(good | {"sub": "mallory", "role": "tester"}),
        signed(good | {"sub": "mallory", "role": "tester"}, "RS256", OTHER_RSA_KEY),
        signed(good | {"sub": "mallory"}, "RS256", kid="e1"),
        signed(good | {"sub": "mallory"}, "RS256", kid="nobody"),
        signed(good | {"sub": "mallory", "role": "tester"}, "RS384", RSA_KEY),
        signed(good | {"sub": "mallory", "role": "tester"}, "PS256", RSA_KEY),
        signed(good | {"sub": "mallory", "role": "tester"}, "HS512", SHARED * 2),
        signed({"iss": ISSUER, "sub": "mallory", "role": "tester"}),
        signed({"iss": ISSUER, "sub": "mallory", "role": "tester", "exp": int(time.time()) - 10}),
        signed(good | {"sub": "mallory", "nbf": later}),
        signed(good | {"sub": "mallory", "iss": "other"}),
        signed({"exp": later, "sub": "mallory"}),
        signed(good | {"sub": "a\r\nx-evil: 1"}),
        signed(good | {"sub": "bell\u0007"}),
        signed(good | {"sub": "grace", "role": ["tester", "a\nb"]}),
        signed(good | {"sub": "heidi", "other": "control \u0001 in a claim that nobody reads"}),
        signed(good | {"sub": "mallory"})[:-4] + "AAAA",
        "a.b.c", "a.b", "..", "sk-proj-0123456789abcdef", "not a token",
    ]  # fmt: skip
    return found


TOKENS = _make_tokens()
VOLUNTEER = volunteer_token(SECRET, time.time(), 7200)
STALE_VOLUNTEER = volunteer_token(SECRET, time.time() - 100, 50)
FORGED_VOLUNTEER = volunteer_token("another secret" * 3, time.time(), 7200)

# ------------------------------------------------------------------ policies

CLIENTS = ["10.8.0.1", "10.8.77.1", "10.9.255.255", "198.51.100.7", "10.200.0.9", "2001:db8::7", "::ffff:10.8.0.1"]
CLIENTS += ["fd00:7::1", "2001:db8:0:1::1", "::1", "256.1.1.1", "unknown", "10.8.0.1:80", "[::1]", ""]

_networks = st.sampled_from(
    ["10.8.0.0/16", "10.8.0.0/18", "10.8.0.1", "0.0.0.0/0", "2001:db8::/63", "2001:db8::/64", "::/0", "127.0.0.1/32"]
).map(lambda text: NetworkRule(network(text)))
_cookie_rules = st.builds(CookieRule, st.sampled_from(["ABTEST_FunasrV2", "who", "a", "huidu_uid"]), st.none()) | (
    st.builds(CookieRule, st.sampled_from(["who", "a"]), st.sampled_from(["x=1", "", "b", '"q"', "张"]))
)
_header_rules = st.builds(HeaderRule, st.sampled_from(["x-tester", "user-agent"]), st.sampled_from(["1", "", "a, b"]))
_claim_rules = st.builds(
    ClaimRule,
    st.sampled_from(["role", "sub"]),
    st.lists(st.sampled_from(["tester", "alice", "张三", True, 1, 2]), min_size=1, max_size=2).map(tuple),
)
matchers = st.one_of(_networks, _cookie_rules, _header_rules, _claim_rules)
_keys = st.lists(st.sampled_from([SUBJECT, COOKIE, ADDRESS, "header:x-user"]), min_size=1, max_size=4, unique=True).map(
    tuple
)
ALWAYS = (Window(tuple(range(7)), 0, 1440, "UTC"),)

audiences = st.builds(
    Audience,
    exclude=st.lists(matchers, max_size=2).map(tuple),
    include=st.lists(matchers, max_size=3).map(tuple),
    key=_keys,
    windows=st.sampled_from([(), (), ALWAYS]),
    volunteers_only=st.sampled_from([False, False, True]),
    jwt=st.sampled_from(
        [None, JWT, JWT, replace(JWT, sources=("cookie:sso_token", "header")), replace(JWT, issuer=None)]
    ),
)


@dataclass(frozen=True)
class Drawn:
    """A policy whose times are still relative to the moment at which it is put in force."""

    audience: Audience
    release: int | None
    share_bp: int
    expires_in: float | None
    open_in: tuple[tuple[float, float], ...]
    salt: str = ""
    issued_in: float | None = None
    holdback_bp: int = 0

    def routes(self, base: Routes, now: float) -> Routes:
        serving = self.release is not None
        return replace(
            base,
            audience=self.audience,
            release=self.release,
            candidate="v2" if serving else None,
            share_bp=self.share_bp if serving else 0,
            expires_at=now + self.expires_in if serving and self.expires_in is not None else None,
            open=tuple((int(now + start), int(now + end)) for start, end in self.open_in),
            salt=self.salt,
            issued_at=now + self.issued_in if serving and self.issued_in is not None else None,
            holdback_bp=self.holdback_bp if serving else 0,
        )


# Edges lie on both sides of the present, near and far.
_EDGES = [-90_000, -3600, -30, -5, 5, 30, 3600, 90_000]
_intervals = st.lists(st.sampled_from(_EDGES), max_size=4, unique=True).map(
    lambda edges: tuple(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
policies = st.builds(
    Drawn,
    audience=audiences,
    release=st.sampled_from([None, 1, 2, 7, 8, 9, 12345]),
    share_bp=st.sampled_from([0, 1, 500, 2000, 5000, 9999, 10_000]),
    expires_in=st.none() | st.sampled_from(_EDGES),
    open_in=_intervals,
    # None: of a release that began before salts were random.
    salt=st.just("") | st.integers(0, 2**64 - 1).map("{:016x}".format),
    issued_in=st.none() | st.sampled_from(_EDGES),
    holdback_bp=st.sampled_from([0, 0, 500, 9999]),
)

# ------------------------------------------------------------------ requests

Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sent:
    """Header lines as sent. What a gateway adds by itself (Host, Content-Length) is not among them."""

    lines: Lines

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.lines if key.lower() == name]

    def meaning(self, routes: Routes, now: float, secret: str, peer: str, trusted: tuple[Network, ...]) -> Request:
        cookies, authorization = self.values("cookie"), self.values("authorization")
        return Request(
            cookies=cookies_of(cookies),
            headers=tuple((key.lower(), value) for key, value in self.lines),
            address=client_address(peer, self.values("x-forwarded-for"), trusted),
            claims=claims_of(routes.audience.jwt, authorization, cookies, now),
            volunteer=is_volunteer(secret, cookies, now),
        )

    def meant(
        self, routes: Routes, now: float, request_id: str, secret: str, peer: str, trusted: tuple[Network, ...]
    ) -> Decision:
        return decide(self.meaning(routes, now, secret, peer, trusted), routes, secret, now, request_id)


_uids = st.integers(0, 10**9).map(lambda number: f"user-{number}") | st.sampled_from(["", "张三", "a b", "=", "%41"])
_cookie_pairs = st.one_of(
    _uids.map(lambda uid: f"huidu_uid={uid}"),
    st.sampled_from(["ABTEST_FunasrV2", "ABTEST_FunasrV2=1", "xABTEST_FunasrV2=1", "abtest_funasrv2=1"]),
    st.sampled_from(["who=x=1", "who = x=1 ", "who=y", "a=", "a=b", "a", "=b", "", " ", 'a="q"', "a=张", "aa=b"]),
    st.sampled_from(TOKENS).map(lambda token: f"sso_token={token}".replace("not a token", "junk")),
    st.sampled_from(TOKENS).map(lambda token: f'sso_token="{token}"'),
    st.sampled_from([VOLUNTEER, STALE_VOLUNTEER, FORGED_VOLUNTEER, "1"]).map(lambda it: f"{VOLUNTEER_COOKIE}={it}"),
)
_cookie_lines = st.lists(_cookie_pairs, min_size=1, max_size=5).flatmap(
    lambda pairs: st.sampled_from(["; ", ";", " ; "]).map(lambda separator: ("Cookie", separator.join(pairs).strip()))
)
_bearers = st.sampled_from(TOKENS).flatmap(
    lambda token: st.sampled_from([f"Bearer {token}", f"Bearer  {token}", f"bearer {token}", f"Bearer {token} x"])
) | st.sampled_from(["Basic YTpi", "Bearer", "Bearer ,", "x"])
_forged = st.sampled_from(["x-huidu-side", "X-HUIDU-RULE", "x-huidu-unit", "x_huidu_side", "X-Huidu-Release"]).map(
    lambda name: (name, "candidate")
)
_others = st.one_of(
    st.sampled_from(["1", "2", "a, b"]).map(lambda value: ("X-Tester", value)),
    st.sampled_from(["1", "curl"]).map(lambda value: ("User-Agent", value)),
    st.sampled_from(["u1", "u2", "张"]).map(lambda value: ("X-User", value)),
    st.lists(st.sampled_from(CLIENTS), min_size=1, max_size=3).map(lambda chain: ("X-Forwarded-For", ", ".join(chain))),
    st.just(("x_tester", "1")),
    st.just(("x-envoy-max-retries", "9")),
    st.just(("X-Request-Id", "mine")),
)


def _sent(cookies: list[tuple[str, str]], bearer: list[tuple[str, str]], others: list[tuple[str, str]]) -> Sent:
    """One User-Agent at most: Envoy merges a header that should stand once, nginx drops the second."""
    agents = [line for line in others if line[0] == "User-Agent"]
    return Sent(tuple(cookies + bearer + [line for line in others if line not in agents] + agents[:1]))


requests = st.builds(
    _sent,
    st.lists(_cookie_lines, max_size=2),
    st.lists(_bearers.map(lambda value: ("Authorization", value)), max_size=1),
    st.lists(st.one_of(_others, _others, _forged), max_size=3),
)

# Whatever is drawn at random: a policy for each rule, and users who meet it.
USERS = [Sent((("Cookie", f"huidu_uid=user-{number}"),)) for number in range(64)]
_EVERYBODY = (CookieRule("huidu_uid"),)
EVERY_RULE = (
    Drawn(Audience(), None, 0, None, ()),
    Drawn(Audience(exclude=_EVERYBODY), 7, 5000, None, ()),
    Drawn(Audience(include=_EVERYBODY), 7, 5000, None, ()),
    Drawn(Audience(windows=ALWAYS), 7, 5000, None, ()),
    Drawn(Audience(), 7, 5000, -30, ()),
    Drawn(Audience(volunteers_only=True), 7, 5000, None, ()),
    Drawn(Audience(), 7, 5000, 3600, ()),
)
