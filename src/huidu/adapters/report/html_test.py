"""The report says all of the document, in both languages, safely, and needs nothing beside itself."""

import base64
import copy
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.report.html import write_report
from huidu.adapters.report.sample_test import KIT, document
from huidu.core.errors import InvalidError

VOID = {"meta", "input", "br", "link", "img"}
CLOSED_BY_ITSELF = {"line", "rect", "circle"}
# Terms of the field that are the same in Chinese.
TERMS = {"CER", "WER", "MxER", "BLEU", "RTF", "MAPSSWE", "NIST", "p", "z", "p50", "p95", "sclite", "MB", "UTC", "n"}
TERMS |= {"JSON", "S", "D", "I"}


class Page(HTMLParser):
    """A page as a browser takes it apart: elements with attributes, texts by language, script contents."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.scripts: dict[str, str] = {}
        self.feed(source)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        tag, attributes = self.open[-1] if self.open else ("", {})
        if tag in ("script", "style"):
            self.scripts[attributes.get("id") or tag] = self.scripts.get(attributes.get("id") or tag, "") + data
        elif data.strip():
            classes = [attributes.get("class") or "" for _, attributes in self.open]
            language = "en" if "en" in classes else "zh" if "zh" in classes else ""
            self.texts.append((language, data.strip()))

    def seen(self, language: str) -> str:
        """The words that a reader of that language sees, besides what the script fills in."""
        return "\n".join(text for of, text in self.texts if of in ("", language))

    def data(self) -> Any:
        return json.loads(self.scripts["data"])

    def clips(self) -> Any:
        return json.loads(self.scripts["clips"])


def report(folder: Path, result: dict[str, Any], language: str = "en", **options: Any) -> Page:
    path = folder / "report.html"
    write_report(result, path, language, **options)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(tmp_path_factory.mktemp("report"), document())


def test_the_page_loads_nothing_from_elsewhere(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert name not in ("src", "srcset", "style", "action"), tag
            assert not name.startswith("on"), tag
            assert name != "href" or (value or "").startswith("#")
    code = page.scripts["style"] + page.scripts["script"]
    assert not re.search(r"https?:|url\(|@import|fetch|XMLHttpRequest|import\(|innerHTML|eval\(", code)


def test_the_policy_lets_only_this_files_script_and_style_run(page: Page) -> None:
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.scripts[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_the_sentence_names_verdict_measure_and_interval(page: Page) -> None:
    numbers = document()["comparisons"][0]["metrics"]["numerals"]
    low, difference, high = (f"{numbers[name] * 100:.1f}" for name in ("low", "difference", "high"))
    english = (
        f"v2 gets numbers wrong {difference} points more often than v1 (between {low} and {high}): do not release."
    )
    assert english in page.seen("en")
    assert f"v2 把数字听错的比例比 v1 高 {difference} 个百分点（{low} 到 {high} 之间）：不应上线。" in page.seen("zh")


def test_an_undecided_verdict_says_what_would_decide(tmp_path: Path) -> None:
    result = document(10, ("v1", "v2"))
    comparison = result["comparisons"][0]
    comparison["verdict"] = "undecided"
    for name, more in (("cer", 300), ("numerals", 1200)):
        comparison["metrics"][name].update(verdict="undecided", more_utterances=more)
    assert "About 1,200 more utterances would decide." in report(tmp_path, result).seen("en")
    comparison["metrics"]["cer"]["more_utterances"] = None
    assert "would decide cannot be estimated" in report(tmp_path, result).seen("en")


def test_all_that_the_document_found_is_on_the_page(page: Page) -> None:
    result = document()
    text = page.seen("en")
    for version in result["versions"].values():
        for name in ("cer", "wer", "mixed_error_rate"):
            assert f"{version['normalised'][name]['rate'] * 100:.2f} %" in text
        assert version["fingerprint"][:12] in text
    for comparison in result["comparisons"]:
        for phrase in comparison["phrases"]:
            assert phrase["candidate"] in text
    worst = result["comparisons"][0]["worst_category"]
    assert f"Worst category: {worst['name']}, wrong numbers +{worst['difference'] * 100:.1f} points." in text
    assert "MAPSSWE" in text


def missed_in(page: Page, language: str, version: str) -> list[str]:
    """What the numerals section says of a version's missed numbers."""
    heads = re.compile("Numbers that (.+) missed|(.+) 听错的数字|Hotwords|热词")
    lines = page.seen(language).split("\n")
    found = {index: match for index, line in enumerate(lines) if (match := heads.fullmatch(line))}
    first = next(index for index, match in found.items() if version in match.groups())
    return lines[first + 1 : next(index for index in found if index > first)]


