"""An engine for tests: the text says what was heard, without a model."""

import threading
from collections.abc import Sequence

from huidu.ports import Audio


class EchoEngine:
    """Deterministic: the same audio and hotwords give the same text.

    With a `gate`, `transcribe` waits until it is set; `entered` is released once for each call that has begun.
    """

    name = "echo"
    honours = frozenset({"hotwords"})

    def __init__(self, gate: threading.Event | None = None) -> None:
        self._gate = gate
        self.entered = threading.Semaphore(0)

    def transcribe(self, audio: Audio, hotwords: Sequence[str] = ()) -> str:
        self.entered.release()
        if self._gate is not None:
            self._gate.wait()
        return " ".join([f"{len(audio.samples)} samples at {audio.sample_rate_hz} Hz", *hotwords])
