import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import huidu.demo
from huidu.adapters.engines.onnx_file_test import onnx
from huidu.cli.serve import listen, serve
from huidu.core.errors import InvalidError, UnavailableError

KIT = Path(huidu.demo.__file__).parent / "kit"
KIT_MODEL = KIT / "models" / "v1"


def test_a_missing_model_directory_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"there is no model directory .*none"):
        serve(tmp_path / "none", "v1", data=tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"engine": "parrot"}, "unknown engine 'parrot'; accepted: sherpa-onnx"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"version": "v 1"}, "version 'v 1' is no name"),
        ({"hotwords": Path("/none/words.txt")}, "the hotwords file /none/words.txt cannot be read"),
        ({"workers": 0}, "must be at least 1"),
        ({"port": 70_000}, "port 70000 is out of range"),
        ({"host": "256.1.1.1"}, "cannot listen on 256.1.1.1"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: dict[str, Any], refusal: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.onnx").write_bytes(onnx({"model_type": "zipformer2_ctc"}))
    (model / "tokens.txt").write_text("<blk> 0\n")
    with pytest.raises(InvalidError, match=refusal):
        serve(model, **{"version": "v1", "data": tmp_path / "data", **options})
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_one_clear_line() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port} on 127.0.0.1 is in use"):
            listen("127.0.0.1", port)


def test_importing_the_command_imports_nothing_heavy() -> None:
    code = "import sys, huidu.cli.serve; print({'fastapi', 'numpy', 'sqlalchemy'} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


START = (
    "import sys; from pathlib import Path; from huidu.cli.serve import serve\n"
    "serve(Path(sys.argv[1]), 'v1', port=int(sys.argv[2]), data=Path(sys.argv[3]), max_upload_bytes=1_000_000)\n"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[httpx.Client]:
    """A served kit model."""
    if not KIT_MODEL.is_dir():
        pytest.skip("the demo kit is not built yet")
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, "-c", START, str(KIT_MODEL), str(port), str(data)]
    with subprocess.Popen(arguments) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            until_ready(client, process)
            yield client
        finally:
            process.terminate()
    assert process.returncode in (0, -15)


def until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
    raise AssertionError(f"not ready in time; exit code {process.poll()}")


def kit_audio() -> Path:
    header, first = (KIT / "test.tsv").read_text(encoding="utf-8").splitlines()[:2]
    return KIT / first.split("\t")[header.split("\t").index("audio")]


def test_a_served_model_recognises_what_sherpa_recognises(server: httpx.Client, data: Path) -> None:
    import sherpa_onnx
    import soundfile

    samples, rate_hz = soundfile.read(kit_audio(), dtype="float32")
    alone = sherpa_onnx.OfflineRecognizer.from_wenet_ctc(
        model=str(KIT_MODEL / "model.onnx"), tokens=str(KIT_MODEL / "tokens.txt")
    )
    stream = alone.create_stream()
    stream.accept_waveform(rate_hz, samples)
    alone.decode_stream(stream)
    with kit_audio().open("rb") as file:
        answer = server.post("/api/v1/transcribe", files={"audio": file}).json()
    assert answer["raw_text"] == stream.result.text != ""
    assert server.get(f"/api/v1/history/{answer['id']}").status_code == 401
    shown = {"authorization": f"Bearer {(data / 'run/token').read_text().strip()}"}
    row = server.get(f"/api/v1/history/{answer['id']}", headers=shown).json()
    assert row["raw_text"] == answer["raw_text"]


def test_a_served_model_keeps_what_it_writes_to_its_owner(server: httpx.Client, data: Path) -> None:
    found = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.rglob("*"))}
    assert {"data": 0o700, "run": 0o700, "token": 0o600, "history.db": 0o600}.items() <= found.items()
    assert set(found.values()) == {0o700, 0o600}


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_over_the_limit_is_refused_by_the_server(server: httpx.Client, chunked: bool) -> None:
    body = b'--xx\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n' + bytes(3_000_000)
    content = (body[start : start + 65_536] for start in range(0, len(body), 65_536)) if chunked else body
    headers = {"content-type": "multipart/form-data; boundary=xx"}
    assert server.post("/api/v1/transcribe", content=content, headers=headers).status_code == 413
    with kit_audio().open("rb") as file:
        assert server.post("/api/v1/transcribe", files={"audio": file}).status_code == 200


def test_a_second_server_on_the_same_port_ends_with_one_line(server: httpx.Client, tmp_path: Path) -> None:
    port = str(server.base_url.port)
    code = START.replace("serve(Path", "from huidu.core.errors import HuiduError\ntry:\n  serve(Path") + (
        "except HuiduError as error:\n  sys.exit(str(error))\n"
    )
    arguments = [sys.executable, "-c", code, str(KIT_MODEL), port, str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_listening_socket_takes_connections() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        pass
