"""Files that are there whole or not at all, also after a power cut. Standard library only.

What several programs read is never written where it lies: it is written beside it and renamed.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from huidu.core import codec


def write_aside(path: Path, content: str | bytes, durably: bool = True) -> None:
    """Replaces a file at once and for good: nobody ever reads half of it, nor the former one after a power cut.

    What is made anew all the time need not be there after a power cut, and does not wait for the disk. Raises
    `OSError`: then the file is as it was.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(aside, content, durably)
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    if durably:
        sync_folder(path.parent)


def write_new(path: Path, content: str | bytes, durably: bool = True) -> None:
    """A file of its owner's alone, on the disk when this returns. Raises `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        if durably:
            os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Has the disk keep a file, or the names of a folder's files. Raises `OSError`.

    No file that SQLite has open here: to close it again would drop the locks that this process holds on it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """As `sync`, for what was renamed in a folder. A file system that cannot promise it goes without."""
    with contextlib.suppress(OSError):
        sync(folder)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file that is made anew all the time; None where there is none. Raises `UnavailableError`."""
    try:
        return codec.unsealed(path.read_bytes().decode(), str(path))
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise codec.StoredError(f"{path} is damaged: it is no text; accepted: a JSON object") from None
    except OSError as error:
        raise codec.StoredError(f"{path} cannot be read ({error.strerror}); accepted: a JSON object") from None
