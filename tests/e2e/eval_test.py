"""`huidu eval` over the demo kit's real models: verdicts, resumption, versions elsewhere, the report."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from browsing import PLAYED, kept, started_browser, watched_page
from fronts import free_port, until

from huidu.demo.kit import read_kit, shipped

KIT = read_kit(shipped())
HUIDU = [sys.executable, "-m", "huidu"]
DIGITS = [clip for clip in KIT.clips if clip.digits][:50]
OTHERS = [clip for clip in KIT.clips if not clip.digits][:50]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration of the kit's three models and two sets of the kit's recordings."""
    made = tmp_path_factory.mktemp("eval")
    versions = "".join(f"  {name}: {{model: {KIT.model(name)}}}\n" for name in KIT.versions)
    (made / "huidu.yaml").write_text(f"data: ./data\nversions:\n{versions}stable: {KIT.stable}\n")
    for name, clips in (("set.tsv", [*DIGITS, *OTHERS]), ("plain.tsv", OTHERS)):
        rows = [f"{clip.id}\t{clip.audio}\t{clip.text}\t{clip.speaker}\t{clip.category}\n" for clip in clips]
        (made / name).write_text("id\taudio\ttext\tspeaker\tcategory\n" + "".join(rows))
    return made


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*HUIDU, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    done = run(folder, "eval", "set.tsv", *KIT.versions, "--json", "--report", "report.html")
    assert done.returncode == 4, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_numbers_are_named_as_the_regression_and_the_better_version_as_better(result: dict[str, Any]) -> None:
    worse, better = result["comparisons"]
    assert (worse["verdict"], worse["metrics"]["numerals"]["verdict"]) == ("worse", "worse")
    assert worse["metrics"]["numerals"]["low"] > 0.1
    assert worse["worst_category"]["name"] == "digits"
    assert better["verdict"] != "worse"
    told = {name: version["verdict"] for name, version in result["versions"].items()}
    assert told == {"v1": None, "v2": "worse", "v3": better["verdict"]}
    assert better["metrics"]["cer"]["difference"] < 0


def test_a_second_run_recognises_nothing_again(folder: Path, result: dict[str, Any]) -> None:
    again = run(folder, "eval", "set.tsv", *KIT.versions, "--json", "--no-report")
    before, after = result, json.loads(again.stdout)
    assert after["utterances"] == before["utterances"]
    for name, version in before["versions"].items():
        assert after["versions"][name]["latency_ms"] == version["latency_ms"]


def test_the_worst_utterances_are_shown_by_version(folder: Path, result: dict[str, Any]) -> None:
    done = run(folder, "eval", "set.tsv", *KIT.versions, "--no-report", "--show", "2")
    for name in KIT.versions:
        section = done.stdout.split(f"== {name} ==\n")[1].split("\n== ")[0]
        (first, *_) = missed = result["missed_numerals"][name]
        assert f"{first['count']:5d}x {first['said']['reading'][0]}" in section
        assert sum(pair["count"] for pair in missed) <= result["versions"][name]["numerals"]["wrong"]
        assert section.count("\nREF ") >= 2
    assert "worst" not in result


def test_report_csv_and_json_lie_beside_each_other(folder: Path, result: dict[str, Any]) -> None:
    assert json.loads((folder / "report.json").read_text())["set"] == result["set"]
    assert len((folder / "report.csv").read_text(encoding="utf-8-sig").splitlines()) == 1 + 100 * 3
    assert "data:" in (folder / "report.html").read_text()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_report_opens_by_itself_and_plays(folder: Path, result: dict[str, Any], language: str) -> None:
    with started_browser() as browser, watched_page(browser, viewport={"width": 1280, "height": 900}) as page:
        page.goto((folder / "report.html").as_uri())
        page.click(f"[data-switch={language}]")
        page.screenshot(path=kept(f"eval-{language}.png"), full_page=True)
        said = page.locator(".conclusion .sentence").first.inner_text()
        page.locator("#list .play").first.click()
        page.evaluate(PLAYED, 0.2)
    assert ("数字" if language == "zh" else "numbers") in said
    assert "v2" in said


def test_a_run_that_was_killed_goes_on_and_leaves_no_process(folder: Path, tmp_path: Path) -> None:
    environment = os.environ | {"HUIDU_DATA": str(tmp_path / "data")}
    command = [*HUIDU, "eval", "set.tsv", "v1", "--no-report", "--json"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)

    def lines() -> list[str]:
        files = list((tmp_path / "data" / "evaluation").glob("*.jsonl"))
        return files[0].read_text().splitlines() if files else []

    until(lambda: len(lines()) >= 10, 60)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert children
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children), 20)
    kept = len(lines())
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    times = Counter(json.loads(line)["audio_sha256"] for line in lines())
    assert kept < len(times) == len({clip.audio.read_bytes() for clip in [*DIGITS, *OTHERS]})
    assert set(times.values()) == {1}


@contextmanager
def served(folder: Path, version: str) -> Iterator[str]:
    port = free_port()
    options = ["--model-path", str(KIT.model(version)), "--version", version, "--port", str(port)]
    process = subprocess.Popen([*HUIDU, "serve", *options, "--data", str(folder)], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_a_version_elsewhere_is_heard_where_it_is(folder: Path, tmp_path: Path, result: dict[str, Any]) -> None:
    with served(tmp_path, "v1") as url:
        (tmp_path / "huidu.yaml").write_text(
            f"data: ./data\nversions:\n  far: {{url: {url}}}\n  gone: {{url: 'http://127.0.0.1:9'}}\nstable: far\n"
        )
        place = str(folder / "plain.tsv")

        def asked(version: str) -> "subprocess.CompletedProcess[str]":
            return run(tmp_path, "eval", place, version, "--json", "--no-report")

        found = until(lambda: (done := asked("far")).returncode == 0 and json.loads(done.stdout), 60)
        gone = asked("gone")
    texts = {row["id"]: row["hypotheses"]["v1"]["text"] for row in result["utterances"]}
    assert all(row["hypotheses"]["far"]["text"] == texts[row["id"]] for row in found["utterances"])
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr
    assert gone.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.tsv", "v1"], "nowhere.tsv"),
        (["set.tsv", "v9"], "unknown version 'v9'; accepted: v1, v2, v3"),
        (["set.tsv", "v1", "v1"], "stands twice"),
        (["set.tsv", "v1", "--jobs", "0"], "accepted: 1 to"),
        (["set.tsv", "v1", "--language", "fr"], "accepted: en, zh"),
        (["set.tsv", "v1", "--weights", "heavy"], "accepted: unit, sclite"),
        (["set.tsv", "v1", "--report", "report.json"], "accepted: a name that ends in .html"),
        (["set.tsv", "v1", "--report", "nowhere/report.html"], "accepted: a file in a folder that exists"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(folder: Path, arguments: list[str], said: str) -> None:
    done = run(folder, "eval", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
