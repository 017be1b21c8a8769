"""How fast scoring is beside jiwer: a million words, the bootstrap over speakers, and peak memory.

    .venv/bin/python tests/bench/scoring.py --utterances 100000 --words 10

Both count words from the same lists of strings; so do they take turns in one run, and the median of the rounds counts.
Memory is that of a process of its own, above what the texts themselves take.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

SPEAKERS, RESAMPLES = 2000, 1000
VOCABULARY = 20_000
ERROR_SHARE = 0.07
FILES = ("references", "hypotheses")
WANTED_SECONDS = 2.0
# As many times as fast as jiwer.
WANTED = {"huidu, unit weights": 5.0, "huidu, sclite weights": 1.0}

Texts = list[str]
Counted = Callable[[Texts, Texts], int]


def made(utterances: int, words: int, seed: int) -> tuple[Texts, Texts]:
    """References of so many words on average, and hypotheses with some 7 % of errors."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = ["".join(rng.choice(letters, rng.integers(1, 11))) for _ in range(VOCABULARY)]
    # Few words make up most of a text (Zipf).
    weight = 1 / np.arange(1, VOCABULARY + 1)
    lengths = rng.integers(words // 2, words + words // 2 + 1, utterances)
    lengths[-1] += max(0, words * utterances - int(lengths.sum()))
    total = int(lengths.sum())
    said = rng.choice(VOCABULARY, total, p=weight / weight.sum()).tolist()
    others = rng.choice(VOCABULARY, total, p=weight / weight.sum()).tolist()
    fates = (rng.random(total) / ERROR_SHARE).tolist()
    references, hypotheses, start = [], [], 0
    for length in lengths.tolist():
        places = range(start, start + length)
        references.append(" ".join(vocabulary[said[place]] for place in places))
        heard: list[str] = []
        for place in places:
            if fates[place] > 0.25:
                heard.append(vocabulary[said[place] if fates[place] > 0.75 else others[place]])
            if 0.75 < fates[place] <= 1:
                heard.append(vocabulary[others[place]])
        hypotheses.append(" ".join(heard))
        start += length
    return references, hypotheses


def by_jiwer(references: Texts, hypotheses: Texts) -> int:
    import jiwer

    found = jiwer.process_words(references, hypotheses)
    return int(found.substitutions + found.deletions + found.insertions)


def by_huidu(references: Texts, hypotheses: Texts) -> int:
    from huidu.core.text.align import Weights, align
    from huidu.core.text.tokens import Unit

    return int(align(references, hypotheses, Unit.WORD, Weights.UNIT).counts()[:, 1:].sum())


def by_huidu_sclite(references: Texts, hypotheses: Texts) -> int:
    from huidu.core.text.align import Weights, align
    from huidu.core.text.tokens import Unit

    return int(align(references, hypotheses, Unit.WORD, Weights.SCLITE).counts()[:, 1:].sum())


METHODS: dict[str, Counted] = {
    "jiwer.process_words": by_jiwer,
    "huidu, unit weights": by_huidu,
    "huidu, sclite weights": by_huidu_sclite,
}


def timed(references: Texts, hypotheses: Texts, rounds: int) -> dict[str, float]:
    """Median seconds of each method; they take turns, so that what else the machine does befalls them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    errors = {name: method(references[:100], hypotheses[:100]) for name, method in METHODS.items()}
    for _ in range(rounds):
        for name, method in METHODS.items():
            started = time.perf_counter()
            errors[name] = method(references, hypotheses)
            seconds[name].append(time.perf_counter() - started)
    assert errors["jiwer.process_words"] == errors["huidu, unit weights"], errors
    return {name: statistics.median(found) for name, found in seconds.items()}


def bootstrapped(references: Texts, hypotheses: Texts) -> float:
    """Seconds from the counts of each utterance to the resampled differences over speakers."""
    from huidu.core.stats.paired import cluster_sums, resampled_differences
    from huidu.core.text.align import Weights, align
    from huidu.core.text.tokens import Unit

    baseline = align(references, hypotheses, Unit.WORD, Weights.UNIT).counts()
    shorter = [text.rpartition(" ")[0] for text in hypotheses]
    candidate = align(references, shorter, Unit.WORD, Weights.UNIT).counts()
    speakers = [f"s{number % SPEAKERS}" for number in range(len(references))]
    started = time.perf_counter()
    counts = (baseline[:, :3].sum(axis=1), baseline[:, 1:].sum(axis=1), candidate[:, 1:].sum(axis=1))
    differences = resampled_differences(*cluster_sums(speakers, *counts), RESAMPLES, np.random.default_rng(1))
    seconds = time.perf_counter() - started
    assert len(differences) == RESAMPLES
    return seconds


def peaks(folder: Path) -> dict[str, float]:
    """Peak MB of each method. A process counts what its parent held when it began, so this one must still be small."""
    command = [sys.executable, str(Path(__file__)), "--texts", str(folder), "--memory-of"]
    return {
        name: float(subprocess.run([*command, name], capture_output=True, text=True, check=True).stdout)
        for name in METHODS
    }


def print_memory(name: str, folder: Path) -> None:
    references, hypotheses = read(folder)
    method = METHODS[name]
    # Imports and their tables belong to the baseline.
    method(references[:1], hypotheses[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    method(references, hypotheses)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def write(folder: Path, both: tuple[Texts, Texts]) -> None:
    for name, texts in zip(FILES, both, strict=True):
        (folder / name).write_text("".join(text + "\n" for text in texts))


def read(folder: Path) -> tuple[Texts, Texts]:
    # By line, so that reading leaves no peak of its own behind.
    with (folder / FILES[0]).open() as said, (folder / FILES[1]).open() as heard:
        return [line.removesuffix("\n") for line in said], [line.removesuffix("\n") for line in heard]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("utterances", 100_000), ("words", 10), ("rounds", 3), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--texts", type=Path, help="make the texts in this folder, and no more")
    parser.add_argument("--memory-of", choices=METHODS, help="print the peak MB of one method on the texts there")
    options = parser.parse_args()
    if options.memory_of:
        print_memory(options.memory_of, options.texts)
    elif options.texts:
        write(options.texts, made(options.utterances, options.words, options.seed))
    else:
        with TemporaryDirectory() as place:
            asked = [f"--{name}={getattr(options, name)}" for name in ("utterances", "words", "seed")]
            subprocess.run([sys.executable, str(Path(__file__)), "--texts", place, *asked], check=True)
            memory = peaks(Path(place))
            report(*read(Path(place)), memory, options.rounds)


def report(references: Texts, hypotheses: Texts, memory: dict[str, float], rounds: int) -> None:
    words = sum(len(text.split()) for text in references)
    share = by_huidu(references, hypotheses) / words
    print(f"{words:,} words in {len(references):,} utterances, {share:.1%} errors, median of {rounds}")
    print(f"{'':24}{'seconds':>9}{'words/s':>13}{'times jiwer':>13}{'wanted':>8}{'peak memory':>14}")
    seconds = timed(references, hypotheses, rounds)
    for name, found in seconds.items():
        ratio = seconds["jiwer.process_words"] / found
        wanted = f"{WANTED[name]:.1f}" if name in WANTED else ""
        print(f"{name:24}{found:9.3f}{words / found:13,.0f}{ratio:13.1f}{wanted:>8}{memory[name]:11.0f} MB")
    resampling = bootstrapped(references, hypotheses)
    print(f"{RESAMPLES} resamples over {SPEAKERS} speakers: {resampling:.3f} s (wanted: {WANTED_SECONDS} s)")


if __name__ == "__main__":
    main()
