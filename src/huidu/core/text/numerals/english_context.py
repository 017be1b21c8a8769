"""The words around an English number that say what it is: a quantity, a time of day, a date, a name."""

from huidu.core.text.itn.english_words import DIGITS, MEASURES, TEENS, TENS
from huidu.core.text.numerals.english_runs import ALL_SCALES, is_figures, is_o_clock, word_set

NUMBER_WORDS = frozenset({*DIGITS, *TEENS, *TENS, *ALL_SCALES, "hundred"})
MONTHS = word_set("january february march april may june july august september october november december")
# What money is counted in, and the plural of each.
CURRENCIES = {form: word + "s" for word in ("dollar", "euro", "pound") for form in (word, word + "s")}
CENTS = word_set("cent cents penny pennies pence")
BEFORE_TIME = word_set("at by until till til before after since around")
# Behind these a number is a name and no time.
BEFORE_NAME = word_set("room number flight route highway bus gate suite apartment extension page line")
# Behind these "second" is a unit of time: a second, a split second.
_BEFORE_SECONDS = word_set("a per each every half split")
# Behind these "point" is a noun: the point one should make.
BEFORE_NOUN = word_set("the this that these some any no what which my your his her our their one's")

_MORE_MEASURES = """
volt watt hertz byte bit ounce acre hectare lumen horsepower kilowatt megawatt gigawatt kilohertz megahertz gigahertz
milliliter millilitre millimeter millimetre centimetre micrometer nanometer milligram millisecond kilobyte terabyte yard
calorie won yen rupee franc penny pence cc km kg cm mm ml mph
"""
_UNITS = frozenset(word + ending for word in (MEASURES + _MORE_MEASURES).split() for ending in ("", "s", "es"))
_UNIT_PREFIXES = word_set("square cubic kilo mega giga tera peta milli micro nano centi deci")
# Units of which people say "two hours and a half", and their plurals.
_HALVED = word_set("hour day week month year mile minute meter metre kilometer kilometre")
HALVED = {form: unit + "s" for unit in _HALVED for form in (unit, unit + "s")}
_COUNTRIES = (
    ("united", "states"),
    ("us",),
    ("u", "s"),
    ("american",),
    ("canadian",),
    ("australian",),
    ("hong", "kong"),
)


def is_number(word: str) -> bool:
    """Whether a word is a number or part of one."""
    return word in NUMBER_WORDS or is_figures(word) or word == "#"


def country_after(words: list[str], at: int) -> int:
    """How many words there say whose money it is: united states, us."""
    return next((len(country) for country in _COUNTRIES if tuple(words[at : at + len(country)]) == country), 0)


def unit_after(words: list[str], at: int) -> bool:
    """Whether something is measured there, so that a lone one counts and zeros that end a decimal do not."""
    word = words[at]
    return word in _UNITS or word in _UNIT_PREFIXES or half_day_after(words, at) or country_after(words, at) > 1


def half_day_after(words: list[str], at: int) -> bool:
    """Whether am, p.m., o'clock or in the morning stands there."""
    here, following = words[at], words[at + 1]
    if here in ("am", "pm", "o'clock", "oclock") or (here in ("a", "p") and following == "m"):
        return True
    if is_o_clock(words, at):
        return True
    return (here, following) == ("in", "the") and words[at + 2] in ("morning", "afternoon", "evening")


def in_date(words: list[str], at: int, after: int) -> bool:
    """Whether an ordinal from one position to another is a day: june third, may the fourth, the third of june."""
    if words[after] == "of" and words[after + 1] in MONTHS:
        return True
    month = at - 1 - (words[at - 1] == "the")
    # Somebody may second what was said.
    is_verb = words[month] == "may" and month == at - 1 and words[month - 1] not in ("", ",", "on", "of", "by", "from")
    return words[month] in MONTHS and not is_verb


def is_second_of_time(words: list[str], at: int) -> bool:
    """Whether "second" there is a unit: one second, per second, a split second."""
    return words[at] == "second" and (is_number(words[at - 1]) or words[at - 1] in _BEFORE_SECONDS)
