"""Whether anybody serves at an address: TCP, TLS where that is asked for, and one HTTP request.

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
# For all of it, and for looking up a name, which knows no limit of its own.
_WHOLE_SECONDS = 2.2
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")
_STATUS_LINE_BYTES = 13


def reach(address: str, context: ssl.SSLContext) -> Reach:
    """Looks at `HOST:PORT`, `http://…` or `https://…`; takes about two seconds at most and raises nothing.

    Whoever gives any answer serves, and so does who takes the request and is still busy with it. A connection that
    ends without a byte is no answer: so looks a forwarded port behind which nobody is left.
    """
    found: list[Reach] = []
    # A thread that may be left behind: some resolvers take half a minute over a name.
    looking = threading.Thread(target=lambda: found.append(_reach(address, context)), daemon=True)
    looking.start()
    looking.join(_WHOLE_SECONDS)
    return found[0] if found else Reach(False, f"does not answer within {_WHOLE_SECONDS:.0f} s")


def _reach(address: str, context: ssl.SSLContext) -> Reach:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS)
    except TimeoutError:
        return Reach(False, f"does not answer within {_CONNECT_SECONDS:.0f} s")
    except ConnectionRefusedError:
        return Reach(False, "refuses connections")
    except socket.gaierror as error:
        return Reach(False, f"has no address ({error.strerror})")
    except OSError as error:
        return Reach(False, f"cannot be reached ({error.strerror or error})")
    except ValueError as error:
        return Reach(False, f"is no address ({error})")
    deadline = time.monotonic() + _ANSWER_SECONDS
    with connection:
        if parts.scheme != "https":
            return _answer(connection, parts.netloc, deadline)
        try:
            connection.settimeout(_left(deadline))
            secured = context.wrap_socket(connection, server_hostname=parts.hostname)
        except ssl.SSLCertVerificationError as error:
            return Reach(False, f"its certificate is not accepted ({error.verify_message})")
        except (OSError, ValueError) as error:
            why = error.reason if isinstance(error, ssl.SSLError) else None
            return Reach(False, f"accepts connections, but no TLS ({why or type(error).__name__})")
        with secured:
            return _answer(secured, parts.netloc, deadline)


def _answer(connection: socket.socket, host: str, deadline: float) -> Reach:
    """What comes back for a request, by its first bytes."""
    request = f"GET /readyz HTTP/1.1\r\nhost: {host}\r\nuser-agent: huidu\r\nconnection: close\r\n\r\n"
    said = b""
    try:
        connection.settimeout(_left(deadline))
        connection.sendall(request.encode("ascii", "replace"))
        while len(said) < _STATUS_LINE_BYTES:
            connection.settimeout(_left(deadline))
            part = connection.recv(_STATUS_LINE_BYTES)
            if not part:
                break
            said += part
    except TimeoutError:
        if not said:
            return Reach(True, f"accepts connections, no answer within {_ANSWER_SECONDS:.0f} s")
    except OSError:
        pass  # broken off: what counts is whether anything came before
    if not said:
        return Reach(False, "accepts connections and ends them without an answer")
    status = _STATUS_LINE.match(said)
    return Reach(True, f"answers (HTTP {status[1].decode()})" if status else "accepts connections, speaks no HTTP")


def _left(deadline: float) -> float:
    """The seconds left, for a time-out: never 0, which would mean another thing."""
    return max(0.001, deadline - time.monotonic())
