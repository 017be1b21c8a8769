"""The log of requests that a gateway refused before it chose a version. Nobody reads it but people, and it has an end.

gateway-refused.jsonl                   the live file
gateway-refused-20261122T081022Z.jsonl  renamed at that time
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from huidu.core.errors import UnavailableError

_DAY = 86_400.0
_LARGEST_BYTES = 64 * 10**6
_HEAD_BYTES = 1 << 16


def tidy_refused_log(live: Path, reopen: Callable[[], bool], now: float, keep_seconds: float) -> None:
    """Renames a live file that is large or begins too long ago, and deletes what is older than is kept.

    No line lives longer than `keep_seconds`: a file holds the lines of a day, or of a part of what is kept, and goes so
    much earlier. `reopen` has the gateway begin a new file. Raises `UnavailableError`.
    """
    span = min(_DAY, keep_seconds / 4)
    try:
        if live.exists() and (now - _begun(live) >= span or live.stat().st_size >= _LARGEST_BYTES):
            stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
            live.rename(live.with_name(f"{live.stem}-{stamp}{live.suffix}"))
        if not live.exists():
            # Where the gateway does not hear, lines go on into the renamed file, and it is asked again next time.
            reopen()
        _forget(live, now - keep_seconds + span)
    except OSError as error:
        raise UnavailableError(f"the log {live} cannot be tidied: {error.strerror}") from error


def _forget(live: Path, before: float) -> None:
    """Deletes renamed files into which nothing was written since."""
    for path in live.parent.glob(f"{live.stem}-*{live.suffix}"):
        if path.stat().st_mtime < before:
            path.unlink()


def _begun(live: Path) -> float:
    """The time of the first line; where that tells none, of the last change."""
    with live.open("rb") as file:
        line = file.readline(_HEAD_BYTES)
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(line)["time"])
    return live.stat().st_mtime
