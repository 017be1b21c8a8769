"""A folder of audio files, each with its reference in a .txt file of the same name."""

from pathlib import Path

from huidu.adapters.testsets.found import Draft, Found, audio_by_name, audio_of, lines, quoted


def read_folder(folder: Path, found: Found) -> None:
    """The id is the name without extension. Several lines of a reference are one text with spaces between."""
    named = audio_by_name([folder])
    texts = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix == ".txt" and file.name[0] != "."}
    for name, files in named.items():
        if name not in texts:
            found.refuse(files[0], f"no {quoted(name)}.txt lies beside it; accepted: a reference for each audio file")
    for name, file in texts.items():
        audio = audio_of(name, named, quoted(file), found)
        text = " ".join(line.strip() for _, line in lines(file, found))
        if audio:
            found.drafts.append(Draft(quoted(audio), name, audio, text))
