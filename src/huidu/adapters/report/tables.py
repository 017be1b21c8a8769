"""The tables of the page: versions, phrases, confusion pairs, numerals and hotwords."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from huidu.adapters.report.shown import ABSENT, count, decimal, number, percent, rows, shown, table
from huidu.adapters.report.words import Words, label, plain, say

CONFUSIONS = 20
PHRASES = 20
MISSED = 50
FAILURES = 100
HEALTH = ("loops", "text_on_silence", "empty_on_speech", "language_flips", "rate_outliers")
RATES = ("cer", "wer", "mixed_error_rate")


@dataclass(frozen=True, slots=True)
class Cell:
    main: Words
    small: Words
    best: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    label: Words
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Group:
    label: Words
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Phrase:
    reference: str
    baseline: str
    candidate: str
    count: str
    utterances: list[str]


@dataclass(frozen=True, slots=True)
class Number:
    """As it is compared, and as it stands in the text where that is something else."""

    reading: str
    text: str


@dataclass(frozen=True, slots=True)
class MissedPair:
    """`heard` is None where no number stands in the place of what was said."""

    said: Number
    heard: Number | None
    count: str
    utterances: list[str]


@dataclass(frozen=True, slots=True)
class Confusion:
    reference: str
    hypothesis: str
    kind: Words
    count: str


def version_groups(versions: list[dict[str, Any]]) -> list[Group]:
    """The table of versions, measures down and versions across; what no version has is left out."""
    texts = [(form, [_rate_row(versions, form, name) for name in RATES]) for form in ("normalised", "raw")]
    content = [_wrong_row(versions, "numerals"), _wrong_row(versions, "hotwords"), _bleu_row(versions)]
    extra = sorted({name for version in versions for name in table(version, "health")} - set(HEALTH))
    health = [_health_row(versions, name) for name in (*HEALTH, *extra)]
    found = [*texts, ("content", content), ("speed", _speed_rows(versions)), ("health", health)]
    groups = [Group(say(f"group.{name}"), [row for row in rows_ if _known(row)]) for name, rows_ in found]
    return [group for group in groups if group.rows]


def failures(versions: list[dict[str, Any]]) -> list[tuple[Words, list[tuple[str, str]], Words]]:
    """For each version with failures: a heading, up to `FAILURES` of id and error, and how many more there are."""
    found = []
    for version in versions:
        failed = rows(version, "failures")
        if failed:
            listed = [(shown(one.get("id")), shown(one.get("error"))) for one in failed[:FAILURES]]
            more = say("failures.more", n=count(len(failed) - FAILURES)) if len(failed) > FAILURES else plain("")
            found.append((say("failures", version=version.get("name"), n=count(len(failed))), listed, more))
    return found


def phrases(comparison: dict[str, Any]) -> list[Phrase]:
    """The phrases that changed most, most frequent first."""
    found = sorted(rows(comparison, "phrases"), key=lambda phrase: -(number(phrase.get("count")) or 0))
    return [
        Phrase(
            reference=shown(phrase.get("reference")),
            baseline=shown(phrase.get("baseline")),
            candidate=shown(phrase.get("candidate")),
            count=count(phrase.get("count")),
            utterances=[str(name) for name in rows(phrase, "utterances")],
        )
        for phrase in found[:PHRASES]
    ]


def confusions(result: dict[str, Any]) -> list[tuple[Words, list[Confusion]]]:
    """For each version its `CONFUSIONS` most frequent errors."""
    by_version = table(result, "confusions")
    found = []
    for version in rows(result, "versions"):
        pairs = sorted(rows(by_version, str(version.get("name"))), key=lambda pair: -(number(pair.get("count")) or 0))
        found.append((plain(version.get("name")), [_confusion(pair) for pair in pairs[:CONFUSIONS]]))
    return found


def missed(result: dict[str, Any]) -> list[tuple[str, list[MissedPair]]]:
    """For each version that has a list of missed numbers its name and its `MISSED` most frequent ones."""
    by_version = table(result, "missed_numerals")
    found = []
    for version in rows(result, "versions"):
        name = str(version.get("name"))
        if isinstance(by_version.get(name), list):
            pairs = sorted(by_version[name], key=lambda pair: -(number(pair.get("count")) or 0))
            found.append((name, [_missed_pair(pair) for pair in pairs[:MISSED]]))
    return found


def numeral(value: dict[str, Any]) -> Number:
    """What `reading` and `text` of a number in the document say."""
    reading, text = " ".join(map(shown, rows(value, "reading"))), shown(value.get("text"))
    return Number(reading or text, text if reading and text != reading else "")


def _missed_pair(pair: dict[str, Any]) -> MissedPair:
    return MissedPair(
        said=numeral(table(pair, "said")),
        heard=numeral(table(pair, "heard")) if table(pair, "heard") else None,
        count=count(pair.get("count")),
        utterances=[str(name) for name in rows(pair, "utterances")],
    )


def shares(versions: list[dict[str, Any]], kind: str, categories: list[str]) -> list[Row]:
    """Rows of `numerals` or `hotwords`: all utterances first, then each category that has any, a cell per version."""
    overall = Row(say("chart.overall"), [_wrong_cell(table(version, kind)) for version in versions])
    rest = [
        Row(plain(name), [_wrong_cell(table(table(table(version, "categories"), name), kind)) for version in versions])
        for name in categories
    ]
    return [row for row in (overall, *rest) if _known(row)]


def _rate_row(versions: list[dict[str, Any]], form: str, name: str) -> Row:
    counts = [table(table(version, form), name) for version in versions]
    best = _best(one.get("rate") for one in counts)
    cells = [Cell(plain(percent(one.get("rate"))), _errors(one), flag) for one, flag in zip(counts, best, strict=True)]
    return Row(say(f"rate.{name}"), cells)


def _errors(counts: dict[str, Any]) -> Words:
    if not counts:
        return plain("")
    names = {"s": "substitutions", "d": "deletions", "i": "insertions", "n": "reference"}
    return say("cell.counts", **{short: count(counts.get(name)) for short, name in names.items()})


def _wrong_row(versions: list[dict[str, Any]], kind: str) -> Row:
    best = _best(_share(table(version, kind)) for version in versions)
    cells = [_wrong_cell(table(version, kind), flag) for version, flag in zip(versions, best, strict=True)]
    return Row(say(f"row.{kind}"), cells)


def _wrong_cell(share: dict[str, Any], best: bool = False) -> Cell:
    if _share(share) is None:
        return Cell(plain(ABSENT), plain(""))
    small = say("cell.wrong", wrong=count(share.get("wrong")), reference=count(share.get("reference")))
    return Cell(plain(percent(share.get("rate"))), small, best)


def _share(share: dict[str, Any]) -> float | None:
    """The rate, unless there is nothing it could be a rate of."""
    return number(share.get("rate")) if number(share.get("reference")) else None


def _bleu_row(versions: list[dict[str, Any]]) -> Row:
    values = [number(version.get("bleu")) for version in versions]
    best = _best(None if value is None else -value for value in values)
    return _value_row(say("row.bleu"), values, best, lambda value: plain(decimal(value, 1)))


def _speed_rows(versions: list[dict[str, Any]]) -> list[Row]:
    def row(name: str, values: list[Any], form: Callable[[float], Words]) -> Row:
        return _value_row(say(f"row.{name}"), values, _best(values), form)

    def ms(value: float) -> Words:
        return say("cell.ms", n=decimal(value, 1 if value < 100 else 0))

    return [
        *(row(name, [table(version, "latency_ms").get(name) for version in versions], ms) for name in ("p50", "p95")),
        row("rtf", [version.get("rtf") for version in versions], lambda value: plain(decimal(value, 3))),
        row("failed", [version.get("failed") for version in versions], lambda value: plain(count(value))),
    ]


def _health_row(versions: list[dict[str, Any]], name: str) -> Row:
    values = [table(version, "health").get(name) for version in versions]
    return _value_row(label("health", name), values, _best(values), lambda value: plain(count(value)))


def _value_row(name: Words, values: list[Any], best: list[bool], form: Callable[[float], Words]) -> Row:
    numbers = [number(value) for value in values]
    cells = [
        Cell(plain(ABSENT) if value is None else form(value), plain(""), flag)
        for value, flag in zip(numbers, best, strict=True)
    ]
    return Row(name, cells)


def _best(values: Iterable[object]) -> list[bool]:
    """Which are lowest, where some are higher."""
    numbers = [number(value) for value in values]
    known = [value for value in numbers if value is not None]
    apart = len(set(known)) > 1
    return [apart and value == min(known) for value in numbers]


def _known(row: Row) -> bool:
    return any(cell.main.en != ABSENT for cell in row.cells)


def _confusion(pair: dict[str, Any]) -> Confusion:
    kind = label("kind", shown(pair.get("kind")))
    return Confusion(shown(pair.get("reference")), shown(pair.get("hypothesis")), kind, count(pair.get("count")))
