"""Recognises speech with sherpa-onnx. What lies in the model directory says which family of models it is.

sherpa-onnx ends the whole process on tokens or metadata that it does not like, so they are checked here first.
"""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huidu.adapters.engines.onnx_file import read_metadata
from huidu.core.errors import InvalidError, UnavailableError, unknown_name
from huidu.ports import Audio

# Audio shorter than one frame of features has none, on which models fail; nobody says anything in it.
_FRAME_S = 0.01
_BLANKS = frozenset({b"<blk>", b"<eps>", b"<blank>"})
_LFR = ("vocab_size", "lfr_window_size", "lfr_window_shift")
_PARTS = ("encoder", "decoder", "joiner")


@dataclass(frozen=True, slots=True)
class _Kind:
    """A family of single-file models: its name, how sherpa-onnx loads it, and the numbers its metadata must hold."""

    name: str
    factory: str
    numbers: tuple[str, ...] = ("vocab_size", "subsampling_factor")
    argument: str = "model"
    ctc: bool = True


_NEMO = _Kind("nemo_ctc", "from_nemo_ctc")
_SENSE_VOICE = _Kind("sense_voice", "from_sense_voice", (*_LFR, "normalize_samples"), ctc=False)
# By the `model_type` that the exporters write into the file.
_KINDS = {
    "wenet_ctc": _Kind("wenet_ctc", "from_wenet_ctc"),
    "zipformer2_ctc": _Kind("zipformer2_ctc", "from_zipformer_ctc", ()),
    "sense_voice": _SENSE_VOICE,
    "sense_voice_ctc": _SENSE_VOICE,
    "paraformer": _Kind("paraformer", "from_paraformer", _LFR, "paraformer", ctc=False),
    "EncDecCTCModel": _NEMO,
    "EncDecCTCModelBPE": _NEMO,
    "EncDecHybridRNNTCTCBPEModel": _NEMO,
}


@dataclass(frozen=True, slots=True)
class Family:
    """What a model directory holds: the family's name, the files it decodes with, and how sherpa-onnx loads it."""

    name: str
    factory: str
    files: dict[str, Path]
    options: dict[str, str] = field(default_factory=dict)


def family_of(directory: Path) -> Family:
    """Raises `InvalidError`, saying what was found and what is accepted, for what is not a whole model directory."""
    if not directory.is_dir():
        raise InvalidError(f"there is no model directory {directory}; give the one that holds tokens.txt and the model")
    models = sorted(path for path in directory.glob("*.onnx") if path.is_file())
    tokens = directory / "tokens.txt"
    if not models or not tokens.is_file():
        raise _no_model(directory)
    parts = {part: _preferred([path for path in models if part in path.name]) for part in _PARTS}
    if all(parts.values()):
        return _transducer({part: path for part, path in parts.items() if path}, tokens)
    model = _preferred(models)
    if model is None:
        raise _no_model(directory)
    return _single(model, tokens)


def provider_of(device: str) -> str:
    """sherpa-onnx's name of a device; raises `InvalidError` for one that is unknown or that it was built without."""
    found = re.fullmatch(r"cpu|cuda:(\d{1,2})", device)
    if found is None:
        raise unknown_name("device", device, ["cpu", "cuda:0"])
    if device == "cpu":
        return "cpu"
    spec = importlib.util.find_spec("sherpa_onnx")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    # Without it sherpa-onnx would go on quietly on the CPU.
    if not any(path for folder in folders for path in folder.rglob("*onnxruntime_providers_cuda*")):
        raise InvalidError(
            f"device {device} needs a sherpa-onnx built with CUDA, the installed one is not; accepted: cpu"
        )
    if int(found[1]) > 0:
        raise InvalidError(
            f"device {device}: sherpa-onnx takes the first GPU; set CUDA_VISIBLE_DEVICES and give cuda:0"
        )
    return "cuda"


class SherpaEngine:
    """A loaded model. Raises `InvalidError` when the directory or the device is no good.

    Each audio is decoded alone, greedily, with sherpa-onnx's own defaults (but for its dither, see
    `_steady_wenet_ctc`): the text is what it gives by itself.
    No family can honour hotwords in greedy decoding; they are ignored.
    """

    name = "sherpa-onnx"
    honours: frozenset[str] = frozenset()

    def __init__(self, model: Path, device: str = "cpu", num_threads: int = 1) -> None:
        family = family_of(model)
        provider = provider_of(device)
        import sherpa_onnx  # 20 MB of libraries, not needed to check a directory

        steady = family.name == "wenet_ctc"
        create = _steady_wenet_ctc if steady else getattr(sherpa_onnx.OfflineRecognizer, family.factory)
        files = {name: str(path) for name, path in family.files.items()}
        try:
            self._recognizer: Any = create(**files, **family.options, num_threads=num_threads, provider=provider)
        except (RuntimeError, ValueError) as error:
            raise InvalidError(f"the model in {model} cannot be loaded: {_one_line(error)}") from error

    def transcribe(self, audio: Audio, hotwords: Sequence[str] = ()) -> str:
        if audio.seconds < _FRAME_S:
            return ""
        stream = self._recognizer.create_stream()
        try:
            # A list: sherpa reads a numpy array number by number, which takes a third longer.
            stream.accept_waveform(audio.sample_rate_hz, audio.samples.tolist())
            self._recognizer.decode_stream(stream)
        except (RuntimeError, IndexError, MemoryError) as error:
            raise UnavailableError(
                f"sherpa-onnx failed on {audio.seconds:.1f} s of audio: {_one_line(error)}"
            ) from error
        return str(stream.result.text)


