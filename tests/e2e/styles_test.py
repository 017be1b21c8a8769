"""`huidu eval` on services of another make that hear everything right and write it as real recognisers do."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import soundfile
from recognisers import spaced, traditional

# What is said, and the same with commas between groups, with a hyphen for "to", and with other numbers.
SAID = [
    ("电话一三八零零一三八零零零", "电话一三八，零零一三，八零零零", None, "电话一三八零零一三八零零一"),
    ("热线是4008101234", "热线是400，810，1234", None, "热线是4008101243"),
    ("一共三百二十五元", "一共，三百二十五元", "一共325元", "一共三百五十二元"),
    ("降价百分之二十到三十五", "降价，百分之二十到三十五", "降价20%-35%", "降价百分之二十到二十五"),
    ("八月到十月放假", "八月到十月，放假", "8月-10月放假", "八月到十一月放假"),
    ("十八岁到二十五岁的人", "十八岁到二十五岁，的人", "18-25岁的人", "十八岁到三十五岁的人"),
    ("二零二零年到二零二四年", "二零二零年到，二零二四年", "2020-2024年", "二零二零年到二零二五年"),
    ("会议下午三点半开始", "会议，下午三点半开始", "会议下午3:30开始", "会议下午三点开始"),
    ("二零二五年三月十二日，兩百個人", "二零二五年，三月十二日，兩百個人", None, "二零二五年三月十二日，兩百零一個人"),
    ("房间号二十 三百五十人", "房间号二十，三百五十人", None, "房间号二十 三百五十一人"),
    ("没有数字的话", "没有，数字，的话", None, "没有数字的话"),
]
STYLES: dict[str, Callable[[int], str]] = {
    "plain": lambda index: SAID[index][0],
    "blanks": lambda index: spaced(SAID[index][0]),
    "commas": lambda index: SAID[index][1],
    "traditional": lambda index: traditional(SAID[index][0]),
    "hyphens": lambda index: SAID[index][2] or SAID[index][0],
    "wrong": lambda index: SAID[index][3],
}


class Service(BaseHTTPRequestHandler):
    """Tells the recordings apart by their names, and answers in one style."""

    style: Callable[[int], str]

    def do_GET(self) -> None:
        self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        name = re.search(rb'filename="(\d+)\.wav"', body)
        assert name, body[:300]
        self._answer(200, {"text": type(self).style(int(name[1]))})

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads it."""


@contextmanager
def served(style: Callable[[int], str]) -> Iterator[str]:
    handler = type("Styled", (Service,), {"style": staticmethod(style)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `huidu eval` says of each style."""
    folder = tmp_path_factory.mktemp("styles")
    rng = np.random.default_rng(1)
    rows = ["id\taudio\ttext\n"]
    for index, (text, *_) in enumerate(SAID):
        soundfile.write(folder / f"{index}.wav", rng.normal(0, 0.1, 8000), 16_000)
        rows.append(f"{index}\t{index}.wav\t{text}\n")
    (folder / "set.tsv").write_text("".join(rows), encoding="utf-8")
    with ExitStack() as stack:
        urls = {name: stack.enter_context(served(style)) for name, style in STYLES.items()}
        known = "".join(f"  {name}: {{url: {url}}}\n" for name, url in urls.items())
        (folder / "huidu.yaml").write_text(f"data: ./data\nversions:\n{known}stable: plain\n")
        command = [sys.executable, "-m", "huidu", "eval", "set.tsv", *STYLES, "--json", "--no-report"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {
        name: version | {"heard": {row["id"]: row["hypotheses"][name] for row in found["utterances"]}}
        for name, version in found["versions"].items()
    }


@pytest.mark.parametrize("style", [name for name in STYLES if name != "wrong"])
def test_a_style_is_no_error_of_numerals(versions: dict[str, Any], style: str) -> None:
    heard = versions[style]["heard"]
    assert {id: each["text"] for id, each in heard.items()} == {str(i): STYLES[style](i) for i in range(len(SAID))}
    assert {each["text"]: each["numerals"]["wrong"] for each in heard.values() if each["numerals"]["wrong"]} == {}
    assert versions[style]["numerals"]["rate"] == 0
    assert versions[style]["numerals"]["reference"] == versions["plain"]["numerals"]["reference"] >= 15


def test_other_numbers_are_errors(versions: dict[str, Any]) -> None:
    errors = [each["numerals"]["wrong"] for each in versions["wrong"]["heard"].values()]
    assert errors == [1] * (len(SAID) - 1) + [0]
