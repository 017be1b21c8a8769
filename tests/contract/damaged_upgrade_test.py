"""`huidu up` over what fe2596e left behind, damaged: everything is laid out, or one line says why not."""

import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from fronts import require

from huidu.adapters.gateways.envoy import gateway as envoy
from huidu.adapters.gateways.folder import both
from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.cli.run_commands import _lay_out
from huidu.core.errors import HuiduError
from huidu.core.places import Places
from huidu.settings import load

DATA = Path(__file__).parents[1] / "data" / "upgrade"
PORTS = {"gateway": 1, "control": 2, "old": 3, "new": 4}
Damage = Callable[[Path], None]


def laid_out(folder: Path, kept: Path) -> Places:
    """The kept data as it lay in a folder, in the middle of a release."""
    places = Places(folder / "data")
    texts = {path.name: path.read_text() for path in kept.iterdir()}
    for name, port in PORTS.items():
        texts = {file: text.replace(f"{{{name}}}", str(port)) for file, text in texts.items()}
    places.gateway.mkdir(parents=True)
    (folder / "huidu.yaml").write_text(texts["huidu.yaml"])
    for name in ("routes.json", "secret"):
        (places.gateway / name).write_text(texts[name])
    (places.gateway / "fence").write_text("1")
    (places.gateway / "engine").write_text(kept.name.partition("-")[0])
    with closing(sqlite3.connect(places.data / "history.db")) as store:
        store.executescript(texts["history.sql"])
    with closing(sqlite3.connect(places.data / "history.db")) as store, store:
        store.execute("update state set value = json_set(value, '$.fence', 1) where name = 'fleet'")
    return places


@pytest.fixture(params=["envoy-share", "nginx-bake"])
def places(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    require(request.param.partition("-")[0])
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(envoy, "_validate", lambda _: None)
    monkeypatch.setattr(NginxGateway, "_install", lambda *_: None)
    return laid_out(tmp_path, DATA / request.param)


def up(places: Places) -> str | None:
    """Lays everything out as `huidu up` does; the one line where it does not, or not with what is stored."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            _, begun = _lay_out(load(places.data.parent / "huidu.yaml"), places)
    except HuiduError as error:
        return str(error)
    return said.getvalue().rstrip("\n") if begun.waits else None


def routes(places: Places) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((places.gateway / "routes.json").read_text())
    return found


def rewritten(change: Callable[[dict[str, Any]], object]) -> Damage:
    def rewrite(path: Path) -> None:
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))

    return rewrite


def holding(change: Callable[[bytes], bytes]) -> Damage:
    def hold(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return hold


DAMAGES: dict[str, Damage] = {
    "none": lambda path: None,
    "gone": Path.unlink,
    "empty": holding(lambda content: b""),
    "half": holding(lambda content: content[:7]),
    "noise": holding(lambda content: b"\xff\x00" * 20),
}


def test_small_files_of_before_are_laid_out_anew_whatever_they_hold(places: Places) -> None:
    whole = places.data.with_name("whole")
    shutil.copytree(places.data, whole)
    for name in ("routes.json", "fence", "engine"):
        for kind, damage in DAMAGES.items():
            shutil.rmtree(places.data)
            shutil.copytree(whole, places.data)
            damage(places.gateway / name)
            assert up(places) is None, (name, kind)
            found = routes(places)
            # Users are where they were, as the store says where the routes cannot.
            assert (found["stable"], found["candidate"], found["release"]) == ("old", "new", 1), (name, kind)
            assert up(places) is None


def test_a_release_goes_on_and_nothing_of_its_users_is_assigned_anew(places: Places) -> None:
    before = routes(places)
    assert up(places) is None
    after = routes(places)
    assert (after["salt"], after["share_bp"], after["generation"]) == ("", before["share_bp"], before["generation"])
    assert all(path.exists() for path in both(places.gateway / "routes.json"))


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if kind != "none"])
def test_a_secret_of_before_that_is_damaged_is_never_made_up(places: Places, kind: str) -> None:
    secret = (places.gateway / "secret").read_text()
    DAMAGES[kind](places.gateway / "secret")
    said = up(places)
    if kind in ("empty", "noise"):
        assert said is not None
        assert f"{places.gateway / 'secret'} is damaged" in said
        (places.gateway / "secret").write_text(secret)
        assert up(places) is None
        # From now on it has a copy.
        DAMAGES[kind](places.gateway / "secret")
        assert up(places) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("stable"),
        lambda found: found.pop("upstreams"),
        lambda found: found.pop("audience"),
        lambda found: found.update(of_tomorrow=1),
        lambda found: [each.update(of_tomorrow=1) for each in found["upstreams"]],
        lambda found: found["audience"].update(key="cookie"),
        lambda found: found["audience"].update(include=[{"of_tomorrow": 1}]),
    ],
)
def test_routes_of_another_huidu_are_read_or_written_anew(
    places: Places, change: Callable[[dict[str, Any]], object]
) -> None:
    rewritten(change)(places.gateway / "routes.json")
    assert up(places) is None
    assert routes(places)["candidate"] == "new"


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("state", "$.addresses"),
        ("state", "$.running"),
        ("releases", "$.rules.alpha"),
        ("releases", "$.plan"),
        ("releases", "$.watch"),
        ("releases", "$.phase"),
    ],
)
def test_a_record_that_lacks_something_is_named_in_one_line(places: Places, table: str, path: str) -> None:
    column, where = ("value", "name = 'fleet'") if table == "state" else ("state", "id = 1")
    with closing(sqlite3.connect(places.data / "history.db")) as store, store:
        store.execute(f"update {table} set {column} = json_remove({column}, '{path}') where {where}")
    said = up(places) or ""
    assert ("fleet" if table == "state" else "release 1") + path.removeprefix("$") in said
    assert "accepted" in said
    assert "\n" not in said
