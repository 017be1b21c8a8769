"""`--show N` prints lines that line up."""

import json
import os
import sys
from pathlib import Path

import pytest

from huidu.cli.app import run
from huidu.cli.worst import columns
from huidu.core.text.shown import width

LONG = "请您在电话里按照语音提示输入身份证号码然后按井号键结束谢谢您的来电" * 8
REFERENCES = {
    "a": "我的电话是一零零八六请拨",
    "b": "你好",
    "c": "没有人听见",
    "d": LONG,
    "e": "turn left\x07 in 2 miles",
    "f": "说了",
}
HYPOTHESES = {
    "a": "我们的电话是10068请",
    "b": "你好",
    "d": LONG.replace("井号键结束谢谢您", "#号键结束谢您") + "吧",
    "e": "turn lift in ten miles \x1b[31m",
    "f": "",
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for name, texts in (("ref.tsv", REFERENCES), ("hyp.tsv", HYPOTHESES)):
        Path(name).write_text("".join(f"{key}\t{text}\n" for key, text in texts.items()), encoding="utf-8")
    return ["ref.tsv", "hyp.tsv"]


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["score", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def below(lines: list[str], name: str) -> list[str]:
    """The lines of an utterance, with its heading."""
    first = next(index for index, line in enumerate(lines) if line.startswith(f"{name}: "))
    return lines[first : lines.index("", first)]


def test_lines_stand_over_each_other_with_the_marks_below(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown([*files, "--show", "9"], capsys)
    assert below(lines, "a") == [
        "a: 3 errors in 8 tokens (S 1, D 1, I 1)",
        "REF 我　的电话是 10086 请拨",
        "HYP 我们的电话是 10068 请",
        "    　Ｉ　　　　 S     　Ｄ",
        "missed numeral: 10086 (一零零八六) -> 10068",
    ]
    assert "    1x 10086 (一零零八六) -> 10068  in a" in lines
    assert "worst utterances, by errors in normalised mixed tokens:" in lines
    # What has no error is not shown.
    assert not any(line.startswith("b: ") for line in lines)


def test_a_missing_hypothesis_and_an_empty_one_are_told_apart(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown([*files, "--show", "9"], capsys)
    missing, said = below(lines, "c")
    assert missing.endswith("; missing: there is no hypothesis")
    assert said == "REF 没有人听见"
    empty = below(lines, "f")
    assert empty[0].endswith("; heard nothing")
    assert empty[1:] == ["REF 说了", "HYP", "    ＤＤ"]


def test_long_texts_are_wrapped_at_eighty_columns_where_the_output_is_no_terminal(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = below(shown([*files, "--show", "1"], capsys), "d")
    assert 70 < max(map(width, lines[1:])) <= columns() == 80
    rows = [line[4:] for line in lines if line.startswith("REF ")]
    assert len(rows) > 3
    assert "".join(rows).replace("　", "").replace(" ", "").startswith(LONG[:20])


def test_many_lines_without_an_error_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ref.txt").write_text("好" * 2000 + "吧\n", encoding="utf-8")
    (tmp_path / "hyp.txt").write_text("好" * 2000 + "啊\n", encoding="utf-8")
    lines = shown([str(tmp_path / "ref.txt"), str(tmp_path / "hyp.txt"), "--show", "1"], capsys)
    assert "    ... 52 lines without an error" in lines
    assert sum(line.startswith("REF ") for line in lines) == 1


def test_the_terminals_width_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for told, taken in ((120, 120), (5, 20)):
        monkeypatch.setitem(os.environ, "COLUMNS", str(told))
        assert columns() == taken


def test_texts_command_no_terminal(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("ref.tsv").write_text("a\t一二三四五个\x1b[31m\n", encoding="utf-8")
    Path("hyp.tsv").write_text("a\t没有\x9b31m\n", encoding="utf-8")
    lines = shown([*files, "--show", "1"], capsys)
    assert not any("\x1b" in line or "\x9b" in line for line in lines)


def test_json_has_the_same_by_name(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", *files, "--show", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["worst"]) == 2
    keys = ["id", "reference", "hypothesis", "missing", "counts", "alignment", "missed_numerals"]
    assert all(list(one) == keys for one in found["worst"])
    assert all(list(pair) == ["said", "heard", "count", "utterances"] for pair in found["missed_numerals"])
    assert run(["score", *files, "--json"]) == 0
    assert not {"worst", "missed_numerals"} & json.loads(capsys.readouterr().out).keys()


def test_nothing_wrong_is_said_so(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert shown([files[0], files[0], "--show", "3"], capsys)[-1] == "no utterance has an error"


@pytest.mark.parametrize("command", [["score", "ref.tsv", "hyp.tsv"], ["eval", "kit", "v1"]])
def test_less_than_none_is_refused(files: list[str], command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--show", "-1"]) == 2
    assert capsys.readouterr().err == "huidu: --show -1; accepted: 0 (none) or more\n"
