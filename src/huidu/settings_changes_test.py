from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from huidu.settings import Settings, _File, load
from huidu.settings_changes import TAKES_EFFECT, Key, Running, changes, keys_of, lines, takes_effect

WHOLE = """\
data: here
gateway: {listen: "127.0.0.1:1", engine: nginx, tls: {certificate: c.pem, key: k.pem}}
control: {listen: "127.0.0.1:2", share_expiry: 5m}
instances: {listen: "127.0.0.1:3"}
admission: {reserve: 2GB}
versions:
  v1: {model: models/v1, device: cpu, hotwords: words.txt, memory: 1GB}
  v2: {model: models/v2}
  far.1: {url: "https://asr.example", ca: ca.pem, health: /healthz}
stable: v1
audience:
  key: [cookie]
  exclude: [{cookie: out}]
  include: [{cookie: in}]
  window: {days: mon-fri, from: "09:00", to: "18:00", tz: Asia/Shanghai}
  among: volunteers
plan: [{share: 5%, for: 1h}, {share: 100%, for: 1h}]
guards:
  errors: {fail_above: +1pp, at_most: +2pp}
  latency: {fail_above: 1.1x, at_most: 1.3x, quantile: p90}
alpha: 0.02
beta: 0.04
"""
RUNNING = Running(frozenset({"v1"}), "v2")


def read(folder: Path, text: str = WHOLE) -> Settings:
    path = folder / "huidu.yaml"
    path.write_text(text)
    return load(path, {})


def changed(folder: Path, *pairs: tuple[str, str], running: Running = RUNNING) -> dict[str, list[str]]:
    """What a file says anew in which texts were replaced; only what is not empty."""
    text = WHOLE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    before = read(folder)
    found = changes(before, before, read(folder, text), running)
    return {name: keys for name, keys in found.items() if keys and name != "unchanged"}


def models_of(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_of(argument)]


def keys_in(model: type[BaseModel], above: Key = ()) -> list[Key]:
    """All keys that may stand in a file; `*` for names that users give. What a list holds is one value."""
    found: list[Key] = []
    for name, field in model.model_fields.items():
        key = (*above, field.alias or name)
        inner = [] if str(field.annotation).startswith("list") or name == "plan" else models_of(field.annotation)
        if str(field.annotation).startswith("dict"):
            key = (*key, "*")
        found += [each for one in inner for each in keys_in(one, key)] or [key]
    return found


FILE_KEYS = keys_in(_File)


@pytest.mark.parametrize("key", FILE_KEYS, ids=".".join)
def test_of_every_key_is_said_when_it_takes_effect(key: Key) -> None:
    takes_effect(key)


@pytest.mark.parametrize("key", FILE_KEYS, ids=".".join)
def test_every_key_is_compared(key: Key, tmp_path: Path) -> None:
    known = {
        (each[0], "*", *each[2:]) if each[0] in ("versions", "guards") else each for each in keys_of(read(tmp_path))
    }
    assert any(key[: len(each)] == each for each in known), f"{'.'.join(key)} would change unseen"


def test_no_entry_of_the_table_stands_for_a_key_that_is_gone() -> None:
    known = {".".join(key[:length]) for key in FILE_KEYS for length in range(1, len(key) + 1)}
    assert set(TAKES_EFFECT) <= known


def test_a_key_without_an_entry_is_an_error_and_never_silence() -> None:
    with pytest.raises(KeyError):
        takes_effect(("control", "new"))


def test_the_same_file_changes_nothing(tmp_path: Path) -> None:
    settings = read(tmp_path)
    found = changes(settings, settings, read(tmp_path), RUNNING)
    assert found == {
        "took_effect": [], "next_release": [], "needs_up": [], "no_effect": [], "unchanged": len(keys_of(settings)),
    }  # fmt: skip
    assert lines(found) == []


