"""What can be said against a transcript without knowing what was said.

Each signal is a rule on one transcript; what is usual for a version is compared, never judged alone. Transcripts are
read in their plain form (`plain.py`): tags are nobody's words.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from huidu.core.text.plain import plain

# A stretch that packs so well repeats itself: Whisper's own threshold (openai/whisper, transcribe.py).
_LOOP_RATIO = 2.4
# About what Whisper packs, the text of half a minute. An hour of any honest text packs as well as that.
_STRETCH_CHARACTERS = 400
# Short texts do not pack, however they repeat; there a phrase said so often on end is a loop.
_LOOP_TIMES = 4
_LONGEST_PHRASE = 20
# 好的好的好的好的, 哈哈哈哈 and a number of eight eights are said; so is any telephone number.
_LOOP_LEAST_CHARACTERS = 12

# Fast Chinese speech has about 8 characters a second (Pellegrino et al. 2011), English about 20 with blanks.
_MOST_UNITS_PER_SECOND = 10.0
_LEAST_UNITS_PER_SECOND = 0.3
_LETTERS_PER_UNIT = 2.5
# OK, WiFi and 好 are said in any language.
_FLIP_LEAST_UNITS = 3.0
_FIRST_WIDE = "\u2e80"
_OTHER_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W_]+")
_SCRIPTS = {
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"),
    "en": re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a]+"),
}


class Signal(StrEnum):
    """Something that a good transcript does not show."""

    LOOP = "loops"
    TEXT_ON_SILENCE = "text_on_silence"
    EMPTY_ON_SPEECH = "empty_on_speech"
    LANGUAGE_FLIP = "language_flips"
    RATE_OUTLIER = "rate_outliers"


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known of a recording. `speech_seconds` is None where nobody has looked for speech."""

    audio_seconds: float
    speech_seconds: float | None = None


def signals(text: str, sound: Sound, language: str | None = None) -> frozenset[Signal]:
    """The signals that a transcript gives. `language` is the expected one ("zh", "en"); None expects none.

    A transcript of tags and punctuation alone says nothing: it is empty on speech, and no text on silence.
    """
    spoken_seconds = sound.audio_seconds if sound.speech_seconds is None else sound.speech_seconds
    text = plain(text)
    says_something = _WORD.search(text) is not None
    given = {
        Signal.LOOP: _repeats(text),
        Signal.TEXT_ON_SILENCE: sound.speech_seconds == 0 and says_something,
        Signal.EMPTY_ON_SPEECH: spoken_seconds > 0 and not says_something,
        Signal.LANGUAGE_FLIP: language is not None and _flips(text, language),
        Signal.RATE_OUTLIER: says_something and spoken_seconds > 0 and _rate_outlier(units(text) / spoken_seconds),
    }
    return frozenset(signal for signal, holds in given.items() if holds)


def loops(text: str) -> bool:
    """Whether a text repeats itself as decoders do that are caught in a loop.

    A phrase of up to 20 characters said at least four times on end that fills twelve characters or more, or any
    stretch of 400 characters with len(utf-8) / len(zlib) > 2.4. Blanks, punctuation and case do not count, for
    decoders change them from one round to the next; a text of signs alone (♪♪♪) is looked at as it is.
    """
    return _repeats(plain(text))


def _repeats(text: str) -> bool:
    words = _WORD.findall(text.casefold()) or text.split()
    return _says_again("".join(words)) or any(map(_packs, _stretches(" ".join(words))))


def _says_again(plain: str) -> bool:
    """A phrase of p characters said k times is a run of (k - 1) p characters that equal the one p places before."""
    if len(plain) < _LOOP_LEAST_CHARACTERS or max(Counter(plain).values()) < _LOOP_TIMES:
        return False
    points = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), np.uint32)
    for length in range(1, min(_LONGEST_PHRASE, len(plain) // _LOOP_TIMES) + 1):
        run = max((_LOOP_TIMES - 1) * length, _LOOP_LEAST_CHARACTERS - length)
        if b"\1" * run in (points[length:] == points[:-length]).tobytes():
            return True
    return False


def _stretches(text: str) -> Iterable[str]:
    """The text in pieces, of which the last is a whole one too: what ends a text is where decoders get caught."""
    for start in range(0, len(text) - _STRETCH_CHARACTERS, _STRETCH_CHARACTERS):
        yield text[start : start + _STRETCH_CHARACTERS]
    yield text[-_STRETCH_CHARACTERS:]


def _packs(text: str) -> bool:
    content = text.encode("utf-8", "replace")
    return len(content) > len(zlib.compress(content)) * _LOOP_RATIO


def expects(language: str | None) -> str | None:
    """The language that `flips` can tell of a tag such as `zh-CN` or `EN`; None of any other."""
    plain = (language or "").strip().lower().replace("_", "-").split("-")[0]
    return plain if plain in _SCRIPTS else None


def scripts(text: str) -> dict[str, float]:
    """By language ("zh", "en"): the part of a text's words that its script has, a Chinese character for a word.

    Words and not letters, since whoever mixes languages puts long foreign words into short sentences
    (用Kubernetes部署microservice). Empty for a text that has less than three `units` of letters: it tells nothing.
    """
    return _scripts(plain(text))


def flips(text: str, language: str) -> bool:
    """Whether most of a text is in another script than its language, one that `expects` knows, is written in."""
    return _flips(plain(text), language)


def _flips(text: str, language: str) -> bool:
    return _scripts(text).get(expects(language) or "", 1.0) < 0.5


def _scripts(text: str) -> dict[str, float]:
    if units(filter(str.isalpha, text)) < _FLIP_LEAST_UNITS:
        return {}
    counts = {"zh": sum(map(len, _SCRIPTS["zh"].findall(text))), "en": len(_SCRIPTS["en"].findall(text))}
    for script in _SCRIPTS.values():
        text = script.sub(" ", text)
    whole = sum(counts.values()) + sum(map(_words, _OTHER_LETTERS.findall(text)))
    return {language: count / whole for language, count in counts.items()}


def _words(letters: str) -> int:
    """How many words letters are that stand together, of a script that is not told."""
    wide = sum(map(_FIRST_WIDE.__le__, letters))
    return wide + (wide < len(letters))


def units(text: Iterable[str]) -> float:
    """The length of a text in what is about as long to say: a Chinese character, or two and a half letters."""
    plain = list(filter(str.isalnum, text))
    wide = sum(map(_FIRST_WIDE.__le__, plain))
    return wide + (len(plain) - wide) / _LETTERS_PER_UNIT


def _rate_outlier(units_per_second: float) -> bool:
    return not _LEAST_UNITS_PER_SECOND <= units_per_second <= _MOST_UNITS_PER_SECOND
