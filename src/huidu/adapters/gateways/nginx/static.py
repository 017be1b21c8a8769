"""nginx without its Lua module: the audience as maps and split_clients, changed by a reload.

Much less than the real thing, and `without_lua` says what is missing. Where a rule cannot be followed, nobody gets the
candidate because of that.
"""

import re

from huidu.adapters.gateways.nginx.binary import authorities
from huidu.adapters.gateways.nginx.render import listen
from huidu.adapters.gateways.nginx.state import host_port
from huidu.adapters.gateways.nginx.text import quoted
from huidu.adapters.gateways.place import Place
from huidu.core.audience import (
    ADDRESS,
    COOKIE,
    HEADER_PREFIX,
    SUBJECT,
    UID_COOKIE,
    Audience,
    ClaimRule,
    CookieRule,
    HeaderRule,
    Matcher,
    NetworkRule,
)
from huidu.core.bucket import BUCKETS
from huidu.core.errors import InvalidError
from huidu.core.routes import Routes, Upstream

_ALWAYS = (
    "every change of a share or a rule is a reload: connections that are open then may be reset",
    "the share does not end by itself when control is away",
    "a candidate that hangs is not given up: hang_after falls away",
    "the number of requests that fall back at a time is not limited: max_fallbacks and retry_body fall away",
    "users are not told apart in the log: unit is the same for all, and bucket is null",
    "how many requests are open towards a version is not known: drained cannot be proven",
    "of the x-huidu- headers that a client sends only those that Huidu uses are dropped",
)


def without_lua(audience: Audience) -> list[str]:
    """What falls away without the Lua module, one sentence each."""
    rules = (*audience.exclude, *audience.include)
    found = list(_ALWAYS)
    if audience.windows:
        found.append("the window opens and closes only when the configuration is written again and reloaded")
    if audience.jwt is not None:
        found.append("tokens are not read: nobody is known by jwt.sub, and include rules with jwt match nobody")
    if any(isinstance(rule, ClaimRule) for rule in audience.exclude):
        found.append("exclude rules with jwt cannot be followed: the share gets no users, include rules stay")
    if audience.volunteers_only:
        found.append("volunteers cannot be told: the share gets no users, include rules stay")
    if any(isinstance(rule, HeaderRule) for rule in rules):
        found.append("of a header that is sent several times only the first counts")
    if ADDRESS in audience.key:
        found.append("whose unit is the address falls into another bucket than with Lua")
    return found


def static_configuration(routes: Routes, place: Place, now: float, log: str) -> str:
    """The part to include in the `http` block of an nginx without Lua, as it must be at `now` (epoch seconds).

    `log` is the path of the log. Raises `InvalidError` where the stable version has no address.
    """
    stable = routes.upstream(routes.stable)
    if stable is None or not stable.addresses:
        raise InvalidError(f"version '{routes.stable}' has no address; accepted: at least one")
    candidate = routes.upstream(routes.candidate) if routes.candidate else None
    return f"""# Made by Huidu for an nginx without the Lua module; changes are overwritten.
{_user(routes.audience, place)}
{_rule(routes, place, now) if candidate else "map 1 $huidu_rule { default no_release; }"}
map $huidu_rule $huidu_side {{ default stable; included candidate; share candidate; }}
{_log_format(routes)}
{_upstream("huidu_stable", stable, None)}
{_upstream("huidu_candidate", candidate, stable) if candidate else ""}
server {{
{_server(routes, place, log)}
{_location("/", stable, "huidu_stable", _LEAVE if candidate else "")}
{_location("@candidate", candidate, "huidu_candidate", _FALLBACK) if candidate else ""}
}}
"""


_LEAVE = """error_page 418 = @candidate;
        if ($huidu_side = candidate) { return 418; }
        """
_FALLBACK = """proxy_connect_timeout 1s;
        proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent;
        proxy_next_upstream_tries 2;
        """


