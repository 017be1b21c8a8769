"""The gateway's files of one installation: swapped under a lock, and gone back to without control.

Standard library only: `huidu rollback` runs this when control does not answer.

    gateway/lock        held by whoever swaps
    gateway/fence       rises with each roll back done without control; written over in place
    gateway/engine      which gateway the files are for
    gateway/secret      the installation's secret
    gateway/routes.json the routes in force, as the adapter reads them back
    gateway/back/N/     the roll back that fits generation N: document.json for the gateway, routes.json
    gateway/next/       what a swap is about to put in place
    gateway/rollback.json  the roll back as earlier versions of Huidu laid it out

Beside each of them lies a copy, NAME.kept, which counts where the file itself is damaged. Going back needs no room
on the disk: the files of the roll back are there, and are renamed over those in force.
"""

import contextlib
import fcntl
import hashlib
import http.client
import json
import logging
import os
import re
import shutil
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from huidu.core import codec
from huidu.core.errors import UnavailableError
from huidu.core.places import Places, make_sockets
from huidu.files import sync_folder, write_aside, write_new
from huidu.unix_http import UnixConnection

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.003
_ANSWER_SECONDS = 1.0
_FENCE = re.compile(r"fence (\d{20}) ([0-9a-f]{8})\n")
_FENCE_BYTES = 36
_DOCUMENT_DIGEST = "document_sha256"


@dataclass(frozen=True, slots=True)
class Back:
    """A roll back that is laid out: the routes it puts in force, and the folder with its files.

    `folder` is None for one that an earlier Huidu laid out in a single file, whose document is `document`.
    """

    routes: dict[str, Any]
    folder: Path | None
    document: dict[str, Any] | None = None


