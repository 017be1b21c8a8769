"""The CSV file gives back exactly what was said."""

import csv
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.report.hypotheses_csv import COLUMNS, write_csv
from huidu.adapters.report.sample_test import document


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_there_is_a_row_for_each_utterance_and_version(tmp_path: Path) -> None:
    result = document(8)
    write_csv(result, tmp_path / "all.csv")
    found = read(tmp_path / "all.csv")
    expected = [(one, name) for one in result["utterances"] for name in ("v1", "v2", "v3")]
    assert [(row["id"], row["version"]) for row in found] == [(one["id"], name) for one, name in expected]
    for row, (one, name) in zip(found, expected, strict=True):
        heard = one["hypotheses"][name]
        assert (row["reference"], row["hypothesis"], row["error"]) == (one["text"], heard["text"], "")
        assert int(row["cer_deletions"]) == heard["cer"]["deletions"]
        assert float(row["cer_rate"]) == heard["cer"]["rate"]
        assert int(row["numerals_wrong"]) == heard["numerals"]["wrong"]


@given(text=st.text(), said=st.text())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(tmp_path: Path, text: str, said: str) -> None:
    result = document(1, ("v1",))
    result["utterances"][0]["text"] = text
    result["utterances"][0]["hypotheses"]["v1"]["text"] = said
    write_csv(result, tmp_path / "one.csv")
    assert [(row["reference"], row["hypothesis"]) for row in read(tmp_path / "one.csv")] == [(text, said)]


def test_every_field_is_quoted_and_missing_parts_are_empty(tmp_path: Path) -> None:
    result = {"versions": {"v1": {"name": "v1"}}, "utterances": [{"id": "1", "text": "\ud800", "hypotheses": None}]}
    write_csv(result, tmp_path / "bare.csv")
    lines = (tmp_path / "bare.csv").read_bytes().decode("utf-8-sig").split("\r\n")
    assert lines[0] == ",".join(f'"{name}"' for name in COLUMNS)
    assert lines[1].count('"') == 2 * len(COLUMNS)
    assert "\\ud800" in lines[1]
    write_csv({}, tmp_path / "empty.csv")
    assert read(tmp_path / "empty.csv") == []
