"""An instance of a version as a child of this process, for as long as it is needed."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huidu.adapters.runtimes.instance import HttpInstance
from huidu.adapters.runtimes.supervisor import free_address, instance_command
from huidu.core.errors import UnavailableError
from huidu.core.version import Version

# Away from the ports that `huidu up` gives to its instances, and from those of another run that begins just now.
_FIRST_PORT, _PORTS = 27860, 4096
_MAX_UPLOAD_BYTES = 2 * 10**9
_LOAD_SECONDS = 600.0
_END_SECONDS = 15.0
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """An instance that is ready. `ended` is how its process ended, None while it runs."""

    address: str
    ended: Callable[[], int | None]


@contextmanager
def child_instance(version: Version, fingerprint: str) -> Iterator[Child]:
    """Runs a version beside whatever runs already, until the block ends; `fingerprint` is what it must say of itself.

    What it records goes to a folder that is deleted in the end. Raises `UnavailableError` with the last thing that
    the process said when it does not become ready.
    """
    with tempfile.TemporaryDirectory(prefix="huidu-child-") as name:
        log = Path(name) / "log"
        address = free_address("127.0.0.1", _FIRST_PORT + os.getpid() % _PORTS, ())
        command = instance_command(Path(name), version, address, _MAX_UPLOAD_BYTES)
        with log.open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent)
        try:
            _await_ready(process, version, address, log)
            # Another may have taken the port in the meantime: its texts must not be taken for this version's.
            if process.poll() is not None or HttpInstance().fingerprint(address) != fingerprint:
                raise UnavailableError(f"something else answers at {address}, not version {version.name}; run it again")
            yield Child(address, process.poll)
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", version: Version, address: str, log: Path) -> None:
    instance, deadline = HttpInstance(), time.monotonic() + _LOAD_SECONDS
    while not instance.ready(address):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            said = lines[-1].removeprefix("huidu: ") if lines else "it said nothing"
            raise UnavailableError(f"version {version.name} did not become ready: {said}")
        time.sleep(_POLL_SECONDS)


def _end_with_parent() -> None:
    """Whatever kills this process takes the child along, so that no model keeps its memory."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
