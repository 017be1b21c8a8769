"""How the tools of this trade call what a row of a data file holds; `score` and `eval` read the same names.

The names are those of NeMo, wenet, FunASR, Hugging Face, Common Voice, SpeechBrain and DeepSpeech. Of several that a
row has, the first in the table counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from huidu.core.errors import InvalidError
from huidu.core.testset import shown

ID = ("id", "key", "utt", "uttid", "utt_id", "utterance_id", "uid", "segment_id", "audio_id", "sample_id")
AUDIO = (
    *("audio", "audio_filepath", "audio_file", "audio_path", "wav", "wav_path", "wav_filename"),
    *("source", "path", "file_name", "filename", "file"),
)
SAID = ("text", "txt", "target", "sentence", "transcription", "transcript", "reference", "ref", "wrd")
HEARD = ("pred_text", "prediction", "hypothesis", "hyp")
SPEAKER = ("speaker", "speaker_id", "spk", "spk_id", "client_id")
CATEGORY = ("category",)
OFFSET, DURATION = ("offset",), ("duration",)

_MOST_NAMED = 12
_LONGEST_NAME = 60
_NAME_LIKE = re.compile(r"[^\W\d][\w .()/-]{0,39}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The columns that somebody named, None where the known names are to tell."""

    id: str | None = None
    text: str | None = None
    audio: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """For each thing that is read, the names of a file that mean it, those that count first in front."""

    id: tuple[str, ...]
    audio: tuple[str, ...]
    text: tuple[str, ...]
    speaker: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    offset: tuple[str, ...] = ()
    duration: tuple[str, ...] = ()

    @property
    def read(self) -> set[str]:
        """The names that are looked at."""
        chosen = (self.id, self.audio, self.text, self.speaker, self.category, self.offset, self.duration)
        return {names[0] for names in chosen if names}


def columns_of(names: Sequence[str], asked: Asked, heard: bool = False) -> Columns:
    """What the columns (or keys) of a file mean.

    The text is what was said; with `heard` it is what a recogniser heard, where the file tells that apart.
    """
    by_folded: dict[str, list[str]] = {}
    for name in names:
        by_folded.setdefault(_folded(name), []).append(name)

    def named(known: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for each in known for name in by_folded.get(each, ()))

    # Never one name for the other: a row without pred_text among rows that have it was not heard at all.
    text = (heard and named(HEARD)) or named(SAID)
    others = (named(known) for known in (SPEAKER, CATEGORY, OFFSET, DURATION))
    found = Columns(named(ID), named(AUDIO), text, *others)
    chosen = {"id": asked.id, "text": asked.text, "audio": asked.audio}
    return replace(found, **{role: (name,) for role, name in chosen.items() if name is not None and name in names})


def _folded(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).casefold() if len(name) <= _LONGEST_NAME else name


def is_known(name: str) -> bool:
    return _folded(name) in {*ID, *AUDIO, *SAID, *HEARD}


def is_name_like(name: str) -> bool:
    """Whether this could stand in a header: it begins with a letter, and is short."""
    return _NAME_LIKE.fullmatch(name.strip()) is not None


def listed(names: Sequence[str]) -> str:
    """The names of a file's columns as a message of one line gives them."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(map(shown, names[:_MOST_NAMED])) + more


def refuse_unknown(asked: Asked, files: Mapping[str, Sequence[str]]) -> None:
    """Raises `InvalidError` for a column that somebody named and none of the files has (`files`: name to columns)."""
    for option, name in (("id", asked.id), ("text", asked.text), ("audio", asked.audio)):
        if name is not None and not any(name in names for names in files.values()):
            those = "; ".join(f"those of {file}: {listed(names)}" for file, names in files.items())
            raise InvalidError(f"--{option}-column {shown(name)} is no column; accepted: {those or 'none: no columns'}")


def label(value: object) -> str | None:
    """Text or a whole number as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value)


def audio_named(value: object) -> str | None:
    """The path in a row's audio, which Hugging Face wraps into an object; None where there is none."""
    if isinstance(value, dict):
        value = value.get("path")
    return value if isinstance(value, str) and value else None


def id_from_audio(audio: str, offset: float) -> str:
    """The id of a row that names none: the audio's name, and for a segment where it begins, in seconds."""
    stem = PurePath(audio.replace("\\", "/")).stem
    return f"{stem}@{offset:.3f}".rstrip("0").rstrip(".") if offset else stem


def seconds(value: object) -> float | None:
    """A number of seconds, 0 or more, also written as text; 0 for null and for an empty field; else None."""
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if 0 <= read < float("inf") else None
