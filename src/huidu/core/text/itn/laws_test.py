"""Laws over generated speech: what is said, what should be written, both made here with an own reader of numbers."""

import random
from collections.abc import Callable

import pytest
from numbers_said import FIGURES, counted, figures, say

from huidu.core.text.itn import spoken, written
from huidu.core.text.numerals import numeral_errors

Example = tuple[str, str]
CARRIERS = [
    "{}",
    "我想问一下{}对吗",
    "他们说的是{}",
    "请记住，{}。",
    "其中{}已经确认",
    "Hello，{}谢谢",
    "上次{}统一处理",
]


def put(value: int) -> str:
    """An amount as the style wants it: 万 and 亿 stay where nothing but zeros is left below."""
    text = str(value)
    if len(text) <= 4 or not text.endswith("0000"):
        return text
    if text.endswith("0" * 12):
        return text[:-12] + "万亿"
    if text.endswith("0" * 8):
        return text[:-8] + "亿"
    if len(text) > 8 and text[-8] != "0":
        return f"{text[:-8]}亿{text[-8:-4]}万"
    return text[:-4] + "万"


def some_value(rng: random.Random) -> int:
    top: int = 10 ** rng.randint(1, 12)
    value = rng.randrange(top)
    ten: int = 10 ** rng.randint(1, 12)
    return rng.choice([value, value, value - value % min(ten, 10**8), ten])


def quantity(rng: random.Random) -> Example:
    value, unit = some_value(rng), rng.choice(["元", "公里", "公斤", "分钟", "平方米", "美元"])
    return counted(value) + unit, put(value) + unit


def people(rng: random.Random) -> Example:
    value, unit = 10 + some_value(rng), rng.choice(["个用户", "人", "名员工", "件商品"])
    return say(value) + unit, put(value) + unit


def decimal(rng: random.Random) -> Example:
    value, tail = some_value(rng) % 10 ** rng.randint(1, 6), figures(str(rng.randrange(1000)))
    scale, unit = rng.choice(["", "", "万", "亿"]), rng.choice(["元", "公里", "倍", "公斤"])
    tail_digits = "".join(str(FIGURES.index(figure)) for figure in tail)
    return f"{say(value)}点{tail}{scale}{unit}", f"{value}.{tail_digits}{scale}{unit}"


def date(rng: random.Random) -> Example:
    year, month, day = rng.randint(1900, 2099), rng.randint(1, 12), rng.randint(1, 31)
    unit = rng.choice("日号")
    return f"{figures(str(year))}年{say(month)}月{say(day)}{unit}", f"{year}年{month}月{day}{unit}"


def time(rng: random.Random) -> Example:
    part, hour, minute = rng.choice(["上午", "下午", "今晚", "明天早上"]), rng.randint(0, 23), rng.randint(1, 59)
    said, shown = f"{part}{counted(hour)}点", f"{part}{hour}点"
    tails = [("半", "半"), ("整", "整"), ("一刻", "1刻"), ("", "")]
    exact = say(minute) if minute > 9 else "零" + FIGURES[minute]
    tail = rng.choice([*tails, (exact + "分", f"{minute:02d}分"), (exact + "分", f"{minute:02d}分")])
    return said + tail[0], shown + tail[1]


def money(rng: random.Random) -> Example:
    value, dime = rng.randint(1, 99_999), rng.randint(1, 9)
    return rng.choice(
        [
            (f"{counted(value)}块{FIGURES[dime]}", f"{put(value)}块{dime}"),
            (f"{counted(value)}块钱", f"{put(value)}块钱"),
            (f"{counted(value)}元{FIGURES[dime]}角", f"{put(value)}元{dime}角"),
        ]
        if value % 10_000
        else [(f"{say(value)}块钱", f"{put(value)}块钱")]
    )


def percent(rng: random.Random) -> Example:
    value, tail = rng.randint(0, 99), rng.choice(["", str(rng.randint(0, 99))])
    minus, dash = rng.choice([("", ""), ("", ""), ("负", "-")])
    name, sign = rng.choice([("百", "%"), ("千", "‰")])
    said = f"{minus}{name}分之{say(value)}" + ("点" + figures(tail) if tail else "")
    return said, f"{dash}{value}" + ("." + tail if tail else "") + sign


def code(rng: random.Random) -> Example:
    length = rng.choice([3, 4, 6, 8, 11, 18])
    text = "".join(rng.choice("0123456789") for _ in range(length))
    word = rng.choice(["电话是", "验证码", "订单号是", "请拨打", "工号", "密码是", "尾号"])
    return word + figures(text), word + text


def bare_code(rng: random.Random) -> Example:
    text = rng.choice(["1", "4", "9", "0"]) + "".join(rng.choice("0123456789") for _ in range(rng.randint(4, 10)))
    return figures(text), text


def fraction(rng: random.Random) -> Example:
    below, above = rng.choice([2, 3, 4, 5, 10, 12, 20]), rng.randint(1, 9)
    return f"{say(below)}分之{say(above)}", f"{above}/{below}"


def negative(rng: random.Random) -> Example:
    value = rng.randint(3, 40)
    return rng.choice([(f"零下{say(value)}度", f"零下{value}度"), (f"负{say(value)}度", f"-{value}度")])


def score(rng: random.Random) -> Example:
    left, right = rng.randint(0, 9), rng.randint(0, 9)
    return f"比分{FIGURES[left]}比{FIGURES[right]}", f"比分{left}:{right}"


def version(rng: random.Random) -> Example:
    parts = [str(rng.randint(0, 255)) for _ in range(rng.choice([3, 4]))]
    return "点".join(figures(part) for part in parts), ".".join(parts)


def ordinal(rng: random.Random) -> Example:
    value, unit = rng.randint(1, 300), rng.choice(["季度", "章", "页", "次", "名"])
    return f"第{say(value)}{unit}", f"第{value}{unit}"


KINDS: list[Callable[[random.Random], Example]] = [
    quantity, people, decimal, date, time, money, percent, code, bare_code, fraction, negative, score, version, ordinal,
]  # fmt: skip


def generated(kind: Callable[[random.Random], Example]) -> list[Example]:
    rng = random.Random(kind.__name__)
    examples = []
    for _ in range(720):
        said, shown = kind(rng)
        carrier = rng.choice(CARRIERS)
        examples.append((carrier.format(said), carrier.format(shown)))
    return examples


def test_the_reader_reads() -> None:
    assert [say(value) for value in (0, 10, 12, 200, 1086, 10086, 10**12)] == [
        "零", "十", "十二", "两百", "一千零八十六", "一万零八十六", "一万亿",
    ]  # fmt: skip
    assert [say(value) for value in (20_000, 120_000, 10_500_000, 100_500_000)] == [
        "两万", "十二万", "一千零五十万", "一亿零五十万",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_speech_is_written_as_the_oracle_writes_it(kind: Callable[[random.Random], Example]) -> None:
    assert [(said, written(said).text) for said, _ in generated(kind)] == generated(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_spoken_undoes_written(kind: Callable[[random.Random], Example]) -> None:
    said = [said for said, _ in generated(kind)]
    assert [spoken(written(text).text) for text in said] == said


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_both_forms_have_the_same_numerals(kind: Callable[[random.Random], Example]) -> None:
    for said, shown in generated(kind):
        there, back = numeral_errors(said, shown), numeral_errors(shown, said)
        assert (said, there.errors, back.errors) == (said, 0, 0)
        assert there.reference
