"""Check a built kit: ``python tools/demo_kit/check.py --kit src/huidu/demo/kit``.

Decodes the shipped audio with the shipped models by sherpa-onnx alone, prints the figures and
every requirement with what was found; exits 1 if one is not met.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sherpa_onnx
import soundfile
from cast import TRAINED
from figures import Errors, compare, total
from numpy.typing import NDArray
from scipy.stats import wilcoxon

SAMPLE_RATE_HZ = 16_000
DIGITS = "digits"
CATEGORIES = {DIGITS, "amounts", "dates", "times", "products", "plain"}


@dataclass(frozen=True, slots=True)
class Clip:
    """A row of ``test.tsv`` with its samples at 16 kHz."""

    text: str
    speaker: str
    category: str
    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        return self.samples.size / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a kit must be, whether it is, and the numbers that say so."""

    name: str
    met: bool
    found: str


def read_clips(kit: Path) -> list[Clip]:
    """Read the test part."""
    with (kit / "test.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Clip(r["text"], r["speaker"], r["category"], _samples(kit / r["audio"])) for r in rows]


def _samples(path: Path) -> NDArray[np.float32]:
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1:
        raise ValueError(f"{path} must be mono at {SAMPLE_RATE_HZ} Hz")
    return np.asarray(samples, dtype=np.float32)


def load(kit: Path, name: str) -> sherpa_onnx.OfflineRecognizer:
    """Load a version on one thread, with default settings else."""
    folder = kit / "models" / name
    return sherpa_onnx.OfflineRecognizer.from_wenet_ctc(
        model=str(folder / "model.onnx"), tokens=str(folder / "tokens.txt"), num_threads=1
    )


def decode(recognizer: sherpa_onnx.OfflineRecognizer, clip: Clip) -> str:
    """Decode one clip alone, in no batch."""
    stream = recognizer.create_stream()
    stream.accept_waveform(SAMPLE_RATE_HZ, clip.samples)
    recognizer.decode_stream(stream)
    return str(stream.result.text)


def mean_decode_ms(recognizers: Sequence[sherpa_onnx.OfflineRecognizer], clips: Sequence[Clip]) -> list[float]:
    """Time the versions clip by clip in turns, so that a busy machine is busy for all of them.

    The lower of two times of a clip is taken, and the mean over clips is returned in ms.
    """
    times_s = np.zeros((2, len(clips), len(recognizers)))
    for turn in range(2):
        for i, clip in enumerate(clips):
            order = range(len(recognizers)) if (i + turn) % 2 else reversed(range(len(recognizers)))
            for which in order:
                started = time.perf_counter()
                decode(recognizers[which], clip)
                times_s[turn, i, which] = time.perf_counter() - started
    return [float(ms) for ms in 1_000 * times_s.min(axis=0).mean(axis=0)]


def grouped(clips: Sequence[Clip], errors: Sequence[Errors], key: Callable[[Clip], str]) -> dict[str, Errors]:
    """Add up the errors of clips that share a key, in the order of keys."""
    sums: dict[str, Errors] = {}
    for clip, error in zip(clips, errors, strict=True):
        sums[key(clip)] = sums.get(key(clip), Errors()) + error
    return dict(sorted(sums.items()))


def elsewhere(clips: Sequence[Clip], errors: Sequence[Errors]) -> Errors:
    """Add up the errors outside the category of digit strings."""
    return total(e for clip, e in zip(clips, errors, strict=True) if clip.category != DIGITS)


def print_figures(clips: Sequence[Clip], errors: Mapping[str, Sequence[Errors]]) -> None:
    """Print CER and numerals error of every version: over all, by category, by speaker."""
    print(f"{'':12}{'clips':>7}" + "".join(f"{name:>9} CER{name:>9} num" for name in errors))
    keys: list[Callable[[Clip], str]] = [lambda _: "all", lambda c: c.category, lambda c: c.speaker]
    for key in keys:
        tables = [grouped(clips, rows, key) for rows in errors.values()]
        for label in tables[0]:
            cells = "".join(f"{t[label].cer:12.2f}%{t[label].numerals_error:12.2f}%" for t in tables)
            print(f"{label:12}{sum(key(c) == label for c in clips):7}{cells}")
        print()


def judge_data(kit: Path, clips: Sequence[Clip]) -> list[Requirement]:
    """Judge the size of the kit and what its test part holds."""
    files = [path.stat().st_size for path in kit.rglob("*") if path.is_file()]
    size_mb, largest_mb = sum(files) / 1e6, max(files) / 1e6
    seconds = [clip.seconds for clip in clips]
    digits = sum(clip.category == DIGITS for clip in clips) / len(clips)
    speakers = {clip.speaker for clip in clips}
    return [
        Requirement("at most 15 MB", size_mb <= 15, f"{size_mb:.2f} MB"),
        Requirement("no file over 4 MB", largest_mb <= 4, f"{largest_mb:.2f} MB"),
        Requirement("640 to 720 clips", 640 <= len(clips) <= 720, f"{len(clips)}"),
        Requirement("distinct texts", len({c.text for c in clips}) == len(clips), ""),
        Requirement(
            "clips of 2 to 5 s",
            min(seconds) >= 2 and max(seconds) <= 5,
            f"{min(seconds):.2f} to {max(seconds):.2f} s, {sum(seconds) / 60:.1f} min in all",
        ),
        Requirement("the six categories", {c.category for c in clips} == CATEGORIES, ""),
        Requirement("digits are about 40 %", 0.37 <= digits <= 0.43, f"{digits:.1%}"),
        Requirement("10 speakers or more", len(speakers) >= 10, f"{len(speakers)}"),
    ]


def judge_versions(clips: Sequence[Clip], errors: Mapping[str, Sequence[Errors]]) -> list[Requirement]:
    """Judge what the three versions get wrong."""
    first, third = total(errors["v1"]), total(errors["v3"])
    rest_cer = elsewhere(clips, errors["v2"]).cer - elsewhere(clips, errors["v1"]).cer
    rest_num = elsewhere(clips, errors["v2"]).numerals_error - elsewhere(clips, errors["v1"]).numerals_error
    spoilt = grouped(clips, errors["v2"], lambda c: c.category)[DIGITS].numerals_error
    unseen = {s: e for s, e in grouped(clips, errors["v1"], lambda c: c.speaker).items() if s not in TRAINED}
    hard = [f"{speaker} {e.cer:.1f} %" for speaker, e in unseen.items() if e.cer > 2]
    p = _wilcoxon_p(errors["v1"], errors["v3"])
    numbers = f"{first.numerals_error:.2f} % to {third.numerals_error:.2f} %"
    return [
        Requirement("v1: CER of 1 to 3 %", 1 <= first.cer <= 3, f"{first.cer:.2f} %"),
        Requirement("4 unseen voices or more", len(unseen) >= 4, ", ".join(unseen)),
        Requirement("v1: a hard unseen voice, over 2 %", bool(hard), ", ".join(hard)),
        Requirement("v2: half of digit strings wrong", spoilt >= 50, f"{spoilt:.1f} %"),
        Requirement("v2: CER elsewhere within 1 point", abs(rest_cer) <= 1, f"{rest_cer:+.2f}"),
        Requirement("v2: numerals elsewhere within 1.5", abs(rest_num) <= 1.5, f"{rest_num:+.2f}"),
        Requirement(
            "v3: CER at most half of v1's",
            third.cer <= first.cer / 2,
            f"{first.cer:.2f} % to {third.cer:.2f} % ({third.cer / first.cer:.2f} of it)",
        ),
        Requirement("v3: better beyond chance", p < 0.01, f"Wilcoxon p = {p:.1e}"),
        Requirement("v3: fewer numerals wrong", third.numerals_error < first.numerals_error, numbers),
    ]


def _wilcoxon_p(before: Sequence[Errors], after: Sequence[Errors]) -> float:
    """Two-sided p of the signed-rank test on edits per utterance; 1 where none differs."""
    differences = [b.edits - a.edits for b, a in zip(before, after, strict=True)]
    return float(wilcoxon(differences).pvalue) if any(differences) else 1.0


def judge_repeat(again: Sequence[str], texts: Sequence[str]) -> Requirement:
    """Judge whether decoding a second time gave the same texts.

    sherpa-onnx 2.0 adds a random dither to the samples; a close call may fall the other way.
    """
    same = sum(a == b for a, b in zip(again, texts, strict=True))
    return Requirement("decoding repeats itself (99 %)", same >= 0.99 * len(texts), f"{same} of {len(texts)}")


def judge_speed(first_ms: float, third_ms: float) -> Requirement:
    """Judge whether v3 is no slower than v1."""
    found = f"{first_ms:.2f} ms to {third_ms:.2f} ms a clip, one thread"
    return Requirement("v3: no slower than v1", third_ms <= first_ms, found)


def check(kit: Path) -> bool:
    """Print the figures and the requirements; true if all are met."""
    named = json.loads((kit / "kit.json").read_text(encoding="utf-8"))
    recognizers = {name: load(kit, name) for name in (named["stable"], *named["candidates"])}
    clips = read_clips(kit)
    texts = {name: [decode(r, clip) for clip in clips] for name, r in recognizers.items()}
    errors = {
        name: [compare(clip.text, text) for clip, text in zip(clips, heard, strict=True)]
        for name, heard in texts.items()
    }
    print_figures(clips, errors)
    requirements = judge_data(kit, clips)
    requirements.append(judge_repeat([decode(recognizers["v1"], c) for c in clips], texts["v1"]))
    if {"v2", "v3"} <= set(errors):
        requirements += judge_versions(clips, errors)
        first_ms, third_ms = mean_decode_ms([recognizers["v1"], recognizers["v3"]], clips)
        requirements.append(judge_speed(first_ms, third_ms))
    else:
        requirements.append(Requirement("v1, v2 and v3 are there", False, ", ".join(errors)))
    for r in requirements:
        print(f"{'met    ' if r.met else 'NOT MET'}  {r.name:36}{r.found}")
    return all(r.met for r in requirements)


def main() -> None:
    """Check the kit in a folder."""
    parser = argparse.ArgumentParser(description="Check Huidu's demo kit.")
    parser.add_argument("--kit", type=Path, required=True)
    sys.exit(0 if check(parser.parse_args().kit) else 1)


if __name__ == "__main__":
    main()
