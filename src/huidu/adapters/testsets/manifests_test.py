"""Manifests as other tools write them, and the parts of recordings that they name."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.testsets.reader import read_test_set
from huidu.core.formats.keys import Asked
from huidu.core.testset import SetError, TestSet

RATE_HZ = 8000
SECONDS = 4.0
# Every sample tells its place.
SAMPLES = np.arange(int(RATE_HZ * SECONDS), dtype=np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", SAMPLES, RATE_HZ, "PCM_16")
    return tmp_path


def jsonl(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "set.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(found: TestSet) -> dict[str, str]:
    return {each.id: each.text for each in found.utterances}


def problems(path: Path, asked: Asked | None = None) -> list[str]:
    with pytest.raises(SetError) as caught:
        read_test_set(path, asked=asked)
    return [str(each) for each in caught.value.problems]


@pytest.mark.parametrize(
    "rows",
    [
        [{"audio_filepath": "a.wav", "duration": 4.0, "text": "你好"}, {"audio_filepath": "b.wav", "text": "再见"}],
        [{"key": "a", "wav": "a.wav", "txt": "你好"}, {"key": "b", "wav": "b.wav", "txt": "再见"}],
        [{"key": "a", "source": "a.wav", "target": "你好"}, {"key": "b", "source": "b.wav", "target": "再见"}],
        [{"file_name": "a.wav", "transcription": "你好"}, {"file_name": "b.wav", "transcription": "再见"}],
        [{"audio": {"path": "a.wav"}, "sentence": "你好"}, {"audio": {"path": "b.wav"}, "sentence": "再见"}],
        [{"utt": "a", "wav": "a.wav", "text": "你好", "pred_text": "?"}, {"utt": "b", "wav": "b.wav", "text": "再见"}],
    ],
    ids=["NeMo", "wenet", "FunASR", "Hugging Face", "Hugging Face, audio", "with what was heard"],
)  # fmt: skip
def test_json_lines_are_read_as_other_tools_write_them(folder: Path, rows: list[dict[str, object]]) -> None:
    assert texts(read_test_set(jsonl(folder, rows))) == {"a": "你好", "b": "再见"}


def test_common_voice_is_read_with_its_clips(folder: Path) -> None:
    (folder / "clips").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.wav").rename(folder / "clips" / f"{name}.wav")
    (folder / "test.tsv").write_text(
        "client_id\tpath\tsentence_id\tsentence\tup_votes\n17\ta.wav\tx\t你好\t2\n18\tb.wav\ty\t再见\t2\n", "utf-8"
    )
    found = read_test_set(folder / "test.tsv")
    assert texts(found) == {"a": "你好", "b": "再见"}
    assert found.speakers == ("17", "18")
    assert "column sentence_id, up_votes is not read" in str(found.warnings[0])


def test_csv_is_read_with_quotes_and_the_names_of_deepspeech_and_speechbrain(folder: Path) -> None:
    (folder / "set.csv").write_bytes(
        '\ufeffwav_filename,wav_filesize,transcript\r\na.wav,9,"你,好"\r\nb.wav,9,"say ""hi"""\r\n'.encode()
    )
    assert texts(read_test_set(folder / "set.csv")) == {"a": "你,好", "b": 'say "hi"'}
    (folder / "set.csv").write_text("ID,duration,wav,spk_id,wrd\n1,4,a.wav,ann,hello\n")
    (only,) = read_test_set(folder / "set.csv").utterances
    assert (only.id, only.text, only.speaker) == ("1", "hello", "ann")


def test_columns_of_other_names_are_asked_for(folder: Path) -> None:
    path = folder / "set.csv"
    path.write_text("nr,clip,words\n1,a.wav,hello\n")
    (said,) = problems(path)
    assert "no column id, audio, text among its columns (nr, clip, words)" in said
    assert "--id-column NAME --audio-column NAME --text-column NAME" in said
    assert texts(read_test_set(path, asked=Asked("nr", "words", "clip"))) == {"1": "hello"}
    assert "--text-column word is no column" in problems(path, Asked("nr", "word", "clip"))[0]


