"""`huidu demo`: the whole story on this machine."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from huidu.cli.app import JsonOption, app


@app.command()
def demo(
    as_json: JsonOption = False,
    keep: Annotated[bool, typer.Option(help="Leave everything running at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed: other users, another golden set.")] = 1,
    kit: Annotated[Path | None, typer.Option(help="A kit of your own; the default is the shipped one.")] = None,
) -> None:
    """Play the whole story on this machine in two or three minutes. Example: huidu demo"""
    from rich.console import Console

    from huidu.demo.kit import read_kit, shipped
    from huidu.demo.narrator import Narrator, table
    from huidu.demo.story import play

    # Asked to end, it ends what it started: Python alone would leave that running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Narrator() as narrator:
        found = play(read_kit(kit or shipped()), seed, keep, narrator)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        Console(width=100).print(table(found))
        back = found["rollback"]
        if back:
            print(
                f"rollback to {back['to']}: last request on {back['from']} began {back['applied_ms']:g} ms after the "
                f"command, ended {back['drained_ms']:g} ms after it; the command took {back['command_ms']:g} ms"
            )
        print(f"{found['requests']} requests, {found['failed_requests']} failed; everything is in {found['data']}")
    if found["failed_requests"]:
        raise typer.Exit(1)
