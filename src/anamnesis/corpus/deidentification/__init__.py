"""Finding patients' and staff's identifiers in a report, and writing typed placeholders in their place.

Rules, not a neural tagger: `benchmarks/deidentification.py` compares both. pymorphy3 says which words are names;
patterns say which numbers are documents. What is found is never logged.
"""

from anamnesis.corpus.deidentification.engine import deidentify, find
from anamnesis.corpus.deidentification.findings import PLACEHOLDERS, Found

__all__ = ["PLACEHOLDERS", "Found", "deidentify", "find"]
