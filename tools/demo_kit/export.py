"""Export to what ``sherpa_onnx.OfflineRecognizer.from_wenet_ctc`` loads."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from features import BINS
from model import SUBSAMPLING, Recognizer

_OPSET = 17
_AXES = {
    "x": {0: "N", 1: "T"},
    "x_lens": {0: "N"},
    "log_probs": {0: "N", 1: "T4"},
    "log_probs_lens": {0: "N"},
}


def export(model: Recognizer, tokens: Sequence[str], folder: Path) -> None:
    """Write ``model.onnx`` (float32) and ``tokens.txt`` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    example = (torch.zeros(1, 200, BINS), torch.tensor([200]))
    with warnings.catch_warnings():
        # The old exporter is enough here: it folds batch norms and needs no further package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model.eval(),
            example,
            str(path),
            opset_version=_OPSET,
            input_names=["x", "x_lens"],
            output_names=["log_probs", "log_probs_lens"],
            dynamic_axes=_AXES,
            dynamo=False,
        )
    kind = {"model_type": "wenet_ctc", "vocab_size": len(tokens), "subsampling_factor": SUBSAMPLING}
    _add_metadata(path, kind)
    lines = (f"{token} {i}\n" for i, token in enumerate(tokens))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def _add_metadata(path: Path, metadata: dict[str, object]) -> None:
    stored = onnx.load(str(path))
    for key, value in metadata.items():
        entry = stored.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.checker.check_model(stored)
    onnx.save(stored, str(path))
