"""Spoken and written form of numbers: inverse text normalisation and its inverse, with own rules."""

from huidu.core.text.itn.offsets import Span, Written
from huidu.core.text.itn.to_spoken import spoken
from huidu.core.text.itn.to_written import written

__all__ = ["Span", "Written", "spoken", "written"]
