"""Formats with a text on each line: plain lines, trn, Kaldi."""

from huidu.core.formats.nist import is_remark, kaldi_line, trn_line
from huidu.evaluation.texts.reading import Reading


def read_txt(reading: Reading) -> None:
    for number, line in reading.lines():
        reading.add(number, str(number), line)


def read_trn(reading: Reading) -> None:
    for number, line in reading.lines():
        if is_remark(line):
            continue
        match trn_line(line):
            case str(fault):
                reading.refuse(number, fault)
            case (key, text):
                reading.add(number, key, text)


def read_kaldi(reading: Reading) -> None:
    for number, line in reading.lines():
        if line.strip():
            reading.add(number, *kaldi_line(line))
