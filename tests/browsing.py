"""A real browser for the suites that look at pages: Chromium, driven by playwright, watched for trouble."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
LOCAL = ("file:", "data:", "blob:")
# Awaited in the page itself: its policy forbids the evaluation by which playwright would poll.
PLAYED = """seconds => new Promise((done, failed) => {
  const audio = document.getElementById("audio");
  const look = () => audio.currentTime > seconds && done(audio.currentTime);
  audio.addEventListener("timeupdate", look);
  audio.addEventListener("error", () => failed(audio.error.message));
  look();
})"""


@contextmanager
def started_browser() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@contextmanager
def watched_page(browser: Any, **options: Any) -> Iterator[Any]:
    """A page; whatever it asks of the network or complains about fails the test at its end."""
    opened = browser.new_page(**options)
    trouble: list[str] = []
    opened.on("request", lambda request: request.url.startswith(LOCAL) or trouble.append(request.url))
    opened.on("console", lambda message: message.type in ("error", "warning") and trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    yield opened
    opened.close()
    assert trouble == []


def kept(name: str) -> Path:
    """Where a suite leaves what a person may want to look at."""
    folder = Path(os.environ.get("HUIDU_TEST_OUTPUT") or Path(__file__).parents[1] / "test-output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
