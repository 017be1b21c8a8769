"""Huidu: put a new speech recognition model in front of real users safely."""

__version__ = "0.1.0"
