import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.core.plan import Rules
from huidu.core.testset import TestSet, Utterance
from huidu.core.text.align import Weights
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import score, total
from huidu.evaluation.heard import Heard
from huidu.evaluation.result import Listened, Settings, document

NORMALISER = Normaliser()
SETTINGS = Settings(Rules(), NORMALISER)


def made(texts: Sequence[str], speakers: int = 10, categories: Sequence[str] = ("digits", "names")) -> TestSet:
    """Utterance n is by speaker n modulo `speakers`; the halves are the two categories."""
    half = (len(texts) + 1) // 2
    found = [
        Utterance(f"u{n}", Path(f"{n}.wav"), text, f"s{n % speakers}", categories[n // half], f"sha{n}", 2.0)
        for n, text in enumerate(texts)
    ]
    return TestSet("made", tuple(found))


def heard(name: str, texts: Sequence[str | None]) -> Listened:
    """20 ms for each text; where there is none, recognition failed."""
    by_audio = {
        f"sha{n}": Heard(None, None, "the instance went away") if text is None else Heard(text, 20.0)
        for n, text in enumerate(texts)
    }
    return Listened(name, f"fingerprint of {name}", by_audio)


def result(found: TestSet, *listened: Listened, chosen: Settings = SETTINGS) -> dict[str, Any]:
    """The document, which any JSON reader can take."""
    written = document(found, listened, chosen, 1795300000.0)
    return json.loads(json.dumps(written, allow_nan=False))  # type: ignore[no-any-return]


# Twenty characters each, one number.
TEXTS = [f"请拨打一零零八六转人工服务台谢谢您{each}" for each in "甲乙丙丁戊己庚辛壬癸"] * 20
WRONG = [text.replace("一零零八六", "一零八六") for text in TEXTS]


def test_errors_that_every_speaker_meets_are_proven() -> None:
    found = result(made(TEXTS), heard("v1", TEXTS), heard("v2", WRONG))
    size = len(TEXTS)
    v1, v2 = found["versions"].values()
    assert v1["normalised"]["cer"]["rate"] == v1["numerals"]["rate"] == 0
    assert v2["numerals"] == {"reference": size, "wrong": size, "rate": 1.0}
    (comparison,) = found["comparisons"]
    assert comparison["verdict"] == "worse"
    for name, metric in comparison["metrics"].items():
        assert metric["verdict"] == "worse"
        assert metric["fail_above"] < metric["low"] <= metric["difference"] <= metric["high"]
        assert metric["clusters"] == 10
        assert metric["more_utterances"] == 0
        assert metric["difference"] == pytest.approx(metric["candidate"] - metric["baseline"], abs=2e-6), name
    assert comparison["metrics"]["numerals"]["difference"] == 1.0
    assert comparison["worst_category"]["metric"] == "numerals"
    assert (comparison["utterances_worse"], comparison["utterances_equal"]) == (size, 0)
    (phrase,) = comparison["phrases"]
    assert (phrase["reference"], phrase["baseline"], phrase["candidate"]) == ("10086", "10086", "1086")
    assert phrase["count"] == len(phrase["utterances"]) == size
    assert found["confusions"] == {
        "v1": [],
        "v2": [{"reference": "10086", "hypothesis": "1086", "kind": "substitution", "count": size}],
    }


def test_a_version_beside_itself_is_not_worse_where_there_is_enough() -> None:
    found = result(made(TEXTS * 2), heard("v1", TEXTS * 2), heard("v2", TEXTS * 2))
    (comparison,) = found["comparisons"]
    assert comparison["metrics"]["cer"]["verdict"] == "not_worse"
    assert comparison["metrics"]["cer"]["difference"] == 0
    assert comparison["utterances_equal"] == len(TEXTS) * 2
    assert comparison["worst_category"] is None
    assert comparison["mapsswe"] is None
    assert comparison["phrases"] == []


def test_what_is_better_is_never_worse() -> None:
    found = result(made(TEXTS), heard("v1", WRONG), heard("v2", TEXTS))
    (comparison,) = found["comparisons"]
    assert comparison["verdict"] == "not_worse"
    assert comparison["utterances_better"] == len(TEXTS)
    assert comparison["worst_category"] is None


@pytest.mark.parametrize(("first", "second"), [("v1", "v2"), ("v2", "v1")])
def test_mapsswe_names_the_version_with_fewer_errors(first: str, second: str) -> None:
    # Errors in some utterances and two of them in others: without any spread the test says nothing.
    texts = {"v1": TEXTS, "v2": [*WRONG[:50], *(text[:-3] for text in WRONG[50:])]}
    found = result(made(TEXTS), heard(first, texts[first]), heard(second, texts[second]))
    test = found["comparisons"][0]["mapsswe"]
    assert test["better"] == "v1"
    assert (test["mean"] < 0) == (test["z"] < 0) == (first == "v1")
    assert 0 <= test["p"] < 0.05


def test_each_version_is_compared_with_the_first() -> None:
    found = result(made(TEXTS), heard("v1", TEXTS), heard("v2", TEXTS), heard("v3", WRONG))
    assert [(each["baseline"], each["version"]) for each in found["comparisons"]] == [("v1", "v2"), ("v1", "v3")]
    assert [each["name"] for each in found["versions"].values()] == list(found["versions"]) == ["v1", "v2", "v3"]
    assert found["utterances"][0]["hypotheses"].keys() == found["confusions"].keys() == {"v1", "v2", "v3"}


def test_one_version_is_compared_with_none() -> None:
    assert result(made(TEXTS), heard("v1", TEXTS))["comparisons"] == []


def test_one_speaker_tells_nothing_about_others() -> None:
    found = result(made(TEXTS, speakers=1), heard("v1", TEXTS), heard("v2", WRONG))
    (comparison,) = found["comparisons"]
    assert comparison["verdict"] == "undecided"
    for metric in comparison["metrics"].values():
        assert (metric["low"], metric["high"], metric["clusters"]) == (None, None, 1)
        assert metric["verdict"] == "undecided"
        assert metric["more_utterances"] is None
    # Still, there is a category that lost most.
    assert comparison["worst_category"]["difference"] == 1.0


def test_a_set_without_numbers_is_judged_by_characters_alone() -> None:
    texts = [f"请您拨打转人工服务台谢谢{each}" for each in "甲乙丙丁戊己庚辛壬癸"] * 40
    found = result(made(texts), heard("v1", texts), heard("v2", texts))
    (comparison,) = found["comparisons"]
    assert comparison["metrics"]["numerals"] is None
    assert comparison["verdict"] == comparison["metrics"]["cer"]["verdict"] == "not_worse"
    assert found["versions"]["v1"]["numerals"] == {"reference": 0, "wrong": 0, "rate": 0.0}


def test_one_utterance_is_enough_for_a_document() -> None:
    found = result(made(TEXTS[:1]), heard("v1", TEXTS[:1]), heard("v2", WRONG[:1]))
    assert found["comparisons"][0]["verdict"] == "undecided"
    assert found["set"]["utterances"] == 1


@pytest.mark.parametrize("nothing", ["", None])
def test_a_version_that_hears_nothing_has_deleted_everything(nothing: str | None) -> None:
    empty = [nothing] * len(TEXTS)
    found = result(made(TEXTS), heard("v1", TEXTS), heard("v2", empty))
    v2 = found["versions"]["v2"]
    cer = v2["normalised"]["cer"]
    assert (cer["deletions"], cer["rate"]) == (cer["reference"], 1.0)
    assert v2["numerals"]["rate"] == 1.0
    assert v2["health"]["empty_on_speech"] == len(TEXTS)
    assert found["comparisons"][0]["verdict"] == "worse"
    if nothing is None:
        assert v2["failed"] == len(TEXTS)
        assert v2["failures"][0] == {"id": "u0", "error": "the instance went away"}
        assert v2["rtf"] is None
        assert v2["latency_ms"] == {"p50": None, "p95": None}
    else:
        assert (v2["failed"], v2["failures"]) == (0, [])
        assert v2["latency_ms"] == {"p50": 20.0, "p95": 20.0}
        assert v2["rtf"] == 0.01


def test_silence_alone_can_be_scored() -> None:
    found = result(made([""] * 4), heard("v1", [""] * 4), heard("v2", ["谢谢观看"] * 4))
    v1, v2 = found["versions"].values()
    assert v1["normalised"]["cer"]["rate"] == 0
    assert v2["normalised"]["cer"]["rate"] == 1
    assert (v1["health"]["text_on_silence"], v2["health"]["text_on_silence"]) == (0, 4)
    # There is no reference to set errors in relation to.
    assert found["comparisons"][0]["metrics"] == {"cer": None, "numerals": None}
    assert found["comparisons"][0]["verdict"] == "undecided"


def test_hotwords_are_counted_where_given() -> None:
    chosen = Settings(Rules(), NORMALISER, hotwords=("服务台",))
    found = result(made(TEXTS), heard("v1", TEXTS), heard("v2", ["服务太"] * len(TEXTS)), chosen=chosen)
    rates = [version["hotwords"] for version in found["versions"].values()]
    assert [rate["wrong"] for rate in rates] == [0, len(TEXTS)]
    assert result(made(TEXTS), heard("v1", TEXTS))["versions"]["v1"]["hotwords"] is None


@pytest.mark.parametrize("weights", Weights)
def test_the_document_holds_the_scores_of_each_utterance(weights: Weights) -> None:
    texts, wrong = TEXTS[:30], [*WRONG[:20], *["没有"] * 10]
    found = result(made(texts), heard("v1", wrong), chosen=Settings(Rules(), NORMALISER, weights))
    scores = score(texts, wrong, NORMALISER, weights)
    whole = total(scores).to_json()
    (version,) = found["versions"].values()
    assert {name: version[name] for name in whole} == whole
    assert found["weights"] == weights.name.lower()
    for one, utterance in zip(scores, found["utterances"], strict=True):
        assert utterance["hypotheses"]["v1"]["cer"] == one.normalised.cer.to_json()
        assert utterance["hypotheses"]["v1"]["numerals"] == one.numerals.to_json()
    assert list(version["categories"]) == found["set"]["categories"] == ["digits", "names"]
    digits = version["categories"]["digits"]
    assert digits["utterances"] == 15
    assert digits["cer"] == total(scores[:15]).normalised.cer.to_json()
    assert digits["numerals"] == total(scores[:15]).numerals.to_json()


ANY = st.text("你好一二零三点半 ab，,.1０<>'", max_size=10) | st.text(max_size=10)


def finite_rates(found: Any) -> list[float]:
    if isinstance(found, Mapping):
        own = [found["rate"]] if "rate" in found else []
        return own + [rate for value in found.values() for rate in finite_rates(value)]
    return [rate for value in found for rate in finite_rates(value)] if isinstance(found, list) else []


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(ANY, ANY | st.none(), ANY | st.none()), min_size=1, max_size=6),
    speakers=st.integers(1, 3),
    categories=st.sampled_from([("", ""), ("a", ""), ("a", "b")]),
)
def test_any_texts_make_a_document(
    rows: list[tuple[str, str | None, str | None]], speakers: int, categories: tuple[str, str]
) -> None:
    references, one, other = zip(*rows, strict=True)
    found = result(made(references, speakers, categories), heard("v1", one), heard("v2", other))
    (comparison,) = found["comparisons"]
    answers = {"worse", "not_worse", "undecided"}
    assert comparison["verdict"] in answers
    moved = sum(comparison[f"utterances_{way}"] for way in ("better", "worse", "equal"))
    assert moved == len(rows) == len(found["utterances"]) == found["set"]["utterances"]
    for metric in filter(None, comparison["metrics"].values()):
        assert metric["verdict"] in answers
        assert (metric["low"] is None) == (metric["high"] is None)
        if metric["low"] is not None:
            assert metric["low"] <= metric["difference"] <= metric["high"]
    assert sorted(comparison["categories"]) == sorted(set(found["set"]["categories"]))
    assert all(rate >= 0 for rate in finite_rates(found))
    for confused in (each for listed in found["confusions"].values() for each in listed):
        assert confused["count"] > 0
