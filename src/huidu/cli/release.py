"""`huidu release start|list|show|replay`."""

import getpass
import json
import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, release_commands, show
from huidu.cli.control_client import ask_control
from huidu.cli.emergency import put_back_text
from huidu.settings_changes import lines


@release_commands.command()
def start(
    version: Annotated[str, typer.Argument(help="The candidate.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Start a release. Example: huidu release start v2 --reason "new hotline numbers" """
    body = {"version": version, "by": getpass.getuser(), "reason": reason}
    found = ask_control(config, "POST", "/api/v1/releases", body)
    for line in lines(found["config"]):
        print(line, file=sys.stderr)
    show(found, as_json, f"release {found['id']} of {found['version']} has started: {found['stage']}")


@release_commands.command("list")
def list_releases(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List all releases, the newest first. Example: huidu release list"""
    found = ask_control(config, "GET", "/api/v1/releases")
    said = [line for release in found for line in (_line(release), *_put_back_lines(release))]
    show(found, as_json, "\n".join(said) or "there was no release yet")


@release_commands.command("show")
def show_release(
    number: Annotated[int, typer.Argument(help="Which release.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show a release: who, when, why, and what happened. Example: huidu release show 3"""
    found = ask_control(config, "GET", f"/api/v1/releases/{number}")
    events = [_event_line(event) for event in found["events"]]
    show(found, as_json, "\n".join([_line(found), *_put_back_lines(found), *events]))


@release_commands.command()
def replay(
    number: Annotated[int, typer.Argument(help="Which release.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Derive a release's verdicts again from its evidence. Example: huidu release replay 3"""
    found = ask_control(config, "GET", f"/api/v1/releases/{number}/replay")
    agreed = "every verdict comes out as recorded" if found["agree"] else "verdicts differ from the record"
    earlier = f"; {found['earlier_looks']} of an earlier Huidu are left out" if found["earlier_looks"] else ""
    show(found, as_json, f"release {found['id']}: {len(found['looks'])} looks; {agreed}{earlier}")
    if not found["agree"]:
        raise typer.Exit(1)


def _line(release: dict[str, Any]) -> str:
    if release["id"] == 0:
        return f"      {_time(release['started_at'])}  {release['version']}  before the first release"
    outcome = release["outcome"] or f"runs, {release['stage']}"
    where = f" in {release['stage']}" if release["outcome"] else ""
    reason = f": {release['reason']}" if release["reason"] else ""
    return f"{release['id']:>4}  {_time(release['started_at'])}  {release['version']}  {outcome}{where}{reason}"


def _put_back_lines(release: dict[str, Any]) -> list[str]:
    return [f"      {_time(back['time'])}  put back {put_back_text(back)}" for back in release["put_back"]]


def _event_line(event: dict[str, Any]) -> str:
    payload = event["payload"]
    if event["kind"] == "look":
        said = ", ".join(f"{name} {verdict['code']}" for name, verdict in payload["verdicts"].items())
        return f"      {_time(event['time'])}  look {payload['index']} in {payload['stage']}: {said}"
    return f"      {_time(event['time'])}  {event['kind']}  {json.dumps(payload, ensure_ascii=False)}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
