import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.gateways.envoy.clusters import clusters, fallback_cluster, version_cluster
from huidu.adapters.gateways.envoy.front import Files, bootstrap
from huidu.adapters.gateways.envoy.routing import LUA_FILTER, lua_literal, route_configuration
from huidu.adapters.gateways.envoy.tokens import token_filter
from huidu.adapters.gateways.place import Place, Tls
from huidu.core.audience import Audience, CookieRule, HeaderRule
from huidu.core.jwt import Jwt
from huidu.core.routes import Routes, Upstream
from huidu.core.units import unit_keys

KEYS = unit_keys("s")
PLACE = Place("127.0.0.1", 8080, max_fallbacks=7, hang_after_seconds=2.5)
FILES = Files("a.sock", "r", "c", "t", "s", "log", "refused")
CA = "ca.pem"
UPSTREAMS = (
    Upstream("v1", ("127.0.0.1:1",)),
    Upstream("v2", ("asr.example:2", "10.0.0.2:443"), tls=True, health="/healthz"),
    Upstream("v-3.1", ("[::1]:3", "127.0.0.1:4")),
)
JWT = Jwt('{"keys": []}', "sso", ("header", "cookie:sso_token"))
some_routes = st.builds(
    Routes,
    generation=st.integers(1, 10**6),
    stable=st.just("v1"),
    upstreams=st.just(UPSTREAMS),
    release=st.just(4),
    candidate=st.sampled_from([None, "v2", "v-3.1"]),
    share_bp=st.integers(0, 10_000),
    expires_at=st.none() | st.floats(0, 2e9),
    audience=st.just(Audience((CookieRule("out"),), (CookieRule("in", "1"), HeaderRule("x-a", "b")))),
)


