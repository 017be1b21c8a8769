"""Our mixed error rate beside NIST's sclite on the same files: every count of every utterance.

What sclite gives a meaning of its own in trn is left out of the texts: `{` opens alternatives, a lone `@` is no word,
`;` begins the tag of a word, `*` at the end of a word and `\\` are dropped, and `DH` drops `-`. Letters from À on and
blanks beyond ASCII are left out too: there it is a decision of ours (see `Unit`) not to count as sclite does, which
counts each of their characters.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from huidu.cli.app import run
from huidu.core.text.align import Weights, align, counts_of
from huidu.core.text.counts import Counts
from huidu.core.text.tokens import Unit

pytestmark = pytest.mark.skipif(shutil.which("sctk") is None, reason="sctk is not installed: apt-get install sctk")

PAIRS = 1000
OPTIONS = ["-i", "spu_id", "-s", "-e", "utf-8", "-c", "NOASCII", "DH", "-o", "pralign", "stdout"]
SCORES = re.compile(r"^id: \(s_(\d+)\)$(?:(?!^id: ).)*?^Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)$", re.M | re.S)

ASCII = "".join(chr(point) for point in range(33, 127) if chr(point) not in "{@;*\\-")
HAN = "你好吗是的一二三五零请拨打人工服务"
MARKS = "，。？！、：；“”《》（）…％Ａｂ１"
# Few different tokens, so that hypotheses hit by accident too, and all others.
KNOWN = st.sampled_from(["a", "b", "A", "the", "it's", "10.5", "(a)", "<b>", "?", *"你好是一二，。"])
TOKENS = st.one_of(KNOWN, KNOWN, st.text(ASCII, min_size=1, max_size=6), st.text(HAN + MARKS, min_size=1, max_size=4))
BETWEEN = st.sampled_from(["", " ", " "])

Pair = tuple[str, str]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A reference and what was heard: the same with errors, something else, or nothing."""
    said = draw(st.lists(TOKENS, max_size=draw(st.sampled_from([1, 4, 12, 40]))))
    kind = draw(st.sampled_from(["errors", "errors", "errors", "other", "nothing"]))
    heard: list[str] = []
    if kind == "errors":
        for token in said:
            fate = draw(st.sampled_from(["hit", "hit", "hit", "substituted", "lost", "followed"]))
            heard += {"hit": [token], "lost": []}.get(fate, [draw(TOKENS)])
            heard += [draw(TOKENS)] if fate == "followed" else []
    elif kind == "other":
        heard = draw(st.lists(TOKENS, max_size=12))
    return tuple("".join(token + draw(BETWEEN) for token in tokens) for tokens in (said, heard))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def random_pairs() -> list[Pair]:
    found: list[Pair] = []

    @settings(
        max_examples=PAIRS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(pairs())
    def gather(pair: Pair) -> None:
        found.append(pair)

    gather()
    assert len(found) >= PAIRS
    return found


def by_sclite(found: Sequence[Pair], folder: Path) -> list[Counts]:
    """Writes ref.trn and hyp.trn, and has sclite score them."""
    for name, texts in zip(("ref", "hyp"), zip(*found, strict=True), strict=True):
        lines = (f"{text} (s_{number:05d})\n" for number, text in enumerate(texts))
        (folder / f"{name}.trn").write_text("".join(lines), encoding="utf-8")
    command = ["sctk", "sclite", "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", *OPTIONS]
    ran = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    scores = {int(number): counts for number, *counts in SCORES.findall(ran.stdout.decode("utf-8", "replace"))}
    assert sorted(scores) == list(range(len(found)))
    return [Counts(*map(int, scores[number])) for number in range(len(found))]


def by_us(found: Sequence[Pair]) -> list[Counts]:
    references, hypotheses = zip(*found, strict=True)
    return [counts_of(row) for row in align(references, hypotheses, Unit.MIXED, Weights.SCLITE).counts()]


def test_random_pairs_agree_one_by_one(random_pairs: list[Pair], tmp_path: Path) -> None:
    theirs = by_sclite(random_pairs, tmp_path)
    for pair, ours, expected in zip(random_pairs, by_us(random_pairs), theirs, strict=True):
        assert ours == expected, pair
    # Not for want of errors.
    whole = sum(theirs, Counts())
    assert min(whole.hits, whole.substitutions, whole.deletions, whole.insertions) > 500


def test_a_whole_file_agrees_by_command_line(
    random_pairs: list[Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = by_sclite(random_pairs, tmp_path)
    files = [str(tmp_path / "ref.trn"), str(tmp_path / "hyp.trn")]
    assert run(["score", *files, "--weights", "sclite", "--json", "--per-utterance"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["raw"]["mixed_error_rate"] == sum(theirs, Counts()).to_json()
    assert result["sentences"] == len(theirs)
    for row, expected in zip(result["per_utterance"], theirs, strict=True):
        assert row["raw"]["mixed_error_rate"] == expected.to_json(), row["id"]


CRAFTED = [
    ("", ""),
    ("", "a 你"),
    ("a 你", ""),
    ("你", "你"),
    ("你", "好"),
    ("a", "b"),
    ("a", "A"),
    ("，", ","),
    ("我们的iPhone 15 Pro很好", "我们的 iphone 15 pro 很好"),
    ("三点半 let's go", "三点 半 lets go"),
    ("the cat sat " * 100, "the cat sat on " * 80),
    ("请拨打一零零八六转人工服务" * 30, "请拨打一零八六转人工的服务" * 30),
    ("你a好b" * 90, "你a好" * 120),
]


def test_crafted_pairs_agree(tmp_path: Path) -> None:
    for pair, ours, expected in zip(CRAFTED, by_us(CRAFTED), by_sclite(CRAFTED, tmp_path), strict=True):
        assert ours == expected, (pair[0][:40], pair[1][:40])