@pytest.mark.parametrize(
    ("row", "begin", "end"),
    [
        ({"offset": 1.5, "duration": 1.0}, 1.5, 2.5),
        ({"offset": 3}, 3.0, 4.0),
        ({"duration": 0.5}, 0.0, 0.5),
        ({"offset": 1, "duration": 3.4}, 1.0, 4.0),
        ({"offset": "1.25", "duration": "0.25"}, 1.25, 1.5),
    ],
)
def test_of_a_recording_only_the_part_that_is_named_is_heard(
    folder: Path, row: dict[str, object], begin: float, end: float
) -> None:
    (only,) = read_test_set(jsonl(folder, [{"audio": "a.wav", "text": "x", **row}])).utterances
    samples, rate_hz = soundfile.read(only.audio, dtype="int16")
    assert rate_hz == RATE_HZ
    assert samples.tolist() == SAMPLES[int(begin * RATE_HZ) : int(end * RATE_HZ)].tolist()
    assert only.audio_seconds == pytest.approx(end - begin)


@pytest.mark.parametrize("row", [{}, {"offset": 0, "duration": 4.0}, {"duration": 3.97}, {"offset": None}])
def test_a_part_that_is_all_of_a_recording_is_the_recording_itself(folder: Path, row: dict[str, object]) -> None:
    (only,) = read_test_set(jsonl(folder, [{"audio": "a.wav", "text": "x", **row}])).utterances
    assert only.audio == folder / "a.wav"


def test_parts_without_ids_are_called_by_where_they_begin_and_are_the_same_when_read_again(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"audio_filepath": "a.wav", "offset": offset, "duration": 1, "text": str(offset)} for offset in (0, 1, 2.5)
    ]
    path = jsonl(folder, rows)
    first, second = read_test_set(path), read_test_set(path)
    assert list(texts(first)) == ["a", "a@1", "a@2.5"]
    assert [each.audio_sha256 for each in first.utterances] == [each.audio_sha256 for each in second.utterances]
    assert len({each.audio_sha256 for each in first.utterances}) == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"offset": 4}, "the segment begins at 4 s"),
        ({"offset": 2, "duration": 9}, "the segment at 11 s"),
        ({"offset": -1}, "read offset -1 and duration None; accepted: seconds, 0 or more"),
        ({"offset": "x"}, "read offset x"),
        ({"duration": True}, "duration True"),
        ({"duration": 1e-9}, "no samples between"),
        ({"text": None}, "text is missing"),
    ],
)
def test_a_part_that_cannot_be_is_named(folder: Path, row: dict[str, object], said: str) -> None:
    (found,) = problems(jsonl(folder, [{"audio": "a.wav", "text": "x", **row}]))
    assert ":1: " in found
    assert said in found


def test_a_duration_beyond_the_end_is_said_and_the_file_taken_whole(folder: Path) -> None:
    found = read_test_set(jsonl(folder, [{"audio": "a.wav", "text": "x", "duration": 4000}]))
    assert "duration 4000 is beyond the audio's 4 s" in str(found.warnings[0])
    assert found.audio_seconds == SECONDS


def test_other_encodings_and_what_is_no_text_are_named(folder: Path) -> None:
    row = '{"audio": "a.wav", "text": "请拨打一零零八六"}\n'
    path = folder / "set.jsonl"
    for encoding, said in {"gbk": "GBK (GB18030)", "utf-16": "UTF-16", "utf-16-le": "UTF-16LE"}.items():
        path.write_bytes(row.encode(encoding))
        assert f"is {said} text; accepted: UTF-8 (iconv -f " in problems(path)[0]
    path.write_bytes((folder / "a.wav").read_bytes())
    assert "is a binary file" in problems(path)[0]
    path.write_bytes(row.replace("\n", "\r").encode())
    assert "lines end in CR alone" in problems(path)[0]


PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(PLAIN, min_size=1, max_size=4), st.sampled_from(["text", "txt", "target", "sentence", "transcription"]))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_come_back_from_csv_by_any_name(folder: Path, given: list[str], name: str) -> None:
    quoted = [text.replace('"', '""') for text in given]
    rows = [f'{number},a.wav,"{text}"\n' for number, text in enumerate(quoted)]
    (folder / "set.csv").write_text(f"key,wav,{name}\n" + "".join(rows), "utf-8", newline="")
    assert list(texts(read_test_set(folder / "set.csv")).values()) == given
