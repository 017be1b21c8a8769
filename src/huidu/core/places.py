"""Where things lie under a data folder. Standard library only, so that an emergency command may use it.

Names alone, but for the folder of sockets: where the data folder's path is too long for a socket they lie elsewhere,
and a link in the data folder says where.
"""

import hashlib
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from huidu.core.errors import UnavailableError

# What the kernel takes, less the byte that ends a name.
_SOCKET_PATH_BYTES = 107
# supervisord binds its socket under a name that ends in its process's number, then renames it.
_LONGEST_SOCKET = "supervisor.sock.4194304"
# Never the caller's TMPDIR: whoever asks later has another.
_ELSEWHERE = "/tmp"


@dataclass(frozen=True, slots=True)
class Places:
    """The files of one installation. `data` must be absolute."""

    data: Path

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def gateway_log(self) -> Path:
        return self.logs / "gateway.jsonl"

    @property
    def gateway(self) -> Path:
        return self.data / "gateway"

    @property
    def spool(self) -> Path:
        """Where recognitions wait for a history that does not take them, in one file for each instance."""
        return self.data / "spool"

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def control_file(self) -> Path:
        """Says where control listens: {"url": …}."""
        return self.run / "control.json"

    @property
    def control_lock(self) -> Path:
        """Held by the one control; says its process."""
        return self.run / "control.lock"

    @property
    def status_file(self) -> Path:
        """The last status, for when control does not answer."""
        return self.run / "status.json"

    @property
    def token_file(self) -> Path:
        """What a command shows to control's port; whoever can read this file may command."""
        return self.run / "token"

    @property
    def sockets_link(self) -> Path:
        """Leads to the folder of sockets where that is not `run`."""
        return self.run / "sockets"

    @property
    def sockets_fit(self) -> bool:
        """Whether the paths of sockets in `run` are short enough."""
        longest = str(self.run / _LONGEST_SOCKET).encode(errors="surrogateescape")
        return len(longest) <= _SOCKET_PATH_BYTES

    @property
    def sockets(self) -> Path:
        """The folder of Unix sockets: `run`, or the one that was made elsewhere (`make_sockets`).

        A folder that has another owner than the installation is nobody's: then this is a path where nothing is.
        """
        if self.sockets_fit:
            return self.run
        try:
            folder = self.sockets_link.readlink()
            mine = _is_private(folder, self.run.stat().st_uid)
        except OSError:
            mine = False
        return folder if mine else self.run

    @property
    def former_sockets(self) -> Path:
        """Where sockets lay before they lay in the data folder: an `up` of that time still has them there."""
        digest = hashlib.sha256(str(self.data).encode(errors="surrogateescape")).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"huidu-{digest}"

    def asked_at(self, socket: Path) -> Path:
        """Where one of the sockets below is to be asked: at its place, or where an `up` of a former time has it."""
        former = self.former_sockets / socket.name
        try:
            if not socket.exists() and former.exists() and _is_private(former.parent, self.run.stat().st_uid):
                return former
        except OSError:
            pass
        return socket

    @property
    def admin_socket(self) -> Path:
        return self.sockets / "gateway.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def control_socket(self) -> Path:
        return self.sockets / "control.sock"


def make_sockets(places: Places) -> Path:
    """The folder of sockets, made where it is not there yet, its owner's alone. Raises `UnavailableError`."""
    try:
        places.run.mkdir(parents=True, exist_ok=True)
        if places.sockets_fit:
            places.run.chmod(0o700)
        elif places.sockets == places.run:
            fresh = Path(tempfile.mkdtemp(prefix="huidu-", dir=_ELSEWHERE))
            aside = places.sockets_link.with_name(f".{fresh.name}")
            aside.symlink_to(fresh)
            aside.rename(places.sockets_link)
    except OSError as error:
        raise UnavailableError(
            f"no folder for sockets can be made in {places.run} ({error.strerror}); accepted: a folder that can be "
            "written to"
        ) from None
    return places.sockets


def _is_private(folder: Path, owner: int) -> bool:
    """Whether a folder is its owner's alone. Raises `OSError` where there is none."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077
