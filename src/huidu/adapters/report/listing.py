"""The utterances that the page lists: those the versions heard differently, most worsened first."""

from typing import Any

from huidu.adapters.report.clips import Clips
from huidu.adapters.report.shown import number, rows, shown, table
from huidu.adapters.report.tables import numeral

# How much worse a candidate made an utterance: more errors, then more wrong numbers. Less than zero is better.
Change = tuple[float, float]
_CODES = {"hit": "h", "substitution": "s", "deletion": "d", "insertion": "i"}


def listed(result: dict[str, Any]) -> list[int]:
    """Positions of the utterances that differ between versions (of one version: that have errors), worst first."""
    names = [version.get("name") for version in rows(result, "versions")]
    pairs = _pairs(result)
    found = []
    for position, utterance in enumerate(rows(result, "utterances")):
        heard = [table(table(utterance, "hypotheses"), str(name)) for name in names]
        if _differ(heard) if len(names) > 1 else any(_faulty(one) for one in heard):
            found.append((_order(utterance, pairs, heard), position))
    return [position for _, position in sorted(found)]


def script_data(result: dict[str, Any], order: list[int], clips: Clips) -> dict[str, Any]:
    """What the page's script lists and filters: names once, then the utterances of `order`."""
    utterances = rows(result, "utterances")
    names = [shown(version.get("name")) for version in rows(result, "versions")]
    pairs = _pairs(result)
    return {
        "versions": names,
        "candidates": [shown(version) for _, version in pairs],
        "utterances": [_entry(result, utterances[position], position, pairs, clips) for position in order],
    }


def choices(result: dict[str, Any], order: list[int], name: str) -> list[str]:
    """The values of `category` or `speaker` among the listed utterances, sorted."""
    utterances = rows(result, "utterances")
    return sorted({shown(utterances[position].get(name)) for position in order} - {""})


def _pairs(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(one.get("baseline")), str(one.get("version"))) for one in rows(result, "comparisons")]


def _differ(heard: list[dict[str, Any]]) -> bool:
    """Whether hypotheses differ as they are scored; texts that only differ before normalising count as the same."""
    if all(isinstance(one.get("diff"), list) for one in heard):
        return any(one["diff"] != heard[0]["diff"] or one.get("error") != heard[0].get("error") for one in heard[1:])
    return any(
        (one.get("text"), one.get("error")) != (heard[0].get("text"), heard[0].get("error")) for one in heard[1:]
    )


def _faulty(heard: dict[str, Any]) -> bool:
    return bool(heard.get("error")) or bool(_errors(heard)) or bool(table(heard, "numerals").get("wrong"))


def _order(utterance: dict[str, Any], pairs: list[tuple[str, str]], heard: list[dict[str, Any]]) -> tuple[float, ...]:
    changes = [change for pair in pairs if (change := _change(utterance, pair)) is not None]
    worst = max(changes, default=(0.0, 0.0))
    return (-worst[0], -worst[1], -sum(_errors(one) or 0 for one in heard))


def _change(utterance: dict[str, Any], pair: tuple[str, str]) -> Change | None:
    before, after = (table(table(utterance, "hypotheses"), name) for name in pair)
    errors = (_errors(before), _errors(after))
    if errors[0] is None or errors[1] is None:
        return None
    wrong = [number(table(one, "numerals").get("wrong")) or 0.0 for one in (before, after)]
    return errors[1] - errors[0], wrong[1] - wrong[0]


def _errors(heard: dict[str, Any]) -> float | None:
    counts = table(heard, "cer")
    parts = [number(counts.get(name)) for name in ("substitutions", "deletions", "insertions")]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _entry(
    result: dict[str, Any], utterance: dict[str, Any], position: int, pairs: list[tuple[str, str]], clips: Clips
) -> dict[str, Any]:
    heard = table(utterance, "hypotheses")
    return {
        "id": shown(utterance.get("id")),
        "speaker": shown(utterance.get("speaker")),
        "category": shown(utterance.get("category")),
        "text": shown(utterance.get("text")),
        "seconds": number(utterance.get("audio_seconds")),
        "clip": clips.keys.get(position),
        "absent": clips.absent.get(position, "off"),
        "hypotheses": [_hypothesis(heard.get(str(version.get("name")))) for version in rows(result, "versions")],
        "changes": [_change(utterance, pair) for pair in pairs],
    }


def _hypothesis(heard: Any) -> dict[str, Any] | None:
    if not isinstance(heard, dict):
        return None
    error = heard.get("error")
    return {
        "text": shown(heard.get("text")),
        "missed": [_missed(one) for one in rows(heard, "missed_numerals")],
        "diff": [_part(*map(shown, part)) for part in rows(heard, "diff")],
        "error": None if error is None else shown(error),
        "errors": _errors(heard),
        "latency": number(heard.get("latency_ms")),
    }


def _missed(one: Any) -> list[str | None]:
    """The readings of a number that was said and of the one in its place, None where there is none."""
    heard = table(one, "heard")
    return [numeral(table(one, "said")).reading, numeral(heard).reading if heard else None]


def _part(kind: str, reference: str, hypothesis: str) -> list[str]:
    """A run of a diff: its code and text; a substitution has what it replaced as well."""
    code = _CODES[kind]
    return [code, reference, hypothesis] if code == "s" else [code, reference if code in "hd" else hypothesis]
