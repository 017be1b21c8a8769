import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.plain import plain, simplified
from huidu.core.text.script import is_simplified

WIDE = str.maketrans({chr(point): chr(point + 0xFEE0) for point in range(0x21, 0x7F) if chr(point) != ","})
SAID = st.text("你好三十五点半百分之二两万年月", min_size=1, max_size=6)
WORDS = st.lists(
    st.one_of(SAID, st.sampled_from(["iPhone", "C++", "10086", "3.14", "50%", "it's", "2025-03-12", "A.I.", "20~35"])),
    min_size=1,
    max_size=6,
)
LINES = ["00:00:01,000 --> 00:00:02,000", "00:01.000 --> 00:04.000 align:start position:0%"]
LABELS = """
<noise> </b> <br/> <unk> <s> </s> <sos/eos> <spk1> <spk:1> <c.yellow> <噪音> <00:00:01.500> ＜noise＞
<|zh|> <|0.00|> <|NEUTRAL|> <|/zh|> <|en_us|> <|startoftranscript|> <||>
[S01] [laughter] [笑] ［笑］ [SPEAKER_00] [说话人1] [说话人一] [00:01:02] [0.52] [00:01] [00:12.34]
"""
TAGS = [
    *LABELS.split(),
    *("[00:00.000 --> 00:02.000]", "[0.00s -> 2.40s]", "[00:01.5 - 00:02.1]", "[Speaker 1]", "[background noise]"),
    *("<v Roger Bingham>", '<font color="#ffff00">', "[00:00:01 S01]", "[S01 00:00:01]", "[0 --> 480]"),
]
ANY = st.one_of(
    st.text(max_size=30),
    st.text("<>[]|/a一 0.:1->你\u3099か\u0301e…·°C○½①²，,\u200b\ufe0f\n", max_size=30),
    st.lists(
        st.sampled_from([*TAGS, *LINES, "<", ">", "[", "]", "a", "一", " ", "1", "○", "° ", "C", "%"]), max_size=8
    ).map("".join),
)


@settings(deadline=None, max_examples=200)
@given(ANY)
def test_a_plain_text_is_its_own_plain_form(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert once == " ".join(once.split())


def test_any_character_alone_has_a_plain_form_that_stays() -> None:
    points = [*range(0x3400), *range(0xA000, 0xD800), *range(0xE000, 0x10000), *range(0x1F000, 0x1FA00)]
    assert [point for point in points if plain(plain(chr(point))) != plain(chr(point))] == []


@settings(deadline=None)
@given(WORDS)
def test_width_makes_no_difference(words: list[str]) -> None:
    text = " ".join(words)
    assert plain(text.translate(WIDE).replace(" ", "\u3000")) == plain(text)


@settings(deadline=None)
@given(SAID, st.data())
def test_blanks_between_chinese_make_no_difference(said: str, data: st.DataObject) -> None:
    blanks = st.sampled_from(["", " ", "\u3000", "\n", " \u200b ", "\xa0"])
    assert plain("".join(letter + data.draw(blanks) for letter in said)) == plain(said)


@settings(deadline=None)
@given(WORDS, st.sampled_from([*TAGS, *LINES]), st.data())
def test_a_tag_between_words_is_a_blank(words: list[str], tag: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words)))
    beside = data.draw(st.sampled_from([" "] if tag in LINES or tag.startswith("<v ") else ["", " "]))
    before, after = " ".join(words[:at]), " ".join(words[at:])
    assert plain(f"{before}{beside}{tag}{beside}{after}") == plain(f"{before} {after}")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("10⁵和m²和㎡和㎥", "10^5和m^2和m^2和m^3"),
        ("120米²", "120米^2"),
        ("10⁻³", "10^-3"),
        ("H₂O", "H2O"),
        ("½和⅔", "1/2和2/3"),
        ("1½和1 ½", "1又1/2和1又1/2"),
        ("½½", "1/2 1/2"),
        ("①②③", "1 2 3"),
        ("第①步，⒈5", "第1步、1. 5"),
        ("❶❷1️⃣", "1 2 1"),
        ("Ⅲ级", "III级"),
        ("１，２３４", "1、234"),
        ("1,234", "1,234"),
        ("３：３０，５０％，２０～３５，１／２，－５（℃）", "3:30、50%、20~35、1/2、-5(摄氏度)"),
        ("−5和20–35", "-5和20-35"),
        ("39℃和39 °C和100℉", "39摄氏度和39摄氏度和100华氏度"),
        ("It’s", "It's"),
        ("等…5", "等…5"),
        ("二○二四年和○○公司", "二〇二四年和○○公司"),
        ("soft\u00adhyphen, zero\u200bwidth", "softhyphen, zerowidth"),
    ],
)
def test_what_is_one_sign_keeps_its_meaning(text: str, form: str) -> None:
    assert plain(text) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("三 十 5 岁", "三十5岁"),
        ("我 用 iPhone 15", "我用iPhone 15"),
        ("17 18 a 3", "17 18 a 3"),
        ("50 %", "50%"),
        ("3月 -5度", "3月 -5度"),
        ("三<b>十五，17<b>18", "三十五、17 18"),
    ],
)
def test_blanks_go_where_they_part_nothing(text: str, form: str) -> None:
    assert plain(text) == form


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "a<b and c>d",
        "若a<b且c>d",
        "3<x<5",
        "I <3 U",
        "[10086]",
        "[3]",
        "[三十]",
        "[三个人]",
        "[共3人]",
        "[第3章]",
        "[3:2]",
        "[1,234]",
        "[0571-88158198]",
        "[3-5]",
        "[20%]",
        "(笑)",
    ],
)
def test_what_was_said_in_brackets_stays(text: str) -> None:
    assert plain(text) == text


