"""Texts as nginx and Lua read them in a configuration."""

from huidu.core.errors import InvalidError


def quoted(text: str) -> str:
    """A parameter of a directive. Raises `InvalidError` for what nginx would read as a variable."""
    if "$" in text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise InvalidError(f"read {text!r} for nginx; accepted: text without $ and control characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def lua_text(text: str) -> str:
    """A Lua string of plain ASCII, whatever the text holds."""
    return '"' + "".join(map(_lua_byte, text.encode(errors="surrogateescape"))) + '"'


def _lua_byte(byte: int) -> str:
    character = chr(byte)
    plain = character.isascii() and (character.isalnum() or character in " /._-:@")
    return character if plain else f"\\{byte:03d}"
