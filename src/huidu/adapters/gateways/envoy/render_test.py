import json
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from huidu.adapters.gateways.envoy import render
from huidu.core.audience import Audience, CookieRule, HeaderRule
from huidu.core.routes import Routes, Upstream
from huidu.wire import gateway_command

PLACE = render.Place("127.0.0.1", 8080, "/tmp/a.sock", "/tmp/r", "/tmp/l", "/tmp/x", "secret", 1 << 20, 7)
UPSTREAMS = (Upstream("v1", "127.0.0.1:1"), Upstream("v2", "asr.example:2"), Upstream("v-3.1", "[::1]:3"))
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


def routed_clusters(configuration: dict[str, Any]) -> set[str]:
    (host,) = configuration["virtual_hosts"]
    return {route["route"]["cluster"] for route in host["routes"]}


@given(some_routes)
def test_routes_name_only_clusters_that_exist(routes: Routes) -> None:
    names = {cluster["name"] for cluster in render.clusters(routes, 7)}
    assert routed_clusters(render.route_configuration(routes, PLACE)) <= names


@given(some_routes)
def test_a_candidate_is_routed_to_only_in_a_serving_stage(routes: Routes) -> None:
    found = routed_clusters(render.route_configuration(routes, PLACE))
    fallback = {render.fallback_cluster(routes.candidate, routes.stable)} if routes.candidate else set()
    assert found == {render.version_cluster(routes.stable)} | fallback


@given(some_routes)
def test_a_candidates_cluster_falls_back_to_stable_and_bounds_how_many_do(routes: Routes) -> None:
    by_name = {cluster["name"]: cluster for cluster in render.clusters(routes, 7)}
    for other in ("v2", "v-3.1"):
        cluster = by_name[render.fallback_cluster(other, "v1")]
        versions = [
            endpoint["metadata"]["filter_metadata"]["huidu"]["version"]
            for group in cluster["load_assignment"]["endpoints"]
            for endpoint in group["lb_endpoints"]
        ]
        assert versions == [other, "v1"]
        assert cluster["circuit_breakers"]["thresholds"][0]["max_retries"] == 7


def test_addresses_need_no_look_up_and_names_do() -> None:
    kinds = {cluster["name"]: cluster["type"] for cluster in render.clusters(Routes(1, "v1", UPSTREAMS), 7)}
    assert kinds["version:v1"] == kinds["version:v-3.1"] == "STATIC"
    assert kinds["version:v2"] == "STRICT_DNS"


def test_envoy_itself_accepts_what_is_rendered(tmp_path: Path) -> None:
    routes = Routes(3, "v1", (UPSTREAMS[0], UPSTREAMS[2]), release=4, candidate="v-3.1", share_bp=500, expires_at=9.0)
    place = render.Place(
        "127.0.0.1", 1, str(tmp_path / "a.sock"), str(tmp_path), str(tmp_path / "l"), str(tmp_path / "x"), "s", 1, 1
    )
    (tmp_path / "cds.json").write_text(json.dumps(render.discovery(3, render.clusters(routes, 1))))
    (tmp_path / "rds.json").write_text(json.dumps(render.discovery(3, [render.route_configuration(routes, place)])))
    bootstrap = tmp_path / "bootstrap.json"
    bootstrap.write_text(json.dumps(render.bootstrap(place)))
    done = subprocess.run(
        [*gateway_command(bootstrap), "--mode", "validate"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
