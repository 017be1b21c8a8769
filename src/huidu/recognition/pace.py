"""How fast bytes come from a client, over the time in which they were waited for."""

from collections import deque

# Two marks lie at least so far apart: a pace remembers few of them however small the pieces are that come.
_MARK_SECONDS = 0.5


class Pace:
    """The pace of one sender. Only waiting counts: while nobody reads, nobody is slow.

    It remembers `longest_seconds` of waiting.
    """

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._waited_seconds = 0.0
        self._received_bytes = 0
        # How long was waited, and what had come by then; the first is at least as old as anybody asks for.
        self._marks = deque([(0.0, 0)])

    def came(self, received_bytes: int, waited_seconds: float) -> None:
        self._waited_seconds += waited_seconds
        self._received_bytes += received_bytes
        if self._waited_seconds - self._marks[-1][0] < _MARK_SECONDS:
            return
        self._marks.append((self._waited_seconds, self._received_bytes))
        while len(self._marks) > 1 and self._marks[1][0] <= self._waited_seconds - self._longest_seconds:
            self._marks.popleft()

    def slow_for(self, window_seconds: float, bytes_per_second: float, waiting_seconds: float = 0.0) -> float:
        """For how long has been waited, if less than that rate came over the last `window_seconds`; 0 if not.

        `waiting_seconds` is the wait that goes on now. Who was waited for less than the window is not slow yet.
        """
        now = self._waited_seconds + waiting_seconds
        if now < window_seconds:
            return 0.0
        # What came last is the newest mark of all: nothing has come since.
        marks = ((self._waited_seconds, self._received_bytes), *reversed(self._marks))
        waited, received = next(mark for mark in marks if mark[0] <= now - window_seconds)
        slow = self._received_bytes - received < bytes_per_second * (now - waited)
        return now if slow else 0.0