def test_subtitle_files_become_what_was_said() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n你好\n\n2\r\n00:00:03,000 --> 00:00:04,000\n三点\n"
    assert plain(srt) == "你好三点"
    assert plain("WEBVTT\n\n00:01.000 --> 00:04.000 position:0%\n喝 水") == "喝水"


UNITS = "a 一 <a [ < 一␣ <a<b> 1␣ ½ ① ² \u200b --> [0: [0.1 ° ○ 00:00:01␣-->␣ <| <a␣b [a␣ . …"


@pytest.mark.parametrize("unit", UNITS.split(" "))
def test_long_texts_take_time_by_their_length_only(unit: str) -> None:
    text = (unit.replace("␣", " ") * 30_000)[:30_000]
    started = time.process_time()
    plain(text)
    # Some hundredths of a second; a square of the length would take minutes.
    assert time.process_time() - started < 5


# ------------------------------------------------------------------ script


@pytest.mark.parametrize(
    ("traditional", "form"),
    [
        ("臺灣的電話", "台湾的电话"),
        ("看著妳", "看着你"),
        ("拿著書，跟著錄音，接著作答，背著名牌", "拿着书，跟着录音，接着作答，背着名牌"),
        ("顯著，論著，譯著，著錄", "显著，论著，译著，著录"),
        ("討論著，翻譯著，彰顯著", "讨论着，翻译着，彰显着"),
        ("執著，沉著，著急，睡著了", "执着，沉着，着急，睡着了"),
        ("貳拾元，七週年，三隻，裡面，於是", "贰拾元，七周年，三只，里面，于是"),
    ],
)
def test_traditional_characters_become_simplified_ones(traditional: str, form: str) -> None:
    assert simplified(traditional) == form


SIMPLIFIED = """
乾隆 乾坤 瞭望 慰藉 狼藉 沈阳 于是 著名 名著 著作 显著 编著 专著 论著 原著 合著 土著 著称 所著 什么 怎么 幺三八 多么
后来 皇后 头发 发展 钟情 一只 剩余 里面 公里 面条 松树 准备 叶子 范围 系统 台风 复习 重复 干净 干部 树干 斗争 丑时
谷物 山谷 冲击 岳父 出征 宫商角徵羽
"""


@pytest.mark.parametrize("text", SIMPLIFIED.split())
def test_simplified_texts_pass_unharmed(text: str) -> None:
    assert simplified(text) == text
    assert is_simplified(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", True),
        ("hello", True),
        ("藉此机会", True),
        ("看著你", True),
        ("看著妳", False),
        ("于是", True),
        ("於是", False),
    ],
)
def test_what_both_scripts_use_tells_nothing(text: str, told: bool) -> None:
    assert is_simplified(text) == told


@settings(deadline=None)
@given(ANY | st.text("臺灣著妳瀋於乾\0\ud800你a", max_size=20))
def test_the_script_never_changes_a_length(text: str) -> None:
    form = simplified(text)
    assert len(form) == len(text)
    assert simplified(form) == form


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=20))
def test_characters_are_replaced_in_their_places(text: str) -> None:
    assert all(unicodedata.category(new) == "Lo" for new in simplified(text))
