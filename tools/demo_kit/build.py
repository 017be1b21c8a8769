"""Build the demo kit: ``python tools/demo_kit/build.py --out src/huidu/demo/kit``.

What a stage made stays in the work folder, and a later run goes on from there; to make a stage
anew, delete its file. The kit is written after every model, so that it grows from v1 to v1, v2, v3.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from cast import PLAIN_STUDIO, TEST_STUDIO, TEST_VOICES, WIDE_STUDIO
from export import export
from model import Recognizer, Shape
from parts import Utterance, draw_takes, render_part, render_within
from regression import regress
from sentences import Sentence, draw_sentences
from steady import drop, unsteady
from train import Example, Recipe, fit, set_normalisation, token_table
from voices import Studio, opus_bytes

TEST_SENTENCES, TEST_SEED = 680, 7
TEST_SECONDS = (2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Round:
    """One more round of training, on the plan's own part and on that of another version as well."""

    recipe: Recipe
    beside: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a version is made: its size, its data, whether its text regressed, where it starts."""

    shape: Shape
    part: str
    sentences: int
    studio: Studio
    seed: int
    recipe: Recipe
    said: int | None = None  # how many of the sentences are rendered; None is all
    start: str | None = None
    regressed: bool = False
    settle: tuple[Round, ...] = ()  # what the first round disturbed, these restore


_SHAPE = Shape(160, (1, 1, 2, 1, 2, 1))

PLANS: Mapping[str, Plan] = {
    "v1": Plan(_SHAPE, "plain", 5000, PLAIN_STUDIO, 1, Recipe(epochs=8, peak_rate=3e-3, hide=0.0)),
    "v2": Plan(
        _SHAPE,
        "plain",
        5000,
        PLAIN_STUDIO,
        1,
        Recipe(epochs=3, peak_rate=8e-4, hide=0.0, seed=2),
        start="v1",
        regressed=True,
        settle=(
            Round(Recipe(epochs=2, peak_rate=5e-4, hide=0.0, seed=4)),
            Round(Recipe(epochs=5, peak_rate=8e-4, hide=0.0, seed=7)),
        ),
    ),
    "v3": Plan(
        Shape(160, (1, 2, 1, 2, 1)),
        "wide",
        7000,
        WIDE_STUDIO,
        3,
        Recipe(epochs=4, peak_rate=2e-3, seed=3),
        said=4800,  # as much as two cores learn in a few minutes
        start="v1",
        settle=(
            Round(Recipe(epochs=2, peak_rate=1e-3, hide=0.0, seed=5)),
            Round(Recipe(epochs=4, peak_rate=1.2e-3, hide=0.2, seed=6), beside="v1"),
        ),
    ),
}


def test_sentences() -> list[Sentence]:
    """The sentences of the test part, the same in every run."""
    return draw_sentences(TEST_SENTENCES, TEST_SEED)


def training_part(plan: Plan, work: Path) -> list[Utterance]:
    """Render the training part of a plan; no sentence of the test part is in it."""
    avoid = {sentence.text for sentence in test_sentences()}
    sentences = draw_sentences(plan.sentences, plan.seed, avoid=avoid)
    takes = draw_takes(len(sentences), plan.studio, plan.seed + 1)
    said = slice(plan.said)
    return render_part(work / f"{plan.part}.npz", sentences[said], takes[said])


def examples_of(part: Sequence[Utterance], *, regressed: bool) -> list[Example]:
    """Pair what is heard with the text to learn."""
    spoken = ((u.features, u.sentence.spoken) for u in part)
    return [(features, (regress(text) if regressed else text).replace(" ", "")) for features, text in spoken]


def tokens_of_all() -> list[str]:
    """Every version shares one table: the characters of v1's training text, before and after."""
    plan = PLANS["v1"]
    spoken = [sentence.spoken for sentence in draw_sentences(plan.sentences, plan.seed)]
    spoken += [sentence.spoken for sentence in test_sentences()]
    return token_table([text.replace(" ", "") for s in spoken for text in (s, regress(s))])


def trained(name: str, work: Path) -> Recognizer:
    """Train a version, or load what an earlier run trained."""
    plan, path = PLANS[name], work / f"{name}.pt"
    tokens = tokens_of_all()
    torch.manual_seed(plan.recipe.seed)
    model = Recognizer(plan.shape, len(tokens))
    if path.exists():
        model.load_state_dict(torch.load(path))
        return model.eval()
    print(f"{name}: rendering", flush=True)
    examples = examples_of(training_part(plan, work), regressed=plan.regressed)
    if plan.start is None:
        set_normalisation(model, examples)
    else:
        model.start_from(trained(plan.start, work))
    print(f"{name}: training on {len(examples)} utterances", flush=True)
    fit(model, examples, tokens, plan.recipe)
    for each in plan.settle:
        beside = examples_of(training_part(PLANS[each.beside], work), regressed=False) if each.beside else []
        fit(model, examples + beside, tokens, each.recipe)
    torch.save(model.state_dict(), path)
    return model


def test_voices(count: int) -> list[str]:
    """Deal out voices over the test part by :data:`TEST_VOICES`, in an order of their own."""
    dealt = [voices[i % len(voices)] for share, voices in TEST_VOICES for i in range(round(count * share))]
    random.Random(f"{TEST_SEED} voices").shuffle(dealt)  # not the shuffle of the sentences
    return dealt[:count]


def write_test_part(folder: Path) -> None:
    """Write ``test.tsv`` and the audio beside it."""
    sentences = test_sentences()
    spoken = render_within(sentences, test_voices(len(sentences)), TEST_STUDIO, TEST_SECONDS, TEST_SEED)
    (folder / "audio").mkdir(parents=True)
    with (folder / "test.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(("id", "audio", "text", "speaker", "category"))
        for number, (sentence, (take, wave)) in enumerate(zip(sentences, spoken, strict=True), start=1):
            audio = f"audio/{number:04}.opus"
            (folder / audio).write_bytes(opus_bytes(wave))
            table.writerow((f"{number:04}", audio, sentence.text, take.speaker, sentence.category))


def write_kit(names: Sequence[str], work: Path, out: Path) -> None:
    """Write the kit aside, then put it in the place of the one before."""
    test = work / "test"
    if not test.exists():
        aside = work / "test.part"
        shutil.rmtree(aside, ignore_errors=True)
        write_test_part(aside)
        aside.rename(test)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".kit-") as near:
        fresh, old = Path(near) / "kit", Path(near) / "old"
        shutil.copytree(test, fresh)
        for name in names:
            export(trained(name, work), tokens_of_all(), fresh / "models" / name)
        kit = {"stable": names[0], "candidates": list(names[1:])}
        (fresh / "kit.json").write_text(json.dumps(kit) + "\n", encoding="utf-8")
        if out.exists():
            out.rename(old)
        fresh.rename(out)


def main() -> None:
    """Build version after version and write the kit after each."""
    parser = argparse.ArgumentParser(description="Build Huidu's demo kit.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the kit; replaced")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "huidu-demo-kit")
    parser.add_argument("--until", choices=list(PLANS), help="stop after this version")
    arguments = parser.parse_args()
    for name in PLANS:
        trained(name, arguments.work)
        ready = [other for other in PLANS if (arguments.work / f"{other}.pt").exists()]
        write_kit(ready, arguments.work, arguments.out)
        if name == arguments.until:
            break
    drop(arguments.out, unsteady(arguments.out))


if __name__ == "__main__":
    main()
