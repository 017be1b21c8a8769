import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.adapters.testsets.reader import read_test_set
from huidu.core.errors import InvalidError
from huidu.core.testset import SetError, TestSet


class Said(NamedTuple):
    """One utterance of a set to be written."""

    id: str
    text: str
    speaker: str = ""


NOBODY = [Said("1", "您好 <noise> 请讲"), Said("2", "10086"), Said("10", "")]
SPEAKERS = [Said("ann-1", "一零零八六", "ann"), Said("ann-2", "", "ann"), Said("bob-1", "hello {a / b}", "bob")]
TABLE = (
    "CREATE TABLE recognition_history (id INTEGER PRIMARY KEY, file_path TEXT, corrected_text TEXT, deleted_at TEXT, "
    "unit TEXT, user_key TEXT)"
)


def write_audio(folder: Path, said: list[Said], under: str = "") -> None:
    (folder / under).mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(said):
        samples = 0.1 * np.sin(np.arange(1600 * (number + 1)) / 9)
        soundfile.write(folder / under / f"{each.id}.wav", samples, 16_000)


def tsv(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said)
    rows = [
        ["id", "audio", "text", "speaker"],
        *([each.id, f"{each.id}.wav", each.text, each.speaker] for each in said),
    ]
    (folder / "set.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "set.tsv"


def other_tsv(folder: Path, said: list[Said]) -> Path:
    """Other order of columns, a byte order mark, Windows line ends, an empty line."""
    write_audio(folder, said, "audio")
    rows = [["text", "speaker", "category", "audio", "id"]]
    rows += [[each.text, each.speaker, "", f"audio/{each.id}.wav", each.id] for each in reversed(said)]
    content = "\r\n".join(["\t".join(row) for row in rows] + ["", ""])
    (folder / "set.txt").write_text(content, encoding="utf-8-sig", newline="")
    return folder / "set.txt"


def jsonl(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said)
    rows = [{"id": each.id, "audio": f"{each.id}.wav", "text": each.text, "speaker": each.speaker} for each in said]
    (folder / "set.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "set.jsonl"


def nemo(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said)
    rows = [
        {
            "audio_filepath": str(folder / f"{each.id}.wav"),
            "text": each.text,
            "duration": 0.1 * number,
            "speaker": each.speaker,
        }
        for number, each in enumerate(said, start=1)
    ]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "manifest.json").write_text("\n".join(lines), encoding="utf-8")
    return folder / "manifest.json"


def kaldi(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said, "wav")
    (folder / "wav.scp").write_text("".join(f"{each.id} wav/{each.id}.wav\n" for each in said))
    (folder / "text").write_text("".join(f"{each.id} {each.text}\n" for each in said), encoding="utf-8")
    if any(each.speaker for each in said):
        (folder / "utt2spk").write_text("".join(f"{each.id} {each.speaker}\n" for each in said))
    return folder


def trn(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said, "audio")
    lines = [";; a remark", *(f"{each.text} ({each.id})" for each in said)]
    (folder / "ref.trn").write_text("\n".join(lines), encoding="utf-8")
    return folder / "ref.trn"


def stm(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said, "wav")
    lines = [
        f"{each.id} 1 {each.speaker} 0.0 {0.1 * (number + 1):.2f} <o,f0,{each.speaker}> {each.text}"
        for number, each in enumerate(said)
    ]
    (folder / "ref.stm").write_text("\n".join([";; a remark", *lines]), encoding="utf-8")
    return folder / "ref.stm"


def folder_of_text(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said)
    for each in said:
        (folder / f"{each.id}.txt").write_text(each.text + "\n", encoding="utf-8")
    return folder


def history(folder: Path, said: list[Said]) -> Path:
    write_audio(folder, said)
    with closing(sqlite3.connect(folder / "history.db")) as connection, connection:
        connection.execute(TABLE)
        for each in said:
            row = (int(each.id), f"{each.id}.wav", each.text)
            connection.execute("INSERT INTO recognition_history VALUES (?, ?, ?, NULL, NULL, NULL)", row)
        connection.execute("INSERT INTO recognition_history VALUES (90, '1.wav', NULL, NULL, NULL, NULL)")
        connection.execute("INSERT INTO recognition_history VALUES (91, '1.wav', 'x', '2026-01-01', NULL, NULL)")
    return folder / "history.db"


Write = Callable[[Path, list[Said]], Path]


def test_a_set_without_speakers_is_the_same_in_every_format_that_can_hold_it(tmp_path: Path) -> None:
    writers: list[Write] = [tsv, other_tsv, jsonl, nemo, kaldi, trn, folder_of_text, history]
    sets = [read_test_set(write(tmp_path / write.__name__, NOBODY)) for write in writers]
    for found in sets:
        assert {each.id: each.text for each in found.utterances} == {each.id: each.text for each in NOBODY}
        assert found.speakers == ()
        assert found.audio_seconds == pytest.approx(0.6)
    assert len({found.version for found in sets}) == 1


def test_a_set_with_speakers_is_the_same_in_every_format_that_can_hold_it(tmp_path: Path) -> None:
    writers: list[Write] = [tsv, other_tsv, jsonl, nemo, kaldi, trn, stm]
    sets = [read_test_set(write(tmp_path / write.__name__, SPEAKERS)) for write in writers]
    for found in sets:
        assert {Said(each.id, each.text, each.speaker) for each in found.utterances} == set(SPEAKERS)
        assert found.speakers == ("ann", "bob")
    assert len({found.version for found in sets}) == 1


def test_a_set_is_the_same_wherever_it_lies_and_its_audio_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tsv(tmp_path / "here", SPEAKERS)
    first = read_test_set(path)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    second = read_test_set(Path("set.tsv"), "moved")
    assert (first.name, second.name) == ("set", "moved")
    assert first.version == second.version
    assert all(each.audio.is_absolute() and each.audio.is_file() for each in second.utterances)


def test_a_set_is_named_after_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kaldi(tmp_path / "calls.may", NOBODY)
    monkeypatch.chdir(tmp_path / "calls.may")
    assert read_test_set(Path()).name == "calls.may"


def test_markup_is_a_warning_and_never_a_problem(tmp_path: Path) -> None:
    found = read_test_set(tsv(tmp_path, SPEAKERS))
    assert [str(each) for each in found.warnings] == [
        f"{tmp_path}/set.tsv:4: the reference of bob-1 holds markup: {{a / b}}"
    ]


PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)


