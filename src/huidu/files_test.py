import os
from pathlib import Path

import pytest

from huidu.core.codec import StoredError, sealed
from huidu.files import read_json, sync, sync_folder, write_aside


def test_a_file_is_replaced_by_one_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    path.write_text("before")
    path.chmod(0o644)
    write_aside(path, "after")
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["routes.json"]


@pytest.mark.parametrize("fails_at", ["fsync", "rename"])
def test_where_the_disk_refuses_the_file_is_as_it_was(
    fails_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "routes.json"
    path.write_text("before")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if fails_at == "fsync" else Path, fails_at, refuse)
    with pytest.raises(OSError, match="No space"):
        write_aside(path, "after")
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["routes.json"]


def test_a_folder_that_cannot_be_synced_is_gone_without_and_a_file_is_not(tmp_path: Path) -> None:
    sync_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_json_is_read_or_named_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_json(path) is None
    write_aside(path, sealed({"stage": "share:500"}), durably=False)
    assert read_json(path) == {"stage": "share:500"}
    path.write_bytes(b"\xff")
    with pytest.raises(StoredError, match=r"status\.json is damaged: it is no text"):
        read_json(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoredError, match="cannot be read"):
        read_json(path)
