"""The figures of the demo, computed from `history.db` and the gateway's log and from nothing else."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from huidu.core.text.errors import ErrorCounts, character_errors
from huidu.core.text.numerals import numeral_errors


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def versions(lines: list[dict[str, Any]], database: Path, names: Iterable[str]) -> dict[str, Any]:
    """By version: requests and milliseconds of the requests that were routed to it, errors of its corrected texts."""
    return {name: _version(name, lines, database) for name in names}


def _version(name: str, lines: list[dict[str, Any]], database: Path) -> dict[str, Any]:
    milliseconds = [line["ms"] for line in lines if line["version"] == name]
    texts = _texts(database, name)
    characters = sum((character_errors(*text) for text in texts), ErrorCounts(0, 0))
    numbers = sum((numeral_errors(*text) for text in texts), ErrorCounts(0, 0))
    p50, p95 = np.percentile(milliseconds, [50, 95]) if milliseconds else (None, None)
    return {
        "requests": len(milliseconds),
        "reviewed": len(texts),
        "cer": _rate(characters),
        "numerals_error": _rate(numbers),
        "p50_ms": None if p50 is None else round(float(p50), 1),
        "p95_ms": None if p95 is None else round(float(p95), 1),
    }


def _rate(counts: ErrorCounts) -> float | None:
    return round(counts.errors / counts.reference, 6) if counts.reference else None


def _texts(database: Path, version: str) -> list[tuple[str, str]]:
    """(reference, hypothesis) of the answered recognitions that a person has corrected or confirmed."""
    query = (
        "SELECT corrected_text, raw_text FROM recognition_history"
        " WHERE version = ? AND answered AND corrected_text IS NOT NULL"
    )
    return _query(database, query, (version,))


def release(number: int, lines: list[dict[str, Any]], database: Path) -> dict[str, Any]:
    """One release with what its candidate served."""
    columns = ("id", "version", "outcome", "stage", "guard", "reason")
    (row,) = _query(database, f"SELECT {', '.join(columns)} FROM releases WHERE id = ?", (number,))
    found = dict(zip(columns, row, strict=True))
    served = [line for line in lines if line["release"] == number and line["version"] == found["version"]]
    users = {line["unit"] for line in served}
    return {**found, "candidate_requests": len(served), "candidate_users": len(users)}


def rollback(lines: list[dict[str, Any]], left: str, received_at: float) -> dict[str, float]:
    """How fast a version was left, in ms after control received the command.

    `applied_ms`: until the start of the last request routed to it; `drained_ms`: until the end of the last one.
    """
    routed = [line for line in lines if line["version"] == left]
    last_start = max((line["time"] for line in routed), default=received_at)
    last_end = max((line["time"] + line["ms"] / 1000 for line in routed), default=received_at)
    return {
        "applied_ms": round(max(0.0, last_start - received_at) * 1000, 1),
        "drained_ms": round(max(0.0, last_end - received_at) * 1000, 1),
    }


def received_at(database: Path, kind: str) -> float:
    """When control received the last command of a kind, from the record of releases."""
    query = "SELECT payload FROM release_events WHERE kind = ? ORDER BY id DESC LIMIT 1"
    ((payload,),) = _query(database, query, (kind,))
    return float(json.loads(payload)["received_at"])


def _query(database: Path, query: str, values: tuple[Any, ...]) -> list[Any]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()
