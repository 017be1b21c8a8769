from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import huidu.demo
from huidu.adapters.engines.onnx_file_test import onnx
from huidu.adapters.engines.sherpa import SherpaEngine, family_of, provider_of
from huidu.core.errors import InvalidError
from huidu.ports import Audio

KIT = Path(huidu.demo.__file__).parent / "kit"
KIT_MODEL = KIT / "models" / "v1"
WENET = {"model_type": "wenet_ctc", "vocab_size": "3", "subsampling_factor": "4"}
TOKENS = "<blk> 0\n你 1\n好 2\n"


def directory(path: Path, metadata: dict[str, str], tokens: str | None = TOKENS, name: str = "model.onnx") -> Path:
    path.mkdir(exist_ok=True)
    (path / name).write_bytes(onnx(metadata))
    if tokens is not None:
        (path / "tokens.txt").write_text(tokens, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        (WENET, "wenet_ctc"),
        ({"model_type": "zipformer2_ctc"}, "zipformer2_ctc"),
        ({**WENET, "model_type": "EncDecCTCModelBPE"}, "nemo_ctc"),
        (
            {"model_type": "paraformer", "vocab_size": "3", "lfr_window_size": "7", "lfr_window_shift": "6"},
            "paraformer",
        ),
        (
            {
                "model_type": "sense_voice_ctc",
                "vocab_size": "3",
                "lfr_window_size": "7",
                "lfr_window_shift": "6",
                "normalize_samples": "0",
            },
            "sense_voice",
        ),
    ],
)
def test_the_metadata_names_the_family(tmp_path: Path, metadata: dict[str, str], family: str) -> None:
    found = family_of(directory(tmp_path, metadata))
    assert found.name == family
    assert tmp_path / "model.onnx" in found.files.values()


def test_encoder_decoder_and_joiner_are_a_transducer(tmp_path: Path) -> None:
    for part in ("encoder", "decoder", "joiner"):
        directory(tmp_path, {}, name=f"{part}-epoch-9.onnx")
        directory(tmp_path, {}, name=f"{part}-epoch-9.int8.onnx")
    found = family_of(tmp_path)
    assert found.name == "transducer"
    assert found.files["joiner"] == tmp_path / "joiner-epoch-9.onnx"


@pytest.mark.parametrize("name", ["model.int8.onnx", "sensible.onnx"])
def test_a_single_model_may_have_another_name(tmp_path: Path, name: str) -> None:
    assert family_of(directory(tmp_path, WENET, name=name)).files["model"] == tmp_path / name


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"there is no model directory .*none"):
        family_of(tmp_path / "none")


def test_a_directory_that_is_no_model_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InvalidError, match=r"is no model directory: it holds holiday.jpg; accepted: tokens.txt with"):
        family_of(tmp_path)


def test_two_models_without_a_name_that_chooses_are_refused(tmp_path: Path) -> None:
    directory(tmp_path, WENET, name="a.onnx")
    directory(tmp_path, WENET, name="b.onnx")
    with pytest.raises(InvalidError, match="is no model directory"):
        family_of(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "refusal"),
    [
        ({}, "says no model_type"),
        ({"model_type": "poetry"}, "unknown model_type in .* 'poetry'; accepted: .*wenet_ctc"),
        ({"model_type": "wenet_ctc", "vocab_size": "3"}, "needs a number 'subsampling_factor'"),
        ({**WENET, "vocab_size": "many"}, "needs a number 'vocab_size'"),
        ({**WENET, "vocab_size": "4"}, "holds 3 tokens, the model beside it needs 4"),
    ],
)
def test_metadata_that_sherpa_would_die_of_is_refused(tmp_path: Path, metadata: dict[str, str], refusal: str) -> None:
    with pytest.raises(InvalidError, match=refusal):
        family_of(directory(tmp_path, metadata))


