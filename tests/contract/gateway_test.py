"""The gateway contract: one suite over the real Envoy and the real nginx, against the decision of the core."""

import hashlib
import json
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from audiences import ALWAYS, EVERY_RULE, JWT, SECRET, TOKENS, TRUSTED, USERS, Drawn, Sent, policies, requests, signed
from fronts import (
    GATEWAYS,
    Answer,
    Behaviour,
    Front,
    RawClient,
    accepts,
    end,
    free_port,
    front,
    make_certificate,
    request_bytes,
    rss_bytes,
    until,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from huidu.adapters.gateways.installed import installed_folder
from huidu.adapters.gateways.log import parsed
from huidu.adapters.gateways.place import Tls
from huidu.core.audience import ADDRESS, Audience, CookieRule, HeaderRule, NetworkRule, Rule
from huidu.core.bucket import bucket
from huidu.core.errors import InvalidError
from huidu.core.routes import Routes, Upstream
from huidu.core.units import new_uid, unit_keys, unit_of
from huidu.ports import FenceError

ENGINES = sorted(GATEWAYS)
SOCKET_KEYS = ("close_code", "closed_by", "first_message_ms", "frames_up", "frames_down")
LOG_KEYS = {
    *("time", "request_id", "release", "version", "served_by", "generation", "kind", "rule", "unit", "unit_kind"),
    *(
        "bucket",
        "peer",
        "key_id",
        "share_bp",
        "attempts",
        "status",
        "ms",
        "service_ms",
        "upload_ms",
        "bytes_up",
        "bytes_down",
    ),
    *("audio_seconds", "chars", "flags", *SOCKET_KEYS),
}


@pytest.fixture(params=ENGINES)
def gate(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    """A fresh gateway of each kind."""
    with front(request.param, tmp_path, SECRET, hang_after_seconds=0.5, max_fallbacks=64) as made:
        yield made


@pytest.fixture(scope="module", params=ENGINES)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A gateway of each kind that several tests share: they leave its backends as they found them."""
    with front(request.param, tmp_path_factory.mktemp(request.param), SECRET, trusted_proxies=TRUSTED) as made:
        yield made


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Front]]:
    """Both kinds side by side."""
    folders = [tmp_path_factory.mktemp(engine) for engine in ENGINES]
    with (
        front(ENGINES[0], folders[0], SECRET, trusted_proxies=TRUSTED) as one,
        front(ENGINES[1], folders[1], SECRET, trusted_proxies=TRUSTED) as other,
    ):
        yield [one, other]


# ------------------------------------------------------------------ who gets what


PAIRS_OF_A_POLICY = 64


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_gateway_and_explain_agree_on_ten_thousand_random_pairs_and_every_rule(kept: Front) -> None:
    compared: Counter[str] = Counter()

    @settings(
        max_examples=160,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        database=None,
    )
    @given(policies, st.lists(requests, min_size=PAIRS_OF_A_POLICY, max_size=PAIRS_OF_A_POLICY))
    def agree_at_random(drawn: Drawn, batch: list[Sent]) -> None:
        agree(drawn, batch)

    def agree(drawn: Drawn, batch: list[Sent]) -> None:
        client = kept.client()
        routes = kept.put(drawn.routes(kept.routes, time.time()))
        _await_generation(client, routes.generation)
        for sent in batch:
            answer = client.request(sent.lines)
            _agrees(kept, routes, sent, answer, time.time())
            compared[answer.got("x-huidu-rule") or ""] += 1
        client.close()

    agree_at_random()
    for drawn in EVERY_RULE:
        agree(drawn, USERS)
    assert compared.total() >= 10_000
    for rule in Rule:
        assert compared[rule] > 20, (rule, compared)


def _await_generation(client: RawClient, generation: int) -> None:
    """Until the worker that holds this connection has taken the routes over."""
    until(lambda: client.request().header("x-huidu-generation") == str(generation))


def _agrees(gate: Front, routes: Routes, sent: Sent, answer: Answer, now: float) -> None:
    assert answer.status == 200, (gate.engine, sent, answer)
    request_id = answer.got("x-request-id") or ""
    meant = sent.meant(routes, now, request_id, SECRET, "127.0.0.1", TRUSTED)
    cookie = new_uid(SECRET, request_id) if meant.unit_kind == "new" else ""
    got = (answer.json["name"], answer.got("x-huidu-rule"), answer.got("x-huidu-unit"), answer.minted)
    assert got == (meant.version, meant.rule.value, meant.unit, cookie), (gate.engine, got, meant, sent, routes)


def test_gateway_log_says_what_was_decided(both: list[Front]) -> None:
    audience = Audience(include=(CookieRule("tester"),), key=("jwt.sub", "cookie", "header:x-user", ADDRESS), jwt=JWT)
    for gate in both:
        routes = gate.swap(gate.serving(5000, audience=audience))
        client = gate.client()
        batch = [
            Sent(()),
            Sent((("Cookie", "huidu_uid=u1"),)),
            Sent((("Cookie", "huidu_uid=u2; tester=1"),)),
            Sent((("X-User", "ann"),)),
            Sent((("X-Forwarded-For", "2001:db8::7"),)),
            *(Sent((("Authorization", f"Bearer {token}"),)) for token in TOKENS[:3]),
        ]
        for sent in batch:
            answer = client.request(sent.lines)
            request_id = answer.got("x-request-id") or ""
            meant = sent.meant(routes, time.time(), request_id, SECRET, "127.0.0.1", TRUSTED)
            line = gate.line_of(answer.got("x-request-id"))
            assert set(line) == LOG_KEYS
            got = [line[name] for name in ("version", "served_by", "rule", "unit", "unit_kind", "bucket", "release")]
            assert got == [meant.version, meant.version, meant.rule, meant.unit, meant.unit_kind, meant.bucket, 7]
            assert line["peer"] == meant.peer is not None
            assert line["key_id"] == answer.got("x-huidu-key-id") == unit_keys(SECRET).key_id
        client.close()


def _sides(gate: Front, units: range) -> dict[int, str]:
    """Which version each unit gets, over one connection with requests in batches."""
    found, client = {}, gate.client()
    for start in range(units.start, units.stop, 50):
        batch = range(start, min(start + 50, units.stop))
        client.send([request_bytes([("Cookie", f"huidu_uid=user-{number}")]) for number in batch])
        for number in batch:
            found[number] = client.receive().json["name"]
    client.close()
    return found


def test_gateway_shares_are_exact_nested_and_sticky(kept: Front) -> None:
    units = range(10_000)
    before: set[int] = set()
    for share_bp in (100, 500, 2000, 5000):
        kept.swap(kept.serving(share_bp))
        chosen = {number for number, name in _sides(kept, units).items() if name == "v2"}
        low, high = binom.interval(0.999, len(units), share_bp / 10_000)
        assert low <= len(chosen) <= high
        assert before <= chosen
        assert chosen == {number for number in units if bucket("r7", f"user-{number}") < share_bp}
        before = chosen


def test_gateway_releases_pick_independent_users(kept: Front) -> None:
    units, chosen = range(4000), []
    for release in (7, 8):
        kept.swap(kept.serving(5000, release=release))
        chosen.append({number for number, name in _sides(kept, units).items() if name == "v2"})
    one, other = chosen
    both, neither = len(one & other), len(units) - len(one | other)
    assert chi2_contingency([[both, len(one - other)], [len(other - one), neither]]).pvalue > 0.001


def test_gateway_keeps_a_first_contact_where_its_cookie_leads(kept: Front) -> None:
    kept.swap(kept.serving(5000))
    sides = set()
    for _ in range(60):
        with httpx.Client() as client:
            names = [client.get(kept.url).json()["name"] for _ in range(3)]
        assert len(set(names)) == 1
        sides |= set(names)
    assert sides == {"v1", "v2"}


def test_gateway_ends_a_share_by_itself_when_its_time_is_over(kept: Front) -> None:
    kept.swap(kept.serving(10_000, expires_at=time.time() + 2))
    client = kept.client()
    tester = [("Cookie", "tester=1")]
    assert client.request().json["name"] == "v2"
    until(lambda: client.request().json["name"] == "v1")
    assert client.request().got("x-huidu-rule") == "expired"
    kept.swap(kept.serving(10_000, expires_at=time.time() - 5, audience=Audience(include=(CookieRule("tester"),))))
    assert client.request(tester).json["name"] == "v2"
    client.close()


def test_gateway_gives_nobody_a_share_whose_time_has_not_begun(kept: Front) -> None:
    """A clock that was set back ends a share instead of lengthening it; a few seconds are no lie."""
    audience = Audience(include=(CookieRule("tester"),))
    kept.swap(kept.serving(10_000, audience=audience, issued_at=time.time() + 60))
    client = kept.client()
    assert client.request().got("x-huidu-rule") == "expired"
    assert client.request([("Cookie", "tester=1")]).json["name"] == "v2"
    kept.swap(kept.serving(10_000, issued_at=time.time() + 4))
    assert client.request().got("x-huidu-rule") == "share"
    kept.swap(kept.serving(10_000, issued_at=time.time() + 6.5))
    assert client.request().got("x-huidu-rule") == "expired"
    until(lambda: client.request().got("x-huidu-rule") == "share")
    client.close()


def test_gateway_keeps_a_holdback_on_the_stable_version_at_the_full_share(kept: Front) -> None:
    kept.swap(kept.serving(10_000, salt="a salt", holdback_bp=500))
    for number, name in _sides(kept, range(1000)).items():
        assert name == ("v1" if bucket("a salt", f"user-{number}") >= 9500 else "v2")
    client = kept.client()
    user = next(f"user-{number}" for number in range(1000) if bucket("a salt", f"user-{number}") >= 9500)
    line = kept.line_of(client.request([("Cookie", f"huidu_uid={user}")]).got("x-request-id"))
    client.close()
    assert (line["version"], line["rule"], line["share_bp"]) == ("v1", "rest", 10_000)


def test_gateway_opens_and_closes_a_window_by_itself(kept: Front) -> None:
    start = int(time.time()) + 2
    kept.swap(kept.serving(10_000, audience=Audience(windows=ALWAYS), open=((start, start + 2),)))
    client = kept.client()
    seen = []
    while time.time() < start + 3:
        began = time.time()
        seen.append((began, client.request().got("x-huidu-rule"), time.time()))
        time.sleep(0.02)
    client.close()
    assert {rule for _, rule, _ in seen} == {"window", "share"}
    for began, rule, ended in seen:
        if ended < start or began >= start + 2:
            assert rule == "window"
        elif began >= start and ended < start + 2:
            assert rule == "share"


# ------------------------------------------------------------------ bad input


def test_gateway_drops_identity_headers_that_a_client_sends(kept: Front) -> None:
    kept.swap(kept.serving(0))
    forged = [
        ("x-huidu-side", "candidate"),
        ("X-HUIDU-Rule", "included"),
        ("x_huidu_unit", "u"),
        ("x-Huidu-Other", "1"),
    ]
    forged += [("x-huidu_role", "tester"), ("X-Request-Id", "mine"), ("x-envoy-max-retries", "9")]
    client = kept.client()
    for padding in (0, 150):
        answer = client.request([(f"x-pad-{number}", "1") for number in range(padding)] + forged)
        assert answer.json["name"] == "v1"
        names = [name for name, _ in answer.json["headers"]]
        assert answer.got("x-huidu-rule") == "rest"
        assert answer.got("x-request-id") != "mine"
        assert not any("_" in name for name in names)
        assert "x-huidu-other" not in names
        assert "x-envoy-max-retries" not in names
        assert len(names) == len(set(names))
    client.close()


def test_gateway_takes_a_bearer_of_another_kind_for_an_anonymous_user(kept: Front) -> None:
    kept.swap(kept.serving(5000, audience=Audience(jwt=JWT)))
    client = kept.client()
    answer = client.request([("Authorization", "Bearer sk-proj-abc"), ("Cookie", "huidu_uid=ann")])
    assert answer.got("authorization") == "Bearer sk-proj-abc"
    assert answer.got("x-huidu-unit") == unit_of(SECRET, "cookie", "ann")
    client.close()


def test_gateway_serves_or_refuses_very_many_cookies_and_headers(kept: Front) -> None:
    kept.swap(kept.serving(10_000, audience=Audience(exclude=(CookieRule("last"),))))
    client = kept.client()
    many = "; ".join(f"c{number}={number}" for number in range(1000))
    assert client.request([("Cookie", f"{many}; last=1")]).json["name"] == "v1"
    assert client.request([("Cookie", many), ("Cookie", "last=1")]).json["name"] == "v1"
    client.close()
    refused = kept.client()
    refused.send([request_bytes([("X-Large", "x" * 200_000)])])
    assert refused.receive().status in (400, 431)
    refused.close()
    assert httpx.get(kept.url).status_code == 200


def test_gateway_believes_only_trusted_proxies(gate: Front) -> None:
    rule = Audience(include=(NetworkRule(TRUSTED[0]), HeaderRule("x-tester", "1")))
    gate.swap(gate.serving(0, audience=rule))
    client = gate.client()
    # This gateway trusts nobody: the peer is 127.0.0.1 whatever it says.
    assert client.request([("X-Forwarded-For", "198.51.100.7")]).json["name"] == "v2"
    headers = client.request([("X-Forwarded-For", "198.51.100.7")]).json["headers"]
    chain = ",".join(value for name, value in headers if name == "x-forwarded-for")
    assert [each.strip() for each in chain.split(",")] == ["198.51.100.7", "127.0.0.1"]
    client.close()


SMUGGLED = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nx: a\r\n x-huidu-side: candidate\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    b"GET / HTTP/1.1\r\nHost: a\r\nx: \x00\r\n\r\n",
    b"GET http://b/ HTTP/1.1\r\nHost: a\r\nx-huidu-side: candidate\r\n\r\n",
]


@pytest.mark.parametrize("shape", SMUGGLED, ids=range(len(SMUGGLED)))
def test_gateway_lets_no_second_request_ride_in_a_first(kept: Front, shape: bytes) -> None:
    kept.swap(kept.serving(0))
    before = kept.stable.requests + kept.candidate.requests
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", kept.port), timeout=5) as raw:
        raw.sendall(shape)
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    # At most one request comes of it, on the stable version, and the gateway goes on.
    assert kept.candidate.requests + kept.stable.requests - before <= 1
    assert b'"name": "v2"' not in answer
    assert hidden not in answer
    assert httpx.get(kept.url).json()["name"] == "v1"


@pytest.mark.parametrize("target", ["/a%2Fb/%2e%2e/c?x=%20&y=1", "/a//b/./c", "/%zz", "/x?cookie=huidu_uid=1#f"])
def test_gateway_keeps_host_and_path_as_sent(kept: Front, target: str) -> None:
    kept.swap(kept.serving(0))
    client = kept.client()
    answer = client.request(target=target)
    client.close()
    if answer.status == 200:
        # A fragment is none of a server's business; who sends one may find it dropped.
        assert answer.json["target"] in (target, target.partition("#")[0])
        assert answer.got("host") == "asr.example"
    else:
        assert answer.status == 400


# What no version is asked about: how it begins, and the statuses that tell it, of whichever gateway.
REFUSED = {
    "TRACE": (b"TRACE {path} HTTP/1.1\r\nHost: a\r\n\r\n", {405}),
    "another method": (b"FOO {path} HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405}),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "no path": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {400, 404}),
    "no host": (b"GET {path} HTTP/1.1\r\n\r\n", {400}),
    "no request": (b"nonsense\r\n\r\n", {400}),
    "another protocol": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", {400}),
    "a length that is none": (b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", {400}),
    "a chunk that is none": (b"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    "a coding": (b"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", {501}),
    "too large": (b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", {413}),
    "a long header": (b"GET {path} HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", {431}),
}
# Where a gateway sees the path of what it refuses.
SEEN = {"TRACE", "a chunk that is none", "too large"}


@pytest.mark.parametrize("share_bp", [0, 10_000])
def test_gateway_answers_what_it_refuses_in_the_one_error_shape(kept: Front, share_bp: int) -> None:
    kept.swap(kept.serving(share_bp))
    before = kept.stable.requests + kept.candidate.requests
    for name, (shape, statuses) in REFUSED.items():
        for path in ("/asr", "/v1/audio/transcriptions"):
            with closing(RawClient(kept.port)) as client:
                client.send([shape.replace(b"{path}", path.encode())])
                answer = client.receive()
            assert answer.status in statuses, (name, answer)
            assert answer.header("content-type") == "application/json", (name, answer)
            told = answer.json
            openai = not isinstance(told["error"], str)
            if path == "/asr" or name in SEEN:
                assert openai == (path != "/asr"), (name, answer)
            if openai:
                assert set(told["error"]) == {"message", "type", "param", "code"}, (name, answer)
                told = {"error": told["error"]["code"], "detail": told["error"]["message"]}
            assert set(told) == {"error", "detail"}, (name, answer)
            assert told["error"] in ("invalid", "not_found", "too_large"), (name, answer)
            assert told["detail"], (name, answer)
    assert kept.stable.requests + kept.candidate.requests == before


def test_gateway_tells_nothing_of_what_is_behind_it_where_nobody_serves(gate: Front) -> None:
    gate.swap(gate.serving(5000))
    gate.stable.close()
    gate.candidate.close()
    for path in ("/asr", "/v1/audio/transcriptions"):
        answer = gate.client().request(target=path, method="POST", body=b"x")
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        told = answer.json if path == "/asr" else answer.json["error"]
        assert told in (
            {"error": "unavailable", "detail": "no version can serve this now"},
            {
                "message": "no version can serve this now",
                "type": "server_error",
                "param": None,
                "code": "unavailable",
            },
        )


def test_gateway_passes_on_what_another_service_says_of_a_path_it_does_not_know(gate: Front) -> None:
    gate.stable.behaviour = gate.candidate.behaviour = Behaviour(status=404)
    gate.swap(gate.serving(5000))
    for status in (404, 405, 501):
        gate.stable.behaviour.status = status
        answer = gate.client().request(target="/v1/nowhere", method="PROPFIND")
        assert (answer.status, answer.json["target"]) == (status, "/v1/nowhere")


def test_gateway_refuses_an_upload_over_the_limit(tmp_path: Path) -> None:
    for engine in ENGINES:
        with front(engine, tmp_path / engine, max_upload_bytes=1_000_000) as gate:
            assert httpx.post(gate.url, content=b"x" * 900_000).json()["length"] == 900_000
            answer = httpx.post(gate.url, content=b"x" * 1_100_000)
            assert answer.status_code == 413
            assert "error" in answer.json()


# ------------------------------------------------------------------ fallback


BODIES = (0, 1, 100_000, 5_000_000)
# Whoever sends much is waited for long: a second for each 8 kB.
HANGING_BODIES = (0, 1, 4_000)


@pytest.mark.parametrize("broken", ["refuses", "503", "502", "504", "at once", "after reading", "hangs"])
def test_gateway_serves_from_stable_what_the_candidate_cannot_take(gate: Front, broken: str) -> None:
    if broken == "refuses":
        gate.candidate.close()
    elif broken == "hangs":
        gate.candidate.behaviour = Behaviour(hangs=True)
    elif broken.isdigit():
        gate.candidate.behaviour = Behaviour(status=int(broken))
    else:
        gate.candidate.behaviour = Behaviour(reset=broken)
    gate.swap(gate.serving(10_000))
    client = gate.client()
    bodies = HANGING_BODIES if broken == "hangs" else BODIES
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for size in bodies if method in ("POST", "PUT") else (0,):
            answer = client.request([("Cookie", "huidu_uid=ann")], method=method, body=b"x" * size)
            assert (answer.status, answer.json["name"]) == (200, "v1")
            assert (answer.json["method"], answer.json["length"]) == (method, size)
            line = gate.line_of(answer.got("x-request-id"))
            assert (line["version"], line["served_by"], line["attempts"]) == ("v2", "v1", 2)
    client.close()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 501])
def test_gateway_passes_on_answers_that_are_the_candidates_own(gate: Front, status: int) -> None:
    gate.candidate.behaviour = Behaviour(status=status)
    gate.swap(gate.serving(10_000))
    client = gate.client()
    answer = client.request(method="POST", body=b"x")
    client.close()
    assert (answer.status, answer.json["name"]) == (status, "v2")


def test_gateway_never_tries_an_answer_again_that_has_begun(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(reset="in answer")
    before = gate.stable.requests
    client = gate.client()
    with pytest.raises(ConnectionError):
        client.request()
    client.close()
    assert gate.stable.requests == before
    assert gate.candidate.requests >= 1


def test_an_answer_that_breaks_off_is_the_versions_failure_and_leaving_in_the_middle_is_nobodys(gate: Front) -> None:
    """Envoy says who ended it; nginx does not, and its line tells of an answer like any other."""
    gate.swap(gate.serving(10_000))
    broken = "broken" if gate.engine == "envoy" else None
    assert _ended(gate, Behaviour(reset="in answer"), leaves=False) == (200, broken)
    assert _ended(gate, Behaviour(pause_seconds=1.0), leaves=True) == (200, None)
    assert _ended(gate, Behaviour(), leaves=False) == (200, None)


def _ended(gate: Front, behaviour: Behaviour, leaves: bool) -> tuple[int, str | None]:
    """The status and the failure that the log tells of one recognition."""
    gate.candidate.behaviour = behaviour
    before = len(_recognitions(gate))
    client = RawClient(gate.port)
    client.send([request_bytes(method="POST", body=b"x" * 10)])
    if leaves:
        assert client.socket.recv(100)
    else:
        with suppress(ConnectionError):
            client.receive()
    client.close()
    (line,) = until(lambda: _recognitions(gate)[before:])
    (seen,), _ = parsed(json.dumps(line).encode())
    return seen.status, seen.failure(30.0)


def _recognitions(gate: Front) -> list[dict[str, Any]]:
    return [line for line in gate.lines() if line["kind"] == "recognition"]


def test_gateway_does_not_cut_slow_healthy_answers(gate: Front) -> None:
    """`hang_after` is 0.5 s here: it counts until the first byte only, and from the end of the upload."""
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=0.2, pause_seconds=1.5)
    client = gate.client()
    assert client.request(method="POST", body=b"x" * 100_000).json["name"] == "v2"
    gate.candidate.behaviour = Behaviour()
    whole = request_bytes(method="POST", body=b"x" * 10)
    client.socket.sendall(whole[:-5])
    time.sleep(1.2)  # a slow upload
    client.socket.sendall(whole[-5:])
    answer = client.receive()
    assert answer.json["name"] == "v2"
    assert gate.line_of(answer.got("x-request-id"))["attempts"] == 1
    client.close()


def test_gateway_waits_longer_for_the_answer_to_a_long_upload(gate: Front) -> None:
    """`hang_after` is 0.5 s here, and a second more for each 8 kB."""
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=3.0)
    long, short = gate.client(), gate.client()
    long.send([request_bytes(method="POST", body=b"x" * 40_000)])
    short.send([request_bytes(method="POST")])
    for client, meant in ((short, ("v1", 2)), (long, ("v2", 1))):
        answer = client.receive()
        line = gate.line_of(answer.got("x-request-id"))
        assert (line["served_by"], line["attempts"]) == meant
        assert "x-envoy-upstream-rq-per-try-timeout-ms" not in dict(answer.json["headers"])
    assert 2500 < gate.line_of(answer.got("x-request-id"))["service_ms"] < 4500


def test_gateway_waits_for_an_upload_of_unknown_length(gate: Front) -> None:
    """nginx knows it by the time it asks a version: it has read the upload whole."""
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=2.0)
    answer = httpx.post(gate.url, content=iter([b"x" * 20_000, b"y" * 20_000]), timeout=10)
    assert (answer.json()["name"], answer.json()["length"]) == ("v2", 40_000)


def test_gateway_lets_no_client_say_how_long_to_wait(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=0.2)
    client = gate.client()
    for size in (0, 8_000):
        sent = [("x-envoy-upstream-rq-per-try-timeout-ms", "1"), ("x-envoy-upstream-rq-timeout-ms", "1")]
        assert client.request(sent, method="POST", body=b"x" * size).json["name"] == "v2"


def test_gateway_leaves_uploads_to_a_candidate_that_reads_them_late(gate: Front) -> None:
    """It reads a body only when it has a worker free for it: `hang_after` is 0.5 s here, and over long before."""
    number, size = 8, 1_000_000
    with _late_reader(number, size, after_seconds=3.0) as upstream:
        gate.swap(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], upstream)))
        clients = [gate.client() for _ in range(number)]
        whole = request_bytes(method="POST", body=b"x" * size)
        senders = [threading.Thread(target=client.send, args=([whole],)) for client in clients]
        for sender in senders:
            sender.start()
        assert [client.receive().body for client in clients] == [b"late"] * number
        for sender in senders:
            sender.join()
    lines = until(lambda: len(found := [line for line in gate.lines() if line["bytes_up"]]) == number and found)
    assert {(line["served_by"], line["attempts"], line["bytes_up"]) for line in lines} == {("v2", 1, size)}


@contextmanager
def _late_reader(number: int, size: int, after_seconds: float) -> Iterator[Upstream]:
    """A service that reads the heads of so many uploads, and their bodies of `size` bytes long after."""
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlate"
    listener = socket.create_server(("127.0.0.1", 0), backlog=2 * number)

    def serve() -> None:
        waiting: list[tuple[socket.socket, bytes]] = []
        while len(waiting) < number:
            connection, _ = listener.accept()
            head = connection.recv(1000)
            if head.startswith(b"POST"):
                waiting.append((connection, head))
            else:
                connection.sendall(answer)
                connection.close()
        time.sleep(after_seconds)
        for connection, got in waiting:
            left = size - len(got.partition(b"\r\n\r\n")[2])
            while left:
                left -= len(connection.recv(1 << 16))
            connection.sendall(answer)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with closing(listener):
        yield _at("v2", listener)


def _at(version: str, listener: socket.socket) -> Upstream:
    return Upstream(version, (f"127.0.0.1:{listener.getsockname()[1]}",))


def test_gateway_gives_the_stable_version_all_the_time_it_needs(gate: Front) -> None:
    gate.candidate.behaviour = Behaviour(hangs=True)
    gate.stable.behaviour = Behaviour(before_seconds=1.5)
    gate.put(gate.serving(10_000))
    client = gate.client()
    answer = client.request(method="POST", body=b"x" * 1000)
    client.close()
    assert (answer.status, answer.json["name"]) == (200, "v1")


def test_gateway_answers_honestly_when_a_body_is_too_large_to_be_kept(tmp_path: Path) -> None:
    for engine in ENGINES:
        with front(engine, tmp_path / engine, retry_body_bytes=1_000_000) as gate:
            # It takes the whole upload before it fails, when no second try can be made of it any more.
            gate.candidate.behaviour = Behaviour(reset="after reading")
            gate.swap(gate.serving(10_000))
            assert httpx.post(gate.url, content=b"x" * 500_000).json()["name"] == "v1"
            answer = httpx.post(gate.url, content=b"x" * 20_000_000, timeout=30)
            assert answer.status_code == 503
            assert "error" in answer.json()


def test_gateway_limits_how_many_requests_fall_back_at_a_time(tmp_path: Path) -> None:
    for engine in ENGINES:
        with front(engine, tmp_path / engine, max_fallbacks=5) as gate:
            gate.candidate.close()
            gate.swap(gate.serving(10_000))
            gate.stable.behaviour = Behaviour(before_seconds=1.0)
            clients = [gate.client() for _ in range(40)]
            for client in clients:
                client.send([request_bytes(method="POST", body=b"x")])
            statuses = Counter(client.receive().status for client in clients)
            assert 1 <= statuses[200] <= 5, (engine, statuses)
            assert statuses[503] == 40 - statuses[200]
            # And afterwards it falls back again.
            gate.stable.behaviour = Behaviour()
            assert clients[0].request().json["name"] == "v1"
            for client in clients:
                client.close()


def test_gateway_goes_round_the_addresses_that_work(gate: Front) -> None:
    other = type(gate.candidate)("v2 too")
    two = Upstream("v2", (gate.candidate.address, other.address), health="/healthz")
    gate.swap(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], two)))
    client = gate.client()

    def names() -> set[str]:
        return {client.request().json["name"] for _ in range(40)}

    until(lambda: names() == {"v2", "v2 too"})
    other.close()
    # Its users stay on the candidate: one lost address is no reason to leave it.
    until(lambda: names() == {"v2"})
    gate.candidate.close()
    assert names() == {"v1"}
    client.close()


def test_gateway_takes_an_upload_to_another_address_of_the_stable_version(gate: Front) -> None:
    other = type(gate.stable)("v1 too")
    two = Upstream("v1", (gate.stable.address, other.address))
    gate.swap(gate.serving(0, upstreams=(two, gate.routes.upstreams[1])))
    client = gate.client()
    until(lambda: {client.request().json["name"] for _ in range(40)} == {"v1", "v1 too"})
    # Nobody has looked yet whether it still answers.
    other.close()
    body = b"x" * 200_000
    answers = [client.request(method="POST", body=body) for _ in range(20)]
    client.close()
    assert [(answer.status, answer.json["name"], answer.json["length"]) for answer in answers] == [
        (200, "v1", len(body))
    ] * 20


def test_gateway_speaks_https_to_a_version_that_can_prove_its_name(gate: Front, tmp_path: Path) -> None:
    good = make_certificate(tmp_path / "tls", "good", "127.0.0.1", "localhost")
    wrong = make_certificate(tmp_path / "tls", "wrong", "elsewhere.example")
    for certificate, meant in ((good, "secure"), (wrong, "v1")):
        secure = type(gate.candidate)("secure", tls=certificate.context())
        # By name: nginx compares certificates with names only.
        upstream = Upstream("v2", (f"localhost:{secure.port}",), tls=True, ca=str(certificate.certificate))
        gate.swap(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], upstream)))
        client = gate.client()
        for method, body in (("GET", b""), ("POST", b"x" * 100_000)):
            assert client.request(method=method, body=body).json["name"] == meant
        client.close()
        secure.close()


# ------------------------------------------------------------------ switching


def test_gateway_loses_no_request_while_routes_change(gate: Front) -> None:
    stop, failures, served = threading.Event(), [], []

    def user(number: int) -> None:
        client = gate.client()
        while not stop.is_set():
            answer = client.request([("Cookie", f"huidu_uid=u{number}")])
            served.append(answer.status)
            if answer.status != 200:
                failures.append(answer)
        client.close()

    threads = [threading.Thread(target=user, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for number in range(40):
        gate.put(gate.serving(number * 250, release=number % 3 + 1))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(served) > 100


def test_gateway_refuses_to_overwrite_a_roll_back_done_without_control(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    back = installed_folder(gate.places).go_back(lock_wait_seconds=0.3)
    assert back is not None
    assert gate.gateway.applied(back["generation"], 5.0)
    gate.reach(back["generation"])
    assert httpx.get(gate.url).json()["name"] == "v1"
    with pytest.raises(FenceError):
        gate.swap(gate.serving(10_000))
    assert gate.gateway.fence() == 1
    routes = gate.gateway.routes()
    assert routes is not None
    assert (routes.candidate, routes.generation) == (None, back["generation"])


def test_gateway_goes_back_although_a_stopped_process_holds_the_lock(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    folder = installed_folder(gate.places)
    with folder.locked(1.0) as held:
        assert held
        back = installed_folder(gate.places).go_back(lock_wait_seconds=0.1)
    assert back is not None
    assert gate.gateway.applied(back["generation"], 5.0)


def test_gateway_comes_back_with_the_same_routes_after_a_kill(gate: Front) -> None:
    routes = gate.swap(gate.serving(10_000))
    family = [gate.process.pid, *(child.pid for child in psutil.Process(gate.process.pid).children(recursive=True))]
    gate.process.kill()
    gate.process.wait()
    until(
        lambda: (
            not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in family[1:])
            or not accepts(gate.port)
        )
    )
    gate.restart()
    until(lambda: gate.gateway.applied(routes.generation, 0.0))
    assert httpx.get(gate.url).json()["name"] == "v2"
    assert gate.swap(gate.serving(0)).generation > routes.generation
    assert httpx.get(gate.url).json()["name"] == "v1"


def test_gateway_reports_what_is_in_flight(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=0.2, pause_seconds=1.0)
    assert until(lambda: gate.gateway.in_flight("v2") == 0)
    client = gate.client()
    # nginx cuts an answer of the candidate that pauses for as long as a hang, which this upload puts off.
    client.send([request_bytes(method="POST", body=b"x" * 40_000)])
    until(lambda: gate.gateway.in_flight("v2") == 1)
    client.receive()
    until(lambda: gate.gateway.in_flight("v2") == 0)
    client.close()


def test_gateway_refuses_routes_to_a_version_that_is_not_there(gate: Front) -> None:
    gate.swap(gate.serving(5000))
    with pytest.raises(InvalidError, match="lead to v9, which has no address; accepted: v1, v2"):
        gate.put(gate.serving(5000, candidate="v9"))
    assert httpx.get(gate.url).status_code == 200


# ------------------------------------------------------------------ streams


def _ws(gate: Front) -> str:
    return f"ws://127.0.0.1:{gate.port}/ws/stream-transcribe"


def test_gateway_keeps_sockets_where_they_are_and_sends_new_ones_where_routes_say(gate: Front) -> None:
    gate.put(gate.serving(10_000))
    until(lambda: _first_word(gate) == "v2")
    with connect(_ws(gate), max_size=None) as stream:
        assert stream.recv() == "v2"
        for number in range(20):
            gate.put(gate.serving(10_000 if number % 2 else 0))
            stream.send(f"{number}")
            assert stream.recv() == f"{number}"
        stream.send(b"x" * 300_000)
        assert stream.recv() == b"x" * 300_000
        gate.put(gate.routes)
        until(lambda: _first_word(gate) == "v1")
        assert gate.gateway.in_flight("v2") == 1
        stream.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4012, "moved: connect again")
    until(lambda: gate.gateway.in_flight("v2") == 0)


def test_gateway_tells_a_version_what_it_logs_of_its_sockets(kept: Front) -> None:
    """An instance of ours records them itself."""
    kept.swap(kept.serving(10_000))
    with connect(_ws(kept), additional_headers={"x-huidu-peer": "forged", "x-huidu-share-bp": "1"}) as stream:
        stream.recv()
        stream.send("headers")
        told = json.loads(stream.recv())
    line = kept.line_of(told["x-request-id"])
    assert (told["x-huidu-peer"], told["x-huidu-share-bp"]) == (line["peer"], "10000")
    assert (told["x-huidu-rule"], told["x-huidu-unit"]) == ("share", line["unit"])
    assert (line["kind"], line["status"], line["service_ms"]) == ("socket", 101, None)
    assert line["bytes_down"] > 100
    client = kept.client()
    for lines in ((), [("x-huidu-peer", "forged")]):
        # Of a recognition it is told who asks, by which it tells crowds apart; of other requests not even that.
        assert client.request(lines, method="POST").got("x-huidu-peer") == line["peer"]
        assert client.request(lines).got("x-huidu-peer") is None
    client.close()


def _first_word(gate: Front) -> str:
    with connect(_ws(gate)) as stream:
        return str(stream.recv())


def test_gateway_gives_a_socket_to_stable_when_the_candidate_is_down(gate: Front) -> None:
    gone = Upstream("v2", (f"127.0.0.1:{free_port()}",))
    gate.put(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], gone)))
    until(lambda: _first_word(gate) == "v1")


def test_gateway_passes_server_sent_events_as_they_come(gate: Front) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    go_on = threading.Event()

    def events() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            connection.sendall(b"8\r\ndata: 1\n\r\n")
            go_on.wait(10)
            connection.sendall(b"8\r\ndata: 2\n\r\n0\r\n\r\n")
            connection.close()

    threading.Thread(target=events, daemon=True).start()
    upstream = Upstream("v2", (f"127.0.0.1:{listener.getsockname()[1]}",))
    gate.put(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], upstream)))
    with httpx.stream("GET", gate.url) as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"data: 1\n"  # arrives while the rest has not been sent
        go_on.set()
        assert b"".join(chunks) == b"data: 2\n"
    listener.close()


# ------------------------------------------------------------------ the log


def test_gateway_log_holds_nothing_that_names_a_person(kept: Front) -> None:
    kept.swap(kept.serving(10_000, audience=Audience(jwt=JWT)))
    token = signed({"iss": "sso", "exp": int(time.time()) + 600, "sub": "zhang.san@example"})
    client = kept.client()
    before = time.time()
    lines = [
        ("Cookie", "huidu_uid=secret-cookie"),
        ("Authorization", f"Bearer {token}"),
        ("X-Forwarded-For", "10.8.7.6"),
    ]
    answer = client.request(lines, target="/path-of-a-person?name=zhang")
    client.close()
    line = kept.line_of(answer.got("x-request-id"))
    assert before - 1 < line["time"] < time.time() + 1
    assert [type(line[name]) for name in ("time", "ms", "status", "bucket", "generation")] == [float, *_numbers(line)]
    assert (line["share_bp"], line["attempts"], line["status"], line["audio_seconds"]) == (10_000, 1, 200, 1.5)
    assert line["unit_kind"] == "jwt.sub"
    text = kept.places.gateway_log.read_text()
    for private in ("zhang", "secret-cookie", "10.8.7.6", token, "path-of-a-person", "127.0.0.1"):
        assert private not in text


ODD_NUMBERS = ("", "NaN", "Infinity", "-1", "1e5", "0x10", "1.2.3", ".", '1"', '1,"rule":"x"', "}", "9" * 40)


def test_gateway_logs_no_seconds_and_characters_that_are_no_number(gate: Front) -> None:
    client = gate.client()
    logged = {}
    for said in ("12.25", "7", "0", *ODD_NUMBERS):
        gate.stable.behaviour = Behaviour(audio_seconds=said, chars=said)
        line = gate.line_of(client.request().got("x-request-id"))
        logged[said] = (line["rule"], line["audio_seconds"], line["chars"])
    client.close()
    meant = {"12.25": (12.25, None), "7": (7, 7), "0": (0, 0)} | dict.fromkeys(ODD_NUMBERS, (None, None))
    assert logged == {said: ("no_release", *values) for said, values in meant.items()}


OWN_KINDS = {
    ("POST", "/v1/audio/transcriptions?a=b"): "recognition",
    ("POST", "/api/v1/transcribe"): "recognition",
    ("POST", "/api/v1/settings/load"): "other",
    ("GET", "/healthz"): "other",
    ("PUT", "/api/v1/transcribe"): "other",
    ("UPGRADE", "/ws/stream-transcribe"): "socket",
    ("UPGRADE", "/"): "socket",
    ("UPGRADE", "/console"): "other",
}
FOREIGN_KINDS = {
    ("POST", "/anything"): "recognition",
    ("GET", "/healthz"): "other",
    ("HEAD", "/"): "other",
    ("UPGRADE", "/whatever"): "socket",
}
NAMED_KINDS = {
    ("POST", "/asr"): "recognition",
    ("POST", "/asr/long?x=1"): "other",
    ("POST", "/v2/calls/7"): "recognition",
    ("UPGRADE", "/v2/live"): "socket",
    ("UPGRADE", "/other"): "other",
}


def test_gateway_log_tells_recognitions_from_other_requests(tmp_path: Path) -> None:
    for engine in ENGINES:
        with front(engine, tmp_path / engine, SECRET) as gate:
            _logs_kinds(gate, "foreign", FOREIGN_KINDS)
            ours = tuple(replace(upstream, managed=True) for upstream in gate.routes.upstreams)
            gate.swap(gate.serving(5000, upstreams=ours))
            _logs_kinds(gate, "ours", OWN_KINDS)
        with front(engine, tmp_path / f"{engine} named", SECRET, recognition_paths=("/asr", "/v2/*")) as gate:
            _logs_kinds(gate, "named", NAMED_KINDS)


def _logs_kinds(gate: Front, faces: str, meant: dict[tuple[str, str], str]) -> None:
    for (method, target), kind in meant.items():
        user = f"{faces} {method} {target}"
        cookie = ("Cookie", f"huidu_uid={user}")
        if method == "UPGRADE":
            with connect(f"ws://127.0.0.1:{gate.port}{target}", additional_headers=[cookie]) as stream:
                stream.recv()
        else:
            with closing(RawClient(gate.port)) as client:
                client.send([request_bytes([cookie], target, method)])
                client.socket.recv(1 << 16)
        unit = unit_of(SECRET, "cookie", user)
        (line,) = until(lambda unit=unit: [line for line in gate.lines() if line["unit"] == unit])
        assert line["kind"] == kind, (gate, method, target)
        assert set(line) == LOG_KEYS


def test_gateway_log_tells_the_services_time_from_the_clients(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    gate.candidate.behaviour = Behaviour(before_seconds=0.3)
    client = gate.client()
    whole = request_bytes(method="POST", body=b"x" * 1000)
    client.socket.sendall(whole[:-500])
    time.sleep(1.0)
    client.socket.sendall(whole[-500:])
    line = gate.line_of(client.receive().got("x-request-id"))
    assert 290 <= line["service_ms"] < 700
    assert 990 <= line["upload_ms"] < 1500
    assert line["ms"] >= line["upload_ms"] + line["service_ms"] - 10
    assert (line["bytes_up"], line["chars"]) == (1000, 12)
    answer = client.request()
    line = gate.line_of(answer.got("x-request-id"))
    assert line["upload_ms"] < 100
    assert (line["bytes_up"], line["bytes_down"]) == (0, len(answer.body))
    assert [line[name] for name in SOCKET_KEYS] == [None] * 5


HALF_UPLOADS = {
    "plain": [b"Content-Length: 50000\r\n\r\nhalf"],
    "chunked": [b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    "expecting": [b"Expect: 100-continue\r\nContent-Length: 50000\r\n\r\n", b"half"],
    "nothing": [b"Content-Length: 50000\r\n\r\n"],
}


@pytest.mark.parametrize("parts", HALF_UPLOADS.values(), ids=HALF_UPLOADS)
@pytest.mark.parametrize("reset", [False, True])
def test_gateway_log_shows_who_left_during_the_own_upload(gate: Front, parts: list[bytes], reset: bool) -> None:
    gate.swap(gate.serving(10_000))
    with closing(RawClient(gate.port)) as client:
        client.socket.sendall(b"POST /asr HTTP/1.1\r\nHost: a\r\n" + parts[0])
        for part in parts[1:]:
            assert b"100" in client.socket.recv(100)
            client.socket.sendall(part)
        time.sleep(0.2)
        if reset:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (line,) = until(lambda: [line for line in gate.lines() if line["kind"] == "recognition"])
    assert set(line) == LOG_KEYS
    assert (line["kind"], line["upload_ms"], line["service_ms"]) == ("recognition", None, None)
    # Whether a version was asked before the end is the gateway's business: where none was, none is named.
    assert (line["served_by"] is None) == (line["attempts"] == 0)


# What makes a line of its own, or none: whatever comes, lines are whole.
ODD_REQUESTS = [
    *SMUGGLED,
    b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b'GET /"\\ HTTP/1.1\r\nHost: "\\\r\nUser-Agent: "\\\r\nCookie: huidu_uid="\\\r\n\r\n',
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nno frames at all",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 30_000,
    b"GET / HT",
]


@pytest.mark.parametrize("shape", ODD_REQUESTS, ids=range(len(ODD_REQUESTS)))
def test_gateway_log_lines_are_whole_whatever_clients_send(kept: Front, shape: bytes) -> None:
    kept.swap(kept.serving(5000))
    with closing(RawClient(kept.port)) as client:
        client.socket.sendall(shape)
        client.socket.settimeout(0.3)
        with suppress(OSError):
            client.socket.recv(1 << 16)
    with closing(RawClient(kept.port)) as client:
        kept.line_of(client.request().got("x-request-id"))
    assert all(set(line) == LOG_KEYS for line in kept.lines())


def test_gateway_log_knows_clients_by_a_keyed_hash_of_their_address(tmp_path: Path) -> None:
    for engine in ENGINES:
        found = {}
        for secret in ("one secret", "another secret"):
            with front(engine, tmp_path / f"{engine} {secret}", secret, trusted_proxies=TRUSTED) as gate:
                client = gate.client()
                for said in (
                    "2001:db8::7",
                    "2001:db8::ffff:1",
                    "2001:db8:0:1::7",
                    "198.51.100.7",
                    "::ffff:198.51.100.7",
                ):
                    answer = client.request([("X-Forwarded-For", said)])
                    found[secret, said] = gate.line_of(answer.got("x-request-id"))["peer"]
        assert all(re.fullmatch("[0-9a-f]{16}", peer) for peer in found.values())
        one = [peer for (secret, _), peer in found.items() if secret == "one secret"]
        assert one[0] == one[1] != one[2]  # of IPv6 the first 64 bits are a client's
        assert one[3] == one[4]
        assert len(set(found.values())) == 6


def test_gateway_logs_a_client_that_left_in_its_upload_in_a_whole_line(gate: Front) -> None:
    gate.swap(gate.serving(10_000))
    client = gate.client()
    client.send([request_bytes(method="POST", body=b"x" * 1000)[:-500]])
    client.close()
    (line,) = until(lambda: [line for line in gate.lines() if line["status"] != 200])
    assert (line["version"], line["rule"], line["audio_seconds"], line["upload_ms"]) == ("v2", "share", None, None)


def _numbers(line: dict[str, Any]) -> list[type]:
    assert isinstance(line["ms"], int | float)
    return [type(line["ms"]), int, int, int]


def test_gateway_log_is_rotated_without_losing_or_tearing_a_line(gate: Front) -> None:
    gate.swap(gate.serving(5000))
    stop, sent = threading.Event(), []

    def user() -> None:
        client = gate.client()
        while not stop.is_set():
            sent.append(client.request().got("x-request-id"))
        client.close()

    threads = [threading.Thread(target=user) for _ in range(4)]
    for thread in threads:
        thread.start()
    log = gate.places.gateway_log
    for number in range(8):
        until(lambda: log.exists() and log.stat().st_size > 0)
        log.rename(log.with_name(f"gateway-{number}.jsonl"))
        assert gate.gateway.reopen_log()
        until(log.exists)
    stop.set()
    for thread in threads:
        thread.join()

    def logged() -> list[str]:
        files = sorted(log.parent.glob("gateway*.jsonl"))
        lines = [line for file in files if "refused" not in file.name for line in file.read_text().splitlines()]
        return [json.loads(line)["request_id"] for line in lines]

    until(lambda: set(sent) <= set(logged()))
    ids = logged()
    assert len(ids) == len(set(ids))
    # What the gateway says it wrote is what is there: over rotations, from all workers.
    until(lambda: (written := gate.gateway.written()) and written.lines == len(logged()))
    assert gate.gateway.written().failures == 0


def test_gateway_counts_the_lines_of_its_log_and_no_others(gate: Front) -> None:
    first = gate.gateway.written()
    assert first is not None
    with closing(RawClient(gate.port)) as client:
        for _ in range(5):
            client.request()
    for shape in (b"\x16no request\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n"):
        with closing(RawClient(gate.port)) as client:
            client.socket.sendall(shape)
            with suppress(OSError):
                client.socket.recv(1000)
    with connect(_ws(gate)) as stream:
        stream.recv()
    until(lambda: len(gate.lines()) == gate.gateway.written().lines >= 6)
    gate.process.kill()
    gate.process.wait()
    until(
        lambda: gate.gateway.written() is None
    )  # the workers of an nginx that was killed go at once, but by themselves
    until(lambda: not accepts(gate.port))
    gate.restart()
    again = until(gate.gateway.written)
    assert (again.lines, again.life != first.life) == (0, True)


def test_gateway_finds_its_log_again_when_it_is_asked(gate: Front) -> None:
    """Whatever somebody else did with the file: lines go where its name is once the gateway was asked."""
    log = gate.places.gateway_log
    client = gate.client()

    def removed() -> None:
        log.unlink()

    def renamed_and_recreated() -> None:
        log.rename(log.with_suffix(".1"))
        log.touch()

    for spoil in (removed, renamed_and_recreated):
        gate.line_of(client.request().got("x-request-id"))
        spoil()
        before = gate.gateway.written().lines
        client.request()
        # Nobody sees that line, and the gateway says that it wrote it.
        until(lambda before=before: gate.gateway.written().lines == before + 1)
        assert gate.lines() == []
        assert gate.gateway.reopen_log()
        until(lambda: gate.lines() or not client.request())


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_gateway_reads_as_it_starts_is_mended_before_it_has_to(engine: str, tmp_path: Path) -> None:
    """One that runs does not notice; once it fell, nobody would be served, and control would think all was well."""
    with front(engine, tmp_path / "data") as gate:
        gate.gateway.refresh()
        files = gate.gateway._read_at_start()
        before = [path.read_text() for path in files]
        for harm in (b"", b'{"version_', b"\xff\x00\xff", None):
            for path in files:
                path.unlink() if harm is None else path.write_bytes(harm)
            gate.gateway.refresh()
            assert [path.read_text() for path in files] == before
        found = [path.stat().st_ino for path in files]
        gate.gateway.refresh()
        assert [path.stat().st_ino for path in files] == found


# ------------------------------------------------------------------ TLS


def test_gateway_speaks_tls_and_takes_a_new_certificate_over(tmp_path: Path) -> None:
    for engine in ENGINES:
        folder = tmp_path / engine
        first = make_certificate(folder, "front", "127.0.0.1")
        tls = Tls(str(first.certificate), str(first.key))
        with front(engine, folder / "data", tls=tls) as gate:

            def shown(port: int = gate.port) -> str:
                return ssl.get_server_certificate(("127.0.0.1", port))

            url = f"https://127.0.0.1:{gate.port}"
            context = ssl.create_default_context(cafile=str(first.certificate))
            with httpx.Client(verify=context) as client:
                answer = client.get(url)
                assert answer.json()["name"] == "v1"
                assert "; Secure" in answer.headers["set-cookie"]
                before = shown()
                make_certificate(folder, "front", "127.0.0.1")
                until(lambda before=before: shown() != before)
                # Written over in place, as some tools do.
                before = shown()
                other = make_certificate(folder / "other", "front", "127.0.0.1")
                Path(tls.certificate).write_bytes(other.certificate.read_bytes())
                gate.gateway.refresh()
                Path(tls.key).write_bytes(other.key.read_bytes())
                gate.gateway.refresh()
                until(lambda before=before: shown() != before)
                # Whoever is connected stays connected.
                assert client.get(url).status_code == 200
            spoken = subprocess.run(
                ["openssl", "s_client", "-alpn", "h2", "-connect", f"127.0.0.1:{gate.port}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            assert b"ALPN protocol: h2" in spoken.stdout
            told = ["-w", "%{http_version} %{http_code}", "-o", "/dev/null"]
            for sent in ([], ["--data-binary", f"@{tls.certificate}"]):
                command = ["curl", "--silent", "--insecure", "--http2", *told, *sent, f"https://127.0.0.1:{gate.port}/"]
                assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2 200"


# ------------------------------------------------------------------ size


def test_gateway_carries_a_large_upload_without_holding_it(tmp_path: Path) -> None:
    megabyte = bytes(range(256)) * 4096
    meant = hashlib.sha256(megabyte * 500).hexdigest()
    for engine in ENGINES:
        with front(engine, tmp_path / engine) as gate:
            gate.swap(gate.serving(10_000))
            httpx.post(gate.url, content=megabyte)
            before, peak = rss_bytes(gate.process.pid), 0

            def chunks(pid: int = gate.process.pid) -> Iterator[bytes]:
                nonlocal peak
                for number in range(500):
                    if number % 10 == 0:
                        peak = max(peak, rss_bytes(pid))
                    yield megabyte

            answer = httpx.post(gate.url, content=chunks(), timeout=120)
            assert answer.json()["sha256"] == meant
            assert max(peak, rss_bytes(gate.process.pid)) - before < 64_000_000, engine


def test_gateway_serves_again_after_its_candidate_was_stopped_and_went_on(gate: Front) -> None:
    """SIGSTOP of a real process, which accepts connections all the same."""
    script = (
        "import http.server; http.server.ThreadingHTTPServer(('127.0.0.1', {}), http.server.SimpleHTTPRequestHandler)"
    )
    port = free_port()
    process = subprocess.Popen(
        ["python3", "-c", script.format(port) + ".serve_forever()"], stderr=subprocess.DEVNULL, cwd=gate.places.data
    )
    try:
        until(lambda: accepts(port))
        upstream = Upstream("v2", (f"127.0.0.1:{port}",))
        gate.swap(gate.serving(10_000, upstreams=(gate.routes.upstreams[0], upstream)))
        process.send_signal(signal.SIGSTOP)
        client = gate.client()
        for size in (0, 4_000):
            answer = client.request(method="POST" if size else "GET", body=b"x" * size)
            assert (answer.status, answer.json["name"]) == (200, "v1")
        process.send_signal(signal.SIGCONT)
        client.close()
        until(lambda: b"Directory listing" in httpx.get(gate.url).content)
    finally:
        process.kill()
        process.wait()


def test_gateway_ends_when_asked(gate: Front) -> None:
    end(gate.process)
    assert not accepts(gate.port)
