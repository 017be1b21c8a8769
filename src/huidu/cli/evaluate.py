"""`huidu eval`: versions on a test set, compared on evidence."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.cli.score import weights_of
from huidu.cli.worst import ShowOption, check_show, columns, worst_text
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.plan import Rules
from huidu.core.version import Version
from huidu.settings import Settings, load

if TYPE_CHECKING:
    from huidu.core.testset import TestSet, Utterance
    from huidu.evaluation.heard import Heard
    from huidu.evaluation.result import Listened

EXIT_UNDECIDED, EXIT_WORSE = 3, 4
_KIT = "kit"
_MOST_JOBS = 64
_NAMED = 10


@app.command(name="eval")
def evaluate(
    set_path: Annotated[str, typer.Argument(metavar="SET", help="A test set (file or folder), or kit: the demo's.")],
    versions: Annotated[
        list[str], typer.Argument(metavar="VERSIONS", help="The first is what others are compared to.")
    ],
    report: Annotated[
        Path | None, typer.Option(help="The report's file; default: huidu-eval-SET-VERSIONS.html.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    language: Annotated[str, typer.Option(help="The language that the report opens in: en or zh.")] = "en",
    jobs: Annotated[int, typer.Option(help="Requests at a time; one tells the latency of an idle service.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Recognise again what was recognised before.")] = False,
    weights: Annotated[str, typer.Option(help="Of the alignment: unit or sclite.")] = "unit",
    hotwords: Annotated[Path | None, typer.Option(help="Words that must come out right, one on each line.")] = None,
    id_column: Annotated[str | None, typer.Option(help="The set's column (CSV, TSV) or key (JSONL) of ids.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Its column or key of reference texts.")] = None,
    audio_column: Annotated[str | None, typer.Option(help="Its column or key of audio files.")] = None,
    drop_fillers: Annotated[
        bool, typer.Option("--drop-fillers", help="Texts are compared without 嗯, 啊, um.")
    ] = False,
    simplified: Annotated[bool, typer.Option("--simplified", help="Texts are compared in simplified Chinese.")] = False,
    most: ShowOption = 0,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Recognise a test set with each version, score and compare. Example: huidu eval golden.tsv v1 v2

    Exit status 0: all proven not worse; 4: one proven worse; 3: otherwise.
    """
    from huidu.core.formats.keys import Asked
    from huidu.core.testset import grouped
    from huidu.core.text.normalise import Normaliser
    from huidu.evaluation.result import Settings as Comparing
    from huidu.evaluation.result import document
    from huidu.wire import read_set

    # Whoever ends this ends the version that it has started, and leaves no folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _check(versions, jobs, language)
    check_show(most)
    settings = load(config) if config.exists() or config != DEFAULT_CONFIG else None
    place, name, chosen = _chosen(set_path, versions, settings)
    comparing = Comparing(
        settings.rules if settings else Rules(),
        Normaliser(drop_fillers, simplified),
        weights_of(weights),
        _words(hotwords),
        most,
    )
    page = None if no_report else _writable(report or _default_report(name, versions))
    found = read_set(place, name, Asked(id_column, text_column, audio_column))
    _remark(grouped(found.warnings))
    folder = (settings.data if settings else Path("data")) / "evaluation"
    listened = [_listened(found, version, folder, jobs, fresh) for version in chosen]
    result = document(found, listened, comparing, time.time())
    show(result, as_json, _text(result))
    if page:
        _write(result, page, language)
        print(f"report: {page}", file=sys.stderr)
    raise typer.Exit(_status([each["verdict"] for each in result["comparisons"]]))


def _remark(warnings: Sequence[str]) -> None:
    for warning in warnings[:_NAMED]:
        print(f"huidu: {warning}", file=sys.stderr)
    if len(warnings) > _NAMED:
        print(f"huidu: and {len(warnings) - _NAMED} more such remarks; --json holds all", file=sys.stderr)


