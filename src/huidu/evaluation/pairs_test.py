"""Pairs of files as other tools write them, through `read_pair`."""

import csv
import io
import json
import time
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from huidu.core.errors import InvalidError
from huidu.core.formats.keys import HEARD, ID, SAID, Asked
from huidu.evaluation.textfiles import Format, Paired, Source, read_pair, texts

FOUND = {"utt1": "你好 world", "utt2": "", "utt3": "请拨打10086"}


def pair(
    left: str, right: str, names: str = "ref.txt hyp.txt", form: Format | None = None, asked: Asked | None = None
) -> Paired:
    said, heard = names.split()
    return read_pair(Source(said, left.encode()), Source(heard, right.encode()), form, asked)


def refusal(left: str, right: str, names: str = "ref.txt hyp.txt", asked: Asked | None = None) -> str:
    with pytest.raises(InvalidError) as caught:
        pair(left, right, names, asked=asked)
    assert "\n" not in str(caught.value)
    assert "accepted" in str(caught.value)
    return str(caught.value)


def objects(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# ------------------------------------------------------------------ ids or lines

KALDI = [
    ("utt1 你好\nutt2 再见\n", "utt2 再间\nutt1 你 好\n"),
    ("84-121123-0000 GO DO YOU HEAR\n84-121123-0001 BUT IN\n", "84-121123-0001 BUT IN\n84-121123-0000 GO\n"),
    ("BAC009S0002W0122\t而对楼市\nBAC009S0002W0123\t也成为\n", "BAC009S0002W0122\t而对\nBAC009S0002W0123\n"),
    ("ann_a 你好\nann_b 再见\n", "ann_b 再见\n"),
    ("甲\t你好\n乙\t再见\n", "乙\t再见\n甲\t你号\n"),
]
PLAIN = [
    ("hello world\ngood morning\n", "hello word\ngood morning\n"),
    ("5G 网络\n4G 网络\n", "5G 网络\n4G 网路\n"),
    ("3.5 元\n10-20 度\n", "3.5 元\n10-20 度\n"),
    ("2025-03-12 开会\n2025-03-13 休息\n", "2025-03-12 开会\n2025-03-13 休息\n"),
    ("10086 请按一\n400 电话\n", "10086 请按一\n400 电话\n"),
    ("utt1 你好\n再见\n", "utt1 你好\n再见\n"),
    ("你好\n\n再见\n", "你好\n\n再见\n"),
    ("10086 请按一\n", "10086 请按一\n"),
    ("well-known fact\nso-called friend\n", "well-known fact\nso-called friend\n"),
]


@pytest.mark.parametrize(("left", "right"), KALDI)
def test_lines_that_begin_with_the_ids_of_both_files_pair_by_id(left: str, right: str) -> None:
    found = pair(left, right)
    assert set(found.ids) == {line.split()[0] for line in left.splitlines()}
    assert set(found.ids) - set(found.missing) == {line.split()[0] for line in right.splitlines()}
    assert "are read as id and text (--format txt compares line by line)" in found.remarks[0]
    by_name = pair(left, right, "text text")
    assert (by_name.references, by_name.hypotheses, by_name.remarks) == (found.references, found.hypotheses, ())


@pytest.mark.parametrize(("left", "right"), PLAIN)
def test_lines_that_begin_with_words_pair_line_by_line(left: str, right: str) -> None:
    found = pair(left, right)
    assert list(found.references) == left.splitlines()
    assert list(found.hypotheses) == right.splitlines()
    assert found.remarks == ()


def test_numbers_that_may_be_ids_are_refused_with_both_ways_out() -> None:
    said = refusal("0001 你好\n0002 再见\n", "0001 你好\n0002 再间\n")
    assert "--format kaldi (ids) or --format txt (line by line)" in said
    assert pair("1 a\n2 b\n", "2 b\n1 a\n", form=Format.KALDI).hypotheses == ("a", "b")
    assert pair("1 a\n2 b\n", "2 b\n1 a\n", form=Format.TXT).hypotheses == ("2 b", "1 a")


def test_lines_take_the_ids_of_the_other_file_where_they_begin_with_them() -> None:
    assert pair("你好 (a)\n再见 (b)\n", "b 再见\na 你号\n", "ref.trn hyp.txt").hypotheses == ("你号", "再见")
    assert pair("id\ttext\n1\t你好\n2\t再见\n", "你好\n再间\n", "ref.tsv hyp.txt").hypotheses == ("你好", "再间")


def test_an_id_that_stands_twice_is_a_mistake_and_no_line_of_words() -> None:
    assert "id 'utt2' stands in line 2 already" in refusal("utt1 a\nutt2 b\nutt2 c\n", "utt1 a\nutt2 b\n")


# ------------------------------------------------------------------ what nobody means


@pytest.mark.parametrize(
    ("left", "right", "names", "said"),
    [
        ("a\nb\n", "a\n", "ref.txt hyp.txt", "ref.txt has 2 lines and hyp.txt 1"),
        ("你好\n", "", "ref.txt hyp.txt", "ref.txt has 1 lines and hyp.txt 0"),
        ("a (x)\n", "a (y)\n", "ref.trn hyp.trn", "share no id (the first are 'x' and 'y')"),
        ("utt1 a\nutt2 b\n", "rec1 a\nrec2 b\n", "ref.txt hyp.txt", "share none of them"),
        ("utt1 a\nutt2 b\n", "rec1 a\nrec2 b\n", "text hyp.kaldi", "share no id"),
        ("", "a\n", "ref.txt hyp.txt", "ref.txt holds no text"),
        ("", "utt a\n", "text text", "text holds no text"),
        ("id,text\n", "id,text\n1,a\n", "ref.csv hyp.csv", "ref.csv holds no text"),
        ("nr,words\n1,a\n", "id,text\n1,a\n", "ref.csv hyp.csv", "no column id, text among its columns (nr, words)"),
        ("utterance\twords\nu1\ta\n", "u1\ta\n", "ref.tsv hyp.tsv", "which of its columns (utterance, words)"),
        ("id\twords\na\tb\n", "u1\ta\n", "ref.tsv hyp.tsv", "which of its columns (id, words)"),
        ("1\ta.wav\thello\n", "1\thello\n", "ref.tsv hyp.tsv", "3 fields and no header that names them"),
        ('{"utterance": 1, "words": "a"}\n', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "(utterance, words)"),
        ("id,text\n1,a\n1,b\n", "id,text\n1,a\n", "ref.csv hyp.csv", "id '1' stands in line 2 already"),
        ('id,text\n1,"a\n2,b\n', "id,text\n1,a\n", "ref.csv hyp.csv", "ref.csv:2: a quote that is not closed"),
        ("id,text\n1,a,b\n", "id,text\n1,a\n", "ref.csv hyp.csv", "ref.csv:2: read 3 fields; accepted: 2"),
        ('{"id": 1, "text": null}\n', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "the text is missing"),
        ('{"id": 1, "text": 5}\n', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "the text is a JSON int"),
        ('{"id": 1.5, "text": "a"}\n', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "the id is missing or no text"),
        ('{"id": 1, "text": "\\u0000"}\n', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "U+0000"),
        ('{"id": 1, "text": "a"', '{"id": 1, "text": "a"}\n', "r.jsonl h.jsonl", "no JSON"),
        ("f 1 s 0\n", "f 1 0 1 a\n", "ref.stm hyp.ctm", "too few fields"),
        ("f 1 s 0 1 a\n", "f 1 0 a\n", "ref.stm hyp.ctm", "read 4 fields; accepted: file channel start duration word"),
        ("f 1 s 0 1 a\n", "f 1 x 1 a\n", "ref.stm hyp.ctm", "read the times x and 1"),
        (
            "f 1 s 0 1 a\n",
            "g 1 0 1 a\n",
            "ref.stm hyp.ctm",
            "no word of hyp.ctm lies in a segment of ref.stm (the first are in g 1 at 0 s",
        ),
        ("f 1 0 1 a\n", "f 1 * * <ALT_BEGIN>\n", "ref.ctm hyp.ctm", "alternatives (<ALT_BEGIN>) are not read"),
    ],
)
def test_what_nobody_means_is_refused_in_one_line(left: str, right: str, names: str, said: str) -> None:
    assert said in refusal(left, right, names)


def test_a_recogniser_that_heard_nothing_at_all_is_no_mistake() -> None:
    for names, left in {
        "text text": "utt1 a\n",
        "ref.trn hyp.trn": "a (x)\n",
        "ref.stm hyp.ctm": "f 1 s 0 1 a\n",
    }.items():
        assert len(pair(left, "", names).missing) == 1


# ------------------------------------------------------------------ columns


def test_a_manifest_with_what_was_heard_is_scored_against_itself() -> None:
    rows: list[dict[str, object]] = [
        {"audio_filepath": "/a/x1.wav", "duration": 1.0, "text": "你好", "pred_text": "你号"},
        {"audio_filepath": "/a/x2.wav", "duration": 1.0, "text": "再见", "pred_text": ""},
        {"audio_filepath": "/a/x3.wav", "duration": 1.0, "text": "谢谢", "pred_text": None},
        {"audio_filepath": "/a/x4.wav", "duration": 1.0, "text": "好的"},
    ]
    found = pair(objects(rows), objects(rows), "m.jsonl m.jsonl")
    assert found.ids == ("x1", "x2", "x3", "x4")
    # Null is no answer, and so is no key at all: never the reference.
    assert found.hypotheses == ("你号", "", None, None)
    assert found.missing == ("x3", "x4")
    assert found.remarks == ()


def test_a_file_that_is_compared_with_itself_by_the_same_column_is_said() -> None:
    rows = objects([{"key": "a", "txt": "你好"}])
    assert (
        "m.jsonl is compared with itself by txt: it holds no pred_text" in pair(rows, rows, "m.jsonl m.jsonl").remarks
    )


def test_every_name_of_this_trade_is_known_in_json_lines_and_tables() -> None:
    for id_key, text_key in product(ID, [*SAID, *HEARD]):
        rows: list[dict[str, object]] = [{id_key.upper(): 7, text_key: "你好"}]
        table = f"{id_key},extra,{text_key.title()}\n7,x,你好\n"
        assert pair(table, objects(rows), "ref.csv hyp.json").hypotheses == ("你好",)
        assert pair(table.replace(",", "\t"), table, "ref.tsv hyp.csv").hypotheses == ("你好",)


def test_columns_of_other_names_are_asked_for_and_must_be_in_one_file_at_least() -> None:
    found = pair("nr,words\n1,你好\n", '{"id": 1, "text": "你号"}\n', "r.csv h.jsonl", asked=Asked("nr", "words"))
    assert found.hypotheses == ("你号",)
    said = refusal("id,text\n1,a\n", "id,text\n1,a\n", "r.csv h.csv", Asked(None, "words"))
    assert "--text-column words is no column; accepted: those of r.csv: id, text; those of h.csv: id, text" in said


def test_which_of_several_texts_was_read_is_said() -> None:
    found = pair("id,sentence,text\n1,a,b\n", "1\tb\n", "r.csv h.tsv")
    assert found.references == ("b",)
    assert found.remarks == ("r.csv: the text is text, not sentence (--text-column says otherwise)",)


def test_quoted_fields_hold_commas_quotes_and_line_ends() -> None:
    content = '\ufeffid,text\r\n"a","你,好"\r\nb,"say ""hi""\r\nand go"\r\n\r\nc,\r\n'
    assert texts("f", content.encode(), Format.CSV) == {"a": "你,好", "b": 'say "hi"\r\nand go', "c": ""}


# ------------------------------------------------------------------ times

STM = """;; a remark
f A ann 0.0 2.0 <o,f0,female> hello world
f A ann 2.0 4.0 good morning
f A ann 4.0 6.0 IGNORE_TIME_SEGMENT_IN_SCORING
g 1 bob 0 1 你好
h 1 bob 0 1 nobody heard this
"""
CTM = """;; a remark
f A 2.5 0.2 morning 0.9
f A 0.2 0.3 hello 0.9
f A 1.9 0.3 good
f A 1.7 0.2 word
f A 4.5 0.1 uh
f A 7.0 0.1 late
g A 0.1 0.2 你
g A 0.4 0.2 号
"""


def test_words_belong_to_the_segment_that_holds_their_middle() -> None:
    found = pair(STM, CTM, "ref.stm hyp.ctm")
    assert found.ids == ("f@0.000-2.000", "f@2.000-4.000", "g", "h")
    assert found.hypotheses == ("hello word", "good morning", "你 号", None)
    assert found.remarks == (
        "ref.stm: 1 segment is left out, not to be scored (IGNORE_TIME_SEGMENT_IN_SCORING)",
        "hyp.ctm: 1 word lies in no segment of ref.stm, not counted",
    )


def test_a_segment_without_words_was_heard_with_nothing() -> None:
    found = pair("f 1 a 0 1 x\nf 1 a 1 2 y\n", "f 1 0.1 0.1 x\n", "r.stm h.ctm")
    assert found.hypotheses == ("x", "")


def test_words_of_a_file_are_joined_in_time_order_and_by_channel() -> None:
    assert pair("f 1 0.5 0.1 b\nf 1 0 0.1 a\n", "a b (f)\n", "r.ctm h.trn").references == ("a b",)
    found = pair("f A 0 1 a\nf B 0 1 b\n", "f A 0 1 a\n", "r.ctm h.ctm")
    assert (found.ids, found.hypotheses) == (("f-A", "f-B"), ("a", None))


# ------------------------------------------------------------------ laws

IDS = st.text(st.characters(categories=["L", "Nd"], include_characters="-_."), min_size=1, max_size=9)
TEXTS = st.text(st.characters(exclude_characters="\0\r\n\t\ufeff", exclude_categories=["Cs"]), max_size=12)
Write = Callable[[dict[str, str]], str]


def write_csv(found: dict[str, str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([("id", "text"), *found.items()])
    return file.getvalue()


WRITERS: dict[Format, Write] = {
    Format.CSV: write_csv,
    Format.TSV: lambda found: "".join(f"{name}\t{text}\n" for name, text in {"id": "text", **found}.items()),
    Format.JSONL: lambda found: objects([{"key": name, "txt": text} for name, text in found.items()]),
    Format.KALDI: lambda found: "".join(f"{name} {text}\n" for name, text in found.items()),
    Format.TRN: lambda found: "".join(f"-{text} ({name})\n" for name, text in found.items()),
    Format.STM: lambda found: "".join(f"{name} 1 spk 0 1 <o,f0> {text}\n" for name, text in found.items()),
    Format.CTM: lambda found: "".join(
        f"{name} 1 {at} 1 {word}\n" for name, text in found.items() for at, word in enumerate(text.split())
    ),
}


@pytest.mark.parametrize("form", WRITERS)
@given(found=st.dictionaries(IDS, TEXTS, min_size=1, max_size=5))
def test_any_ids_and_texts_are_read_back_alike(form: Format, found: dict[str, str]) -> None:
    assume("id" not in found)
    content = WRITERS[form](found).encode()
    read = texts("f", content, form)
    match form:
        case Format.KALDI:
            # Blanks at the ends of a text are between it and its id.
            assert read == {name: text.strip(" ") for name, text in found.items()}
        case Format.TRN:
            assert read == {name: f"-{text}".rstrip() for name, text in found.items()}
        case Format.STM:
            assume(not any("<" in text for text in found.values()))
            assert read == {name: text.strip() for name, text in found.items()}
        case Format.CTM:
            assert read == {name: " ".join(text.split()) for name, text in found.items() if text.split()}
        case _:
            assert read == found


@given(st.dictionaries(st.from_regex(r"utt[0-9]{1,6}", fullmatch=True), TEXTS, min_size=2, max_size=5), st.randoms())
def test_ids_are_told_from_words_in_any_order(found: dict[str, str], chance: object) -> None:
    assert hasattr(chance, "shuffle")
    names = list(found)
    chance.shuffle(names)
    content = WRITERS[Format.KALDI]
    read = pair(content(found), content({name: found[name] for name in names}))
    assert read.references == read.hypotheses == tuple(text.strip(" ") for text in found.values())


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("unit", [" ", '"', '""', "<a", ",", "a\t"])
def test_a_long_line_takes_time_by_its_length_only(form: Format, unit: str) -> None:
    started = time.process_time()
    problem = ""
    try:
        texts("f", b"id,text\n" + (unit * 50_000 + "x").encode(), form)
    except InvalidError as error:
        problem = str(error)
    assert len(problem) < 1000
    assert time.process_time() - started < 5
