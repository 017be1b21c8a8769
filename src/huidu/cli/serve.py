"""`huidu serve`: one instance of the recognition service."""

import errno
import os
import re
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from huidu.cli.open_files import raise_open_files
from huidu.core.errors import HuiduError, InvalidError, UnavailableError
from huidu.core.places import Places
from huidu.core.version import Version
from huidu.owner import keep_private, repair

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from huidu.recognition.transcribe import Limits

# The proxy in front keeps idle connections for 60 s: it must be the one that closes them, or a request meets a
# connection that is just being closed.
_KEEP_ALIVE_S = 75
_SHUTDOWN_S = 10
# Connections that come faster than they are taken wait in the kernel, as many as it allows (net.core.somaxconn): a
# gateway gives up one that is not even let wait after half a second.
_BACKLOG = 65_535
# Half a minute of audio at 16 kHz: live clients send less than a second at a time.
_MESSAGE_BYTES = 1 << 20
_RECEIVE_BYTES = 1 << 18
# One slow recording must not hold up the others; more threads than cores help nobody.
DEFAULT_WORKERS = min(4, os.cpu_count() or 1)
# Seconds of waiting for a small model: enough for the moment in which another process starts beside it.
DEFAULT_QUEUE_LIMIT = 256


def serve(
    model_path: Path,
    version: str,
    device: str = "cpu",
    engine: str = "sherpa-onnx",
    host: str = "127.0.0.1",
    port: int = 7860,
    data: Path = Path("data"),
    hotwords: Path | None = None,
    max_upload_bytes: int = 2_000_000_000,
    workers: int = DEFAULT_WORKERS,
    queue_limit: int = DEFAULT_QUEUE_LIMIT,
) -> None:
    """Serves a version until it is told to stop.

    Raises `InvalidError` before anything starts where the model, the device or the address is no good, and when the
    model cannot be loaded after all; `UnavailableError` for a port in use or a store that cannot be opened.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", version):
        raise InvalidError(f"version '{version}' is no name; accepted: up to 64 letters, digits and . _ -")
    if min(max_upload_bytes, workers) < 1 or queue_limit < 0:
        raise InvalidError("the upload limit and the number of workers must be at least 1, the queue at least 0")
    # From here on imports take time: what can be refused without them has been.
    from huidu import wire
    from huidu.recognition.transcribe import Limits

    bundle = Version(version, engine, str(model_path), device, str(hotwords) if hotwords else None)
    wire.check_version(bundle)
    if said := wire.ignored_words(bundle):
        print(f"note: {said}", file=sys.stderr)
    close_to_others(Places(data.resolve()))
    with listen(host, port) as listener:
        _run(bundle, data, Limits(workers, queue_limit, max_upload_bytes), listener)


def close_to_others(places: Places) -> None:
    """All that is made from now on is the owner's alone, and so is what an older version has made."""
    keep_private()
    for line in repair(places).lines(places.data):
        print(f"huidu: {line}", file=sys.stderr, flush=True)


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket; raises `InvalidError` and `UnavailableError` in one line."""
    if not 0 <= port < 65536:
        raise InvalidError(f"port {port} is out of range; accepted: 0 to 65535")
    listener: socket.socket | None = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        # A port stays taken for a minute after its last connection, unless this is set.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Taken over by each connection. Kernels else hold tens of megabytes for one that is not read: minutes of audio,
        # behind which the pings of a client lie that is being slowed down.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError(
                f"port {port} on {host} is in use; stop what listens there or take another"
            ) from error
        raise InvalidError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return listener


def server_config(app: "FastAPI", max_connections: int = 1000) -> "uvicorn.Config":
    """How an instance's application is served, at most so many connections at a time."""
    import uvicorn

    from huidu.recognition.connections import BoundedProtocol
    from huidu.recognition.socket_protocol import PatientProtocol, take_long_heads

    take_long_heads()
    return uvicorn.Config(
        app,
        loop="uvloop",
        # What fails as it starts is said, and not served without.
        lifespan="on",
        # uvicorn only calls it, as it calls a class.
        http=cast("Any", partial(BoundedProtocol, max_connections=max_connections)),
        ws=PatientProtocol,
        ws_max_size=_MESSAGE_BYTES,
        # A client that is silently gone keeps its stream for 40 s; a proxy sees something every 20 s.
        ws_ping_interval=20,
        ws_ping_timeout=20,
        # Samples hardly get smaller, and a small message could become a large one.
        ws_per_message_deflate=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


def _run(version: Version, data: Path, limits: "Limits", listener: socket.socket) -> None:
    import uvicorn

    from huidu import wire
    from huidu.recognition.crowd import CrowdLimits, connections_for, uploads_for

    open_files = raise_open_files()
    crowd = CrowdLimits(uploads=uploads_for(open_files))
    failures: list[HuiduError] = []

    def stop(error: HuiduError) -> None:
        failures.append(error)
        server.should_exit = True

    app = wire.instance_app(version, data, limits, on_failure=stop, crowd=crowd)
    server = uvicorn.Server(server_config(app, connections_for(open_files)))
    host, port = listener.getsockname()[:2]
    print(f"version {version.name} on http://{host}:{port}, loading {version.model}", file=sys.stderr, flush=True)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return  # asked for by Ctrl-C, and everything has ended by now
    if failures:
        raise failures[0]
