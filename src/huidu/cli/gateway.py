"""`huidu gateway show`."""

import json
import time
from dataclasses import replace
from typing import Annotated, Any, Literal

import typer
import yaml

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, gateway_commands, show
from huidu.core.errors import RefusedError
from huidu.core.plan import duration_seconds
from huidu.core.routes import Routes, upstream_of
from huidu.core.window import intervals_around
from huidu.settings import Settings, load


@gateway_commands.command("show")
def show_gateway(
    config: ConfigOption = DEFAULT_CONFIG,
    for_gateway: Annotated[
        Literal["envoy", "nginx"] | None, typer.Option("--for", help="Which gateway; default: the configured one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the configuration that would be applied. Example: huidu gateway show"""
    from huidu.wire import make_gateway

    settings = load(config)
    gateway = make_gateway(settings, for_gateway)
    in_force = gateway.routes()
    routes = _first_routes(settings) if in_force is None else replace(in_force, audience=settings.audience)
    found = gateway.rendered(routes)
    text = "\n".join(f"# {name}\n{_text(content)}" for name, content in found.items())
    if "state.json" in found:
        included = gateway.places.gateway / "nginx" / "huidu.conf"
        text = f"# for an nginx that you already have, in its http block:\n#     include {included};\n\n{text}"
    show(found, as_json, text)


def _text(content: Any) -> str:
    """Text as it is; plain values as YAML, which reads better than JSON."""
    return content if isinstance(content, str) else yaml.safe_dump(json.loads(json.dumps(content)))


@gateway_commands.command("volunteer")
def volunteer(
    config: ConfigOption = DEFAULT_CONFIG,
    valid_for: Annotated[str, typer.Option("--for", help="How long it holds, such as 30d.")] = "90d",
    as_json: JsonOption = False,
) -> None:
    """Print the cookie of a user who agreed to try candidates. Example: huidu gateway volunteer --for 30d"""
    from huidu.adapters.gateways.tokens import volunteer_token
    from huidu.core.jwt import VOLUNTEER_COOKIE
    from huidu.wire import make_gateway

    seconds = duration_seconds(valid_for)
    settings = load(config)
    value = volunteer_token(make_gateway(settings).secret(), time.time(), seconds)
    secure = "; Secure" if settings.gateway.tls else ""
    header = f"{VOLUNTEER_COOKIE}={value}; Path=/; Max-Age={seconds:.0f}; HttpOnly; SameSite=Lax{secure}"
    show({"name": VOLUNTEER_COOKIE, "value": value, "set_cookie": header}, as_json, f"Set-Cookie: {header}")


def _first_routes(settings: Settings) -> Routes:
    stable = settings.versions.get(settings.stable)
    if stable is None:
        raise RefusedError(f"{settings.stable} is not among the versions; accepted: {', '.join(settings.versions)}")
    upstream = upstream_of(stable, str(settings.instances.listen))
    windows = intervals_around(settings.audience.windows, time.time())
    return Routes(1, stable.name, (upstream,), audience=settings.audience, open=windows)
