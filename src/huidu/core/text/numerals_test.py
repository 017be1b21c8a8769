from hypothesis import given, settings
from hypothesis import strategies as st

from huidu.core.text.errors import ErrorCounts
from huidu.core.text.numerals import number_expressions, numeral_errors

text = st.text(alphabet="请拨打到零一八六千1086 ", max_size=20)


def test_expressions_are_maximal_runs() -> None:
    assert number_expressions("请拨打一零零八六，再按１2 3，或幺三八") == ["一零零八六", "123", "幺三八"]
    assert number_expressions("没有数") == []


def test_another_reading_of_a_number_is_wrong() -> None:
    assert numeral_errors("请拨打一零零八六", "请拨打一千零八十六") == ErrorCounts(1, 1)
    assert numeral_errors("请拨打一零零八六", "请 拨打一零零八六吧") == ErrorCounts(0, 1)


def test_expressions_match_as_multisets() -> None:
    assert numeral_errors("三点到三点半，五个", "五个，三点") == ErrorCounts(1, 3)


def test_extra_numbers_are_not_counted() -> None:
    assert numeral_errors("好的", "好的一二") == ErrorCounts(0, 0)


@settings(deadline=None)
@given(text, text)
def test_errors_lie_between_none_and_all(a: str, b: str) -> None:
    counts = numeral_errors(a, b)
    assert 0 <= counts.errors <= counts.reference == len(number_expressions(a))
    assert numeral_errors(a, a).errors == 0
