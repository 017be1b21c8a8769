"""What Envoy starts with: the listener, its filters and its logs. Fixed while it runs."""

from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import PurePath

from huidu.adapters.gateways import answers
from huidu.adapters.gateways.envoy import tokens
from huidu.adapters.gateways.envoy.access_log import OPEN_SOCKET_INTERVAL, access_logs
from huidu.adapters.gateways.envoy.routing import LUA_FILTER, ROUTES_NAME, lua_program
from huidu.adapters.gateways.envoy.shapes import TYPE, Json, discovery, extension, header, typed, watched_file
from huidu.adapters.gateways.place import Place, Tls

# Envoy's statistics of the listener begin with it.
STAT_PREFIX = "front"
_CERTIFICATE = "front"

_CONNECTION_BUFFER_BYTES = 1 << 20
_MAX_HEADERS = 200
_NO_COUNT = ".*[^0-9].*|.{10,}"
_NO_PLAIN_NUMBER = ".*[^0-9.].*|.{16,}"


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


def bootstrap(place: Place, files: Files, max_connections: int) -> Json:
    """The document Envoy starts with; it has at most `max_connections` clients connected, and closes further ones."""
    connections = typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=max_connections,
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
        # Who speaks it need not say whom: it is us.
        http_protocol_options={"accept_http_10": True, "default_host_for_http_10": "huidu"},
        http2_protocol_options={
            "max_concurrent_streams": 256,
            "initial_stream_window_size": _CONNECTION_BUFFER_BYTES,
            "initial_connection_window_size": 4 * _CONNECTION_BUFFER_BYTES,
        },
        # Sockets alone have their frames read: other requests do not pass that filter.
        upgrade_configs=[{"upgrade_type": "websocket", "filters": _filters(files, [_frames()])}],
        early_header_mutation_extensions=[_first_of_all()],
        rds={"route_config_name": ROUTES_NAME, "config_source": watched_file(files.routes, "rds.json")},
        http_filters=_filters(files, []),
        access_log=access_logs(files.log, files.refused_log),
        access_log_options={"access_log_flush_interval": OPEN_SOCKET_INTERVAL},
        local_reply_config=_local_replies(place),
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


def _filters(files: Files, last: list[Json]) -> list[Json]:
    """What requests pass on their way to a version; `last` before the router."""
    discovered = {"config_source": watched_file(files.tokens, "ecds.json"), "type_urls": [f"{TYPE}.{tokens.KIND}"]}
    return [
        {"name": tokens.FILTER, "config_discovery": discovered},
        # The program is part of the routes, and says itself when they are to be looked up again.
        extension(LUA_FILTER, "extensions.filters.http.lua.v3.Lua", clear_route_cache=False),
        extension(
            "envoy.filters.http.header_to_metadata",
            "extensions.filters.http.header_to_metadata.v3.Config",
            response_rules=[
                _noted("x-audio-seconds", "audio_seconds", _NO_PLAIN_NUMBER),
                _noted("x-huidu-chars", "chars", _NO_COUNT),
            ],
        ),
        *last,
        extension(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            # Services and clients see nothing of Envoy's that is not asked for.
            suppress_envoy_headers=True,
        ),
    ]


def _noted(name: str, key: str, no_number: str) -> Json:
    """An answer's header that the log shows where it is a number.

    Nothing is made of what is none, going by a pattern: NaN and infinity, which Envoy knows, are no JSON.
    """
    nothing: Json = {"pattern": {"regex": no_number}, "substitution": ""}
    noted = {"metadata_namespace": "huidu", "key": key, "type": "NUMBER", "regex_value_rewrite": nothing}
    return {"header": name, "on_header_present": noted}


def _frames() -> Json:
    """Reads what passes through sockets that the policy marked (`frames.lua`)."""
    program = lua_program(resources(__package__).joinpath("frames.lua").read_text())
    source = {"inline_string": program}
    return extension("huidu.frames", "extensions.filters.http.lua.v3.Lua", default_source_code=source)


def _local_replies(place: Place) -> Json:
    """What the gateway itself answers, in the one error shape: Envoy's own words may name what is behind it."""
    told = (answers.NO_UPGRADE, answers.NOT_FOUND, answers.NO_METHOD, answers.LATE, answers.NOT_IMPLEMENTED)
    sizes = (answers.too_large(place), answers.header_too_large(place))
    # An upload too large to be kept for a second try is told so by 507, which no client knows what to do with.
    closed = [mapper for status in (503, 502, 504, 507) for mapper in _mappers("EQ", status, answers.CLOSED)]
    others = [mapper for answer in (*told, *sizes) for mapper in _mappers("EQ", answer.status, answer)]
    rest = [*_mappers("GE", 500, answers.BROKEN), *_mappers("GE", 400, answers.MALFORMED)]
    return {"mappers": [*closed, *others, *rest]}


def _mappers(operator: str, status: int, answer: answers.Answer) -> list[Json]:
    """Gives local replies of a status an answer: in OpenAI's shape below its paths, else in ours."""
    comparison = {"op": operator, "value": {"default_value": status, "runtime_key": f"huidu.status_{status}"}}
    of_status = {"status_code_filter": {"comparison": comparison}}
    path = {"name": ":path", "string_match": {"prefix": answers.OPENAI_PATHS}}
    of_both = {"and_filter": {"filters": [of_status, {"header_filter": {"header": path}}]}}
    more: Json = {}
    if answer is answers.CLOSED:
        more = {"status_code": answer.status, "headers_to_add": [{"header": {"key": "retry-after", "value": "1"}}]}
    return [
        {"filter": chosen, "body_format_override": _format(text), **more}
        for chosen, text in ((of_both, answer.openai()), (of_status, answer.ours()))
    ]


def _format(text: str) -> Json:
    return {"text_format_source": {"inline_string": text}, "content_type": "application/json"}
