"""A demo kit: models, recordings with reference text, and what part each plays in the story."""

import csv
import hashlib
import json
import random
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from huidu.core.errors import InvalidError

_HEADER = ["id", "audio", "text", "speaker", "category"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording. `digits` says that its text holds a digit string."""

    id: str
    audio: Path
    text: str
    speaker: str
    category: str

    @property
    def digits(self) -> bool:
        return self.category == "digits"


@dataclass(frozen=True, slots=True)
class Kit:
    """A kit as `demo --kit DIR` takes it."""

    folder: Path
    stable: str
    candidates: tuple[str, str]
    clips: tuple[Clip, ...]

    def model(self, version: str) -> Path:
        return self.folder / "models" / version

    @property
    def versions(self) -> tuple[str, str, str]:
        return (self.stable, *self.candidates)


def shipped() -> Path:
    """The kit that comes with the package."""
    return Path(str(files("huidu.demo").joinpath("kit")))


def read_kit(folder: Path) -> Kit:
    """Raises `InvalidError` that names what is missing."""
    try:
        named = json.loads((folder / "kit.json").read_text(encoding="utf-8"))
        stable, (first, second) = str(named["stable"]), map(str, named["candidates"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidError(
            f"{folder} is no demo kit ({error}); accepted: kit.json with stable and two candidates"
        ) from None
    if len({stable, first, second}) < 3:
        raise InvalidError(f"{folder}/kit.json names a version twice; accepted: a stable version and two candidates")
    kit = Kit(folder.resolve(), stable, (first, second), tuple(_clips(folder / "test.tsv")))
    for version in kit.versions:
        if not (kit.model(version) / "model.onnx").is_file():
            raise InvalidError(
                f"{kit.model(version)} holds no model.onnx; accepted: models/NAME/{{model.onnx,tokens.txt}}"
            )
    return kit


def _clips(path: Path) -> list[Clip]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = next(rows, [])
            found = [row for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidError(f"{path} cannot be read ({error}); accepted: a UTF-8 TSV file") from None
    if header != _HEADER or any(len(row) != len(_HEADER) for row in found) or not found:
        raise InvalidError(f"{path}: accepted: the header {' '.join(_HEADER)} and five fields in each line")
    return [Clip(row[0], (path.parent / row[1]).resolve(), *row[2:]) for row in found]


@dataclass(frozen=True, slots=True)
class Parts:
    """Who gets which recordings: two golden sets, and what users say. Nobody says what a golden set holds."""

    golden: tuple[Clip, ...]
    golden_without_digits: tuple[Clip, ...]
    spoken: tuple[Clip, ...]


def divide(kit: Kit, golden_size: int, chance: random.Random) -> Parts:
    """Draws the golden set at random; the one without digit strings is the rest of the same."""
    shuffled = list(kit.clips)
    chance.shuffle(shuffled)
    golden = tuple(shuffled[:golden_size])
    return Parts(golden, tuple(clip for clip in golden if not clip.digits), tuple(shuffled[golden_size:]))


def write_set(path: Path, clips: tuple[Clip, ...]) -> None:
    """Writes a golden set as control reads it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
        rows.writerow(_HEADER)
        rows.writerows([clip.id, str(clip.audio), clip.text, clip.speaker, clip.category] for clip in clips)


def references(kit: Kit) -> dict[str, str]:
    """What was said, by the SHA-256 of the recording: what a reviewer hears."""
    return {hashlib.sha256(clip.audio.read_bytes()).hexdigest(): clip.text for clip in kit.clips}
