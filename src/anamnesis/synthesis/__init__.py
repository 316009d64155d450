"""A synthetic corpus of Russian thyroid FNA reports, for lack of a public one."""

from anamnesis.synthesis.reports import synthesize

__all__ = ["synthesize"]