def _user(audience: Audience, place: Place) -> str:
    """What a request is drawn by: the first of the key that it has, as maps one behind the other.

    $request_id becomes the cookie, so the id that is logged and handed on is another.
    """
    lines, behind = ['map 1 $huidu_id { default "$pid-$connection-$connection_requests-$msec"; }'], "$request_id"
    variables = [_key_variable(kind) for kind in audience.key if kind != SUBJECT]
    for index in reversed(range(len(variables))):
        lines.append(f'map {variables[index]} $huidu_user_{index} {{ "" {behind}; default {variables[index]}; }}')
        behind = f"$huidu_user_{index}"
    lines.append(f"map 1 $huidu_user {{ default {behind}; }}")
    secure = "; Secure" if place.tls else ""
    cookie = f"{UID_COOKIE}=$request_id; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"
    # Who is drawn by the new id is the one who has nothing else.
    minted = f' "~^([0-9a-f]+):\\1$" "{cookie}";' if COOKIE in audience.key else ""
    lines.append(f'map "$request_id:$huidu_user" $huidu_cookie {{ default "";{minted} }}')
    kind = "new" if COOKIE in audience.key else "request"
    lines.append(f'map "$request_id:$huidu_user" $huidu_kind {{ default known; "~^([0-9a-f]+):\\1$" {kind}; }}')
    return "\n".join(lines)


def _key_variable(kind: str) -> str:
    if kind == COOKIE:
        return f"$cookie_{UID_COOKIE}"
    if kind == ADDRESS:
        return "$remote_addr"
    return _header_variable(kind.removeprefix(HEADER_PREFIX))


def _header_variable(name: str) -> str:
    return f"$http_{name.lower().replace('-', '_')}"


def _rule(routes: Routes, place: Place, now: float) -> str:
    audience = routes.audience
    return f"""{_any("excluded", audience.exclude, place)}
{_any("included", audience.include, place)}
{_drawn(routes)}
map "$huidu_excluded:$huidu_included:$huidu_drawn" $huidu_rule {{
    default {_closed(routes, now) or "rest"};
    ~^1 excluded;
    ~^0:1 included;
    {"" if _closed(routes, now) else "~share$ share;"}
}}"""


def _closed(routes: Routes, now: float) -> str | None:
    """The rule for whom the share is not open; None where it is. What cannot be told closes it."""
    audience = routes.audience
    if audience.windows and not any(start <= now < end for start, end in routes.open):
        return "window"
    if routes.expires_at is not None and now >= routes.expires_at:
        return "expired"
    if audience.volunteers_only or any(isinstance(rule, ClaimRule) for rule in audience.exclude):
        return "not_volunteer"
    return None


def _drawn(routes: Routes) -> str:
    # nginx takes neither 0 % nor more than 100 %.
    if routes.share_bp in (0, BUCKETS):
        return f"map 1 $huidu_drawn {{ default {'share' if routes.share_bp else 'rest'}; }}"
    percent = f"{routes.share_bp / 100:.2f}"
    return f'split_clients "{routes.bucket_salt}:$huidu_user" $huidu_drawn {{ {percent}% share; * rest; }}'


def _any(name: str, rules: tuple[Matcher, ...], place: Place) -> str:
    """One variable for each rule, 1 where it matches, and $huidu_NAME, 1 where one does."""
    lines, variables = [], []
    for index, rule in enumerate(rules):
        made = _matching(rule, f"$huidu_{name}_{index}", place)
        if made is not None:
            lines.append(made)
            variables.append(f"$huidu_{name}_{index}")
    lines.append(f'map "{"".join(variables) or "0"}" $huidu_{name} {{ default 0; ~1 1; }}')
    return "\n".join(lines)


def _matching(rule: Matcher, variable: str, place: Place) -> str | None:
    """None for what nginx cannot tell."""
    match rule:
        case CookieRule(name, None):
            return _map("$http_cookie", variable, rf"(?:^|;)[ \t]*{re.escape(name)}[ \t]*=")
        case CookieRule(name, value):
            pattern = rf"(?:^|;)[ \t]*{re.escape(name)}[ \t]*=[ \t]*{re.escape(value or '')}[ \t]*(?:;|$)"
            return _map("$http_cookie", variable, pattern)
        case HeaderRule(name, value):
            return _map(_header_variable(name), variable, f"^{re.escape(value)}$")
        case NetworkRule(network):
            proxies = "".join(f"proxy {each}; " for each in place.trusted_proxies)
            recursive = "proxy_recursive; " if place.trusted_proxies else ""
            return f"geo {variable} {{ default 0; {recursive}{proxies}{network} 1; }}"
        case ClaimRule():
            return None


