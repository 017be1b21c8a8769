"""Processes under supervisord: the gateway, control, and one process per version.

`write_configuration` lays out what `huidu up` runs; `SupervisorRuntime` adds and removes versions while it runs.
"""

import http.client
import os
import shlex
import socket
import sys
import xmlrpc.client
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from xml.parsers.expat import ExpatError

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from huidu.core.errors import UnavailableError
from huidu.core.places import Places, make_sockets
from huidu.core.version import Version
from huidu.ports import Process
from huidu.unix_http import UnixConnection

_T = TypeVar("_T")
_INSTANCE = "instance-"

_MAIN = """\
[unix_http_server]
file={socket}
chmod=0600

[supervisord]
logfile={logs}/supervisord.log
pidfile={run}/supervisord.pid
childlogdir={logs}
nodaemon=true
umask=077
silent=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files={run}/programs/*.conf
"""

_PROGRAM = """\
[program:{name}]
command={command}
autorestart=true
startsecs={start_seconds}
startretries={retries}
stopwaitsecs=15
stopsignal=TERM
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""

# The gateway and control come back however often they fall; an instance that cannot start says so at last.
_FOR_EVER = 1_000_000
_INSTANCE_RETRIES = 3
_START_SECONDS = 1
# An instance that cannot load its model takes seconds to find out.
_INSTANCE_START_SECONDS = 5
_PORTS_TRIED = 100
_ENDED = ("stopped", "exited", "fatal")
# A supervisord that hangs must not make its caller hang, too.
_ANSWER_SECONDS = 5.0


def write_configuration(places: Places, gateway: list[str], control: list[str], versions: Collection[str] = ()) -> Path:
    """Lays out the programs that `up` always runs; returns supervisord's configuration.

    Of earlier programs those of `versions` stay, which are about to be laid out. Raises `UnavailableError` where the
    disk refuses; one that is full does not where all lies there as it should.
    """
    programs = places.run / "programs"
    make_sockets(places)
    kept = {f"{_INSTANCE}{version}.conf" for version in versions} | {"gateway.conf", "control.conf"}
    try:
        for folder in (programs, places.logs):
            folder.mkdir(parents=True, exist_ok=True)
        for old in programs.glob("*.conf"):
            if old.name not in kept:
                old.unlink()
    except OSError as error:
        raise _refused(programs, error) from error
    path = places.run / "supervisord.conf"
    _write(path, _MAIN.format(socket=places.supervisor_socket, logs=_plain(places.logs), run=_plain(places.run)))
    _write_program(places, "gateway", gateway, _FOR_EVER, _START_SECONDS)
    _write_program(places, "control", control, _FOR_EVER, _START_SECONDS)
    return path


def write_instance(places: Places, version: Version, address: str, max_upload_bytes: int) -> str:
    """Lays out the program of one version; returns its name."""
    name = f"{_INSTANCE}{version.name}"
    command = instance_command(places.data, version, address, max_upload_bytes)
    _write_program(places, name, command, _INSTANCE_RETRIES, _INSTANCE_START_SECONDS)
    return name


def instance_command(data: Path, version: Version, address: str, max_upload_bytes: int) -> list[str]:
    """What runs an instance of a version in the foreground."""
    host, _, port = address.rpartition(":")
    command = [sys.executable, "-m", "huidu", "serve", "--version", version.name, "--engine", version.engine]
    command += ["--model-path", str(version.model), "--device", version.device]
    command += ["--host", host.strip("[]"), "--port", port, "--data", str(data)]
    command += ["--max-upload-bytes", str(max_upload_bytes)]
    return command + (["--hotwords", version.hotwords] if version.hotwords else [])


def _write_program(places: Places, name: str, command: list[str], retries: int, start_seconds: int) -> None:
    text = _PROGRAM.format(
        name=name,
        command=_plain(shlex.join(command)),
        retries=retries,
        start_seconds=start_seconds,
        logs=_plain(places.logs),
    )
    _write(places.run / "programs" / f"{name}.conf", text)


def _write(path: Path, text: str) -> None:
    """All of a text or none of it; what lies there already needs no room. Raises `UnavailableError`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and path.read_text() == text:
            return
        aside.write_text(text)
        aside.rename(path)
    except (OSError, UnicodeDecodeError) as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError | UnicodeDecodeError) -> UnavailableError:
    said = getattr(error, "strerror", None) or "it is no text"
    return UnavailableError(f"{path} cannot be written ({said}); accepted: a disk with room")


def _plain(value: object) -> str:
    """A value in supervisord's configuration, where % begins an expansion."""
    return str(value).replace("%", "%%")


