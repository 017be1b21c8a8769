"""The result document of an evaluation: what `huidu eval --json` prints and the report is made from. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from huidu.core.plan import Guard, Rules
from huidu.core.stats.mapsswe import mapsswe
from huidu.core.stats.paired import cluster_sums, more_utterances, paired_interval, verdict
from huidu.core.testset import TestSet, Utterance
from huidu.core.text.align import Weights, align
from huidu.core.text.bleu import bleu
from huidu.core.text.entities import entity_errors
from huidu.core.text.errors import ErrorCounts
from huidu.core.text.health import Signal, Sound, flips, signals
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import Score, score_plain, total
from huidu.core.text.tokens import Unit
from huidu.evaluation.differences import aligned_all, coloured, confusions, most_changed
from huidu.evaluation.heard import Heard
from huidu.evaluation.worst import missed_numerals, missed_pairs, worst

CONFIDENCE = 0.95
_PHRASES = 50
_CONFUSIONS = 100
_METRICS = ("cer", "numerals")


@dataclass(frozen=True, slots=True)
class Settings:
    """How texts are compared, the two limits of each measure (`Rules.guards`), and how many utterances `worst` has."""

    rules: Rules
    normaliser: Normaliser
    weights: Weights = Weights.UNIT
    hotwords: tuple[str, ...] = ()
    worst: int = 0


@dataclass(frozen=True, slots=True)
class Listened:
    """What one version heard, by the audio's hash."""

    name: str
    fingerprint: str
    heard: Mapping[str, Heard]


def document(found: TestSet, listened: Sequence[Listened], settings: Settings, created: float) -> dict[str, Any]:
    """Scores every version and compares each with the first, the baseline. `created` is epoch seconds."""
    plain = [settings.normaliser.beside(utterance.text).normalised(utterance.text) for utterance in found.utterances]
    scored = [_Scored(found, plain, version, settings) for version in listened]
    comparisons = [_comparison(found, scored[0], version, settings) for version in scored[1:]]
    verdicts = {comparison["version"]: comparison["verdict"] for comparison in comparisons}
    listed = {"worst": {version.name: version.worst(settings) for version in scored}} if settings.worst else {}
    return {
        "set": _set(found),
        "created": created,
        "normaliser": settings.normaliser.name,
        "weights": settings.weights.name.lower(),
        "baseline": listened[0].name,
        "versions": {version.name: version.summary() | {"verdict": verdicts.get(version.name)} for version in scored},
        "comparisons": comparisons,
        "confusions": {version.name: version.confusions() for version in scored},
        "missed_numerals": {version.name: version.missed_pairs() for version in scored},
        **listed,
        "utterances": [_utterance(one, index, scored) for index, one in enumerate(found.utterances)],
    }


