"""What uploads may take of an instance: how many at a time, how slowly, and how many bytes in memory and on disk.

Nobody takes the service down by opening uploads and letting them rest. An upload that brings next to nothing is
ended; and when what there is is nearly all taken, one client address gets at most half of it (`core.fairness`).
"""

import asyncio
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from huidu.core.fairness import Holding, admits, giving_way, nearly_full
from huidu.recognition.pace import Pace

_log = logging.getLogger(__name__)

# A larger upload goes to disk: the form's own rule.
IN_MEMORY_BYTES = MultiPartParser.spool_max_size
_RETRY_SECONDS = "1"
# Room on disk comes back when long recordings have been recognised.
_RETRY_DISK_SECONDS = "30"
# Model, store, logs, streams, and the files of recognitions that wait for their turn.
_OTHER_FILES = 384
# What control asks of an instance goes through however full it is; the border refuses it to clients of a gateway.
_COMMANDS = ("/api/v1/drain",)


@dataclass(frozen=True, slots=True)
class CrowdLimits:
    """At most `uploads` come in at a time; together they hold `memory_bytes`, and `disk_bytes` of temporary files.

    Of the disk they never take more than half of what would be free without them. An upload ends that brings less
    than `least_bytes_per_second` over `slow_seconds` of waiting for it. When nearly all is taken, one that was so
    slow for `idle_seconds` gives way. Every `look_seconds` is looked for who is slow.
    """

    uploads: int = 4096
    memory_bytes: int = 512 * 10**6
    disk_bytes: int = 20 * 10**9
    least_bytes_per_second: int = 4_000
    slow_seconds: float = 30.0
    idle_seconds: float = 5.0
    look_seconds: float = 1.0


class SlowError(HTTPException):
    """The upload comes too slowly. As all here an `HTTPException`, because frameworks let those through untouched."""

    def __init__(self, detail: str) -> None:
        # What is left of the upload is not waited for.
        super().__init__(408, detail, {"connection": "close"})


class CrowdedError(HTTPException):
    """There is no room for one more upload now."""

    def __init__(self, detail: str) -> None:
        super().__init__(503, detail, {"retry-after": _RETRY_SECONDS})


class NoDiskError(HTTPException):
    """There is no room on disk for the upload now.

    413 with Retry-After, as HTTP has it for what is too large for the time being: a gateway would send a 503 to the
    stable version, too, which writes to the same disk.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(413, detail, {"retry-after": _RETRY_DISK_SECONDS})


def client_address(scope: Scope) -> str:
    """Who the client is: the keyed hash of its address that a gateway tells, else the connection's own address."""
    origin = scope.get("huidu.origin")
    if origin is not None and origin.peer is not None:
        return str(origin.peer)
    client = scope.get("client")
    return client[0] if client else ""


def free_disk_bytes() -> int:
    """What is free in the folder for temporary files; 0 where nobody can tell."""
    try:
        found = os.statvfs(tempfile.gettempdir())
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class _Shared:
    """Something bounded, and how much of it each address has."""

    def __init__(self) -> None:
        self.taken = 0
        self._held: Counter[str] = Counter()

    def admits(self, address: str, capacity: int, wanted: int) -> bool:
        return wanted <= 0 or admits(self._held[address], self.taken, capacity, wanted)

    def holds(self, address: str) -> int:
        return self._held[address]

    def take(self, address: str, amount: int) -> None:
        """Negative: gives back."""
        self.taken += amount
        self._held[address] += amount
        if not self._held[address]:
            del self._held[address]


@dataclass(slots=True, eq=False)
class _Upload:
    """One upload on its way in. `ending` is why it is to end, told where it is waited for."""

    address: str
    pace: Pace
    announced_bytes: int = 0
    received_bytes: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    entered: bool = False
    complete: bool = False
    waiting_since: float | None = None
    patience: asyncio.Timeout | None = field(default=None, repr=False)
    ending: HTTPException | None = None

    def end(self, why: HTTPException) -> None:
        self.ending = why
        if self.patience is not None:
            self.patience.reschedule(asyncio.get_running_loop().time())


