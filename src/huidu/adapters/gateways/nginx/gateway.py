"""The nginx adapter: lays its configuration out, has nginx check it, and hands states over without a reload."""

import getpass
import hashlib
import logging
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.folder import until
from huidu.adapters.gateways.gateway import FileGateway
from huidu.adapters.gateways.nginx import render
from huidu.adapters.gateways.nginx.binary import Nginx, authorities, check, find_nginx_with_lua
from huidu.adapters.gateways.nginx.names import Names
from huidu.adapters.gateways.nginx.state import host_port, location_suffix, state
from huidu.adapters.gateways.nginx.swap import NginxFolder
from huidu.adapters.gateways.place import Place
from huidu.core.codec import StoredError
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.files import read_json, write_aside

_LOG = logging.getLogger(__name__)
_MASK = "********"
_MAX_WORKERS = 8
_MAX_CONNECTIONS = 16_384
_RELOAD_SECONDS = 5.0
# A control socket that a killed nginx left behind would keep the next one from starting.
_START = 'rm -f -- "$1"; shift; exec "$@"'


class NginxGateway(FileGateway):
    """One nginx whose Lua takes states over. Only this class and its folder write its files, under a lock."""

    def __init__(self, places: Places, place: Place, workers: int | None = None):
        self._nginx_folder = NginxFolder(places)
        super().__init__(places, place, self._nginx_folder)
        self._home = self._nginx_folder.home
        self._workers = workers or min(os.cpu_count() or 1, _MAX_WORKERS)
        self._names = Names(_known_names(self._home / "state.json"))

    def command(self) -> list[str]:
        nginx = [
            find_nginx_with_lua().path,
            "-e",
            "stderr",
            "-p",
            str(self._home),
            "-c",
            str(self._home / "nginx.conf"),
        ]
        return ["/bin/sh", "-c", _START, "huidu-gateway", str(self.places.admin_socket), *nginx]

    def rendered(self, routes: Routes) -> dict[str, Any]:
        """On a machine without nginx or its Lua module a first line says what to install."""
        try:
            nginx, missing = find_nginx_with_lua(), ""
        except UnavailableError as error:
            nginx, missing = Nginx("nginx", load=()), f"# {error}\n"
        files = self._files(nginx, self._home, _by_https(routes.upstreams))
        return {
            "nginx.conf": missing + files["nginx.conf"],
            "huidu.conf": files["huidu.conf"],
            "state.json": _masked(self._document(routes)),
        }

    def _lay_out(self) -> None:
        known = self.routes()
        self._install(_by_https(known.upstreams if known else ()))
        self._lay_out_pid()

    def _read_at_start(self) -> tuple[Path, ...]:
        return tuple(self._home / name for name in ("nginx.conf", "huidu.conf", "state.json"))

    def _is_whole(self, path: Path, routes: Routes) -> bool:
        if path.suffix == ".json":
            return super()._is_whole(path, routes)
        # Which versions it names is another question: those that were left stand in it until the next change.
        text = (_content(path) or "").rstrip()
        return text.startswith("# Made by Huidu") and text.endswith("}")

    def _lay_out_pid(self) -> None:
        """nginx ends where it cannot write its process id, which nobody reads: a full disk must not keep it down.

        A link, since nginx deletes what it finds there as it ends.
        """
        path = self._home / "nginx.pid"
        if not path.is_symlink():
            path.unlink(missing_ok=True)
            path.symlink_to("/dev/null")

    def _before(self, routes: Routes, wait: bool) -> None:
        self._names.look_up(host_port(address)[0] for up in routes.upstreams for address in up.addresses)
        known = self.routes()
        # Requests of the routes still in force go on to the versions of those.
        listed = (*routes.upstreams, *(known.upstreams if known else ()))
        mark = self._install(_by_https(listed))
        if mark is not None and wait:
            self._reload(mark)

    def _put(self, routes: Routes, wait: bool, change: Callable[[], None]) -> None:
        change()
        in_force = self._folder.in_force() if wait else None
        # One that is down takes the state as it starts.
        if in_force is None or in_force >= routes.generation:
            return
        raise UnavailableError(
            f"nginx did not take generation {routes.generation} over and goes on with {in_force}; "
            "accepted: routes that fit its memory, and what its error.log names"
        )

    def _document(self, routes: Routes) -> dict[str, Any]:
        return state(routes, self.place, self.secret(), self._names.addresses)

    def _install(self, upstreams: tuple[Upstream, ...]) -> str | None:
        """Writes what nginx starts from, once nginx has approved of it; returns its mark, None if nothing changed."""
        nginx = find_nginx_with_lua()
        files = self._files(nginx, self._home, upstreams)
        if all(_content(self._home / name) == text for name, text in files.items()):
            return None
        aside = self._home / "check"
        try:
            _write(aside, self._files(nginx, aside, upstreams))
            check(nginx, aside / "nginx.conf")
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        _write(self._home, files)
        return self._mark(upstreams)

    def _reload(self, mark: str) -> None:
        """Has a running nginx read its configuration again, and waits until its workers have."""
        master = self._nginx_folder.status().get("master")
        if not isinstance(master, int):
            return
        os.kill(master, signal.SIGHUP)
        if not until(lambda: self._nginx_folder.status().get("mark") == mark, _RELOAD_SECONDS):
            raise UnavailableError("nginx did not take its configuration over; its error.log says why")

    def _files(self, nginx: Nginx, folder: Path, upstreams: tuple[Upstream, ...]) -> dict[str, str]:
        layout = render.Layout(
            folder=str(folder),
            socket=str(self.places.admin_socket),
            log=str(self.places.gateway_log),
            refused_log=str(self.places.logs / "gateway-refused.jsonl"),
            authorities=authorities(),
        )
        process = self._process(nginx)
        mark, key_id = self._mark(upstreams), self.keys().key_id
        lua = {f"lua/{name}": text for name, text in render.lua_files().items()}
        return lua | {
            "huidu.conf": render.huidu_conf(
                self.place, layout, upstreams, key_id, True, mark, process.requests_of_one_client
            ),
            "nginx.conf": render.nginx_conf(layout, process),
        }

    def _mark(self, upstreams: tuple[Upstream, ...]) -> str:
        listed = ",".join(map(location_suffix, upstreams))
        return hashlib.sha256(f"{self.place}{listed}{self.keys().key_id}".encode()).hexdigest()[:12]

    def _process(self, nginx: Nginx) -> render.Process:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        open_files = hard if hard != resource.RLIM_INFINITY else 2 * _MAX_CONNECTIONS
        return render.Process(
            workers=self._workers,
            connections=min(_MAX_CONNECTIONS, open_files),
            open_files=open_files,
            # Workers of root's would else be nobody's, who cannot write here.
            user=getpass.getuser() if os.geteuid() == 0 else None,
            load=nginx.load,
        )


def _by_https(upstreams: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
    """Those spoken to by HTTPS, each once, in a steady order."""
    found = {location_suffix(up): up for up in upstreams if up.tls}
    return tuple(found[suffix] for suffix in sorted(found))


def _known_names(path: Path) -> dict[str, list[str]]:
    """What names stood for when the last state was rendered; one that cannot be read is rendered again."""
    known: dict[str, list[str]] = {}
    try:
        for upstream in (read_json(path) or {}).get("upstreams", {}).values():
            for address in upstream["addresses"]:
                known.setdefault(address["host"], []).append(address["ip"].strip("[]"))
    except (StoredError, LookupError, TypeError, AttributeError) as error:
        _LOG.warning("%s", error if isinstance(error, StoredError) else f"{path} is damaged; it is written again")
        return {}
    return known


def _content(path: Path) -> str | None:
    try:
        return path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text)


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    """A state without what nobody may read."""
    masked = document | {"policy": document["policy"] | {"keys": _MASK}}
    for name in ("jwt", "volunteer"):
        if name in document:
            keys = [key | {"secret": _MASK} if "secret" in key else key for key in document[name]["keys"]]
            masked[name] = document[name] | {"keys": keys}
    return masked