def routes_of(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    (host,) = configuration["virtual_hosts"]
    found: list[dict[str, Any]] = host["routes"]
    return found


def by_name(routes: Routes) -> dict[str, dict[str, Any]]:
    return {cluster["name"]: cluster for cluster in clusters(routes, PLACE, CA)}


@given(some_routes)
def test_routes_name_only_clusters_that_exist(routes: Routes) -> None:
    named = {
        each["route"]["cluster"] for each in routes_of(route_configuration(routes, PLACE, KEYS)) if "route" in each
    }
    assert named <= set(by_name(routes))


@given(some_routes)
def test_a_candidate_is_routed_to_only_in_a_serving_stage_and_only_by_rule(routes: Routes) -> None:
    to_candidate = [
        each["match"]["headers"][0]["string_match"]["exact"]
        for each in routes_of(route_configuration(routes, PLACE, KEYS))
        if each.get("route", {}).get("cluster") == fallback_cluster(routes.candidate or "", routes.stable)
    ]
    assert sorted(to_candidate) == (["included", "share"] if routes.candidate else [])
    *_, last = routes_of(route_configuration(routes, PLACE, KEYS))
    assert last["route"]["cluster"] == version_cluster("v1")
    assert last["match"] == {"prefix": "/", "headers": []}


@pytest.mark.parametrize(("stable", "kept_bytes"), [("v1", 4096), ("v2", PLACE.retry_body_bytes)])
def test_bodies_are_kept_for_a_stable_version_that_has_another_address(stable: str, kept_bytes: int) -> None:
    *_, last = routes_of(route_configuration(Routes(1, stable, UPSTREAMS), PLACE, KEYS))
    assert last["request_body_buffer_limit"] == kept_bytes


@given(some_routes)
def test_a_candidates_second_try_is_the_stable_version_and_their_number_is_bounded(routes: Routes) -> None:
    for other in ("v2", "v-3.1"):
        cluster = by_name(routes)[fallback_cluster(other, "v1")]
        attempts = [each["name"] for each in cluster["cluster_type"]["typed_config"]["clusters"]]
        assert attempts == [version_cluster(other), version_cluster("v1")]
        assert cluster["circuit_breakers"]["thresholds"][0]["max_retries"] == 7


def test_only_versions_that_another_stands_in_for_give_up_stalled_uploads() -> None:
    found = by_name(Routes(1, "v1", UPSTREAMS))
    (option,) = found["version:v2"]["upstream_bind_config"]["socket_options"]
    # A second for each 8 kB of the largest upload that is kept, and an hour at most.
    assert option["int_value"] == 3_600_000
    assert "upstream_bind_config" not in found["version:v1"]


def test_a_stalled_upload_has_as_long_as_the_largest_that_is_kept() -> None:
    place = replace(PLACE, retry_body_bytes=80_000)
    (_, candidate, *_) = clusters(Routes(1, "v1", UPSTREAMS), place, CA)
    assert candidate["upstream_bind_config"]["socket_options"][0]["int_value"] == 12_500


def test_addresses_need_no_look_up_and_names_do() -> None:
    kinds = {name: cluster.get("type") for name, cluster in by_name(Routes(1, "v1", UPSTREAMS)).items()}
    assert kinds["version:v1"] == kinds["version:v-3.1"] == "STATIC"
    assert kinds["version:v2"] == "STRICT_DNS"


def test_a_version_is_asked_how_it_is_by_path_or_by_connecting_where_it_has_another_address() -> None:
    found = by_name(Routes(1, "v1", UPSTREAMS))
    assert "health_checks" not in found["version:v1"]
    assert found["version:v2"]["health_checks"][0]["http_health_check"]["path"] == "/healthz"
    assert found["version:v-3.1"]["health_checks"][0]["tcp_health_check"] == {}


def test_each_host_must_show_a_certificate_of_its_own() -> None:
    matches = by_name(Routes(1, "v1", UPSTREAMS))["version:v2"]["transport_socket_matches"]
    found = {}
    for match in matches:
        config = match["transport_socket"]["typed_config"]
        (name,) = config["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
        found[match["match"]["host"]] = (name["san_type"], name["matcher"]["exact"], config.get("sni"))
    assert found == {
        "asr.example": ("DNS", "asr.example", "asr.example"),
        "10.0.0.2": ("IP_ADDRESS", "10.0.0.2", None),
    }


@pytest.mark.parametrize(("jwt", "volunteers"), [(None, False), (JWT, False), (None, True), (JWT, True)])
def test_tokens_are_looked_for_only_where_an_audience_asks(jwt: Jwt | None, volunteers: bool) -> None:
    routes = Routes(1, "v1", UPSTREAMS, audience=Audience(jwt=jwt, volunteers_only=volunteers))
    config = token_filter(routes, "s")["typed_config"]
    expected = ["source 1", "source 2"] * (jwt is not None) + ["volunteer"] * volunteers
    assert list(config.get("providers", {})) == expected
    # Each rule asks for something that could be a token: all other requests pass untouched.
    assert [bool(rule["match"]["headers"]) for rule in config.get("rules", [])] == [True] * (2 ** len(expected) - 1)
    assert all(each["require_expiration"] for each in config.get("providers", {}).values())


def test_cookies_are_for_secure_pages_where_the_gateway_speaks_tls() -> None:
    def program(place: Place) -> str:
        (host,) = route_configuration(Routes(1, "v1", UPSTREAMS), place, KEYS)["virtual_hosts"]
        text: str = host["typed_per_filter_config"][LUA_FILTER]["source_code"]["inline_string"]
        return text

    assert "; Secure" not in program(PLACE)
    assert "SameSite=Lax; Secure" in program(replace(PLACE, tls=Tls("c.pem", "k.pem")))


def test_the_bootstrap_holds_nothing_that_changes_with_routes_and_no_secret() -> None:
    text = json.dumps(bootstrap(PLACE, FILES, 1000))
    for name in ("secret_configs", "local POLICY", "jwks", "private_key"):
        assert name not in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nil"),
        (True, "true"),
        (12, "12"),
        (1.5, "1.5"),
        ("a b", '"a b"'),
        ('"\\', '"\\034\\092"'),
        ("张\n", '"\\229\\188\\160\\010"'),
        ([1, [2]], "{1,{2}}"),
        ({"a": {}, "b c": "]]"}, '{["a"]={},["b c"]="]]"}'),
    ],
)
def test_values_are_written_as_lua_reads_them(value: Any, expected: str) -> None:
    assert lua_literal(value) == expected