def _check(versions: list[str], jobs: int, language: str) -> None:
    if len(set(versions)) < len(versions):
        raise InvalidError(f"a version stands twice in {' '.join(versions)}; accepted: each once")
    if not 1 <= jobs <= _MOST_JOBS:
        raise InvalidError(f"--jobs {jobs}; accepted: 1 to {_MOST_JOBS}")
    if language not in ("en", "zh"):
        raise InvalidError(f"--language {language}; accepted: en, zh")


def _chosen(set_path: str, names: list[str], settings: Settings | None) -> tuple[Path, str, list[Version]]:
    """Where the set lies, its name, and the versions: of the configuration, or of a demo kit."""
    from huidu.core.errors import unknown_name
    from huidu.demo.kit import read_kit, shipped

    folder = shipped() if set_path == _KIT and not Path(_KIT).exists() else Path(set_path)
    known = dict(settings.versions) if settings else {}
    place, name = folder, folder.stem if folder.is_file() else folder.name
    if (folder / "kit.json").is_file():
        kit = read_kit(folder)
        place, name = kit.folder / "test.tsv", set_path if set_path == _KIT else folder.resolve().name
        known = {version: Version(version, model=str(kit.model(version))) for version in kit.versions} | known
    if not known:
        raise InvalidError(
            "there is no huidu.yaml here; accepted: --config FILE that names the versions, or the set kit"
        )
    missing = [each for each in names if each not in known]
    if missing:
        raise unknown_name("version", missing[0], list(known))
    return place, name, [known[each] for each in names]


def _words(path: Path | None) -> tuple[str, ...]:
    from huidu.evaluation.hotwords import hotwords

    if path is None:
        return ()
    try:
        found = hotwords(str(path), path.read_bytes())
    except OSError as error:
        raise InvalidError(
            f"hotwords {path} cannot be read ({error.strerror}); accepted: UTF-8 text, a word a line"
        ) from None
    for remark in found.remarks:
        print(f"huidu: {remark}", file=sys.stderr)
    return found.words


def _listened(found: "TestSet", version: Version, folder: Path, jobs: int, fresh: bool) -> "Listened":
    """What a version hears in the set; from what it heard before where nothing is left to hear."""
    from huidu.evaluation.heard import HeardFile
    from huidu.evaluation.recognise import recognise
    from huidu.evaluation.result import Listened
    from huidu.wire import check_version, reached, version_fingerprint

    check_version(version)
    audio = {utterance.audio_sha256 for utterance in found.utterances}
    if version.managed and not fresh:
        fingerprint = version_fingerprint(version)
        known = HeardFile(folder, fingerprint).read()
        if audio <= known.keys():
            return Listened(version.name, fingerprint, {each: known[each] for each in audio})
    with reached(version) as (told, transcribe), _progress(version.name, len(audio)) as on_done:
        kept = HeardFile(folder, told) if told else None
        heard = recognise(found.utterances, transcribe, kept, jobs, on_done, fresh)
    if all(each.error is not None for each in heard.values()):
        first = next(iter(heard.values())).error
        raise UnavailableError(f"version {version.name} gave no text at all: {first}")
    return Listened(version.name, told or "", heard)


@contextmanager
def _progress(name: str, total: int) -> "Iterator[Any]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total)

        def on_done(_: "Utterance", __: "Heard") -> None:
            progress.advance(task)

        yield on_done


def _default_report(name: str, versions: list[str]) -> Path:
    # Names of files have at most 255 bytes, of which a Chinese character takes three.
    return Path(f"huidu-eval-{'-'.join([name, *versions])[:70]}.html")


