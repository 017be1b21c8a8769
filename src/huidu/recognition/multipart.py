"""The forms that files are uploaded in, as clients really send them."""

import codecs
import re
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from huidu.core.errors import InvalidError

_MAX_FIELDS = 32
# RFC 5987, 3.2.1; some write it in quotes.
_EXTENDED = re.compile(rb""";\s*filename\*\s*=\s*"?([\w!#$%&+^`{}~-]*)'[^';"]*'([^\s;"]*)"?""", re.IGNORECASE)
_PLAIN = re.compile(rb";\s*filename\s*=", re.IGNORECASE)


async def read_multipart(request: Request) -> FormData:
    """The fields of a form with at most one file; whoever asks closes it. Raises `InvalidError`."""
    try:
        return await _Parser(request.headers, request.stream(), max_files=1, max_fields=_MAX_FIELDS).parse()
    except MultiPartException as error:
        raise InvalidError(f"the form cannot be read: {' '.join(error.message.split())}") from error


class _Parser(MultiPartParser):
    """Knows a file by `filename*` alone, too, which the parser passes over: it would be taken for a text."""

    def on_header_end(self) -> None:
        if self._current_partial_header_name.lower() == b"content-disposition":
            self._current_partial_header_value = with_plain_filename(self._current_partial_header_value)
        super().on_header_end()


def with_plain_filename(disposition: bytes) -> bytes:
    """A Content-Disposition that names its file by `filename*` only (RFC 5987), with the same name as `filename`."""
    found = _EXTENDED.search(disposition)
    if found is None or _PLAIN.search(disposition):
        return disposition
    name = unquote_to_bytes(found[2])
    try:
        text = name.decode(codecs.lookup(found[1].decode("ascii", "replace")).name, "replace")
    except (LookupError, ValueError):
        text = name.decode("utf-8", "replace")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "replace")
    return disposition[: found.start()] + b'; filename="' + quoted + b'"' + disposition[found.end() :]
