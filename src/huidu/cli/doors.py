"""How a command reaches control: its Unix socket, or its port. Standard library only.

The socket is for the installation's owner and root alone, and needs nothing else. A port can be anybody's: it is
spoken to where a URL is given (`HUIDU_URL`, with `HUIDU_TOKEN`), and on this machine where control says that it has no
socket, as those of before had none.
"""

import errno
import http.client
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.owner import Token, bearer, listeners, peer, trusted
from huidu.unix_http import UnixConnection

_BACKLOG = 2048


class ClosedError(OSError):
    """There is no door to control, or somebody else stands in it."""


@dataclass(frozen=True, slots=True)
class Door:
    """A connection yet to be made, the headers that it needs, and what to call it."""

    connection: http.client.HTTPConnection
    headers: dict[str, str]
    name: str


def elsewhere(environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL of a control that is not the one of the data folder here."""
    return environment.get("HUIDU_URL") or None


def door(
    places: Places, said: dict[str, Any] | None, seconds: float, environment: Mapping[str, str] = os.environ
) -> Door:
    """The way to control; `said` is what its file says, None where it has none. Raises `ClosedError`."""
    url = elsewhere(environment)
    if url is not None:
        return _by_url(url, environment.get("HUIDU_TOKEN"), seconds)
    refuse_strangers(places)
    path = places.control_socket
    if _is_socket(path):
        return Door(_OwnerConnection(places, path, seconds), {}, str(path))
    if said is None:
        raise ClosedError(f"{places.control_file} does not exist")
    if said.get("socket"):
        raise ClosedError(f"{path} does not exist")
    return _by_port(places, said, seconds)


def refuse_strangers(places: Places) -> None:
    """Raises `PermissionError` for whoever may not look into the data folder: to them all of it would seem gone."""
    if places.data.exists() and not os.access(places.data, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(places.data))


def _by_url(url: str, token: str | None, seconds: float) -> Door:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ClosedError(f"HUIDU_URL is {url}; accepted: http://HOST:PORT") from None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return Door(kind(host, port, timeout=seconds), bearer(token), url)


def _by_port(places: Places, said: dict[str, Any], seconds: float) -> Door:
    """The port of a control without a socket; nobody else than its owner gets to hear the token."""
    url = str(said["url"])
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if not listeners(port) <= trusted(places):
        raise ClosedError(f"what listens at {url} belongs to another user")
    # One of before knows no token, and needs none.
    token = Token(places).for_address(parts.netloc) if "socket" in said else None
    return Door(http.client.HTTPConnection(host, port, timeout=seconds), bearer(token), url)


class _OwnerConnection(UnixConnection):
    """HTTP over control's Unix socket; another user who listens there gets to hear nothing."""

    def __init__(self, places: Places, path: Path, seconds: float):
        super().__init__(path, seconds)
        self._places = places

    def connect(self) -> None:
        super().connect()
        user = peer(self.sock)
        if user is not None and user not in trusted(self._places):
            raise ClosedError(f"what listens at {self.path} belongs to another user")


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A Unix socket for its owner alone, in the place of one that a killed process left; gone when the block ends.

    Only whoever is alone on the data folder may call it. Raises `UnavailableError`.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_socket(path):
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"control's socket {path} cannot be made ({error.strerror or error}); accepted: a path where nothing lies"
        ) from None
    made = path.lstat().st_ino
    try:
        yield listener
    finally:
        listener.close()
        # One that was put in its place meanwhile is another's.
        with suppress(OSError):
            if path.lstat().st_ino == made:
                path.unlink()


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False