class _Scored:
    """One version's texts, scored and aligned by utterance."""

    def __init__(self, found: TestSet, plain: Sequence[str], version: Listened, settings: Settings):
        self.name, self._fingerprint, self._hotwords = version.name, version.fingerprint, settings.hotwords
        self._utterances = found.utterances
        references = [utterance.text for utterance in found.utterances]
        self.heard = [version.heard[utterance.audio_sha256] for utterance in found.utterances]
        self.texts = [heard.text or "" for heard in self.heard]
        normalisers = map(settings.normaliser.beside, references)
        hypotheses = [one.normalised(text) for one, text in zip(normalisers, self.texts, strict=True)]
        self.scores = score_plain(references, self.texts, plain, hypotheses, settings.weights)
        alignments = align(plain, hypotheses, Unit.MIXED, settings.weights)
        self.ops = [alignments.ops(index) for index in range(len(references))]
        self.aligned = aligned_all(plain, hypotheses, self.ops)
        # Numbers are read again only where one is missed.
        self.missed = [
            missed_numerals(said, text) if one.numerals.errors else []
            for said, text, one in zip(references, self.texts, self.scores, strict=True)
        ]
        self.entities = [
            entity_errors(said, text, settings.hotwords, settings.normaliser)
            for said, text in zip(references, self.texts, strict=True)
            if settings.hotwords
        ]

    def summary(self) -> dict[str, Any]:
        latencies = [heard.latency_ms for heard in self.heard if heard.latency_ms is not None]
        listened = [
            utterance.audio_seconds
            for utterance, heard in zip(self._utterances, self.heard, strict=True)
            if heard.latency_ms is not None
        ]
        failures = [
            {"id": utterance.id, "error": heard.error}
            for utterance, heard in zip(self._utterances, self.heard, strict=True)
            if heard.error is not None
        ]
        quantiles = np.percentile(latencies, [50, 95]).round(1).tolist() if latencies else [None, None]
        return {
            "name": self.name,
            "fingerprint": self._fingerprint,
            **total(self.scores).to_json(),
            "hotwords": sum(self.entities, ErrorCounts(0, 0)).to_json() if self._hotwords else None,
            "bleu": round(bleu([one.text for one in self._utterances], self.texts), 2),
            "latency_ms": dict(zip(("p50", "p95"), quantiles, strict=True)),
            "rtf": round(sum(latencies) / 1000 / sum(listened), 5) if sum(listened) else None,
            "failed": len(failures),
            "failures": failures,
            "health": self._health(),
            "categories": self._by_category(),
        }

    def _health(self) -> dict[str, int]:
        language = _language(self._utterances)
        given = [
            signals(text, Sound(one.audio_seconds, None if one.text.strip() else 0.0), language)
            for one, text in zip(self._utterances, self.texts, strict=True)
        ]
        return {signal.value: sum(signal in found for found in given) for signal in Signal}

    def _by_category(self) -> dict[str, Any]:
        found: dict[str, list[Score]] = {}
        for utterance, one in zip(self._utterances, self.scores, strict=True):
            found.setdefault(utterance.category, []).append(one)
        totals = {name: (len(scores), total(scores)) for name, scores in sorted(found.items()) if name}
        return {
            name: {"utterances": size, "cer": one.normalised.cer.to_json(), "numerals": one.numerals.to_json()}
            for name, (size, one) in totals.items()
        }

    def confusions(self) -> list[dict[str, Any]]:
        return [
            {"reference": said, "hypothesis": heard, "kind": op.name.lower(), "count": count}
            for (op, said, heard), count in confusions(self.aligned).most_common(_CONFUSIONS)
        ]

    def missed_pairs(self) -> list[dict[str, Any]]:
        return missed_pairs(zip((one.id for one in self._utterances), self.missed, strict=True))

    def worst(self, settings: Settings) -> list[dict[str, Any]]:
        """Those with the most errors, with why recognition failed, where it did."""
        ids = [one.id for one in self._utterances]
        references = [one.text for one in self._utterances]
        texts = [heard.text for heard in self.heard]
        found = worst(ids, references, texts, self.scores, settings.normaliser, settings.weights, settings.worst)
        errors = dict(zip(ids, (heard.error for heard in self.heard), strict=True))
        return [one | {"error": errors[one["id"]]} for one in found]

    def errors(self, metric: str, index: int) -> tuple[int, int]:
        """Errors and reference items of one utterance by a metric."""
        one = self.scores[index]
        counts = one.normalised.cer if metric == "cer" else one.numerals
        return counts.errors, counts.reference


def _set(found: TestSet) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "utterances": len(found.utterances),
        "speakers": len(found.speakers),
        "audio_seconds": round(found.audio_seconds, 3),
        "categories": list(found.categories),
        "warnings": [str(warning) for warning in found.warnings],
    }


def _language(utterances: Sequence[Utterance]) -> str | None:
    """What most references are written in, as far as it can be told."""
    text = " ".join(utterance.text for utterance in utterances)
    return next((language for language in ("zh", "en") if text.strip() and not flips(text, language)), None)


# ------------------------------------------------------------------ two versions


def _comparison(found: TestSet, baseline: _Scored, candidate: _Scored, settings: Settings) -> dict[str, Any]:
    everything = range(len(found.utterances))
    metrics = _metrics(found, baseline, candidate, everything, settings.rules)
    places: dict[str, list[int]] = {}
    for index, utterance in enumerate(found.utterances):
        places.setdefault(utterance.category, []).append(index)
    categories = {name: _metrics(found, baseline, candidate, places[name], settings.rules) for name in found.categories}
    changes = [candidate.errors("cer", index)[0] - baseline.errors("cer", index)[0] for index in everything]
    ids = [utterance.id for utterance in found.utterances]
    phrases = most_changed(zip(ids, baseline.aligned, candidate.aligned, strict=True))
    return {
        "baseline": baseline.name,
        "version": candidate.name,
        "verdict": overall(metrics.values()),
        "metrics": metrics,
        "mapsswe": _mapsswe(baseline, candidate),
        "categories": categories,
        "worst_category": _worst(categories),
        "phrases": [
            {
                "reference": phrase.reference,
                "baseline": phrase.baseline,
                "candidate": phrase.candidate,
                "count": len(where),
                "utterances": where,
            }
            for phrase, where in phrases[:_PHRASES]
        ],
        "utterances_better": sum(change < 0 for change in changes),
        "utterances_worse": sum(change > 0 for change in changes),
        "utterances_equal": sum(change == 0 for change in changes),
    }


