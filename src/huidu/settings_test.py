import itertools
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from huidu.core.address import network
from huidu.core.audience import ClaimRule, CookieRule, HeaderRule, NetworkRule
from huidu.core.errors import InvalidError
from huidu.core.plan import DEFAULT_GUARDS, DEFAULT_PLAN, Answer, Golden, Share
from huidu.settings import GatewaySettings, Settings, VersionSettings, load

BASE = """\
versions:
  v1: {model: models/v1}
  v2: {model: models/v2, device: "cuda:0"}
  v3: {url: "http://10.0.0.5:7860"}
stable: v1
"""


def read(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "huidu.yaml"
    path.write_text(text)
    return load(path, environment)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    settings = read(tmp_path, BASE)
    assert settings.plan == DEFAULT_PLAN
    assert str(settings.gateway.listen) == "0.0.0.0:8080"
    assert settings.control.share_expiry == 900
    assert settings.data == tmp_path / "data"
    assert settings.versions["v1"].model == str(tmp_path / "models/v1")
    assert settings.versions["v3"].urls == ("http://10.0.0.5:7860",)
    assert not settings.versions["v3"].managed


def test_texts_are_kept_for_ever_unless_the_file_says_how_long(tmp_path: Path) -> None:
    assert read(tmp_path, BASE).retention.texts is None
    assert read(tmp_path, BASE + "retention: {texts: 30d}\n").retention.texts == 30 * 86_400


def test_a_full_file_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        BASE
        + """\
audience:
  include: [{cookie: ABTEST_FunasrV2}, {cookie: a=b}, {header: {X-Tester: "1"}}]
plan:
  - golden: {set: sets/golden.tsv, undecided: go_on}
  - {share: 5%, for: 30m, at_least: 500}
  - {share: 100%, for: 24h}
guards:
  errors: {at_most: +1pp}
  latency: {fail_above: 1.2x, at_most: 1.5x, quantile: p99}
alpha: 0.02
""",
    )
    assert settings.audience.include == (
        CookieRule("ABTEST_FunasrV2"),
        CookieRule("a", "b"),
        HeaderRule("x-tester", "1"),
    )
    golden, first, bake = settings.plan.stages
    assert golden == Golden(str(tmp_path / "sets/golden.tsv"), golden.undecided)  # type: ignore[union-attr]
    assert (first, bake) == (Share(500, 1800.0, 500), Share(10_000, 86400.0, holdback_bp=500))
    guard = settings.rules.guard("latency")
    assert guard is not None
    assert (guard.fail_above, guard.at_most, guard.quantile) == (1.2, 1.5, 0.99)
    assert settings.rules.alpha == 0.02


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("shres: 1\n", "huidu.yaml:6: unknown key 'shres'; accepted: admission, alpha"),
        ("plan: [{share: 5%, for: 1m}, {share: 3%, for: 1m}, {share: 100%, for: 1m}]\n", ":6: share 3% follows 5%"),
        ("plan: [{share: 5%, for: 1m}]\n", ":6: the plan ends at 5%; accepted: a last stage with share 100%"),
        ("plan: [{share: 5, for: 1m}]\n", ":6: plan[0].share: read share '5'; accepted: 0% to 100%"),
        ("plan:\n- {shre: 5%, for: 1m}\n", ":7: unknown key 'shre' in plan[0]; accepted: at_least, for, golden, hold"),
        ("plan: 5\n", ":6: plan: read 5; accepted: a valid list"),
        (
            "plan: [{share: 5%, for: 1m}, {golden: {set: x}}, {share: 100%, for: 1m}]\n",
            ":6: a golden stage stands behind another stage",
        ),
        ("retention: {texts: 5s}\n", ":6: retention.texts: read '5s'; accepted: 1h or more, such as 30d"),
        ("retention: {texts: 0}\n", ":6: retention.texts: read duration '0'; accepted: a number and s, m, h or d"),
        ("retention: {audio: 7d}\n", ":6: unknown key 'audio' in retention; accepted: texts"),
        ("gateway: {listen: foo}\n", ":6: gateway.listen: read address 'foo'; accepted: HOST:PORT"),
        ("guards: {cer: {at_most: 5}}\n", ":6: guards.cer.at_most: read difference '5'; accepted: percentage points"),
        ("guards: {foo: {}}\n", ":6: unknown guard 'foo'; accepted: cer, crashes, empty, errors, latency, nu"),
        ("guards: {errors: 5}\n", ":6: guards.errors: read 5; accepted: off, or fail_above, at_most, quantile and"),
        ("guards: {errors: on}\n", ":6: guards.errors: read True; accepted: off, or fail_above"),
        ("guards: {errors: }\n", ":6: guards.errors: read None; accepted: off, or fail_above"),
        ("guards: {errors: {answer: stop}}\n", ":6: guards.errors.answer: read 'stop'; accepted: 'rollback' or 'hold'"),
        ("guards: {errors: {answr: hold}}\n", ":6: unknown key 'answr' in guards.errors; accepted: answer, at_most,"),
        ("guards: {latency: {fail_above: 1.1}}\n", ":6: guards.latency.fail_above: read ratio '1.1'; accepted: 1x or"),
        ("guards: {latency: {at_most: [1]}}\n", ":6: guards.latency.at_most: read [1]; accepted: such as +0.5pp"),
        ("guards: {latency: {quantile: 95}}\n", ":6: read quantile '95'; accepted: p1 to p99.9, such as p95"),
        ("guards: {rejects: {at_most: +1pp}}\n", ":6: guard rejects takes no at_most; accepted: fail_above"),
        ("guards: {cer: {at_most: +0pp}}\n", ":6: guard cer: at_most is not above fail_above"),
        ("guards: {crashes: {at_most: 1}}\n", ":6: guard crashes takes no at_most; accepted: fail_above"),
        ("alpha: 3\n", ":6: alpha is 3.0; accepted: between 0 and 0.5"),
        ("alpha: x\n", ":6: alpha: read 'x'; accepted: a valid number"),
        (
            "audience: {include: [{cooky: x}]}\n",
            ":6: unknown key 'cooky' in audience.include[0]; accepted: cidr, cookie, header, jwt",
        ),
        (
            "control: {share_expiry: 5}\n",
            ":6: control.share_expiry: read duration '5'; accepted: a number and s, m, h or d",
        ),
        (
            "audience: {include: [{cidr: 10.9.0.5/16}]}\n",
            ":6: audience.include[0].cidr: read network '10.9.0.5/16' (10",
        ),
        ("audience: {exclude: [{cidr: all}]}\n", "accepted: such as 10.9.0.0/16 or fd00::/8"),
        (
            "audience: {include: [{cookie: a, cidr: 10.0.0.0/8}]}\n",
            "read cookie and cidr; accepted: one of cookie, header",
        ),
        ("audience: {include: [{cookie: 'a=b;c'}]}\n", "read cookie 'a=b;c'; accepted: a value without ;"),
        (
            "audience: {include: [{header: {x-huidu-side: '1'}}]}\n",
            "accepted: a name of letters, digits and - that clients",
        ),
        ("audience: {include: [{header: {x_tester: '1'}}]}\n", "read header 'x_tester'; accepted: a name of letters"),
        (
            "audience: {include: [{jwt: {claim: role, in: [a]}}]}\n",
            ":6: a rule reads a claim and audience.jwt is missing",
        ),
        ("audience: {jwt: {jwks: none.json}}\n", ":6: "),
        ("audience: {jwt: {jwks: none.json, from: [query]}}\n", "read token source 'query'; accepted: header"),
        ("audience: {key: [ip]}\n", "read key 'ip'; accepted: jwt.sub, cookie, header:NAME, address"),
        ("audience: {key: []}\n", ":6: audience.key: read []"),
        ("audience: {among: some}\n", ":6: audience.among: read 'some'; accepted: 'everyone' or 'volunteers'"),
        ("audience: {window: {from: '9', to: '18:00', tz: UTC}}\n", "read time '9'; accepted: HH:MM"),
        ("audience: {window: {from: '09:00', to: '09:00', tz: UTC}}\n", "read the same time in from and to"),
        ("audience: {window: {from: '09:00', to: '18:00', tz: Mars}}\n", "read tz 'Mars'; accepted: a time zone"),
        (
            "audience: {window: {days: all, from: '09:00', to: '18:00', tz: UTC}}\n",
            "read days 'all'; accepted: mon tue",
        ),
        ("gateway: {trusted_proxies: [10.0.0.1/8]}\n", ":6: gateway.trusted_proxies[0]: read network '10.0.0.1/8'"),
        ("gateway: {hang_after: 0s}\n", ":6: gateway.hang_after"),
        (
            "gateway: {recognition_paths: [asr]}\n",
            ":6: gateway.recognition_paths[0]: read path 'asr'; accepted: such as",
        ),
        ("gateway: {recognition_paths: ['/*/asr']}\n", "read path '/*/asr'; accepted: such as /asr, or /asr/*"),
        ("gateway: {recognition_paths: ['/asr?a=b']}\n", "read path '/asr?a=b'; accepted: such as /asr, or /asr/*"),
        ("gateway: {drain: wait}\n", ":6: gateway.drain: read 'wait'; accepted: 'finish' or 'move'"),
        ("gateway: {engine: haproxy}\n", ":6: gateway.engine: read 'haproxy'; accepted: 'envoy' or 'nginx'"),
        (
            "plan: [{share: 0%, for: 1m}, {share: 100%, for: 1m}]\n",
            ":6: the plan compares at no share; accepted: a share",
        ),
        ("versions: {}\n", ":6: key 'versions' stands twice; accepted: once"),
        ("a: [\n", "not YAML"),
        ("- a\n", "not YAML"),
    ],
)
def test_each_mistake_is_one_line_that_says_where_what_and_what_instead(tmp_path: Path, extra: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(tmp_path, BASE + extra)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        *(
            (f"share: 5%, for: 1m, at_least: {value}", f"plan[0].at_least: read {read}; accepted: a number of recog")
            for value, read in (("true", "True"), ("many", "'many'"), ("1.5", "1.5"), ("[1]", "[1]"))
        ),
        (
            "share: 5%, for: 1m, at_least: -1",
            "plan[0].at_least.recognitions: read -1; accepted: greater than or equal to",
        ),
        ("share: 5%, for: 1m, at_least: {units: 0}", "plan[0].at_least.units: read 0; accepted: greater than or equal"),
        (
            "share: 5%, for: 1m, at_least: {users: 2}",
            "unknown key 'users' in plan[0].at_least; accepted: recognitions, un",
        ),
        ("share: 5%, for: 1m, holdback: 1%", "a holdback stands beside a share of 5%; accepted: beside 100% only"),
        ("share: 5%, for: 1m, holdback: 5", "plan[0].holdback: read share '5'; accepted: 0% to 100%"),
        ("golden: {set: x}, at_least: 5", "plan[0]: read 'for', 'at_least' or 'holdback' beside golden; accepted"),
        ("golden: {set: x}, holdback: 5%", "plan[0]: read 'for', 'at_least' or 'holdback' beside golden; accepted"),
    ],
)
def test_a_floor_or_holdback_that_cannot_be_is_refused_in_one_line(tmp_path: Path, stage: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(tmp_path, f"{BASE}plan: [{{{stage}}}, {{share: 50%, for: 1m}}, {{share: 100%, for: 1m}}]\n")
    assert str(refused.value).startswith("huidu.yaml:6: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("holdback", "said"),
    [
        ("100%", "read holdback 100%; accepted: 0% to less than 100%"),
        ("51%", "a holdback of 51% follows a share of 50%; accepted: at most 50%, so that nobody is put back"),
    ],
)
def test_a_holdback_that_puts_users_back_is_refused(tmp_path: Path, holdback: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(tmp_path, f"{BASE}plan: [{{share: 50%, for: 1m}}, {{share: 100%, for: 1m, holdback: {holdback}}}]\n")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("at_least", "recognitions", "units"),
    [
        ("", 100, 3),
        (", at_least: 500", 500, 3),
        (", at_least: 0", 0, 3),
        (", at_least: {recognitions: 500, units: 20}", 500, 20),
        (", at_least: {units: 2}", 100, 2),
        (", at_least: {}", 100, 3),
    ],
)
def test_a_floor_is_a_number_of_recognitions_or_names_both(
    tmp_path: Path, at_least: str, recognitions: int, units: int
) -> None:
    plan = read(tmp_path, f"{BASE}plan: [{{share: 50%, for: 1m{at_least}}}, {{share: 100%, for: 1m}}]\n").plan
    assert plan.stages[0] == Share(5000, 60.0, recognitions, units)


@pytest.mark.parametrize(
    ("last", "holdback", "holdback_bp"),
    [
        ("50%", "", 500),
        ("50%", ", holdback: 10%", 1000),
        ("50%", ", holdback: 0%", 0),
        ("95%", ", holdback: 5%", 500),
        # What the last share leaves is halved: some still come to the candidate in the bake.
        ("98%", "", 100),
        ("99.99%", "", 0),
    ],
)
def test_a_bake_holds_back_what_its_plan_says_or_what_is_usual(
    tmp_path: Path, last: str, holdback: str, holdback_bp: int
) -> None:
    plan = read(tmp_path, f"{BASE}plan: [{{share: {last}, for: 1m}}, {{share: 100%, for: 1m{holdback}}}]\n").plan
    assert plan.stages[-1] == Share(10_000, 60.0, holdback_bp=holdback_bp)


def test_a_guard_can_be_left_out_and_answered_otherwise(tmp_path: Path) -> None:
    rules = read(tmp_path, f"{BASE}guards: {{cer: off, numerals: 'off', errors: {{answer: hold}}}}\n").rules
    assert [guard.name for guard in rules.guards] == ["errors", "crashes", "rejects", "empty", "latency"]
    assert {guard.name: guard.answer for guard in rules.guards} == {
        "errors": Answer.HOLD,
        "crashes": Answer.ROLLBACK,
        "rejects": Answer.HOLD,
        "empty": Answer.ROLLBACK,
        "latency": Answer.ROLLBACK,
    }
    rejects = read(tmp_path, f"{BASE}guards: {{rejects: {{answer: rollback}}}}\n").rules.guard("rejects")
    assert rejects is not None
    assert rejects.answer is Answer.ROLLBACK


def test_a_number_without_quotes_is_read_like_text(tmp_path: Path) -> None:
    crashes = read(tmp_path, f"{BASE}guards: {{crashes: {{fail_above: 2}}}}\n").rules.guard("crashes")
    assert crashes is not None
    assert crashes.fail_above == 2
    assert read(tmp_path, f"{BASE}guards: {{crashes: {{}}}}\n").rules.guards == DEFAULT_GUARDS


@pytest.mark.parametrize("paths", ["/asr", "[/asr]", "['/asr', '/live/*']"])
def test_the_paths_that_carry_audio_are_one_or_several(tmp_path: Path, paths: str) -> None:
    found = read(tmp_path, f"{BASE}gateway: {{recognition_paths: {paths}}}\n").gateway.recognition_paths
    assert found == ["/asr", "/live/*"][: 1 + ("live" in paths)]


def test_an_audience_is_read_whole(tmp_path: Path) -> None:
    key = '{"kty": "oct", "k": "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyBsb25n"}'
    (tmp_path / "keys.json").write_text(f'{{"keys": [{key}]}}')
    settings = read(
        tmp_path,
        BASE
        + """\
audience:
  key: [jwt.sub, cookie, "header:X-User", address]
  exclude: [{cidr: 10.9.0.0/16}, {cookie: huidu_optout}]
  include: [{cidr: "fd00::/8"}, {jwt: {claim: role, in: [tester, 1, true]}}]
  jwt: {jwks: keys.json, issuer: sso, from: [header, "cookie:sso_token"]}
  window:
  - {days: mon-fri, from: "09:00", to: 18:00, tz: Asia/Shanghai}
  - {days: [sat, sun], from: "22:00", to: "06:00", tz: Asia/Shanghai}
  among: volunteers
""",
    )
    audience = settings.audience
    assert audience.key == ("jwt.sub", "cookie", "header:x-user", "address")
    assert audience.exclude == (NetworkRule(network("10.9.0.0/16")), CookieRule("huidu_optout"))
    assert audience.include == (NetworkRule(network("fd00::/8")), ClaimRule("role", ("tester", 1, True)))
    assert [(each.days, each.start_minute, each.end_minute) for each in audience.windows] == [
        ((0, 1, 2, 3, 4), 540, 1080),
        ((5, 6), 1320, 360),
    ]
    assert audience.jwt is not None
    assert (audience.jwt.issuer, audience.jwt.sources) == ("sso", ("header", "cookie:sso_token"))
    assert audience.volunteers_only


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("http://10.0.0.5:7860", ("http://10.0.0.5:7860",)),
        ("https://asr.example/", ("https://asr.example:443",)),
        ("[http://a:1, http://b]", ("http://a:1", "http://b:80")),
        ('"http://[fd00::1]:7860"', ("http://[fd00::1]:7860",)),
    ],
)
def test_a_version_may_run_elsewhere(tmp_path: Path, url: str, urls: tuple[str, ...]) -> None:
    text = (
        f"versions: {{v1: {{url: {url}}}}}\nstable: v1\n"
        if url[0] != "["
        else (f"versions:\n  v1: {{url: {url}}}\nstable: v1\n")
    )
    assert read(tmp_path, text).versions["v1"].urls == urls


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("{url: 'ftp://a:1'}", "read url 'ftp://a:1'; accepted: http://HOST:PORT or https://HOST:PORT without a path"),
        ("{url: 'http://a:1/v2'}", "without a path"),
        ("{url: ['http://a:1', 'https://b:1']}", "accepted: one scheme for all addresses of a version"),
        ("{url: 'http://a:1', ca: ca.pem}", "accepted: ca beside https only"),
        ("{model: m, health: /ok}", "accepted: beside url only"),
        ("{url: 'http://a:1', health: ok}", "read path 'ok'; accepted: such as /healthz"),
        ("{url: []}", "versions.v1.url: read []"),
        (
            "{url: 'https://10.0.0.5'}\ngateway: {engine: nginx}",
            "nginx cannot verify a certificate for the address 10.0.0.5",
        ),
    ],
)
def test_an_unusable_address_is_refused(tmp_path: Path, version: str, said: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(tmp_path, f"versions:\n  v1: {version}\nstable: v1\n")
    assert said in str(refused.value)
    assert str(refused.value).startswith("huidu.yaml:2: ")


def test_an_unknown_stable_version_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"huidu.yaml:5: unknown version 'v9'; accepted: v1, v2, v3"):
        read(tmp_path, BASE.replace("stable: v1", "stable: v9"))


