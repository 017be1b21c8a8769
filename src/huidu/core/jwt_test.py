import pytest

from huidu.core.errors import InvalidError
from huidu.core.jwt import checked_keys

NO_KEYS = [
    *("", "{", "[]", "3", "null", '{"keys": 3}', '{"keys": []}', "[" * 100_000, '{"keys": [3]}', '{"keys": [{}]}'),
    *('{"keys": [{"kty": []}]}', '{"keys": [{"kty": {}}]}', '{"keys": [{"kty": "a\\n\\u001b"}]}'),
    *('{"keys": [{"kty": "oct", "alg": ["\\n"]}]}', '{"keys": [{"kty": "oct", "k": 5}]}'),
]


@pytest.mark.parametrize("text", NO_KEYS, ids=range(len(NO_KEYS)))
def test_what_is_no_jwks_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidError, match="accepted") as caught:
        checked_keys(text)
    assert str(caught.value).isprintable()
