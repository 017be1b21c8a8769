"""One control at a time on a data folder: a lock that the kernel frees when its process dies, whatever way."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from huidu.core.errors import RefusedError, UnavailableError
from huidu.core.places import Places


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Holds `run/control.lock`. Raises `RefusedError` where another holds it, `UnavailableError` without a file."""
    try:
        places.run.mkdir(parents=True, exist_ok=True)
        # Programs started meanwhile do not get the file (PEP 446), so that the lock dies with this process.
        lock = places.control_lock.open("a+b", buffering=0)
    except OSError as error:
        raise UnavailableError(
            f"{places.run} cannot be written to ({error.strerror}); accepted: a data folder that can"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"another control runs on {places.data}{_holder(lock)}; accepted: one control for each data folder"
            ) from None
        except OSError as error:
            raise UnavailableError(
                f"{places.control_lock} cannot be locked ({error.strerror}); accepted: a local disk"
            ) from None
        _sign(lock)
        yield


def _sign(lock: FileIO) -> None:
    """Says who holds the lock, for the refusal of others. On a full disk nobody is named."""
    try:
        lock.truncate(0)
        lock.write(b"%d\n" % os.getpid())
    except OSError:
        return


def _holder(lock: FileIO) -> str:
    lock.seek(0)
    found = (lock.read(32) or b"").strip()
    return f" (pid {found.decode()})" if found.isdigit() else ""
