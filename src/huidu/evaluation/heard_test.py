import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huidu.evaluation.heard import Heard, HeardFile, forget

TEXT = st.text(st.characters(), max_size=20)
HEARD = st.builds(Heard, TEXT, st.floats(0, 1e6))


@settings(deadline=None)
@given(added=st.lists(st.tuples(st.sampled_from("abc"), HEARD), max_size=8))
def test_what_was_added_is_read_the_last_of_each(added: list[tuple[str, Heard]]) -> None:
    with TemporaryDirectory() as folder:
        file = HeardFile(Path(folder), "one")
        for audio, heard in added:
            file.add(audio, heard)
        assert HeardFile(Path(folder), "one").read() == dict(added)


def test_fingerprints_do_not_mix(tmp_path: Path) -> None:
    HeardFile(tmp_path / "new", "one").add("a", Heard("x", 1.0))
    assert HeardFile(tmp_path / "new", "two").read() == {}
    assert HeardFile(tmp_path / "none", "one").read() == {}


def test_failures_are_not_kept(tmp_path: Path) -> None:
    file = HeardFile(tmp_path, "one")
    file.add("a", Heard(None, None, "the instance went away"))
    assert file.read() == {}
    assert list(tmp_path.iterdir()) == []
    file.add("a", Heard("", 1.0))
    file.add("a", Heard(None, None, "again"))
    assert file.read() == {"a": Heard("", 1.0)}


@pytest.mark.parametrize("text", ["half \ud83d", "\udc00\ud800", "one\nline\r\u2028", "\0", "你好😀"])
def test_any_text_is_kept_in_one_line(tmp_path: Path, text: str) -> None:
    file = HeardFile(tmp_path, "one")
    file.add("a", Heard(text, 1.0))
    assert (tmp_path / "one.jsonl").read_bytes().count(b"\n") == 1
    assert file.read() == {"a": Heard(text, 1.0)}


def test_a_line_that_was_cut_off_anywhere_loses_only_itself(tmp_path: Path) -> None:
    file = HeardFile(tmp_path, "one")
    file.add("a", Heard("前", 1.0))
    path = tmp_path / "one.jsonl"
    before = path.read_bytes()
    file.add("b", Heard("后", 2.0))
    whole = path.read_bytes()
    for cut in range(len(before), len(whole)):
        path.write_bytes(whole[:cut])
        assert file.read() == {"a": Heard("前", 1.0)}
        file.add("c", Heard("新", 3.0))
        # Cut off before its line feed only, a line is whole again.
        kept = {"b": Heard("后", 2.0)} if cut == len(whole) - 1 else {}
        assert file.read() == {"a": Heard("前", 1.0), **kept, "c": Heard("新", 3.0)}


NOT_OURS = ["", "1", '"x"', "null", "[]", "{}", '{"audio_sha256": "a"}', '{"audio_sha256": "a", "x": 1}', "\0\0", "{"]


@pytest.mark.parametrize("line", NOT_OURS)
def test_lines_that_are_none_of_ours_are_passed_over(tmp_path: Path, line: str) -> None:
    file = HeardFile(tmp_path, "one")
    file.add("a", Heard("x", 1.0))
    with (tmp_path / "one.jsonl").open("a") as written:
        written.write(line + "\n")
    file.add("b", Heard("y", 2.0))
    assert file.read() == {"a": Heard("x", 1.0), "b": Heard("y", 2.0)}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_can_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.jsonl").write_bytes(content)
    HeardFile(tmp_path, "one").read()


def test_two_may_write_at_once(tmp_path: Path) -> None:
    begin = threading.Barrier(4)

    def write(writer: int) -> None:
        file = HeardFile(tmp_path, "one")
        begin.wait()
        for number in range(200):
            file.add(f"{writer}-{number}", Heard("文" * number, float(writer)))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = HeardFile(tmp_path, "one").read()
    assert found == {f"{w}-{n}": Heard("文" * n, float(w)) for w in range(4) for n in range(200)}


def test_what_was_kept_too_long_ago_is_forgotten_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, audio in ((100.0, "a"), (200.0, "b")):
        monkeypatch.setattr("time.time", lambda at=at: at)
        HeardFile(tmp_path, "one").add(audio, Heard(audio, 1.0))
    HeardFile(tmp_path, "two").add("c", Heard("c", 1.0))
    old = tmp_path / "old.jsonl"
    old.write_text('{"audio_sha256": "d", "text": "d", "latency_ms": 1.0, "error": null}\n')
    os.utime(old, (150, 150))
    assert HeardFile(tmp_path, "old").read() == {"d": Heard("d", 1.0)}
    assert forget(tmp_path, 150.0) == 1
    assert HeardFile(tmp_path, "one").read() == {"b": Heard("b", 1.0)}
    assert forget(tmp_path, 150.5) == 1
    assert forget(tmp_path, 300.0) == 2
    assert list(tmp_path.iterdir()) == []
    assert forget(tmp_path / "none", 300.0) == 0
