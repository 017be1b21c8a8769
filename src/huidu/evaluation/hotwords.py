"""Files of hotwords: a word on each line, with or without FunASR's weight. Pure: takes what the file holds."""

import re
from dataclasses import dataclass

from huidu.core.formats.lines import Line, lines_of
from huidu.core.testset import Problem, SetError, shown

# 阿里巴巴 20 (FunASR), also with a tab; 阿里巴巴:20 and 阿里巴巴 :2.5 (sherpa-onnx). 3:30 is a time.
_WEIGHTED = re.compile(r"(?P<word>.*[^\s:：])(?:\s*(?<!\d)(?<!\d\s)[:：]\s*|\s+)[+-]?\d+(?:\.\d+)?")
_TABBED = re.compile(r"(?P<word>[^\t]*[^\t\s])[ ]*\t\s*[+-]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Hotwords:
    """The words, each once, and what was read otherwise than one might think."""

    words: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def hotwords(name: str, content: bytes) -> Hotwords:
    """The words of a file, without their weights. Raises `SetError` for a file that is no UTF-8 text.

    A number behind a tab is a weight. Behind a blank or a colon it is one where every line ends so and the words
    without it are all different; else it belongs to the word, as in iPhone 15.
    """
    problems: list[Problem] = []
    lines = [(number, line.strip()) for number, line in lines_of(name, content, problems) if line.strip()]
    if problems:
        raise SetError(name, problems)
    tabbed = [_TABBED.fullmatch(line) for _, line in lines]
    if any(tabbed):
        words = [read["word"].strip() if read else line for read, (_, line) in zip(tabbed, lines, strict=True)]
        return Hotwords(tuple(dict.fromkeys(words)))
    return _by_blank(name, lines)


def _by_blank(name: str, lines: list[Line]) -> Hotwords:
    read = [_WEIGHTED.fullmatch(line) for _, line in lines]
    whole = tuple(dict.fromkeys(line for _, line in lines))
    words = [each["word"].strip() for each in read if each]
    if not words:
        return Hotwords(whole)
    example, bare = whole[0], words[0]
    if len(words) == len(lines) and len(set(words)) == len(whole):
        said = f"{name}: the number that ends each line is taken for its weight ('{shown(example)}' is '{shown(bare)}')"
        return Hotwords(tuple(dict.fromkeys(words)), (said,))
    ends = next(line for (_, line), each in zip(lines, read, strict=True) if each)
    said = (
        f"{name}: a number that ends a line is taken for a part of the word ('{shown(ends)}'): not every line has one, "
        "or words differ in it alone; a weight stands behind a tab"
    )
    return Hotwords(whole, (said,))
