"""What gateways answer themselves, alike in both: one line of JSON in the shape of an instance's errors."""

import json
from dataclasses import dataclass

from huidu.adapters.gateways.place import Place

# Below it errors have OpenAI's shape, at instances too.
OPENAI_PATHS = "/v1/"
# Methods that are sent on. Of those that HTTP knows TRACE is none: its answer would tell what the gateway says of a
# user; CONNECT is no request for a version. Neither gateway knows what is in no list of methods.
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ACL", "BIND", "CHECKOUT", "COPY", "LINK", "LOCK"),
    *("M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE"),
    *("REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An error: its status, its family, and one line that says what would have been accepted."""

    status: int
    family: str
    detail: str

    def ours(self) -> str:
        return _json({"error": self.family, "detail": self.detail})

    def openai(self) -> str:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return _json({"error": {"message": self.detail, "type": kind, "param": None, "code": self.family}})


MALFORMED = Answer(400, "invalid", "a malformed request")
NO_UPGRADE = Answer(403, "forbidden", "this upgrade is not served here; accepted: websocket")
NOT_FOUND = Answer(404, "not_found", "this is not served here")
NO_METHOD = Answer(405, "not_found", "this method is not served here; accepted: GET, POST and the like")
LATE = Answer(408, "invalid", "the request did not arrive in time")
BROKEN = Answer(500, "internal", "the gateway failed")
NOT_IMPLEMENTED = Answer(501, "invalid", "a body is accepted with Content-Length, or chunked")
CLOSED = Answer(503, "unavailable", "no version can serve this now")
NO_PROTOCOL = Answer(505, "invalid", "accepted: HTTP/1.0, HTTP/1.1 and, by TLS, HTTP/2")


def too_large(place: Place) -> Answer:
    return Answer(413, "too_large", f"the request is larger than the accepted {place.max_upload_bytes} bytes")


def header_too_large(place: Place) -> Answer:
    detail = f"the header is larger than the accepted {place.max_header_bytes} bytes, or has too many lines"
    return Answer(431, "too_large", detail)


def _json(shape: dict[str, object]) -> str:
    return json.dumps(shape, separators=(",", ":"))
