"""Chinese numbers: digits read one by one, and cardinals."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")

CARDINAL_LIMIT = 10**8


def cardinal(value: int, *, liang: bool = False) -> str:
    """Read ``0 <= value < 10**8`` as a cardinal: 1086 is 一千零八十六, 12 is 十二.

    With `liang`, a two before 百, 千 or 万 is 两, as people say of money.
    """
    if not 0 <= value < CARDINAL_LIMIT:
        raise ValueError(f"{value} has no reading here; 0 to {CARDINAL_LIMIT - 1} have")
    high, low = divmod(value, 10_000)
    said = _below_10_000(low) if low or not high else ""
    if high:
        gap = "零" if 0 < low < 1_000 else ""
        said = _below_10_000(high) + "万" + gap + said
    said = said.removeprefix("一") if said.startswith("一十") else said
    return _with_liang(said) if liang else said


def _below_10_000(value: int) -> str:
    if value == 0:
        return DIGITS[0]
    said, gap = "", False
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit:
            said += ("零" if gap and said else "") + DIGITS[digit] + _UNITS[place]
        gap = digit == 0
    return said


def _with_liang(said: str) -> str:
    for unit in "百千":
        said = said.replace("二" + unit, "两" + unit)
    return "两万" + said[2:] if said.startswith("二万") else said
