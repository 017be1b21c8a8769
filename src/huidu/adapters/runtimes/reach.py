"""Whether anybody serves at an address: TCP, TLS where that is spoken, and one HTTP request.

Spoken over a plain socket, because a limit on the whole is what counts here: a service that sends a byte a second
must not hold its caller up.
"""

import re
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

from huidu.ports import Reach

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 1.0
# What the steps may take together, and looking up a name, which knows no limit of its own.
_WHOLE_SECONDS = 2.2
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")
_STATUS_LINE_BYTES = 15
_TOO_SLOW = Reach(False, f"does not answer within {_WHOLE_SECONDS:.0f} s")


def reach(address: str, context: ssl.SSLContext) -> Reach:
    """Looks at `HOST:PORT`, `http://…` or `https://…`; takes about two seconds at most and raises nothing.

    Whoever gives any answer serves, whatever it is, and so does who takes the request and is still busy with it. A
    connection that ends without a byte is none: so ports look that are passed on to a service that is gone.
    """
    found: list[Reach] = []
    # A thread that may be left behind: some resolvers take half a minute over a name.
    looking = threading.Thread(target=lambda: found.append(_reach(address, context)), daemon=True)
    looking.start()
    looking.join(_WHOLE_SECONDS)
    return found[0] if found else _TOO_SLOW


def _reach(address: str, context: ssl.SSLContext) -> Reach:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return Reach(False, f"has no address ({error.strerror})")
    except ValueError as error:
        # Not a port, no host that IDNA or IPv6 knows.
        return Reach(False, f"is no address ({error})")
    connected = _connected([place[4] for place in places])
    if isinstance(connected, Reach):
        return connected
    with connected:
        return _asked(connected, host, port, context if parts.scheme == "https" else None)


def _connected(places: list[tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]) -> socket.socket | Reach:
    """A connection to the first place that takes one; what the last of them did where none does."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    found = Reach(False, "has no address")
    for place in places:
        try:
            return socket.create_connection((str(place[0]), int(place[1])), _left(deadline))
        except TimeoutError:
            found = Reach(False, f"does not answer within {_CONNECT_SECONDS:.0f} s")
        except ConnectionRefusedError:
            found = Reach(False, "refuses connections")
        except OSError as error:
            found = Reach(False, f"cannot be reached ({error.strerror or error})")
    return found


def _asked(connection: socket.socket, host: str, port: int, context: ssl.SSLContext | None) -> Reach:
    deadline = time.monotonic() + _ANSWER_SECONDS
    try:
        if context is not None:
            connection.settimeout(_left(deadline))
            connection = context.wrap_socket(connection, server_hostname=host)
        with connection:
            return _answered(connection, host, port, deadline)
    except ssl.SSLCertVerificationError as error:
        return Reach(False, f"its certificate is not accepted: {error.verify_message}")
    except TimeoutError:
        if context is not None and not isinstance(connection, ssl.SSLSocket):
            return Reach(False, f"accepts connections, speaks no TLS within {_ANSWER_SECONDS:.0f} s")
        return Reach(True, f"accepts connections, gives no answer within {_ANSWER_SECONDS:.0f} s")
    except ssl.SSLError as error:
        return Reach(False, f"accepts connections, speaks no TLS that is known here ({error.reason or 'broken off'})")
    except OSError:
        return Reach(False, "accepts connections, ends them without an answer")


def _answered(connection: socket.socket, host: str, port: int, deadline: float) -> Reach:
    name = f"[{host}]" if ":" in host else host
    request = f"GET /readyz HTTP/1.1\r\nhost: {name}:{port}\r\nuser-agent: huidu\r\nconnection: close\r\n\r\n"
    connection.settimeout(_left(deadline))
    connection.sendall(request.encode("idna" if not request.isascii() else "ascii"))
    said = b""
    while len(said) < _STATUS_LINE_BYTES:
        connection.settimeout(_left(deadline))
        part = connection.recv(_STATUS_LINE_BYTES)
        if not part:
            break
        said += part
    if not said:
        return Reach(False, "accepts connections, ends them without an answer")
    status = _STATUS_LINE.match(said)
    return Reach(True, f"answers (HTTP {status[1].decode()})" if status else "accepts connections, speaks no HTTP")


def _left(deadline: float) -> float:
    """The seconds left, for a time-out: never 0, which would mean something else."""
    return max(0.001, deadline - time.monotonic())