@given(st.lists(PLAIN, min_size=1, max_size=4), PLAIN, PLAIN)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_come_back_as_they_were_written(tmp_path: Path, texts: list[str], speaker: str, category: str) -> None:
    write_audio(tmp_path, [Said("a", "")])
    columns = ("id", "audio", "text", "speaker", "category")
    rows = [(str(number), "a.wav", text, speaker, category) for number, text in enumerate(texts)]
    (tmp_path / "set.tsv").write_text("".join("\t".join(row) + "\n" for row in [columns, *rows]), "utf-8", newline="")
    objects = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "set.jsonl").write_text("".join(objects), "utf-8", newline="")
    for name in ("set.tsv", "set.jsonl"):
        found = read_test_set(tmp_path / name)
        assert [each.text for each in found.utterances] == texts
        assert {(each.speaker, each.category) for each in found.utterances} == {(speaker, category)}


def problems(path: Path) -> list[str]:
    """All problems of a set, with the folder left out."""
    with pytest.raises(SetError) as caught:
        read_test_set(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: {len(caught.value.problems)} problem")
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.problems]


def test_every_bad_line_of_a_tsv_is_named_at_once(tmp_path: Path) -> None:
    write_audio(tmp_path, [Said("a", "")])
    (tmp_path / "cut.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-9])
    (tmp_path / "garbage.wav").write_bytes(b"garbage" * 99)
    lines = [
        b"id\taudio\ttext",
        b"a\ta.wav\tgood",
        b"a\ta.wav\ttwice",
        b"b\ta.wav",
        b"c\tnone.wav\tx",
        b"d\tcut.wav\tx",
        b"e\tgarbage.wav\tx",
        b"f\ta.wav\t\xff",
        b"g\x07\ta.wav\tx",
        b"h\ta.wav\tnul \x00",
        b"i" * 201 + b"\ta.wav\tx",
        b"\ta.wav\tx",
        b"j\t\tx",
    ]
    (tmp_path / "set.tsv").write_bytes(b"\n".join(lines))
    found = problems(tmp_path / "set.tsv")
    expected = {
        "set.tsv:3": "a stands twice (first: ",
        "set.tsv:4": "read 2 fields; accepted: 3",
        "set.tsv:5": "none.wav does not exist",
        "set.tsv:6": "cut.wav is cut short",
        "set.tsv:7": "garbage.wav cannot be read as audio",
        "set.tsv:8": f"byte {len(b' '.join(lines[:7])) + 9} (0xff) is not UTF-8",
        "set.tsv:9": "control character (U+0007",
        "set.tsv:10": "control character (U+0000",
        "set.tsv:11": "201 characters; accepted: up to 200",
        "set.tsv:12": "the id is empty",
        "set.tsv:13": "no audio is named",
    }
    for where, what in expected.items():
        assert [each for each in found if each.startswith(f"{where}: ") and what in each], (where, found)
    assert len(found) == len(expected)


def test_bytes_are_counted_from_the_start_of_the_file(tmp_path: Path) -> None:
    content = "\ufeffid\taudio\ttext".encode()
    (tmp_path / "set.tsv").write_bytes(content + b"\xfe\r\n")
    assert f"byte {len(content)} (0xfe)" in problems(tmp_path / "set.tsv")[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"id\taudio\ttext\n", "is empty"),
        (b"id\taudio\n", "no column text"),
        (b"name\tpath\n1\t2\n", "no column text among its columns (name, path)"),
        (b"a\tb\n1\t2\n", "no column id, audio, text among its columns (a, b)"),
        (b"id\taudio\ttext\ttext\n", "stands twice"),
        ("id\taudio\ttext".encode("utf-16"), "is UTF-16"),
    ],
)
def test_a_tsv_without_its_header_or_content_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "set.tsv").write_bytes(content)
    assert said in " ".join(problems(tmp_path / "set.tsv"))


