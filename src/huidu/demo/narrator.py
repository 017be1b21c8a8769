"""Tells the story as it happens: a live view on a terminal, plain lines elsewhere. All of it goes to stderr."""

from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text


class Narrator:
    """Use as a context; `say` adds a line, `show` renews the view of where the release stands."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._last = ""

    def __enter__(self) -> "Narrator":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(text)

    def heading(self, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))

    def show(self, status: dict[str, Any], seen: int) -> None:
        """Where the release stands now; elsewhere than on a terminal only what is new of it."""
        if self._console.is_terminal:
            self._live.update(_view(status, seen))
            return
        stage = f"{status['stage']}, {status['share_bp'] / 100:g} % of users on {status['candidate']}"
        if status["stage"] and stage != self._last:
            self._last = stage
            self.say(f"   {stage}")


def _view(status: dict[str, Any], seen: int) -> Group:
    guards = Table(box=None, padding=(0, 2), show_header=False)
    for name, guard in status["guards"].items():
        colour = {"passed": "green", "failed": "red"}.get(guard["verdict"], "yellow")
        guards.add_row(name, Text(guard["verdict"], style=colour), guard["reason"])
    release = status["release"]
    stage = f"{status['stage']}, {release['elapsed_seconds']:.0f} s" if release else "no release runs"
    share = f"{status['share_bp'] / 100:g} % of users on {status['candidate']}" if release else ""
    return Group(Text(f"   {seen} requests   {stage}   {share}", style="bold"), guards)


def table(found: dict[str, Any]) -> Table:
    """The summary of versions."""
    columns = ("version", "CER", "numerals error", "p50 ms", "p95 ms", "requests", "texts reviewed")
    made = Table(title="What each version did")
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number == 0 else "right")
    for name, row in found["versions"].items():
        made.add_row(
            name,
            _percent(row["cer"]),
            _percent(row["numerals_error"]),
            str(row["p50_ms"] or "-"),
            str(row["p95_ms"] or "-"),
            str(row["requests"]),
            str(row["reviewed"]),
        )
    return made


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
