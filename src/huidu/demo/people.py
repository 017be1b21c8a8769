"""The people of the demo: users who speak, and reviewers who listen.

Both run in one thread with its own event loop. Users keep a connection and their cookies, pause between
requests as people do, and never try again. Reviewers know nothing of versions.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import Any

import httpcore
import httpx

from huidu.demo.kit import Clip

_TIMEOUT_SECONDS = 30.0

# What a person does until the event says that it is time to go.
Person = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Counted:
    """What the users themselves saw."""

    requests: int = 0
    failed: int = 0
    first_failure: str = ""


class Crowd:
    """Runs people in the background until they are told to go."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="people", daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self._thread.start()

    def let_in(self, people: Sequence[Person]) -> None:
        async def begin() -> None:
            self._tasks += [asyncio.create_task(person(self._closing)) for person in people]

        asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def send_home(self) -> None:
        """Waits until everybody has gone; a request that is under way is finished first."""

        async def end() -> None:
            self._closing.set()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def users(
    url: str, count: int, requests_per_second: float, clips: Sequence[Clip], seed: int, counted: Counted
) -> list[Person]:
    """`count` users who together make about `requests_per_second`."""
    uploads = {clip.id: _upload(clip) for clip in clips}
    mean_pause = count / requests_per_second

    async def user(number: int, closing: asyncio.Event) -> None:
        chance = random.Random(f"{seed}:{number}")
        cookies = SimpleCookie()
        async with httpcore.AsyncConnectionPool(max_connections=1) as connection:
            # From the first on, pauses are as they always are: nobody rushes in when the doors open.
            pause = chance.expovariate(1 / mean_pause)
            while await _stays(closing, pause):
                await _speak(connection, url, uploads[chance.choice(clips).id], cookies, counted)
                pause = chance.expovariate(1 / mean_pause)

    return [partial(user, number) for number in range(count)]


async def _stays(closing: asyncio.Event, seconds: float) -> bool:
    """Waits; False as soon as it is time to go."""
    try:
        await asyncio.wait_for(closing.wait(), seconds)
    except TimeoutError:
        return True
    return False


def _upload(clip: Clip) -> tuple[str, bytes]:
    """The content type and the body of a clip's request, made once: users must not cost what they measure."""
    request = httpx.Request(
        "POST",
        "http://gateway",
        files={"file": (clip.audio.name, clip.audio.read_bytes())},
        data={"model": "huidu", "response_format": "json"},
    )
    return request.headers["content-type"], request.read()


async def _speak(
    connection: httpcore.AsyncConnectionPool,
    url: str,
    upload: tuple[str, bytes],
    cookies: "SimpleCookie",
    counted: Counted,
) -> None:
    counted.requests += 1
    content_type, body = upload
    headers: dict[bytes | str, bytes | str] = {"content-type": content_type}
    if cookies:
        headers["cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _TIMEOUT_SECONDS)
    try:
        answer = await connection.request(
            "POST",
            f"{url}/v1/audio/transcriptions",
            headers=headers,
            content=body,
            extensions={"timeout": timeouts},
        )
        for name, value in answer.headers:
            if name.lower() == b"set-cookie":
                cookies.load(value.decode())
        failure = "" if answer.status == 200 else f"status {answer.status}: {answer.content[:200]!r}"
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        failure = repr(error)
    if failure:
        counted.failed += 1
        counted.first_failure = counted.first_failure or failure


def reviewer(
    url: Callable[[], str],
    headers: Callable[[], dict[str, str]],
    references: dict[str, str],
    per_second: float,
    seed: int,
    poll_seconds: float = 0.5,
) -> Person:
    """Somebody who listens to a random sample of all recognitions and writes down what was said.

    The sample is drawn by row number alone; version and text are not looked at. A text that was right is
    confirmed by the same words. `url` is an instance's own address, `headers` are what it wants to see of an operator.
    """
    chance = random.Random(f"{seed}:reviewer")

    async def person(closing: asyncio.Event) -> None:
        last = 0
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            while await _stays(closing, poll_seconds):
                try:
                    asked = {"purpose": "live", "limit": "100"}
                    page = await client.get(f"{url()}/api/v1/history", params=asked, headers=headers())
                    rows = [row for row in page.json()["items"] if row["id"] > last] if page.status_code == 200 else []
                    last = max([last, *(row["id"] for row in rows)])
                    wanted = min(len(rows), _at_random(per_second * poll_seconds, chance))
                    for row in chance.sample(rows, wanted):
                        heard = {"corrected_text": references[row["audio_sha256"]], "corrected_by": "reviewer"}
                        await client.patch(f"{url()}/api/v1/history/{row['id']}", json=heard, headers=headers())
                except httpx.HTTPError:
                    # The instance is being replaced; a reviewer looks again later.
                    continue

    return person


def _at_random(mean: float, chance: random.Random) -> int:
    """A whole number whose mean is `mean`."""
    return int(mean) + (chance.random() < mean % 1)