def overall(measures: Iterable[Mapping[str, Any] | None]) -> str:
    """Worse by any measure is worse; not worse is what no measure with a limit leaves open. None was not measured."""
    judged = [measure for measure in measures if measure and measure["verdict"]]
    if any(measure["verdict"] == "worse" for measure in judged):
        return "worse"
    needed = {measure["verdict"] for measure in judged if measure["at_most"] is not None}
    return "not_worse" if needed == {"not_worse"} else "undecided"


def _metrics(
    found: TestSet, baseline: _Scored, candidate: _Scored, places: Sequence[int], rules: Rules
) -> dict[str, Any]:
    return {
        name: _metric(guard, name, found, baseline, candidate, places)
        for name in _METRICS
        if (guard := rules.guard(name)) is not None
    }


def _metric(
    guard: Guard, name: str, found: TestSet, baseline: _Scored, candidate: _Scored, places: Sequence[int]
) -> dict[str, Any] | None:
    """The paired difference in one measure; None where nothing in these utterances can be measured by it."""
    ours = [baseline.errors(name, index) for index in places]
    theirs = [candidate.errors(name, index)[0] for index in places]
    speakers = [found.utterances[index].speaker for index in places]
    sizes, before, after = cluster_sums(speakers, [size for _, size in ours], [errors for errors, _ in ours], theirs)
    if not sizes.sum():
        return None
    interval = paired_interval(sizes, before, after, CONFIDENCE)
    return {
        "baseline": float(before.sum() / sizes.sum()),
        "candidate": float(after.sum() / sizes.sum()),
        "difference": interval.difference,
        "low": _finite(interval.low),
        "high": _finite(interval.high),
        "confidence": interval.confidence,
        "clusters": interval.clusters,
        "fail_above": guard.fail_above,
        "at_most": guard.at_most,
        "verdict": verdict(interval, guard.fail_above, guard.at_most),
        "more_utterances": more_utterances(interval, len(places), guard.fail_above, guard.at_most),
    }


def _finite(bound: float) -> float | None:
    return bound if isfinite(bound) else None


def _mapsswe(baseline: _Scored, candidate: _Scored) -> dict[str, Any] | None:
    test = mapsswe(baseline.ops, candidate.ops)
    if not test.segments:
        return None
    better = None if test.p >= 1 - CONFIDENCE else (baseline.name if test.z < 0 else candidate.name)
    return {
        "segments": test.segments,
        "mean": test.mean,
        "z": test.z,
        "p": test.p,
        "better": better,
    }


def _worst(categories: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The category that lost most for certain: by the lower end of its interval, so that small ones do not win."""
    found = [
        (metric["low"] if metric["low"] is not None else -1.0, metric["difference"], name, measure)
        for name, metrics in categories.items()
        for measure, metric in metrics.items()
        if metric and metric["difference"] > 0
    ]
    if not found:
        return None
    _, difference, name, measure = max(found)
    return {"name": name, "metric": measure, "difference": difference}


# ------------------------------------------------------------------ one utterance


def _utterance(utterance: Utterance, index: int, scored: Sequence[_Scored]) -> dict[str, Any]:
    return {
        "id": utterance.id,
        "audio": str(utterance.audio),
        "audio_sha256": utterance.audio_sha256,
        "audio_seconds": round(utterance.audio_seconds, 3),
        "speaker": utterance.speaker,
        "category": utterance.category,
        "text": utterance.text,
        "hypotheses": {version.name: _hypothesis(version, index) for version in scored},
    }


def _hypothesis(version: _Scored, index: int) -> dict[str, Any]:
    heard, one, aligned = version.heard[index], version.scores[index], version.aligned[index]
    return {
        "text": version.texts[index],
        "latency_ms": heard.latency_ms,
        "error": heard.error,
        "cer": one.normalised.cer.to_json(),
        "numerals": one.numerals.to_json(),
        "missed_numerals": version.missed[index],
        "diff": coloured(aligned),
    }
