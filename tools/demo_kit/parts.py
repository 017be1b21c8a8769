"""Parts of the data: sentences said by takes, rendered by all cores and kept in a work folder."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from features import Features, fbank
from sentences import Sentence
from voices import SAMPLE_RATE_HZ, Studio, Take, Wave, render


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence, the take that says it, and what a recogniser sees of it."""

    sentence: Sentence
    take: Take
    features: Features  # (frames, 80)


def draw_takes(count: int, studio: Studio, seed: int) -> list[Take]:
    """Draw `count` takes."""
    rng = random.Random(seed)
    return [studio.draw(rng) for _ in range(count)]


def render_part(path: Path, sentences: Sequence[Sentence], takes: Sequence[Take]) -> list[Utterance]:
    """Render each sentence by its take, or read what an earlier run left at `path`."""
    if not path.exists():
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            features = list(pool.map(_features, sentences, takes, chunksize=16))
        _save(path, [Utterance(*row) for row in zip(sentences, takes, features, strict=True)])
    return _load(path)


def render_within(
    sentences: Sequence[Sentence],
    voices: Sequence[str],
    studio: Studio,
    seconds: tuple[float, float],
    seed: int,
) -> list[tuple[Take, Wave]]:
    """Render each sentence in its voice, drawing takes until one lasts as long as wanted."""
    jobs = [(s, v, studio, seconds, seed + i) for i, (s, v) in enumerate(zip(sentences, voices, strict=True))]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_within, jobs, chunksize=16))


def _within(job: tuple[Sentence, str, Studio, tuple[float, float], int]) -> tuple[Take, Wave]:
    sentence, voice, studio, (shortest_s, longest_s), seed = job
    rng = random.Random(seed)
    for _ in range(100):
        take = studio.draw(rng, voice)
        wave = render(sentence.spoken, take)
        if shortest_s <= wave.size / SAMPLE_RATE_HZ <= longest_s:
            return take, wave
    raise ValueError(f"no take of {sentence.text!r} lasts {shortest_s} to {longest_s} s")


def _features(sentence: Sentence, take: Take) -> Features:
    return fbank(render(sentence.spoken, take))


def _save(path: Path, part: Sequence[Utterance]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    with aside.open("wb") as file:
        np.savez(
            file,
            frames=np.concatenate([u.features for u in part]),
            lengths=np.array([len(u.features) for u in part]),
            rows=np.array([json.dumps([asdict(u.sentence), asdict(u.take)]) for u in part]),
        )
    aside.rename(path)


def _load(path: Path) -> list[Utterance]:
    with np.load(path) as stored:
        frames, lengths, rows = stored["frames"], stored["lengths"], stored["rows"]
    pieces = np.split(frames, np.cumsum(lengths)[:-1])
    pairs = [json.loads(str(row)) for row in rows]
    return [
        Utterance(Sentence(**sentence), Take(**take), piece)
        for (sentence, take), piece in zip(pairs, pieces, strict=True)
    ]