@pytest.mark.parametrize(
    ("old", "new", "when", "key"),
    [
        ("{cookie: in}", "{cookie: other}", "took_effect", "audience.include"),
        ("among: volunteers", "among: everyone", "took_effect", "audience.among"),
        ('from: "09:00"', 'from: "08:00"', "took_effect", "audience.window"),
        ("share_expiry: 5m", "share_expiry: 6m", "took_effect", "control.share_expiry"),
        ("reserve: 2GB", "reserve: 3GB", "took_effect", "admission.reserve"),
        ("engine: nginx", "engine: nginx, drain: move", "took_effect", "gateway.drain"),
        ("https://asr.example", "https://asr2.example", "took_effect", "versions.far.1.url"),
        ("memory: 1GB", "memory: 2GB", "took_effect", "versions.v1.memory"),
        ("{share: 5%, for: 1h}", "{share: 6%, for: 1h}", "next_release", "plan"),
        ("at_most: +2pp", "at_most: +3pp", "next_release", "guards.errors.at_most"),
        ("quantile: p90", "quantile: p95", "next_release", "guards.latency.quantile"),
        ("quantile: p90", "quantile: p90, answer: hold", "next_release", "guards.latency.answer"),
        ("alpha: 0.02", "alpha: 0.03", "next_release", "alpha"),
        ("beta: 0.04", "beta: 0.03", "next_release", "beta"),
        ("data: here", "data: there", "needs_up", "data"),
        ("127.0.0.1:1", "127.0.0.1:9", "needs_up", "gateway.listen"),
        ("engine: nginx", "engine: nginx, max_upload: 1MB", "needs_up", "gateway.max_upload"),
        ("certificate: c.pem", "certificate: d.pem", "needs_up", "gateway.tls"),
        ("127.0.0.1:2", "127.0.0.1:9", "needs_up", "control.listen"),
        ("127.0.0.1:3", "127.0.0.1:9", "needs_up", "instances.listen"),
        ("stable: v1", "stable: v2", "no_effect", "stable"),
    ],
)
def test_a_changed_key_is_told_by_when_it_counts(tmp_path: Path, old: str, new: str, when: str, key: str) -> None:
    assert changed(tmp_path, (old, new)) == {when: [key]}


def test_a_bundle_counts_when_its_process_is_next_started(tmp_path: Path) -> None:
    stable, candidate = ("models/v1", "models/other"), ("{model: models/v2}", "{model: models/v2, device: 'cuda:0'}")
    assert changed(tmp_path, stable, candidate) == {
        "needs_up": ["versions.v1.model"], "next_release": ["versions.v2.device"],
    }  # fmt: skip
    assert changed(tmp_path, stable, candidate, running=Running()) == {
        "took_effect": ["versions.v1.model", "versions.v2.device"]
    }


def test_a_version_that_comes_or_goes_is_one_key_and_counts_now(tmp_path: Path) -> None:
    found = changed(tmp_path, ("  v2: {model: models/v2}", "  v3: {model: models/v3}"), running=Running())
    assert found == {"took_effect": ["versions.v2", "versions.v3"]}


def test_what_needs_a_new_up_is_told_until_there_is_one(tmp_path: Path) -> None:
    started = read(tmp_path)
    taken = read(tmp_path, WHOLE.replace("127.0.0.1:2", "127.0.0.1:9").replace("alpha: 0.02", "alpha: 0.03"))
    found = changes(started, taken, taken, RUNNING)
    assert (found["needs_up"], found["next_release"]) == (["control.listen"], [])
    assert changes(started, taken, started, RUNNING)["needs_up"] == []


def test_keys_are_told_in_words_line_by_line(tmp_path: Path) -> None:
    pairs = (("{cookie: in}", "{cookie: x}"), ("alpha: 0.02", "alpha: 0.03"), ("data: here", "data: there"))
    before = read(tmp_path)
    text = WHOLE
    for old, new in (*pairs, ("stable: v1", "stable: v2")):
        text = text.replace(old, new)
    assert lines(changes(before, before, read(tmp_path, text), RUNNING)) == [
        "audience.include: takes effect now",
        "alpha: counts from the next release on",
        "data: needs a new `huidu up`",
        "stable: has no effect: the store knows the stable version; accepted: a release, or `huidu rollback --to`",
    ]
