"""nginx's configuration as pure functions: what stays while routes change.

`huidu.conf` is all that an nginx needs inside its `http` block, be it our own or one that already runs; `nginx.conf`
is our own around it. Both hold nothing of a policy: that is in the state (`state.py`). Only the authorities that vouch
for HTTPS upstreams stand here, for nginx takes them from nowhere else: a version spoken to by HTTPS that is new to the
configuration costs a reload.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from huidu.adapters.gateways import answers
from huidu.adapters.gateways.nginx.state import location_suffix
from huidu.adapters.gateways.nginx.text import lua_text, quoted
from huidu.adapters.gateways.place import Place
from huidu.adapters.gateways.policy import policy_source
from huidu.core.routes import Upstream
from huidu.core.units import KEY_ID_HEADER

# What nginx itself says where one client has too many requests open, on the way to the answer that tells so.
_CROWDED = 598


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths that nginx reads and writes: its own folder, the control socket, the logs, the system's authorities."""

    folder: str
    socket: str
    log: str
    refused_log: str
    authorities: str


@dataclass(frozen=True, slots=True)
class Process:
    """How our own nginx runs. `user` is named only when it is root that starts it; `load` are modules to load."""

    workers: int
    connections: int
    open_files: int
    user: str | None
    load: tuple[str, ...]

    @property
    def requests_of_one_client(self) -> int:
        """Half of all that can be open: each takes a connection to its client and one to a version."""
        return max(1, self.workers * self.connections // 4)


def lua_files() -> dict[str, str]:
    """The Lua sources by name, beside one another."""
    listed = files(__package__).joinpath("lua").iterdir()
    sources = {entry.name: entry.read_text() for entry in listed if entry.name.endswith(".lua")}
    offered = ", ".join(f"{name} = {name}" for name in ("compile", "decide", "request_kind", "hang_after"))
    return sources | {"policy.lua": f"{policy_source()}\nreturn {{ {offered} }}\n"}


def nginx_conf(layout: Layout, process: Process) -> str:
    """An nginx of our own, in the foreground, with all it writes in its folder."""
    load = "".join(f"load_module {quoted(path)};\n" for path in process.load)
    user = f"user {quoted(process.user)};\n" if process.user else ""
    temporary = "".join(
        f"    {kind}_temp_path {quoted(f'{layout.folder}/{kind}_temporary')};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""# Made by Huidu; changes are overwritten.
{load}{user}daemon off;
pid {quoted(f"{layout.folder}/nginx.pid")};
# Each failed try of a candidate would be an error to nginx; the log of requests tells of them.
error_log {quoted(f"{layout.folder}/error.log")} crit;
worker_processes {process.workers};
worker_rlimit_nofile {process.open_files};
events {{
    worker_connections {process.connections};
}}
http {{
{temporary}    access_log off;
    sendfile on;
    server_tokens off;
    include {quoted(f"{layout.folder}/huidu.conf")};
}}
"""


def huidu_conf(
    place: Place,
    layout: Layout,
    upstreams: Sequence[Upstream],
    key_id: str,
    alone: bool,
    mark: str,
    requests_of_one_client: int,
) -> str:
    """The part to include in the `http` block of an nginx with the Lua module.

    `upstreams` are those spoken to by HTTPS, `key_id` names the keys of units and peers. `alone` says that nginx is
    ours, `mark` names this rendering. One client address has at most `requests_of_one_client` open.
    """
    return f"""# Made by Huidu; changes are overwritten.
# All that an nginx needs inside its http block:  include {layout.folder}/huidu.conf;
# It must have loaded the Lua module. Where it has an init_by_lua or init_worker_by_lua of its own, the lines of these
# two blocks go in there, and the blocks go away.

lua_shared_dict huidu 16m;
lua_shared_dict huidu_counts 1m;
# A client's address as its keyed hash; the zone has room for one of each connection.
limit_conn_zone $huidu_client zone=huidu_clients:16m;
init_by_lua_block {{
    huidu = assert(loadfile({lua_text(f"{layout.folder}/lua/init.lua")}))({lua_text(f"{layout.folder}/lua")}, {{
{_fixed(place, layout, upstreams, alone, mark)}    }})
}}
init_worker_by_lua_block {{ huidu.start() }}

{_maps()}

{_upstream("huidu_plain")}
{"".join(_upstream(f"huidu{location_suffix(up)}") for up in upstreams)}
server {{
{listen(place)}
{"    ssl_certificate_by_lua_block { huidu.certificate() }" if place.tls else ""}
{_limits(place, requests_of_one_client)}
    # Each line at once: one that is held back is lost with its worker, and was counted.
    access_log {quoted(layout.log)} huidu if=$huidu_log;

{_proxying(place.tls is not None, key_id)}
{_error_pages()}

    uninitialized_variable_warn off;
    log_by_lua_block {{ huidu.ended() }}

    location / {{
        set $huidu_attempt 1;
        set $huidu_header_bytes $request_length;
        set_by_lua_block $huidu_generation {{ return huidu.route() }}
        if ($huidu_to) {{ return 418; }}
        proxy_pass http://huidu_plain;
    }}
{_locations("", "http://huidu_plain", "")}
{"".join(_tls_locations(up, layout) for up in upstreams)}
{"".join(_own_answer(f"= /-/huidu/{name}", answer, layout) for name, answer in _by_path(place).items())}
{_named_answers(place, layout, requests_of_one_client)}
    location @variables {{
        set $huidu_to ""; set $huidu_back ""; set $huidu_host ""; set $huidu_cookie "";
        set $huidu_rule ""; set $huidu_unit ""; set $huidu_release ""; set $huidu_peer ""; set $huidu_share_bp "";
        set $huidu_client ""; set $huidu_log ""; set $huidu_socket "";
    }}
}}

{_asked_server(layout)}
"""


def _maps() -> str:
    """What the log's lines are made of, and what an upgrade needs."""
    return f"""map $http_upgrade $huidu_upgrade {{ default ""; "" ""; ~*^websocket$ websocket; }}
map $http_upgrade $huidu_connection {{ default ""; "" ""; ~*^websocket$ upgrade; }}
map $sent_http_x_audio_seconds $huidu_audio_seconds {{
    default null;
    "" null;
    "~^(0|[1-9][0-9]{{0,8}})(\\.[0-9]{{1,9}})?$" $sent_http_x_audio_seconds;
}}
map $sent_http_x_huidu_chars $huidu_chars {{
    default null;
    "" null;
    "~^(0|[1-9][0-9]{{0,8}})$" $sent_http_x_huidu_chars;
}}
# Seconds to the beginning of the answer of the last try; there is none of a socket.
map $huidu_socket$upstream_header_time $huidu_service_ms {{
    default null;
    "-" null;
    "~^([^s]*[ ,:])?([0-9]+\\.[0-9]+)$" $2e3;
}}
{_shapes()}
# A client that was gone before there was a status; by HTTP/0.9 its place holds another number.
map $status $huidu_status {{ default $status; 000 499; 009 499; }}
map $huidu_log $huidu_unchosen {{ default ""; "" 1; }}
log_format huidu escape=none
    '$huidu_log"status":$huidu_status,"ms":${{request_time}}e3,"service_ms":$huidu_service_ms,'
    '"bytes_down":$body_bytes_sent,"audio_seconds":$huidu_audio_seconds,"chars":$huidu_chars,"flags":null,'
    # What happens on a socket after its upgrade is nothing that nginx sees.
    '"close_code":null,"closed_by":null,"first_message_ms":null,"frames_up":null,"frames_down":null}}';
log_format huidu_refused escape=json '{{"time":$msec,"status":"$status","request_bytes":$request_length}}';"""


def _error_pages() -> str:
    return f"""    # Our own answers, in one shape. 418 leads from the choice to another location.
    default_type application/json;
    recursive_error_pages on;
    error_page 418 = $huidu_to;
    # By path, because a request without one cannot be sent to a location by name.
    error_page 400 421 495 496 497 =400 /-/huidu/bad-request;
    error_page 403 404 /-/huidu/not-found;
    error_page 405 /-/huidu/no-method;
    error_page 501 /-/huidu/not-implemented;
    error_page 505 /-/huidu/no-protocol;
    error_page 414 494 =431 /-/huidu/header-too-large;
    error_page 413 @too_large;
    error_page 500 @broken;
    error_page 502 503 504 =503 @closed;
    error_page {_CROWDED} =503 @crowded;"""


def _named_answers(place: Place, layout: Layout, requests_of_one_client: int) -> str:
    """Where `_error_pages` lead by name."""
    return f"""    location @no_method {{{_refusal(layout)} return {_said(answers.NO_METHOD)}; }}
    location @too_large {{{_refusal(layout)}
        return {_said(answers.too_large(place))}; }}
    location @broken {{{_refusal(layout)} return {_said(answers.BROKEN)}; }}
    location @closed {{{_refusal(layout)}
        {_answer_headers()}
        add_header Retry-After 1 always;
        return {_said(answers.CLOSED)};
    }}
    location @crowded {{{_refusal(layout)}
        {_answer_headers()}
        add_header Retry-After 1 always;
        return 503 '{_error("unavailable", _crowded(requests_of_one_client))}';
    }}"""


def _asked_server(layout: Layout) -> str:
    """The server on the control socket, where Huidu asks and hands over the state."""
    return f"""server {{
    listen {quoted(f"unix:{layout.socket}")};
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    location = /state {{ content_by_lua_block {{ huidu.control.state() }} }}
    location = /generation {{ content_by_lua_block {{ huidu.control.generation() }} }}
    location = /in-flight {{ content_by_lua_block {{ huidu.control.in_flight() }} }}
    location = /status {{ content_by_lua_block {{ huidu.control.status() }} }}
    location / {{ return 404; }}
}}"""


def _fixed(place: Place, layout: Layout, upstreams: Sequence[Upstream], alone: bool, mark: str) -> str:
    """What init.lua calls `place`."""
    entries = {
        "state_file": lua_text(f"{layout.folder}/state.json"),
        "socket": lua_text(layout.socket),
        "mark": lua_text(mark),
        "alone": "true" if alone else "false",
        "answers": "{ " + "".join(_in_lua(answer) for answer in (answers.MALFORMED, answers.too_large(place))) + "}",
        "openai_paths": lua_text(answers.OPENAI_PATHS),
        "methods": "{ " + "".join(f"[{lua_text(method)}] = true, " for method in answers.METHODS) + "}",
        "locations": "{ " + "".join(f"[{lua_text(location_suffix(up))}] = true, " for up in upstreams) + "}",
    }
    if place.tls is not None:
        entries |= {"certificate": lua_text(place.tls.certificate), "certificate_key": lua_text(place.tls.key)}
    return "".join(f"        {name} = {value},\n" for name, value in entries.items())


def _upstream(name: str) -> str:
    # Kept connections end before the 75 s after which instances end them.
    return f"""upstream {name} {{
    server 0.0.0.1;
    balancer_by_lua_block {{ huidu.balance() }}
    keepalive 256;
    keepalive_requests 1000000;
    keepalive_timeout 30s;
}}
"""


def listen(place: Place) -> str:
    """Where the server listens, and with which certificate."""
    host = f"[{place.listen_host}]" if ":" in place.listen_host else place.listen_host
    address = quoted(f"{host}:{place.listen_port}")
    if place.tls is None:
        return f"    listen {address};"
    return f"""    listen {address} ssl http2;
    ssl_certificate {quoted(place.tls.certificate)};
    ssl_certificate_key {quoted(place.tls.key)};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:huidu_tls:4m;"""


def _limits(place: Place, requests_of_one_client: int) -> str:
    return f"""    client_max_body_size {place.max_upload_bytes};
    client_body_buffer_size 2m;
    large_client_header_buffers 2 {place.max_header_bytes};
    client_header_timeout 10s;
    # Between two reads: whoever sends nothing for so long is gone.
    client_body_timeout 30s;
    limit_conn huidu_clients {requests_of_one_client};
    # A status of its own, which no version answers: a 503 of a candidate's would lead to the stable version.
    limit_conn_status {_CROWDED};
    # So that an early answer reaches a client that is still sending.
    lingering_time 60s;
    keepalive_requests 1000000;
    # Servers behind may read x_huidu and x-huidu as one name.
    underscores_in_headers off;
    ignore_invalid_headers on;
    gzip off;"""


def _proxying(tls: bool, key_id: str) -> str:
    """The complete set of headers: a location with one of its own would inherit none."""
    return f"""    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $huidu_upgrade;
    proxy_set_header Connection $huidu_connection;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto {"https" if tls else "http"};
    # Those without a value are not sent.
    proxy_set_header X-Request-Id $request_id;
    proxy_set_header x-huidu-rule $huidu_rule;
    proxy_set_header x-huidu-unit $huidu_unit;
    proxy_set_header {KEY_ID_HEADER} {quoted(key_id)};
    proxy_set_header x-huidu-attempt $huidu_attempt;
    proxy_set_header x-huidu-release $huidu_release;
    proxy_set_header x-huidu-peer $huidu_peer;
    proxy_set_header x-huidu-share-bp $huidu_share_bp;
    proxy_hide_header x-huidu-generation;
    proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;
    {_answer_headers()}

    # Uploads are read whole, so that they can be sent twice; answers go on as they come.
    proxy_request_buffering on;
    proxy_buffering off;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    proxy_redirect off;
    proxy_socket_keepalive on;
    proxy_connect_timeout 5s;
    # A socket may be silent for hours. A candidate that hangs is given up sooner (lua/balance.lua).
    proxy_read_timeout 24h;
    proxy_send_timeout 5m;
    # A kept connection that breaks is tried again on a new one, and the stable version on one more address.
    proxy_next_upstream error timeout non_idempotent;"""


def _answer_headers() -> str:
    return "add_header x-huidu-generation $huidu_generation always; add_header Set-Cookie $huidu_cookie always;"


def _locations(suffix: str, upstream: str, more: str) -> str:
    """Where one kind of upstream serves as the candidate, and as the stable version."""
    return f"""    location @candidate{suffix} {{
        proxy_intercept_errors on;
        error_page 502 503 504 = $huidu_back;
        error_page {_CROWDED} =503 @crowded;
        header_filter_by_lua_block {{ huidu.answer_header() }}
        body_filter_by_lua_block {{ huidu.answer_body() }}
        proxy_connect_timeout 1s;
        {more}proxy_pass {upstream};
    }}
    location @stable{suffix} {{
        set_by_lua_block $huidu_refused {{ return huidu.again() }}
        if ($huidu_refused) {{ return 503; }}
        {more}proxy_pass {upstream};
    }}
"""


def _tls_locations(upstream: Upstream, layout: Layout) -> str:
    suffix = location_suffix(upstream)
    more = f"""proxy_ssl_server_name on;
        proxy_ssl_name $huidu_host;
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 8;
        proxy_ssl_trusted_certificate {quoted(upstream.ca or layout.authorities)};
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        """
    return _locations(suffix, f"https://huidu{suffix}", more)


def _refusal(layout: Layout) -> str:
    return f"""
        access_log {quoted(layout.log)} huidu if=$huidu_log;
        access_log {quoted(layout.refused_log)} huidu_refused if=$huidu_unchosen;"""


def _by_path(place: Place) -> dict[str, answers.Answer]:
    """Answers to what may have no path, and so cannot be sent to a location by name."""
    return {
        "bad-request": answers.MALFORMED,
        "not-found": answers.NOT_FOUND,
        "no-method": answers.NO_METHOD,
        "header-too-large": answers.header_too_large(place),
        "not-implemented": answers.NOT_IMPLEMENTED,
        "no-protocol": answers.NO_PROTOCOL,
    }


def _own_answer(location: str, answer: answers.Answer, layout: Layout) -> str:
    return f"""    location {location} {{{_refusal(layout)}
        internal; return {_said(answer)};
    }}
"""


def _in_lua(answer: answers.Answer) -> str:
    return f"[{answer.status}] = {{ ours = {lua_text(answer.ours())}, openai = {lua_text(answer.openai())} }}, "


def _said(answer: answers.Answer) -> str:
    return f"{answer.status} '{_error(answer.family, answer.detail)}'"


def _error(family: str, detail: str) -> str:
    """An error in the shape of its path: the maps of `_shapes` around its words."""
    kind = "failed" if family in ("internal", "unavailable") else "refused"
    return f"${{huidu_detail}}{detail}${{huidu_{kind}}}{family}${{huidu_end}}"


def _shapes() -> str:
    """What stands around the words of an answer of our own: OpenAI's shape below its paths, else ours."""
    openai = {kind: f'","type":"{kind}","param":null,"code":"' for kind in ("invalid_request_error", "server_error")}
    parts = {
        "detail": ('{"detail":"', '{"error":{"message":"'),
        "refused": ('","error":"', openai["invalid_request_error"]),
        "failed": ('","error":"', openai["server_error"]),
        "end": ('"}', '"}}'),
    }
    return "\n".join(
        f"map $request_uri $huidu_{name} {{ default '{ours}'; \"~^{answers.OPENAI_PATHS}\" '{theirs}'; }}"
        for name, (ours, theirs) in parts.items()
    )


def _crowded(requests_of_one_client: int) -> str:
    return f"this address has {requests_of_one_client} requests open; accepted: no more at a time"
