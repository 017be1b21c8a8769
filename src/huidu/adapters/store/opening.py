"""A port over a store that cannot be opened yet."""

import threading
from collections.abc import Callable
from typing import Any

from huidu.core.errors import HuiduError, UnavailableError


class Opening:
    """Stands for what `open_port` makes, and asks for it with each call until it is there.

    Until then each call raises `UnavailableError`, as those of a store do that was opened and refuses.
    """

    def __init__(self, open_port: Callable[[], Any]) -> None:
        self._open_port = open_port
        self._port: Any = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._port is None:
                try:
                    self._port = self._open_port()
                except HuiduError as error:
                    # Whatever is wrong with the store, it is not wrong with what was to be stored.
                    raise UnavailableError(str(error)) from error
        return getattr(self._port, name)
