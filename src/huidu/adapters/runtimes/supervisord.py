"""supervisord as `huidu up` runs it: it looks at its processes ten times a second.

Its loop waits up to a second for something to read. A process that died is noticed after one such wait and started
again after another: two seconds in which nobody would watch over users. `python -m` this module with supervisord's
own options.
"""

import sys

from supervisor.options import ServerOptions
from supervisor.poller import Poller
from supervisor.supervisord import go

_LOOK_SECONDS = 0.1


class PromptPoller(Poller):  # type: ignore[misc]
    """Waits no longer than a tenth of a second, whatever it is asked."""

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        found: tuple[list[int], list[int]] = super().poll(min(timeout, _LOOK_SECONDS))
        return found


def main(arguments: list[str]) -> None:
    """Runs supervisord until it is told to end."""
    options = ServerOptions()
    options.poller = PromptPoller(options)
    options.realize(arguments, doc=__doc__)
    options.first, options.test = True, False
    go(options)
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main(sys.argv[1:])
