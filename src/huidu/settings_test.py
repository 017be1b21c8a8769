from pathlib import Path

import pytest

from huidu.core.audience import CookieRule, HeaderRule
from huidu.core.errors import InvalidError
from huidu.core.plan import DEFAULT_PLAN, Golden, Share
from huidu.settings import Settings, load

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
    assert settings.versions["v3"].url == "10.0.0.5:7860"
    assert not settings.versions["v3"].managed


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
    assert (first, bake) == (Share(500, 1800.0, 500), Share(10_000, 86400.0))
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
        ("plan:\n- {shre: 5%, for: 1m}\n", ":7: unknown key 'shre' in plan[0]; accepted: at_least, for, golden, share"),
        ("plan: 5\n", ":6: plan: read 5; accepted: a valid list"),
        (
            "plan: [{share: 5%, for: 1m}, {golden: {set: x}}, {share: 100%, for: 1m}]\n",
            ":6: a golden stage stands behind another stage",
        ),
        ("gateway: {listen: foo}\n", ":6: gateway.listen: read address 'foo'; accepted: HOST:PORT"),
        ("guards: {cer: {at_most: 5}}\n", ":6: guards.cer.at_most: read difference '5'; accepted: percentage points"),
        ("guards: {foo: {}}\n", ":6: unknown guard 'foo'; accepted: cer, crashes, errors, latency, numerals"),
        ("guards: {cer: {at_most: +0pp}}\n", ":6: guard cer: at_most is not above fail_above"),
        ("guards: {crashes: {at_most: 1}}\n", ":6: guard crashes takes no at_most; accepted: fail_above"),
        ("alpha: 3\n", ":6: alpha is 3.0; accepted: between 0 and 0.5"),
        ("alpha: x\n", ":6: alpha: read 'x'; accepted: a valid number"),
        (
            "audience: {include: [{cooky: x}]}\n",
            ":6: unknown key 'cooky' in audience.include[0]; accepted: cookie, header",
        ),
        (
            "control: {share_expiry: 5}\n",
            ":6: control.share_expiry: read duration '5'; accepted: a number and s, m, h or d",
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
