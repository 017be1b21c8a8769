"""Running instances over HTTP, reached directly and not through the gateway."""

import re
import ssl
from collections.abc import Callable, Collection
from pathlib import Path

import httpx

from huidu.adapters.runtimes.reach import reach
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.safety import Heard
from huidu.ports import Reach

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TIMEOUT_SECONDS = 60.0
_DRAIN_TIMEOUT_SECONDS = 2.0
_READY_TIMEOUT_SECONDS = 1.0


class HttpInstance:
    """A client of the faces that every version has. Safe to call from several threads."""

    def __init__(self, token: Callable[[str], str | None] = lambda _: None) -> None:
        """`token` is what may be shown at an address to those who ask for more than recognition, if anything."""
        self._token = token
        self._context = ssl.create_default_context()
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=self._context)

    def trust(self, authorities: Collection[str]) -> None:
        """Takes PEM files on that vouch for versions spoken to by HTTPS. Raises `InvalidError`."""
        for path in authorities:
            try:
                self._context.load_verify_locations(path)
            except OSError as error:
                reason = error.strerror or error
                raise InvalidError(
                    f"ca {path} cannot be used ({reason}); accepted: a PEM file of certificates"
                ) from None

    def ready(self, address: str) -> bool:
        """Loaded and warmed up. A service of another make without `/readyz` is ready when it answers at all."""
        try:
            answer = self._client.get(f"{_base(address)}/readyz", timeout=_READY_TIMEOUT_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.status_code < 500

    def reach(self, address: str) -> Reach:
        """Whether anybody serves there, whatever it is; takes about two seconds at most and raises nothing."""
        return reach(address, self._context)

    def transcribe(self, address: str, audio: Path, request_id: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> str:
        heard = self._ask(address, audio, request_id, "golden", timeout_seconds)
        if heard.text is None:
            raise UnavailableError(f"{address} gave no transcript of {audio.name}: {heard.detail}")
        return heard.text

    def hear(self, address: str, audio: Path, request_id: str) -> Heard:
        return self._ask(address, audio, request_id, "probe", _TIMEOUT_SECONDS)

    def _ask(self, address: str, audio: Path, request_id: str, purpose: str, timeout_seconds: float) -> Heard:
        """What a version makes of one file; why it made no text of it is in the detail."""
        status = None
        try:
            with audio.open("rb") as file:
                answer = self._client.post(
                    f"{_base(address)}/v1/audio/transcriptions",
                    files={"file": (audio.name, file)},
                    data={"model": purpose, "response_format": "json"},
                    headers={"x-huidu-purpose": purpose, "x-request-id": request_id},
                    timeout=timeout_seconds,
                )
            status = answer.status_code
            answer.raise_for_status()
            text = answer.json()["text"]
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return Heard(None, status, str(error) or type(error).__name__)
        if not isinstance(text, str):
            return Heard(None, status, f"its text is {type(text).__name__}")
        return Heard(text, status)

    def fingerprint(self, address: str) -> str | None:
        """What an instance of Huidu says it decodes with; None for a service of another make."""
        try:
            answer = self._client.get(f"{_base(address)}/version", timeout=_READY_TIMEOUT_SECONDS)
            found = answer.json()["fingerprint"] if answer.is_success else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) and _FINGERPRINT.fullmatch(found) else None

    def move_streams(self, address: str) -> int:
        """Asks for the streams open now to be moved at their next utterance boundary; returns their number.

        Raises `UnavailableError`, also for a service of another make, which knows no such thing.
        """
        token = self._token(address)
        headers = {"authorization": f"Bearer {token}"} if token else None
        try:
            answer = self._client.post(
                f"{_base(address)}/api/v1/drain",
                json={"streams": "move"},
                headers=headers,
                timeout=_DRAIN_TIMEOUT_SECONDS,
            )
            answer.raise_for_status()
            return int(answer.json()["streams"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise UnavailableError(f"{address} was not asked to move its streams: {error}") from error


def _base(address: str) -> str:
    return address if "://" in address else f"http://{address}"