def _writable(path: Path) -> Path:
    """Refuses, before hours of recognition, what could not be written after them."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InvalidError(f"--report {path}; accepted: a name that ends in .html (CSV and JSON are written beside it)")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InvalidError(f"the report {path} cannot be written; accepted: a file in a folder that exists")
    return path


def _write(result: dict[str, Any], path: Path, language: str) -> None:
    """The report, and beside it the same as CSV and JSON."""
    from huidu.adapters.report.html import write_report
    from huidu.adapters.report.hypotheses_csv import write_csv

    try:
        write_report(result, path, language)
        write_csv(result, path.with_suffix(".csv"))
        path.with_suffix(".json").write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise InvalidError(f"the report {path} cannot be written ({error.strerror}); accepted: --report FILE") from None


def _status(verdicts: list[str]) -> int:
    if "worse" in verdicts:
        return EXIT_WORSE
    return 0 if all(verdict == "not_worse" for verdict in verdicts) else EXIT_UNDECIDED


# ------------------------------------------------------------------ for people

VERDICTS = {"worse": "WORSE", "not_worse": "not worse", "undecided": "undecided"}
_MEASURES = {"cer": "CER", "numerals": "numerals error"}


def _text(result: dict[str, Any]) -> str:
    about = result["set"]
    minutes = about["audio_seconds"] / 60
    lines = [
        f"{about['name']}: {about['utterances']} utterances, {minutes:.1f} min, {about['speakers']} speakers "
        f"(set {about['version']}, normaliser {result['normaliser']})",
        f"{'':16}{'CER':>9}{'WER':>9}{'mixed':>9}{'numerals':>10}{'p50 ms':>9}{'p95 ms':>9}{'RTF':>8}{'failed':>8}",
    ]
    for version in result["versions"].values():
        rates = version["normalised"]
        lines.append(
            f"{version['name']:16.16}"
            + "".join(f"{rates[name]['rate']:9.2%}" for name in ("cer", "wer", "mixed_error_rate"))
            + f"{version['numerals']['rate']:10.2%}"
            + "".join(f"{version['latency_ms'][name] or 0:9.1f}" for name in ("p50", "p95"))
            + f"{version['rtf'] or 0:8.3f}{version['failed']:8d}"
        )
    for comparison in result["comparisons"]:
        measured = [(name, metric) for name, metric in comparison["metrics"].items() if metric]
        # What moved most comes first.
        measured.sort(key=lambda item: -abs(item[1]["difference"]))
        lines += ["", f"{comparison['version']} against {comparison['baseline']}: {VERDICTS[comparison['verdict']]}"]
        lines += [f"  {_MEASURES[name]}: {_measured(metric)}" for name, metric in measured]
        lines += _worst(comparison)
    for name, worst in result.get("worst", {}).items():
        lines += ["", f"== {name} ==", *worst_text(worst, result["missed_numerals"][name], columns())]
    return "\n".join(lines)


def _measured(metric: dict[str, Any]) -> str:
    said = f"{metric['baseline']:.2%} -> {metric['candidate']:.2%}, {points(metric['difference'])}"
    if metric["low"] is None:
        return f"{said}; one speaker tells nothing about others: {VERDICTS[metric['verdict']]}"
    word = "better" if metric["high"] < 0 else VERDICTS[metric["verdict"]]
    said += f" (95 %: {points(metric['low'])} to {points(metric['high'])}): {word}"
    if metric["verdict"] == "undecided":
        more = metric["more_utterances"]
        said += f"; about {more} more utterances would decide" if more else "; more of the same would not decide"
    return said


def _worst(comparison: dict[str, Any]) -> list[str]:
    worst = comparison["worst_category"]
    lines = []
    if worst:
        measure = _MEASURES[worst["metric"]]
        lines.append(f"  worst category: {worst['name']}, {measure} {points(worst['difference'])}")
    if comparison["phrases"]:
        first = comparison["phrases"][0]
        lines.append(
            f"  most changed: {first['reference']}: {first['baseline']} -> {first['candidate']}, {first['count']} times"
        )
    return lines


def points(difference: float) -> str:
    return f"{difference * 100:+.2f} pp"
