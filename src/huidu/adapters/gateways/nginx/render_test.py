"""What nginx is given: its configuration, checked by nginx itself, and the states its Lua reads."""

import json
import subprocess
import time
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
from huidu.adapters.gateways.nginx.static import static_configuration, without_lua
from huidu.adapters.gateways.nginx.text import lua_text, quoted
from huidu.adapters.gateways.place import Place
from huidu.core.address import network
from huidu.core.audience import Audience, ClaimRule, CookieRule, HeaderRule, NetworkRule, Request, decide
from huidu.core.errors import InvalidError, UnavailableError
from huidu.core.jwt import Jwt, volunteer_keys
from huidu.core.places import Places
from huidu.core.routes import Routes, Upstream
from huidu.core.window import Window

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


def test_nginx_keeps_its_words_when_it_refuses(tmp_path: Path) -> None:
    gateway = NginxGateway(Places(tmp_path), replace(_PLACE, listen_host="no such host"), workers=1)
    with pytest.raises(InvalidError, match=r"^nginx refuses its configuration: .*\[emerg\] .*no such host[^\n]*$"):
        gateway.prepare(Routes(1, "v1", (_PLAIN,)))
    assert not (tmp_path / "gateway" / "nginx" / "nginx.conf").exists()
    assert not (tmp_path / "gateway" / "nginx" / "check").exists()


def test_a_missing_nginx_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(UnavailableError, match="nginx-light"):
        binary.find_nginx()
    monkeypatch.setattr(binary, "find_nginx", lambda: binary.Nginx("/usr/sbin/nginx", lua=False, load=()))
    with pytest.raises(UnavailableError, match="libnginx-mod-http-lua"):
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
    with _nginx(tmp_path, f'include "{include}";', place.listen_port, load=binary.find_nginx().load):
        until(lambda: gateway.applied(5, 0))
        assert _get(place.listen_port, {})["name"] == "v1"
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
    nginx = binary.find_nginx()
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


def _get(port: int, headers: dict[str, str], method: str = "GET", body: bytes | None = None) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/a%20b", body, headers)
    answer = connection.getresponse()
    found: dict[str, object] = json.loads(answer.read())
    found |= {"status": answer.status, "cookie": answer.headers["set-cookie"]}
    connection.close()
    return found


def _static(folder: Path, routes: Routes, place: Place) -> str:
    return static_configuration(routes, place, time.time(), str(folder / "static.jsonl"))


def test_without_lua_shares_and_rules_are_those_of_the_core(tmp_path: Path) -> None:
    stable, candidate = Backend("v1"), Backend("v2")
    place = replace(_PLACE, listen_port=free_port(), trusted_proxies=(network("127.0.0.1"),))
    audience = Audience(
        exclude=(NetworkRule(network("10.9.0.0/16")), CookieRule("optout")),
        include=(CookieRule("who", 'x="1'), HeaderRule("x-tester", "Yes"), CookieRule("tester"), ClaimRule("a", (1,))),
    )
    upstreams = (Upstream("v1", (stable.address,)), Upstream("v2", (candidate.address,)))
    routes = Routes(4, "v1", upstreams, release=7, candidate="v2", share_bp=2000, audience=audience)
    with _nginx(tmp_path, _static(tmp_path, routes, place), place.listen_port):
        for number in range(120):
            found = _get(place.listen_port, {"cookie": f"a=b; huidu_uid=user-{number}"})
            request = Request((("huidu_uid", f"user-{number}"),))
            assert found["name"] == decide(request, routes, "", 0.0, "").version
        for headers, name in (
            ({"cookie": "tester="}, "v2"),
            ({"cookie": 'who=x="1; b=c'}, "v2"),
            ({"x-tester": "Yes"}, "v2"),
            ({"x-tester": "Yes", "x-forwarded-for": "10.9.1.1"}, "v1"),
            ({"cookie": "tester=1;optout=1"}, "v1"),
        ):
            assert _get(place.listen_port, headers)["name"] == name
        # First contact is drawn by the cookie it is given.
        for _ in range(20):
            first = _get(place.listen_port, {"x-huidu-rule": "forged"})
            cookie = str(first["cookie"]).split(";")[0]
            assert _get(place.listen_port, {"cookie": cookie})["name"] == first["name"]
        candidate.status = 503
        found = _get(place.listen_port, {"cookie": "tester=1"}, "POST", bytes(100_000))
        assert (found["name"], found["status"]) == ("v1", 200)
    lines = [json.loads(line) for line in (tmp_path / "static.jsonl").read_text().splitlines()]
    assert {line["rule"] for line in lines} == {"share", "rest", "included", "excluded"}
    last = lines[-1]
    assert (last["version"], last["served_by"], last["attempts"], last["status"]) == ("v2", "v1", 2, 200)
    assert cookie.removeprefix("huidu_uid=") not in (tmp_path / "static.jsonl").read_text()
    stable.close()
    candidate.close()


@pytest.mark.parametrize("share_bp", [0, 1, 10_000])
@pytest.mark.parametrize("key", [("jwt.sub", "cookie"), ("header:x-user", "address"), ()])
def test_nginx_without_lua_takes_every_share_and_key(tmp_path: Path, share_bp: int, key: tuple[str, ...]) -> None:
    audience = Audience(key=key, windows=(Window((0,), 0, 60, "UTC"),))
    upstreams = (_PLAIN, Upstream("v2", ("localhost:443", "127.0.0.1:444"), tls=True))
    routes = Routes(4, "v1", upstreams, release=7, candidate="v2", share_bp=share_bp, audience=audience)
    for each in (routes, replace(routes, candidate=None, release=None)):
        path = tmp_path / "check.conf"
        path.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{_static(tmp_path, each, _PLACE)}\n}}\n")
        binary.check(binary.find_nginx(), path)


def test_what_falls_away_without_lua_is_said() -> None:
    plain = without_lua(Audience())
    jwt = Jwt(volunteer_keys("some secret"), None, ("header",))
    full = Audience(
        exclude=(ClaimRule("role", ("x",)),),
        include=(HeaderRule("x-tester", "1"),),
        key=("jwt.sub", "address"),
        windows=(Window((0,), 0, 60, "UTC"),),
        volunteers_only=True,
        jwt=jwt,
    )
    more = without_lua(full)[len(plain) :]
    assert [sentence.split()[0] for sentence in more] == ["the", "tokens", "exclude", "volunteers", "of", "whose"]
    assert not any("\n" in sentence for sentence in (*plain, *more))
    # What cannot be told gives nobody the candidate by share.
    upstreams = (_PLAIN, Upstream("v2", ("127.0.0.1:7861",)))
    routes = Routes(4, "v1", upstreams, release=7, candidate="v2", share_bp=10_000, audience=replace(full, windows=()))
    assert "~share$ share;" not in static_configuration(routes, _PLACE, 0.0, "/tmp/log")
