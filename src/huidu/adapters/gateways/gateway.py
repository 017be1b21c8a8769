"""What the adapters of all gateways do alike: write under the lock, lay out the roll back, ask for proof."""

import contextlib
import os
import secrets
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from huidu.adapters.gateways.folder import SwapFolder, write_aside
from huidu.adapters.gateways.place import Place
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.places import Places
from huidu.core.routes import Routes, from_json, rolled_back, to_json
from huidu.ports import FenceError, Written

_LOCK_WAIT_SECONDS = 2.0


class FileGateway(ABC):
    """One gateway that reads files. Only this class and its folder write them, under a lock."""

    def __init__(self, places: Places, place: Place, folder: SwapFolder):
        self.places, self.place, self._folder = places, place, folder

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

        Raises `InvalidError` for routes that lead to a version without an address.
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

    def refresh(self) -> None:  # noqa: B027
        """Takes over what has changed beside the routes and the gateway does not notice by itself."""

    def fence(self) -> int:
        return self._folder.fence()

    def routes(self) -> Routes | None:
        """What was last put in force, by whomever; None before the first time, or where an older Huidu wrote it.

        The store knows all that routes are made of: they are then written again.
        """
        found = self._folder.routes()
        return from_json(found) if found and "audience" in found else None

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
        """The installation's secret, under which users appear as units; made once."""
        path = self._folder.root / "secret"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".secret.{os.getpid()}")
            write_aside(fresh, secrets.token_hex(16))
            # Whoever was faster has made the one that counts.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(fresh)
            fresh.unlink()
        return path.read_text()

    def _refuse_behind(self, fence: int) -> None:
        if self._folder.fence() > fence:
            raise FenceError(f"the fence is {self._folder.fence()}, control knows {fence}")

    def _write(self, routes: Routes, wait: bool) -> None:
        self._before(routes, wait)
        back = rolled_back(routes, routes.generation + 1)
        # A way back is laid out before it can be needed, and given up only when it has been gone.
        if back is not None:
            self._folder.prepare(self._document(back), to_json(back))
        self._folder.swap(self._document(routes), to_json(routes))
        if back is None:
            self._folder.forget_prepared()
