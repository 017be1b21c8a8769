"""`huidu history import`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.settings import load

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
