"""supervisord as `huidu up` runs it: it looks at its processes ten times a second.

Its loop waits up to a second for something to read. A process that died is noticed after one such wait and started
again after another: two seconds in which nobody would watch over users. `python -m` this module with supervisord's
own options.
"""

import sys

from supervisor.loggers import Handler
from supervisor.options import ServerOptions
from supervisor.poller import Poller
from supervisor.supervisord import go

_LOOK_SECONDS = 0.1


class PromptPoller(Poller):  # type: ignore[misc]
    """Waits no longer than a tenth of a second, whatever it is asked."""

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        found: tuple[list[int], list[int]] = super().poll(min(timeout, _LOOK_SECONDS))
        return found


class Complaints:
    """What supervisord says of a log that it cannot write, in one line, and not again while it is the same."""

    def __init__(self) -> None:
        self._said = ""

    def say(self) -> None:
        said = str(sys.exc_info()[1])
        if said != self._said:
            self._said = said
            print(f"huidu: a log cannot be written: {said}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Runs supervisord until it is told to end."""
    complaints = Complaints()
    # Its own prints a traceback for every line.
    Handler.handleError = lambda _handler: complaints.say()
    options = ServerOptions()
    options.poller = PromptPoller(options)
    options.realize(arguments, doc=__doc__)
    options.first, options.test = True, False
    go(options)
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main(sys.argv[1:])
