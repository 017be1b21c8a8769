import configparser
import contextlib
import errno
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from huidu.adapters.runtimes import supervisor
from huidu.adapters.runtimes.supervisor import (
    SupervisorRuntime,
    free_address,
    port_is_free,
    write_configuration,
    write_instance,
)
from huidu.core.errors import UnavailableError
from huidu.core.places import Places
from huidu.core.version import Version


def test_programs_are_laid_out_so_that_odd_paths_stay_whole(tmp_path: Path) -> None:
    places = Places(tmp_path / "100 % odd")
    (places.run / "programs").mkdir(parents=True)
    (places.run / "programs" / "instance-gone.conf").write_text("left by an earlier run")
    path = write_configuration(places, ["/bin/envoy", "-c", "a b"], ["python", "-m", "huidu"])
    write_instance(places, Version("v1", model="/m o/d%l"), "127.0.0.1:7860", 5)
    assert path.exists()
    assert sorted(each.name for each in (places.run / "programs").iterdir()) == [
        "control.conf",
        "gateway.conf",
        "instance-v1.conf",
    ]
    parser = configparser.RawConfigParser()
    parser.read(places.run / "programs" / "instance-v1.conf")
    command = parser["program:instance-v1"]["command"]
    assert "'/m o/d%%l'" in command
    assert "--port 7860" in command
    assert places.supervisor_socket.parent == places.sockets
    assert len(str(places.supervisor_socket)) < 100


def test_what_lies_there_as_it_should_needs_no_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, version = Places(tmp_path / "data"), Version("v1", model="/m")

    def lay_out(command: list[str]) -> None:
        write_configuration(places, command, ["python"], ["v1"])
        write_instance(places, version, "127.0.0.1:7860", 5)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    lay_out(["envoy"])
    monkeypatch.setattr(Path, "write_text", full)
    lay_out(["envoy"])
    with pytest.raises(UnavailableError, match=r"gateway.conf cannot be written \(No space left on device\)"):
        lay_out(["nginx"])
    assert "command=envoy" in (places.run / "programs" / "gateway.conf").read_text()


def test_a_free_address_is_one_that_nobody_has() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
        found = free_address("127.0.0.1", port, {f"127.0.0.1:{port + 1}"})
        assert int(found.rpartition(":")[2]) > port + 1
    with pytest.raises(UnavailableError, match="accepted"):
        free_address("127.0.0.1", 65535, {"127.0.0.1:65535"})


@pytest.fixture
def places() -> Iterator[Places]:
    # The path of a Unix socket is short.
    with tempfile.TemporaryDirectory() as folder:
        found = Places(Path(folder))
        found.sockets.mkdir(parents=True)
        yield found


def refused(places: Places) -> str:
    with pytest.raises(UnavailableError) as error:
        SupervisorRuntime(places, 1).processes()
    return str(error.value)


def test_a_supervisord_that_is_not_there_is_said_to_be(places: Places) -> None:
    assert refused(places).endswith("accepted: run under `huidu up`")


def test_a_supervisord_that_hangs_makes_nobody_wait_for_ever(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.supervisor_socket))
        listener.listen(0)
        # First nobody answers, then nobody even takes the call.
        for _ in range(4):
            assert "supervisord does not answer" in refused(places)


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP\r\n", b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n<half",
     b"HTTP/1.0 200 OK\r\n\r\n<methodResponse></methodResponse>"],
)  # fmt: skip
def test_an_answer_that_is_none_of_supervisords_is_unavailable(places: Places, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(places.supervisor_socket))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert "supervisord does not answer" in refused(places)
        thread.join(10)
