"""The shapes of requests and answers: the only place of the service that knows pydantic."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from huidu.core.errors import InvalidError
from huidu.ports import Recognition

# Forms send what was left empty as empty text.
_Optional = BeforeValidator(lambda value: None if value == "" else value)


def _tag(value: object) -> object:
    """A language as BCP 47 writes it (RFC 5646, 2.1.1), of what systems and people write: `zh_CN`, `ZH`, `zh-hans`."""
    if not isinstance(value, str):
        return value
    language, *rest = value.strip().replace("_", "-").split("-")
    cased = [{2: part.upper(), 4: part.title()}.get(len(part), part.lower()) for part in rest]
    return "-".join([language.lower(), *cased])


_PATTERN = r"^[a-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
_Tag = Annotated[str, BeforeValidator(_tag), Field(pattern=_PATTERN, max_length=35)]
_Language = Annotated[_Tag | None, _Optional]


def _lines(value: object) -> object:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value


# What is kept with each request has bounds: a thousand words are more than any engine can tell apart.
MOST_HOTWORDS = 1_000
MOST_CHARACTERS = 10_000
# With those of ISO 6429 that are one character: terminals obey them, too.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_MOST_NAMES = 32
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")


def _plain(text: str) -> str:
    if found := _CONTROL.search(text):
        # The number in words: braces and such would be read as a template.
        raise PydanticCustomError("control", f"holds the control character {ord(found[0])}; accepted: plain text")
    return text


def _few_words(text: str) -> str:
    if (words := sum(bool(line.strip()) for line in text.splitlines())) > MOST_HOTWORDS:
        raise PydanticCustomError("words", f"{words} words; accepted: at most {MOST_HOTWORDS}, one on each line")
    return text


_Prompt = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_plain)]
_Hotwords = Annotated[_Prompt, AfterValidator(_few_words)]


class FieldError(InvalidError):
    """A field of a request is wrong. `field` is its name."""

    def __init__(self, field: str | None, text: str) -> None:
        super().__init__(text)
        self.field = field


class TranscribeForm(BaseModel):
    """The text fields of `POST /api/v1/transcribe`. `hotwords` has one on each line, a thousand at most."""

    language: _Language = None
    hotwords: _Hotwords = ""
    itn: Annotated[bool | None, _Optional] = None


class OpenAIForm(BaseModel):
    """The text fields of `POST /v1/audio/transcriptions` that count here; others are told as ignored."""

    model: str = Field(default="", max_length=200)
    language: _Language = None
    prompt: _Prompt = ""
    response_format: Annotated[Literal["json", "text"] | None, _Optional] = None
    stream: Annotated[Literal["false", "False", "0"] | None, _Optional] = None


class StreamStart(BaseModel):
    """The first message of a stream. `hotwords` is one text with one on each line, or a list."""

    type: Literal["start"]
    sample_rate_hz: int = Field(ge=8_000, le=48_000, strict=True)
    language: _Language = None
    hotwords: Annotated[_Hotwords, BeforeValidator(_lines)] = ""
    itn: bool | None = None


class Move(BaseModel):
    """What a drain does with the streams that are open: each is moved at its next pause."""

    model_config = ConfigDict(extra="forbid")

    streams: Literal["move"]


class OpenStreams(BaseModel):
    """`streams` is how many are open, or were asked to move."""

    streams: int


class Transcript(BaseModel):
    """`rtf` is seconds of decoding for a second of audio. `text` is `raw_text` with numerals rules applied.

    `ignored` names the fields of the request that did not count, since the engine does not honour them. `id` is null
    while the history has not taken the recognition, see the header `x-huidu-recorded`.
    """

    id: int | None
    text: str
    raw_text: str
    version: str
    request_id: str
    audio_seconds: float
    decode_ms: float
    rtf: float | None
    ignored: list[str]


class OpenAITranscript(BaseModel):
    """`ignored` names the fields of the request that did not count; where there are none it is left out."""

    text: str
    ignored: list[str] | None = None


class HistoryItem(BaseModel):
    """One recognition. Times are epoch seconds; `text` is what the user saw, before any correction."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    created_time: float
    filename: str
    text: str
    raw_text: str
    itn_text: str | None
    language: str | None
    hotwords: str | None
    corrected_text: str | None
    corrected_by: str | None
    corrected_at: float | None
    version: str
    fingerprint: str
    request_id: str
    attempt: int
    answered: bool
    purpose: str
    release_id: int | None
    rule: str | None
    unit: str | None
    engine: str
    device: str
    audio_seconds: float
    decode_ms: float
    rtf: float | None
    audio_sha256: str
    status: str
    error: str | None


