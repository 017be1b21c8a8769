"""Test sets: recordings with reference text, and what makes one fit to judge versions by.

A set is taken whole or refused whole, with everything that is wrong with it: a set that lost a few lines on the
way in would give rates that nobody can compare.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huidu.core.errors import InvalidError

LONGEST_ID = 200
_NAMED = 3
_LISTED = 5
_LONGEST_QUOTE = 60
_NUMBER = re.compile(r"\d+")
_QUOTED = re.compile(r"'[^']*'|\([^()]*\)")
# Noise and speaker marks, alternatives, remarks, and sclite's optional words.
_MARKUP = re.compile(r"<[^<>]+>|\{[^{}]+\}|\[[^\[\]]+\]|\(%[^()]*\)")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording with its reference text (empty for silence); `speaker` and `category` are "" where not given."""

    id: str
    audio: Path
    text: str
    speaker: str
    category: str
    audio_sha256: str
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong or remarkable, and where: a file, a line of it, or a row."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class SetError(InvalidError):
    """A set that is refused. The message names the first problems, `problems` holds them all."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count, left = len(self.problems), len(self.problems) - _NAMED
        first = "; ".join(map(str, self.problems[:_NAMED]))
        more = f"; and {left} more" if left > 0 else ""
        super().__init__(f"{name}: {count} problem{'s' if count > 1 else ''}: {first}{more}")
        self._name = name

    def lines(self) -> list[str]:
        """The message for a terminal, each problem said once: one line, or one for each and how many there are."""
        if len(self.problems) == 1:
            only = str(self.problems[0])
            return [only if only.startswith(self._name) else str(self)]
        return [f"{self._name}: {len(self.problems)} problems:", *grouped(self.problems)]


def grouped(problems: Sequence[Problem]) -> list[str]:
    """A line for each problem, of one kind at most five; then for each kind how many more there are."""
    kinds: dict[str, list[Problem]] = {}
    lines = []
    for problem in problems:
        those = kinds.setdefault(_kind(problem), [])
        those.append(problem)
        if len(those) <= _LISTED:
            lines.append(str(problem))
    for those in kinds.values():
        if (more := len(those) - _LISTED) > 0:
            lines.append(f"and {more} more like that of {those[0].where}, the last at {those[-1].where}")
    return lines


def _kind(problem: Problem) -> str:
    """What is the same in problems that differ in the line, the name and the number only."""
    said, accepted, tail = problem.what.partition("; accepted: ")
    if accepted:
        return _NUMBER.sub("", tail)
    return " ".join(word for word in _QUOTED.sub("", said).split() if word.rstrip(".,:;").isalpha())


@dataclass(frozen=True, slots=True)
class TestSet:
    """Utterances in the order of their set. `warnings` say what was accepted and should be known."""

    __test__ = False  # pytest would take the name for a class of tests

    name: str
    utterances: tuple[Utterance, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def version(self) -> str:
        """12 hex digits of the content: the same wherever the set lies, in whichever format and order."""
        lines = sorted(_canonical(utterance) for utterance in self.utterances)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    @property
    def speakers(self) -> tuple[str, ...]:
        """The named speakers, each once, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances} - {""}))

    @property
    def categories(self) -> tuple[str, ...]:
        """The named categories, each once, sorted."""
        return tuple(sorted({utterance.category for utterance in self.utterances} - {""}))

    @property
    def audio_seconds(self) -> float:
        return sum(utterance.audio_seconds for utterance in self.utterances)


def _canonical(utterance: Utterance) -> str:
    content = (utterance.id, utterance.audio_sha256, utterance.text, utterance.speaker, utterance.category)
    return json.dumps(content)


def shown(text: str) -> str:
    """Text as a message of one line quotes it: what does not print is escaped, what is long is cut."""
    cut = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)


def id_fault(given: str) -> str | None:
    """Why this cannot be the id of an utterance; None where it can."""
    if not given:
        return "the id is empty; accepted: a name for each utterance"
    if len(given) > LONGEST_ID:
        return f"the id '{shown(given)}' has {len(given)} characters; accepted: up to {LONGEST_ID}"
    return text_fault("id", given)


def text_fault(kind: str, given: str) -> str | None:
    """Why this cannot be a reference (or another `kind` of text); None where it can."""
    for at, each in enumerate(given):
        if unicodedata.category(each) in ("Cc", "Cs"):
            kind_of = "control character" if unicodedata.category(each) == "Cc" else "half of a surrogate pair"
            return f"the {kind} holds a {kind_of} (U+{ord(each):04X} at character {at + 1}); accepted: plain text"
    return None


def markup(text: str) -> list[str]:
    """Transcribers' marks in a reference, such as `<noise>`, `{a / b}`, `[laughter]` and `(%uh)`, in their order."""
    return _MARKUP.findall(text)
