"""Loaded by each Python of the run whose clock is ahead: there time.sleep fails with "Invalid argument".

Python sleeps until a moment of the monotonic clock. libfaketime 0.9.10 moves that moment as if it were one of the
wall clock, even where it is told to leave the monotonic clock alone.
"""

import select
import time


def sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
