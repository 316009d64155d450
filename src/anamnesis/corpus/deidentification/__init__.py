"""Finds identifiers of patients and staff in a report, and replaces them by typed placeholders.

By rules, not by a neural tagger: `benchmarks/deidentification.py` compares both. pymorphy3 recognizes names, patterns
recognize numbers of documents. Findings are never logged.
"""

from anamnesis.corpus.deidentification.engine import deidentify, find
from anamnesis.corpus.deidentification.findings import PLACEHOLDERS, Found

__all__ = ["PLACEHOLDERS", "Found", "deidentify", "find"]
