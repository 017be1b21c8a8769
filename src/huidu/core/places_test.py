import os
import socket
from pathlib import Path

import pytest

from huidu.core.places import Places, make_sockets

LONG = "a-folder-with-a-long-name/" * 5


@pytest.fixture
def deep(tmp_path: Path) -> Places:
    return Places(tmp_path / LONG)


def test_sockets_lie_in_the_data_folder_where_their_paths_fit() -> None:
    places = Places(Path("/srv/huidu/data"))
    assert places.sockets == places.run
    assert {places.admin_socket.parent, places.supervisor_socket.parent, places.control_socket.parent} == {places.run}
    assert places.token_file == places.run / "token"


def test_a_path_counts_in_bytes() -> None:
    assert Places(Path("/" + "a" * 70)).sockets_fit
    assert not Places(Path("/" + "灰" * 27)).sockets_fit


def test_the_folder_in_use_is_its_owners_alone(tmp_path: Path) -> None:
    places = Places(tmp_path / "d")
    if not places.sockets_fit:
        pytest.skip("the folder of this test is too long")
    places.run.mkdir(parents=True, mode=0o755)
    assert make_sockets(places).stat().st_mode & 0o777 == 0o700


def test_sockets_of_a_long_path_lie_in_one_recorded_folder_whatever_the_caller_calls_temporary(
    deep: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = make_sockets(deep)
    try:
        assert found.stat().st_mode & 0o777 == 0o700
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", None)
        assert make_sockets(deep) == Places(deep.data).sockets == found
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(deep.control_socket))
        deep.control_socket.unlink()
    finally:
        found.rmdir()


def test_a_folder_of_sockets_that_went_is_made_anew(deep: Places) -> None:
    make_sockets(deep).rmdir()
    # Nobody is looked for in a folder that is not there.
    assert deep.sockets == deep.run
    found = make_sockets(deep)
    assert found != deep.run
    found.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a folder of somebody else's")
def test_a_folder_that_somebody_else_made_is_not_used(deep: Places) -> None:
    found = make_sockets(deep)
    os.chown(found, 12345, -1)
    assert deep.sockets == deep.run
    again = make_sockets(deep)
    assert again not in (found, deep.run)
    found.rmdir()
    again.rmdir()


def test_a_folder_that_others_may_enter_is_not_used(deep: Places) -> None:
    found = make_sockets(deep)
    found.chmod(0o777)
    assert deep.sockets == deep.run
    found.rmdir()


def test_sockets_of_a_former_up_are_asked_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    places = Places(tmp_path / "d")
    places.run.mkdir(parents=True)
    assert places.asked_at(places.admin_socket) == places.admin_socket
    former = places.former_sockets / "gateway.sock"
    former.parent.mkdir(mode=0o700)
    former.touch()
    assert places.asked_at(places.admin_socket) == former
    # What others may have put there is nobody's.
    former.parent.chmod(0o777)
    assert places.asked_at(places.admin_socket) == places.admin_socket
    former.parent.chmod(0o700)
    places.admin_socket.touch()
    assert places.asked_at(places.admin_socket) == places.admin_socket