@pytest.mark.parametrize(("language", "nothing"), [("en", "no number"), ("zh", "没有数字")])
def test_missed_numbers_stand_with_what_was_heard_and_where(page: Page, language: str, nothing: str) -> None:
    lines = missed_in(page, language, "v2")
    pairs = document()["missed_numerals"]["v2"]
    assert {pair["heard"] is None for pair in pairs} == {True, False}
    for pair in pairs:
        said, heard = pair["said"], pair["heard"]
        below = [*heard["reading"], heard["text"]] if heard else [nothing]
        expected = [*said["reading"], said["text"], *below, f"×{pair['count']}", ", ".join(pair["utterances"][:3])]
        assert " | ".join(expected) in " | ".join(lines)
    assert missed_in(page, "en", "v3") == ["No number was missed."]


def test_numbers_that_were_missed_often_come_first_and_are_not_all_listed(tmp_path: Path) -> None:
    result = document(60, ("v1", "v2"))
    rare, frequent = result["missed_numerals"]["v2"][:2]
    rare.update(count=2)
    frequent.update(count=1234, utterances=[one["id"] for one in result["utterances"][:5]])
    result["missed_numerals"]["v2"] = [rare, frequent] * 30
    lines = missed_in(report(tmp_path, result), "en", "v2")
    assert [line for line in lines if line.startswith("×")] == ["×1,234"] * 30 + ["×2"] * 20
    assert "5 in all" in lines


def test_a_missed_number_leads_to_the_listed_utterances_only(page: Page) -> None:
    listed = {one["id"] for one in page.data()["utterances"]}
    found = [json.loads(a["data-ids"] or "") for _, a in page.elements if "data-ids" in a]
    assert found
    assert all(ids and set(ids) <= listed for ids in found)


def test_utterances_are_listed_most_worsened_first(page: Page) -> None:
    result = document()
    listed = page.data()["utterances"]
    worst = [max(change[0] for change in one["changes"]) for one in listed]
    assert worst == sorted(worst, reverse=True)
    texts = {one["id"]: {heard["text"] for heard in one["hypotheses"].values()} for one in result["utterances"]}
    assert {one["id"] for one in listed} == {name for name, heard in texts.items() if len(heard) > 1}
    assert f"{len(texts) - len(listed)} more came out the same" in page.seen("en")


def test_no_english_stands_in_the_chinese_page(tmp_path: Path) -> None:
    result = document()
    page = report(tmp_path, result, "zh")
    names = {*result["set"]["categories"], result["set"]["name"], *(one["name"] for one in result["versions"].values())}
    names |= {one["speaker"] for one in result["utterances"]}
    errors = {failure["error"] for version in result["versions"].values() for failure in version["failures"]}
    chinese = [text for of, text in page.texts if of in ("", "zh") and text not in errors and text not in names]
    for text in chinese:
        assert set(re.findall(r"\b[A-Za-z]+\b", text)) - TERMS - names <= {"English"}, text


def test_no_chinese_stands_in_the_english_page(page: Page) -> None:
    for language, text in page.texts:
        assert language != "en" or not re.search("[\u4e00-\u9fff]", text.replace("一零零八六", "")), text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_language_asked_for_is_shown_first(tmp_path: Path, language: str) -> None:
    page = report(tmp_path, document(3), language)
    assert next(attributes for tag, attributes in page.elements if tag == "html")["data-language"] == language
    for _, attributes in page.elements:
        named = attributes.get("data-attribute")
        if named and named != "text":
            assert attributes[named] == attributes[f"data-{language}"]


def test_another_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="accepted: zh, en"):
        write_report(document(1), tmp_path / "report.html", "fr")


def test_tables_have_headers_with_a_scope_and_buttons_are_buttons(page: Page) -> None:
    assert all(a.get("scope") in ("col", "row", "rowgroup") for tag, a in page.elements if tag == "th")
    assert all(a.get("type") in ("button", "reset") for tag, a in page.elements if tag == "button")
    assert all(tag == "button" for tag, a in page.elements if "data-clip" in a)
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


# Audio.


