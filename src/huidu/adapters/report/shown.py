"""Texts and numbers as a page shows them. Texts come from users and models and may hold anything."""

import math
from datetime import UTC, datetime
from typing import Any

from huidu.core.text.shown import visible

ABSENT = "–"


def shown(text: object) -> str:
    """The text with control characters, turns of direction and halves of surrogates made visible; None is empty."""
    return "" if text is None else visible(str(text))


def number(value: object) -> float | None:
    """The value where it is a finite number, else None: what is missing or undefined is not drawn."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def count(value: object) -> str:
    """A whole number with thousands apart: `1,234`."""
    found = number(value)
    return ABSENT if found is None else f"{found:,.0f}"


def percent(rate: object) -> str:
    """A fraction as `2.10 %`."""
    found = number(rate)
    return ABSENT if found is None else f"{found * 100:.2f} %"


def decimal(value: object, places: int) -> str:
    """A number with that many decimals, never `-0.0`."""
    found = number(value)
    return (
        ABSENT
        if found is None
        else f"{found:,.{places}f}".replace("-", "−")
        if round(found, places)
        else f"{0:.{places}f}"
    )


def points(difference: object, places: int = 1, signed: bool = True) -> str:
    """A difference of fractions in percentage points: `+11.9`."""
    found = number(difference)
    if found is None:
        return ABSENT
    text = decimal(found * 100, places)
    return f"+{text}" if signed and round(found * 100, places) > 0 else text


def moment(epoch_seconds: object) -> datetime | None:
    """The time in UTC, None where there is none or no calendar has it."""
    found = number(epoch_seconds)
    try:
        return None if found is None else datetime.fromtimestamp(found, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def table(value: Any, name: str) -> dict[str, Any]:
    """The named table of a part of the document, empty where it is missing or null."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def rows(value: Any, name: str) -> list[Any]:
    """The named list of a part of the document, or the values of a table; empty where it is missing or null."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, dict):
        return list(found.values())
    return found if isinstance(found, list) else []
