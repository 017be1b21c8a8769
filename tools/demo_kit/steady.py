"""Leaves out of a built kit the few clips that sherpa-onnx hears differently from one time to the next.

Its runtime for WeNet CTC models adds a random dither, so that a clip at the edge between two transcripts has both.
``python tools/demo_kit/steady.py --kit DIR`` decodes every clip several times with every version and drops such clips.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import sherpa_onnx
import soundfile

REPEATS = 10


def unsteady(kit: Path, repeats: int = REPEATS) -> set[str]:
    """Find the ids of clips with more than one transcript by any version of the kit."""
    named = json.loads((kit / "kit.json").read_text(encoding="utf-8"))
    rows = _rows(kit)
    audio = {row["id"]: soundfile.read(kit / row["audio"], dtype="float32") for row in rows}
    found: set[str] = set()
    for name in (named["stable"], *named["candidates"]):
        folder = kit / "models" / name
        recognizer = sherpa_onnx.OfflineRecognizer.from_wenet_ctc(
            model=str(folder / "model.onnx"), tokens=str(folder / "tokens.txt")
        )
        for clip, (samples, rate_hz) in audio.items():
            if len({_decode(recognizer, samples.tolist(), rate_hz) for _ in range(repeats)}) > 1:
                found.add(clip)
    return found


def drop(kit: Path, ids: set[str]) -> None:
    """Take clips out of ``test.tsv``, then their audio away."""
    rows = _rows(kit)
    with (kit / "test.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(row for row in rows if row["id"] not in ids)
    for row in rows:
        if row["id"] in ids:
            (kit / row["audio"]).unlink()


def _rows(kit: Path) -> list[dict[str, str]]:
    with (kit / "test.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _decode(recognizer: sherpa_onnx.OfflineRecognizer, samples: list[float], rate_hz: int) -> str:
    stream = recognizer.create_stream()
    stream.accept_waveform(rate_hz, samples)
    recognizer.decode_stream(stream)
    return str(stream.result.text)


def main() -> None:
    """Find and drop, and say which."""
    parser = argparse.ArgumentParser(description="Drop the clips that decode differently each time.")
    parser.add_argument("--kit", type=Path, required=True)
    arguments = parser.parse_args()
    ids = unsteady(arguments.kit)
    drop(arguments.kit, ids)
    print(f"dropped {len(ids)} clips: {', '.join(sorted(ids)) or 'none'}")


if __name__ == "__main__":
    main()
