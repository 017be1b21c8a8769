"""Chinese in simplified characters, by OpenCC's tables and by what they leave to whoever asks.

OpenCC's `t2s` rather than `tw2s`: that one takes 么 for 幺 and 显著 for 显着, which harms texts that are simplified
already. What Taiwan writes in its own way is brought over here.
"""

import re
from functools import cache
from typing import Any

_TAIWAN = str.maketrans("妳牠痺簷祕倣甦", "你它痹檐秘仿苏")
# Traditional characters that simplified texts have too: 乾隆, 慰藉, 瞭望.
_OF_BOTH = frozenset("著乾藉瞭徵夥")
_IN_TAIWAN = re.compile("[妳牠痺簷祕倣甦]")
# 著 is written for 着 in Taiwan. Read zhù it is the same in both scripts: 原著, 显著 (and 彰显着), 论著 (and 谈论着),
# 著名 (and 背着名牌), 著作 (and 接着作答).
_VERBS = "看听说想拿跟接背抱沿随朝向对靠坐站躺走跑笑等忙守照顺戴穿提"
_ZHE = re.compile(
    "(?<=[名原巨专拙遗土卓昭编])著"
    "|(?<=显)(?<![彰凸突]显)著|(?<=译)(?<!翻译)著|(?<=论)(?<![谈讨议争评辩]论)著"
    "|(?<=所)著(?![手急])|(?<=合)著(?![眼嘴])"
    f"|(?<![{_VERBS}])著(?=名|作(?![答业])|称|者|述|录(?![音影])|书立)"
    "|(?P<zhe>著)"
)


def simplified(text: str) -> str:
    """The text in simplified characters, each in its place: the length stays."""
    if text.isascii():
        return text
    text = _by_opencc(text)
    if _IN_TAIWAN.search(text):
        text = text.translate(_TAIWAN)
    return _ZHE.sub(lambda match: "着" if match["zhe"] else match[0], text) if "著" in text else text


def is_simplified(text: str) -> bool:
    """Whether nothing in a text is traditional for certain: what both scripts use, as 著 and 乾, tells nothing."""
    return all(old == new or old in _OF_BOTH for old, new in zip(text, simplified(text), strict=True))


def _by_opencc(text: str) -> str:
    # OpenCC takes UTF-8 only, which halves of surrogate pairs have none of.
    converted: str = _to_simplified().convert(text.encode("utf-8", "replace").decode())
    if len(converted) != len(text):
        converted = "".join(map(_one, text))
    return converted


def _one(character: str) -> str:
    converted: str = _to_simplified().convert(character.encode("utf-8", "replace").decode())
    return converted if len(converted) == 1 else character


@cache
def _to_simplified() -> Any:
    # Its tables take 30 ms and some megabytes to load, and few ask for them.
    from opencc import OpenCC

    return OpenCC("t2s")
