"""What recognisers and annotators put between words that nobody said: tags in angles or brackets, and time stamps.

A tag is a label: letters first, with or without a number behind them, as in <noise>, </b>, [laughter], [笑], <spk1>,
[SPEAKER_00], <font color="red">. What begins with a number is a number that somebody said ([10086], [三十]), unless
it is a time: [00:01:02], [0.52], [00:00.000 --> 00:02.000]. Anything between <| and |> is a tag.
"""

import re
from collections.abc import Callable

_HAN = "\u3007\u3400-\u9fff"
_NUMBER = "零〇一二三四五六七八九十百千万亿两几半廿卅幺俩仨壹贰叁肆伍陆柒捌玖拾佰仟貳參陸萬億兩"
# A label may end in a Chinese digit (说话人一), and has no number before Chinese ([共3人] was said) nor a long one.
_PART = rf"(?:[^\W\d{_NUMBER}]|[{_NUMBER}](?=[]>|/])|\d(?!\d{{3}}|[{_HAN}])|[ |:./'&-])"
_LABEL = rf"[/|]?(?!第)[^\W\d_{_NUMBER}]{_PART}{{0,40}}"
_CLOCK = r"(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_TIME = rf"(?:{_CLOCK}|\d{{1,6}}\.\d{{1,3}})s?"
_TIMES = rf"{_TIME}(?: ?(?:-{{1,2}}>|→|[-~–—,]) ?{_TIME})?"
_SETTINGS = r"(?: (?:align|position|line|size|vertical|region):[A-Za-z0-9%.,-]+)*"
_TAG = re.compile(
    r"<\|[^<>|]{0,40}\|>"
    # Between letters on both sides only one word, for a<b and c>d and a<b且c>d are comparisons.
    rf"|(?=<[\x21-\x3b\x3f-\x7e]+>|<[{_HAN}]+>|(?<![A-Za-z0-9]))<{_LABEL}>|<{_LABEL}>(?![A-Za-z0-9])"
    r"|<[A-Za-z]+ [^<>]{1,60}=[^<>]{1,60}>"
    rf"|\[{_LABEL}\]"
    rf"|<{_TIMES}>|\[ ?{_TIMES}(?: {_LABEL})? ?\]"
    rf"|\[ ?\d{{1,9}} ?-{{1,2}}> ?\d{{1,9}} ?\]"
    rf"|(?<![\d.:,]){_TIME} ?--> ?{_TIME}(?![\d:]){_SETTINGS}"
)
_POSSIBLE = re.compile("[<[]|-->")
_MOST_ROUNDS = 4
_BRACKETS = str.maketrans("<>[]", "    ")


def without_tags(text: str, spaced: Callable[[str], str]) -> str:
    """A blank for each tag, after which `spaced` brings the blanks to their form."""
    for _ in range(_MOST_ROUNDS):
        if not _POSSIBLE.search(text):
            return text
        cleared = _TAG.sub(" ", text)
        if cleared == text:
            return text
        text = spaced(cleared)
    # Tags in tags in tags are nobody's writing. Without their brackets there are none.
    return spaced(text.translate(_BRACKETS)) if _TAG.search(text) else text
