"""Both languages say everything, and nothing is said that no page uses."""

import re
from importlib.resources import files
from string import Formatter

import pytest
from markupsafe import escape

from huidu.adapters.report.messages import MESSAGES
from huidu.adapters.report.words import LANGUAGES, Words, joined, label, plain, say, script_words

# Keys that are put together from a group and a name of the document.
GROUPS = {"metric", "verdict", "so", "does", "change", "need", "fact", "weights", "rate", "group", "row", "health"}
GROUPS |= {"kind", "words", "nav", "read", "audio", "js.absent", "numerals", "hotwords"}


def fields(message: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(message) if name)


@pytest.mark.parametrize("key", MESSAGES)
def test_each_message_is_complete_in_both_languages(key: str) -> None:
    assert set(MESSAGES[key]) == set(LANGUAGES)
    assert fields(MESSAGES[key]["zh"]) == fields(MESSAGES[key]["en"])
    if key != "space":
        assert all(MESSAGES[key].values())


@pytest.mark.parametrize("key", [key for key in MESSAGES if key not in ("comma", "space", "alone.rate", "title")])
def test_chinese_is_chinese_and_english_is_not(key: str) -> None:
    chinese = re.compile("[\u4e00-\u9fff]")
    bare = re.sub(r"\{\w+\}", "", MESSAGES[key]["zh"])
    assert chinese.search(bare) or not re.search("[A-Za-z]", bare)
    assert not chinese.search(MESSAGES[key]["en"].replace("一零零八六", ""))


def test_every_message_is_used() -> None:
    package = files("huidu.adapters.report")
    sources = [*package.iterdir(), *package.joinpath("page").iterdir()]
    kept = [one for one in sources if one.name.endswith((".py", ".html", ".js")) and one.name != "messages.py"]
    text = "\n".join(one.read_text(encoding="utf-8") for one in kept if not one.name.endswith("_test.py"))
    for key in MESSAGES:
        named = f'"{key}"' in text or f'"{key.removeprefix("js.")}"' in text
        assert named or key.rpartition(".")[0] in GROUPS, key


def test_words_become_both_languages_escaped_or_one() -> None:
    assert Words("甲<", "a&").__html__() == (
        '<span class="zh" lang="zh-Hans">甲&lt;</span><span class="en" lang="en">a&amp;</span>'
    )
    assert plain("<x>").__html__() == str(escape("<x>"))


def test_a_name_with_braces_is_put_in_as_it_is() -> None:
    assert say("phrases.head", version="{baseline}", baseline="{0}").en == "{baseline} against {0}"
    assert label("metric", "loudness") == plain("loudness")
    assert joined([plain("a"), plain(""), plain("b")], "comma") == Words("a，b", "a, b")
    assert set(script_words()["zh"]) == set(script_words()["en"])
