from pathlib import Path

import pytest
from fakes import Clock, FakeInstance

from huidu.control.admission import Need, admit
from huidu.control.golden import GoldenRun
from huidu.control.memory import Peak
from huidu.core.errors import RefusedError, UnavailableError
from huidu.core.evidence import Row
from huidu.core.testset import Utterance


class Instance(FakeInstance):  # type: ignore[misc]
    """Hears what it is told to; `stable` fails a few times first, `dead` always."""

    def __init__(self, failures: int):
        super().__init__()
        self.failures = failures

    def transcribe(self, address: str, audio: Path, request_id: str, timeout_seconds: float = 60.0) -> str:
        if address == "stable":
            self.failures -= 1
        if address == "dead" or (address == "stable" and self.failures >= 0):
            raise UnavailableError("no answer")
        return "一零零八六"


def gathered(run: GoldenRun) -> list[Row]:
    assert run._thread is not None
    run._thread.join(timeout=10)
    return list(run.rows())


def utterances(count: int) -> list[Utterance]:
    return [Utterance(f"号{number}", Path("a"), "一零零八六", "s", "", "", 1.0) for number in range(count)]


def test_each_utterance_is_recognised_by_both_and_those_done_are_left_out() -> None:
    run = GoldenRun(1, utterances(5), Instance(0), Clock())
    run.start("stable", "candidate", frozenset({"号1", "号3"}))
    assert [row.key for row in gathered(run)] == ["号0", "号2", "号4"]
    # They stay until the run is over: what gathered them may not have been able to record them.
    assert [row.key for row in run.rows()] == ["号0", "号2", "号4"]
    assert run.size == 5


def test_a_candidate_that_gives_no_transcript_has_heard_nothing() -> None:
    run = GoldenRun(1, utterances(1), Instance(0), Clock())
    run.start("stable", "dead", frozenset())
    (row,) = gathered(run)
    assert (row.payload["candidate"]["errors"], row.payload["stable"]["errors"]) == (5, 0)


def test_the_stable_version_is_asked_again_until_it_answers() -> None:
    run = GoldenRun(1, utterances(1), Instance(2), Clock())
    run.start("stable", "candidate", frozenset())
    assert len(gathered(run)) == 1


def test_a_stable_version_that_never_answers_ends_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huidu.control.golden._TRY_AGAIN_SECONDS", 0.0)
    run = GoldenRun(1, utterances(3), Instance(10**6), Clock())
    run.start("stable", "candidate", frozenset())
    assert gathered(run) == []
    assert run.failure == "the stable version gave no transcript of 号0 in 20 tries"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_that_breaks_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huidu.control.golden.golden_row", lambda *_: 1 / 0)
    run = GoldenRun(1, utterances(1), Instance(0), Clock())
    run.start("stable", "candidate", frozenset())
    assert gathered(run) == []
    assert run.failure == "the golden set's run broke off: ZeroDivisionError: division by zero"


def test_two_versions_are_admitted_only_when_both_and_the_reserve_fit() -> None:
    candidate = Need("v2", Peak(4 * 10**8, "declared"), 0)
    stable = Need("v1", Peak(3 * 10**8, "p95 of the last 24 h that it ran"), 2 * 10**8)
    admit(candidate, stable, 5 * 10**8, 10**9)
    with pytest.raises(RefusedError) as refused:
        admit(candidate, stable, 501 * 10**6, 10**9)
    assert str(refused.value) == (
        "v2 is not admitted: it needs 0.40 GB (declared), the stable version may grow by 0.10 GB to 0.30 GB (p95 of "
        "the last 24 h that it ran), reserve 0.50 GB, free 1.00 GB; accepted: free memory, a lower admission.reserve, "
        "versions.v2.memory or versions.v1.memory where you know better, a smaller model, or a version on another "
        "host (url)"
    )
    with pytest.raises(RefusedError, match=r"may grow by 0.00 GB, reserve.*accepted: .* versions.v2.memory where"):
        admit(candidate, None, 601 * 10**6, 10**9)
    # What runs already has taken its memory.
    admit(Need("v2", Peak(4 * 10**8, "declared"), 5 * 10**8), None, 10**9, 10**9)
