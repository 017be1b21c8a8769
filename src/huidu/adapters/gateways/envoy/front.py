"""What Envoy starts with: the listener, its filters and its logs. Fixed while it runs."""

from dataclasses import dataclass
from pathlib import PurePath

from huidu.adapters.gateways.envoy import tokens
from huidu.adapters.gateways.envoy.routing import LUA_FILTER, ROUTES_NAME, RULE_HEADER
from huidu.adapters.gateways.envoy.shapes import TYPE, Json, discovery, extension, header, typed, watched_file
from huidu.adapters.gateways.place import Place, Tls

# Envoy's statistics of the listener begin with it.
STAT_PREFIX = "front"
_CERTIFICATE = "front"

_CONNECTION_BUFFER_BYTES = 1 << 20
_MAX_CONNECTIONS = 50_000
_MAX_HEADERS = 200
_NO_PLAIN_NUMBER = ".*[^0-9.].*|.{16,}"

# Where nothing is known: Envoy has no word for a constant, but a time may be written without any digits.
_OR_NULL = '{"command":"START_TIME","param":"null"}'


def _known_or_null(command: str, parameter: str) -> str:
    """A value that stands in the log as it is, and null where there is none."""
    return f'%COALESCE({{"operators":[{{"command":"{command}","param":"{parameter}"}},{_OR_NULL}]}})%'


# Written as text: to make a JSON object of fifteen values takes Envoy three times as long. What stands in it is a
# number, a name that Huidu checked, or the head that the policy made (`filter.lua`).
_LOG_LINE = (
    "{%REQ(X-HUIDU-LOG)%"
    ',"request_id":"%REQ(X-REQUEST-ID)%","version":"%ROUTE_NAME%"'
    f',"served_by":{_known_or_null("UPSTREAM_METADATA", "huidu:served_by")}'
    ',"attempts":%UPSTREAM_REQUEST_ATTEMPT_COUNT%,"status":%RESPONSE_CODE%,"ms":%DURATION%'
    f',"audio_seconds":{_known_or_null("DYNAMIC_METADATA", "huidu:audio_seconds")}'
    "}\n"
)
_REFUSED_FIELDS = {
    "time": "%START_TIME(%s.%3f)%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
}


@dataclass(frozen=True, slots=True)
class Files:
    """Where Envoy reads and writes: folders of watched files, its logs, its own socket."""

    admin_socket: str
    routes: str
    clusters: str
    tokens: str
    certificate: str
    log: str
    refused_log: str


def bootstrap(place: Place, files: Files) -> Json:
    """The document Envoy starts with."""
    connections = typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=_MAX_CONNECTIONS,
    )
    monitor = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": connections}
    return {
        "node": {"id": "huidu", "cluster": "huidu"},
        "admin": {"address": {"pipe": {"path": files.admin_socket, "mode": 0o600}}},
        "dynamic_resources": {"cds_config": watched_file(files.clusters, "cds.json")},
        "static_resources": {"listeners": [_listener(place, files)]},
        "overload_manager": {"resource_monitors": [monitor]},
    }


def certificate_held(chain: str, key: str) -> Json:
    """The listener's certificate itself, for files that were changed in a way that Envoy does not see."""
    pair = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
    secret = typed("extensions.transport_sockets.tls.v3.Secret", name=_CERTIFICATE, tls_certificate=pair)
    return discovery("2", [secret])


def certificate(tls: Tls) -> Json:
    """What the listener's certificate is read from, again whenever something is renamed beside it."""
    secret = typed(
        "extensions.transport_sockets.tls.v3.Secret",
        name=_CERTIFICATE,
        tls_certificate={
            "certificate_chain": {"filename": tls.certificate},
            "private_key": {"filename": tls.key},
            "watched_directory": {"path": str(PurePath(tls.certificate).parent)},
        },
    )
    return discovery("1", [secret])


def _listener(place: Place, files: Files) -> Json:
    chain: Json = {"filters": [{"name": "envoy.http_connection_manager", "typed_config": _manager(place, files)}]}
    if place.tls:
        chain |= {"transport_socket": _tls(files), "transport_socket_connect_timeout": "10s"}
    return {
        "name": STAT_PREFIX,
        "address": {"socket_address": {"address": place.listen_host, "port_value": place.listen_port}},
        "per_connection_buffer_limit_bytes": _CONNECTION_BUFFER_BYTES,
        "filter_chains": [chain],
    }


def _tls(files: Files) -> Json:
    source = {"name": _CERTIFICATE, "sds_config": watched_file(files.certificate, "sds.json")}
    context = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificate_sds_secret_configs": [source]}
    return extension(
        "envoy.transport_sockets.tls",
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=context,
    )


