"""Reads YAML that anybody may have written: plain values and the line of each, in bounded time and memory.

Aliases are followed, so a few lines may stand for a billion values, or hold themselves: what they unfold to is counted
as it is built. Nothing but `InvalidError` comes out, with one line that says where.
"""

import re
from typing import Any

import yaml

from huidu.core.errors import InvalidError

Keys = tuple[str | int, ...]
Lines = dict[Keys, int]

MOST_BYTES = 1_000_000
DEEPEST = 32
MOST_VALUES = 20_000
# Python writes no number of more than 4300 digits; and what is longer is no setting of ours.
LONGEST_VALUE = 3_000
# What PyYAML lets out beside its own errors: of a 13th month, an !!int that is none, a character beyond Unicode.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# No path, header or name can hold these, and no terminal should be sent them; they come by escapes such as "\0".
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def decoded(content: bytes, name: str) -> str:
    """The text of a YAML file, refused before anything reads it where it is too large or no text.

    `name` is how the file is called in refusals. Raises `InvalidError`.
    """
    if len(content) > MOST_BYTES:
        raise InvalidError(f"{name} is larger than {MOST_BYTES} bytes; accepted: a configuration of a few kilobytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidError(
            f"{name}:{line}: byte {content[error.start]:#04x} is no UTF-8; accepted: UTF-8 text"
        ) from None


def read_mapping(text: str, name: str) -> tuple[dict[str, Any], Lines]:
    """The mapping that a file holds, and the line of each value by its path of keys. Raises `InvalidError`."""
    node = _composed(text, name)
    if not isinstance(node, yaml.MappingNode):
        raise InvalidError(f"{name}:1: read no mapping; accepted: keys such as versions and stable")
    building = _Building(name)
    return dict(building.value(node, ())), building.lines


def read_value(text: str, name: str) -> Any:
    """Any one value, as in an environment variable; None for empty text. Raises `InvalidError`."""
    node = _composed(text, name)
    return None if node is None else _Building(name).value(node, ())


class _Loader(yaml.SafeLoader):
    """Refuses, while it composes, what is nested too deep or holds too much."""

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        self._nodes += 1
        if self._depth > DEEPEST or self._nodes > MOST_VALUES:
            raise _TooMuchError(self.line + 1, self._depth > DEEPEST)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _TooMuchError(Exception):
    """`deep`: nested too deep, else too many values."""

    def __init__(self, line: int, deep: bool):
        self.line = line
        said = f"is nested deeper than {DEEPEST}" if deep else f"holds more than {MOST_VALUES} values"
        super().__init__(f"{said}; accepted: a few levels and values")


def _composed(text: str, name: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = _Loader(text).get_single_node()
        return node
    except _TooMuchError as error:
        raise InvalidError(f"{name}:{error.line}: {error}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidError(
            f"{name}:{line}: not YAML: character {ord(text[error.position]):#06x}; accepted: printable text"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidError(f"{name}:{line}: not YAML: {_one_line(error.problem)}; accepted: key: value") from None
    except (yaml.YAMLError, RecursionError, *_UNREADABLE) as error:
        raise InvalidError(f"{name}: not YAML: {_one_line(error)}; accepted: key: value") from None


class _Building:
    """Builds plain values of composed nodes."""

    def __init__(self, name: str):
        self.lines: Lines = {}
        self._name = name
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        self.lines[keys] = node.start_mark.line + 1
        self._values += 1
        # An alias leads to its anchor's node once more: here is where few lines become many values.
        if len(keys) > DEEPEST or self._values > MOST_VALUES:
            raise InvalidError(
                f"{self._name}:{self.lines[keys]}: unfolds to more than {MOST_VALUES} values, or more than {DEEPEST} "
                "levels; accepted: few aliases, and none that holds itself"
            )
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*keys, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, child in node.value:
            where = f"{self._name}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidError(f"{where}: read a list or a mapping as a key; accepted: a name")
            key = str(self._scalar(key_node))
            if key in found:
                raise InvalidError(f"{where}: key '{key}' stands twice; accepted: once")
            found[key] = self.value(child, (*keys, key))
            self.lines[(*keys, key)] = key_node.start_mark.line + 1
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        where = f"{self._name}:{node.start_mark.line + 1}"
        if len(node.value) > LONGEST_VALUE:
            raise InvalidError(f"{where}: a value of {len(node.value)} characters; accepted: {LONGEST_VALUE} at most")
        if found := _NO_TEXT.search(node.value):
            raise InvalidError(f"{where}: a value holds the character {ord(found[0]):#06x}; accepted: printable text")
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, *_UNREADABLE) as error:
            kind = node.tag.rpartition(":")[2]
            said = _one_line(error.problem if isinstance(error, yaml.MarkedYAMLError) else error)
            raise InvalidError(
                f'{where}: read a {kind} that cannot be ({said}); accepted: a value such as 5, true or "text"'
            ) from None


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:200]
