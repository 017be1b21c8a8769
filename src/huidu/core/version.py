"""A version: an immutable decoding bundle, and its fingerprint."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huidu.core.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Version:
    """A named bundle. Either `urls` name a service that already runs, or `engine` and `model` say what to run.

    `urls` are `http://HOST:PORT` or `https://HOST:PORT`, all of one scheme; `ca` is a PEM file that vouches for
    their certificates and `health` a path that says whether one works. `memory_bytes` is the declared peak of its
    process; None when only measurement can tell.
    """

    name: str
    engine: str = "sherpa-onnx"
    model: str | None = None
    device: str = "cpu"
    hotwords: str | None = None
    urls: tuple[str, ...] = ()
    ca: str | None = None
    health: str | None = None
    memory_bytes: int | None = None

    @property
    def managed(self) -> bool:
        """Whether Huidu starts and stops its process."""
        return not self.urls


def version_in_filename(pattern: str) -> Callable[[str], str | None]:
    """Finds the version that a file name tells: the one group of `pattern`, else None. Raises `InvalidError`."""
    try:
        search = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidError(f"read pattern '{pattern}' ({error}); accepted: a regular expression") from None
    if search.groups != 1:
        raise InvalidError(f"read pattern '{pattern}'; accepted: one group, such as _(v[0-9]+)_")
    return lambda filename: (found[1] or None) if (found := search.search(filename)) else None


def fingerprint(bundle: dict[str, Any], files: dict[str, bytes]) -> str:
    """Hex digest (64) over the bundle's options and the SHA-256 of each file it decodes with.

    `bundle` must hold everything that changes what is recognised, the engine's and Huidu's version included.
    """
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    text = json.dumps({"bundle": bundle, "files": listed}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
