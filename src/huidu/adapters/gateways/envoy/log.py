"""The gateway's log, read from a checkpoint: each whole line once, whatever stops in between."""

from pathlib import Path
from typing import Any

import orjson

from huidu.core.evidence import Observation

# Bounds one read, so that a long absence is caught up in steps.
_READ_BYTES = 8 << 20


class EnvoyLog:
    """Reads `gateway.jsonl`. A checkpoint is {"inode", "offset"}."""

    def __init__(self, path: Path):
        self._path = path

    def read(self, checkpoint: dict[str, Any] | None) -> tuple[list[Observation], dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                inode = self._path.stat().st_ino
                known = checkpoint is not None and checkpoint["inode"] == inode
                offset = checkpoint["offset"] if checkpoint is not None and known else 0
                file.seek(offset)
                block = file.read(_READ_BYTES)
        except FileNotFoundError:
            return [], checkpoint or {"inode": 0, "offset": 0}
        whole = block[: block.rfind(b"\n") + 1]
        found = [observation for line in whole.splitlines() if (observation := parse(line)) is not None]
        return found, {"inode": inode, "offset": offset + len(whole)}


def parse(line: bytes) -> Observation | None:
    """One line as an observation; None for a line that is none of ours (torn by a crash, or of another form)."""
    try:
        row = orjson.loads(line)
        return Observation(
            time=float(row["time"]),
            request_id=str(row["request_id"]),
            release=None if row["release"] is None else int(row["release"]),
            version=str(row["version"]),
            served_by=row["served_by"],
            generation=int(row["generation"]),
            rule=str(row["rule"]),
            unit=str(row["unit"]),
            share_bp=int(row["share_bp"]),
            # Answers of the gateway itself were tried nowhere.
            attempts=int(row["attempts"] or 0),
            status=int(row["status"]),
            ms=float(row["ms"]),
            audio_seconds=None if row["audio_seconds"] is None else float(row["audio_seconds"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
