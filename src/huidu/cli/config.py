"""`huidu init`, `huidu config check|apply`."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, config_commands, show
from huidu.cli.control_client import ask_control
from huidu.control.queries import stage_words
from huidu.core.errors import RefusedError
from huidu.settings import load
from huidu.settings_changes import lines


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = DEFAULT_CONFIG,
) -> None:
    """Write a commented huidu.yaml. Example: huidu init"""
    if path.exists():
        raise RefusedError(f"{path} exists already; accepted: a path where nothing lies")
    path.write_text(files("huidu").joinpath("cli/huidu.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path} is written: name your models in it, then `huidu config check` and `huidu up`")


@config_commands.command()
def check(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Read the file and say what it means, or what is wrong with it. Example: huidu config check"""
    from huidu.wire import check_version, ignored_words

    settings = load(config)
    for version in settings.versions.values():
        check_version(version)
    notes = [said for version in settings.versions.values() if (said := ignored_words(version))]
    plan = [stage_words(stage) for stage in settings.plan.stages]
    guards = [
        f"{guard.name}: fail above {guard.fail_above:g}, at most {guard.at_most}" for guard in settings.rules.guards
    ]
    found = {
        "ok": True,
        "data": str(settings.data),
        "versions": sorted(settings.versions),
        "stable": settings.stable,
        "plan": plan,
        "guards": guards,
        "notes": notes,
    }
    lines = [f"{config} is good: stable {settings.stable}, versions {', '.join(sorted(settings.versions))}"]
    show(found, as_json, "\n".join([*lines, *(f"  {each}" for each in plan), *(f"  note: {each}" for each in notes)]))


@config_commands.command()
def apply(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Have control take the file's changes over; nothing restarts. Example: huidu config apply"""
    load(config)
    found = ask_control(config, "POST", "/api/v1/config/apply")
    changed = "\n".join(f"  {line}" for line in lines(found)) or "  nothing has changed"
    show(found, as_json, f"control has taken {config} over\n{changed}")
