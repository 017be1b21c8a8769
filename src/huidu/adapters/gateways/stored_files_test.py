"""Every small file of a gateway, damaged in every way: the right value, the last good one, or one line of why not."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.gateways.envoy.gateway import EnvoyGateway
from huidu.adapters.gateways.folder import both
from huidu.adapters.gateways.gateway import FileGateway
from huidu.adapters.gateways.installed import installed_folder
from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.adapters.gateways.place import Place
from huidu.core import codec
from huidu.core.address import network
from huidu.core.audience import Audience, ClaimRule, CookieRule, HeaderRule, NetworkRule
from huidu.core.errors import HuiduError
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream, from_json, rolled_back, to_json
from huidu.core.window import Window
from huidu.files import read_json

KINDS: dict[str, Callable[[Places, Place], FileGateway]] = {"envoy": EnvoyGateway, "nginx": NginxGateway}
UPGRADE = Path(__file__).parents[4] / "tests" / "data" / "upgrade"
SECRET = "0123456789abcdef0123456789abcdef"
ROUTES = Routes(
    7,
    "v1",
    (Upstream("v1", ("127.0.0.1:1",), managed=True), Upstream("v2", ("127.0.0.1:2", "127.0.0.1:3"))),
    release=3,
    candidate="v2",
    share_bp=2000,
    expires_at=9e9,
    issued_at=1e9,
    salt="abc",
    audience=Audience(
        exclude=(HeaderRule("x-team", "a"),),
        include=(CookieRule("tester"), NetworkRule(network("10.0.0.0/8")), ClaimRule("role", ("a", 1, True))),
        windows=(Window((0, 1), 540, 1080, "Asia/Shanghai"),),
    ),
    open=((1, 2),),
)
BACK = rolled_back(ROUTES, 8)
# Files with a copy beside them.
NAMES = ("routes.json", "fence", "engine", "secret", "back/7/routes.json", "back/7/document.json")
Damage = Callable[[Path], None]


def gateway(engine: str, data: Path) -> FileGateway:
    return KINDS[engine](Places(data), Place("127.0.0.1", 1))


@pytest.fixture(scope="module", params=KINDS)
def laid_out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A data folder in the middle of a release. No gateway runs, and no disk is waited for."""
    data = tmp_path_factory.mktemp(request.param) / "data"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)
        patched.setattr(NginxGateway, "_install", lambda *_: None)
        made = gateway(request.param, data)
        (data / "gateway").mkdir(parents=True)
        (data / "gateway" / "secret").write_text(SECRET)
        made._folder.create()
        for _ in range(3):
            made._folder.raise_fence()
        made.swap(ROUTES, 3)
        yield request.param, data


def holding(content: bytes) -> Damage:
    def hold(path: Path) -> None:
        path.write_bytes(content)

    return hold


