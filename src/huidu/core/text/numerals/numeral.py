"""What a number in a text is: the set of what could have been said, and the one form it is compared in."""

from dataclasses import dataclass

# The keys of one reading, most often a single one.
Reading = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Numeral:
    """One number of a text, by what could have been said: 八点零五 is 8:05 or 8.05.

    A reading is a tuple of keys, for 两三百 may be one about-number or the two numbers 200 and 300. Two numerals agree
    where they share a reading. Keys: plain digits ("10086", "0571", "-3.5", "12000" for 1.2万), percents "50%" and
    "3‰", fractions "2/3", ratios "3:2", times "3:30", versions "1.2.3", about-numbers "200~300" and "几十".

    `form` is the one form in which it stands in a normalised text, such as "3.5元". `start` and `end` are character
    offsets in the text that was read, the end exclusive. What is not `counted` (the digit of 五星 or 按一) satisfies
    a reference that writes it as a number, and is none when it stands in the reference itself.
    """

    readings: tuple[Reading, ...]
    form: str
    start: int
    end: int
    counted: bool = True

    @property
    def keys(self) -> Reading:
        """The reading that is meant most often."""
        return self.readings[0]

    @property
    def size(self) -> int:
        """How many numbers it counts for in a reference."""
        return len(self.keys) if self.counted else 0
