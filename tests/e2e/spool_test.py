"""Recognition goes on when the history cannot be written, and every row is there once afterwards.

A real instance of the kit's model. Its history is locked by another process, the instance is killed while rows wait,
its disk fills up, and it is started again on the full disk.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
import soundfile
from installation import until

import huidu.demo
from huidu.cli.serve import listen

KIT = Path(huidu.demo.__file__).parent / "kit"
START = (
    "import sys; from pathlib import Path; from huidu.cli.serve import serve\n"
    "serve(Path(sys.argv[1]), sys.argv[2], port=int(sys.argv[3]), data=Path(sys.argv[4]))\n"
)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder, on a small file system of its own where this user may mount one."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount is not None and os.geteuid() == 0
    if made:
        command = [str(mount), "-t", "tmpfs", "-o", "size=30m,mode=0700", "tmpfs", str(folder)]
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield folder
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def serving(version: str, data: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[bytes]"]]:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, "-c", START, str(KIT / "models/v1"), version, str(port), str(data)]
    limits = httpx.Limits(max_connections=16)
    with (
        subprocess.Popen(arguments) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=30) as client,
    ):
        try:
            until(lambda: is_ready(client))
            yield client, process
        finally:
            process.terminate()


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False  # not listening yet


def half_a_second() -> bytes:
    header, first = (KIT / "test.tsv").read_text(encoding="utf-8").splitlines()[:2]
    samples, rate_hz = soundfile.read(KIT / first.split("\t")[header.split("\t").index("audio")], dtype="float32")
    file = io.BytesIO()
    soundfile.write(file, samples[: rate_hz // 2], rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


AUDIO = half_a_second()


def ask(client: httpx.Client, count: int, name: str) -> Counter[str]:
    """How many of so many requests, eight at a time, were answered and how they are recorded."""

    def one(number: int) -> str:
        headers = {"x-request-id": f"{name}-{number}"}
        answer = client.post("/api/v1/transcribe", files={"audio": ("a.wav", AUDIO)}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-huidu-recorded"]

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(one, range(count)))


def stored(data: Path) -> Counter[str]:
    with closing(sqlite3.connect(f"file:{data / 'history.db'}?mode=ro", uri=True)) as store:
        query = "select request_id from recognition_history where purpose = 'live' and answered"
        return Counter(name for (name,) in store.execute(query))


@contextmanager
def locked(data: Path) -> Iterator[None]:
    with closing(sqlite3.connect(data / "history.db", isolation_level=None, timeout=30)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


@contextmanager
def full(data: Path) -> Iterator[None]:
    """Nothing more fits on the disk, where that is a small one."""
    filler = data / "filler"
    if os.path.ismount(data):
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    yield
    filler.unlink(missing_ok=True)


def expected(**counts: int) -> Counter[str]:
    return Counter(f"{name}-{number}" for name, count in counts.items() for number in range(count))


def gauge(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_every_recognition_is_answered_and_recorded_once(data: Path) -> None:
    with serving("v1", data) as (client, process):
        assert not ask(client, 10, "before")["no"]
        with locked(data):
            began = time.monotonic()
            assert ask(client, 100, "locked") == {"later": 100}
            assert time.monotonic() - began < 30  # a request that waited for the lock waits five seconds
            assert gauge(client, "huidu_spooled_rows") == 100
        until(lambda: stored(data) == expected(before=10, locked=100))
        until(lambda: gauge(client, "huidu_spooled_rows") == 0)
        with locked(data):
            assert ask(client, 20, "killed") == {"later": 20}
            process.kill()
            process.wait()
    with full(data), serving("v1", data) as (client, process):
        told = ask(client, 20, "full")
        assert told["no"] == 0
        process.kill()
        process.wait()
    with serving("v9", data) as (client, _):
        until(lambda: stored(data) == expected(before=10, locked=100, killed=20, full=20))
        until(lambda: ask(client, 1, "after") == {"yes": 1})
        assert gauge(client, "huidu_lost_rows") == 0
        until(lambda: [path.name[:3] for path in (data / "spool").iterdir()] == ["v9-"])
