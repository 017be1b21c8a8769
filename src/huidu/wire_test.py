from dataclasses import replace
from pathlib import Path

import pytest

from huidu.adapters.engines.onnx_file_test import onnx
from huidu.adapters.engines.sherpa import SherpaEngine
from huidu.core.errors import InvalidError
from huidu.core.version import Version
from huidu.wire import check_version, ignored_words, instance_info, make_engine, version_fingerprint


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return Version("v1", model=str(model(tmp_path / "model")))


def model(folder: Path, graph: bytes = b"graph") -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(onnx({"model_type": "zipformer2_ctc"}, graph))
    (folder / "tokens.txt").write_text("<blk> 0\n")
    (folder / "README.md").write_text("not decoded with")
    return folder


def test_the_fingerprint_is_that_of_the_content(version: Version, tmp_path: Path) -> None:
    first = version_fingerprint(version)
    assert len(first) == 64
    assert version_fingerprint(replace(version, name="other", model=str(model(tmp_path / "copy")))) == first
    (tmp_path / "model" / "README.md").write_text("changed")
    assert version_fingerprint(version) == first


def test_all_that_changes_what_is_recognised_changes_the_fingerprint(version: Version, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("灰度\n", encoding="utf-8")
    prints = {
        version_fingerprint(version),
        version_fingerprint(replace(version, model=str(model(tmp_path / "retrained", b"other graph")))),
        version_fingerprint(replace(version, device="cuda:0")),
    }
    assert len(prints) == 3
    # The engine does not honour them: the texts are the same, and so is what stands for them.
    worded = replace(version, hotwords=str(tmp_path / "words.txt"))
    assert version_fingerprint(worded) == version_fingerprint(version)
    assert ignored_words(worded) == "version v1: engine sherpa-onnx ignores hotwords"
    assert ignored_words(version) is None


def test_hotwords_that_an_engine_honours_change_the_fingerprint(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SherpaEngine, "honours", frozenset({"hotwords"}))
    (tmp_path / "words.txt").write_text("灰度\n", encoding="utf-8")
    worded = replace(version, hotwords=str(tmp_path / "words.txt"))
    assert version_fingerprint(worded) != version_fingerprint(version)
    assert ignored_words(worded) is None


def test_what_an_instance_says_of_itself(version: Version) -> None:
    info = instance_info(version)
    assert (info.version, info.engine, info.device, info.model) == ("v1", "sherpa-onnx", "cpu", version.model)


def test_a_version_that_cannot_run_is_refused(version: Version, tmp_path: Path) -> None:
    check_version(version)
    (tmp_path / "latin.txt").write_bytes(b"\xff\xfe")
    for changed, refusal in [
        ({"engine": "parrot"}, "unknown engine 'parrot'"),
        ({"model": None}, "version 'v1' names no model"),
        ({"model": str(tmp_path / "none")}, "there is no model directory"),
        ({"device": "abacus"}, "unknown device 'abacus'"),
        ({"hotwords": str(tmp_path / "latin.txt")}, "is not UTF-8 text"),
    ]:
        with pytest.raises(InvalidError, match=refusal):
            check_version(replace(version, **changed))  # type: ignore[arg-type]
    with pytest.raises(InvalidError, match="unknown engine"):
        make_engine(replace(version, engine="parrot"))
