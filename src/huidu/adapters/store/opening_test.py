from pathlib import Path

import pytest

from huidu.adapters.store.opening import Opening
from huidu.core.errors import InvalidError, UnavailableError
from huidu.wire import make_history


def test_a_store_that_cannot_be_opened_yet_is_opened_by_the_call_that_finds_it(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    history = Opening(lambda: make_history(tmp_path))
    for _ in range(2):
        with pytest.raises(UnavailableError):
            history.page(1, None, None, None)
    (tmp_path / "history.db").rmdir()
    assert history.page(1, None, None, None) == []


def test_what_is_wrong_with_a_store_is_no_fault_of_what_should_be_stored() -> None:
    def refuse() -> None:
        raise InvalidError("a database of something else")

    with pytest.raises(UnavailableError, match="something else"):
        Opening(refuse).add_all([])