def changing(change: Callable[[bytes], bytes]) -> Damage:
    def do(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return do


DAMAGES: dict[str, Damage] = {
    "gone": Path.unlink,
    "empty": holding(b""),
    "half": changing(lambda content: content[: len(content) // 2]),
    "one byte short": changing(lambda content: content[:-1]),
    "noise": holding(bytes(range(256))),
    "zeros": changing(lambda content: b"\0" * len(content)),
    "null": holding(b"null"),
    "another object": holding(b'{"checksum": "00000000"}'),
    "deep": holding(b"[" * 100_000),
}


def flipped(place: int, bit: int) -> Damage:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= 1 << bit
        path.write_bytes(bytes(content))

    return flip


def copied(data: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(data, target)
    return target


def is_whole(engine: str, data: Path) -> None:
    """Everything reads as it was written, and everybody can go back."""
    found = gateway(engine, data)
    assert (found.routes(), found.fence(), found.secret()) == (ROUTES, 3, SECRET)
    assert installed_folder(Places(data)).engine == engine
    assert found.go_back() == BACK
    assert codec.unsealed((data / "gateway" / "routes.json").read_text(), "routes.json")["candidate"] is None
    again = gateway(engine, data)
    assert (again.routes(), again.fence(), again.go_back()) == (BACK, 4, None)
    again.swap(replace(ROUTES, generation=9), 4)
    assert json.loads((data / "gateway" / "routes.json").read_text())["generation"] == 9
    assert gateway(engine, data).go_back() is not None


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_of_a_damaged_file_the_copy_counts(
    laid_out: tuple[str, Path], damage: Damage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine, made = laid_out
    for name in NAMES:
        for path in both(Path(name)):
            caplog.clear()
            data = copied(made, tmp_path / "data")
            damage(data / "gateway" / path)
            is_whole(engine, data)
            # Whoever reads the file itself says that the copy counts; of an engine nothing depends on it.
            if path == Path(name) and name not in ("engine", "back/7/document.json"):
                assert any(str(data / "gateway" / path) in line for line in caplog.messages), (name, caplog.messages)
            assert all("\n" not in line for line in caplog.messages)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(NAMES), st.booleans(), st.integers(0, 5000), st.integers(0, 7))
def test_one_bit_that_fell_over_changes_nothing(
    laid_out: tuple[str, Path], tmp_path: Path, name: str, copy: bool, place: int, bit: int
) -> None:
    engine, made = laid_out
    data = copied(made, tmp_path / "data")
    flipped(place, bit)(both(data / "gateway" / name)[copy])
    is_whole(engine, data)


def outcome(read: Callable[[], Any]) -> Any:
    """What is read, or the refusal."""
    try:
        return read()
    except HuiduError as error:
        return error


def or_said(read: Callable[[], Any], *right: Any) -> None:
    """The right value, or one line."""
    found = outcome(read)
    if isinstance(found, HuiduError):
        assert "\n" not in str(found)
        assert "accepted" in str(found)
    else:
        assert found in right


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_without_a_good_copy_there_is_one_line_and_no_traceback(
    laid_out: tuple[str, Path], damage: Damage, tmp_path: Path
) -> None:
    engine, made = laid_out
    for name in NAMES:
        data = copied(made, tmp_path / "data")
        for path in both(data / "gateway" / name):
            damage(path)
        found = gateway(engine, data)
        or_said(found.routes, ROUTES, None)
        # Gone altogether, a fence was never raised, and a secret never made; one that nobody can read has risen.
        fence = found.fence()
        assert fence == (3 if name != "fence" else 0 if damage is Path.unlink else fence)
        assert fence == 0 or fence >= 3
        assert gateway(engine, data).fence() == fence
        if damage is not Path.unlink or name != "secret":
            or_said(found.secret, SECRET)
        assert installed_folder(Places(data)).engine in KINDS
        or_said(found.go_back, BACK, None)
        # The next `up` lays all of it out again; only a secret is never made up.
        made_anew = gateway(engine, data)
        made_anew._folder.create()
        if name != "secret":
            made_anew._write(ROUTES, wait=False)
            assert gateway(engine, data).routes() == ROUTES
            assert gateway(engine, data).fence() >= 0


def keys(found: Any) -> Iterator[tuple[Any, ...]]:
    """The paths of all keys of a document."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, value in inner:
        if isinstance(found, dict):
            yield (name,)
        yield from ((name, *path) for path in keys(value))


def changed(found: Any, path: tuple[Any, ...], change: Callable[[dict[str, Any], str], object]) -> Any:
    """A copy of a document with one key of it changed."""
    document = json.loads(json.dumps(found))
    place = document
    for name in path[:-1]:
        place = place[name]
    change(place, path[-1])
    return document


@pytest.mark.parametrize("path", list(keys(to_json(ROUTES))), ids=lambda path: ".".join(map(str, path)))
def test_routes_of_another_huidu_with_one_key_less_or_more_or_wrong(path: tuple[Any, ...]) -> None:
    stored = json.loads(json.dumps(to_json(ROUTES)))
    more = changed(stored, path, lambda place, name: place.update(one_more={"deep": [1]}))
    assert from_json(more, "routes.json") == ROUTES
    assert json.loads(json.dumps(to_json(from_json(more, "routes.json")))) == more
    less = changed(stored, path, lambda place, name: place.pop(name))
    wrong = changed(stored, path, lambda place, name: place.update({name: [[None]]}))
    for document in (less, wrong):
        found = outcome(partial(from_json, document, "routes.json"))
        if isinstance(found, HuiduError):
            assert str(found).startswith("routes.json")
            or_said(partial(from_json, document, "routes.json"))
        else:
            # What is missing never lets anybody stay longer with a candidate than they would have.
            assert (found.expires_at or 0.0) <= (ROUTES.expires_at or 0.0)
            assert found.share_bp <= ROUTES.share_bp


@pytest.mark.parametrize("folder", sorted(UPGRADE.glob("*-*")), ids=lambda folder: folder.name)
def test_what_was_stored_at_fe2596e_is_read_and_written_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(NginxGateway, "_install", lambda *_: None)
    engine, root = folder.name.partition("-")[0], tmp_path / "gateway"
    root.mkdir()
    for name in ("routes.json", "secret"):
        (root / name).write_text((folder / name).read_text().replace("{new}", "2").replace("{old}", "1"))
    (root / "engine").write_text(engine)
    (root / "fence").write_text("2")
    document = json.loads((root / "routes.json").read_text())
    found = gateway(engine, tmp_path)
    routes = found.routes()
    assert routes is not None
    assert (routes.candidate, routes.release, routes.bucket_salt) == ("new", 1, "r1")
    assert (found.fence(), found.secret()) == (2, (folder / "secret").read_text())
    # As it laid its roll back out: in one file.
    back = rolled_back(routes, routes.generation + 1)
    assert back is not None
    single = {"document": {"version_info": "6"}, "routes": to_json(back)}
    (root / "rollback.json").write_text(json.dumps(single))
    (root / engine).mkdir()
    one = gateway(engine, tmp_path)
    assert one.go_back() == back
    assert (one.fence(), one.routes(), one.go_back()) == (3, back, None)
    # Damaged, they are one line.
    (root / "routes.json").write_text(json.dumps(document))
    for text in ("", "{", json.dumps(document)[:-20]):
        for path in both(root / "routes.json"):
            path.write_text(text)
        assert gateway(engine, tmp_path).routes() is None


def test_a_secret_of_before_gets_a_copy_and_is_never_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gateway" / "secret"
    path.parent.mkdir()
    path.write_text("a secret of any kind\n")
    assert gateway("envoy", tmp_path).secret() == "a secret of any kind\n"
    path.write_text(SECRET)
    found = gateway("envoy", tmp_path)
    assert {found.secret() for _ in range(3)} == {"a secret of any kind\n"}
    assert len([line for line in caplog.messages if "is not what it was" in line]) == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_made_anew_all_the_time_is_one_line_where_it_is_damaged(damage: Damage, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(codec.sealed({"stable": "v1", "numbers": [1, 2.5, None]}))
    damage(path)
    or_said(lambda: read_json(path), None)
