"""An evaluation as one HTML file that opens from disk in any browser and connects to nothing."""

import base64
import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from huidu.adapters.report import charts, summary, tables
from huidu.adapters.report.clips import REASONS, Clips, collect
from huidu.adapters.report.listing import choices, listed, script_data
from huidu.adapters.report.shown import count, decimal, moment, number, rows, shown, table
from huidu.adapters.report.words import LANGUAGES, NOTHING, Words, joined, plain, say, script_words
from huidu.core.errors import InvalidError

AUDIO_BUDGET_BYTES = 100_000_000
_NAMED = 3


def write_report(
    result: dict[str, Any],
    path: Path,
    language: str,
    audio: bool = True,
    *,
    audio_budget_bytes: int = AUDIO_BUDGET_BYTES,
) -> None:
    """Writes the result document of an evaluation as a page in Chinese and English; `language` is shown first.

    Clips of the utterances that the page lists are put into it, up to `audio_budget_bytes` of audio (a third more in
    the file); the page says which have none and why. Parts of the document that are missing or null are left out of
    the page. Raises `InvalidError` for a language other than `zh` and `en`, `OSError` where the file cannot be written.
    """
    if language not in LANGUAGES:
        raise InvalidError(f"unknown language '{language}'; accepted: {', '.join(LANGUAGES)}")
    order = listed(result)
    utterances = dict(enumerate(rows(result, "utterances")))
    wanted = [*_in_phrases(result), *_in_missed(result), *order] if audio else []
    clips = collect(utterances, wanted, audio_budget_bytes)
    template = _environment().get_template("page.html")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(template.generate(_view(result, language, order, clips, audio, audio_budget_bytes)))


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(say=say)
    return environment


def _asset(name: str) -> str:
    return files("huidu.adapters.report").joinpath("page", name).read_text(encoding="utf-8")


def _view(
    result: dict[str, Any], language: str, order: list[int], clips: Clips, audio: bool, budget_bytes: int
) -> dict[str, Any]:
    versions = rows(result, "versions")
    categories = [str(name) for name in rows(table(result, "set"), "categories")]
    style, script = _asset("page.css"), _asset("page.js")
    data = {"words": script_words(), **script_data(result, order, clips)}
    created = moment(result.get("created"))
    return {
        "language": language,
        "title": say("title", name=table(result, "set").get("name") or "–"),
        "policy": _policy(style, script),
        "style": Markup(style),
        "script": Markup(script),
        "data": _json(data),
        "clips": _clip_chunks(clips),
        "conclusions": summary.conclusions(result),
        "facts": summary.facts(result),
        "created": f"{created:%Y-%m-%dT%H:%M:%SZ}" if created else "",
        "versions": [plain(version.get("name")) for version in versions],
        "baseline": shown(result.get("baseline")),
        "groups": tables.version_groups(versions),
        "fingerprints": _fingerprints(versions),
        "failures": tables.failures(versions),
        "difference_charts": charts.difference_charts(result),
        "rate_charts": charts.rate_charts(result, categories),
        "latency_chart": charts.latency_chart(versions),
        "worst": [worst for one in rows(result, "comparisons") if (worst := _worst(one))],
        "phrases": _phrases(result, clips),
        "confusions": tables.confusions(result),
        "confusions_listed": str(tables.CONFUSIONS),
        "phrases_listed": str(tables.PHRASES),
        "missed": _missed(result, order, clips),
        "missed_listed": str(tables.MISSED),
        "shares": [(kind, tables.shares(versions, kind, categories)) for kind in ("numerals", "hotwords")],
        "listed": count(len(order)),
        "same": count(len(rows(result, "utterances")) - len(order)),
        "options": {name: choices(result, order, name) for name in ("category", "speaker")},
        "candidates": [shown(one.get("version")) for one in rows(result, "comparisons")],
        "audio": _audio_words(clips, audio, budget_bytes),
        "mapsswe": [_mapsswe(comparison) for comparison in rows(result, "comparisons")],
    }


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded; only the style and script in this very file run, known by their hashes."""

    def known(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {known(style)}; script-src {known(script)}; media-src blob: data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _json(value: Any) -> Markup:
    """JSON that can stand inside a script element: it holds no `<`, so nothing in it ends or opens one."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _clip_chunks(clips: Clips) -> Iterator[Markup]:
    """The JSON object of all clips in pieces, so that a large one is never a single text more than needed."""
    yield Markup("{")
    for index, (key, uri) in enumerate(clips.uris.items()):
        yield Markup("{}{}:{}").format(Markup("," if index else ""), _json(key), _json(uri))
    yield Markup("}")


