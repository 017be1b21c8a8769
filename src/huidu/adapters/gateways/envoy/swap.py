"""Swapping route files under a lock, and going back without control.

Standard library only: `huidu rollback` runs this when control does not answer.

    gateway/lock        held by whoever swaps
    gateway/fence       rises with each roll back done without control
    gateway/routes.json the routes in force, as the adapter reads them back
    gateway/envoy/      what Envoy watches: cds.json, rds.json
    gateway/rollback/   the roll back that fits the routes in force: rds.json, routes.json
"""

import fcntl
import http.client
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huidu.core.places import Places

_POLL_SECONDS = 0.005


class SwapFolder:
    """The gateway's files of one installation."""

    def __init__(self, places: Places):
        self.root = places.gateway
        self.watched = self.root / "envoy"
        self.prepared = self.root / "rollback"
        self._admin = places.admin_socket

    def create(self) -> None:
        for folder in (self.watched, self.prepared):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[bool]:
        """Holds the lock, if it can be had in time; yields whether it is held."""
        with (self.root / "lock").open("a") as file:
            held = _flock(file.fileno(), wait_seconds)
            yield held

    def fence(self) -> int:
        """0 where no roll back was ever done without control."""
        try:
            return int((self.root / "fence").read_text())
        except FileNotFoundError:
            return 0

    def raise_fence(self) -> int:
        """The new fence, in force before any file is swapped."""
        number = self.fence() + 1
        write_aside(self.root / "fence", str(number))
        return number

    def routes(self) -> dict[str, Any] | None:
        """The routes in force; None before the first swap."""
        return read_json(self.root / "routes.json")

    def swap(self, rds: dict[str, Any], routes: dict[str, Any]) -> None:
        """Puts routes in force: Envoy sees the rename."""
        write_aside(self.watched / "rds.json", json.dumps(rds))
        write_aside(self.root / "routes.json", json.dumps(routes))

    def prepare(self, rds: dict[str, Any], routes: dict[str, Any]) -> None:
        """Lays out the roll back that `go_back` would put in force."""
        write_aside(self.prepared / "rds.json", json.dumps(rds))
        write_aside(self.prepared / "routes.json", json.dumps(routes))

    def forget_prepared(self) -> None:
        """Says that there is nothing to go back from."""
        (self.prepared / "routes.json").unlink(missing_ok=True)

    def go_back(self, lock_wait_seconds: float) -> dict[str, Any] | None:
        """Puts the prepared roll back in force without control and returns its routes; None if there is none.

        The fence rises first: a stopped control that holds the lock and wakes up finds it after its own swap.
        """
        routes = read_json(self.prepared / "routes.json")
        rds = read_json(self.prepared / "rds.json")
        if routes is None or rds is None:
            return None
        with self.locked(lock_wait_seconds):
            self.raise_fence()
            self.swap(rds, routes)
        return routes

    def stats(self, pattern: str) -> dict[str, str]:
        """Envoy's own statistics by name; empty when it does not answer."""
        try:
            body = _get(self._admin, f"/stats?filter={pattern}")
        except (OSError, http.client.HTTPException):
            return {}
        rows = (line.split(": ", 1) for line in body.splitlines() if ": " in line)
        return {name: value.strip('"') for name, value in rows}

    def version_in_force(self, kind: str) -> int | None:
        """The generation that Envoy itself reports for `rds` or `cds`; None when it reports none."""
        name = "http.front.rds.huidu.version_text" if kind == "rds" else "cluster_manager.cds.version_text"
        text = self.stats(f"^{re.escape(name)}$").get(name, "")
        return int(text) if text.isdigit() else None

    def await_version(self, kind: str, generation: int, wait_seconds: float) -> bool:
        """Whether Envoy reports this generation or a later one in time."""
        deadline = time.monotonic() + wait_seconds
        while True:
            found = self.version_in_force(kind)
            if found is not None and found >= generation:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)


def write_aside(path: Path, text: str) -> None:
    """Replaces a file at once: nobody ever reads half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    aside.rename(path)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found


def _flock(descriptor: int, wait_seconds: float) -> bool:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path):
        super().__init__("localhost", timeout=1.0)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _get(path: Path, target: str) -> str:
    connection = _SocketConnection(path)
    try:
        connection.request("GET", target)
        return connection.getresponse().read().decode()
    finally:
        connection.close()