def test_each_distinct_clip_is_held_once_as_it_is(page: Page) -> None:
    result = document()
    paths = {one["audio_sha256"]: Path(one["audio"]) for one in result["utterances"]}
    clips = page.clips()
    assert {one["clip"] for one in page.data()["utterances"]} <= set(clips)
    for key, uri in clips.items():
        head, body = uri.split(",")
        assert head == "data:audio/ogg;base64"
        assert base64.b64decode(body) == paths[key].read_bytes()


@pytest.mark.parametrize(
    ("suffix", "media_type"),
    [(".wav", "audio/wav"), (".flac", "audio/flac"), (".mp3", "audio/mpeg"), (".OGG", "audio/ogg")],
)
def test_audio_has_the_type_that_browsers_know(tmp_path: Path, suffix: str, media_type: str) -> None:
    result = document(2, ("v1", "v2"))
    audio = tmp_path / f"clip{suffix}"
    audio.write_bytes(b"sound")
    for one in result["utterances"]:
        one.update(audio=str(audio), audio_sha256=None)
    clips = report(tmp_path, result).clips()
    assert clips == {
        hashlib.sha256(b"sound").hexdigest(): f"data:{media_type};base64,{base64.b64encode(b'sound').decode()}"
    }


def test_missing_files_and_unplayable_ones_are_said_not_failed_on(tmp_path: Path) -> None:
    result = document(20, ("v1", "v2"))
    gone = {"audio": str(tmp_path / "gone.opus"), "audio_sha256": "0" * 64}
    strange = {"audio": str(KIT / "test.tsv"), "audio_sha256": "1" * 64}
    nameless = {"audio": "a\0b.opus", "audio_sha256": "2" * 64}
    listed = [one["id"] for one in report(tmp_path, result).data()["utterances"]]
    for name, change in zip(listed, (gone, strange, nameless), strict=False):
        next(one for one in result["utterances"] if one["id"] == name).update(change)
    page = report(tmp_path, result)
    whys = {one["id"]: one["absent"] for one in page.data()["utterances"] if one["clip"] is None}
    assert whys == dict(zip(listed, ("missing", "format", "missing"), strict=False))
    assert "2 have no audio: the file is missing. 1 have no audio: browsers do not play that format." in page.seen("en")


@given(budget=st.integers(0, 60_000))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_clips_stay_within_the_budget_and_the_rest_is_said(tmp_path: Path, budget: int) -> None:
    page = report(tmp_path, document(12, ("v1", "v2")), audio_budget_bytes=budget)
    held = [base64.b64decode(uri.split(",")[1]) for uri in page.clips().values()]
    assert sum(map(len, held)) <= budget
    without = [one for one in page.data()["utterances"] if one["clip"] is None]
    assert all(one["absent"] == "budget" for one in without)
    assert (f"{len(without)} have no audio: over the limit" in page.seen("en")) == bool(without)


def test_without_audio_the_page_holds_none_and_says_so(tmp_path: Path) -> None:
    page = report(tmp_path, document(5), audio=False)
    assert page.clips() == {}
    assert "Audio was left out" in page.seen("en")


# Parts that are missing, and texts that mean harm.


def texts_of(value: Any) -> list[tuple[Any, Any]]:
    """Where every text of a document stands, as (container, key)."""
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else [])
    inner = [found for _, part in pairs for found in texts_of(part)]
    return inner + [(value, key) for key, part in pairs if isinstance(part, str)]


FIXED = {"verdict", "audio", "audio_sha256", "better", "metric", "version", "baseline", "kind"}
HOSTILE = st.one_of(
    st.text(st.characters(), max_size=30),
    st.sampled_from(
        ["</script><script>alert(1)</script>", "<!--<script>", "\"'><img src=x onerror=y>", "\u202eevil\u2066", "\0"]
    ),
    st.sampled_from(["]]>", "{{ 1 }}{% raw %}", "&lt;&#60;", "\ud800", "{version}{0}", "\u2028", "x" * 100_000]),
)


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_are_shown_and_never_run(tmp_path: Path, data: st.DataObject) -> None:
    result = copy.deepcopy(document(4, ("v1", "v2")))
    harmless = [(tag, sorted(attributes)) for tag, attributes in report(tmp_path, result).elements]
    places = [
        (held, key) for held, key in texts_of(result) if key not in FIXED and not (isinstance(held, list) and key == 0)
    ]
    for held, key in places:
        if key in ("id", "category", "name") or held is result["set"]["categories"]:
            continue  # Names tie parts of the document together; they are made hostile below.
        held[key] = data.draw(HOSTILE)
    result["set"]["name"] = data.draw(HOSTILE)
    result["utterances"][0]["speaker"] = data.draw(HOSTILE)
    page = report(tmp_path, result)
    tags = {tag for tag, _ in harmless}
    assert {tag for tag, _ in page.elements} <= tags | {"option", "span", "bdi"}
    assert sum(tag == "script" for tag, _ in page.elements) == 3
    assert page.data()["utterances"] is not None
    assert not re.search("[\u202a-\u202e\u2066-\u2069\0]", page.seen("en") + page.scripts["data"])


