"""What is the owner's alone: the modes of an installation's files, and the token that opens its ports.

Standard library only: an emergency command speaks to control with it. Whoever owns the data folder, and root, may
read and command everything; another Unix user nothing.
"""

import fcntl
import hmac
import logging
import os
import re
import secrets
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from huidu.core.places import Places
from huidu.files import write_aside

_LOG = logging.getLogger(__name__)

_OTHERS = 0o077
_ROOT = 0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")
# What lies in a data folder that holds other things, too.
_OURS = ("history.db*", "run", "logs", "gateway", "spool", "evaluation")
# What we write into a folder of logs that is a link to one of the system's.
_OUR_LOGS = ("gateway*.jsonl*", "gateway.log*", "control.log*", "instance-*.log*", "supervisord.log*")
_LISTENS = "0A"


def keep_private() -> None:
    """Whatever this process and those it starts make from now on is for nobody else."""
    os.umask(_OTHERS)


def act_as_owner(places: Places) -> None:
    """Root acts as the owner of the data folder: files of its own the installation could not read.

    Raises `OSError` where there is no data folder.
    """
    found = places.data.stat()
    if os.geteuid() == _ROOT and found.st_uid != _ROOT:
        # Loaded at the first address that is looked up; the interpreter may lie where only root can read.
        "host".encode("idna")
        os.setegid(found.st_gid)
        os.seteuid(found.st_uid)


# ------------------------------------------------------------------ modes


@dataclass(slots=True)
class Repaired:
    """How many files and folders were closed, and which are open still, with why."""

    closed: int = 0
    left: list[tuple[Path, str]] = field(default_factory=list)

    def lines(self, data: Path) -> list[str]:
        """What to tell whoever started this; nothing where all was well."""
        found = []
        if self.closed:
            count = f"{self.closed} file{'s' if self.closed > 1 else ''} or folders"
            found.append(f"{count} in {data} could be opened by other users of this machine: closed now")
        if self.left:
            path, why = self.left[0]
            more = f" and {len(self.left) - 1} more" if len(self.left) > 1 else ""
            found.append(f"{path}{more} can be opened by other users of this machine and was not closed: {why}")
        return found


def repair(places: Places) -> Repaired:
    """Takes the rights of everybody else from what lies in the data folder and belongs to this user.

    Links are not followed: a folder that one leads to keeps its mode, and our own logs and history in it are closed.
    """
    done = Repaired()
    for path, found in open_to_others(places):
        if found.st_uid != os.geteuid():
            done.left.append((path, "it belongs to another user; accepted: one owner of all of the data folder"))
            continue
        try:
            _close(path, found)
            done.closed += 1
        except OSError as error:
            done.left.append((path, error.strerror or type(error).__name__))
    return done


def open_to_others(places: Places) -> Iterator[tuple[Path, os.stat_result]]:
    """What others than its owner may open, folders before what they hold; with what the file system says of it.

    Lazy: once a folder was closed nobody else can put anything in the place of what is in it.
    """
    data = places.data
    shared = _is_shared(data)
    if not shared and (found := _too_open(data)):
        yield data, found
    for path in _matching(data, _OURS) if shared else _inside(data):
        yield from _open_below(path)
    if places.logs.is_symlink():
        yield from ((path, found) for path in _matching(places.logs, _OUR_LOGS) if (found := _too_open(path)))
    history = data / "history.db"
    if history.is_symlink():
        target = history.resolve()
        # What SQLite puts beside the file that a link leads to.
        named = (target, target.with_name(f"{target.name}-wal"), target.with_name(f"{target.name}-shm"))
        yield from ((path, found) for path in named if (found := _too_open(path)))


def _open_below(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    if found := _too_open(path):
        yield path, found
    if not path.is_symlink() and path.is_dir():
        for each in _inside(path):
            yield from _open_below(each)


def _too_open(path: Path) -> os.stat_result | None:
    """What lies there, where it is no link and others may open it."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return None if stat.S_ISLNK(found.st_mode) or not found.st_mode & _OTHERS else found


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    with suppress(OSError):
        return sorted({path for pattern in patterns for path in folder.glob(pattern)})
    return []


def _is_shared(data: Path) -> bool:
    """Whether a folder is no folder of data alone, so that its own mode is somebody else's affair."""
    try:
        sticky = data.stat().st_mode & stat.S_ISVTX
        return bool(sticky) or len(data.parts) == 1 or data == Path.home() or (data / "huidu.yaml").exists()
    except (OSError, RuntimeError):
        return False


def _close(path: Path, found: os.stat_result) -> None:
    """By a descriptor that only names the file: one that opens it would, when closed, free SQLite's locks."""
    if not hasattr(os, "O_PATH"):
        path.lchmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        now = os.fstat(descriptor)
        if (now.st_ino, now.st_dev) == (found.st_ino, found.st_dev):
            Path(f"/proc/self/fd/{descriptor}").chmod(stat.S_IMODE(now.st_mode) & ~_OTHERS)
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------ the token


class Token:
    """The token of an installation, in `run/token`. Read at each use: a new one counts at once, none opens nothing."""

    def __init__(self, places: Places):
        self._places = places

    def make(self) -> None:
        """Makes one where there is none that counts. Raises `OSError` where that cannot be."""
        if self.read() is not None:
            return
        folder = self._places.run
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Of several that start together one makes it, and the others find it.
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.read() is None:
                write_aside(self._places.token_file, f"{secrets.token_urlsafe(32)}\n")
        finally:
            os.close(lock)

    def read(self) -> str | None:
        """None where there is none that counts."""
        try:
            with self._places.token_file.open("rb") as file:
                text = file.read(300).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return text if _TOKEN.fullmatch(text) else None

    def opens(self, authorization: str | None) -> bool:
        """Whether a request's header `Authorization` shows the token."""
        scheme, _, shown = (authorization or "").strip().partition(" ")
        token = self.read()
        if token is None or scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), token.encode())

    def for_address(self, address: str) -> str | None:
        """What may be shown to an instance at `host:port` (one of ours) or at a URL.

        None where somebody else might listen: on another machine, or as another user of this one.
        """
        url = urlsplit(address if "://" in address else f"huidu://{address}")
        try:
            port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError:
            return None
        if url.scheme != "huidu" and not _is_loopback(url.hostname or ""):
            return None
        listening = listeners(port)
        return self.read() if listening and listening <= trusted(self._places) else None


def make_token(places: Places) -> Token:
    """The installation's token, made where there is none. Where that cannot be, no token opens anything."""
    token = Token(places)
    try:
        token.make()
    except OSError as error:
        _LOG.warning("%s cannot be made (%s): what needs it is refused", places.token_file, error.strerror or error)
    return token


def bearer(token: str | None) -> dict[str, str]:
    """The header that shows a token; none for none."""
    return {"authorization": f"Bearer {token}"} if token else {}


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def trusted(places: Places) -> frozenset[int]:
    """The users that are believed to be this installation: its owner, whoever asks, and root."""
    with suppress(OSError):
        return frozenset({_ROOT, os.geteuid(), places.data.stat().st_uid})
    return frozenset({_ROOT, os.geteuid()})


def peer(connected: socket.socket) -> int | None:
    """The user who listens at the other end of a Unix socket; None where the system does not say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    form = struct.Struct("3i")
    _, user, _ = form.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return int(user)


def listeners(port: int) -> frozenset[int]:
    """The users who listen on a TCP port of this machine; none where nobody does, or the system does not say."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError), table.open() as file:
            for fields in map(str.split, file):
                if len(fields) > 7 and fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(int(fields[7]))
    return frozenset(found)
