"""What a reader found in a set, before it is checked. Readers go on behind a bad line, so that all are named."""

from dataclasses import dataclass, field
from pathlib import Path

from huidu.core.formats.keys import Asked
from huidu.core.formats.lines import Line, lines_of
from huidu.core.testset import Problem, shown

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".opus", ".ogg", ".mp3", ".m4a"})


@dataclass(frozen=True, slots=True)
class Draft:
    """One utterance as its set gives it.

    `segment` is where in the audio it begins and how long it is, in seconds, 0 for as long as the audio: what else the
    file holds is not heard. `span` is the begin and end that a set claims of audio that is heard whole.
    """

    where: str
    id: str
    audio: Path
    text: str
    speaker: str = ""
    category: str = ""
    span: tuple[float, float] | None = None
    segment: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class Found:
    """`asked` are the columns that somebody named."""

    asked: Asked = field(default_factory=Asked)
    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, where: object, what: str) -> None:
        self.problems.append(Problem(quoted(where), what))

    def warn(self, where: object, what: str) -> None:
        self.warnings.append(Problem(quoted(where), what))


def quoted(path: object) -> str:
    """A path as a message of one line gives it: whole, with what does not print escaped."""
    return "".join(each if each.isprintable() else shown(each) for each in str(path))


def lines(path: Path, found: Found) -> list[Line]:
    """The lines that hold anything, numbered from 1, without their ends and without a byte order mark."""
    if not path.is_file():
        found.refuse(path, "does not exist as a file")
        return []
    return [(at, line) for at, line in lines_of(quoted(path), path.read_bytes(), found.problems) if line.strip()]


def audio_by_name(folders: list[Path]) -> dict[str, list[Path]]:
    """The audio files that lie in these folders, by their names without extension. Missing folders hold none."""
    named: dict[str, list[Path]] = {}
    for folder in folders:
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix.lower() in AUDIO_SUFFIXES and not file.name.startswith("."):
                named.setdefault(file.stem, []).append(file)
    return named


def audio_of(name: str, named: dict[str, list[Path]], where: str, found: Found) -> Path | None:
    """The one audio file of a name; None, with the problem named, where there is not exactly one."""
    files = named.get(name, [])
    if len(files) == 1:
        return files[0]
    if files:
        found.refuse(where, f"several audio files are named {shown(name)}: {', '.join(map(quoted, files))}")
    else:
        suffixes = " ".join(sorted(suffix.removeprefix(".") for suffix in AUDIO_SUFFIXES))
        found.refuse(
            where, f"no audio file is named {shown(name)}; accepted: {suffixes}, beside the set or in audio/ or wav/"
        )
    return None
