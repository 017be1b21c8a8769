"""A result document like those of `huidu eval`, over real clips, for the tests of the report."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

KIT = Path(__file__).parents[2] / "demo" / "kit"
_DIGITS = re.compile("[零一二三四五六七八九幺]{3,}")
_AS_DIGITS = str.maketrans("零一二三四五六七八九幺", "01234567891")
_KINDS = {"equal": "hit", "replace": "substitution", "delete": "deletion", "insert": "insertion"}


def _stable(text: str, index: int) -> str:
    return text.replace("我", "你", 1) if index % 7 == 0 else text


def _doubled_lost(text: str, index: int) -> str:
    """A model that never writes a digit twice in a row."""
    return _DIGITS.sub(lambda found: re.sub(r"(.)\1+", r"\1", found[0]), _stable(text, index))


def _better(text: str, index: int) -> str:
    return text + "吧" if index % 23 == 0 else text


MODELS: dict[str, Callable[[str, int], str]] = {"v1": _stable, "v2": _doubled_lost, "v3": _better}


def document(utterances: int = 30, versions: tuple[str, ...] = ("v1", "v2", "v3")) -> dict[str, Any]:
    """The document for that many utterances of the kit, the first version being the baseline of the others."""
    listed = [_utterance(index, row, versions) for index, row in enumerate(_kit()[:utterances])]
    categories = sorted({one["category"] for one in listed})
    return {
        "set": {
            "name": "kit",
            "version": "3f2a9c01d4e8",
            "utterances": len(listed),
            "speakers": len({one["speaker"] for one in listed}),
            "audio_seconds": sum(one["audio_seconds"] for one in listed),
            "categories": categories,
        },
        "created": 1795300000.0,
        "normaliser": "1",
        "weights": "unit",
        "baseline": versions[0],
        "versions": {name: _version(name, index, listed, categories) for index, name in enumerate(versions)},
        "comparisons": [_comparison(versions[0], name, listed, categories) for name in versions[1:]],
        "confusions": {name: _confusions(name, listed) for name in versions},
        "missed_numerals": {name: _missed_pairs(name, listed) for name in versions},
        "utterances": listed,
    }


@cache
def _kit() -> list[dict[str, str]]:
    with (KIT / "test.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _utterance(index: int, row: dict[str, str], versions: tuple[str, ...]) -> dict[str, Any]:
    audio = KIT / row["audio"]
    return {
        "id": row["id"],
        "audio": str(audio),
        "audio_sha256": hashlib.sha256(audio.read_bytes()).hexdigest(),
        "audio_seconds": 2.0 + index % 5 * 0.7,
        "speaker": row["speaker"],
        "category": row["category"],
        "text": row["text"],
        "hypotheses": {name: _hypothesis(row["text"], MODELS[name](row["text"], index), index) for name in versions},
    }


def _hypothesis(reference: str, text: str, index: int) -> dict[str, Any]:
    diff = [
        [_KINDS[op.tag], reference[op.src_start : op.src_end], text[op.dest_start : op.dest_end]]
        for op in Levenshtein.opcodes(reference, text)
    ]
    lengths = Counter(dict.fromkeys(_KINDS.values(), 0))
    for kind, before, after in diff:
        lengths[kind] += max(len(before), len(after))
    numbers = _DIGITS.findall(reference)
    heard = Counter(_DIGITS.findall(text))
    return {
        "text": text,
        "latency_ms": 18.0 + index % 11,
        "error": None,
        "cer": _counts(lengths["hit"], lengths["substitution"], lengths["deletion"], lengths["insertion"]),
        "numerals": _share(len(numbers), sum((Counter(numbers) - heard).values())),
        "missed_numerals": _missed(numbers, list(heard.elements())),
        "diff": diff,
    }


def _missed(said: list[str], heard: list[str]) -> list[dict[str, Any]]:
    return [
        {"said": _number(before), "heard": _number(after) if after else None, "errors": 1}
        for before, after in zip_longest(said, heard)
        if before and before != after
    ]


def _number(text: str) -> dict[str, Any]:
    return {"text": text, "reading": [text.translate(_AS_DIGITS)]}


def _counts(hits: int, substitutions: int, deletions: int, insertions: int) -> dict[str, Any]:
    reference = hits + substitutions + deletions
    errors = substitutions + deletions + insertions
    return {
        "substitutions": substitutions,
        "deletions": deletions,
        "insertions": insertions,
        "hits": hits,
        "reference": reference,
        "rate": errors / reference if reference else 0.0,
    }


def _share(reference: int, wrong: int) -> dict[str, Any]:
    return {"reference": reference, "wrong": wrong, "rate": wrong / reference if reference else 0.0}


def _sum(listed: list[dict[str, Any]], version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    heard = [one["hypotheses"][version] for one in listed]
    kinds = ("hits", "substitutions", "deletions", "insertions")
    counts = _counts(*(sum(one["cer"][kind] for one in heard) for kind in kinds))
    return counts, _share(*(sum(one["numerals"][kind] for one in heard) for kind in ("reference", "wrong")))


def _version(name: str, index: int, listed: list[dict[str, Any]], categories: list[str]) -> dict[str, Any]:
    counts, numerals = _sum(listed, name)
    words = {**counts, "rate": min(1.0, counts["rate"] * 6)}
    rates = {"cer": counts, "wer": words, "mixed_error_rate": counts}
    parts = {category: [one for one in listed if one["category"] == category] for category in categories}
    sums = {category: _sum(part, name) for category, part in parts.items()}
    return {
        "name": name,
        "fingerprint": f"{index}c4f19e07ab2d6630",
        "raw": rates,
        "normalised": rates,
        "numerals": numerals,
        "hotwords": _share(40, 3 - index),
        "bleu": 97.1 - index,
        "latency_ms": {"p50": 20.1 + index, "p95": 41.0 - 2 * index},
        "rtf": 0.011,
        "failed": index,
        "failures": [{"id": "0007", "error": "the engine gave no answer within 30 s"}] * index,
        "health": {"loops": 0, "text_on_silence": 0, "empty_on_speech": index, "language_flips": 0, "rate_outliers": 2},
        "categories": {
            category: {"utterances": len(parts[category]), "cer": both[0], "numerals": both[1]}
            for category, both in sums.items()
        },
    }


def _comparison(baseline: str, version: str, listed: list[dict[str, Any]], categories: list[str]) -> dict[str, Any]:
    metrics = _metrics(baseline, version, listed)
    inner = {name: _metrics(baseline, version, [u for u in listed if u["category"] == name]) for name in categories}
    worst = max(inner, key=lambda name: float(inner[name]["numerals"]["difference"]), default=None)
    errors = [[sum(one["hypotheses"][name]["cer"][kind] for kind in ("substitutions", "deletions", "insertions"))
               for name in (baseline, version)] for one in listed]  # fmt: skip
    verdicts = {metric["verdict"] for metric in metrics.values()}
    return {
        "baseline": baseline,
        "version": version,
        "verdict": next((one for one in ("worse", "undecided") if one in verdicts), "not_worse"),
        "metrics": metrics,
        "mapsswe": {"segments": 210, "mean": -0.31, "z": -4.1, "p": 0.00004, "better": baseline},
        "categories": inner,
        "worst_category": worst
        and {"name": worst, "metric": "numerals", "difference": inner[worst]["numerals"]["difference"]},
        "phrases": _phrases(baseline, version, listed),
        "utterances_better": sum(after < before for before, after in errors),
        "utterances_worse": sum(after > before for before, after in errors),
        "utterances_equal": sum(after == before for before, after in errors),
    }


def _metrics(baseline: str, version: str, listed: list[dict[str, Any]]) -> dict[str, Any]:
    before, after = _sum(listed, baseline), _sum(listed, version)
    sizes = [float(max(counts["reference"], 1)) for counts in before]
    return {
        name: _metric(before[index]["rate"], after[index]["rate"], 0.8 * sizes[index] ** -0.5, limit)
        for index, (name, limit) in enumerate((("cer", 0.003), ("numerals", 0.005)))
    }


def _metric(baseline: float, candidate: float, half: float, at_most: float) -> dict[str, Any]:
    half *= max(0.002, baseline, candidate) ** 0.5
    difference = candidate - baseline
    low, high = difference - half, difference + half
    verdict = "worse" if low > 0 else "not_worse" if high < at_most else "undecided"
    return {
        "baseline": baseline,
        "candidate": candidate,
        "difference": difference,
        "low": low,
        "high": high,
        "confidence": 0.95,
        "clusters": 18,
        "fail_above": 0.0,
        "at_most": at_most,
        "verdict": verdict,
        "more_utterances": 1200 if verdict == "undecided" else 0,
    }


def _phrases(baseline: str, version: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in listed:
        texts = [one["hypotheses"][name]["text"] for name in (baseline, version)]
        for parts in zip(*(_DIGITS.findall(text) for text in (one["text"], *texts)), strict=False):
            if parts[1] != parts[2]:
                found.setdefault((parts[0], parts[1], parts[2]), []).append(one["id"])
    return [
        {"reference": a, "baseline": b, "candidate": c, "count": len(ids), "utterances": ids}
        for (a, b, c), ids in found.items()
    ]


def _missed_pairs(version: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in listed:
        for miss in one["hypotheses"][version]["missed_numerals"]:
            pair = {"said": miss["said"], "heard": miss["heard"], "count": 0, "utterances": []}
            kept = found.setdefault(str(pair), pair)
            kept["count"] += 1
            kept["utterances"] += [one["id"]] if one["id"] not in kept["utterances"] else []
    return sorted(found.values(), key=lambda pair: -pair["count"])


def _confusions(version: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    runs = Counter(tuple(run) for one in listed for run in one["hypotheses"][version]["diff"] if run[0] != "hit")
    return [
        {"reference": before, "hypothesis": after, "kind": kind, "count": n}
        for (kind, before, after), n in runs.most_common()
    ]


def test_the_sample_counts_add_up() -> None:
    for one in document(20)["utterances"]:
        for heard in one["hypotheses"].values():
            assert "".join(before for _, before, _ in heard["diff"]) == one["text"]
            assert "".join(after for _, _, after in heard["diff"]) == heard["text"]
            assert heard["cer"]["reference"] == len(one["text"])