def test_columns_that_are_not_read_are_said(tmp_path: Path) -> None:
    write_audio(tmp_path, [Said("a", "")])
    (tmp_path / "set.tsv").write_text("id\taudio\ttext\tspeakr\na\ta.wav\tx\tann\n")
    assert "speakr is not read" in str(read_test_set(tmp_path / "set.tsv").warnings[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("1" * 5000, "no JSON"),
        ("[1]", "read a JSON list"),
        ('{"id": "a", "text": "x"}', "no audio is named"),
        ('{"id": "a", "audio": 1, "text": "x"}', "no audio is named"),
        ('{"id": "a", "audio": "a.wav"}', "text is missing"),
        ('{"id": null, "audio": "a.wav", "text": 1, "speaker": []}', "id, text, speaker is missing"),
        ('{"id": "a", "audio": "a.wav", "text": "\\ud800"}', "surrogate"),
        ('{"id": "a", "audio": "a.wav", "text": "a\\nb"}', "control character"),
        ('{"id": "a", "audio": "a\\u0000.wav", "text": "x"}', "a\\x00.wav is no path"),
        ('{"audio_filepath": "a.wav", "offset": 3.5, "text": "x"}', "the segment begins at 3.5 s"),
    ],
)
def test_a_bad_object_is_named(tmp_path: Path, line: str, said: str) -> None:
    write_audio(tmp_path, [Said("a", ""), Said("b", "")])
    (tmp_path / "set.jsonl").write_text('{"id": 7, "audio": "b.wav", "text": "good", "speaker": 0}\n\n' + line)
    found = problems(tmp_path / "set.jsonl")
    assert len(found) == 1
    assert found[0].startswith("set.jsonl:3: ")
    assert said in found[0]


