"""NIST's formats of text: trn, stm (segments by time) and ctm (words by time); and Kaldi's `id text`."""

import math
import re
from dataclasses import dataclass

from huidu.core.testset import shown

COMMENT = ";;"
NOT_SCORED = "IGNORE_TIME_SEGMENT_IN_SCORING"
_TRN = re.compile(r"(?P<text>.*)\((?P<id>[^()\s]+)\)\s*", re.DOTALL)
_STM = re.compile(r"\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+<[^<>\s]*>)?(?:\s+(.*))?")
_ALTERNATIVE = re.compile(r"<ALT(?:_BEGIN|_END)?>", re.IGNORECASE)
_CTM_FIELDS = 5
_KALDI = re.compile(r"[ \t]*([^ \t]+)(?:[ \t]+(.*))?")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one channel of a file, in seconds, and what was said in it."""

    file: str
    channel: str
    speaker: str
    begin: float
    end: float
    text: str

    @property
    def scored(self) -> bool:
        """False where the file says that the segment is not to be scored."""
        return self.text.upper() != NOT_SCORED


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was heard in one channel of a file, in seconds."""

    file: str
    channel: str
    begin: float
    duration: float
    text: str

    @property
    def middle(self) -> float:
        return self.begin + self.duration / 2


def is_remark(line: str) -> bool:
    """Whether a line of NIST's files holds nothing to read."""
    return not line.strip() or line.lstrip().startswith(COMMENT)


def trn_line(line: str) -> tuple[str, str] | str:
    """Id and text of `text (id)`, or what is wrong with the line."""
    read = _TRN.fullmatch(line)
    return (read["id"], read["text"].rstrip()) if read else f"no id in '{shown(line)}'; accepted: text (id)"


def kaldi_line(line: str) -> tuple[str, str]:
    """Id and text of `id text`, of a line that holds anything."""
    read = _KALDI.match(line)
    return (read[1], (read[2] or "").rstrip(" \t")) if read else ("", "")


def stm_line(line: str) -> Segment | str:
    """The segment of `file channel speaker begin end <labels> text`, or what is wrong with the line."""
    read = _STM.fullmatch(line)
    if read is None:
        return "too few fields; accepted: file channel speaker start end <labels> text"
    file, channel, speaker, begin, end, text = read.groups(default="")
    span = (_seconds(begin), _seconds(end))
    if not 0 <= span[0] < span[1] < math.inf:
        return f"read the times {shown(begin)} and {shown(end)}; accepted: seconds, the begin first"
    return Segment(file, channel, speaker, *span, text.strip())


def ctm_line(line: str) -> Word | str:
    """The word of `file channel begin duration word [confidence]`, or what is wrong with the line."""
    fields = line.split()
    if len(fields) < _CTM_FIELDS:
        return f"read {len(fields)} fields; accepted: file channel start duration word [confidence]"
    file, channel, begin, duration, text = fields[:_CTM_FIELDS]
    if _ALTERNATIVE.fullmatch(text):
        return f"alternatives ({shown(text)}) are not read; accepted: one word at a time"
    times = (_seconds(begin), _seconds(duration))
    if not all(0 <= each < math.inf for each in times):
        return f"read the times {shown(begin)} and {shown(duration)}; accepted: seconds, 0 or more"
    return Word(file, channel, *times, text)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
