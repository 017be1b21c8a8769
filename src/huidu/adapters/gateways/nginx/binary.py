"""The nginx of this machine: where it is, how it gets its Lua, and what it thinks of a configuration."""

import re
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from huidu.core.errors import InvalidError, UnavailableError

INSTALL = "apt-get install nginx-light libnginx-mod-http-lua lua-cjson"
_SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/usr/local/openresty/nginx/sbin")
_LUA_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_CHECK_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Nginx:
    """`load` lists the files by which its Lua module must be loaded first; none where that is built in."""

    path: str
    load: tuple[str, ...]


def find_nginx_with_lua() -> Nginx:
    """Raises `UnavailableError` where nginx or its Lua module is missing."""
    path = shutil.which("nginx") or next(
        (found for each in _SYSTEM_PATHS if (found := shutil.which("nginx", path=each))), None
    )
    if path is None:
        raise UnavailableError(f"nginx is not installed; accepted: {INSTALL}")
    load = _lua_of(path)
    if load is None:
        raise UnavailableError(f"{path} has no Lua module; accepted: {INSTALL}")
    return Nginx(path, load)


@cache
def _lua_of(path: str) -> tuple[str, ...] | None:
    """The files of an nginx's Lua module; None where it has none."""
    build = subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stderr
    if "lua-nginx-module" in build or "ngx_devel_kit" in build:
        return ()
    found = re.search(r"--modules-path=(\S+)", build)
    folder = Path(found[1]) if found else Path("/usr/lib/nginx/modules")
    files = tuple(str(folder / name) for name in _LUA_MODULES)
    return files if all(Path(file).exists() for file in files) else None


def check(nginx: Nginx, configuration: Path) -> None:
    """Raises `InvalidError` with nginx's own words where it refuses a configuration."""
    command = [nginx.path, "-t", "-q", "-e", "stderr", "-p", str(configuration.parent), "-c", str(configuration)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_CHECK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"nginx did not check its configuration within {_CHECK_SECONDS} s") from None
    if done.returncode:
        raise InvalidError(f"nginx refuses its configuration: {_first_complaint(done.stderr)}")


def _first_complaint(words: str) -> str:
    lines = [line for line in words.splitlines() if line.strip()]
    grave = [line for line in lines if "[emerg]" in line or "[alert]" in line or "[error]" in line]
    complaint = (grave or lines or ["it says nothing"])[0]
    return complaint.removeprefix("nginx: ").strip()


def authorities() -> str:
    """The system's authorities in one file."""
    paths = ssl.get_default_verify_paths()
    listed = (
        paths.cafile,
        paths.openssl_cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    )
    return next((path for path in listed if path and Path(path).exists()), "/etc/ssl/certs/ca-certificates.crt")
