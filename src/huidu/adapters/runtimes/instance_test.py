from pathlib import Path

import pytest

from huidu.adapters.runtimes.instance import HttpInstance
from huidu.core.errors import InvalidError, UnavailableError


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_authorities_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidError, match="accepted: a PEM file of certificates") as refused:
        HttpInstance().trust([str(path)])
    assert "\n" not in str(refused.value)


def test_nobody_at_an_address_is_neither_ready_nor_asked_to_move_streams() -> None:
    instance = HttpInstance()
    for address in ("127.0.0.1:1", "http://127.0.0.1:1", "https://127.0.0.1:1"):
        assert not instance.ready(address)
        with pytest.raises(UnavailableError, match="was not asked to move its streams"):
            instance.move_streams(address)
