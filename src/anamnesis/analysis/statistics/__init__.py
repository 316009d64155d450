"""Paired statistics of arms that share their seeds and their cases.

The design is that of multi-reader multi-case studies in radiology: an arm is a modality, a seed is a reader, a question
or a report is a case, and every reader reads every case in every modality. A seed gives every arm the same start and
the same order of reports, so an arm is compared with another seed by seed and case by case.
"""

from anamnesis.analysis.statistics.estimates import (
    CASES,
    SEEDS_AND_CASES,
    Components,
    Difference,
    Estimate,
    difference,
    interval,
    mean_difference,
)
from anamnesis.analysis.statistics.matching import Matched, matched_difference
from anamnesis.analysis.statistics.planning import Needed, detectable_with, needed, smallest_detectable
from anamnesis.analysis.statistics.prediction import prediction_half_width
from anamnesis.analysis.statistics.samples import Sample, auc_of, gap_of, macro_f1, mean_of, ratio_of, recall_of
from anamnesis.analysis.statistics.significance import equivalence, holm, mcnemar_exact

__all__ = [
    "CASES",
    "SEEDS_AND_CASES",
    "Components",
    "Difference",
    "Estimate",
    "Matched",
    "Needed",
    "Sample",
    "auc_of",
    "detectable_with",
    "difference",
    "equivalence",
    "gap_of",
    "holm",
    "interval",
    "macro_f1",
    "matched_difference",
    "mcnemar_exact",
    "mean_difference",
    "mean_of",
    "needed",
    "prediction_half_width",
    "ratio_of",
    "recall_of",
    "smallest_detectable",
]
