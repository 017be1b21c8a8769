"""Sentences as recognisers of several makes put them: what they hear is the same, how they write it is not.

A sentence comes as clauses, a clause as pieces (words and numbers) that none of these styles takes apart but where
said so.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

Clause = Sequence[str]
Style = Callable[[Sequence[Clause], Random], str]

_HAN = "\u4e00-\u9fff〇"
_BESIDE_HAN = re.compile(rf"(?<=[{_HAN}])(?=[^\s{_HAN}])|(?<=[^\s{_HAN}])(?=[{_HAN}])|(?<=[{_HAN}])(?=[{_HAN}])")
TAGS = ("<|zh|><|NEUTRAL|><|Speech|><|withitn|>", "<spk1>", "[S01]", "<|0.00|>", "[00:00.000 --> 00:02.000] ")


def joined(pieces: Sequence[str]) -> str:
    """Without blanks, but for those that keep two foreign words apart."""
    text = ""
    for piece in pieces:
        apart = text[-1:].isascii() and text[-1:].isalnum() and piece[:1].isascii() and not piece[0].isspace()
        text += " " + piece if apart else piece
    return text


def spaced(text: str) -> str:
    """A blank beside each Chinese character, as FunASR's Paraformer, wenet and ESPnet put out their tokens."""
    return _BESIDE_HAN.sub(" ", text)


def traditional(text: str) -> str:
    converted: str = _to_traditional().convert(text)
    return converted


@cache
def _to_traditional() -> Any:
    from opencc import OpenCC

    return OpenCC("s2t")


def plain(clauses: Sequence[Clause], rng: Random) -> str:
    return "，".join(map(joined, clauses))


def funasr(clauses: Sequence[Clause], rng: Random) -> str:
    """Tokens with blanks between them, and no punctuation."""
    return " ".join(spaced(joined(clause)) for clause in clauses)


def funasr_punctuated(clauses: Sequence[Clause], rng: Random) -> str:
    """With its model of punctuation behind it, which knows four marks."""
    return "".join(joined(clause) + rng.choice("，。？、") for clause in clauses)


def sensevoice(clauses: Sequence[Clause], rng: Random) -> str:
    return "<|zh|><|HAPPY|><|Speech|><|withitn|>" + "，".join(map(joined, clauses)) + "。"


def whisper(clauses: Sequence[Clause], rng: Random) -> str:
    """Traditional characters, and English commas."""
    return ", ".join(traditional(joined(clause)) for clause in clauses)


def whisper_segments(clauses: Sequence[Clause], rng: Random) -> str:
    """A time stamp before each clause."""
    return "".join(f"<|{2 * index}.00|>{joined(clause)}<|{2 * index + 2}.00|>" for index, clause in enumerate(clauses))


def kaldi(clauses: Sequence[Clause], rng: Random) -> str:
    """Words apart, as a lexicon has them: now and then within a number."""
    text = " ".join(" ".join(clause) for clause in clauses)
    return _BESIDE_HAN.sub(lambda match: " " if rng.random() < 0.3 else "", text)


def wide(clauses: Sequence[Clause], rng: Random) -> str:
    """Full-width letters, digits and signs; a comma is left, for a full-width one parts clauses and no thousands."""
    text = "，".join(map(joined, clauses))
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" and each != "," else each for each in text)


def tagged(clauses: Sequence[Clause], rng: Random) -> str:
    """A tag wherever one may stand: before each word, and behind the last."""
    return "，".join("".join(rng.choice(TAGS) + piece for piece in [*clause, ""]) for clause in clauses)


STYLES: list[Style] = [
    plain, funasr, funasr_punctuated, sensevoice, whisper, whisper_segments, kaldi, wide, tagged,
]  # fmt: skip
