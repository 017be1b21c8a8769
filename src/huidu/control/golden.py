"""The golden set: recordings with known text, recognised by both versions before any user meets the candidate."""

import hashlib
import threading
from collections.abc import Callable, Sequence

from huidu.core.errors import UnavailableError
from huidu.core.evidence import Row, golden_row
from huidu.core.testset import Utterance
from huidu.ports import Clock, Instance

_STABLE_TRIES = 20
_TRY_AGAIN_SECONDS = 0.5


class GoldenRun:
    """Recognises a set with both versions in the background. Rows can be had as they are made."""

    def __init__(self, release: int, utterances: Sequence[Utterance], instance: Instance, clock: Clock):
        self._release, self._utterances = release, utterances
        self._instance, self._clock = instance, clock
        self._lock = threading.Lock()
        self._made: list[Row] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None

    @property
    def release(self) -> int:
        return self._release

    @property
    def size(self) -> int:
        return len(self._utterances)

    def start(self, stable: str, candidate: str, done: frozenset[str]) -> None:
        """Begins with what is not done yet. `stable` and `candidate` are addresses."""
        missing = [utterance for utterance in self._utterances if utterance.id not in done]
        self._thread = threading.Thread(target=self._told, args=(missing, stable, candidate), daemon=True)
        self._thread.start()

    def rows(self) -> tuple[Row, ...]:
        """What has been made so far. A row that could not be recorded is thus there again."""
        with self._lock:
            return tuple(self._made)

    def stop(self) -> None:
        self._stop.set()

    def _told(self, utterances: list[Utterance], stable: str, candidate: str) -> None:
        """Runs; a bug keeps its traceback, but the stage must not wait for ever for rows that nobody makes."""
        try:
            self._run(utterances, stable, candidate)
        except Exception as error:
            self.failure = f"the golden set's run broke off: {type(error).__name__}: {error}"
            raise

    def _run(self, utterances: list[Utterance], stable: str, candidate: str) -> None:
        for utterance in utterances:
            if self._stop.is_set():
                return
            stable_text = self._patiently(lambda u=utterance: self._text(stable, u, "stable"))  # type: ignore[misc]
            candidate_text = self._text_or_nothing(candidate, utterance)
            if stable_text is None:
                if not self._stop.is_set():
                    self.failure = f"the stable version gave no transcript of {utterance.id} in {_STABLE_TRIES} tries"
                return
            row = golden_row(
                utterance.id, utterance.speaker, utterance.text, stable_text, candidate_text, self._clock.now()
            )
            with self._lock:
                self._made.append(row)

    def _text(self, address: str, utterance: Utterance, side: str) -> str:
        # Ids are any text, and a header takes little of that.
        name = hashlib.sha256(utterance.id.encode()).hexdigest()[:16]
        return self._instance.transcribe(address, utterance.audio, f"golden-{self._release}-{side}-{name}")

    def _text_or_nothing(self, address: str, utterance: Utterance) -> str:
        """A candidate that gives no transcript has heard nothing: every character counts as deleted."""
        try:
            return self._text(address, utterance, "candidate")
        except UnavailableError:
            return ""

    def _patiently(self, ask: Callable[[], str]) -> str | None:
        """The stable version's failures say nothing about the candidate: ask again; None when told to stop."""
        for _ in range(_STABLE_TRIES):
            try:
                return ask()
            except UnavailableError:
                if self._stop.wait(_TRY_AGAIN_SECONDS):
                    return None
        return None
