"""The errors of Huidu, by who must act.

Each is one line that says what happened and what would have been accepted. HTTP statuses and exit codes
for these families are tables in `control/app.py`, `recognition/border.py` and `cli/app.py`.
"""


class HuiduError(Exception):
    """The base of everything Huidu refuses or cannot do."""

    def lines(self) -> list[str]:
        """The message as a terminal shows it: one line, or a head and one line for each of several problems."""
        return [str(self)]


class InvalidError(HuiduError):
    """What was given is wrong (a configuration, an upload, an argument): the sender must change it."""


class TooLargeError(InvalidError):
    """What was given is more than is accepted: no other instance would take it either."""


class NotFoundError(HuiduError):
    """What was named does not exist: the sender must name another."""


class RefusedError(HuiduError):
    """What was asked is not accepted in the present state: wait, or ask for something else."""


class UnavailableError(HuiduError):
    """A part of the system cannot answer now: an operator must look, or the caller come again."""


class BusyError(UnavailableError):
    """Another process holds the store's lock now: it may be free in a moment."""


class LostError(UnavailableError):
    """What was stored is gone or damaged: waiting does not bring it back. Control begins a new store."""


class TakenOverError(UnavailableError):
    """Another control writes the store now: the one that hears this must end, and leave everything as it is."""


def unknown_name(kind: str, given: str, known: list[str]) -> InvalidError:
    """The refusal of an unknown name, with the known ones listed."""
    return InvalidError(f"unknown {kind} '{given}'; accepted: {', '.join(sorted(known)) or 'none is defined'}")
