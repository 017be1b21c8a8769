"""Has a version recognise a test set, as its users would reach it."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

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
    fresh: bool = False,
) -> dict[str, Heard]:
    """What was heard in each recording, by its hash; those that `kept` knows are not recognised again, unless `fresh`.

    `jobs` requests run at a time: one tells the latency of an idle service, more are faster. `transcribe` raises
    `UnavailableError` for a recording of which there is no text, which counts as heard nothing; other errors end it.
    """
    known = kept.read() if kept and not fresh else {}
    by_audio = {utterance.audio_sha256: utterance for utterance in utterances}
    found = {audio: known[audio] for audio in by_audio if audio in known}
    for audio, heard in found.items():
        on_done(by_audio[audio], heard)

    with ThreadPoolExecutor(jobs) as pool:
        asked = {pool.submit(_heard, by_audio[audio], transcribe): audio for audio in by_audio if audio not in found}
        try:
            # Each is kept as it ends, so that a long one holds up none.
            for done in as_completed(asked):
                audio, heard = asked[done], done.result()
                if kept:
                    kept.add(audio, heard)
                found[audio] = heard
                on_done(by_audio[audio], heard)
        except BaseException:
            # Whoever interrupts waits for what is under way, not for what has not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {audio: found[audio] for audio in by_audio}


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