def test_the_environment_overrides_and_is_named_in_errors(tmp_path: Path) -> None:
    assert read(tmp_path, BASE, HUIDU_STABLE="v2").stable == "v2"
    assert read(tmp_path, BASE, HUIDU_CONTROL__LISTEN="127.0.0.1:99").control.listen.port == 99
    with pytest.raises(InvalidError, match=r"environment HUIDU_CONTROL__LISTEN: control.listen: read address 'x'"):
        read(tmp_path, BASE, HUIDU_CONTROL__LISTEN="x")


def test_a_missing_file_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="does not exist; accepted"):
        load(tmp_path / "none.yaml")


ODD_VALUES = [
    *("2025-13-01", "!!int x", "!!float x", "!!bool 7", "!!timestamp 5", "!!binary x", "!!set [1]", "!!unknown x"),
    *("&a [*a]", "[" * 3000, "{*x: 1}", "{[1]: 2, <<: 3}", "1\t: : 2", "\x00", "\x7f", "\x1b[2J", "'"),
]


@pytest.mark.parametrize("value", ODD_VALUES, ids=range(len(ODD_VALUES)))
def test_a_value_that_yaml_cannot_make_is_refused_in_one_line(tmp_path: Path, value: str) -> None:
    for text, environment in ((f"{BASE}data: {value}\n", {}), (BASE, {"HUIDU_DATA": value})):
        with pytest.raises(InvalidError, match="accepted") as caught:
            read(tmp_path, text, **environment)
        assert str(caught.value).isprintable()


