"""The acoustic model: a small convolutional network trained with CTC.

Two convolutions of stride 2 bring 100 frames a second down to 25; residual blocks of a depthwise
convolution and a gated pointwise one look about 1.3 s to either side; a last layer scores tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from features import BINS, floor
from torch import Tensor, nn

SUBSAMPLING = 4
_KERNEL = 9
_STEM_KERNEL = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model: channels, and one dilation for each residual block."""

    channels: int
    dilations: tuple[int, ...]


class Block(nn.Module):
    """Depthwise convolution over time, then a gated pointwise one, added to the input."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = dilation * (_KERNEL - 1) // 2
        self.depthwise = nn.Conv1d(
            channels, channels, _KERNEL, padding=padding, dilation=dilation, groups=channels, bias=False
        )
        self.norm = nn.BatchNorm1d(channels)
        self.gated = nn.Conv1d(channels, 2 * channels, 1)
        self.out = nn.Conv1d(channels, channels, 1, bias=False)
        self.out_norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``(batch, channels, frames)`` to the same shape; `mask` is ``(batch, 1, frames)``."""
        y: Tensor = nn.functional.glu(self.gated(self.norm(self.depthwise(x))), dim=1)
        y = self.dropout(self.out_norm(self.out(y * torch.sigmoid(y))))
        return (x + y) * mask


class Recognizer(nn.Module):
    """Filter banks in, log probabilities of tokens out; token 0 is the blank."""

    floor: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Shape, tokens: int, dropout: float = 0.1) -> None:
        super().__init__()
        width = shape.channels
        self.register_buffer("floor", torch.from_numpy(floor().astype(np.float32)))
        self.register_buffer("mean", torch.zeros(BINS))
        self.register_buffer("scale", torch.ones(BINS))
        self.stem1 = nn.Conv1d(BINS, width, _STEM_KERNEL, stride=2, padding=2)
        self.stem2 = nn.Conv1d(width, width, _STEM_KERNEL, stride=2, padding=2)
        self.blocks = nn.ModuleList(Block(width, dilation, dropout) for dilation in shape.dilations)
        self.head = nn.Conv1d(width, tokens, 1)

    def forward(self, x: Tensor, x_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Score tokens.

        `x` is ``(batch, frames, 80)`` and `x_lens` the frames of each row. Returns log
        probabilities ``(batch, frames / 4, tokens)`` and their lengths. Padding is masked after
        every layer, so that a row scores the same alone and in a batch.
        """
        lens1 = _halved(x_lens)
        lens2 = _halved(lens1)
        y = ((torch.maximum(x, self.floor) - self.mean) * self.scale).transpose(1, 2)
        y = y * _mask(x_lens, y)
        y = torch.relu(self.stem1(y))
        y = y * _mask(lens1, y)
        y = torch.relu(self.stem2(y))
        mask = _mask(lens2, y)
        y = y * mask
        for block in self.blocks:
            y = block(y, mask)
        return self.head(y).transpose(1, 2).log_softmax(dim=2), lens2

    def start_from(self, earlier: Recognizer) -> None:
        """Take over the weights of a model of the same width; of more blocks, the last ones."""
        skipped = len(earlier.blocks) - len(self.blocks)
        for mine, theirs in zip(self.blocks, earlier.blocks[skipped:], strict=True):
            mine.load_state_dict(theirs.state_dict())
        state = earlier.state_dict()
        others = {name: value for name, value in state.items() if not name.startswith("blocks.")}
        self.load_state_dict(others, strict=False)


def _halved(lens: Tensor) -> Tensor:
    return torch.div(lens + 1, 2, rounding_mode="floor")


def _mask(lens: Tensor, like: Tensor) -> Tensor:
    frames = torch.arange(like.shape[2], device=like.device)
    return (frames.unsqueeze(0) < lens.unsqueeze(1)).to(like.dtype).unsqueeze(1)
