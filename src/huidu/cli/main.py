"""`huidu`: finds the command, and turns every refusal into one line and an exit code."""

import sys

from huidu.cli import emergency


def main() -> int:
    """0 done, 1 failed, 2 asked wrongly, 3 undecided, 4 worse."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in emergency.COMMANDS:
        return emergency.main(arguments)
    # Imported only now: what an emergency needs must not wait for it.
    from huidu.cli.app import run

    return run(arguments)
