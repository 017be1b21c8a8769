"""The English words that numbers are made of, and their values."""


def _values(words: str, first: int, step: int = 1) -> dict[str, int]:
    return {word: first + step * place for place, word in enumerate(words.split())}


DIGITS = _values("zero one two three four five six seven eight nine", 0)
TEENS = _values(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    10,
)
TENS = _values("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
ORDINALS = _values("first second third fourth fifth sixth seventh eighth ninth", 1)
TEEN_ORDINALS = _values(
    "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth",
    10,
)
TENS_ORDINALS = _values("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth", 20, 10)
# What is measured in, in the singular, parted by white space.
MEASURES = """
dollar cent euro pound yuan kilometer kilometre meter metre centimeter mile foot feet inch kilogram kilo gram ton liter
litre second minute hour degree gigabyte megabyte
"""
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}


def written_ordinal(digits: str) -> str:
    """An ordinal in digits: 1st, 2nd, 11th, 31st."""
    if digits[-2:] in ("11", "12", "13"):
        return digits + "th"
    return digits + {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