class Uploads:
    """All uploads of an instance. Used in its event loop only; `clock` is monotonic."""

    def __init__(
        self,
        limits: CrowdLimits,
        free_bytes: Callable[[], int] = free_disk_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._free_bytes = free_bytes
        self._clock = clock
        self._coming: set[_Upload] = set()
        self._places, self._memory, self._disk = _Shared(), _Shared(), _Shared()

    @property
    def count(self) -> int:
        """How many are coming in."""
        return len(self._coming)

    @property
    def held_bytes(self) -> tuple[int, int]:
        """What all of them hold in memory and on disk, those included that wait for their recognition."""
        return self._memory.taken, self._disk.taken

    async def receive(self, upload: _Upload, receive: Receive) -> Message:
        """The next message of an upload. Raises what it ends with: no room for it, or it comes too slowly."""
        if upload.complete:
            return await receive()
        if not upload.entered:
            self._enter(upload)
        started = upload.waiting_since = self._clock()
        try:
            async with asyncio.timeout(None) as upload.patience:
                message = await receive()
        except TimeoutError:
            if upload.ending is None:
                raise
            raise upload.ending from None
        finally:
            upload.waiting_since = upload.patience = None
        size_bytes = len(message.get("body", b""))
        upload.pace.came(size_bytes, self._clock() - started)
        self._hold(upload, upload.received_bytes + size_bytes)
        if not message.get("more_body", False):
            self._arrived(upload)
        return message

    def begin(self, address: str, announced_bytes: int) -> _Upload:
        """One that may come; it takes nothing before its body is asked for."""
        return _Upload(address, Pace(self._limits.slow_seconds), announced_bytes)

    def leave(self, upload: _Upload) -> None:
        """Nothing of it is left."""
        self._arrived(upload)
        self._memory.take(upload.address, -upload.memory_bytes)
        self._disk.take(upload.address, -upload.disk_bytes)
        upload.memory_bytes = upload.disk_bytes = 0

    def look(self) -> None:
        """Ends what is too slow, and what is to give way; to be called about once a second."""
        limits, now = self._limits, self._clock()
        rate, window = limits.least_bytes_per_second, limits.slow_seconds
        for upload in self._coming:
            if self._slow_for(upload, window, now):
                detail = f"less than {rate} bytes a second came over {window:g} s; accepted: a faster upload"
                upload.end(SlowError(detail))
        coming = [upload for upload in self._coming if upload.ending is None]
        if not nearly_full(len(coming), limits.uploads):
            return
        holdings = [Holding(each.address, self._slow_for(each, limits.idle_seconds, now)) for each in coming]
        for place in giving_way(holdings, limits.uploads, limits.idle_seconds):
            detail = f"less than {rate} bytes a second came, and others want in; accepted: a faster upload"
            coming[place].end(SlowError(detail))

    def _slow_for(self, upload: _Upload, window_seconds: float, now: float) -> float:
        # Whom nobody waits for is not slow: what he sent is being written down.
        if upload.waiting_since is None:
            return 0.0
        return upload.pace.slow_for(window_seconds, self._limits.least_bytes_per_second, now - upload.waiting_since)

    def _enter(self, upload: _Upload) -> None:
        upload.entered = True
        limit = self._limits.uploads
        if self._places.taken >= limit:
            raise CrowdedError(f"no more than {limit} uploads are taken at a time; come again in a second")
        if not self._places.admits(upload.address, limit, 1):
            held = self._places.holds(upload.address)
            raise CrowdedError(
                f"{held} of at most {limit} uploads are this address's own, and few are left for others; "
                "come again in a second"
            )
        if upload.announced_bytes > IN_MEMORY_BYTES:
            self._want_disk(upload, upload.announced_bytes)
        self._places.take(upload.address, 1)
        self._coming.add(upload)

    def _hold(self, upload: _Upload, received_bytes: int) -> None:
        """Takes the memory, or the disk, that so many bytes of an upload lie in."""
        on_disk = received_bytes > IN_MEMORY_BYTES
        memory, disk = (0, received_bytes) if on_disk else (received_bytes, 0)
        more_memory, more_disk = memory - upload.memory_bytes, disk - upload.disk_bytes
        if not self._memory.admits(upload.address, self._limits.memory_bytes, more_memory):
            raise CrowdedError("uploads take all the memory that they may; come again in a second")
        if more_disk > 0:
            self._want_disk(upload, more_disk)
        self._memory.take(upload.address, more_memory)
        self._disk.take(upload.address, more_disk)
        upload.received_bytes, upload.memory_bytes, upload.disk_bytes = received_bytes, memory, disk

    def _want_disk(self, upload: _Upload, wanted_bytes: int) -> None:
        # What is free now, and what would be if it were not for them.
        capacity = min(self._limits.disk_bytes, (self._free_bytes() + self._disk.taken) // 2)
        if not self._disk.admits(upload.address, capacity, wanted_bytes):
            raise NoDiskError(
                f"the disk has no room for this upload now; accepted: up to {IN_MEMORY_BYTES} bytes, or later"
            )

    def _arrived(self, upload: _Upload) -> None:
        upload.complete = True
        if upload in self._coming:
            self._coming.discard(upload)
            self._places.take(upload.address, -1)


class Crowd:
    """ASGI middleware that watches over every body that the application asks for; inside of the border."""

    def __init__(self, app: ASGIApp, uploads: Uploads) -> None:
        self._app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _COMMANDS or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        # An absurd length was refused at the border.
        upload = self._uploads.begin(client_address(scope), int(announced) if announced.isdecimal() else 0)
        try:
            await self._app(scope, lambda: self._uploads.receive(upload, receive), send)
        finally:
            self._uploads.leave(upload)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def look_after(every_seconds: float, *look: Callable[[], object]) -> None:
    """Calls each again and again, for ever; one that fails once is called again."""
    while True:
        await asyncio.sleep(every_seconds)
        for each in look:
            try:
                each()
            except Exception:
                _log.exception("looking after clients failed")


def uploads_for(open_files: int) -> int:
    """How many uploads a process takes at a time that may have so many files open.

    Each may need two, for its connection and for its temporary file, and recognitions, streams and the store need some.
    """
    return max(16, min(CrowdLimits().uploads, (open_files - _OTHER_FILES) // 4))


def connections_for(open_files: int) -> int:
    """How many connections that process takes: files for the uploads and for everything else are left over."""
    return max(32, open_files - _OTHER_FILES - uploads_for(open_files))
