import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.testset import Utterance
from huidu.evaluation.heard import Heard, HeardFile
from huidu.evaluation.recognise import recognise


def utterances(audio: Sequence[str]) -> list[Utterance]:
    return [Utterance(f"u{n}", Path(f"{n}.wav"), "你好", "", "", each, 1.0) for n, each in enumerate(audio)]


def texts(found: dict[str, Heard]) -> dict[str, str | None]:
    return {audio: heard.text for audio, heard in found.items()}


class Service:
    """Hears the name of the audio, and remembers what it was asked for."""

    def __init__(self, fails: Callable[[str], Exception | None] = lambda _: None):
        self._fails = fails
        self.asked: list[str] = []

    def __call__(self, utterance: Utterance) -> str:
        self.asked.append(utterance.audio_sha256)
        if (error := self._fails(utterance.audio_sha256)) is not None:
            raise error
        return f"text of {utterance.audio_sha256}"


@settings(deadline=None, max_examples=50)
@given(audio=st.lists(st.sampled_from("abcdef"), max_size=12), jobs=st.integers(1, 4))
def test_each_audio_is_recognised_once_and_found_in_order(audio: list[str], jobs: int) -> None:
    service, done = Service(), list[str]()
    found = recognise(utterances(audio), service, None, jobs, lambda one, _: done.append(one.audio_sha256))
    assert texts(found) == {each: f"text of {each}" for each in audio}
    assert sorted(service.asked) == sorted(set(audio))
    assert sorted(done) == sorted(set(audio))
    assert list(found) == list(dict.fromkeys(audio))
    assert all(heard.latency_ms is not None and heard.latency_ms >= 0 for heard in found.values())


def test_one_job_asks_in_order() -> None:
    service = Service()
    recognise(utterances("fedcba"), service, None, 1, lambda *_: None)
    assert service.asked == list("fedcba")


def test_jobs_run_at_the_same_time() -> None:
    # Neither is answered before both have been asked.
    together = threading.Barrier(2, timeout=30)

    def service(_: Utterance) -> str:
        together.wait()
        return "x"

    assert len(recognise(utterances("ab"), service, None, 2, lambda *_: None)) == 2


def test_a_recording_without_text_is_an_error_of_one_line(tmp_path: Path) -> None:
    service = Service(lambda audio: UnavailableError("gone\n away \ud800") if audio == "b" else None)
    kept = HeardFile(tmp_path, "one")
    found = recognise(utterances("abc"), service, kept, 2, lambda *_: None)
    assert found["b"] == Heard(None, None, "gone away \ufffd")
    assert texts(found) == {"a": "text of a", "b": None, "c": "text of c"}
    assert kept.read().keys() == {"a", "c"}


def test_a_run_goes_on_where_another_stopped(tmp_path: Path) -> None:
    kept = HeardFile(tmp_path, "one")
    stopping = Service(lambda audio: InvalidError("no such audio") if audio == "c" else None)
    with pytest.raises(InvalidError, match="no such audio"):
        recognise(utterances("abcde"), stopping, kept, 1, lambda *_: None)
    first = kept.read()
    assert first.keys() == {"a", "b"}
    service, done = Service(), list[str]()
    found = recognise(utterances("abcde"), service, kept, 1, lambda one, _: done.append(one.audio_sha256))
    assert service.asked == list("cde")
    assert sorted(done) == list("abcde")
    assert {audio: found[audio] for audio in "ab"} == first
    # The third run has nothing left to ask for.
    silent = Service()
    assert recognise(utterances("abcde"), silent, kept, 1, lambda *_: None) == found
    assert silent.asked == []


@pytest.mark.parametrize("error", [InvalidError("no"), ValueError("a bug"), KeyboardInterrupt()])
def test_other_errors_end_the_run_without_beginning_what_waits(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, ended = [], threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait, cancel_futures=cancel_futures)
            ended.set()

    monkeypatch.setattr("huidu.evaluation.recognise.ThreadPoolExecutor", Pool)

    def service(utterance: Utterance) -> str:
        asked.append(utterance.id)
        # The second may begin before the first one's error is seen; it lasts until that has ended the run.
        assert len(asked) != 2 or ended.wait(30)
        raise error

    with pytest.raises(type(error)):
        recognise(utterances([str(number) for number in range(1000)]), service, None, 1, lambda *_: None)
    assert len(asked) <= 2


def test_what_no_file_takes_is_replaced(tmp_path: Path) -> None:
    heard = ["\ud83d\ude00", "half \ud800.", "\udfff你", "\ufeff\0a\u2028"]
    given = iter(heard)
    found = recognise(utterances("abcd"), lambda _: next(given), HeardFile(tmp_path, "one"), 1, lambda *_: None)
    assert list(texts(found).values()) == ["😀", "half \ufffd.", "\ufffd你", "\ufeff\0a\u2028"]
    assert HeardFile(tmp_path, "one").read() == found


def test_a_long_recording_holds_up_none(tmp_path: Path) -> None:
    kept, others = HeardFile(tmp_path, "one"), threading.Event()

    def service(utterance: Utterance) -> str:
        # Ends only once all others are kept.
        assert utterance.audio_sha256 != "a" or others.wait(30)
        return "x"

    def on_done(*_: object) -> None:
        if len(kept.read()) == 4:
            others.set()

    assert len(recognise(utterances("abcde"), service, kept, 2, on_done)) == 5


def test_a_fresh_run_hears_all_again_and_keeps_it(tmp_path: Path) -> None:
    kept = HeardFile(tmp_path, "one")
    kept.add("a", Heard("old", 1.0))
    assert texts(recognise(utterances("a"), Service(), kept, 1, lambda *_: None, fresh=True)) == {"a": "text of a"}
    assert texts(kept.read()) == {"a": "text of a"}
