import configparser
import socket
from pathlib import Path

import pytest

from huidu.adapters.runtimes.supervisor import free_address, port_is_free, write_configuration, write_instance
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