class HistoryPage(BaseModel):
    """`next_before` is the `before` of the following page; null after the last."""

    items: list[HistoryItem]
    next_before: float | None


class Correction(BaseModel):
    """A corrected text; the same text as recognised confirms it. Empty: nothing is said in the audio."""

    model_config = ConfigDict(extra="forbid")

    corrected_text: Annotated[str, Field(max_length=1_000_000), AfterValidator(_plain)]
    corrected_by: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)] = "unnamed"


class ErrorBody(BaseModel):
    """Every error outside `/v1`: the family and one line."""

    error: str
    detail: str


Form = TypeVar("Form", bound=BaseModel)


def read_form(shape: type[Form], fields: Mapping[str, object]) -> Form:
    """The text fields in their shape; raises `FieldError`."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        raise field_error(error.errors(include_url=False)) from error


def field_error(errors: Iterable[Any]) -> FieldError:
    """What pydantic found, in one line. The parts of a request that hold fields are not named."""
    first, lines = None, []
    for one in errors:
        field = ".".join(str(part) for part in one["loc"] if part not in ("body", "query", "path"))
        first = first or field or None
        lines.append(f"{field}: {one['msg']}" if field else str(one["msg"]))
    return FieldError(first, "; ".join(" ".join(line.split()) for line in lines))


def form_schema(shape: type[BaseModel], *files: str) -> dict[str, Any]:
    """OpenAPI's description of a multipart body: one file, in any of the named fields, and the text fields."""
    schema = shape.model_json_schema()
    schema["properties"] |= {file: {"type": "string", "format": "binary"} for file in files}
    schema["anyOf"] = [{"required": [file]} for file in files]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def ignored(sent: Mapping[str, object], honoured: Collection[str]) -> list[str]:
    """The names of the fields that were sent with something in them and that nothing honours.

    Not to apply numeral rules is no wish that could be ignored. Names are the sender's own: odd ones are told as `?`,
    and not more than some dozens.
    """
    empty: tuple[object, ...] = ("", None, [])
    asked = {name for name, value in sent.items() if value not in empty and name not in honoured}
    if str(sent.get("itn", "")).strip().lower() in ("false", "0", "off", "no", "f", "n"):
        asked.discard("itn")
    return sorted({name if _FIELD_NAME.fullmatch(name) else "?" for name in asked})[:_MOST_NAMES]


def text_of(row: Recognition) -> str:
    return row.raw_text if row.itn_text is None else row.itn_text


def transcript(row: Recognition, ignored: list[str]) -> dict[str, Any]:
    """The body that `Transcript` describes."""
    return {
        "id": row.id or None,
        "text": text_of(row),
        "raw_text": row.raw_text,
        "version": row.version,
        "request_id": row.request_id,
        "audio_seconds": round(row.audio_seconds, 3),
        "decode_ms": round(row.decode_ms, 3),
        "rtf": None if row.rtf is None else round(row.rtf, 6),
        "ignored": ignored,
    }


def history_item(row: Recognition) -> HistoryItem:
    values = {name: getattr(row, name) for name in HistoryItem.model_fields if name != "text"}
    return HistoryItem(text=text_of(row), **values)
