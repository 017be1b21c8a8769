"""Every hypothesis as a row of a CSV file, for spreadsheets and scripts."""

import csv
from pathlib import Path
from typing import Any

from huidu.adapters.report.shown import rows, table

_UTTERANCE = ("id", "audio", "audio_sha256", "audio_seconds", "speaker", "category")
_COUNTS = ("substitutions", "deletions", "insertions", "hits", "reference", "rate")
_NUMERALS = ("reference", "wrong")
COLUMNS = (
    *_UTTERANCE,
    "reference",
    "version",
    "hypothesis",
    "error",
    "latency_ms",
    *(f"cer_{name}" for name in _COUNTS),
    *(f"numerals_{name}" for name in _NUMERALS),
)


def write_csv(result: dict[str, Any], path: Path) -> None:
    """Writes one row for each utterance and version of a result document, under the header `COLUMNS`.

    UTF-8 with a byte order mark (spreadsheets take Chinese for gibberish without), every field quoted, lines end with
    CR LF; what is None is an empty field, half a surrogate becomes `\\udXXX`. Texts stay exactly as they were said,
    also those that begin with `=`, `+`, `-` or `@`, which a spreadsheet may run as a formula: import the columns as
    text when the texts come from people you do not trust. Raises `OSError` where the file cannot be written.
    """
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for utterance in rows(result, "utterances"):
            for version in rows(result, "versions"):
                writer.writerow(_row(utterance, version.get("name")))


def _row(utterance: dict[str, Any], version: Any) -> dict[str, Any]:
    heard = table(table(utterance, "hypotheses"), str(version))
    return {
        **{name: utterance.get(name) for name in _UTTERANCE},
        "reference": utterance.get("text"),
        "version": version,
        "hypothesis": heard.get("text"),
        "error": heard.get("error"),
        "latency_ms": heard.get("latency_ms"),
        **{f"cer_{name}": table(heard, "cer").get(name) for name in _COUNTS},
        **{f"numerals_{name}": table(heard, "numerals").get(name) for name in _NUMERALS},
    }
