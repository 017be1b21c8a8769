"""`huidu explain`: which version a request gets, and by which rule."""

import time
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.core.audience import Request, decide
from huidu.core.errors import InvalidError, UnavailableError
from huidu.settings import load


@app.command()
def explain(
    cookie: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be given several times.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="'NAME: VALUE'; may be given several times.")] = None,
    at: Annotated[str | None, typer.Option(help="A time such as 2026-11-22T09:30+08:00; default now.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say which version a request gets now, and by which rule. Example: huidu explain --cookie huidu_uid=abc"""
    from huidu.wire import make_gateway

    gateway = make_gateway(load(config))
    routes = gateway.routes()
    if routes is None:
        raise UnavailableError("the gateway has no routes yet; accepted: after `huidu up` has started")
    cookies = tuple(_pair(text, "=", "--cookie") for text in cookie or [])
    headers = tuple((name.lower(), value) for name, value in (_pair(text, ":", "--header") for text in header or []))
    decision = decide(Request(cookies, headers), routes, gateway.secret(), _time(at), str(uuid.uuid4()))
    found = {**asdict(decision), "rule": decision.rule.value, "share_bp": routes.share_bp, "release": routes.release}
    text = f"{decision.version}, by rule {decision.rule} (bucket {decision.bucket}, share {routes.share_bp / 100:g} %)"
    show(found, as_json, text)


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip():
        raise InvalidError(f"read {option} '{text}'; accepted: NAME{separator}VALUE")
    return name.strip(), value.strip()


def _time(text: str | None) -> float:
    if text is None:
        return time.time()
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise InvalidError(f"read time '{text}'; accepted: ISO 8601, such as 2026-11-22T09:30+08:00") from None