def _manager(place: Place, files: Files) -> Json:
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=STAT_PREFIX,
        use_remote_address=True,
        skip_xff_append=True,
        # Services see what was sent: neither the path nor their own name in answers is rewritten.
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        server_header_transformation="PASS_THROUGH",
        max_request_headers_kb=-(-place.max_header_bytes // 1024),
        request_headers_timeout="10s",
        # Longer than anything says nothing that is alive: a socket may be silent for an hour.
        stream_idle_timeout="7200s",
        # Whoever is refused while sending has this long to hear it, and whoever's answer breaks off waits this long.
        delayed_close_timeout="1s",
        common_http_protocol_options={
            "idle_timeout": "120s",
            "max_headers_count": _MAX_HEADERS,
            # WSGI-like servers read x_huidu and x-huidu as one name.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http_protocol_options={"accept_http_10": True},
        http2_protocol_options={
            "max_concurrent_streams": 256,
            "initial_stream_window_size": _CONNECTION_BUFFER_BYTES,
            "initial_connection_window_size": 4 * _CONNECTION_BUFFER_BYTES,
        },
        upgrade_configs=[{"upgrade_type": "websocket"}],
        early_header_mutation_extensions=[_first_of_all()],
        rds={"route_config_name": ROUTES_NAME, "config_source": watched_file(files.routes, "rds.json")},
        http_filters=_filters(files),
        access_log=[
            _log(files.log, {"text_format_source": {"inline_string": _LOG_LINE}}, chosen=True),
            _log(files.refused_log, {"json_format": _REFUSED_FIELDS}, chosen=False),
        ],
        local_reply_config=_local_replies(),
    )


def _first_of_all() -> Json:
    """Names of ours and of Envoy's that a client sends are dropped before anything reads them.

    And the peer joins what proxies said: here, where the policy finds both in one place, and not by the connection
    manager, which writes its own address for a peer on loopback.
    """
    prefixes = [{"key_matcher": {"prefix": prefix, "ignore_case": True}} for prefix in ("x-huidu-", "x-envoy-")]
    peer = header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "APPEND_IF_EXISTS_OR_ADD")
    dropped = [*({"remove_on_match": prefix} for prefix in prefixes), {"remove": "x-request-id"}]
    return extension(
        "first",
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[*dropped, {"append": peer}],
    )


def _filters(files: Files) -> list[Json]:
    seconds: Json = {
        "metadata_namespace": "huidu",
        "key": "audio_seconds",
        "type": "NUMBER",
        # Nothing is made of what is no plain number: NaN and infinity, which Envoy knows, are no JSON.
        "regex_value_rewrite": {"pattern": {"regex": _NO_PLAIN_NUMBER}, "substitution": ""},
    }
    discovered = {"config_source": watched_file(files.tokens, "ecds.json"), "type_urls": [f"{TYPE}.{tokens.KIND}"]}
    return [
        {"name": tokens.FILTER, "config_discovery": discovered},
        # The program is part of the routes, and says itself when they are to be looked up again.
        extension(LUA_FILTER, "extensions.filters.http.lua.v3.Lua", clear_route_cache=False),
        extension(
            "envoy.filters.http.header_to_metadata",
            "extensions.filters.http.header_to_metadata.v3.Config",
            response_rules=[{"header": "x-audio-seconds", "on_header_present": seconds}],
        ),
        extension(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            # Services and clients see nothing of Envoy's that is not asked for.
            suppress_envoy_headers=True,
        ),
    ]


def _log(path: str, form: Json, chosen: bool) -> Json:
    """A log of requests that the policy chose a version for, or of those refused before it ran."""
    has_rule = {"name": RULE_HEADER, "present_match": chosen}
    return {
        **extension(
            "envoy.access_loggers.file",
            "extensions.access_loggers.file.v3.FileAccessLog",
            path=path,
            log_format=form,
        ),
        "filter": {"header_filter": {"header": has_rule}},
    }


def _local_replies() -> Json:
    """What the gateway itself answers is JSON in the one error shape."""
    body = {"error": "gateway", "detail": "%LOCAL_REPLY_BODY%", "flags": "%RESPONSE_FLAGS%"}
    again = {"headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}]}
    # An upload too large to be kept for a second try is told so by 507, which no client knows what to do with.
    return {
        "mappers": [
            {"filter": _status(507), "status_code": 503, **again},
            {"filter": _status(503), **again},
        ],
        "body_format": {"json_format": body},
    }


def _status(code: int) -> Json:
    comparison = {"op": "EQ", "value": {"default_value": code, "runtime_key": f"huidu.status_{code}"}}
    return {"status_code_filter": {"comparison": comparison}}
