"""Long files at one instance: how long they take, what memory, and what others notice meanwhile.

    python tests/bench/long_audio.py [HOURS]

Prints a line for each file: hours of silence, hours of the demo kit's sentences, a client that leaves, and 384 kHz.
"""

import io
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import soundfile

KIT = Path(__file__).parents[2] / "src" / "huidu" / "demo" / "kit"
RATE_HZ = 16_000
CLIP_SECONDS = 3


@dataclass
class Instance:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def rss_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)


@contextmanager
def instance(data: Path) -> Iterator[Instance]:
    """`huidu serve` with the kit's v1, ready."""
    port = 17_860
    command = [sys.executable, "-m", "huidu", "serve", "--version", "v1", "--model-path", str(KIT / "models/v1")]
    process = subprocess.Popen([*command, "--port", str(port), "--data", str(data)], stderr=subprocess.DEVNULL)
    found = Instance(f"http://127.0.0.1:{port}", process)
    try:
        while not is_ready(found):
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait()


def is_ready(found: Instance) -> bool:
    assert found.process.poll() is None, "the instance ended"
    try:
        return httpx.get(f"{found.url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def post(found: Instance, audio: Path, timeout_s: float = 3600) -> httpx.Response:
    """Posts a file of any size as a browser does."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="{audio.name}"\r\n\r\n'.encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield head
        with audio.open("rb") as file:
            while block := file.read(1 << 20):
                yield block
        yield tail

    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    headers["content-length"] = str(len(head) + audio.stat().st_size + len(tail))
    url = f"{found.url}/api/v1/transcribe"
    return httpx.post(url, content=body(), headers=headers, timeout=timeout_s)


class Beside:
    """Posts a clip again and again, and looks at the memory, until told to stop."""

    def __init__(self, found: Instance, clip: Path) -> None:
        self._found, self._clip = found, clip
        self._stop = threading.Event()
        self.latencies_s: list[float] = []
        self.peak_mb = 0.0
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._look)]

    def __enter__(self) -> "Beside":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.5):
            began = time.monotonic()
            post(self._found, self._clip).raise_for_status()
            self.latencies_s.append(time.monotonic() - began)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self.peak_mb = max(self.peak_mb, self._found.rss_mb)

    def __str__(self) -> str:
        slowest = max(self.latencies_s, default=float("nan"))
        return f"peak {self.peak_mb:.0f} MB, {len(self.latencies_s)} clips beside it, the slowest in {slowest:.2f} s"


def measure(found: Instance, audio: Path, clip: Path, what: str) -> None:
    began = time.monotonic()
    with Beside(found, clip) as beside:
        answer = post(found, audio)
    said = answer.json()
    shown = f"{len(said['text'])} characters" if answer.status_code == 200 else said["detail"]
    seconds = answer.headers.get("x-audio-seconds", "no")
    size_mb = audio.stat().st_size / 1e6
    took_s = time.monotonic() - began
    print(f"{what} ({size_mb:.1f} MB): status {answer.status_code} in {took_s:.1f} s, {seconds} audio seconds, {shown}")
    print(f"    {beside}", flush=True)


def leave(found: Instance, audio: Path) -> None:
    """Posts and leaves; how long the instance went on."""
    try:
        post(found, audio, timeout_s=5)
    except httpx.ReadTimeout:
        began = time.monotonic()
        while "huidu_queue_depth 0.0" not in httpx.get(f"{found.url}/metrics").text:
            time.sleep(0.02)
        print(f"a client that left after 5 s: the work ended {time.monotonic() - began:.2f} s later", flush=True)


def sentences() -> Iterator[np.ndarray[tuple[int], np.dtype[np.int16]]]:
    """The kit's audio, one after the other for ever, with half a second between."""
    while True:
        for path in sorted((KIT / "audio").iterdir()):
            yield soundfile.read(path, dtype="int16")[0]
            yield np.zeros(RATE_HZ // 2, np.int16)


def write_sentences(path: Path, seconds: float) -> Path:
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for samples in sentences():
            file.write(samples)
            if file.frames >= seconds * RATE_HZ:
                return path
    return path


def write_silence(path: Path, seconds: float, rate_hz: int = RATE_HZ, channels: int = 1) -> Path:
    with soundfile.SoundFile(path, "w", rate_hz, channels, "PCM_16") as file:
        for _ in range(int(seconds)):
            file.write(np.zeros((rate_hz, channels), np.int16))
    return path


def main(hours: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clip = work / "clip.wav"
        clip.write_bytes(short_clip())
        with instance(work / "data") as found:
            print(f"ready: {found.rss_mb:.0f} MB", flush=True)
            seconds = hours * 3600
            measure(found, write_silence(work / "silence.flac", seconds), clip, f"{hours:g} h of silence")
            studio = write_silence(work / "studio.flac", seconds / 4, 384_000, 2)
            measure(found, studio, clip, f"{hours / 4:g} h of silence at 384 kHz in stereo")
            recording = write_sentences(work / "sentences.flac", seconds)
            leave(found, recording)
            measure(found, recording, clip, f"{hours:g} h of the kit's sentences")
            print(f"afterwards: {found.rss_mb:.0f} MB", flush=True)


def short_clip() -> bytes:
    file = io.BytesIO()
    samples = np.concatenate([part for part, _ in zip(sentences(), range(4), strict=False)])[: CLIP_SECONDS * RATE_HZ]
    soundfile.write(file, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