class SwapFolder(ABC):
    """What all gateways have in common; each says where its own document lies and how it is proven to be in force."""

    engine: ClassVar[str]

    def __init__(self, places: Places):
        self.places = places
        self.root = places.gateway
        # What the last roll back could not write, one line each.
        self.unrecorded: list[str] = []
        self._files = KeptFiles()

    @property
    @abstractmethod
    def document_path(self) -> Path:
        """The file with which the gateway begins when it starts."""

    def hand_over(self, text: str) -> bool:
        """Gives a running gateway its document without a file; returns whether it took it.

        False for one that looks at its files itself.
        """
        return False

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
        for path in both(self.root / "engine"):
            # What lies there as it should needs no room on the disk.
            if not path.exists() or path.read_bytes() != self.engine.encode():
                write_aside(path, self.engine)
        self._lay_out_fence()

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[bool]:
        """Holds the lock, if it can be had in time; yields whether it is held."""
        try:
            descriptor = _open_lock(self.root / "lock")
        except OSError:
            yield False
            return
        try:
            yield _flock(descriptor, wait_seconds)
        finally:
            os.close(descriptor)

    # ------------------------------------------------------------------ the fence

    def fence(self) -> int:
        """0 where no roll back was ever done without control. Raises `UnavailableError` where nobody can tell."""
        files = both(self.root / "fence")
        known = {path: number for path in files if (number := _read_fence(path)) is not None}
        damaged = [path for path in files if path not in known and path.exists()]
        if damaged and not known:
            raise UnavailableError(f"{files[0]} is damaged, and so is its copy; accepted: one that can be read")
        # The copy alone may be missing: earlier versions had none.
        for path in damaged or [path for path in files[:1] if known and path not in known]:
            self._files.say(f"{path} is {'damaged' if path.exists() else 'gone'}; its copy counts")
        return max(known.values(), default=0)

    def raise_fence(self) -> int:
        """The new fence, in force before any file is swapped. Notes in `unrecorded` what could not be written."""
        number = self._next_fence()
        for path in both(self.root / "fence"):
            try:
                _write_fence(path, number)
            except OSError as error:
                self.unrecorded.append(f"{path} could not be raised ({error.strerror})")
        return number

    def _next_fence(self) -> int:
        try:
            return self.fence() + 1
        except UnavailableError:
            # Higher than any count of roll backs.
            return int(time.time())

    def _lay_out_fence(self) -> None:
        """Makes the fence such that it can be raised in place. One that nobody can read has risen."""
        try:
            number = self.fence()
        except UnavailableError:
            number = int(time.time())
        for path in both(self.root / "fence"):
            if not path.exists() or path.read_bytes() != _fence_text(number).encode():
                write_aside(path, _fence_text(number))

    # ------------------------------------------------------------------ the routes

    def routes(self) -> dict[str, Any] | None:
        """The routes in force; None before the first swap, and where neither they nor their copy can be read."""
        found = self._files.read(self.root / "routes.json")
        if found is not None:
            found.pop(_DOCUMENT_DIGEST, None)
        return found

    def swap(
        self,
        document: dict[str, Any],
        routes: dict[str, Any],
        back: tuple[dict[str, Any], dict[str, Any]] | None,
        put: Callable[[Callable[[], None]], None] = lambda change: change(),
    ) -> None:
        """Puts routes in force and lays out the roll back that fits them: its document and routes, or none.

        All room that is needed is taken before anything changes. `put` is called with what puts the document in
        place, and raises `UnavailableError` where the gateway refuses it: then all is as it was. Raises
        `UnavailableError`, too, where the disk refuses, with what was in force still in force.
        """
        generation = int(routes["generation"])
        text = json.dumps(document)
        try:
            self._stage(text, routes, generation, back)
        except OSError as error:
            shutil.rmtree(self.root / "next", ignore_errors=True)
            raise _refused(error) from None
        before, target = self.root / "next" / "before", self.document_path

        def change() -> None:
            (self.root / "next" / "document.json").rename(target)
            self.hand_over(text)

        try:
            put(change)
        except BaseException:
            with contextlib.suppress(OSError):
                before.rename(target)
            raise
        self._put_routes(self.root / "next")
        self._forget_backs(generation)
        shutil.rmtree(self.root / "next", ignore_errors=True)

    def _stage(
        self, text: str, routes: dict[str, Any], generation: int, back: tuple[dict[str, Any], dict[str, Any]] | None
    ) -> None:
        """Writes everything that is to be put in place, and the roll back behind it."""
        staged = self.root / "next"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        write_new(staged / "document.json", text)
        if self.document_path.exists():
            _link(staged / "before", self.document_path)
        _write_twice(staged / "routes.json", codec.sealed(routes))
        if back is not None:
            self._lay_out_back(staged / "back", generation, *back)
        sync_folder(staged)

    def _lay_out_back(self, made: Path, generation: int, document: dict[str, Any], routes: dict[str, Any]) -> None:
        made.mkdir()
        text = json.dumps(document)
        _write_twice(made / "document.json", text)
        # The document bears no checksum of its own: a gateway reads it.
        _write_twice(made / "routes.json", codec.sealed(routes | {_DOCUMENT_DIGEST: _digest(text)}))
        sync_folder(made)
        target = self.root / "back" / str(generation)
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
        sync_folder(target.parent)

    def _put_routes(self, folder: Path) -> None:
        """Brings routes and their copy from a folder into place; the copy first, for the file counts before it."""
        for name in reversed(both(Path("routes.json"))):
            (folder / name).rename(self.root / name)
        sync_folder(self.root)

    def _forget_backs(self, generation: int) -> None:
        """Deletes roll backs that fit other routes than those of a generation."""
        (self.root / "rollback.json").unlink(missing_ok=True)
        for folder in (self.root / "back").glob("*"):
            if folder.name != str(generation):
                shutil.rmtree(folder, ignore_errors=True)

    # ------------------------------------------------------------------ the way back

    def laid_out(self) -> Back | None:
        """The roll back that fits what is in force; None where there is nothing to go back from.

        What the gateway itself reports counts before the file: a swap may have been cut short between the two.
        """
        routes = self.routes()
        fits = [self.in_force(), routes.get("generation") if routes is not None else None]
        for generation in fits:
            if generation is not None and (back := self._back_of(generation)) is not None:
                return back
        if fits == [None, None]:
            # Neither gateway nor file tells: the newest there is.
            found = sorted(int(each.name) for each in (self.root / "back").glob("*") if each.name.isdigit())
            backs = (self._back_of(generation) for generation in reversed(found))
            return next((back for back in backs if back is not None), None)
        return None

    def _back_of(self, generation: int) -> Back | None:
        folder = self.root / "back" / str(generation)
        routes = self._files.read(folder / "routes.json") if folder.is_dir() else None
        if routes is not None and _usable(routes):
            return Back(routes, folder)
        single = self._files.read(self.root / "rollback.json", copies=1) or {}
        routes, document = single.get("routes"), single.get("document")
        if not (isinstance(routes, dict) and isinstance(document, dict) and _usable(routes)):
            return None
        return Back(routes, None, document) if routes["generation"] == generation + 1 else None

    def prepared_routes(self) -> dict[str, Any] | None:
        """The routes that `go_back` would put in force; None if there is nothing to go back from."""
        back = self.laid_out()
        return back.routes if back else None

    def go_back(self, lock_wait_seconds: float) -> dict[str, Any] | None:
        """Puts the prepared roll back in force without control and returns its routes; None if there is none.

        The fence rises first: a stopped control that holds the lock and wakes up finds it after its own swap. What
        could not be written is in `unrecorded`. Raises `UnavailableError` where the gateway cannot be reached at all.
        """
        self.unrecorded = []
        back = self.laid_out()
        if back is None:
            return None
        with self.locked(lock_wait_seconds):
            self.raise_fence()
            if back.folder is None:
                self._go_back_by_one_file(back)
            else:
                self._go_back_by_renames(back.folder, back.routes)
        return {name: value for name, value in back.routes.items() if name != _DOCUMENT_DIGEST}

    def _go_back_by_renames(self, folder: Path, routes: dict[str, Any]) -> None:
        path, text = self._whole_document(folder, routes)
        self._put_back(lambda: path.rename(self.document_path), text)
        try:
            self._put_whole_routes(folder)
        except OSError as error:
            self.unrecorded.append(f"{self.root / 'routes.json'} could not be written ({error.strerror})")
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _put_whole_routes(self, folder: Path) -> None:
        """As `_put_routes`, where one of the two may be damaged: the other is then in the file's place."""
        file, copy = both(folder / "routes.json")
        if _is_sealed(file) and _is_sealed(copy):
            self._put_routes(folder)
            return
        # A copy of the routes before must not count for these.
        both(self.root / "routes.json")[1].unlink(missing_ok=True)
        (file if _is_sealed(file) else copy).rename(self.root / "routes.json")
        sync_folder(self.root)

    def _go_back_by_one_file(self, back: Back) -> None:
        text = json.dumps(back.document)
        self._put_back(lambda: write_aside(self.document_path, text), text)
        try:
            for path in both(self.root / "routes.json"):
                write_aside(path, codec.sealed(back.routes))
            (self.root / "rollback.json").unlink(missing_ok=True)
        except OSError as error:
            self.unrecorded.append(f"{self.root / 'routes.json'} could not be written ({error.strerror})")

    def _put_back(self, place: Callable[[], object], text: str) -> None:
        """The document in place, if it can be, and in the gateway's hands, if it takes it so."""
        refused: OSError | None = None
        try:
            place()
        except OSError as error:
            refused = error
        taken = self.hand_over(text)
        if refused is None:
            return
        if not taken:
            raise _refused(refused)
        self.unrecorded.append(f"{self.document_path} could not be written ({refused.strerror})")

    def _whole_document(self, folder: Path, routes: dict[str, Any]) -> tuple[Path, str]:
        for path in both(folder / "document.json"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = path.read_text()
                if _digest(text) == routes.get(_DOCUMENT_DIGEST):
                    return path, text
                self._files.say(f"{path} is damaged; its copy counts")
        raise UnavailableError(f"{folder}/document.json is damaged, and so is its copy; accepted: a running control")

    def ask(self, method: str, target: str, body: str | None = None) -> str | None:
        """What the gateway says on its own socket; None when it does not answer well."""
        return ask_socket(self.places.asked_at(self.places.admin_socket), method, target, body)

    def await_generation(self, generation: int, wait_seconds: float) -> bool:
        """Whether the gateway reports this generation or a later one in time."""
        return until(lambda: (self.in_force() or 0) >= generation, wait_seconds)


class KeptFiles:
    """Small files with a copy beside them. What is damaged is said in one line, once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def read(self, path: Path, copies: int = 2) -> dict[str, Any] | None:
        """The object in a file, else in its copy; None where there is neither, or both are damaged."""
        damage: list[codec.StoredError] = []
        found = None
        for each in both(path)[:copies]:
            try:
                found = codec.unsealed(each.read_bytes().decode(), str(each))
                break
            except FileNotFoundError:
                continue
            except UnicodeDecodeError:
                damage.append(codec.StoredError(f"{each} is damaged: it is no text"))
            except OSError as error:
                damage.append(codec.StoredError(f"{each} cannot be read ({error.strerror})"))
            except codec.StoredError as error:
                damage.append(error)
        if found is not None and not damage and each != path:
            damage.append(codec.StoredError(f"{path} is gone"))
        for each_damage in damage:
            self.say(f"{each_damage}; its copy counts" if found is not None else str(each_damage))
        return found

    def say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            _LOG.warning("%s", line)


def both(path: Path) -> tuple[Path, Path]:
    """A file and its copy."""
    return path, path.with_name(f"{path.name}.kept")


def until(condition: Callable[[], bool], wait_seconds: float) -> bool:
    """Whether the condition came true in time; asked at least once."""
    deadline = time.monotonic() + wait_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _link(made: Path, path: Path) -> None:
    """A second name for a file; a copy where the file system knows no such."""
    try:
        made.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, made)


def _write_twice(path: Path, text: str) -> None:
    """A file and its copy, which stands for damage of the file; after a power cut that is there."""
    file, copy = both(path)
    write_new(file, text)
    write_new(copy, text, durably=False)


def _is_sealed(path: Path) -> bool:
    try:
        codec.unsealed(path.read_bytes().decode(), str(path))
    except (OSError, UnicodeDecodeError, codec.StoredError):
        return False
    return True


def _usable(routes: dict[str, Any]) -> bool:
    """Whether routes say what a roll back must know."""
    return isinstance(routes.get("stable"), str) and isinstance(routes.get("generation"), int)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(error: OSError) -> UnavailableError:
    where = error.filename or "the gateway's folder"
    return UnavailableError(
        f"{where} cannot be written ({error.strerror}), and what was in force stays; accepted: a disk with room"
    )


def _fence_text(number: int) -> str:
    digits = f"{number:020d}"
    return f"fence {digits} {zlib.crc32(digits.encode()):08x}\n"


def _read_fence(path: Path) -> int | None:
    """The number in a file; None where there is none or it is damaged. Earlier versions wrote the number alone."""
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    found = _FENCE.fullmatch(text)
    if found:
        return int(found[1]) if _fence_text(int(found[1])) == text else None
    return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text.strip()) else None


def _write_fence(path: Path, number: int) -> None:
    """Over what is there, which needs no room on the disk; a file that is not there yet is made."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        text = _fence_text(number).encode()
        os.posix_fallocate(descriptor, 0, _FENCE_BYTES)
        os.ftruncate(descriptor, _FENCE_BYTES)
        os.pwrite(descriptor, text, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        # A disk that takes nothing has had the file since the first swap: a lock needs no more.
        return os.open(path, os.O_RDONLY)


def ask_socket(path: Path, method: str, target: str, body: str | None = None) -> str | None:
    """The body of a good answer over a Unix socket; None when nobody answers well."""
    connection = UnixConnection(path, _ANSWER_SECONDS)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        text = answer.read().decode()
        return text if answer.status < 300 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _flock(descriptor: int, wait_seconds: float) -> bool:
    def held() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return until(held, wait_seconds)
