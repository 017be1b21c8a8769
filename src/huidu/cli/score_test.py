import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.cli.app import run
from huidu.core.text.align import Weights
from huidu.core.text.normalise import VERSION, Normaliser
from huidu.core.text.score import score, total

RATES = ["cer", "wer", "mixed_error_rate"]
COUNTS = ["substitutions", "deletions", "insertions", "hits", "reference", "rate"]
REFERENCES = {"a": "请拨打一零零八六", "b": "臺灣 <noise> Hello, world", "c": "嗯 三点半", "d": "没有人听见"}
HYPOTHESES = {"a": "请拨打一千零八十六", "b": "台湾 hello word", "c": "3:30", "x": "谁也没说"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two trn files in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, texts in (("ref.trn", REFERENCES), ("hyp.trn", HYPOTHESES)):
        Path(name).write_text("".join(f"{text} ({key})\n" for key, text in texts.items()), encoding="utf-8")
    return ["ref.trn", "hyp.trn"]


def scored(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["score", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def assert_score(found: dict[str, Any]) -> None:
    for form in ("raw", "normalised"):
        assert list(found[form]) == RATES
        for name in RATES:
            assert list(found[form][name]) == COUNTS
    assert list(found["numerals"]) == ["reference", "wrong", "rate"]


def test_json_has_every_count_by_name(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(files, capsys)
    assert_score(found)
    about = {"sentences": 4, "missing": 1, "unmatched": 1, "normaliser": VERSION, "weights": "unit"}
    assert {key: value for key, value in found.items() if key not in ("raw", "normalised", "numerals")} == about


@pytest.mark.parametrize("weights", Weights)
@pytest.mark.parametrize("options", [[], ["--drop-fillers"], ["--simplified"], ["--drop-fillers", "--simplified"]])
def test_figures_are_those_of_the_texts(
    files: list[str], weights: Weights, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = scored([*files, "--weights", weights.name.lower(), "--per-utterance", *options], capsys)
    normaliser = Normaliser("--drop-fillers" in options, "--simplified" in options)
    hypotheses = [HYPOTHESES.get(name) for name in REFERENCES]
    scores = score(list(REFERENCES.values()), hypotheses, normaliser, weights)
    assert {name: found[name] for name in ("raw", "normalised", "numerals")} == total(scores).to_json()
    assert found["normaliser"] == normaliser.name
    assert found["weights"] == weights.name.lower()
    assert [(row["id"], row["missing"]) for row in found["per_utterance"]] == [
        (name, name not in HYPOTHESES) for name in REFERENCES
    ]
    for row, one in zip(found["per_utterance"], scores, strict=True):
        assert_score(row)
        assert {name: row[name] for name in ("raw", "normalised", "numerals")} == one.to_json()


def test_what_is_counted_otherwise_than_one_might_think_is_said(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", *files]) == 0
    said = capsys.readouterr()
    missing, unmatched, marked = said.err.splitlines()
    assert missing.endswith(": d")
    assert unmatched.endswith(": x")
    assert "markup" in marked
    assert marked.endswith(": b")
    assert "4 sentences, 1 missing, 1 unmatched" in said.out


def test_the_table_says_what_json_says(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = scored(files, capsys)
    assert run(["score", *files]) == 0
    table = capsys.readouterr().out
    for form in ("raw", "normalised"):
        for label, name in zip(("CER", "WER", "mixed error rate"), RATES, strict=True):
            counts = found[form][name]
            (line,) = [line for line in table.splitlines() if line.startswith(label) and f" {form} " in line]
            numbers = re.findall(r"[\d.]+%?", line)
            figures = [str(counts[key]) for key in ("substitutions", "deletions", "insertions", "reference")]
            assert numbers == [f"{counts['rate']:.2%}", *figures]


def test_a_format_is_told_by_suffix_or_by_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ref.tsv").write_text("id\ttext\n1\t你好\n2\ta b\n", encoding="utf-8-sig")
    Path("hyp.txt").write_text("你\r\na b c\r\n", encoding="utf-8")
    Path("hyp.out").write_text("1\t你\n2\ta b c\n", encoding="utf-8")
    Path("ref.TRN").write_text("你好 (1)\na b (2)\n", encoding="utf-8")
    found = scored(["ref.tsv", "hyp.txt"], capsys)
    assert found["raw"]["wer"] == {**found["raw"]["wer"], "substitutions": 1, "insertions": 1, "hits": 2}
    assert scored(["ref.TRN", "hyp.txt"], capsys) == found
    assert scored(["hyp.out", "hyp.out", "--format", "tsv"], capsys)["sentences"] == 2
    assert run(["score", "ref.tsv", "hyp.out"]) == 2
    assert "--format trn, txt, tsv" in capsys.readouterr().err


def test_every_bad_line_is_named(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.trn").write_bytes(b"ok (a)\nno id\nagain (a)\n\xff (b)\nnor here\n\nok (c)\nlast\n")
    assert run(["score", files[0], "bad.trn"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    first, *lines = said.err.splitlines()
    assert first == "huidu: bad.trn: 5 problems:"
    assert [line.split()[1] for line in lines] == [f"bad.trn:{number}:" for number in (2, 3, 4, 5, 8)]
    assert all("accepted" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.trn", "hyp.trn"], "none.trn cannot be read"),
        (["ref.trn", "."], "accepted"),
        (["ref.trn", ".", "--format", "trn"], "cannot be read"),
        (["ref.trn", "hyp.trn", "--weights", "equal"], "accepted: unit, sclite"),
        (["ref.trn", "hyp.trn", "--format", "tsv"], "no tab"),
        (["empty.trn", "hyp.trn"], "empty.trn holds no text"),
    ],
)
def test_a_refusal_says_what_would_be_accepted(
    files: list[str], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.trn").write_bytes(b"\n")
    assert run(["score", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert all(line.startswith("huidu: ") for line in error.splitlines())


def test_a_version_that_heard_nothing_at_all_has_every_token_deleted(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.trn").write_bytes(b"")
    assert run(["score", files[0], "empty.trn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == found["sentences"] > 0
    assert found["raw"]["cer"]["deletions"] == found["raw"]["cer"]["reference"] > 0


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40), form=st.sampled_from(["trn", "tsv", "txt"]))
def test_any_files_are_scored_or_refused(
    files: list[str], content: bytes, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("any").write_bytes(content)
    status = run(["score", "any", "any", "--format", form, "--json", "--per-utterance"])
    said = capsys.readouterr()
    assert status in (0, 2)
    if status == 0:
        assert json.loads(said.out)["raw"]["mixed_error_rate"]["rate"] == 0
    else:
        assert "accepted" in said.err


def test_the_installed_command_scores(files: list[str]) -> None:
    command = [sys.executable, "-m", "huidu", "score", *files, "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert_score(json.loads(ran.stdout))
    refused = subprocess.run([*command[:-2], "none.trn"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
