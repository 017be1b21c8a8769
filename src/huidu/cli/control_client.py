"""Asking control, for the commands that need it."""

import os
from pathlib import Path
from typing import Any

from huidu.cli import emergency
from huidu.cli.data_folder import data_folder
from huidu.core.errors import HuiduError, InvalidError, NotFoundError, RefusedError, UnavailableError
from huidu.core.places import Places

_FAMILIES: dict[str, type[HuiduError]] = {
    "invalid": InvalidError,
    "not_found": NotFoundError,
    "refused": RefusedError,
    "unavailable": UnavailableError,
}
_SECONDS = 30.0
# Whether it answers at all is known sooner.
_ANY_ANSWER_SECONDS = 5.0


def ask_control(config: Path, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Control's answer; raises the family of error that it names."""
    places = Places(data_folder(config, os.environ))
    try:
        emergency.ask(places, "GET", "/api/v1/status", None, _ANY_ANSWER_SECONDS)
        return emergency.ask(places, method, path, body, _SECONDS)
    except emergency.SaidNoError as error:
        raise _FAMILIES.get(error.family, UnavailableError)(str(error)) from None
    except emergency.NoAnswerError as error:
        raise UnavailableError(f"control does not answer ({error}); accepted: `huidu up` runs") from None
