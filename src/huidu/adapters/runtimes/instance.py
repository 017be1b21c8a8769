"""Running instances over HTTP, reached directly and not through the gateway."""

from pathlib import Path

import httpx

from huidu.core.errors import UnavailableError

_TIMEOUT_SECONDS = 60.0
_READY_TIMEOUT_SECONDS = 1.0


class HttpInstance:
    """A client of the faces that every version has. Safe to call from several threads."""

    def __init__(self) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False)

    def ready(self, address: str) -> bool:
        """Loaded and warmed up. A service of another make without `/readyz` is ready when it answers at all."""
        try:
            answer = self._client.get(f"http://{address}/readyz", timeout=_READY_TIMEOUT_SECONDS)
        except httpx.HTTPError:
            return False
        return answer.status_code < 500

    def transcribe(self, address: str, audio: Path, request_id: str) -> str:
        headers = {"x-huidu-purpose": "golden", "x-request-id": request_id}
        try:
            with audio.open("rb") as file:
                answer = self._client.post(
                    f"http://{address}/v1/audio/transcriptions",
                    files={"file": (audio.name, file)},
                    data={"model": "golden", "response_format": "json"},
                    headers=headers,
                )
            answer.raise_for_status()
            return str(answer.json()["text"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise UnavailableError(f"{address} gave no transcript of {audio.name}: {error}") from error
