import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.errors import ErrorCounts
from huidu.core.text.itn import written
from huidu.core.text.numerals import numeral_errors, numerals
from huidu.core.text.plain import plain

ROOT = Path(__file__).parents[5]


def rows(path: str) -> list[dict[str, str]]:
    with (ROOT / path).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


CASES = rows("tests/data/itn_cases.tsv")
KIT = rows("src/huidu/demo/kit/test.tsv")

text = st.one_of(
    st.text(max_size=30),
    st.text("请拨打到零一二两三六八十百千万亿点分之半块元米个年月日负比几来第周1086.,:/%- ，", max_size=30),
)


def keys(said: str) -> list[str]:
    """The keys of what counts."""
    return [key for numeral in numerals(said) if numeral.counted for key in numeral.keys]


def agree(one: str, other: str) -> bool:
    """Whether each text has all the numbers of the other one."""
    return not numeral_errors(one, other).errors and not numeral_errors(other, one).errors


@pytest.mark.parametrize(
    ("key", "forms"),
    [
        ("10086", ["一零零八六", "幺零零八六", "10086", "１００８６", "1 0 0 8 6", "一万零八十六", "10,086"]),
        ("911", ["九一一", "911", "nine one one", "九百一十一"]),
        ("1086", ["一千零八十六", "1086", "1,086", "one thousand and eighty six"]),
        ("4008001234", ["四零零八零零一二三四", "400-800-1234", "400 800 1234", "400-8001234", "4008001234"]),
        ("13800138000", ["幺三八零零幺三八零零零", "138 0013 8000", "138-0013-8000", "13800138000"]),
        ("057188158198", ["零五七一八八一五八一九八", "0571-88158198"]),
        ("0043", ["零零四三", "0043"]),
        ("5999", ["五千九百九十九", "5,999", "5999", "5999.00"]),
        ("12000", ["一万二", "一万两千", "1.2万", "12000", "1万2", "1万2千", "一点二万"]),
        ("350000000", ["三点五亿", "3.5亿", "三亿五千万", "3亿5000万", "35000万", "350 million"]),
        ("3000000", ["三百万", "3百万", "300万", "3 million", "three million"]),
        ("250", ["两百五", "二百五十", "250"]),
        ("1500", ["一千五", "1千5", "1500"]),
        ("3.5", ["三点五", "3.5", "three point five"]),
        ("13.5", ["十三块五", "13块5", "13.5元", "十三元五角", "十三块五毛", "13块5毛", "13.5块"]),
        ("1.75", ["一米七五", "1米75", "1.75米", "一点七五米"]),
        ("-3.5", ["负三点五", "-3.5", "－3.5"]),
        ("50%", ["百分之五十", "50%", "５０％", "百分之50", "50.0%", "fifty percent"]),
        ("3‰", ["千分之三", "3‰"]),
        ("2/3", ["三分之二", "2/3", "３分之２"]),
        ("3:2", ["三比二", "3:2", "3比2", "３：２"]),
        ("3:30", ["三点半", "三点三十分", "3:30", "3：30", "3点30分", "3点半", "3点30"]),
        ("3:15", ["三点一刻", "3点1刻", "3:15", "三点十五分"]),
        ("9:05", ["九点零五分", "9点05分", "9:05", "09:05", "9点5分"]),
        ("3:00", ["三点整", "3点整", "三点钟", "3点", "3:00"]),
        ("1.2.3", ["一点二点三", "1.2.3"]),
        ("3", ["三个苹果", "3个苹果", "第三季度", "第3季度", "three apples", "三天", "3天", "三。"]),
        ("3", ["三点建议", "3点建议"]),
        ("1", ["一个人", "1个人", "一小时", "1小时"]),
        ("21", ["twenty first", "21st", "第二十一条", "第21条"]),
        ("十来", ["十来个", "10来个"]),
        ("二十几", ["二十几", "20几"]),
        ("几十", ["几十个"]),
    ],
)  # fmt: skip
def test_all_forms_of_a_number_agree(key: str, forms: list[str]) -> None:
    assert [form for form in forms if not agree(form, forms[0]) or not numeral_errors(form, "").reference] == []


WORDS = """
一起去 等一下 一直一定一样 万一 十分感谢 三心二意 七天无理由退货 7天无理由退货 星期三 周3 下周五 双十一 双11 五一假期
三星手机 第一时间 快一点 有一点贵 一块去 千万别 no-one someone twofold first
"""


@pytest.mark.parametrize("said", [*WORDS.split(), "", "no one", "one of them"])
def test_words_are_no_numerals(said: str) -> None:
    assert keys(said) == []


