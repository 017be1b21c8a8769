"""What the adapters of all gateways do alike: write under the lock, lay out the roll back, ask for proof."""

import contextlib
import json
import logging
import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from huidu.adapters.gateways.folder import SwapFolder, both
from huidu.adapters.gateways.place import Place
from huidu.core import codec
from huidu.core.codec import StoredError
from huidu.core.errors import HuiduError, InvalidError, UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, from_json, rolled_back, to_json
from huidu.core.units import UnitKeys, unit_keys
from huidu.files import write_aside
from huidu.ports import FenceError, Written

_MADE_SECRET = re.compile("[0-9a-f]{32}")
_LOG = logging.getLogger(__name__)
_LOCK_WAIT_SECONDS = 2.0
# Whoever goes back does not wait for one that was stopped in the middle of a swap.
_BACK_LOCK_SECONDS = 0.3


class FileGateway(ABC):
    """One gateway that reads files. Only this class and its folder write them, under a lock."""

    def __init__(self, places: Places, place: Place, folder: SwapFolder):
        self.places, self.place, self._folder = places, place, folder
        self._said: set[str] = set()
        # How the files that the gateway reads when it starts were found last.
        self._seen: tuple[tuple[int, int, int] | None, ...] = ()

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the gateway in the foreground, once it is prepared."""

    @abstractmethod
    def rendered(self, routes: Routes) -> dict[str, Any]:
        """The files that `prepare` and `swap` would write, by name, with secrets masked: JSON, or text."""

    @abstractmethod
    def _lay_out(self) -> None:
        """Writes what the gateway starts from. Raises `InvalidError` with the tool's own words when it refuses."""

    @abstractmethod
    def _document(self, routes: Routes) -> dict[str, Any]:
        """What the folder puts in force."""

    @abstractmethod
    def _before(self, routes: Routes, wait: bool) -> None:
        """Brings into force what must be there before the routes are."""

    def prepare(self, routes: Routes) -> None:
        """Lays out everything the gateway needs to start.

        Routes already in force stay in force: after a restart users are where they were.
        """
        self._folder.create()
        self._lay_out()
        # Written again although in force: ports may differ now, and another version of Huidu may have rendered it.
        known = self.routes()
        if known is not None and known.candidate is not None and routes.candidate is None:
            # Their release is over, and was so before they could be exchanged.
            routes = replace(routes, generation=known.generation + 2)
        elif known is not None:
            expires_at = None if known.expires_at is None else routes.expires_at
            routes = replace(known, upstreams=routes.upstreams, expires_at=expires_at)
        self._write(routes, wait=False)

    def swap(self, routes: Routes, fence: int) -> None:
        """Puts routes in force. Raises `FenceError` where somebody rolled back since `fence` was adopted.

        Raises `InvalidError` for routes that lead to a version without an address, and `UnavailableError` where the
        gateway or the disk refuses them: then those in force stay, with the roll back that fits them.
        """
        for version in filter(None, (routes.stable, routes.candidate)):
            if routes.upstream(version) is None:
                known = ", ".join(up.version for up in routes.upstreams)
                raise InvalidError(f"the routes lead to {version}, which has no address; accepted: {known}")
        with self._folder.locked(_LOCK_WAIT_SECONDS) as held:
            if not held:
                raise UnavailableError("the gateway's lock is held by another process; accepted: one swap at a time")
            self._refuse_behind(fence)
            self._write(routes, wait=True)
        # Whoever rolled back while this process was stopped did so without the lock.
        self._refuse_behind(fence)

    @abstractmethod
    def _read_at_start(self) -> tuple[Path, ...]:
        """The files without which the gateway does not come back as it was."""

    def _is_whole(self, path: Path, routes: Routes) -> bool:
        """Whether the gateway can read one of these files, of which the routes are in force."""
        try:
            return isinstance(json.loads(path.read_bytes()), dict)
        except (OSError, ValueError, RecursionError):
            return False

    def refresh(self) -> None:
        """Takes over what has changed beside the routes, and mends files that the gateway reads when it starts.

        One that runs does not notice that they were damaged; when it falls, nobody would be served.
        """
        seen = tuple(map(_signature, self._read_at_start()))
        if seen == self._seen:
            return
        routes = self.routes()
        if routes is None:
            return
        with self._folder.locked(0.0) as held:
            if not held:
                return
            try:
                if damaged := [path for path in self._read_at_start() if not self._is_whole(path, routes)]:
                    self._say(f"{damaged[0]} is damaged or gone; it is written again")
                    self._lay_out()
                    self._write(routes, wait=False)
            except (OSError, HuiduError) as error:
                self._say(f"the gateway's files cannot be mended: {error}")
                return
        self._seen = tuple(map(_signature, self._read_at_start()))

    def fence(self) -> int:
        """The number in the fence. One that nobody can read any more has risen, as far as anybody knows."""
        try:
            return self._folder.fence()
        except UnavailableError as error:
            self._say(f"{error}; it rises")
            return self._folder.raise_fence()

    def routes(self) -> Routes | None:
        """What was last put in force, by whomever; None before the first time, and where nobody can read it.

        The store knows all that routes are made of: they are then written again.
        """
        found = self._folder.routes()
        # Written by a Huidu before routes held their audience.
        if found is None or "audience" not in found:
            return None
        try:
            return from_json(found, str(self._folder.root / "routes.json"))
        except StoredError as error:
            self._say(str(error))
            return None

    def go_back(self) -> Routes | None:
        """Puts the roll back in force that is laid out beside the routes, and raises the fence.

        Needs no room on the disk. None where nothing is laid out; raises `UnavailableError` where it cannot be done.
        """
        found = self._folder.go_back(_BACK_LOCK_SECONDS)
        for line in self._folder.unrecorded:
            self._say(line)
        return from_json(found, "the roll back") if found else None

    def _say(self, line: str) -> None:
        """Once each: control asks twice a second."""
        if line not in self._said:
            self._said.add(line)
            _LOG.warning("%s", line)

    def applied(self, generation: int, wait_seconds: float) -> bool:
        return self._folder.await_generation(generation, wait_seconds)

    def in_flight(self, version: str) -> int:
        return self._folder.in_flight(version)

    def written(self) -> Written | None:
        counted = self._folder.written()
        return Written(*counted) if counted else None

    def reopen_log(self) -> bool:
        return self._folder.reopen_log()

    def secret(self) -> str:
        """The installation's secret, under which users appear as units; made once.

        It is never made anew in place of one that is damaged: every user would become another unit. Its copy counts
        then, and bears a checksum. Raises `UnavailableError` where neither can be read.
        """
        path, copy = both(self._folder.root / "secret")
        kept, found = _copied_secret(copy), _plain_secret(path)
        if kept is None:
            # Beside a damaged copy only what was made here is surely whole.
            doubtful = found is None or (copy.exists() and not _MADE_SECRET.fullmatch(found))
            if doubtful and (path.exists() or copy.exists()):
                raise UnavailableError(
                    f"{path} is damaged and has no good copy; accepted: the file of a backup without {copy.name}, or "
                    "neither of them: then a secret is made anew, and every user becomes another unit"
                )
            found = found or _made_secret(path)
            # A disk that takes nothing has the secret itself.
            with contextlib.suppress(OSError):
                write_aside(copy, codec.sealed({"secret": found}))
            return found
        if found != kept:
            self._say(
                f"{path} {'is not what it was' if path.exists() else 'is gone'}; its copy counts; "
                f"accepted: the same secret, or neither {path.name} nor {copy.name} for a new one"
            )
        return kept

    def keys(self) -> UnitKeys:
        """The keys under which users and clients appear in log and store."""
        return unit_keys(self.secret())

    def _refuse_behind(self, fence: int) -> None:
        if (found := self.fence()) > fence:
            raise FenceError(f"the fence is {found}, control knows {fence}")

    def _write(self, routes: Routes, wait: bool) -> None:
        """Raises `UnavailableError` where the gateway or the disk refuses; what was in force then still is."""
        try:
            self._before(routes, wait)
        except OSError as error:
            where = error.filename or self._folder.root
            raise UnavailableError(
                f"{where} cannot be written ({error.strerror}), and what was in force stays; accepted: a disk with room"
            ) from None
        back = rolled_back(routes, routes.generation + 1)
        laid_out = (self._document(back), to_json(back)) if back is not None else None
        self._folder.swap(
            self._document(routes), to_json(routes), laid_out, lambda change: self._put(routes, wait, change)
        )

    def _put(self, routes: Routes, wait: bool, change: Callable[[], None]) -> None:
        """Has the gateway's document changed; raises `UnavailableError` where the gateway does not take it over."""
        change()


def content(path: Path) -> str | None:
    """What stands in a file; None where there is none, or what is no text."""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _plain_secret(path: Path) -> str | None:
    """What stands in a file, if it can be a secret."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    return text if text.strip().isprintable() and text.strip() else None


def _copied_secret(path: Path) -> str | None:
    try:
        found = codec.unsealed(path.read_bytes().decode(), str(path)).get("secret")
    except (OSError, UnicodeDecodeError, StoredError):
        return None
    return found if isinstance(found, str) and found else None


def _made_secret(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".secret.{os.getpid()}")
    write_aside(fresh, secrets.token_hex(16))
    # Whoever was faster has made the one that counts.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(fresh)
    fresh.unlink()
    return path.read_text()
