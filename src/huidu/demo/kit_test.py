from pathlib import Path

import pytest

from huidu.core.errors import InvalidError
from huidu.demo.kit import read_kit


@pytest.mark.parametrize("named", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"stable": 1, "candidates": [2]}'])
def test_what_names_no_versions_is_no_kit(tmp_path: Path, named: bytes) -> None:
    (tmp_path / "kit.json").write_bytes(named)
    with pytest.raises(InvalidError, match="is no demo kit"):
        read_kit(tmp_path)


@pytest.mark.parametrize("line", [b"\xff", b"x" * 200_000, b"a\tb", b"\0"])
def test_recordings_that_are_named_badly_are_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "kit.json").write_text('{"stable": "v1", "candidates": ["v2", "v3"]}')
    (tmp_path / "test.tsv").write_bytes(b"id\taudio\ttext\tspeaker\tcategory\n" + line + b"\n")
    with pytest.raises(InvalidError, match="accepted"):
        read_kit(tmp_path)
