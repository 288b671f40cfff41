"""Tocsin's vocabulary: immutable values, codecs, configuration, errors and ids. Imports nothing of ours."""

__version__ = "0.1.0"
