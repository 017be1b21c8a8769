import re

from hypothesis import given
from hypothesis import strategies as st

from huidu.core.units import KEY_ID, distinct, hash_of, key_of, keyed, new_uid, peer_of, unit_keys, unit_of

SECRET = "0123456789abcdef0123456789abcdef"
KINDS = ("cookie", "jwt.sub", "address", "request", "header:x-user")


@given(st.text(max_size=40), st.text(max_size=40))
def test_units_and_given_ids_are_hex_digits(secret: str, user: str) -> None:
    assert re.fullmatch("[0-9a-f]{16}", unit_of(secret, "cookie", user))
    assert re.fullmatch("[0-9a-f]{32}", new_uid(secret, user))
    assert KEY_ID.fullmatch(unit_keys(secret).key_id)


def test_one_secret_gives_a_key_for_each_purpose_and_another_secret_others() -> None:
    seen = []
    for secret in (SECRET, SECRET[::-1]):
        keys = unit_keys(secret)
        seen += [keys.unit, keys.peer, keys.new_high, keys.new_low]
        assert not any(key.hex() in keys.key_id or key.hex() in secret for key in seen)
    assert len(set(seen)) == 8
    assert unit_keys(SECRET).key_id != unit_keys(SECRET[::-1]).key_id


def test_what_may_be_shown_of_keys_is_their_name() -> None:
    shown = unit_keys(SECRET).masked()
    assert {shown.unit, shown.peer, shown.new_high, shown.new_low} == {bytes(8)}
    assert shown.key_id == unit_keys(SECRET).key_id


@given(st.text(max_size=60))
def test_no_cookie_has_the_hash_of_something_else(thought_up: str) -> None:
    """Nor does one that looks like what other hashes are made of."""
    address = bytes([10, 8, 0, 1])
    others = {
        peer_of(SECRET, address),
        new_uid(SECRET, "a request")[:16],
        new_uid(SECRET, "a request")[16:],
        *(unit_of(SECRET, kind, "ann") for kind in KINDS if kind != "cookie"),
    }
    for cookie in (
        thought_up,
        f"peer:{address.hex()}",
        "new:1:a request",
        "a request",
        "ann",
        address.decode("latin-1"),
    ):
        assert unit_of(SECRET, "cookie", cookie) not in others


def test_what_a_user_is_known_by_makes_another_unit() -> None:
    assert len({unit_of(SECRET, kind, "ann") for kind in KINDS}) == len(KINDS)


def test_of_an_ipv6_address_the_first_half_counts() -> None:
    network = bytes.fromhex("20010db800000000")
    assert peer_of(SECRET, network + b"\1" * 8) == peer_of(SECRET, network + b"\2" * 8)
    assert peer_of(SECRET, network[:7] + b"\1" + b"\1" * 8) != peer_of(SECRET, network + b"\1" * 8)
    assert peer_of(SECRET, network[:4]) != peer_of(SECRET, network)


def test_hashes_of_different_keys_are_never_one() -> None:
    names = [keyed(None, "0" * 16), keyed("h1-aaaaaa", "0" * 16), keyed("h1-bbbbbb", "0" * 16)]
    assert len(set(names)) == 3
    assert {hash_of(name) for name in names} == {"0" * 16}
    assert [key_of(name) for name in names] == ["", "h1-aaaaaa", "h1-bbbbbb"]


def test_who_appears_under_two_keys_counts_once() -> None:
    old, new = [f"{number:016x}" for number in range(7)], [keyed("h1-aaaaaa", f"{number:016x}") for number in range(5)]
    assert (distinct(old + new), distinct(new + new), distinct([])) == (7, 5, 0)
