"""Full-width and compatibility characters as plain ones: Unicode's NFKC, but where that changes what was meant.

10⁵ is 10^5 and not 105, 1½ is 1又1/2 and not 11/2, ①② is 1 2 and not 12, and a full-width comma, which never parts
thousands, is 、. Minus signs and hyphens are all `-`, apostrophes all `'`; — and ~ stay, for they tell more.
"""

import re
import unicodedata

# Zero-width characters, soft hyphens, marks of direction, selectors of variants.
_UNSEEN = "\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
_UNSEEN_RUNS = re.compile(f"[{_UNSEEN}\U000e0000-\U000e0fff]+")
_SIGNS = {
    **dict.fromkeys("，︐﹐", "、"),
    **dict.fromkeys("−‐‑‒–⁃﹣－", "-"),
    **dict.fromkeys("’‘ʼ´＇", "'"),
    **dict.fromkeys("〜∼～", "~"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("…‥⋯︙", "…"),
    "∶": ":",
    "º": "°",
    # Of the keys 1️⃣ and 2️⃣.
    "\u20e3": " ",
    "℃": "摄氏度",
    "℉": "华氏度",
    "㎟": "mm²",
    "㎠": "cm²",
    "㎡": "m²",
    "㎢": "km²",
    "㎣": "mm³",
    "㎤": "cm³",
    "㎥": "m³",
    "㎦": "km³",
    "㎨": "m/s²",
    "㎯": "rad/s²",
}
_TABLE = str.maketrans(_SIGNS)
_DOTS = re.compile(r"\.{2,}")

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ"
_FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"


def _enclosed() -> dict[str, str]:
    """Numbers in circles, with dots, as hours or days: ① ⑵ ⒊ ❹ ㍘ ㏠, and what each means."""
    points = [*range(0x2460, 0x2500), *range(0x3200, 0x3400), *range(0x1F100, 0x1F10B)]
    found = {chr(point): unicodedata.normalize("NFKC", chr(point)) for point in points}
    # Those of the dingbats have no plain form in Unicode, only a value.
    signs = [*map(chr, range(0x2776, 0x2794)), *map(chr, range(0x24EB, 0x2500))]
    found |= {sign: str(int(unicodedata.numeric(sign))) for sign in signs}
    return {sign: form for sign, form in found.items() if any(map(str.isdecimal, form))}


_ENCLOSED = _enclosed()
_NUMBERS = re.compile(f"[{_RAISED}]+|(?P<fraction>(?P<blank>(?<=[0-9]) )?[{_FRACTIONS}])|[{''.join(_ENCLOSED)}]")
# Most texts have none of all these, and to look for them is quicker than to replace them.
_SPECIAL = re.compile(
    f"[{''.join(map(re.escape, _SIGNS))}{_UNSEEN}\U000e0000-\U000e0fff{_RAISED}{_FRACTIONS}"
    "\u2460-\u24ff\u2776-\u2793\u3200-\u33ff\U0001f100-\U0001f10a]"
)


def narrow(text: str) -> str:
    """The text in plain characters. What is plain stays as it is."""
    if text.isascii():
        return _DOTS.sub("…", text) if ".." in text else text
    if _SPECIAL.search(text):
        text = _NUMBERS.sub(_number, _UNSEEN_RUNS.sub("", text).translate(_TABLE))
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
        # Vertical forms of dashes are dashes now.
        text = text.translate(_TABLE)
    return _DOTS.sub("…", text) if ".." in text else text


def _number(match: re.Match[str]) -> str:
    text, sign = match.string, match[0]
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    if sign[0] in _RAISED:
        power = "^" if before.isalnum() or before in (")", "）") else ""
        return power + unicodedata.normalize("NFKC", sign).replace("−", "-")
    if match["fraction"]:
        joint = "又" if match["blank"] or before.isdecimal() else _apart(before)
        return joint + unicodedata.normalize("NFKC", sign.strip()).replace("⁄", "/") + _apart(after)
    return _apart(before) + _ENCLOSED[sign] + _apart(after)


def _apart(beside: str) -> str:
    """A blank beside a number, and beside Chinese digits too, from where it goes later."""
    return " " if beside.isnumeric() else ""
