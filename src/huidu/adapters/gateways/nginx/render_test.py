"""What nginx is given: its configuration, checked by nginx itself, and the states its Lua reads."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from fronts import accepts, free_port, until

from huidu.adapters.gateways.nginx import binary
from huidu.adapters.gateways.nginx.gateway import NginxGateway
from huidu.adapters.gateways.nginx.names import Names
from huidu.adapters.gateways.nginx.nginx_test import Backend
from huidu.adapters.gateways.nginx.state import location_suffix, state
from huidu.adapters.gateways.nginx.text import lua_text, quoted
from huidu.adapters.gateways.place import Place
from huidu.core.audience import Audience
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.jwt import Jwt, volunteer_keys
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream

_PLAIN = Upstream("v1", ("127.0.0.1:7860",))
_PLACE = Place("127.0.0.1", 8080)


def _addresses(host: str) -> list[str]:
    return {"asr": ["10.0.0.5", "fd00::5"]}.get(host, [host])


def test_a_state_holds_the_addresses_of_names() -> None:
    named = Upstream("v1", ("asr:80", "[::1]:81"), tls=True, ca="/x.pem", health="/healthz")
    found = state(Routes(1, "v1", (named,)), _PLACE, "secret", _addresses)
    assert found["upstreams"]["v1"] == {
        "addresses": [
            {"ip": "10.0.0.5", "port": 80, "host": "asr"},
            {"ip": "[fd00::5]", "port": 80, "host": "asr"},
            {"ip": "[::1]", "port": 81, "host": "::1"},
        ],
        "tls": True,
        "location": location_suffix(named),
        "health": "/healthz",
    }
    assert location_suffix(named) != location_suffix(replace(named, ca=None)) != location_suffix(_PLAIN) == ""


def test_a_state_holds_keys_under_a_digest_of_them() -> None:
    jwt = Jwt(volunteer_keys("some secret"), "sso", ("header",))
    routes = Routes(1, "v1", (_PLAIN,), audience=Audience(jwt=jwt, volunteers_only=True))
    found, again = (state(replace(routes, generation=number), _PLACE, "secret", _addresses) for number in (1, 2))
    assert found["jwt"] == again["jwt"]
    assert bytes.fromhex(found["jwt"]["keys"][0]["secret"]) == b"some secret:volunteer"
    assert found["volunteer"]["sources"] == ["cookie:huidu_volunteer"]
    assert found["volunteer"]["digest"] != found["jwt"]["digest"]


def test_what_is_shown_has_no_secrets(tmp_path: Path) -> None:
    gateway = NginxGateway(Places(tmp_path), _PLACE, workers=1)
    (tmp_path / "gateway").mkdir()
    jwt = Jwt(volunteer_keys("some secret"), None, ("header",))
    shown = gateway.rendered(Routes(1, "v1", (_PLAIN,), audience=Audience(jwt=jwt, volunteers_only=True)))
    text = json.dumps(shown)
    assert list(shown) == ["nginx.conf", "huidu.conf", "state.json"]
    assert gateway.secret() not in text
    assert b"some secret".hex() not in text
    assert gateway.secret().encode().hex() not in text


def _nginx_without_lua(folder: Path) -> str:
    path = folder / "nginx"
    path.write_text("#!/bin/sh\necho configure arguments: --modules-path=/nowhere >&2\n")
    path.chmod(0o755)
    return str(path)


def test_what_is_shown_needs_no_nginx_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = NginxGateway(Places(tmp_path), _PLACE, workers=1)
    (tmp_path / "gateway").mkdir()
    whole = gateway.rendered(Routes(1, "v1", (_PLAIN,)))
    bare = _nginx_without_lua(tmp_path)
    for nginx, missing in ((None, "nginx is not installed"), (bare, f"{bare} has no Lua module")):
        monkeypatch.setattr("shutil.which", lambda *_, nginx=nginx, **__: nginx)
        shown = gateway.rendered(Routes(1, "v1", (_PLAIN,)))
        assert shown["nginx.conf"].splitlines()[0] == f"# {missing}; accepted: {binary.INSTALL}"
        assert (shown["huidu.conf"], shown["state.json"]) == (whole["huidu.conf"], whole["state.json"])


def test_nginx_keeps_its_words_when_it_refuses(tmp_path: Path) -> None:
    gateway = NginxGateway(Places(tmp_path), replace(_PLACE, listen_host="no such host"), workers=1)
    with pytest.raises(InvalidError, match=r"^nginx refuses its configuration: .*\[emerg\] .*no such host[^\n]*$"):
        gateway.prepare(Routes(1, "v1", (_PLAIN,)))
    assert not (tmp_path / "gateway" / "nginx" / "nginx.conf").exists()
    assert not (tmp_path / "gateway" / "nginx" / "check").exists()


def test_a_missing_nginx_is_said_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(UnavailableError, match=r"not installed; accepted: .*nginx-light"):
        binary.find_nginx_with_lua()
    bare = _nginx_without_lua(tmp_path)
    monkeypatch.setattr("shutil.which", lambda *_, **__: bare)
    with pytest.raises(UnavailableError, match=r"nginx has no Lua module; accepted: .*libnginx-mod-http-lua"):
        binary.find_nginx_with_lua()


def test_texts_are_quoted_for_nginx_and_lua() -> None:
    assert quoted('a "b" \\') == '"a \\"b\\" \\\\"'
    assert lua_text('a"}]]é') == '"a\\034\\125\\093\\093\\195\\169"'
    with pytest.raises(InvalidError, match="without"):
        quoted("a$b")


def test_a_name_that_is_not_found_keeps_its_last_address() -> None:
    names = Names({"no-such-name.invalid": ["10.0.0.9"]})
    names.look_up(["no-such-name.invalid", "localhost", "::1"])
    assert names.addresses("no-such-name.invalid") == ["10.0.0.9"]
    assert set(names.addresses("localhost")) & {"127.0.0.1", "::1"}
    assert names.addresses("unknown.invalid") == []


def test_the_include_is_all_that_an_existing_nginx_needs(tmp_path: Path) -> None:
    backend = Backend("v1")
    place = replace(_PLACE, listen_port=free_port())
    gateway = NginxGateway(Places(tmp_path / "data"), place)
    gateway.prepare(Routes(5, "v1", (Upstream("v1", (backend.address,)),)))
    include = tmp_path / "data" / "gateway" / "nginx" / "huidu.conf"
    with _nginx(tmp_path, f'include "{include}";', place.listen_port, load=binary.find_nginx_with_lua().load):
        until(lambda: gateway.applied(5, 0))
        assert _get(place.listen_port)["name"] == "v1"
    backend.close()


@contextmanager
def _nginx(folder: Path, http: str, port: int, load: tuple[str, ...] = ()) -> Iterator[None]:
    """An nginx that is somebody else's."""
    modules = "".join(f"load_module {path};\n" for path in load)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "other.conf"
    path.write_text(
        f"{modules}daemon off;\nuser root;\npid {folder}/other.pid;\nevents {{}}\nhttp {{\n{temporary}{http}\n}}\n"
    )
    nginx = binary.find_nginx_with_lua()
    binary.check(nginx, path)
    errors = (folder / "other.log").open("wb")
    process = subprocess.Popen([nginx.path, "-e", "stderr", "-p", str(folder), "-c", str(path)], stderr=errors)
    try:
        until(lambda: accepts(port))
        yield
    finally:
        process.terminate()
        process.wait()
        errors.close()


def _get(port: int) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/a%20b")
    found: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return found
