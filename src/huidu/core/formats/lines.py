"""A text file's lines, or why it is none: other encodings are named with the way out, and nothing is guessed."""

import codecs
import shlex

from huidu.core.testset import Problem

Line = tuple[int, str]

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# How the files begin that are given by mistake: audio, archives, pictures, databases, programs.
_MAGIC = (
    b"RIFF",
    b"fLaC",
    b"OggS",
    b"ID3",
    b"PK\3\4",
    b"\x1f\x8b",
    b"\x89PNG",
    b"%PDF",
    b"\x7fELF",
    b"SQLite format 3",
)
_BINARY = "is a binary file; accepted: UTF-8 text"
_CONTROLS = bytes(each for each in range(32) if each not in b"\t\n\r")
_MOST_CONTROLS = 0.05
_LEAST_PLAUSIBLE = 0.8
_CHINESE = ("GB18030", "BIG5")
_LEAST_COMMON = 0.8
_BIG5_RARE = 0xC9
# Half of the bytes of ASCII in UTF-16 is NUL; Chinese has it at the line ends, and is seldom valid UTF-8.
_MANY_NULS = 0.1
# Latin, general punctuation, CJK punctuation and kana, Chinese, Hangul, full-width forms.
_SCRIPTS = ((0x20, 0x24F), (0x2000, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0xFF00, 0xFFEF))
_SAMPLE = 20_000


def lines_of(name: str, content: bytes, problems: list[Problem]) -> list[Line]:
    """The lines of UTF-8 text, numbered from 1, without their ends and without a byte order mark.

    What is wrong with the file, or with some of its lines, is added to `problems`; those lines are left out.
    """
    found = []
    for number, text in _decoded(name, content, problems):
        if "\r" in text:
            problems.append(
                Problem(f"{name}:{number}", "a carriage return inside the line; accepted: lines that end in LF or CRLF")
            )
        else:
            found.append((number, text))
    return found


def text_of(name: str, content: bytes, problems: list[Problem]) -> str:
    """The whole text where lines may end inside a field; empty where there is any problem."""
    before = len(problems)
    _decoded(name, content, problems)
    return content.removeprefix(codecs.BOM_UTF8).decode() if len(problems) == before else ""


def _decoded(name: str, content: bytes, problems: list[Problem]) -> list[Line]:
    if (fault := _file_fault(name, content)) is not None:
        problems.append(Problem(name, fault))
        return []
    rows = content.split(b"\n")
    # What ends the last line begins no other.
    if rows[-1] == b"":
        rows.pop()
    found, offset = [], 0
    for number, row in enumerate(rows, start=1):
        bare = row.removeprefix(codecs.BOM_UTF8) if number == 1 else row
        try:
            text = bare.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            at, byte = offset + len(row) - len(bare) + error.start, bare[error.start]
            problems.append(Problem(f"{name}:{number}", f"byte {at} (0x{byte:02x}) is not UTF-8; accepted: UTF-8 text"))
        else:
            if "\0" in text:
                problems.append(
                    Problem(
                        f"{name}:{number}", "the line holds a control character (U+0000, NUL); accepted: plain text"
                    )
                )
            else:
                found.append((number, text))
        offset += len(row) + 1
    return found


def _file_fault(name: str, content: bytes) -> str | None:
    """Why this is no UTF-8 text as a whole, and what makes it one."""
    if content.startswith(_MAGIC):
        return _BINARY
    if (encoding := _other_encoding(content)) is not None:
        called = "GBK (GB18030)" if encoding == "GB18030" else encoding
        given = shlex.quote(name if name.isprintable() else "FILE")
        return f"is {called} text; accepted: UTF-8 (iconv -f {encoding} -t UTF-8 {given} > NEW)"
    if _is_binary(content):
        return _BINARY
    if b"\r" in content and b"\n" not in content:
        return "its lines end in CR alone; accepted: lines that end in LF or CRLF (tr '\\r' '\\n')"
    return None


def _is_binary(content: bytes) -> bool:
    """By its control characters, of which random bytes hold a tenth; a stray one is a fault of its line."""
    if _is_utf_8(content) and b"\0" not in content:
        return False
    controls = len(content) - len(content.translate(None, _CONTROLS))
    return controls > 1 and controls > _MOST_CONTROLS * len(content)


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _other_encoding(content: bytes) -> str | None:
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding
    if b"\0" in content:
        return _utf_16(content)
    return None if _is_utf_8(content) else _chinese(content)


def _utf_16(content: bytes) -> str | None:
    """UTF-16 without a byte order mark. Pairs of ASCII look like Chinese, so a stray NUL must not be taken for it."""
    read: dict[str, str] = {}
    for encoding in ("UTF-16LE", "UTF-16BE"):
        try:
            read[encoding] = content[: len(content) // 2 * 2].decode(encoding)
        except UnicodeDecodeError:
            continue
    if not read:
        return None
    encoding = max(read, key=lambda each: sum(char < "\x80" for char in read[each][:_SAMPLE]))
    text = read[encoding]
    ended = "\n" in text and not _is_utf_8(content)
    if "\0" in text or not (ended or content.count(b"\0") >= _MANY_NULS * len(content)):
        return None
    return encoding if _plausible(text[:_SAMPLE]) else None


def _plausible(text: str) -> bool:
    known = sum(char in "\t\r\n" or any(low <= ord(char) <= high for low, high in _SCRIPTS) for char in text)
    return known >= _LEAST_PLAUSIBLE * len(text)


def _chinese(content: bytes) -> str | None:
    """The Chinese encoding in which these bytes are common characters: most bytes can be read in both."""
    shares = {encoding: _common_share(content, encoding) for encoding in _CHINESE}
    best = max(shares, key=lambda encoding: shares[encoding])
    return best if shares[best] >= _LEAST_COMMON else None


def _common_share(content: bytes, encoding: str) -> float:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    wide = [char for char in text[:_SAMPLE] if char >= "\x80"]
    return sum(map(_is_common, wide)) / len(wide) if wide else 0.0


def _is_common(char: str) -> bool:
    """In GB 2312, or in the first plane of Big5, which holds the frequent characters."""
    for encoding, below in (("gb2312", 0xFF), ("big5", _BIG5_RARE)):
        try:
            return char.encode(encoding)[0] < below
        except UnicodeEncodeError:
            continue
    return False
