"""Finds identifiers of patients and staff in a report, and replaces them by typed placeholders.

By rules and a statistical tagger: pymorphy3 and lists of names recognize names, patterns recognize dates, addresses and
numbers, and the tagger recognizes all of them. `benchmarks/deidentification.py` compares the engines. Findings are
never logged.
"""

from anamnesis.corpus.deidentification.engine import Deidentifier, Replaced, deidentify, find
from anamnesis.corpus.deidentification.findings import FOUND_BY, PLACEHOLDERS, Found

__all__ = ["FOUND_BY", "PLACEHOLDERS", "Deidentifier", "Found", "Replaced", "deidentify", "find"]