def _steady_wenet_ctc(model: str, tokens: str, num_threads: int, provider: str) -> Any:
    """A WeNet CTC model without the random dither that sherpa-onnx 2.0 adds to the samples for this family alone.

    With it the same audio can be heard differently twice, which no comparison of versions should have to bear, and
    a third of the time goes into random numbers. The runtime for Zipformer CTC models takes the same inputs and
    outputs; the samples stay in the range of int16, as WeNet's models expect.
    """
    from sherpa_onnx.lib import _sherpa_onnx as runtime

    return runtime.OfflineRecognizer(
        runtime.OfflineRecognizerConfig(
            feat_config=runtime.FeatureExtractorConfig(
                sampling_rate=16_000, feature_dim=80, normalize_samples=False, dither=0.0
            ),
            model_config=runtime.OfflineModelConfig(
                zipformer_ctc=runtime.OfflineZipformerCtcModelConfig(model=model),
                tokens=tokens,
                num_threads=num_threads,
                debug=False,
                provider=provider,
                model_type="zipformer2_ctc",
            ),
            decoding_method="greedy_search",
        )
    )


def _preferred(paths: list[Path]) -> Path | None:
    """Of several files of one part the full one: `model.onnx`, the only one, the only one that is not int8."""
    named = {path.name: path for path in paths}
    for name in ("model.onnx", "model.int8.onnx"):
        if name in named:
            return named[name]
    full = [path for path in paths if ".int8." not in path.name] or paths
    return full[0] if len(full) == 1 else None


def _transducer(parts: dict[str, Path], tokens: Path) -> Family:
    kinds = {part: read_metadata(path).get("model_type", "") for part, path in parts.items()}
    _check_tokens(tokens, ctc=True, vocab_size=0)
    nemo = kinds["encoder"].startswith("EncDec")
    options = {"model_type": "nemo_transducer"} if nemo else {}
    return Family("transducer", "from_transducer", {**parts, "tokens": tokens}, options)


def _single(model: Path, tokens: Path) -> Family:
    metadata = read_metadata(model)
    model_type = metadata.get("model_type")
    if model_type is None:
        raise InvalidError(f"{model} says no model_type in its metadata; accepted: {', '.join(sorted(_KINDS))}")
    if model_type not in _KINDS:
        raise unknown_name(f"model_type in {model}", model_type, list(_KINDS))
    kind = _KINDS[model_type]
    for name in kind.numbers:
        if not re.fullmatch(r"\d{1,9}", metadata.get(name, "")):
            raise InvalidError(f"{model} of type {model_type} needs a number '{name}' in its metadata")
    vocab_size = int(metadata["vocab_size"]) if "vocab_size" in kind.numbers else 0
    _check_tokens(tokens, kind.ctc, vocab_size)
    return Family(kind.name, kind.factory, {kind.argument: model, "tokens": tokens})


def _check_tokens(tokens: Path, ctc: bool, vocab_size: int) -> None:
    """Refuses tokens on which sherpa-onnx would end the process, or fail at the first text that needs a missing one."""
    symbols: dict[int, bytes] = {}
    for number, line in enumerate(tokens.read_bytes().splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) > 2 or not words[-1].isdigit():
            raise InvalidError(f"{tokens}, line {number}: accepted is a token, a space and its number")
        # A line that holds a number only is the token of the space.
        symbols[int(words[-1])] = words[0] if len(words) == 2 else b" "
    if not symbols:
        raise InvalidError(f"{tokens} is empty; accepted: a token and its number on each line")
    if ctc and not _BLANKS & set(symbols.values()):
        raise InvalidError(f"{tokens} holds no blank; accepted: <blk>, <eps> or <blank>")
    if len(symbols) < vocab_size:
        raise InvalidError(f"{tokens} holds {len(symbols)} tokens, the model beside it needs {vocab_size}")


def _no_model(directory: Path) -> InvalidError:
    names = sorted(path.name for path in directory.iterdir())
    found = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "nothing"
    return InvalidError(
        f"{directory} is no model directory: it holds {found}; accepted: tokens.txt with model.onnx, or with one"
        " encoder, decoder and joiner .onnx"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
