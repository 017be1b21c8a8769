"""`huidu compare`: what two versions did live, from the history."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.cli.evaluate import EXIT_UNDECIDED, EXIT_WORSE, VERDICTS, points
from huidu.core.errors import InvalidError
from huidu.core.plan import duration_seconds
from huidu.settings import load

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from huidu.adapters.store.observed import ObservedRow
    from huidu.evaluation.live import Tally

_SHOWN_ROWS = 1000
_LATEST = 253_402_300_799.0  # the end of the year 9999


@app.command()
def compare(
    baseline: Annotated[str, typer.Argument(metavar="V1", help="The version that the other is compared to.")],
    candidate: Annotated[str, typer.Argument(metavar="V2", help="The other version.")],
    since: Annotated[str, typer.Option(help="How long ago the time begins: 24h, 7d.")] = "24h",
    until: Annotated[str | None, typer.Option(help="How long ago it ends; default: now.")] = None,
    version_pattern: Annotated[
        str | None,
        typer.Option(help="Versions are known by file names only: a regular expression whose group is the version."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare what two versions did for live users. Example: huidu compare v1 v2 --since 24h

    Exit status 0: proven not worse in all that could be measured; 4: proven worse; 3: otherwise.
    """
    from huidu.adapters.store.observed import observed, open_existing, pruned_before
    from huidu.evaluation.live import document, tally

    if baseline == candidate:
        raise InvalidError(f"version {baseline} stands twice; accepted: two versions")
    begins, ends = _times(since, until, time.time())
    settings = load(config)
    engine = open_existing(settings.data)
    try:
        pruned = pruned_before(engine) or 0.0
        if pruned >= ends:
            raise InvalidError(f"rows of before {_clock(pruned)} UTC were pruned; accepted: a time after that")
        begins, asked = max(begins, pruned), begins
        wanted = None if version_pattern is not None else (baseline, candidate)
        with closing(observed(engine, begins, ends, wanted)) as rows:
            counted = tally(_watched(rows), baseline, candidate, version_pattern)
        if missing := counted.missing():
            raise _no_rows(missing[0], engine, begins, ends, counted if version_pattern is not None else None)
    finally:
        engine.dispose()
    found = document(counted, settings.rules, begins, ends)
    if begins > asked:
        # Of before there are corrected rows only, which stand for nobody.
        found["remarks"].append(f"rows of before {_clock(pruned)} UTC were pruned: the comparison begins there")
    show(found, as_json, _text(found))
    raise typer.Exit({"worse": EXIT_WORSE, "not_worse": 0}.get(found["verdict"], EXIT_UNDECIDED))


def _watched(rows: Iterable["ObservedRow"]) -> Iterator["ObservedRow"]:
    """The rows, and how many there were for those who wait: a million take two minutes."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} recognitions"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for number, row in enumerate(rows):
            if number % _SHOWN_ROWS == 0:
                progress.update(task, completed=number)
            yield row


def _times(since: str, until: str | None, now: float) -> tuple[float, float]:
    """Epoch seconds of two times ago. Raises `InvalidError`."""
    begins, ends = (now - duration_seconds(ago) if ago else now for ago in (since, until))
    if begins >= ends:
        raise InvalidError(f"the time from {since} ago ends {until or '0s'} ago; accepted: --since before --until")
    return max(0.0, round(begins, 3)), max(0.0, round(ends, 3))


def _no_rows(name: str, engine: "Engine", since: float, until: float, by_name: "Tally | None") -> InvalidError:
    """The refusal of a version that has nothing to compare; it names those that have."""
    from huidu.adapters.store.observed import versions_between

    if by_name:
        named = _named(by_name.seen) or "none"
        left_out = f"; {by_name.unmatched} file names match no version" if by_name.unmatched else ""
        return InvalidError(f"no file name tells version {name} in this time; accepted: {named}{left_out}")
    if there := versions_between(engine, since, until):
        return InvalidError(f"version {name} has no rows in this time; accepted: {_named(there)}")
    before = _named(versions_between(engine, 0.0, _LATEST)) or "none"
    return InvalidError(f"no version has rows in this time; accepted: a time that has; in all: {before}")


def _named(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{version} ({rows[version]} rows)" for version in sorted(rows))


# ------------------------------------------------------------------ for people

_LABELS = {
    "errors": "failed",
    "cer": "CER",
    "numerals": "numerals error",
    "loops": "loops",
    "text_on_silence": "text on silence",
    "empty_on_speech": "empty on speech",
    "language_flips": "language flips",
    "rate_outliers": "rate outliers",
    "rtf": "RTF",
    "units_per_second": "characters/s",
    "mean_units": "characters/text",
}
_VOLUMES = {
    "rows": "rows",
    "failed": "failed",
    "users": "users",
    "audio_seconds": "audio seconds",
    "without_audio_length": "without length",
    "without_user": "without user",
    "corrected": "corrected texts",
}


def _text(found: dict[str, Any]) -> str:
    one, other = found["versions"].values()
    lines = [
        f"{other['name']} against {one['name']}, {_clock(found['since'])} to {_clock(found['until'])} UTC",
        "",
        f"{'':18}{one['name']:>14.14}{other['name']:>14.14}",
    ]
    lines += [f"{label:18}{one[name]:14,.0f}{other[name]:14,.0f}" for name, label in _VOLUMES.items()]
    lines += [
        f"{'rule ' + rule:18}" + "".join(f"{each['rules'].get(rule, 0):14,}" for each in (one, other))
        for rule in sorted({*one["rules"], *other["rules"]})
    ]
    lines += [
        "",
        f"{'':18}{one['name']:>14.14}{other['name']:>14.14}{'difference':>13}   {'interval':26}{'verdict':12}",
    ]
    lines += [_line(_LABELS.get(name, name.replace("_", " ")), measure) for name, measure in found["measures"].items()]
    lines += ["", *(f"note: {remark}" for remark in found["remarks"])]
    return "\n".join([*lines, "", f"{other['name']} is {VERDICTS[found['verdict']]}"])


def _line(label: str, measure: dict[str, Any] | None) -> str:
    if measure is None:
        return f"{label:18}{'not measured':>28}"
    share = "difference" in measure
    form = "14.2%" if share else "14.3f"
    written = points if share else _times_as
    change = written(measure["difference"] if share else measure["ratio"])
    low, high = (written(measure[end]) if measure[end] is not None else "?" for end in ("low", "high"))
    rates = f"{measure['baseline']:{form}}{measure['candidate']:{form}}"
    return f"{label:18}{rates}{change:>13}   {f'{low} to {high}':26}{VERDICTS.get(measure['verdict'], '')}".rstrip()


def _times_as(ratio: float) -> str:
    return f"{ratio:.3f}x"


def _clock(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M}"