@pytest.mark.parametrize(
    ("tokens", "refusal"),
    [
        ("", "is empty"),
        ("你 0\n好 1\n们 2\n", "holds no blank; accepted: <blk>, <eps> or <blank>"),
        ("<blk> 0\n你 好 1\n", "line 2: accepted is a token"),
        ("<blk> zero\n", "line 1: accepted is a token"),
        ("<blk> 0\n\n你\n", "line 3: accepted is a token"),
    ],
)
def test_tokens_that_sherpa_would_die_of_are_refused(tmp_path: Path, tokens: str, refusal: str) -> None:
    with pytest.raises(InvalidError, match=refusal):
        family_of(directory(tmp_path, WENET, tokens))


@pytest.mark.parametrize("device", ["", "gpu", "cuda", "cuda:x", "CPU", "cuda:0 "])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(InvalidError, match=r"unknown device .*accepted: cpu, cuda:0"):
        provider_of(device)


def test_a_gpu_is_refused_where_sherpa_would_quietly_use_the_cpu() -> None:
    with pytest.raises(InvalidError, match="cuda:0 needs a sherpa-onnx built with CUDA"):
        provider_of("cuda:0")


def test_a_graph_that_cannot_be_loaded_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="cannot be loaded") as caught:
        SherpaEngine(directory(tmp_path, WENET))
    assert "\n" not in str(caught.value)


needs_kit = pytest.mark.skipif(not KIT_MODEL.is_dir(), reason="the demo kit is not built yet")


@pytest.fixture(scope="module")
def engine() -> SherpaEngine:
    return SherpaEngine(KIT_MODEL)


def kit_audio(count: int) -> list[Audio]:
    from huidu.adapters.audio.soundfile_reader_test import read

    lines = (KIT / "test.tsv").read_text(encoding="utf-8").splitlines()
    paths = [KIT / line.split("\t")[lines[0].split("\t").index("audio")] for line in lines[1 : count + 1]]
    return [read(path.read_bytes()) for path in paths]


@needs_kit
def test_the_text_is_what_sherpa_gives_by_itself(engine: SherpaEngine) -> None:
    import sherpa_onnx

    alone = sherpa_onnx.OfflineRecognizer.from_wenet_ctc(
        model=str(KIT_MODEL / "model.onnx"), tokens=str(KIT_MODEL / "tokens.txt")
    )
    for audio in kit_audio(10):
        stream = alone.create_stream()
        stream.accept_waveform(audio.sample_rate_hz, audio.samples)
        alone.decode_stream(stream)
        assert engine.transcribe(audio, ["热词"]) == stream.result.text != ""


@needs_kit
def test_threads_get_the_same_texts(engine: SherpaEngine) -> None:
    clips = kit_audio(10)
    one_by_one = [engine.transcribe(audio) for audio in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(engine.transcribe, clips)) == one_by_one


@needs_kit
@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161, 1000])
def test_very_short_audio_is_no_error(engine: SherpaEngine, samples: int) -> None:
    text = engine.transcribe(Audio(np.zeros(samples, np.float32), 16_000))
    assert samples >= 160 or text == ""


@needs_kit
def test_every_channel_layout_gives_the_text_of_its_speech(engine: SherpaEngine) -> None:
    from huidu.adapters.audio.soundfile_reader_test import encoded, read

    nothing = np.float32(0)
    for clip in kit_audio(5):
        text, speech = engine.transcribe(clip), clip.samples
        layouts = {
            "the same in both": [speech, speech],
            "opposite phase": [speech, -speech],
            "nearly opposite": [speech, np.float32(-0.7) * speech],
            "5.1, centre": [nothing * speech] * 2 + [speech] + [nothing * speech] * 3,
            "5.1, behind": [nothing * speech] * 5 + [speech],
        }
        heard = {
            name: engine.transcribe(read(encoded(np.stack(channels, axis=1), "WAV", "FLOAT", clip.sample_rate_hz)))
            for name, channels in layouts.items()
        }
        assert heard == dict.fromkeys(layouts, text)
