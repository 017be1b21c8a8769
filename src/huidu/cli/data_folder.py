"""The data folder that a configuration names, found at once. Standard library only, but for rare spellings of YAML.

Reading YAML takes longer than everything else that an emergency command does. `data` is a key of the file's outermost
mapping, and nearly always a line of its own: such a line is read here. Anything else is left to the YAML reader, and
where that finds no YAML, because somebody is in the middle of editing the file, a line that looks like one counts.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

DEFAULT = "data"
# Linux takes no longer names, and paths of 4096 bytes.
_MOST_BYTES_OF_A_NAME, _MOST_NAMES = 255, 1000
_KEY = r"""(?:data|"data"|'data')[ \t]*:"""
# The key as it may begin a line, and its value up to the end of the line.
_LINE = re.compile(rf"^(?P<indent> *){_KEY}(?:[ \t]+(?P<value>\S.*?))?[ \t]*\r?$", re.MULTILINE | re.ASCII)
# Where a key may stand in other ways: flow style, `? key`, merges, escapes in a quoted key, rare ends of lines.
_OTHERWISE = re.compile("""^[ ]*[?{]|<<|^[ ]*"[^"\n]*\\\\|\r(?!\n)|[\x85\u2028\u2029\ufeff]""", re.MULTILINE)
_PLAIN = re.compile(r"""[^\s"'|>&*!?{}\[\],%@`#-][^\s#:]*(?:[ ]+[^\s#:]+)*""", re.ASCII)
_NOT_TEXT = re.compile(r"~|null|true|false|yes|no|on|off|[-+.]?\d.*", re.IGNORECASE)
_COMMENT = r"(?:[ \t]+#.*)?"
_SINGLE = re.compile(rf"'((?:[^']|'')*)'{_COMMENT}")
_DOUBLE = re.compile(rf'"([^"\\]*)"{_COMMENT}')


def data_folder(config: Path, environment: Mapping[str, str]) -> Path:
    """The data folder, absolute.

    It is `data` beside the file where that names none, where there is no file, and where no folder can have the name.
    """
    config = config.resolve()
    named = environment.get("HUIDU_DATA")
    if named is None:
        try:
            text = config.read_text(encoding="utf-8-sig", errors="surrogateescape")
        except OSError:
            text = ""
        named = data_of(text)
    return (config.parent / (named if named and _can_be_a_path(named) else DEFAULT)).resolve()


def _can_be_a_path(name: str) -> bool:
    """Whether there can be a folder of that name: else asking for it raises what is no `OSError`."""
    try:
        parts = os.fsencode(name).split(b"/")
    except UnicodeEncodeError:
        return False
    return "\0" not in name and max(map(len, parts)) <= _MOST_BYTES_OF_A_NAME and len(parts) <= _MOST_NAMES


def data_of(text: str) -> str | None:
    """The value of the outermost key `data`; None where there is none."""
    found = list(_LINE.finditer(text))
    root = _root_indent(text)
    mine = [each for each in found if len(each["indent"]) == root]
    if not _OTHERWISE.search(text):
        if not mine:
            return None
        value = _value(mine[0]["value"])
        if len(mine) == 1 and value is not None and not _goes_on(text[mine[0].end() :], root):
            return value
    return _by_yaml(text, mine[0]["value"] if mine else None)


def _root_indent(text: str) -> int:
    """How far the outermost mapping is indented: as far as the first line that says something."""
    for line in text.splitlines():
        said = line.strip()
        if said and said[0] not in "#%" and not said.startswith("---"):
            return len(line) - len(line.lstrip(" "))
    return 0


def _value(written: str | None) -> str | None:
    """A value that ends on its line; None for what only YAML's own reader understands."""
    if written is None:
        return None
    for quoted in (_SINGLE, _DOUBLE):
        if match := quoted.fullmatch(written):
            return match[1].replace("''", "'") if quoted is _SINGLE else match[1]
    plain = re.sub(r"[ \t]+#.*", "", written)
    return plain if _PLAIN.fullmatch(plain) and not _NOT_TEXT.fullmatch(plain) else None


def _goes_on(rest: str, root: int) -> bool:
    """Whether the value goes on in lines that are indented more."""
    for line in rest.splitlines()[1:]:
        if line.strip() and not line.lstrip().startswith("#"):
            return len(line) - len(line.lstrip(" ")) > root
    return False


def _by_yaml(text: str, line: str | None) -> str | None:
    """What YAML's reader finds; where there is no YAML, what a line looked like."""
    try:
        import yaml

        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == "data" and isinstance(value, yaml.ScalarNode):
                    return None if value.tag == "tag:yaml.org,2002:null" else str(value.value)
            return None
    except Exception:  # a file that somebody is in the middle of editing, or a reader that is not there
        pass
    if line is None:
        return None
    if line.startswith('"'):
        try:
            return str(json.loads(re.sub(r'"[^"]*$', '"', line)))
        except ValueError:
            pass
    return re.sub(r"[ \t]+#.*", "", line).strip().strip("\"'") or None
