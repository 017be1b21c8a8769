import json
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from huidu.cli.app import run
from huidu.core.routes import Routes, upstream_of
from huidu.settings import load
from huidu.wire import make_gateway

SECRET = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyBsb25n"
CONFIG = """\
versions:
  old: {url: "http://127.0.0.1:10095"}
  new: {url: "http://127.0.0.1:10096"}
stable: old
audience:
  key: [jwt.sub, cookie, address]
  exclude: [{cidr: 10.9.0.0/16}]
  include: [{cookie: ABTEST_FunasrV2}, {cidr: "fd00::/8"}, {jwt: {claim: role, in: [tester]}}]
  jwt: {jwks: keys.json, issuer: sso, from: [header, "cookie:sso_token"]}
  window: {days: mon-fri, from: "09:00", to: "18:00", tz: Asia/Shanghai}
  among: volunteers
"""


@pytest.fixture
def laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Routes:
    """A gateway's files with a release in a share; the routes in force."""
    monkeypatch.chdir(tmp_path)
    # Its own tests ask Envoy what it thinks of a configuration.
    monkeypatch.setattr("huidu.adapters.gateways.envoy.gateway._validate", lambda _: None)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [{"kty": "oct", "k": SECRET}]}))
    (tmp_path / "huidu.yaml").write_text(CONFIG)
    settings = load(tmp_path / "huidu.yaml")
    upstreams = tuple(upstream_of(version, "") for version in settings.versions.values())
    routes = Routes(1, "old", upstreams, release=3, candidate="new", share_bp=10_000, audience=settings.audience)
    make_gateway(settings).prepare(routes)
    return routes


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def token(**claims: object) -> str:
    import base64

    import jwt

    return jwt.encode({"iss": "sso", "exp": int(time.time()) + 600, **claims}, base64.b64decode(SECRET), "HS256")


def noon(after_days: int) -> str:
    """Noon in Shanghai some days after the next Monday: that is half a day ahead at least, a week at most."""
    now = datetime.now(timezone(timedelta(hours=8)))
    found = now.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(7 - now.weekday() + after_days)
    return found.isoformat()


@pytest.mark.usefixtures("laid_out")
def test_explain_names_the_rule_for_each_kind_of_request(capsys: pytest.CaptureFixture[str]) -> None:
    volunteer = said(capsys, "gateway", "volunteer", "--for", "30d")
    agreed = f"huidu_volunteer={volunteer['value']}"
    monday, last_sunday = noon(0), noon(-8)
    for arguments, rule, kind in (
        (["--ip", "10.9.8.7", "--cookie", "ABTEST_FunasrV2=1"], "excluded", "address"),
        (["--cookie", "ABTEST_FunasrV2=1", "--at", last_sunday], "included", "new"),
        (["--ip", "fd00::7"], "included", "address"),
        (["--ip", "::ffff:10.9.8.7"], "excluded", "address"),
        (["--jwt", token(sub="ann", role=["tester"])], "included", "jwt.sub"),
        (["--header", f"Authorization: Bearer {token(sub='ann')}", "--at", last_sunday], "window", "jwt.sub"),
        (["--cookie", f"sso_token={token(sub='ann')}", "--at", monday], "not_volunteer", "new"),
        (["--cookie", "huidu_uid=ann", "--at", monday], "not_volunteer", "cookie"),
        (["--cookie", "huidu_uid=ann", "--cookie", agreed, "--at", monday], "share", "cookie"),
    ):
        found = said(capsys, "explain", *arguments)
        # The token in the cookie has expired by Monday: then its sender is nobody.
        assert (found["rule"], found["unit_kind"]) == (rule, kind), arguments
        assert found["version"] == ("new" if rule in ("included", "share") else "old")


@pytest.mark.usefixtures("laid_out")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ip", "10.8.0"], "read --ip '10.8.0'; accepted: an address"),
        (["--cookie", "ABTEST_FunasrV2"], "accepted: NAME=VALUE"),
        (["--at", "tomorrow"], "accepted: ISO 8601"),
    ],
)
def test_explain_refuses_in_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_gateway_is_shown_without_its_secrets(laid_out: Routes, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = make_gateway(load(Path("huidu.yaml")))
    text = json.dumps(said(capsys, "gateway", "show", "--for", "envoy"))
    assert "ABTEST_FunasrV2" in text
    assert gateway.secret() not in text
    assert SECRET not in text
    assert laid_out.audience.jwt is not None


def test_routes_of_an_older_huidu_are_written_again(laid_out: Routes) -> None:
    gateway = make_gateway(load(Path("huidu.yaml")))
    (gateway.places.gateway / "routes.json").write_text('{"generation": 9, "stable": "old", "upstreams": {}}')
    assert gateway.routes() is None
    gateway.prepare(replace(laid_out, generation=1))
    found = gateway.routes()
    assert found is not None
    assert found.candidate == "new"


def test_routes_of_a_release_that_is_over_do_not_come_back_at_the_next_up(laid_out: Routes) -> None:
    """Its store was lost, or control died between its end and the swap."""
    gateway = make_gateway(load(Path("huidu.yaml")))
    before = gateway.routes()
    assert before is not None
    assert before.candidate == "new"
    gateway.prepare(replace(laid_out, generation=1, release=None, candidate=None, share_bp=0, expires_at=None))
    found = gateway.routes()
    assert found is not None
    assert (found.candidate, found.share_bp, found.generation > before.generation) == (None, 0, True)
