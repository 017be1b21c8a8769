from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from huidu.cli.app import EXIT_OF, app, run
from huidu.control.app import STATUS_OF
from huidu.core.errors import HuiduError


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))
        elif isinstance(command, TyperCommand):
            yield (*path, name), command


def all_commands() -> list[tuple[tuple[str, ...], TyperCommand]]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return list(commands(group))


@pytest.mark.parametrize(
    ("path", "command"), all_commands(), ids=lambda each: "-".join(each) if isinstance(each, tuple) else ""
)
def test_every_command_says_what_it_does(path: tuple[str, ...], command: TyperCommand) -> None:
    assert command.help
    if path[0] not in ("status", "rollback", "promote", "pause", "resume"):
        assert "Example:" in command.help


def test_every_family_of_errors_has_an_exit_code_and_a_status() -> None:
    families = {kind for kind in HuiduError.__subclasses__() if kind.__module__ == HuiduError.__module__}
    assert set(EXIT_OF) == set(STATUS_OF) == families


def test_init_writes_a_file_that_is_good_but_for_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["init"]) == 1
    assert run(["config", "check"]) == 2
    said = capsys.readouterr().err
    assert "exists already" in said
    assert "models/v1" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["config", "check", "--config", "none.yaml"], "does not exist"),
        (["release", "list", "--config", "none.yaml"], "control does not answer"),
        (["serve", "--model-path", "none", "--version", "v1"], "none"),
        (["serve", "--model-path", ".", "--version", "v1"], "accepted"),
        (["demo", "--kit", "none"], "no demo kit"),
        (["explain", "--config", "none.yaml"], "does not exist"),
    ],
)
def test_a_refusal_is_one_line_and_an_exit_code(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
