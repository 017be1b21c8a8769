"""`huidu history import|delete|prune`."""

import re
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.core.errors import InvalidError, RefusedError
from huidu.core.plan import duration_seconds
from huidu.core.retention import UNDO_SECONDS
from huidu.settings import load

if TYPE_CHECKING:
    from huidu.adapters.store.deleting import Chosen
    from huidu.control.retention import Pruned

_UNIT = re.compile(r"[0-9a-f]{16}")
_LARGEST_ID = 2**63 - 1
_MOST_IDS = 10_000

history_commands = typer.Typer(help="The record of recognitions.", no_args_is_help=True)
app.add_typer(history_commands, name="history")


@history_commands.command("import")
def import_rows(
    file: Annotated[Path, typer.Argument(help="The SQLite database of the older tool. It is only read.")],
    version: Annotated[
        str, typer.Option(help="Which version recognised, where the file name does not say.")
    ] = "imported",
    version_pattern: Annotated[
        str | None, typer.Option(help="A regular expression for file names; its one group is the version.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take an older tool's history over, each row once.

    Times without a zone are taken as UTC. Example: huidu history import old.db --version-pattern "_(v[0-9]+)_"
    """
    from huidu.adapters.store.database import open_database
    from huidu.adapters.store.importing import import_history, version_rule
    from huidu.adapters.testsets.sound import seconds_of

    version_of = version_rule(version, version_pattern)
    engine = open_database(load(config).data, migrate=False)
    try:
        found = import_history(engine, file, version_of, seconds_of)
    finally:
        engine.dispose()
    for row in found.refused:
        print(f"huidu: row {row.row}: {row.why}", file=sys.stderr)
    text = f"imported {found.imported}, known {found.known}, refused {len(found.refused)}"
    show(asdict(found), as_json, text)
    if found.refused:
        raise typer.Exit(1)


@history_commands.command("delete")
def delete_rows(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Rows by their number.")] = None,
    unit: Annotated[str | None, typer.Option(help="Rows of one user, as `unit` names him: 16 hex digits.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Rows created so long ago (30d) or before a time (2026-11-22, UTC).")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Bring them back, while they are not erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Delete recognitions: at once for everybody, for good after seven days. Example: huidu history delete 17 18

    Corrected ones too. Until they are erased the same command with --undo brings them back.
    """
    from huidu.adapters.store.deleting import bring_back, count, delete
    from huidu.adapters.store.observed import open_existing

    now = time.time()
    chosen = _chosen(ids or [], unit, before, now)
    engine = open_existing(load(config).data)
    try:
        if undo:
            found = bring_back(engine, chosen)
            show({"brought_back": found}, as_json, f"{found} recognitions are back")
            return
        if not yes:
            _ask(f"{count(engine, chosen)} recognitions will be deleted. Go on?")
        found = delete(engine, chosen, now)
    finally:
        engine.dispose()
    erased = now + UNDO_SECONDS
    said = f"{found} recognitions are deleted; they are erased for good after {_clock(erased)}, until then: --undo"
    show({"deleted": found, "erased_after": erased}, as_json, said)


def _chosen(ids: list[int], unit: str | None, before: str | None, now: float) -> "Chosen":
    """Raises `InvalidError`."""
    from huidu.adapters.store.deleting import Chosen

    if not ids and unit is None and before is None:
        raise InvalidError("nothing is named; accepted: numbers of rows, --unit UNIT, --before TIME")
    if len(ids) > _MOST_IDS or not all(0 < each <= _LARGEST_ID for each in ids):
        raise InvalidError(f"read {len(ids)} numbers of rows; accepted: at most {_MOST_IDS}, each from 1 on")
    if unit is not None and not _UNIT.fullmatch(unit):
        raise InvalidError(f"read unit '{unit}'; accepted: 16 hex digits, as the history names a user")
    return Chosen(tuple(ids), unit, None if before is None else _time_before(before, now))


def _time_before(given: str, now: float) -> float:
    from huidu.adapters.store.importing import parsed_time

    try:
        return max(0.0, now - duration_seconds(given))
    except InvalidError:
        pass
    try:
        return parsed_time(given)
    except ValueError:
        raise InvalidError(f"read time '{given}'; accepted: 30d (ago), or 2026-11-22, or 2026-11-22 08:00") from None


def _ask(question: str) -> None:
    """Raises `RefusedError` where nobody says yes, and where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise RefusedError(f"{question.partition('.')[0]}, and there is nobody to ask; accepted: --yes")
    if not typer.confirm(question, err=True):
        raise RefusedError("nothing is deleted; accepted: yes")


@history_commands.command("prune")
def prune(
    older_than: Annotated[
        str | None, typer.Option(help="How long texts are kept: 30d. Default: `retention.texts` of huidu.yaml.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be taken, and take nothing.")] = False,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Make no copy of what is taken.")] = False,
    trust_clock: Annotated[
        bool, typer.Option("--trust-clock", help="The clock is right, although it has jumped ahead.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase now what is kept no longer; control does it once an hour. Example: huidu history prune --dry-run

    Rows go with their texts and file names. Corrected ones stay as references and lose their file name.
    """
    from huidu.adapters.store.observed import open_existing
    from huidu.wire import make_retention

    settings = load(config)
    keep = settings.retention.texts if older_than is None else duration_seconds(older_than)
    if keep is None:
        raise InvalidError(
            f"{config} does not say how long texts are kept; accepted: retention: {{texts: 30d}}, or --older-than 30d"
        )
    engine = open_existing(settings.data)
    try:
        retention = make_retention(settings, engine, lambda: keep, _wait)
        if dry_run:
            limits, due = retention.due()
            found = {"before": limits.texts_before, "erased": due.erased, "unnamed": due.unnamed, "dry_run": True}
            show(found, as_json, f"would take {_taken(due.erased, due.unnamed, limits.texts_before)}")
            return
        done = retention.run(trust_clock=trust_clock, copy=not no_backup)
    finally:
        engine.dispose()
    show(asdict(done), as_json, _pruned_text(done))
    if done.trouble:
        raise typer.Exit(1)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _taken(erased: int, unnamed: int, before: float | None) -> str:
    return f"{erased} recognitions, and the file names of {unnamed} references, of before {_clock(before or 0.0)}"


def _pruned_text(done: "Pruned") -> str:
    lines = [f"took {_taken(done.erased, done.unnamed, done.before)}"]
    if done.copy and done.copy_goes_at:
        lines.append(f"a copy of them lies in {done.copy}; control deletes it after {_clock(done.copy_goes_at)}")
    return "\n".join([*lines, *done.trouble])


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
