"""`huidu`: finds the command, and turns every refusal into one line and an exit code."""

import sys

from huidu.cli import emergency
from huidu.owner import keep_private


def main() -> int:
    """0 done, 1 failed or refused, 2 asked wrongly."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in emergency.COMMANDS:
        # All that these write lies in the data folder.
        keep_private()
        return emergency.main(arguments)
    # Imported only now: what an emergency needs must not wait for it.
    from huidu.cli.app import run

    return run(arguments)
