import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from huidu import owner
from huidu.core.places import Places
from huidu.owner import Token, listeners, make_token, repair


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """An installation as an older version left it."""
    found = Places(tmp_path / "data")
    for folder in (found.data, found.run / "programs", found.logs):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (found.data / "history.db", found.data / "history.db-wal", found.gateway_log, found.control_file):
        file.write_text("x")
    for path in (found.data, *found.data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return found


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


def test_what_an_older_version_left_open_is_closed_and_said_once(places: Places) -> None:
    (line,) = repair(places).lines(places.data)
    assert line == f"8 files or folders in {places.data} could be opened by other users of this machine: closed now"
    assert stat.S_IMODE(places.data.stat().st_mode) == 0o700
    assert set(modes(places.data).values()) == {0o700, 0o600}
    assert repair(places).lines(places.data) == []


def test_only_the_rights_of_others_are_taken(places: Places) -> None:
    (places.run / "read-only").write_text("x")
    (places.run / "read-only").chmod(0o444)
    repair(places)
    assert modes(places.run)["read-only"] == 0o400


def test_a_link_is_not_followed_but_our_own_logs_behind_one_are_closed(places: Places, tmp_path: Path) -> None:
    system = tmp_path / "var-log"
    places.logs.rename(system)
    places.logs.symlink_to(system)
    (system / "gateway-20261122T081022.123456Z.jsonl").write_text("x")
    for name in ("syslog", "elsewhere"):
        (system / name).write_text("x")
        (system / name).chmod(0o644)
    (places.run / "out").symlink_to(system / "elsewhere")
    repair(places)
    assert stat.S_IMODE(system.stat().st_mode) == 0o755
    assert modes(system) == {
        "gateway.jsonl": 0o600,
        "gateway-20261122T081022.123456Z.jsonl": 0o600,
        "syslog": 0o644,
        "elsewhere": 0o644,
    }


def test_a_history_behind_a_link_is_closed_with_what_lies_beside_it(places: Places, tmp_path: Path) -> None:
    large = tmp_path / "large-disk"
    large.mkdir()
    for name in ("h.db", "h.db-wal", "h.db-shm", "other"):
        (large / name).write_text("x")
        (large / name).chmod(0o644)
    (places.data / "history.db").unlink()
    (places.data / "history.db").symlink_to(large / "h.db")
    repair(places)
    assert modes(large) == {"h.db": 0o600, "h.db-wal": 0o600, "h.db-shm": 0o600, "other": 0o644}


def test_of_a_data_folder_that_holds_other_things_only_what_is_ours_is_closed(places: Places) -> None:
    (places.data / "huidu.yaml").write_text("data: .\n")
    (places.data / "huidu.yaml").chmod(0o644)
    (places.data / "site").mkdir()
    (places.data / "site").chmod(0o755)
    repair(places)
    assert stat.S_IMODE(places.data.stat().st_mode) == 0o755
    found = modes(places.data)
    assert (found.pop("huidu.yaml"), found.pop("site")) == (0o644, 0o755)
    assert set(found.values()) == {0o700, 0o600}


def test_what_belongs_to_somebody_else_is_left_and_said(places: Places) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(places.gateway_log, 65534, 65534)
    found = repair(places)
    assert stat.S_IMODE(places.gateway_log.stat().st_mode) == 0o644
    assert f"{places.gateway_log} can be opened by other users" in found.lines(places.data)[1]
    assert "accepted: one owner" in found.lines(places.data)[1]


def test_a_folder_that_is_not_there_yet_is_nothing_to_repair(tmp_path: Path) -> None:
    assert repair(Places(tmp_path / "none")).lines(tmp_path) == []


def test_a_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    places = Places(tmp_path / "data")
    token = make_token(places)
    first = token.read()
    assert first is not None
    assert len(first) == 43
    assert stat.S_IMODE(places.token_file.stat().st_mode) == 0o600
    make_token(places)
    assert Token(places).read() == first
    assert [path.name for path in places.run.iterdir()] == ["token"]


def test_of_many_that_make_a_token_at_once_all_have_the_same(tmp_path: Path) -> None:
    places, made = Places(tmp_path / "data"), []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        made.append(make_token(places).read())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(made))) == (8, 1)


@pytest.mark.parametrize("held", [b"", b"\n", b"short", b"a" * 31, b"\xff" * 40, b"x y" * 20, b"a" * 5000])
def test_a_token_that_is_none_opens_nothing_and_is_made_anew(tmp_path: Path, held: bytes) -> None:
    token = make_token(Places(tmp_path / "data"))
    Places(tmp_path / "data").token_file.write_bytes(held)
    text = held.decode("latin-1").strip()
    assert token.read() is None
    assert not any(token.opens(shown) for shown in (None, "", "Bearer", "Bearer ", f"Bearer {text}"))
    token.make()
    assert token.opens(f"Bearer {token.read()}")


def test_only_the_token_itself_opens(tmp_path: Path) -> None:
    token = make_token(Places(tmp_path / "data"))
    text = token.read()
    assert text is not None
    assert token.opens(f"Bearer {text}")
    assert token.opens(f"bearer  {text} ")
    for shown in (text, f"Basic {text}", f"Bearer {text[:-1]}", f"Bearer {text}x", f"Bearer {text} x", "Bearer 灰"):
        assert not token.opens(shown)
    Places(tmp_path / "data").token_file.unlink()
    assert not token.opens(f"Bearer {text}")


def test_where_no_token_can_be_made_none_opens_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").write_text("a file")
    token = make_token(Places(tmp_path / "data"))
    assert not token.opens("Bearer ")
    assert "cannot be made" in caplog.text


def test_the_token_is_shown_only_where_nobody_else_can_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_token(Places(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listeners(port) == {os.geteuid()}
        for address in (f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", f"http://localhost:{port}/x"):
            assert token.for_address(address) == token.read()
        # Known by a URL on another machine it may be anybody, whoever listens on that port here.
        for address in (f"http://10.0.0.5:{port}", f"https://127.0.0.1.example:{port}", "http://127.0.0.1:99999"):
            assert token.for_address(address) is None
        monkeypatch.setattr(owner, "listeners", lambda _: frozenset({os.geteuid(), 4242}))
        assert token.for_address(f"127.0.0.1:{port}") is None
    monkeypatch.undo()
    assert listeners(port) == frozenset()
    assert token.for_address(f"127.0.0.1:{port}") is None


def test_root_acts_as_the_owner_of_the_data_folder(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    code = (
        "import os, sys; from pathlib import Path; from huidu.core.places import Places\n"
        "from huidu.owner import act_as_owner\n"
        "act_as_owner(Places(Path(sys.argv[1]))); print(os.geteuid(), os.getegid())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["65534", "65534"]
    os.chown(data, 0, 0)
    done = subprocess.run([sys.executable, "-c", code, str(data)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(os.getegid())]
