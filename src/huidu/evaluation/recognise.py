"""Has a version recognise a test set, as its users would reach it."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from huidu.core.errors import UnavailableError
from huidu.core.testset import Utterance
from huidu.evaluation.heard import Heard, HeardFile

Transcribe = Callable[[Utterance], str]


def recognise(
    utterances: Iterable[Utterance],
    transcribe: Transcribe,
    kept: HeardFile | None,
    jobs: int,
    on_done: Callable[[Utterance, Heard], None],
) -> dict[str, Heard]:
    """What was heard in each recording, by its hash; those that `kept` knows are not recognised again.

    `jobs` requests run at a time: one tells the latency of an idle service, more are faster. `transcribe` raises
    `UnavailableError` for a recording of which there is no text, which counts as heard nothing; other errors end it.
    """
    known = kept.read() if kept else {}
    by_audio = {utterance.audio_sha256: utterance for utterance in utterances}
    found = {audio: known[audio] for audio in by_audio if audio in known}
    for audio, heard in found.items():
        on_done(by_audio[audio], heard)

    def one(utterance: Utterance) -> tuple[Utterance, Heard]:
        return utterance, _heard(utterance, transcribe)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for utterance, heard in pool.map(one, (by_audio[audio] for audio in by_audio if audio not in found)):
                if kept:
                    kept.add(utterance.audio_sha256, heard)
                found[utterance.audio_sha256] = heard
                on_done(utterance, heard)
        except BaseException:
            # Whoever interrupts does not want to wait for what has not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _heard(utterance: Utterance, transcribe: Transcribe) -> Heard:
    begun = time.perf_counter()
    try:
        text = transcribe(utterance)
    except UnavailableError as error:
        return Heard(None, None, _writable(" ".join(str(error).split())))
    return Heard(_writable(text), round((time.perf_counter() - begun) * 1000, 3))


def _writable(text: str) -> str:
    """Without halves of surrogate pairs: JSON may bring them, and no file and no terminal takes them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
