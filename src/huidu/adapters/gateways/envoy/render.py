"""Envoy's configuration as pure functions of the routes in force: plain values, written as JSON by the adapter.

Three documents: the bootstrap (listener, filters, log: fixed while the gateway runs), the clusters (one per
version, and one for the candidate that falls back to the stable version), and the routes (policy and generation).
"""

from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from typing import Any

from huidu.core.routes import Routes, matcher_to_json

Json = dict[str, Any]

_TYPE = "type.googleapis.com/envoy"
_HCM = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# Numbers stay numbers in the log: they come from metadata that the policy sets, not from header text.
_LOG_FIELDS = {
    "time": "%DYNAMIC_METADATA(huidu:log:time)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "release": "%DYNAMIC_METADATA(huidu:log:release)%",
    "version": "%DYNAMIC_METADATA(huidu:log:version)%",
    "served_by": "%UPSTREAM_METADATA(huidu:version)%",
    "generation": "%DYNAMIC_METADATA(huidu:log:generation)%",
    "rule": "%DYNAMIC_METADATA(huidu:log:rule)%",
    "unit": "%DYNAMIC_METADATA(huidu:log:unit)%",
    "unit_kind": "%DYNAMIC_METADATA(huidu:log:unit_kind)%",
    "bucket": "%DYNAMIC_METADATA(huidu:log:bucket)%",
    "share_bp": "%DYNAMIC_METADATA(huidu:log:share_bp)%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "status": "%RESPONSE_CODE%",
    "ms": "%DURATION%",
    "audio_seconds": "%DYNAMIC_METADATA(huidu:answer:audio_seconds)%",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the gateway listens and writes; fixed while it runs. Sizes in bytes."""

    listen_host: str
    listen_port: int
    admin_socket: str
    routes_dir: str
    log: str
    refused_log: str
    secret: str
    retry_body_bytes: int
    max_fallbacks: int


def version_cluster(version: str) -> str:
    return f"version:{version}"


def fallback_cluster(candidate: str, stable: str) -> str:
    return f"version:{candidate} else {stable}"


def bootstrap(place: Place) -> Json:
    """The document Envoy starts with."""
    source = {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": f"{place.routes_dir}/cds.json",
            "watched_directory": {"path": place.routes_dir},
        },
    }
    return {
        "node": {"id": "huidu", "cluster": "huidu"},
        "admin": {"address": {"pipe": {"path": place.admin_socket, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": source},
        "static_resources": {"listeners": [_listener(place)]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_TYPE}.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 50_000,
                    },
                }
            ]
        },
    }


def clusters(routes: Routes, max_fallbacks: int) -> list[Json]:
    """One cluster per upstream, and one for each pair in which the other version may stand in."""
    made = [_cluster(version_cluster(up.version), [(up.version, up.address)], max_fallbacks) for up in routes.upstreams]
    stable = routes.address(routes.stable)
    for up in routes.upstreams:
        if stable is not None and up.version != routes.stable:
            endpoints = [(up.version, up.address), (routes.stable, stable)]
            made.append(_cluster(fallback_cluster(up.version, routes.stable), endpoints, max_fallbacks))
    return made


def discovery(generation: int, resources: list[Json]) -> Json:
    """The envelope of a file that Envoy watches."""
    return {"version_info": str(generation), "resources": resources}


def route_configuration(routes: Routes, place: Place) -> Json:
    """Who goes where, with the policy that the Lua filter reads."""
    served = [_stable_route(routes)]
    if routes.candidate is not None:
        served.insert(0, _candidate_route(routes.candidate, routes.stable))
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": "huidu",
        "validate_clusters": True,
        "response_headers_to_add": [
            _header("x-huidu-generation", str(routes.generation)),
            _header("set-cookie", "%DYNAMIC_METADATA(huidu:cookie)%", "APPEND_IF_EXISTS_OR_ADD"),
        ],
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "include_request_attempt_count": True,
                "request_body_buffer_limit": place.retry_body_bytes,
                "metadata": {"filter_metadata": {"envoy.filters.http.lua": _policy(routes, place.secret)}},
                "routes": served,
            }
        ],
    }


def _policy(routes: Routes, secret: str) -> Json:
    policy: Json = {
        "generation": routes.generation,
        "secret": secret,
        "salt": routes.salt,
        "stable": routes.stable,
        "share_bp": routes.share_bp,
        "exclude": [matcher_to_json(rule) for rule in routes.audience.exclude],
        "include": [matcher_to_json(rule) for rule in routes.audience.include],
    }
    serving = {"candidate": routes.candidate, "release": routes.release, "expires_at": routes.expires_at}
    policy |= {name: value for name, value in serving.items() if value is not None}
    return {"generation": routes.generation, "policy": policy}


def _header(key: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    return {"header": {"key": key, "value": value}, "append_action": action}


def _candidate_route(candidate: str, stable: str) -> Json:
    # gateway-error covers resets after the request was sent, too; an answer that has begun is never tried again.
    retry = {
        "retry_on": "connect-failure,refused-stream,reset-before-request,gateway-error",
        "num_retries": 1,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.005s"},
    }
    match = {"prefix": "/", "headers": [{"name": "x-huidu-side", "string_match": {"exact": "candidate"}}]}
    return _route("candidate", match, fallback_cluster(candidate, stable), retry)


def _stable_route(routes: Routes) -> Json:
    # A kept connection may close just as a request takes it: nothing was sent, so a second try is safe.
    retry = {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 1}
    return _route("stable", {"prefix": "/"}, version_cluster(routes.stable), retry)


def _route(name: str, match: Json, cluster: str, retry: Json) -> Json:
    return {
        "name": name,
        "match": match,
        "request_headers_to_remove": ["x-huidu-side"],
        "route": {"cluster": cluster, "timeout": "0s", "retry_policy": retry},
    }


def _cluster(name: str, endpoints: list[tuple[str, str]], max_fallbacks: int) -> Json:
    unlimited = 100_000
    return {
        "@type": f"{_TYPE}.config.cluster.v3.Cluster",
        "name": name,
        # Addresses need no look-up, and a cluster of them is ready at once.
        "type": "STATIC" if all(_is_ip(address) for _, address in endpoints) else "STRICT_DNS",
        "connect_timeout": "0.5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"priority": rank, "lb_endpoints": [_endpoint(version, address)]}
                for rank, (version, address) in enumerate(endpoints)
            ],
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": unlimited,
                    "max_pending_requests": unlimited,
                    "max_requests": unlimited,
                    "max_retries": max_fallbacks,
                }
            ]
        },
        # Shorter than the 75 s that instances keep an idle connection, so that the gateway closes first.
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "common_http_protocol_options": {"idle_timeout": "30s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _is_ip(address: str) -> bool:
    try:
        ip_address(_host_port(address)[0])
    except ValueError:
        return False
    return True


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _endpoint(version: str, address: str) -> Json:
    host, port = _host_port(address)
    return {
        "endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}},
        "metadata": {"filter_metadata": {"huidu": {"version": version}}},
    }


def _listener(place: Place) -> Json:
    return {
        "name": "front",
        "address": {"socket_address": {"address": place.listen_host, "port_value": place.listen_port}},
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [{"name": "envoy.http_connection_manager", "typed_config": _manager(place)}]}],
    }


def _manager(place: Place) -> Json:
    return {
        "@type": _HCM,
        "stat_prefix": "front",
        "use_remote_address": True,
        "normalize_path": True,
        "stream_idle_timeout": "0s",
        "common_http_protocol_options": {
            "idle_timeout": "3600s",
            # WSGI-like servers read x_huidu and x-huidu as one name.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "early_header_mutation_extensions": [_strip_identity()],
        "rds": {
            "route_config_name": "huidu",
            "config_source": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": f"{place.routes_dir}/rds.json",
                    "watched_directory": {"path": place.routes_dir},
                },
            },
        },
        "http_filters": _filters(),
        "access_log": [_log(place.log, _LOG_FIELDS, chosen=True), _log(place.refused_log, _REFUSED, chosen=False)],
        "local_reply_config": _local_replies(),
    }


_REFUSED = {
    "time": "%START_TIME(%s.%3f)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
}


def _strip_identity() -> Json:
    """Names of ours that a client sends are dropped before anything reads them."""
    return {
        "name": "strip",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [
                {"remove_on_match": {"key_matcher": {"prefix": "x-huidu-", "ignore_case": True}}},
                {"remove": "x-request-id"},
            ],
        },
    }


def _filters() -> list[Json]:
    lua = files(__package__).joinpath("policy.lua").read_text()
    return [
        {
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {"inline_string": lua},
            },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"},
        },
    ]


def _log(path: str, fields: dict[str, str], chosen: bool) -> Json:
    """A log of requests that the policy chose a version for, or of those refused before it ran."""
    return {
        "name": "envoy.access_loggers.file",
        "filter": {
            "metadata_filter": {
                "matcher": {
                    "filter": "huidu",
                    "path": [{"key": "log"}, {"key": "rule"}],
                    "value": {"present_match": True} if chosen else {"null_match": {}},
                },
                "match_if_key_not_found": not chosen,
            }
        },
        "typed_config": {
            "@type": f"{_TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"json_format": fields},
        },
    }


def _local_replies() -> Json:
    """What the gateway itself answers is JSON in the one error shape."""
    return {
        "body_format": {
            "json_format": {"error": "gateway", "detail": "%LOCAL_REPLY_BODY%", "flags": "%RESPONSE_FLAGS%"},
        }
    }