def without(*path: str) -> dict[str, Any]:
    """The document with a part null; `*` goes into every one of a list or table."""
    result = copy.deepcopy(document(12, ("v1", "v2")))
    held: list[Any] = [result]
    for name in path[:-1]:
        held = [
            part
            for one in held
            for part in ((one.values() if isinstance(one, dict) else one) if name == "*" else [one[name]])
        ]
    for one in held:
        one[path[-1]] = None
    return result


PARTS = [
    *((name,) for name in ("set", "created", "normaliser", "weights", "baseline", "versions", "comparisons")),
    *((name,) for name in ("confusions", "missed_numerals", "utterances")),
    ("missed_numerals", "v2"),
    *(("missed_numerals", "v2", "*", name) for name in ("said", "heard", "count", "utterances")),
    *(("set", name) for name in ("name", "version", "speakers", "utterances", "audio_seconds", "categories")),
    *(("versions", "*", name) for name in ("raw", "normalised", "numerals", "hotwords", "bleu", "latency_ms", "rtf")),
    *(("versions", "*", name) for name in ("failed", "failures", "health", "categories", "fingerprint")),
    *(("comparisons", "*", name) for name in ("verdict", "metrics", "mapsswe", "categories", "phrases")),
    *(("comparisons", "*", name) for name in ("worst_category", "utterances_worse")),
    *(("comparisons", "*", "metrics", "*", name) for name in ("difference", "low", "confidence", "verdict")),
    ("comparisons", "*", "metrics", "*", "fail_above"),
    *(("comparisons", "*", "metrics", name) for name in ("cer", "numerals")),
    *(("utterances", "*", name) for name in ("audio", "audio_sha256", "audio_seconds", "speaker", "category", "text")),
    ("utterances", "*", "hypotheses"),
    *(("utterances", "*", "hypotheses", "*", name) for name in ("text", "latency_ms", "cer", "numerals", "diff")),
    ("utterances", "*", "hypotheses", "*", "missed_numerals"),
]  # fmt: skip


@pytest.mark.parametrize("path", PARTS, ids=".".join)
def test_a_part_that_is_missing_is_left_out(tmp_path: Path, path: tuple[str, ...]) -> None:
    page = report(tmp_path, without(*path))
    assert not re.search(r"\b(None|nan|inf|NaN|Undefined)\b", page.seen("en"))


def test_an_empty_document_and_one_version_alone_render(tmp_path: Path) -> None:
    assert "This evaluation holds no version." in report(tmp_path, {}).seen("en")
    alone = report(tmp_path, document(20, ("v2",)))
    assert "It was compared with no other version." in alone.seen("en")
    assert all(one["hypotheses"][0]["errors"] for one in alone.data()["utterances"])


def test_a_failed_and_an_empty_hypothesis_are_listed(tmp_path: Path) -> None:
    result = document(3, ("v1", "v2"))
    first, second = (one["hypotheses"]["v2"] for one in result["utterances"][:2])
    first.update(text="", error="out of memory", diff=None)
    second.update(text="", diff=[["deletion", result["utterances"][1]["text"], ""]])
    listed = {one["id"]: one["hypotheses"][1] for one in report(tmp_path, result).data()["utterances"]}
    assert listed[result["utterances"][0]["id"]]["error"] == "out of memory"
    assert listed[result["utterances"][1]["id"]]["text"] == ""


# Colours.


def luminance(colour: str) -> float:
    """WCAG 2.1 relative luminance of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXT_ON = [
    *((ink, ground) for ink in ("ink", "soft", "accent", "worse", "better", "open") for ground in ("page", "card")),
    *((ink, f"{ink}-soft") for ink in ("accent", "worse", "better", "open")),
    ("card", "accent"),
    ("ink", "accent-soft"),
]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_is_enough_in_both_schemes(scheme: int) -> None:
    style = files("huidu.adapters.report").joinpath("page", "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    for ink, ground in TEXT_ON:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for index in range(6):
        assert contrast(colours[f"series{index}"], colours["page"]) >= 3