@pytest.mark.parametrize("said", ["二零二五年三月十二日", "2025年3月12日", "2025-03-12", "2025/3/12", "2025年03月12日"])
def test_a_date_is_three_numerals(said: str) -> None:
    assert keys(said) == ["2025", "3", "12"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("请拨打一零零八六吧", [("10086", 3, 8)]),
        ("他请了3.50天，百分之五", [("3.5", 3, 7), ("5%", 9, 13)]),
        ("下午三点半和三分之二", [("3:30", 2, 5), ("2/3", 6, 10)]),
        ("三比二，七八十个", [("3:2", 0, 3), ("70~80", 4, 7)]),
        ("the thirtieth day", [("30", 4, 13)]),
        ("版本一点二点三", [("1.2.3", 2, 7)]),
        ("降价20%-35%", [("20%", 2, 5), ("35%", 6, 9)]),
    ],
)
def test_keys_and_offsets(said: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(numeral.keys[0], numeral.start, numeral.end) for numeral in numerals(said)] == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["spoken"])
def test_both_forms_have_the_same_numerals(case: dict[str, str]) -> None:
    assert agree(case["spoken"], case["written"])


def test_each_number_of_the_demo_kit_is_found() -> None:
    counts = {"digits": 1, "times": 1, "amounts": 1, "plain": 0, "products": 0}
    for row in KIT:
        found = keys(row["text"])
        if row["category"] in counts:
            assert (row["text"], len(found)) == (row["text"], counts[row["category"]])
        elif "星期" in row["text"] or "下周" in row["text"]:
            assert found == []
        else:
            assert (row["text"], 1 <= len(found) <= 3) == (row["text"], True)
        assert agree(row["text"], written(row["text"]).text)
        left = re.sub("(?:星期|下周|这周|周)[一二三四五六日]", "", written(row["text"]).text)
        assert not re.search("[零一二两三四五六七八九十百千]", left)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$45 billion", "$45,000,000,000"),
        ("¥2.5 million", "两百五十万元"),
        ("二零一九到二零二零", "2019-20"),
        ("坐G七一去", "坐G71去"),
        ("编号洞八拐勾", "编号0879"),
        ("三亿五千万", "3.5亿"),
        ("百分之七八十", "70%-80%"),
        ("二零零八年八月", "2008-08"),
        ("他是第三", "他是第3"),
        ("百分之七八", "7%~8%"),
        ("九毛九", "0.99元"),
        ("两毛五", "0.25元"),
        ("十块零五毛", "10.5元"),
        ("十块零五分", "10.05元"),
        ("十减三等于七", "10-3=7"),
        ("差十分九点", "差10分9点"),
        ("二十三十都行", "20 30都行"),
        ("12345678901234567890123456789万", "123456789012345678901234567890000"),
    ],
)
def test_more_ways_to_write_a_number(one: str, other: str) -> None:
    assert agree(one, other)
    assert keys(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("27到28个", "27到8个"),
        ("$45 billion", "$45"),
        ("打勾一二三", "打9123"),
        ("$4 million", "$4 billion"),
        ("12345678901234567890123456789万", "12345678901234567890123456788万"),
    ],
)
def test_numbers_that_were_not_said_are_no_readings(one: str, other: str) -> None:
    assert numeral_errors(one, other).errors


def test_half_an_hour_satisfies_and_is_none() -> None:
    assert not numeral_errors("等0.5小时", "等半小时").errors
    assert not numeral_errors("等半个小时", "等0.5小时").reference
    assert not numeral_errors("等1.5小时", "等一个半小时").errors


def test_another_reading_of_a_number_is_wrong() -> None:
    assert numeral_errors("请拨打一零零八六", "请拨打一千零八十六") == ErrorCounts(1, 1)
    assert numeral_errors("请拨打一零零八六", "请 拨打10086吧") == ErrorCounts(0, 1)


def test_numerals_match_as_multisets() -> None:
    assert numeral_errors("三点到三点半，五个", "五个，三点") == ErrorCounts(1, 3)


def test_extra_numbers_are_not_counted() -> None:
    assert numeral_errors("好的", "好的十二") == ErrorCounts(0, 0)


@settings(deadline=None, max_examples=300)
@given(text, text)
def test_errors_lie_between_none_and_all(a: str, b: str) -> None:
    counts = numeral_errors(a, b)
    assert 0 <= counts.errors <= counts.reference == sum(numeral.size for numeral in numerals(a))
    assert numeral_errors(a, a).errors == 0


@settings(deadline=None, max_examples=300)
@given(text)
def test_numerals_are_in_order_and_disjoint(said: str) -> None:
    end = 0
    for numeral in numerals(said):
        assert end <= numeral.start < numeral.end <= len(plain(said))
        assert numeral.keys
        end = numeral.end


def test_a_one_of_digit_strings_that_stands_alone_is_a_one() -> None:
    assert [numeral.keys[0] for numeral in numerals("幺")] == ["1"]


def test_traditional_characters_and_the_mathematicians_minus_are_read() -> None:
    assert [numeral.keys[0] for numeral in numerals("一萬兩千元，三點半，−5度")] == ["12000", "3:30", "-5"]
