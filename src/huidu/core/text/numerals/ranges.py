"""Numbers that stand beside each other: what is a sign and what is a range, and what the one lends the other."""

import re
from collections.abc import Iterable
from dataclasses import replace

from huidu.core.text.numerals.context import minus_start, unit_end
from huidu.core.text.numerals.numeral import Numeral, Reading

_DASH = re.compile(r" ?(?:-{1,2}|[~—–―]{1,2}|至) ?")
_TO = re.compile(r" ?(?:-{1,2}|[~—–―]{1,2}|[到至]) ?")
_SCORE = re.compile(r"([0-9]{1,2}) ?- ?([0-9]{1,2})")
_MINUS = re.compile(r"(?<![0-9A-Za-z)])-$")
_PLUS_MINUS = re.compile("(?:正负|±|\\+/-)$")
_SCALE = re.compile(r"万亿|[百千]?[万亿]|[百千]|[wWkK%‰]")


def linked(text: str, found: Iterable[Numeral]) -> list[Numeral]:
    """The numerals with their signs, and ranges with what their ends share: 20~35% is 20% to 35%, 3~5万 30000 to 50000.

    A hyphen or a dash behind a number, or behind its unit, is *to*; at the begin, behind other words and behind 到 it
    is a minus.
    """
    done: list[Numeral] = []
    for numeral in found:
        previous = done[-1] if done else None
        gap = _gap(text, previous, numeral) if previous else None
        if previous and gap is not None and _TO.fullmatch(text, gap, numeral.start):
            score = _score(text, previous, numeral)
            if score:
                done[-1] = score
                continue
            done[-1], numeral = _shared(text, previous, numeral, gap)
            done.append(_to(text, gap, numeral))
        else:
            done.append(_signed(text, numeral, previous.end if previous else 0))
    return done


def _to(text: str, gap: int, numeral: Numeral) -> Numeral:
    """The second number of a range, whose 到 is a part of its form where a sign or 至 stands for it."""
    if not _DASH.fullmatch(text, gap, numeral.start):
        return numeral
    start = gap if "至" in text[gap : numeral.start] else numeral.start
    return replace(numeral, start=start, form="到" + numeral.form)


def _score(text: str, low: Numeral, high: Numeral) -> Numeral | None:
    """3-2 is a score as well as a range, and surely one where the second number is the smaller one."""
    surface = _SCORE.fullmatch(text, low.start, high.end)
    if not surface or unit_end(text, high.end) > high.end:
        return None
    pair, key = (surface[1], surface[2]), f"{surface[1]}:{surface[2]}"
    if len(pair[0]) == 2 and len(pair[1]) == 1 and pair[0][1] < pair[1]:
        # 15-6 is 15 to 16.
        whole = pair[0][0] + pair[1]
        return Numeral(((pair[0], whole), pair, (key,)), f"{pair[0]}到{whole}", low.start, high.end)
    if int(pair[0]) > int(pair[1]):
        return Numeral(((key,), pair), key, low.start, high.end)
    return Numeral((pair, (key,)), "到".join(pair), low.start, high.end)


def _gap(text: str, previous: Numeral, numeral: Numeral) -> int:
    """Where what stands between two numbers begins, the unit of the first left out."""
    return min(unit_end(text, previous.end), numeral.start)


def _signed(text: str, numeral: Numeral, least: int) -> Numeral:
    both = _PLUS_MINUS.search(text, least, numeral.start)
    if both:
        return _with_sign(numeral, "±", both.start())
    start = minus_start(text, numeral.start)
    if start is None or start < least:
        dash = _MINUS.search(text, max(0, least - 1), numeral.start)
        start = dash.start() if dash else None
    return numeral if start is None or start < least else _with_sign(numeral, "-", start)


def _with_sign(numeral: Numeral, sign: str, start: int) -> Numeral:
    """Signs belong to single numbers; what may be several has none."""
    readings = tuple(
        (sign + keys[0],) if len(keys) == 1 else keys for keys in numeral.readings if keys[0][0].isdecimal()
    )
    return replace(numeral, readings=readings, form=sign + numeral.form, start=start) if readings else numeral


def _shared(text: str, low: Numeral, high: Numeral, gap: int) -> tuple[Numeral, Numeral]:
    """Both ends of a range, each with what only the other one says."""
    if len(low.keys) > 1 or len(high.keys) > 1:
        return low, high
    one, other = low.keys[0], high.keys[0]
    if gap == low.end:
        if other[-1] in "%‰" and one[-1] not in "%‰":
            return replace(low, readings=((one + other[-1],),), form=low.form + other[-1]), high
        scale = _lent(text, high)
        figures = other[: len(other) - len(scale)]
        if scale and one.isdecimal() and len(figures) >= len(one):
            return replace(low, readings=((one,), (one + scale,))), high
        shortened = "-" in text[gap : high.start] and figures.isdecimal() and len(figures) < len(one)
        if shortened and one.isdecimal() and one[-len(figures) :] < figures:
            # 2019-20 is 2019 to 2020, and 17-8万 170000 to 180000: the second number leaves out what both share.
            whole = one[: -len(figures)] + other
            low = replace(low, readings=((one,), (one + scale,))) if scale else low
            return low, replace(high, readings=(*high.readings, (whole,)))
    if one[-1] in "%‰" and other[-1] not in "%‰" and unit_end(text, high.end) == high.end:
        percent: Reading = (other + one[-1],)
        return low, replace(high, readings=(percent, (other,)), form=high.form + one[-1])
    return low, high


def _lent(text: str, high: Numeral) -> str:
    """The zeros of the scale that ends a written number: those of 万 in 5万."""
    surface = text[high.start : high.end]
    key = high.keys[0]
    figures = surface.rstrip("百千万亿wWkK")
    return key[len(figures) :] if figures.isdecimal() and key.startswith(figures) and figures != surface else ""
