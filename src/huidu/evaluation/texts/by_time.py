"""NIST's formats by time: segments (stm), words (ctm), and words by the segments that they lie in."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from huidu.core.errors import InvalidError
from huidu.core.formats.nist import Segment, Word, ctm_line, is_remark, stm_line
from huidu.core.testset import shown
from huidu.evaluation.texts.reading import Reading

Place = tuple[str, str]  # a file and its channel
Segments = list[tuple[int, Segment]]  # with their lines
Words = list[tuple[int, Word]]
_Row = TypeVar("_Row", Segment, Word)


def read_stm(reading: Reading) -> None:
    """Segments by file, channel and time; those that are not to be scored are left out, and counted in a remark."""
    found = segments_of(reading)
    scored = [(line, segment) for line, segment in found if segment.scored]
    _remark_left_out(reading, len(found) - len(scored))
    for (line, segment), key in zip(scored, _segment_ids(scored), strict=True):
        reading.add(line, key, segment.text)


def read_ctm(reading: Reading) -> None:
    """The words of each file (and channel, where a file has several) in the order of their times."""
    words = words_of(reading)
    _join(reading, words, _place_names(word for _, word in words))


def read_two_ctm(reference: Reading, hypothesis: Reading) -> None:
    """As `read_ctm`, where a channel that only one of them has still parts the ids of both."""
    said, heard = words_of(reference), words_of(hypothesis)
    names = _place_names(word for _, word in (*said, *heard))
    _join(reference, said, names)
    _join(hypothesis, heard, names)


def read_by_segments(reference: Reading, hypothesis: Reading) -> None:
    """The words of a ctm by the segments of an stm: each belongs to the one that holds its middle.

    A segment of which the ctm has the file was heard with whatever words lie in it, also none. Words in no segment
    are not counted, and a remark says how many.
    """
    segments, words = segments_of(reference), words_of(hypothesis)
    scored = [(line, segment) for line, segment in segments if segment.scored]
    places = _matched(segments, words)
    lines = _Lines(segments)
    held: dict[int, list[Word]] = {}
    outside = 0
    for _, word in words:
        line = lines.at(places.get((word.file, word.channel)), word.middle)
        if line is None:
            outside += 1
        else:
            held.setdefault(line, []).append(word)
    heard_places = set(places.values())
    for (line, segment), key in zip(scored, _segment_ids(scored), strict=True):
        reference.add(line, key, segment.text)
        if (segment.file, segment.channel) in heard_places:
            hypothesis.add(line, key, _text(held.get(line, [])))
    _remark_left_out(reference, len(segments) - len(scored))
    if outside and outside == len(words) and not reference.problems:
        raise InvalidError(
            f"no word of {hypothesis.name} lies in a segment of {reference.name} (the first are in {_at(words[0][1])} "
            f"and {_at(segments[0][1]) if segments else 'none'}); accepted: times of the same files"
        )
    if outside:
        said = "word lies" if outside == 1 else "words lie"
        hypothesis.remarks.append(f"{hypothesis.name}: {outside} {said} in no segment of {reference.name}, not counted")


class _Lines:
    """The lines of segments by time."""

    def __init__(self, segments: Segments) -> None:
        self._by_place: dict[Place, list[tuple[float, float, int]]] = {}
        for line, segment in segments:
            place = self._by_place.setdefault((segment.file, segment.channel), [])
            place.append((segment.begin, segment.end, line))
        for those in self._by_place.values():
            those.sort()

    def at(self, place: Place | None, moment: float) -> int | None:
        """The segment that begins last of those that hold the moment, its end left out; None where none does."""
        those = self._by_place.get(place, []) if place else []
        behind = bisect_right(those, (moment, float("inf"), 0))
        return next((line for _, end, line in reversed(those[:behind]) if moment < end), None)


def segments_of(reading: Reading) -> Segments:
    """All segments with their lines, also those that are not to be scored."""
    return _rows(reading, stm_line)


def words_of(reading: Reading) -> Words:
    """The words with their lines, in the order of the file."""
    return _rows(reading, ctm_line)


def _rows(reading: Reading, read: Callable[[str], _Row | str]) -> list[tuple[int, _Row]]:
    """What each line holds, with its number; a line of which `read` says what is wrong is refused."""
    rows = []
    for number, line in reading.lines():
        if is_remark(line):
            continue
        row = read(line)
        if isinstance(row, str):
            reading.refuse(number, row)
        else:
            rows.append((number, row))
    return rows


def _join(reading: Reading, words: Words, names: dict[Place, str]) -> None:
    joined: dict[str, Words] = {}
    for number, word in words:
        joined.setdefault(names[word.file, word.channel], []).append((number, word))
    for key, those in joined.items():
        reading.add(those[0][0], key, _text(word for _, word in those))


def _text(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in sorted(words, key=lambda word: word.begin))


def _place_names(found: Iterable[Segment | Word]) -> dict[Place, str]:
    """The id of each file and channel: the file's name, with the channel where the file has several."""
    places = dict.fromkeys((each.file, each.channel) for each in found)
    channels = Counter(file for file, _ in places)
    return {(file, channel): file if channels[file] == 1 else f"{file}-{channel}" for file, channel in places}


def _segment_ids(segments: Segments) -> list[str]:
    """As the places are called; with the times where a place has several segments."""
    names = _place_names(segment for _, segment in segments)
    counts = Counter((segment.file, segment.channel) for _, segment in segments)
    ids = []
    for _, segment in segments:
        place = (segment.file, segment.channel)
        span = "" if counts[place] == 1 else f"@{segment.begin:.3f}-{segment.end:.3f}"
        ids.append(names[place] + span)
    return ids


def _matched(segments: Segments, words: Words) -> dict[Place, Place]:
    """For each place of the words that of the segments: the same file and channel, or the file where each side has
    one channel of it, which tools number and letter as they like."""
    theirs = _channels(segment for _, segment in segments)
    found = {}
    for file, channels in _channels(word for _, word in words).items():
        known = theirs.get(file, [])
        for channel in channels:
            if channel in known:
                found[file, channel] = (file, channel)
            elif len(known) == len(channels) == 1:
                found[file, channel] = (file, known[0])
    return found


def _channels(found: Iterable[Segment | Word]) -> dict[str, list[str]]:
    channels: dict[str, list[str]] = {}
    for file, channel in dict.fromkeys((each.file, each.channel) for each in found):
        channels.setdefault(file, []).append(channel)
    return channels


def _at(found: Segment | Word) -> str:
    return f"{shown(found.file)} {shown(found.channel)} at {found.begin:g} s"


def _remark_left_out(reading: Reading, count: int) -> None:
    if count:
        said = "segment is" if count == 1 else "segments are"
        reading.remarks.append(
            f"{reading.name}: {count} {said} left out, not to be scored (IGNORE_TIME_SEGMENT_IN_SCORING)"
        )
