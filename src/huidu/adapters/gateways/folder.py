"""The gateway's files of one installation: swapped under a lock, and gone back to without control.

Standard library only: `huidu rollback` runs this when control does not answer.

    gateway/lock        held by whoever swaps
    gateway/fence       rises with each roll back done without control
    gateway/engine      which gateway the files are for
    gateway/routes.json the routes in force, as the adapter reads them back
    gateway/rollback.json  the roll back that fits the routes in force: its document and its routes
"""

import fcntl
import http.client
import json
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from huidu.core.places import Places, make_sockets

_POLL_SECONDS = 0.003
_ANSWER_SECONDS = 1.0


class SwapFolder(ABC):
    """What all gateways have in common; each says how its own document comes into force and how that is proven."""

    engine: ClassVar[str]

    def __init__(self, places: Places):
        self.places = places
        self.root = places.gateway
        self._prepared = self.root / "rollback.json"

    @abstractmethod
    def put(self, document: dict[str, Any]) -> None:
        """Gives the gateway its document, also when it is down: then it begins with it."""

    @abstractmethod
    def in_force(self) -> int | None:
        """The generation that the gateway itself reports; None when it does not answer."""

    @abstractmethod
    def in_flight(self, version: str) -> int:
        """Requests that the gateway has open towards a version now; 0 when it does not answer."""

    def written(self) -> tuple[int, int, str] | None:
        """Lines put into the log since the gateway started, writes that failed, and the name of the run that counts.

        None when it does not answer.
        """
        return None

    @abstractmethod
    def reopen_log(self) -> bool:
        """Tells the gateway to go on in a new log file; returns whether it heard."""

    def create(self) -> None:
        for folder in (self.root, self.places.logs):
            folder.mkdir(parents=True, exist_ok=True)
        make_sockets(self.places)
        write_aside(self.root / "engine", self.engine)

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

    def swap(self, document: dict[str, Any], routes: dict[str, Any]) -> None:
        """Puts routes in force."""
        self.put(document)
        write_aside(self.root / "routes.json", json.dumps(routes))

    def prepare(self, document: dict[str, Any], routes: dict[str, Any]) -> None:
        """Lays out the roll back that `go_back` would put in force."""
        write_aside(self._prepared, json.dumps({"document": document, "routes": routes}))

    def forget_prepared(self) -> None:
        """Says that there is nothing to go back from."""
        self._prepared.unlink(missing_ok=True)

    def prepared_routes(self) -> dict[str, Any] | None:
        """The routes that `go_back` would put in force; None if there is nothing to go back from."""
        found = read_json(self._prepared)
        return found["routes"] if found else None

    def go_back(self, lock_wait_seconds: float) -> dict[str, Any] | None:
        """Puts the prepared roll back in force without control and returns its routes; None if there is none.

        The fence rises first: a stopped control that holds the lock and wakes up finds it after its own swap.
        """
        found = read_json(self._prepared)
        if found is None:
            return None
        routes: dict[str, Any] = found["routes"]
        with self.locked(lock_wait_seconds):
            self.raise_fence()
            self.swap(found["document"], routes)
        return routes

    def ask(self, method: str, target: str, body: str | None = None) -> str | None:
        """What the gateway says on its own socket; None when it does not answer well."""
        return ask_socket(self.places.asked_at(self.places.admin_socket), method, target, body)

    def await_generation(self, generation: int, wait_seconds: float) -> bool:
        """Whether the gateway reports this generation or a later one in time."""
        return until(lambda: (self.in_force() or 0) >= generation, wait_seconds)


def until(condition: Callable[[], bool], wait_seconds: float) -> bool:
    """Whether the condition came true in time; asked at least once."""
    deadline = time.monotonic() + wait_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


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


def ask_socket(path: Path, method: str, target: str, body: str | None = None) -> str | None:
    """The body of a good answer over a Unix socket; None when nobody answers well."""
    connection = _SocketConnection(path)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status < 300 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path):
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _flock(descriptor: int, wait_seconds: float) -> bool:
    def held() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return until(held, wait_seconds)
