"""The decision in Lua, which both gateways carry, against the decision in Python: the two must never differ."""

import json
from typing import Any

import pytest
from audiences import SECRET, TRUSTED, Drawn, Sent, policies, requests
from hash_vectors import KEY, VECTORS
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa import luajit21

from huidu.adapters.gateways.policy import policy_json, policy_source
from huidu.core.address import packed_address
from huidu.core.audience import Audience, CookieRule, Decision, Rule
from huidu.core.bucket import bucket
from huidu.core.faces import OWN_FACES, Faces, hang_after_seconds, request_kind
from huidu.core.halfsiphash import halfsiphash
from huidu.core.routes import Routes, Upstream
from huidu.core.units import new_uid, peer_of, unit_keys, unit_of

NOW = 1_790_000_000.25
BASE = Routes(3, "v1", (Upstream("v1", ("127.0.0.1:1",)), Upstream("v2", ("127.0.0.1:2",))))

# Hands the local functions of the policy out, and stands for a gateway: requests come as plain tables.
_HANDLE = """
local host = {
  header = function(h, name) return h.headers[name] end,
  cookies = function(h) return h.cookies end,
  peer = function(h) return h.peer end,
  claims = function(h) return h.claims end,
  volunteer = function(h) return h.volunteer end,
  request_id = function(h) return h.request_id end,
}
local function decided(policy, h, now)
  local rule, to_candidate, drawn, kind, user, peer = decide(policy, host, h, now)
  return rule, to_candidate, drawn.unit, kind, drawn.bucket, user, peer
end
return compile, decided, packed_address, bucket, keyed_hash, request_kind, hang_after
"""


class Lua:
    """`policy.lua` in LuaJIT, as in the gateways."""

    def __init__(self) -> None:
        self.runtime = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        functions = self.runtime.execute((policy_source() + _HANDLE).encode())
        (
            self.compile,
            self.decide,
            self.packed_address,
            self.bucket,
            self.keyed_hash,
            self.request_kind,
            self.hang_after,
        ) = functions

    def value(self, value: Any) -> Any:
        """A plain value as Lua holds it; texts as bytes."""
        if isinstance(value, dict):
            plain = {self.value(key): self.value(each) for key, each in value.items() if each is not None}
            return self.runtime.table_from(plain)
        if isinstance(value, list):
            return self.runtime.table_from([self.value(each) for each in value])
        return value.encode(errors="surrogateescape") if isinstance(value, str) else value


LUA = Lua()


def _in_lua(drawn: Drawn, sent: Sent, routes: Routes, peer: str, uid: str) -> tuple[Any, ...]:
    meaning = sent.meaning(routes, NOW, SECRET, peer, TRUSTED)
    names = {key.lower() for key, _ in sent.lines}
    handle: dict[str, Any] = {
        "headers": {name: sent.values(name) for name in names},
        "peer": peer,
        "claims": dict(meaning.claims),
        "volunteer": meaning.volunteer,
        "request_id": uid,
    }
    if sent.values("cookie"):
        handle["cookies"] = ";".join(sent.values("cookie"))
    policy = LUA.compile(LUA.value(json.loads(json.dumps(policy_json(routes, unit_keys(SECRET), TRUSTED)))))
    found = LUA.decide(policy, LUA.value(handle), NOW)
    # Whoever comes again is told the same.
    assert LUA.decide(policy, LUA.value(handle), NOW) == found
    return tuple(each.decode() if isinstance(each, bytes) else each for each in found)


@settings(max_examples=2000, deadline=None)
@given(policies, requests, st.sampled_from(["127.0.0.1", "198.51.100.9", "fd00:7::9", "::ffff:127.0.0.1", "10.8.0.1"]))
def test_lua_decides_as_the_core_does(drawn: Drawn, sent: Sent, peer: str) -> None:
    routes = drawn.routes(BASE, NOW)
    meant = sent.meant(routes, NOW, "given", SECRET, peer, TRUSTED)
    got = _in_lua(drawn, sent, routes, peer, "given")
    assert got[:5] == (meant.rule.value, meant.version == "v2", meant.unit, meant.unit_kind, meant.bucket)
    assert got[6] == meant.peer
    if meant.unit_kind == "new":
        assert got[5] == new_uid(SECRET, "given")


@settings(max_examples=2000, deadline=None)
@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.ip_addresses(v=6).map(lambda address: address.exploded),
        st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
        st.text(alphabet="0123456789abcdef:.%g", max_size=24),
        st.lists(st.text(alphabet="0123456789af", max_size=4), max_size=10).map(":".join),
        st.lists(st.text(alphabet="0129", max_size=3), max_size=5).map(".".join),
    )
)
def test_lua_reads_addresses_as_the_core_does(text: str) -> None:
    assert LUA.packed_address(text.encode()) == packed_address(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_lua_draws_buckets_as_the_core_does(salt: str, user: str) -> None:
    assert LUA.bucket(salt.encode(), user.encode()) == bucket(salt, user)


def _hashed(key: bytes, message: bytes) -> str:
    words = LUA.value([int.from_bytes(half, "little", signed=True) for half in (key[:4], key[4:])])
    found: bytes = LUA.keyed_hash(words, message)
    return found.decode()


def test_lua_gives_the_authors_vectors() -> None:
    for message, hashed in VECTORS:
        assert _hashed(KEY, message) == hashed


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=8, max_size=8), st.binary(max_size=300))
def test_lua_hashes_as_the_core_does(key: bytes, message: bytes) -> None:
    assert _hashed(key, message) == halfsiphash(key, message).hex()