def test_a_flipped_bit_anywhere_in_the_file_is_refused_in_one_line_or_read(tmp_path: Path) -> None:
    path, content, said = tmp_path / "huidu.yaml", BASE.encode(), []
    for at, bit in itertools.product(range(len(content)), range(8)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        try:
            load(path, {})
        except InvalidError as error:
            said.append(str(error))
    assert said
    assert not any("\n" in each for each in said)


_LEAVES = (
    *("data", "stable", "alpha", "beta", "plan", "guards", "retention.texts", "admission.reserve", "instances.listen"),
    *(f"gateway.{key}" for key in GatewaySettings.model_fields),
    *(f"versions.v1.{key}" for key in VersionSettings.model_fields),
    *(f"audience.{key}" for key in ("key", "exclude", "include", "window", "jwt", "among")),
    *("control.listen", "control.share_expiry", "gateway.tls.key", "audience.jwt.jwks", "plan.0", "guards.cer.at_most"),
)
_HARD: tuple[Any, ...] = (
    *(math.nan, math.inf, -1, 0, 10**400, 1e308, True, None, "", " ", "/", "~", "..", "x" * 3000, "9" * 400 + "h"),
    *(
        "[::]:80",
        "http://[x",
        "http://a:99999",
        "100%",
        "1e400x",
        "+1e999pp",
        "p99.99999",
        "9" * 400 + "GB",
        "9" * 400 + "%",
        "{",
        "\\",
    ),
    *([], {}, [{}], [None], [[]], {"a": {"b": 1}}, [{"jwt": {"claim": "a", "in": [2**60]}}], [{"header": {"": ""}}]),
    *([{"share": "5%", "for": "1h"}, {"share": "100%", "for": "1s"}], [{"golden": {"set": "x" * 300}}]),
)


@settings_of_hypothesis(max_examples=300)
@given(st.sampled_from(_LEAVES), st.sampled_from(_HARD))
def test_any_value_of_any_key_is_read_or_refused_in_one_line(leaf: str, value: object) -> None:
    tree: dict[str, Any] = {"versions": {"v1": {"model": "m"}}, "stable": "v1"}
    *above, last = leaf.split(".")
    inner = tree
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "huidu.yaml"
        path.write_text(json.dumps(tree, ensure_ascii=False).replace("NaN", ".nan").replace("Infinity", ".inf"))
        said = "; accepted"
        try:
            load(path, {})
        except InvalidError as error:
            said = str(error)
        assert "\n" not in said
        assert "accepted" in said