class SupervisorRuntime:
    """Talks to the supervisord that `huidu up` runs. Safe to call from several threads."""

    def __init__(self, places: Places, max_upload_bytes: int):
        self._places, self._max_upload_bytes = places, max_upload_bytes

    def start(self, version: Version, address: str) -> None:
        if not version.managed:
            return
        name = write_instance(self._places, version, address, self._max_upload_bytes)
        try:
            self._call(lambda supervisor: supervisor.reloadConfig())
            self._call(lambda supervisor: supervisor.addProcessGroup(name))
        except UnavailableError as error:
            if not _says(error, Faults.ALREADY_ADDED):
                raise
            self._replace_ended(name)

    def _replace_ended(self, name: str) -> None:
        """Begins anew, with the present configuration, what supervisord knows but no longer runs."""
        state = self._call(lambda supervisor: supervisor.getProcessInfo(name))["statename"].lower()
        if state in _ENDED:
            self._call(lambda supervisor: supervisor.removeProcessGroup(name))
            self._call(lambda supervisor: supervisor.addProcessGroup(name))

    def stop(self, version: str) -> None:
        name = f"{_INSTANCE}{version}"
        # One that cannot be deleted is there for the next reading of programs, and that for a start.
        with suppress(OSError):
            (self._places.run / "programs" / f"{name}.conf").unlink(missing_ok=True)
        try:
            self._call(lambda supervisor: supervisor.stopProcessGroup(name, False))
        except UnavailableError as error:
            if not _says(error, Faults.BAD_NAME):
                raise

    def processes(self) -> dict[str, Process]:
        rows: list[dict[str, Any]] = self._call(lambda supervisor: supervisor.getAllProcessInfo())
        found = [_process(row) for row in rows if row["name"].startswith(_INSTANCE)]
        return {process.name: process for process in found}

    def free_memory_bytes(self) -> int:
        return min([psutil.virtual_memory().available, *_cgroup_free_bytes()])

    def free_address(self, host: str, first_port: int, taken: Collection[str]) -> str:
        return free_address(host, first_port, taken)

    def _call(self, ask: Callable[[Any], _T]) -> _T:
        # A proxy is not thread safe, and cheap to make.
        transport = _Transport(self._places.asked_at(self._places.supervisor_socket))
        try:
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return ask(proxy.supervisor)
        except xmlrpc.client.Fault as fault:
            raise UnavailableError(f"supervisord refused: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:
            raise UnavailableError(f"supervisord does not answer ({error}); accepted: run under `huidu up`") from error
        finally:
            transport.close()


class _Transport(SupervisorTransport):  # type: ignore[misc]
    """XML-RPC over supervisord's Unix socket, within a time."""

    def __init__(self, path: Path):
        super().__init__(None, None, f"unix://{path}")
        self._get_connection = lambda: UnixConnection(path, _ANSWER_SECONDS)


def _says(error: UnavailableError, code: int) -> bool:
    return isinstance(error.__cause__, xmlrpc.client.Fault) and error.__cause__.faultCode == code


def _process(row: dict[str, Any]) -> Process:
    pid = int(row["pid"])
    try:
        rss_bytes = psutil.Process(pid).memory_info().rss if pid else 0
    except psutil.Error:
        rss_bytes = 0
    name = row["name"].removeprefix(_INSTANCE)
    return Process(name, row["statename"].lower(), pid, float(row["start"]), rss_bytes)


def _cgroup_free_bytes() -> list[int]:
    """What the process's own memory limit leaves, where there is one (cgroup v2)."""
    root = Path("/sys/fs/cgroup")
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        stat = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return []
    # Cached files give way when a process needs memory.
    return [] if limit == "max" else [int(limit) - used + int(stat.get("inactive_file", 0))]


class NoRuntime:
    """Where no supervisord runs: versions are URLs, or processes that somebody else starts."""

    def start(self, version: Version, address: str) -> None:
        """Nothing to start."""

    def stop(self, version: str) -> None:
        """Nothing to stop."""

    def processes(self) -> dict[str, Process]:
        return {}

    def free_memory_bytes(self) -> int:
        return min([psutil.virtual_memory().available, *_cgroup_free_bytes()])

    def free_address(self, host: str, first_port: int, taken: Collection[str]) -> str:
        return free_address(host, first_port, taken)


def free_address(host: str, first_port: int, taken: Collection[str]) -> str:
    """The first `host:port` from a port on that nothing listens on. Raises `UnavailableError`."""
    for port in range(first_port, min(first_port + _PORTS_TRIED, 65536)):
        address = f"{host}:{port}"
        if address not in taken and port_is_free(host, port):
            return address
    raise UnavailableError(f"no free port from {host}:{first_port} on; accepted: another instances.listen")


def port_is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port of a connection that has just closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
