"""Small disks that tests may fill, and folders that nobody may write to."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int = 24) -> Iterator[Path | None]:
    """A file system of a few megabytes at a folder; None where this machine does not let us have one."""
    folder.mkdir(parents=True)
    made = _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(folder))
    try:
        yield folder if made else None
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leaves no byte free on the disk of a folder."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096) == 4096:
            pass
    with pytest.raises(OSError, match="No space left"):
        (folder / "more").write_bytes(b"\0" * 8192)
    try:
        yield
    finally:
        ballast.unlink()
        (folder / "more").unlink(missing_ok=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody writes below a folder, not even whoever has a file open there elsewhere."""
    assert _mount("--bind", str(folder), str(folder))
    try:
        assert _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*words: str) -> bool:
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        return False
    return subprocess.run([mount, *words], capture_output=True, check=False).returncode == 0
