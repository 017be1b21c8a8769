"""Words in both languages of the page. Both stand in the file, and the page shows one of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from huidu.adapters.report.messages import MESSAGES
from huidu.adapters.report.shown import shown

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """The same in Chinese and English. In a template it becomes both, marked by language, or once where they agree."""

    zh: str
    en: str

    def __html__(self) -> str:
        if self.zh == self.en:
            return str(escape(self.zh))
        both = Markup('<span class="zh" lang="zh-Hans">{}</span><span class="en" lang="en">{}</span>')
        return str(both.format(self.zh, self.en))

    def __bool__(self) -> bool:
        return bool(self.zh or self.en)

    def of(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


NOTHING = Words("", "")


def say(key: str, **values: object) -> Words:
    """The message with values put in: words by language, anything else as it is shown. Raises `KeyError` if unknown."""
    return Words(*(MESSAGES[key][language].format(**_in(language, values)) for language in LANGUAGES))


def plain(text: object) -> Words:
    """A name or text that is the same in both languages."""
    return Words(shown(text), shown(text))


def label(group: str, name: str) -> Words:
    """The message `group.name`; a name that nobody foresaw stands for itself."""
    return say(f"{group}.{name}") if f"{group}.{name}" in MESSAGES else plain(name)


def joined(parts: list[Words], key: str) -> Words:
    """The parts with the message `key` (a comma, a stop) between them; empty ones are left out."""
    kept = [part for part in parts if part]
    return Words(*(MESSAGES[key][language].join(part.of(language) for part in kept) for language in LANGUAGES))


def script_words() -> dict[str, dict[str, str]]:
    """What the page's script says, by language: the messages `js.*` without their prefix."""
    keys = [key for key in MESSAGES if key.startswith("js.")]
    return {language: {key[3:]: MESSAGES[key][language] for key in keys} for language in LANGUAGES}


def _in(language: str, values: Mapping[str, object]) -> dict[str, str]:
    return {name: value.of(language) if isinstance(value, Words) else shown(value) for name, value in values.items()}
