"""The tests here run the real nginx."""

import pytest

from huidu.adapters.gateways.nginx.binary import find_nginx_with_lua
from huidu.core.errors import UnavailableError


@pytest.fixture(autouse=True)
def _needs_nginx() -> None:
    try:
        find_nginx_with_lua()
    except UnavailableError as error:
        pytest.skip(str(error))
