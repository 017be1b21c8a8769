"""The golden set: recordings with known text, recognised by both versions before any user meets the candidate."""

import csv
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.evidence import Row, golden_row
from huidu.ports import Clock, Instance

_COLUMNS = ("id", "audio", "text")
_STABLE_TRIES = 20
_TRY_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording with its reference text; `speaker` is empty where the set names none."""

    id: str
    audio: Path
    text: str
    speaker: str


def read_set(path: Path) -> list[Utterance]:
    """Reads a tab-separated set with the header `id audio text [speaker] [category]`. Raises `InvalidError`."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or [])]
            if missing:
                raise InvalidError(f"{path}: no column {', '.join(missing)}; accepted: id audio text speaker category")
            found = [_utterance(path, number, row) for number, row in enumerate(rows, start=2)]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"golden set {path} cannot be read ({error}); accepted: a UTF-8 TSV file") from None
    if not found:
        raise InvalidError(f"{path}: the golden set is empty; accepted: at least one utterance")
    if len({utterance.id for utterance in found}) < len(found):
        raise InvalidError(f"{path}: an id stands twice; accepted: each id once")
    return found


def _utterance(path: Path, number: int, row: dict[str, str | None]) -> Utterance:
    values = [row.get(name) for name in _COLUMNS]
    name, audio, text = values
    if not name or not audio or text is None:
        raise InvalidError(f"{path}:{number}: read {values}; accepted: id, audio and text in each line")
    where = path.parent / audio
    if not where.is_file():
        raise InvalidError(f"{path}:{number}: audio {audio} does not exist; accepted: a path relative to {path.parent}")
    return Utterance(name, where, text, row.get("speaker") or "")


class GoldenRun:
    """Recognises a set with both versions in the background. Rows come out as they are made."""

    def __init__(self, release: int, utterances: list[Utterance], instance: Instance, clock: Clock):
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
        self._thread = threading.Thread(target=self._run, args=(missing, stable, candidate), daemon=True)
        self._thread.start()

    def rows(self) -> tuple[Row, ...]:
        """What has been made since the last call."""
        with self._lock:
            made, self._made = self._made, []
        return tuple(made)

    def stop(self) -> None:
        self._stop.set()

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
        return self._instance.transcribe(address, utterance.audio, f"golden-{self._release}-{side}-{utterance.id}")

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