def test_ten_thousand_users_and_clients_have_the_same_units_and_peers_in_lua() -> None:
    routes = Drawn(Audience(), 7, 5000, None, ()).routes(BASE, NOW)
    policy = LUA.compile(LUA.value(json.loads(json.dumps(policy_json(routes, unit_keys(SECRET), ())))))
    for number in range(10_000):
        user, packed = f"{number:x}-\u4e8c-{number % 7 * 'x'}", (number * 429_497).to_bytes(4)
        handle = {"cookies": f"huidu_uid={user}", "peer": ".".join(map(str, packed)), "claims": {}}
        found = LUA.decide(policy, LUA.value(handle), NOW)
        assert (found[2].decode(), found[6].decode()) == (unit_of(SECRET, "cookie", user), peer_of(SECRET, packed))


_paths = st.sampled_from(
    ["/", "/ws", "/v1/audio/transcriptions", "/v1/audio/translations", "/api/v1/transcribe", "/asr", "/asr/", "/as", ""]
)
_listed_paths = st.none() | st.lists(_paths | st.sampled_from(["/asr*", "*", "/v1/*"]), max_size=3).map(tuple)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD", "post"]),
    st.tuples(_paths, st.sampled_from(["", "?", "?x=/asr", "?a?b"])).map("".join),
    st.none() | st.sampled_from(["websocket", "WebSocket", "h2c", ""]),
    st.builds(Faces, _listed_paths, _listed_paths) | st.just(OWN_FACES),
)
def test_lua_tells_kinds_of_requests_as_the_core_does(
    method: str, target: str, upgrade: str | None, faces: Faces
) -> None:
    known = {"posts": faces.posts, "sockets": faces.sockets}
    policy = LUA.value({name: list(paths) for name, paths in known.items() if paths is not None})
    named = None if upgrade is None else upgrade.encode()
    got = LUA.request_kind(policy, method.encode(), target.encode(), named)
    assert got.decode() == request_kind(method, target, upgrade, faces)


@settings(max_examples=500, deadline=None)
@given(st.floats(0.1, 10_000), st.none() | st.integers(0, 10**11))
def test_lua_waits_as_long_as_the_core_says(base_seconds: float, upload_bytes: int | None) -> None:
    assert LUA.hang_after(base_seconds, upload_bytes) == pytest.approx(hang_after_seconds(base_seconds, upload_bytes))


def test_what_is_kept_of_users_is_bounded() -> None:
    routes = Drawn(Audience(), 7, 5000, None, ()).routes(BASE, NOW)
    policy = LUA.compile(LUA.value(json.loads(json.dumps(policy_json(routes, unit_keys(SECRET), ())))))
    numbers = set()
    for number in range(5000):
        # A cookie may fill a whole header.
        user = f"{number}" + "x" * 60_000 * (number % 500 == 0)
        found = LUA.decide(policy, LUA.value({"cookies": f"huidu_uid={user}", "claims": {}}), NOW)
        assert found[2].decode() == unit_of(SECRET, "cookie", user)
        numbers.add(policy[b"users"])
    assert max(numbers) <= 4096
    assert all(len(user) <= 256 for of_kind in policy[b"drawn"].values() for user in of_kind)


SERVING = Drawn(Audience(include=(CookieRule("who"),)), 7, 5000, None, ())


def _same(text: str) -> Decision:
    """The decision about one Cookie header, after Lua has made the same."""
    sent, routes = Sent((("Cookie", text),)), SERVING.routes(BASE, NOW)
    meant = sent.meant(routes, NOW, "given", SECRET, "127.0.0.1", TRUSTED)
    got = _in_lua(SERVING, sent, routes, "127.0.0.1", "given")
    assert got[:5] == (meant.rule.value, meant.version == "v2", meant.unit, meant.unit_kind, meant.bucket)
    return meant


def test_a_thousand_cookies_are_read_to_the_last() -> None:
    many = "; ".join(f"c{number}={number}" for number in range(1000))
    assert _same(f"{many}; huidu_uid=last").unit == unit_of(SECRET, "cookie", "last")
    assert _same(f"{many}; who=me").rule is Rule.INCLUDED


@pytest.mark.parametrize("text", ["xwho=1", "whox=1", "who", "other=who=1", "other=who", "=who=1", "Who=1", "who;=1"])
def test_a_cookie_named_alike_is_not_that_cookie(text: str) -> None:
    assert _same(text).rule is not Rule.INCLUDED


def test_the_first_cookie_of_a_name_that_is_not_empty_counts() -> None:
    assert _same("huidu_uid=; huidu_uid=one; huidu_uid=two").unit == unit_of(SECRET, "cookie", "one")
