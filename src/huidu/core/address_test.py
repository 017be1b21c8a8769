from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.address import Network, client_address, network, packed_address
from huidu.core.errors import InvalidError


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 128))
def test_a_network_holds_what_the_standard_library_says(address: object, base: object, bits: int) -> None:
    width = 32 if ip_address(str(base)).version == 4 else 128
    text = f"{base}/{min(bits, width)}"
    theirs = ip_network(text, strict=False)
    packed = packed_address(str(address))
    assert packed is not None
    mapped = getattr(address, "ipv4_mapped", None) or getattr(base, "ipv4_mapped", None)
    if mapped is None:
        assert (packed in network(str(theirs))) == (ip_address(str(address)) in theirs)


def test_an_ipv4_address_written_as_ipv6_is_the_same_address() -> None:
    assert packed_address("::ffff:10.8.0.1") == packed_address("10.8.0.1") == bytes((10, 8, 0, 1))
    assert network("::ffff:10.0.0.0/104") == network("10.0.0.0/8") == Network(bytes((10, 0, 0, 0)), 8)


@pytest.mark.parametrize("text", ["", "10.8.0", "10.8.0.256", "010.8.0.1", "::1%lo", "a::b::c", "[::1]", "10.8.0.1:80"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert packed_address(text) is None


@pytest.mark.parametrize("text", ["", "10.9.0.5/16", "10.9/16", "10.9.0.0/33", "everybody", "10.0.0.0/-1"])
def test_an_invalid_network_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(InvalidError, match=r"accepted: such as 10\.9\.0\.0/16"):
        network(text)


PROXIES = (network("10.0.0.0/8"), network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "meant"),
    [
        ("203.0.113.9", ["10.8.0.1"], "203.0.113.9"),  # an untrusted peer may say what it likes
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["10.8.0.1, 198.51.100.7"], "198.51.100.7"),  # what the client wrote lies before it
        ("10.0.0.1", ["198.51.100.7, 10.0.0.2", "fd00::3"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7, , 10.0.0.2", ""], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7:4711"], "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded_for: list[str], meant: str) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == meant


@given(st.lists(st.ip_addresses().map(str), max_size=5), st.ip_addresses(v=4).map(str))
def test_the_client_is_the_peer_or_somebody_a_trusted_proxy_named(chain: list[str], peer: str) -> None:
    found = client_address(peer, chain, PROXIES)
    assert found in [peer, *chain]
    assert client_address(peer, chain, ()) == peer
