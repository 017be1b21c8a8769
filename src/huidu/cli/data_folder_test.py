import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from huidu.cli.data_folder import data_folder, data_of


@pytest.mark.parametrize(
    "text",
    [
        "data: here\n",
        "data:   here   # why\n",
        "data: './here there'   # why\n",
        'data: "here # there"\n',
        "data: 'it''s'\n",
        '"data": here\n',
        "'data' : here\r\nstable: v1\r\n",
        "# first\n---\ndata: here\nstable: v1\n",
        "%YAML 1.1\n---\ndata: here\n",
        "  data: here\n  stable: v1\n",
        "versions:\n  data: {model: no}\ndata: here\n",
        "data:\n  here\n",
        "data: here\n  and there\n",
        "data: >-\n  here\n",
        "data: |-\n  here\n",
        "data: &place here\nstable: v1\n",
        "data: !!str here\n",
        "data: 2026\n",
        'data: "\\u7070/\\x41"\n',
        "{data: here, stable: v1}\n",
        '{stable: v1, "data": "here"}\n',
        "stable: v1\n? data\n: here\n",
        "gateway: {data: no}\n",
        "gateway:\n  data: no\n",
        "data: ~\n",
        "data:\nstable: v1\n",
        "data: 灰度/数据\n",
        "stable: v1\nplan: [\n{share: 5%}\n]\ndata: a:b\n",
        "",
    ],
)
def test_the_data_folder_is_what_yaml_says(text: str) -> None:
    said = (yaml.safe_load(text) or {}).get("data")
    assert data_of(text) == (None if said is None else str(said))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_any_name_is_found_in_any_style(name: str, flow: bool, after: bool) -> None:
    document = {"stable": "v1", "data": name} if after else {"data": name, "stable": "v1"}
    text = yaml.safe_dump(document, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    assert data_of(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [("data: here\nplan: [\n", "here"), ("data: 'here'\n\tx: y", "here"), ('data: "a\\u0062"\n}', "ab"), ("}{", None)],
)
def test_a_file_that_is_no_yaml_now_still_tells(text: str, name: str | None) -> None:
    assert data_of(text) == name


def test_the_environment_counts_before_the_file(tmp_path: Path) -> None:
    config = tmp_path / "huidu.yaml"
    config.write_text("data: here\n")
    assert data_folder(config, {}) == tmp_path / "here"
    assert data_folder(config, {"HUIDU_DATA": "/elsewhere"}) == Path("/elsewhere")
    assert data_folder(config, {"HUIDU_DATA": "there"}) == tmp_path / "there"


def test_a_file_of_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "huidu.yaml").write_bytes("# 灰度\ndata: here\n".encode("gb18030"))
    assert data_folder(tmp_path / "huidu.yaml", {}) == tmp_path / "here"
    (tmp_path / "huidu.yaml").write_bytes(b"\xef\xbb\xbfdata: there\n")
    assert data_folder(tmp_path / "huidu.yaml", {}) == tmp_path / "there"


def test_usual_files_are_read_without_yaml() -> None:
    code = (
        "import sys; from importlib.resources import files; from huidu.cli.data_folder import data_of\n"
        "data_of(files('huidu').joinpath('cli/huidu.yaml').read_text(encoding='utf-8'))\n"
        "data_of('data: \"here\"  # why\\nplan:\\n  - {share: 5%}\\n')\n"
        "print('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("name", ['"a\\0b"', '"\\ud800"', "x" * 300, "x" * 1_000_000, "a/" * 5000 + "b"])
def test_a_name_that_no_folder_can_have_is_passed_over(name: str, tmp_path: Path) -> None:
    config = tmp_path / "huidu.yaml"
    config.write_text(f"data: {name}\n")
    found = data_folder(config, {})
    assert found == tmp_path / "data"
    assert not found.exists()
