"""The commands that may take their time: one Typer application, one boundary for errors."""

import errno
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from huidu import __version__
from huidu.cli import emergency
from huidu.core.errors import HuiduError, InvalidError, NotFoundError, RefusedError, UnavailableError

# What a disk answers that takes nothing more.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

EXIT_OF: dict[type[HuiduError], int] = {InvalidError: 2, NotFoundError: 2, RefusedError: 1, UnavailableError: 1}

app = typer.Typer(
    name="huidu",
    help="Put a new speech recognition model in front of real users safely.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_commands = typer.Typer(help="Check and apply huidu.yaml.", no_args_is_help=True)
release_commands = typer.Typer(help="Start releases and read their record.", no_args_is_help=True)
gateway_commands = typer.Typer(help="The gateway's configuration.", no_args_is_help=True)
app.add_typer(config_commands, name="config")
app.add_typer(release_commands, name="release")
app.add_typer(gateway_commands, name="gateway")

ConfigOption = Annotated[Path, typer.Option("--config", envvar="HUIDU_CONFIG", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_CONFIG = Path("huidu.yaml")


def run(arguments: list[str]) -> int:
    """Runs a command line; bugs keep their traceback, refusals are one line, and one for each of several problems."""
    try:
        app(args=arguments, standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except HuiduError as error:
        for line in error.lines():
            print(f"huidu: {' '.join(line.split())}", file=sys.stderr)
        return next(code for kind, code in EXIT_OF.items() if isinstance(error, kind))
    except OSError as error:
        where = error.filename or "the data folder"
        if isinstance(error, PermissionError):
            print(
                f"huidu: {where} may not be used by this user; accepted: the owner of the data folder, or root",
                file=sys.stderr,
            )
            return 1
        if error.errno not in _DISK:
            raise
        print(f"huidu: {where}: {error.strerror}; accepted: a disk that can be written to", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(found: Any, as_json: bool, text: str) -> None:
    """Prints a result: JSON for programs, text for people."""
    print(json.dumps(found, ensure_ascii=False, default=str) if as_json else text, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"huidu {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Put a new speech recognition model in front of real users safely."""


def _emergency(name: str, text: str) -> None:
    """Lists a command that `cli/emergency.py` runs, so that `--help` knows it."""

    def command(context: typer.Context) -> None:
        raise typer.Exit(emergency.main([name, *context.args]))

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(name, help=text, context_settings=settings)(command)


_emergency("status", "What runs, who gets what, the stage, and each guard's verdict with its reason.")
_emergency("rollback", "Everybody back on the stable version; after a promotion on an earlier one.")
_emergency("promote", "Move on now, with a reason.")
_emergency("pause", "Hold the release where it is.")
_emergency("resume", "Go on after a hold.")

# Each module registers its commands on `app`.
from huidu.cli import (  # noqa: E402
    compare,  # noqa: F401
    config,  # noqa: F401
    demo,  # noqa: F401
    doctor,  # noqa: F401
    evaluate,  # noqa: F401
    explain,  # noqa: F401
    gateway,  # noqa: F401
    history,  # noqa: F401
    release,  # noqa: F401
    run_commands,  # noqa: F401
    score,  # noqa: F401
)
