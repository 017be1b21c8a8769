import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huidu.core.errors import InvalidError
from huidu.settings import load
from huidu.yaml_file import DEEPEST, LONGEST_VALUE, MOST_BYTES, MOST_VALUES, decoded, read_mapping, read_value

BASE = "versions:\n  v1: {model: models/v1}\nstable: v1\n"
LAUGHS = "\n".join(
    ["l0: &l0 [lol]", *(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)), ""],
)
BOMBS = {
    "a NUL": BASE + "data: a\0b\n",
    "an escaped NUL": BASE + 'data: "a\\0b"\n',
    "half a surrogate": BASE + 'data: "\\ud800"\n',
    "a character beyond Unicode": BASE + 'data: "\\UFFFFFFFF"\n',
    "an escape for a terminal": BASE + 'data: "\\x1b[2J"\n',
    "flow nesting": BASE + "plan: " + "[" * 100_000,
    "mapping nesting": BASE + "plan: " + "{a: " * 100_000,
    "block nesting": BASE + "plan:\n" + "- " * 100_000,
    "key nesting": BASE + "? " * 100_000,
    "a billion laughs": BASE + LAUGHS,
    "a billion laughs as a key": BASE + LAUGHS + "? *l11\n: 1\n",
    "a list that holds itself": BASE + "plan: &a [*a]\n",
    "a mapping that holds itself": BASE + "gateway: &a {tls: *a}\n",
    "many values": BASE + "plan: [" + "1," * 400_000 + "]\n",
    "many keys": BASE + "".join(f"k{n}: 1\n" for n in range(60_000)),
    "a key twice": BASE + "stable: v2\n",
    "a huge number": BASE + "alpha: 0x" + "f" * 100_000 + "\n",
    "a number with too many digits": BASE + "alpha: 0x" + "f" * 2_900 + "\n",
    "a number in base 60": BASE + "alpha: 1" + ":1" * 300_000 + "\n",
    "a huge text": BASE + "data: " + "x" * 500_000 + "\n",
    "a tab": BASE + "data:\n\tx: 1\n",
    "an unknown tag": BASE + "data: !!python/object/apply:os.system [x]\n",
    "two documents": BASE + "---\nstable: v1\n",
    "no mapping": "- 1\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=list(BOMBS))
def test_what_would_blow_up_is_one_line_that_says_where(tmp_path: Path, text: str) -> None:
    path = tmp_path / "huidu.yaml"
    path.write_bytes(text.encode())
    begun = time.process_time()
    with pytest.raises(InvalidError, match=r"huidu\.yaml.*; accepted: ") as refused:
        load(path, {})
    assert time.process_time() - begun < 5
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 5_000


@pytest.mark.parametrize("content", [b"data: \xff\n", "stable: é".encode("utf-16"), b"x" * (MOST_BYTES + 1)])
def test_what_is_no_text_or_no_configuration_is_refused_unread(content: bytes) -> None:
    with pytest.raises(InvalidError, match="; accepted: "):
        decoded(content, "huidu.yaml")
    assert decoded("名: 值".encode(), "huidu.yaml") == "名: 值"


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="larger than"):
        load(Path("/dev/zero"), {})


def test_ordinary_aliases_mean_what_they_name() -> None:
    found, lines = read_mapping("a: &x [1, {b: 2}]\nc: *x\n", "f")
    assert found == {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}
    assert lines[("a", 1, "b")] == 1


def test_the_limits_are_far_from_what_people_write() -> None:
    deep = "a: " + "[" * (DEEPEST - 2) + "]" * (DEEPEST - 2)
    assert read_mapping(deep, "f")[0]["a"] is not None
    assert len(read_mapping("a: [" + "1," * (MOST_VALUES // 2) + "]", "f")[0]["a"]) == MOST_VALUES // 2
    assert read_value("x" * LONGEST_VALUE, "f") == "x" * LONGEST_VALUE
    assert read_value("", "f") is None


@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%#,0159.x~\\ \n\t\0é"), max_size=60))
@example("a: &a [*a]")
@example("? {a: b}\n: c")
@example("a: *b")
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for read in (read_mapping, read_value):
        try:
            read(text, "f")
        except InvalidError as error:
            assert str(error).isprintable()  # noqa: PT017
