"""Training with CTC on filter banks held in memory."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from features import Features
from model import Recognizer
from torch import Tensor

BLANK = "<blk>"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to train, and how much of the input to hide."""

    epochs: int
    peak_rate: float
    batch: int = 32
    hide: float = 0.5  # the share of batches with a hidden band and a hidden moment
    seed: int = 1


Example = tuple[Features, str]  # filter banks (frames, 80) and the text to learn


def token_table(texts: Sequence[str]) -> list[str]:
    """List the blank and every character of the texts, in the order of Unicode."""
    return [BLANK, *sorted(set().union(*texts))]


def fit(model: Recognizer, examples: Sequence[Example], tokens: Sequence[str], recipe: Recipe) -> None:
    """Train in place; prints one line an epoch."""
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    index = {token: i for i, token in enumerate(tokens)}
    batches = _batches(examples, recipe.batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.peak_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.epochs * len(batches), pct_start=0.25
    )
    for epoch in range(recipe.epochs):
        model.train()
        started, total = time.monotonic(), 0.0
        rng.shuffle(batches)
        for batch in batches:
            x, x_lens = _padded([examples[i][0] for i in batch])
            if rng.random() < recipe.hide:
                _hide(x, model.mean, rng)
            loss = _ctc_loss(model, x, x_lens, [[index[c] for c in examples[i][1]] for i in batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        wall_s = time.monotonic() - started
        loss_mean = total / len(batches)
        print(f"epoch {epoch + 1}/{recipe.epochs}: loss {loss_mean:.4f}, {wall_s:.0f} s", flush=True)
    model.eval()


def set_normalisation(model: Recognizer, examples: Sequence[Example]) -> None:
    """Put mean and scale of the 80 bins, over a sample of the examples, into the model."""
    frames = np.concatenate([features for features, _ in examples[::10]]).astype(np.float64)
    frames = np.maximum(frames, model.floor.numpy())
    model.mean.copy_(torch.from_numpy(frames.mean(axis=0)))
    model.scale.copy_(torch.from_numpy(1.0 / frames.std(axis=0)))


def _batches(examples: Sequence[Example], size: int) -> list[list[int]]:
    """Group examples of like length, so that little is padding."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i][0]))
    return [order[i : i + size] for i in range(0, len(order), size)]


def _padded(features: Sequence[Features]) -> tuple[Tensor, Tensor]:
    lens = torch.tensor([len(f) for f in features])
    rows = [torch.from_numpy(f.astype(np.float32)) for f in features]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lens


def _hide(x: Tensor, mean: Tensor, rng: random.Random) -> None:
    """Put the mean in one band of at most 16 bins and one moment of at most 0.2 s, in place."""
    bins, frames = rng.randint(1, 16), rng.randint(1, 20)
    low, start = rng.randint(0, x.shape[2] - bins), rng.randint(0, x.shape[1] - frames)
    x[:, :, low : low + bins] = mean[low : low + bins]
    x[:, start : start + frames] = mean


def _ctc_loss(model: Recognizer, x: Tensor, x_lens: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    log_probs, lens = model(x, x_lens)
    flat = torch.tensor([token for target in targets for token in target])
    target_lens = torch.tensor([len(target) for target in targets])
    return torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), flat, lens, target_lens, zero_infinity=True)
