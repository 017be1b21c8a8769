"""`huidu gateway show`."""

import json
from dataclasses import replace
from typing import Annotated, Literal

import typer
import yaml

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, gateway_commands, show
from huidu.core.errors import RefusedError
from huidu.core.routes import Routes, Upstream
from huidu.settings import Settings, load


@gateway_commands.command("show")
def show_gateway(
    config: ConfigOption = DEFAULT_CONFIG,
    for_gateway: Annotated[Literal["envoy"], typer.Option("--for", help="Which gateway.")] = "envoy",
    as_json: JsonOption = False,
) -> None:
    """Print the configuration that would be applied. Example: huidu gateway show"""
    from huidu.wire import make_gateway

    settings = load(config)
    gateway = make_gateway(settings)
    in_force = gateway.routes()
    routes = _first_routes(settings) if in_force is None else replace(in_force, audience=settings.audience)
    found = gateway.rendered(routes)
    text = "\n".join(f"# {name}\n{yaml.safe_dump(json.loads(json.dumps(content)))}" for name, content in found.items())
    show(found, as_json, text)


def _first_routes(settings: Settings) -> Routes:
    stable = settings.versions.get(settings.stable)
    if stable is None:
        raise RefusedError(f"{settings.stable} is not among the versions; accepted: {', '.join(settings.versions)}")
    address = stable.url or str(settings.instances.listen)
    return Routes(1, stable.name, (Upstream(stable.name, address),), audience=settings.audience)
