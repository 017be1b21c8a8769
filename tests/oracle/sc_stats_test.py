"""Our MAPSSWE beside NIST's own: sclite aligns, sc_stats tests, and we test the very alignments sc_stats read."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import erfc, floor, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from huidu.core.stats.mapsswe import mapsswe

pytestmark = pytest.mark.skipif(shutil.which("sctk") is None, reason="sctk is not installed: apt-get install sctk")

CODES = {"C": 0, "S": 1, "D": 2, "I": 3}
RESULT = re.compile(
    r"MTCH_PR_RESULTS .*\(# segs: (?P<segments>\d+)\).*\(mean: (?P<mean>\S+)\) \(std dev: (?P<deviation>\S+)\)"
    r" \(Z Stat: (?P<z>\S+)\)"
)
LEVEL = re.compile(r"\|\s+MP\s+\|\|\s+first\s+\|\s+\|\s+(?:~|first|second)\s+(?P<below><?)(?P<p>[\d.]+)")
VOCABULARY = np.array(list("abcdefgh"))

Words = Sequence[str]


@dataclass(frozen=True, slots=True)
class Printed:
    """What sc_stats says of two systems, to the digits it prints."""

    segments: int
    mean: float
    deviation: float
    z: float
    p: float | None


def sgml(references: Sequence[Words], hypotheses: Sequence[Words], title: str, folder: Path) -> str:
    """sclite's alignments of a system; utterances go to speakers by threes."""
    for name, texts in (("ref", references), (title, hypotheses)):
        lines = (f"{' '.join(words)} (s{number // 3}_{number})\n" for number, words in enumerate(texts))
        (folder / f"{name}.trn").write_text("".join(lines))
    files = ["-r", "ref.trn", "trn", "-h", f"{title}.trn", "trn", title]
    command = ["sctk", "sclite", *files, "-i", "spu_id", "-o", "sgml", "stdout"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def op_codes(document: str) -> list[NDArray[np.uint8]]:
    """The op codes of each PATH of an SGML document, in its order."""
    paths = re.findall(r"<PATH [^>]*>\n(.*?)\n?</PATH>", document, re.DOTALL)
    return [np.array([CODES[step[0]] for step in path.split(":") if step], dtype=np.uint8) for path in paths]


def said_by_sc_stats(first: str, second: str, folder: Path) -> Printed:
    def output(*options: str) -> str:
        command = ["sctk", "sc_stats", "-p", "-t", "mapsswe", "-n", "-", *options]
        ran = subprocess.run(command, cwd=folder, input=first + second, capture_output=True, text=True, check=True)
        return ran.stdout

    result, level = RESULT.search(output("-v")), LEVEL.search(output("-u"))
    assert result is not None
    assert level is not None
    numbers = (float(result[name]) for name in ("mean", "deviation", "z"))
    return Printed(int(result["segments"]), *numbers, None if level["below"] else float(level["p"]))


def assert_agrees(references: Sequence[Words], first: Sequence[Words], second: Sequence[Words], folder: Path) -> None:
    documents = [sgml(references, first, "first", folder), sgml(references, second, "second", folder)]
    ours = mapsswe(*(op_codes(document) for document in documents))
    theirs = said_by_sc_stats(*documents, folder)
    assert ours.segments == theirs.segments
    half_a_digit = 0.0005001
    assert ours.mean == pytest.approx(theirs.mean, abs=half_a_digit)
    assert ours.standard_deviation == pytest.approx(theirs.deviation, abs=half_a_digit)
    assert ours.z == pytest.approx(theirs.z, abs=half_a_digit)
    # Its table of the normal distribution has z in steps of 0.01, and takes the lower one.
    at_step = erfc(floor(abs(ours.z) * 100) / 100 / sqrt(2))
    if theirs.p is None:
        assert at_step < 0.001
    else:
        assert at_step == pytest.approx(theirs.p, abs=half_a_digit)
    assert ours.p <= at_step


def garbled(references: Iterable[Words], share: float, rng: np.random.Generator) -> list[list[str]]:
    """What a system hears: so large a share of words is replaced, lost, or followed by others."""
    heard = []
    for words in references:
        texts: list[str] = list(rng.choice(VOCABULARY, 2)) if rng.random() < share else []
        for word in words:
            fate = rng.random() / share
            if fate > 1:
                texts.append(word)
            elif fate > 0.5:
                texts.append("x")
            elif fate > 0.25:
                texts += [word, *rng.choice(VOCABULARY, rng.integers(1, 4))]
        heard.append(texts)
    return heard


@pytest.mark.parametrize("seed", range(20))
def test_random_sets_agree(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    references = [list(rng.choice(VOCABULARY, rng.integers(0, 15))) for _ in range(rng.integers(2, 150))]
    share = rng.choice([0.02, 0.1, 0.2, 0.4])
    more = share * rng.choice([1.0, 1.2, 2.0])
    assert_agrees(references, garbled(references, share, rng), garbled(references, more, rng), tmp_path)


CRAFTED = {
    "one right word does not end a segment": ("a b c d e", "x b x d e", "a b c d e"),
    "two right words end a segment": ("a b c d e f", "x b c x e f", "a b c d x f"),
    "a word that one system has wrong does not bound": ("a b c d e", "x b c x e", "a x c d e"),
    "an insertion between two right words takes the bound away": ("a b c d", "x b z c x", "a b c d"),
    "insertions at the end of the first alone": ("a b c d", "a b c d z z", "a b c d"),
    "insertions at the end of the second alone": ("a b c d", "a b c d", "a b c d z z"),
    "insertions at the end after an open segment": ("a b c d", "a b x d", "a b c d z z"),
    "insertions at the begin": ("a b c d", "z a b c d", "z z a b c d"),
    "nothing was said": ("", "z z", ""),
    "nothing was said and the second heard something": ("", "", "z"),
    "all is lost": ("a b c", "", "a b c"),
    "as many errors in both": ("a b c", "a x c", "x b c"),
}


@pytest.mark.parametrize("case", CRAFTED)
@pytest.mark.parametrize("swapped", [False, True])
def test_crafted_utterances_agree(case: str, swapped: bool, tmp_path: Path) -> None:
    reference, first, second = (text.split() for text in CRAFTED[case])
    if swapped:
        first, second = second, first
    # Two utterances beside it bring a spread, so that a z is printed.
    references = [reference, list("abc"), list("abcdef")]
    assert_agrees(references, [first, list("axc"), list("abcdef")], [second, list("abc"), list("xxcdef")], tmp_path)


def test_a_difference_without_spread_agrees(tmp_path: Path) -> None:
    references = [list("abcd")] * 4
    assert_agrees(references, [list("abxd")] * 4, references, tmp_path)
