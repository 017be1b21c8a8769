import zlib
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.health import Signal, Sound, expects, flips, loops, scripts, signals, units
from huidu.core.text.plain import plain

ZH, EN = "今天天气很好我们出去走走", "hello everybody how are you today"
# What is said so, or hallucinated by engines that are caught in a loop.
LOOPS = ["谢谢" * 8, "我们去那里" * 4, "啊" * 20, "thank you for " * 5, "字幕由志愿者提供" * 30, "零一" * 300]
HONEST = [
    "",
    "好",
    "好的好的好的好的",
    "哈哈哈哈哈",
    "对对对对对对对",
    "我的号码是八八八八八八八八",
    "very very very good",
    ZH,
    EN,
    "一零零八六一零零一零一一零零一一",
]

any_text = st.text(alphabet="你好谢啊 abAB,。7é", max_size=60)


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_is_found_wherever_it_stands(text: str) -> None:
    assert loops(text)
    assert loops(f"{ZH}，{text}。{EN}")
    assert Signal.LOOP in signals(text, Sound(10.0))


@pytest.mark.parametrize(
    "text",
    [
        "好的。好的，好的！好的、好的。好的，",
        "谢谢大家，谢谢大家。谢谢大家！谢谢大家",
        "Thank you. Thank you! thank you, THANK YOU... Thank you",
        "<|zh|>我们去<|zh|>我们去，<|zh|>我们去。<|zh|>我们去 我们去",
        "字幕由志愿者提供。字幕由志愿者提供，字幕由志愿者提供！字幕由志愿者提供",
        "♪♪♪♪♪♪♪♪♪♪♪♪♪♪",
    ],
)
def test_a_loop_is_seen_through_what_changes_between_its_rounds(text: str) -> None:
    assert loops(text)
    assert Signal.LOOP in signals(text, Sound(10.0))


@pytest.mark.parametrize("text", HONEST)
def test_what_people_say_is_no_loop(text: str) -> None:
    assert not loops(text)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(["啊", "谢谢", "好的 ", "ab", "啊" * 5, "谢谢" * 3, "你好吗" * 3]), max_size=12).map(
        "".join
    )
)
def test_short_loops_are_phrases_said_four_times_that_fill_twelve_characters(text: str) -> None:
    letters = "".join(text.split())
    phrases = {
        (letters[start:end], end - start) for end in range(len(letters) + 1) for start in range(max(0, end - 20), end)
    }
    said = any(phrase * max(4, ceil(12 / length)) in letters for phrase, length in phrases)
    words = " ".join(plain(text).split()).encode()
    assert loops(text) == (said or len(words) > 2.4 * len(zlib.compress(words)))


def test_an_hour_of_honest_text_is_no_loop_although_it_packs_as_well() -> None:
    kit = Path(__file__).parents[2] / "demo" / "kit" / "test.tsv"
    honest = "，".join(line.split("\t")[2] for line in kit.read_text(encoding="utf-8").splitlines()[1:])
    packed = len(honest.encode()) / len(zlib.compress(honest.encode()))
    assert packed > 2.4
    assert not loops(honest)
    for start in (0, 1234, len(honest)):
        assert loops(honest[:start] + "谢谢大家收看我们下期再见请不要忘记点赞订阅转发打赏" * 30 + honest[start:])


@settings(deadline=None)
@given(any_text)
def test_blanks_do_not_matter(text: str) -> None:
    assert loops(f"  {text.replace(' ', '   ')}\n") == loops(text)


def test_silence_and_speech() -> None:
    assert signals("你好你好吗", Sound(2.0, 0.0)) == {Signal.TEXT_ON_SILENCE}
    assert signals(" ", Sound(2.0, 0.0)) == set()
    assert signals("", Sound(2.0, 1.0)) == signals("", Sound(2.0)) == {Signal.EMPTY_ON_SPEECH}
    assert signals("你好", Sound(2.0)) == signals("你好", Sound(0.0)) == set()


@pytest.mark.parametrize(
    "text",
    [
        "<|zh|>",
        "<|nospeech|><|EMO_UNKNOWN|>",
        "[noise]",
        "[00:00.000 --> 00:02.000]",
        "。",
        "，。！",
        "...",
        "—",
        "\u200b",
    ],
)
def test_tags_and_punctuation_alone_are_no_text(text: str) -> None:
    assert signals(text, Sound(2.0, 0.0), "zh") == set()
    assert signals(text, Sound(2.0, 1.0), "zh") == signals(text, Sound(2.0)) == {Signal.EMPTY_ON_SPEECH}


