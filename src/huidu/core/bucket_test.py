import math

from hypothesis import given
from hypothesis import strategies as st

from huidu.core.bucket import BUCKETS, bucket, murmur2


def test_the_hash_is_the_one_that_nginx_uses() -> None:
    # From Austin Appleby's MurmurHash2 with seed 0, as in nginx's ngx_murmur_hash2.
    assert murmur2(b"") == 0
    assert [murmur2(text) for text in (b"a", b"ab", b"abc", b"abcd")] == [
        0x92685F5E,
        _reference(b"ab"),
        _reference(b"abc"),
        _reference(b"abcd"),
    ]


def _reference(data: bytes) -> int:
    """A second implementation, written after nginx's C with 32-bit wrap-around at each step."""
    mask = (1 << 32) - 1
    h = len(data) & mask
    words, rest = divmod(len(data), 4)
    for number in range(words):
        k = data[4 * number] | data[4 * number + 1] << 8 | data[4 * number + 2] << 16 | data[4 * number + 3] << 24
        k = (k * 0x5BD1E995) & mask
        k ^= k >> 24
        k = (k * 0x5BD1E995) & mask
        h = (h * 0x5BD1E995) & mask
        h ^= k
    for number in reversed(range(rest)):
        h ^= data[4 * words + number] << (8 * number)
    if rest:
        h = (h * 0x5BD1E995) & mask
    h ^= h >> 13
    h = (h * 0x5BD1E995) & mask
    return h ^ (h >> 15)


@given(st.binary(max_size=64))
def test_two_implementations_agree(data: bytes) -> None:
    assert murmur2(data) == _reference(data)


@given(st.text(max_size=40), st.text(max_size=40))
def test_buckets_are_in_range(salt: str, user: str) -> None:
    assert 0 <= bucket(salt, user) < BUCKETS


def test_shares_are_what_they_say_and_releases_pick_independent_users() -> None:
    users = [f"user{number}" for number in range(20_000)]
    first = [bucket("r1", user) for user in users]
    for share_bp in (100, 500, 2000, 5000):
        share = share_bp / BUCKETS
        found = sum(each < share_bp for each in first)
        # 3.3 standard deviations: the 99.9 % bound of the binomial.
        assert abs(found - share * len(users)) < 3.3 * math.sqrt(share * (1 - share) * len(users))
    both = sum(a < 2000 and bucket("r2", user) < 2000 for a, user in zip(first, users, strict=True))
    assert abs(both - 0.04 * len(users)) < 3.3 * math.sqrt(0.04 * 0.96 * len(users))
