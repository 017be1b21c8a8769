"""Where versions answer: one cluster for each, and one for each that falls back to the stable version.

The latter only chooses: its first attempt goes to the version's own cluster, its second to the stable version's.
So a version that is down never sends its users to the stable version unbounded: each is a second attempt, and
second attempts are counted (`max_retries`).
"""

import json
from ipaddress import ip_address

from huidu.adapters.gateways.envoy.shapes import Json, typed
from huidu.adapters.gateways.place import Place
from huidu.core.faces import hang_after_seconds
from huidu.core.routes import Routes, Upstream

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_UNLIMITED = 100_000
# Linux's numbers (netinet/tcp.h); Python names the latter only where it runs on Linux.
_IPPROTO_TCP = 6
_TCP_USER_TIMEOUT = 18
# Shorter than servers of any make keep an idle connection, so that the gateway closes first, and no request meets
# one that is just being closed.
_IDLE = "1.5s"


def version_cluster(version: str) -> str:
    return f"version:{version}"


def fallback_cluster(candidate: str, stable: str) -> str:
    return f"version:{candidate} else {stable}"


def clusters(routes: Routes, place: Place, system_ca: str) -> list[Json]:
    """One cluster per upstream, and one for each pair in which the stable version may stand in."""
    made = []
    for upstream in routes.upstreams:
        # Only where another stands in is a stalled upload given up.
        stall_seconds = _stall_seconds(place) if upstream.version != routes.stable else None
        made.append(_cluster(upstream, system_ca, stall_seconds))
    others = [up.version for up in routes.upstreams if up.version != routes.stable]
    return made + [_fallback(version, routes.stable, place.max_fallbacks) for version in others]


def _fallback(candidate: str, stable: str, max_fallbacks: int) -> Json:
    attempts = [{"name": version_cluster(version)} for version in (candidate, stable)]
    return typed(
        "config.cluster.v3.Cluster",
        name=fallback_cluster(candidate, stable),
        connect_timeout="1s",
        lb_policy="CLUSTER_PROVIDED",
        cluster_type={
            "name": "envoy.clusters.composite",
            "typed_config": typed("extensions.clusters.composite.v3.ClusterConfig", clusters=attempts),
        },
        circuit_breakers=_breakers(max_fallbacks),
    )


def _cluster(upstream: Upstream, system_ca: str, stall_seconds: float | None) -> Json:
    name = version_cluster(upstream.version)
    endpoints = [_endpoint(upstream, address) for address in upstream.addresses]
    return typed(
        "config.cluster.v3.Cluster",
        name=name,
        # Addresses need no look-up, and a cluster of them is ready at once.
        type="STATIC" if all(_is_ip(_host_port(address)[0]) for address in upstream.addresses) else "STRICT_DNS",
        # Many a name has an IPv6 address at which nobody listens.
        dns_lookup_family="V4_PREFERRED",
        connect_timeout="2s" if upstream.tls else "0.5s",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        circuit_breakers=_breakers(_UNLIMITED),
        # With none left that works all are tried: to refuse is the addresses' own business.
        common_lb_config={"healthy_panic_threshold": {"value": 1}},
        upstream_connection_options={
            "tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 10, "keepalive_probes": 3}
        },
        typed_extension_protocol_options={
            _HTTP_OPTIONS: typed(
                _HTTP_OPTIONS.removeprefix("envoy."),
                common_http_protocol_options={"idle_timeout": _IDLE},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
        **_health(upstream),
        **({} if stall_seconds is None else _give_up_stalled(stall_seconds)),
        **(_tls(upstream, system_ca) if upstream.tls else {}),
    )


def _stall_seconds(place: Place) -> float:
    """How long an upload may rest before its end.

    As long as the largest that can be tried again may wait for its answer. A service that reads a body only when it
    has a free worker takes nothing meanwhile: that it is busy is no reason to leave it, and connections cannot be
    told apart by what they carry.
    """
    return hang_after_seconds(place.hang_after_seconds, place.retry_body_bytes)


def _give_up_stalled(seconds: float) -> Json:
    """Breaks connections whose other end has taken nothing of what waits for it for so long.

    An upload to a process that hangs would never come to its end otherwise, and the time of the try never begin.
    """
    option = {"level": _IPPROTO_TCP, "name": _TCP_USER_TIMEOUT, "int_value": round(seconds * 1000)}
    described = {"description": "stalled uploads", "state": "STATE_PREBIND"}
    return {"upstream_bind_config": {"socket_options": [option | described]}}


def _breakers(max_retries: int) -> Json:
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), _UNLIMITED)
    return {"thresholds": [limits | {"max_retries": max_retries}]}


def _health(upstream: Upstream) -> Json:
    """Asks a path where one is given; else whether an address takes connections, where there is another to go to."""
    if upstream.health is not None:
        # Whoever answers below 500 is there.
        statuses = [{"start": 200, "end": 500}]
        check: Json = {"http_health_check": {"path": upstream.health, "expected_statuses": statuses}}
    elif len(upstream.addresses) > 1:
        check = {"tcp_health_check": {}}
    else:
        return {}
    often: Json = {"interval": "1s", "no_traffic_interval": "1s", "timeout": "2s"}
    return {"health_checks": [check | often | {"unhealthy_threshold": 2, "healthy_threshold": 1}]}


def _tls(upstream: Upstream, system_ca: str) -> Json:
    """A certificate for its own host is asked of each address."""
    hosts = sorted({_host_port(address)[0] for address in upstream.addresses})
    matches = [
        {"name": host, "match": {"host": host}, "transport_socket": _socket(host, upstream.ca or system_ca)}
        for host in hosts
    ]
    return {"transport_socket_matches": matches}


def _socket(host: str, ca: str) -> Json:
    kind = "IP_ADDRESS" if _is_ip(host) else "DNS"
    context: Json = {
        "alpn_protocols": ["http/1.1"],
        "validation_context": {
            "trusted_ca": {"filename": ca},
            "match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": host}}],
        },
    }
    # An address is no name that a server could be asked for.
    named = {} if _is_ip(host) else {"sni": host}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "extensions.transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=context, **named
        ),
    }


def _endpoint(upstream: Upstream, address: str) -> Json:
    host, port = _host_port(address)
    # As the log writes it.
    metadata: Json = {"huidu": {"served_by": json.dumps(upstream.version)}}
    if upstream.tls:
        metadata["envoy.transport_socket_match"] = {"host": host}
    return {
        "endpoint": {
            "address": {"socket_address": {"address": host, "port_value": port}},
            "health_check_config": {"hostname": address},
        },
        "metadata": {"filter_metadata": metadata},
    }


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
