"""Where things lie under a data folder: names only, standard library only, so that an emergency command may use it."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path


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
    def sockets(self) -> Path:
        """A short folder for Unix sockets, whose paths may have no more than 107 characters."""
        digest = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"huidu-{digest}"

    @property
    def admin_socket(self) -> Path:
        return self.sockets / "gateway.sock"

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"