def test_ids_on_one_side_of_a_kaldi_folder_are_named(tmp_path: Path) -> None:
    path = kaldi(tmp_path / "data", SPEAKERS)
    (path / "wav.scp").write_text("ann-1 wav/ann-1.wav\nann-2 wav/ann-2.wav\nann-2 again.wav\nnew none.wav\nbare\n")
    found = problems(path)
    for said in (
        "wav.scp:3: the id ann-2 stands twice",
        "wav.scp:4: new is not in text",
        "wav.scp:4: new is not in utt2spk",
        "text:3: bob-1 is not in wav.scp",
        "utt2spk:3: bob-1 is not in wav.scp",
        "wav.scp:5: bare names no audio",
    ):
        assert [each for each in found if said in each], (said, found)


def test_commands_and_segments_of_kaldi_are_refused_and_nothing_is_run(tmp_path: Path) -> None:
    path = kaldi(tmp_path / "data", NOBODY)
    ran = tmp_path / "ran"
    (path / "wav.scp").write_text(f"1 touch {ran} |\n2 wav/2.wav\n10 | touch {ran}\n")
    (path / "segments").write_text("1 1 0.0 0.5\n")
    found = problems(path)
    assert "segments are not accepted" in found[0]
    assert ["which is not run" in each for each in found[1:]] == [True, True]
    assert not ran.exists()


def test_a_kaldi_folder_without_its_other_file_is_refused(tmp_path: Path) -> None:
    path = kaldi(tmp_path / "data", NOBODY)
    (path / "text").unlink()
    assert "data/text: does not exist as a file" in problems(path)[0]


def test_lines_of_a_trn_without_id_or_audio_are_named(tmp_path: Path) -> None:
    path = trn(tmp_path, NOBODY)
    shutil.copy(tmp_path / "audio" / "2.wav", tmp_path / "2.flac")
    path.write_text("good (1)\ntwo (2)\nno id\nno audio (7)\nagain (1)\n")
    found = problems(path)
    for said in (
        "ref.trn:2: several audio files are named 2: ",
        "ref.trn:3: no id in 'no id'",
        "ref.trn:4: no audio file is named 7",
        "ref.trn:5: the id 1 stands twice",
    ):
        assert [each for each in found if each.startswith(said)], (said, found)
    assert len(found) == 4


def test_an_stm_is_accepted_with_one_segment_for_each_file(tmp_path: Path) -> None:
    write_audio(tmp_path, [Said(name, "") for name in "abcd"])
    lines = ["a 1 ann 0 0.1 x", "b 1 ann 0 0.1 x", "b 1 ann 0.1 0.2 y", "c 1 ann 0.3 0.2 z", "c", "d A bob 0 nan x"]
    (tmp_path / "ref.stm").write_text("\n".join(lines))
    found = {each.split(":")[1]: each for each in problems(tmp_path / "ref.stm")}
    assert sorted(found) == ["2", "4", "5", "6"]
    assert "the file b has 2 segments" in found["2"]
    assert "read the times 0.3 and 0.2" in found["4"]


def test_a_segment_that_is_not_to_be_scored_is_refused(tmp_path: Path) -> None:
    write_audio(tmp_path, [Said("a", "")])
    (tmp_path / "ref.stm").write_text("a 1 ann 0 0.1 <o,,> IGNORE_TIME_SEGMENT_IN_SCORING\n")
    assert "is not to be scored" in problems(tmp_path / "ref.stm")[0]


def test_a_segment_that_leaves_audio_out_is_a_warning(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000 * 5), 16_000)
    (tmp_path / "ref.stm").write_text("a 1 ann 0.5 3.0 x\n")
    assert "0.5 to 3 s, the file of 5.0 s is taken whole" in str(read_test_set(tmp_path / "ref.stm").warnings[0])


def test_audio_without_text_and_text_without_audio_are_named(tmp_path: Path) -> None:
    path = folder_of_text(tmp_path / "set", NOBODY)
    (path / "1.wav").rename(path / "3.WAV")
    (path / "readme.md").write_text("not a reference")
    found = problems(path)
    assert len(found) == 2
    assert found[0].startswith("set/3.WAV: no 3.txt lies beside it")
    assert found[1].startswith("set/1.txt: no audio file is named 1")


def test_an_empty_folder_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    assert "is empty" in problems(tmp_path)[0]
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path / "pipe", Path("a\0b")):
        with pytest.raises(InvalidError, match="does not exist; accepted"):
            read_test_set(path)


