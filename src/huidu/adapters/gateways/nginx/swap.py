"""How nginx's state comes into force: written aside for its next start, and handed over on its control socket.

Standard library only: `huidu rollback` runs this when control does not answer.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from huidu.adapters.gateways.folder import SwapFolder


class NginxFolder(SwapFolder):
    """The document is the state that nginx's Lua reads: gateway/nginx/state.json."""

    engine: ClassVar[str] = "nginx"

    def create(self) -> None:
        super().create()
        self.home.mkdir(exist_ok=True)

    @property
    def home(self) -> Path:
        """What nginx starts from: its configuration, its Lua and the last state."""
        return self.root / "nginx"

    @property
    def document_path(self) -> Path:
        return self.home / "state.json"

    def hand_over(self, text: str) -> bool:
        return self.ask("POST", "/state", text) is not None

    def in_force(self) -> int | None:
        text = (self.ask("GET", "/generation") or "").strip()
        return int(text) if text.isdigit() else None

    def in_flight(self, version: str) -> int:
        target = f"/in-flight?version={quote(version, safe='')}"
        text = (self.ask("GET", target) or "").strip()
        return int(text) if text.isdigit() else 0

    def written(self) -> tuple[int, int, str] | None:
        """nginx writes each line at once and cannot say which it failed to write: those are counted all the same."""
        found = self.status()
        lines, life = found.get("lines"), found.get("life")
        return (lines, 0, life) if isinstance(lines, int) and isinstance(life, str) else None

    def reopen_log(self) -> bool:
        # nginx says its own number: one read from a file could by now belong to somebody else.
        master = self.status().get("master")
        if not isinstance(master, int):
            return False
        try:
            os.kill(master, signal.SIGUSR1)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def status(self) -> dict[str, Any]:
        """What nginx says of itself; empty when it does not answer.

        `master` is its process, `mark` names the configuration it reads, `lines` are those put into the log in
        the `life` that counts them: until a worker is killed, or nginx starts again.
        """
        text = self.ask("GET", "/status")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found
