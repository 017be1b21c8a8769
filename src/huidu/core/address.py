"""Network addresses as a gateway sees them: parsed strictly, compared as bytes, the same in Python and in Lua."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from huidu.core.errors import InvalidError

_MAPPED_PREFIX = 96  # ::ffff:0:0/96 holds the IPv4 addresses


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """The addresses whose first `bits` equal those of `packed` (4 or 16 bytes, zero behind the prefix)."""

    packed: bytes
    bits: int

    def __contains__(self, packed: bytes) -> bool:
        if len(packed) != len(self.packed):
            return False
        shift = len(packed) * 8 - self.bits
        return int.from_bytes(packed, "big") >> shift == int.from_bytes(self.packed, "big") >> shift

    def __str__(self) -> str:
        return f"{ip_address(self.packed)}/{self.bits}"


def network(text: str) -> Network:
    """`10.9.0.0/16`, `fd00::/8` or a single address. Raises `InvalidError`."""
    try:
        found = ip_network(text)
    except ValueError as error:
        raise InvalidError(f"read network '{text}' ({error}); accepted: such as 10.9.0.0/16 or fd00::/8") from None
    packed, bits = found.network_address.packed, found.prefixlen
    address = found.network_address
    if isinstance(address, IPv6Address) and address.ipv4_mapped and bits >= _MAPPED_PREFIX:
        return Network(address.ipv4_mapped.packed, bits - _MAPPED_PREFIX)
    return Network(packed, bits)


def packed_address(text: str) -> bytes | None:
    """4 or 16 bytes; an IPv4 address written as IPv6 is its 4 bytes. None for what is no plain address."""
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.packed
    return address.packed


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Iterable[Network]) -> str:
    """Whose request it is: `peer`, or what trusted proxies say before it.

    `forwarded_for` are the values of X-Forwarded-For in the order sent. Read from its end, the first address
    that is no trusted proxy is the client; what is no address ends the walk, for nobody vouches for what lies
    before it.
    """
    networks = tuple(trusted)

    def is_trusted(text: str) -> bool:
        packed = packed_address(text)
        return packed is not None and any(packed in each for each in networks)

    found = peer
    for element in reversed(",".join(forwarded_for).split(",")):
        candidate = element.strip(" \t")
        if not candidate:
            continue  # lists in headers may have empty places (RFC 9110, 5.6.1)
        if not is_trusted(found) or packed_address(candidate) is None:
            break
        found = candidate
    return found