@pytest.mark.parametrize(
    ("text", "seconds", "outlier"),
    [(ZH, 3.0, False), (ZH, 1.0, True), (ZH, 60.0, True), (EN, 2.0, False), (EN, 1.0, True), (EN, 60.0, True)],
)
def test_people_speak_at_some_rates_only(text: str, seconds: float, outlier: bool) -> None:
    assert (Signal.RATE_OUTLIER in signals(text, Sound(seconds))) == outlier
    # Seconds of speech count, where they are known.
    assert (Signal.RATE_OUTLIER in signals(text, Sound(600.0, seconds))) == outlier


@pytest.mark.parametrize(
    ("text", "language", "flipped"),
    [
        (ZH, "zh", False),
        (EN, "zh", True),
        (ZH, "en", True),
        (EN, "en", False),
        ("今日はとてもいい天気ですね", "zh", True),
        ("привет как дела", "en", True),
        ("ｈｅｌｌｏ　ｅｖｅｒｙｂｏｄｙ", "en", False),
        ("très élégant, ça va", "en", False),
        ("我的iPhone和WiFi都坏了怎么办", "zh", False),
        ("用Kubernetes部署microservice", "zh", False),
        ("我觉得这个feature的performance还可以", "zh", False),
        ("打开iPhone的Settings", "zh", False),
        ("这个PR需要review一下再merge到main branch", "zh", False),
        ("<|en|><|NEUTRAL|><|Speech|>今天天气很好", "zh", False),
        ("thank you very much for watching 谢谢", "zh", True),
        ("<|zh|>" + EN, "zh", True),
        ("I am going to 北京 next week", "en", False),
        ("OK", "zh", False),  # said in any language
        ("好", "en", False),
        ("10086 10010 95588", "zh", False),
        ("", "zh", False),
        (EN, "zh-CN", True),
        (EN, "ZH_Hans", True),
        (EN, "ja", False),  # whose script is not told
    ],
)
def test_a_text_in_another_script_than_expected_flipped(text: str, language: str, flipped: bool) -> None:
    assert flips(text, language) == flipped
    assert (Signal.LANGUAGE_FLIP in signals(text, Sound(0.0), language)) == flipped
    assert Signal.LANGUAGE_FLIP not in signals(text, Sound(0.0))


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("EN_us", "en"),
        (" en ", "en"),
        ("ja", None),
        ("auto", None),
        ("", None),
        (None, None),
    ],
)
def test_tags_of_languages(tag: str | None, language: str | None) -> None:
    assert expects(tag) == language


@settings(deadline=None)
@given(any_text)
def test_parts_in_each_script_are_shares(text: str) -> None:
    shares = scripts(text)
    assert not shares or sum(shares.values()) <= 1 + 1e-9
    assert not (flips(text, "zh") and flips(text, "en")) or sum(shares.values()) < 1
    if shares and text.isascii():
        assert shares == {"zh": 0.0, "en": pytest.approx(1.0)}


@settings(deadline=None)
@given(any_text, any_text)
def test_units_add_up_and_count_letters_less(one: str, other: str) -> None:
    assert units(one + other) == pytest.approx(units(one) + units(other))
    assert units("你好") == 2 == units("hello")
    assert units(" ，。") == 0


@settings(deadline=None)
@given(st.text(max_size=80), st.floats(0, 100), st.none() | st.floats(0, 100))
def test_any_text_gives_signals(text: str, audio_seconds: float, speech_seconds: float | None) -> None:
    given_signals = signals(text, Sound(audio_seconds, speech_seconds), "zh")
    if not any(map(str.isalnum, plain(text))):
        assert Signal.TEXT_ON_SILENCE not in given_signals
        assert given_signals - {Signal.LOOP} <= {Signal.EMPTY_ON_SPEECH}
    else:
        assert Signal.EMPTY_ON_SPEECH not in given_signals


def test_half_of_a_character_is_a_text_too() -> None:
    assert not loops("\ud83d" * 3 + ZH)
    assert loops("\ud83d" * 20)