def _map(source: str, variable: str, pattern: str) -> str:
    # A `$` here is the end of the text: a map's key is no place for variables.
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'map {source} {variable} {{ default 0; "~{escaped}" 1; }}'


def _log_format(routes: Routes) -> str:
    candidate = routes.candidate or routes.stable
    release = "null" if routes.release is None else routes.release
    # nginx lists the addresses that it tried, with commas between.
    return f"""map $huidu_side $huidu_version {{ default {quoted(routes.stable)}; candidate {quoted(candidate)}; }}
map $upstream_addr $huidu_attempts {{ default 1; "" 0; ~, 2; }}
map "$huidu_attempts$huidu_side" $huidu_served_by {{ default {quoted(routes.stable)}; 1candidate {quoted(candidate)}; }}
map $sent_http_x_audio_seconds $huidu_audio_seconds {{
    default null;
    "~^(0|[1-9][0-9]{{0,8}})(\\.[0-9]{{1,9}})?$" $sent_http_x_audio_seconds;
}}
map $status $huidu_status {{ default $status; 000 499; }}
log_format huidu escape=json
    '{{"time":$msec,"request_id":"$huidu_id","release":{release},"version":"$huidu_version",'
    '"served_by":"$huidu_served_by","generation":{routes.generation},"rule":"$huidu_rule",'
    '"unit":"0000000000000000","unit_kind":"$huidu_kind","bucket":null,"share_bp":{routes.share_bp},'
    '"attempts":$huidu_attempts,"status":$huidu_status,"ms":${{request_time}}e3,'
    '"audio_seconds":$huidu_audio_seconds}}';
map $http_upgrade $huidu_upgrade {{ default ""; "" ""; ~*^websocket$ websocket; }}
map $http_upgrade $huidu_connection {{ default ""; "" ""; ~*^websocket$ upgrade; }}"""


def _upstream(name: str, upstream: Upstream, fallback: Upstream | None) -> str:
    # One that is counted out would send the candidate's users to the stable version unasked.
    servers = [f"server {quoted(address)} max_fails=0;" for address in upstream.addresses]
    if fallback is not None and fallback.tls == upstream.tls:
        servers += [f"server {quoted(address)} backup;" for address in fallback.addresses]
    listed = "\n    ".join(servers)
    return f"upstream {name} {{\n    {listed}\n    keepalive 64;\n}}"


def _server(routes: Routes, place: Place, log: str) -> str:
    return f"""{listen(place)}
    client_max_body_size {place.max_upload_bytes};
    large_client_header_buffers 2 {place.max_header_bytes};
    client_header_timeout 10s;
    underscores_in_headers off;
    access_log {quoted(log)} huidu;
    add_header x-huidu-generation {routes.generation} always;
    add_header Set-Cookie $huidu_cookie always;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $huidu_upgrade;
    proxy_set_header Connection $huidu_connection;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $huidu_id;
    proxy_set_header x-huidu-rule $huidu_rule;
    proxy_set_header x-huidu-release "{routes.release or ""}";
    proxy_set_header x-huidu-unit "";
    proxy_set_header x-huidu-attempt "";
    proxy_set_header x-huidu-purpose "";
    proxy_hide_header x-huidu-generation;
    proxy_buffering off;
    proxy_read_timeout 24h;
    proxy_next_upstream error timeout non_idempotent;"""


def _location(name: str, upstream: Upstream, group: str, more: str) -> str:
    host = host_port(upstream.addresses[0])[0]
    verified = f"""proxy_ssl_server_name on;
        proxy_ssl_name {quoted(host)};
        proxy_ssl_verify on;
        proxy_ssl_verify_depth 8;
        proxy_ssl_trusted_certificate {quoted(upstream.ca or authorities())};
        """
    scheme = "https" if upstream.tls else "http"
    return f"""    location {name} {{
        {more}{verified if upstream.tls else ""}proxy_pass {scheme}://{group};
    }}"""
