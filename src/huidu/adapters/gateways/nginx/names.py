"""Host names as IP addresses: nginx's balancer takes nothing else.

They are looked up whenever routes are rendered, in the way of the system (its hosts file included). A look-up that
fails or takes too long must never hold up a swap, least of all a roll back: then the last known addresses hold.
"""

import socket
import threading
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

_LOOK_UP_SECONDS = 1.0


def is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Names:
    """Looks names up, all at once and for a second at most; remembers what it found."""

    def __init__(self, known: Mapping[str, list[str]] | None = None):
        self._known = dict(known or {})

    def look_up(self, hosts: Iterable[str]) -> None:
        """Takes over what can be found out now."""
        threads = [
            threading.Thread(target=self._look_up, args=(host,), daemon=True)
            for host in sorted({host for host in hosts if not is_ip(host)})
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _LOOK_UP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def addresses(self, host: str) -> list[str]:
        """In the order of the system; none for a name that was never found."""
        return [host] if is_ip(host) else list(self._known.get(host, []))

    def _look_up(self, host: str) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        # Link-local addresses name an interface, which nginx does not take.
        texts = [str(sockaddr[0]) for *_, sockaddr in found if "%" not in str(sockaddr[0])]
        if texts:
            self._known[host] = list(dict.fromkeys(texts))