def _positions(result: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, utterance in enumerate(rows(result, "utterances")):
        found.setdefault(str(utterance.get("id")), position)
    return found


def _in_phrases(result: dict[str, Any]) -> list[int]:
    """Positions of the first utterance of each listed phrase that is known."""
    positions = _positions(result)
    found = []
    for comparison in rows(result, "comparisons"):
        for phrase in tables.phrases(comparison):
            found += [positions[name] for name in phrase.utterances if name in positions][:1]
    return found


def _in_missed(result: dict[str, Any]) -> list[int]:
    """The same of each listed number that was missed."""
    positions = _positions(result)
    found = []
    for _, pairs in tables.missed(result):
        for pair in pairs:
            found += [positions[name] for name in pair.utterances if name in positions][:1]
    return found


def _phrases(result: dict[str, Any], clips: Clips) -> list[dict[str, Any]]:
    """For each comparison its heading and its phrases, each with an utterance to hear and those to look at."""
    positions = _positions(result)
    utterances = rows(result, "utterances")
    found = []
    for comparison in rows(result, "comparisons"):
        listed_phrases = []
        for phrase in tables.phrases(comparison):
            heard = next((positions[name] for name in phrase.utterances if positions.get(name) in clips.keys), None)
            listed_phrases.append(
                {
                    "phrase": phrase,
                    "clip": None if heard is None else clips.keys[heard],
                    "id": "" if heard is None else shown(utterances[heard].get("id")),
                    "ids": json.dumps([shown(name) for name in phrase.utterances]),
                }
            )
        head = say("phrases.head", version=comparison.get("version"), baseline=comparison.get("baseline"))
        names = (shown(comparison.get("baseline")), shown(comparison.get("version")))
        found.append({"head": head, "names": names, "phrases": listed_phrases})
    return found


def _missed(result: dict[str, Any], order: list[int], clips: Clips) -> list[dict[str, Any]]:
    """For each version its heading and missed numbers, each with an utterance to hear and those that are listed."""
    positions, listed_ones = _positions(result), set(order)
    utterances = rows(result, "utterances")
    found = []
    for version, pairs in tables.missed(result):
        numbers = []
        for pair in pairs:
            known = [name for name in pair.utterances if name in positions]
            heard = next((positions[name] for name in known if positions[name] in clips.keys), None)
            names = ", ".join(map(shown, pair.utterances[:_NAMED]))
            many = len(pair.utterances)
            numbers.append(
                {
                    "pair": pair,
                    "names": names,
                    "more": say("numerals.more", n=count(many)) if many > _NAMED else NOTHING,
                    "clip": None if heard is None else clips.keys[heard],
                    "id": "" if heard is None else shown(utterances[heard].get("id")),
                    "ids": json.dumps([shown(name) for name in known if positions[name] in listed_ones]),
                }
            )
        found.append({"head": say("numerals.missed", version=version), "numbers": numbers})
    return found


def _fingerprints(versions: list[dict[str, Any]]) -> str:
    known = [(version.get("name"), version.get("fingerprint")) for version in versions]
    return ", ".join(f"{shown(name)} {shown(mark)[:12]}" for name, mark in known if mark) or "–"


def _worst(comparison: dict[str, Any]) -> Words | None:
    worst = summary.worst_category(comparison)
    version = shown(comparison.get("version"))
    return Words(f"{version}：{worst.zh}", f"{version}: {worst.en}") if worst else None


def _audio_words(clips: Clips, audio: bool, budget_bytes: int) -> Words:
    if not audio:
        return say("audio.off")
    held = say("audio.held", n=count(len(clips.uris)), size=decimal(clips.size_bytes / 1e6, 1))
    parts = [
        say(f"audio.{reason}", n=count(n), size=decimal(budget_bytes / 1e6, 0))
        for reason in REASONS
        if (n := clips.count_absent(reason))
    ]
    return joined([held, *parts], "space")


def _mapsswe(comparison: dict[str, Any]) -> Words:
    names = {name: comparison.get(name) for name in ("baseline", "version")}
    test = table(comparison, "mapsswe")
    if not test:
        return say("mapsswe.none", **names)
    better = test.get("better")
    found = say("mapsswe.better", name=better) if better else say("mapsswe.neither")
    numbers = {"mean": decimal(test.get("mean"), 2), "z": decimal(test.get("z"), 2), "p": _probability(test.get("p"))}
    return say("mapsswe.found", **names, **numbers, segments=count(test.get("segments")), better=found)


def _probability(value: object) -> str:
    found = number(value)
    return "< 0.001" if found is not None and found < 0.001 else f"= {decimal(found, 3)}"
