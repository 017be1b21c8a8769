"""`huidu explain`: which version a request gets, and by which rule."""

import time
import uuid
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

import typer

from huidu.cli.app import DEFAULT_CONFIG, ConfigOption, JsonOption, app, show
from huidu.core.address import packed_address
from huidu.core.audience import Decision, Request, Rule, decide
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.jwt import Jwt
from huidu.core.window import intervals_around
from huidu.settings import load


@app.command()
def explain(
    cookie: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be given several times.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="'NAME: VALUE'; may be given several times.")] = None,
    ip: Annotated[str | None, typer.Option(help="The client's address, IPv4 or IPv6.")] = None,
    jwt: Annotated[str | None, typer.Option(help="A token, as sent in Authorization: Bearer or in a cookie.")] = None,
    at: Annotated[str | None, typer.Option(help="A time such as 2026-11-22T09:30+08:00; default now.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say which version a request gets now, and by which rule. Example: huidu explain --cookie huidu_uid=abc"""
    from huidu.adapters.gateways.tokens import is_volunteer
    from huidu.wire import make_gateway

    gateway = make_gateway(load(config))
    routes = gateway.routes()
    if routes is None:
        raise UnavailableError("the gateway has no routes yet; accepted: after `huidu up` has started")
    cookies = tuple(_pair(text, "=", "--cookie") for text in cookie or [])
    headers = tuple((name.lower(), value) for name, value in (_pair(text, ":", "--header") for text in header or []))
    now, secret = _time(at), gateway.secret()
    routes = replace(routes, open=intervals_around(routes.audience.windows, now))
    sent = [f"{name}={value}" for name, value in cookies]
    tokens = [value for name, value in headers if name == "authorization"]
    request = Request(
        cookies,
        headers,
        _address(ip),
        _claims(routes.audience.jwt, jwt, tokens, sent, now),
        is_volunteer(secret, sent, now),
    )
    decision = decide(request, routes, secret, now, str(uuid.uuid4()))
    found = {**asdict(decision), "rule": decision.rule.value, "share_bp": routes.share_bp, "release": routes.release}
    text = f"{decision.version}, by rule {decision.rule} ({_drawn(decision)}, share {routes.share_bp / 100:g} %)"
    if decision.rule is Rule.EXPIRED and at is not None:
        text += "; control renews the share's time as long as it runs, and then that rule does not hold"
    show(found, as_json, text)


def _claims(
    settings: Jwt | None, given: str | None, authorization: list[str], cookies: list[str], now: float
) -> dict[str, Any]:
    from huidu.adapters.gateways.tokens import claims_of, first_valid

    if given is None:
        return claims_of(settings, authorization, cookies, now)
    if settings is None:
        raise InvalidError("read --jwt, and no audience.jwt is in force; accepted: without --jwt, or with keys set up")
    return first_valid(settings, [given], now)


def _drawn(decision: Decision) -> str:
    return f"unit {decision.unit} of kind {decision.unit_kind}, bucket {decision.bucket}"


def _address(text: str | None) -> str | None:
    if text is not None and packed_address(text) is None:
        raise InvalidError(f"read --ip '{text}'; accepted: an address such as 10.8.0.1 or fd00::1")
    return text


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