def test_the_speaker_of_a_corrected_record_is_its_unit_or_user(tmp_path: Path) -> None:
    path = history(tmp_path, NOBODY)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE recognition_history SET unit = 'u', user_key = 'k' WHERE id = 1")
        connection.execute("UPDATE recognition_history SET unit = '', user_key = 'k' WHERE id = 2")
    found = {each.id: each.speaker for each in read_test_set(path).utterances}
    assert found == {"1": "u", "2": "k", "10": ""}


def test_corrected_records_without_audio_are_left_out_and_counted(tmp_path: Path) -> None:
    path = history(tmp_path, NOBODY)
    (tmp_path / "1.wav").unlink()
    found = read_test_set(path)
    assert {each.id for each in found.utterances} == {"2", "10"}
    assert any("1 corrected records are left out" in str(each) for each in found.warnings)


def test_a_history_is_read_while_it_is_written_and_left_as_it_was(tmp_path: Path) -> None:
    path = history(tmp_path, NOBODY)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE recognition_history SET corrected_text = 'new' WHERE id = 1")
        connection.commit()
        assert {each.text for each in read_test_set(path).utterances} == {"new", "10086", ""}
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert {each.text for each in read_test_set(path).utterances} == {"new", "10086", ""}
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before


def test_databases_of_something_else_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = history(tmp_path, NOBODY)
    content = path.read_bytes()
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE other (x)")
    (tmp_path / "damaged.db").write_bytes(content[:100] + b"\xee" * (len(content) - 100))
    (tmp_path / "cut.db").write_bytes(content[:5000])
    for name, said in {"other.db": "holds no table", "damaged.db": "cannot be read", "cut.db": "is cut short"}.items():
        with pytest.raises(InvalidError, match=said) as caught:
            read_test_set(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_flipped_byte_anywhere_in_a_database_leaves_a_set_or_is_refused(tmp_path: Path) -> None:
    content, path = history(tmp_path, NOBODY).read_bytes(), tmp_path / "flipped.db"
    said: list[str] = []
    for at in (at for at, byte in enumerate(content) if byte):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            read_test_set(path)
        except SetError as error:
            said += map(str, error.problems)
        except InvalidError as error:
            said.append(str(error))
    assert said
    assert all(each.isprintable() for each in said)


NAMES = ["set.tsv", "set.jsonl", "set.trn", "set.stm", "set.db", "set"]
HEADS = [
    b"",
    b"id\taudio\ttext\n",
    b'{"audio": "a.wav", "text": ',
    b"a 1 x 0 1 ",
    b"SQLite format 3\0",
    b"\xef\xbb\xbf",
]


@given(st.sampled_from(NAMES), st.sampled_from(HEADS), st.binary(max_size=200))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_give_a_set_or_a_refusal(tmp_path: Path, name: str, head: bytes, content: bytes) -> None:
    (tmp_path / name).write_bytes(head + content)
    try_to_read(tmp_path / name)


@given(*[st.binary(max_size=60)] * 4)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_in_a_folder_give_a_set_or_a_refusal(
    tmp_path: Path, scp: bytes, text: bytes, speakers: bytes, audio: bytes
) -> None:
    data, plain = tmp_path / "data", tmp_path / "plain"
    for folder in (data, plain):
        folder.mkdir(exist_ok=True)
    for file, content in {"wav.scp": scp, "text": text, "utt2spk": speakers}.items():
        (data / file).write_bytes(content)
    (plain / "a.txt").write_bytes(text)
    (plain / "a.wav").write_bytes(audio)
    try_to_read(data)
    try_to_read(plain)


def try_to_read(path: Path) -> None:
    try:
        found = read_test_set(path)
    except InvalidError as error:
        said = str(error)
    else:
        said = ""
        assert isinstance(found, TestSet)
    assert said.isprintable()


def test_one_word_labels_of_stm_are_no_text(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    (tmp_path / "ref.stm").write_text("a 1 spk 0 0.5 <NA> hello there\n")
    assert [one.text for one in read_test_set(tmp_path / "ref.stm").utterances] == ["hello there"]
