"""What share of identifiers is found in reports to which no rule was tuned."""

from anamnesis.corpus.deidentification import Deidentifier
from benchmarks.deidentification import cleaned, measures
from tests.heldout import heldout_reports

# Of the whole test part, both engines find 0.975 (see LOG.md).
LEAST_RECALL, LEAST_PRECISION = 0.96, 0.97


def test_recall_and_precision_on_200_unseen_reports() -> None:
    reports = [cleaned(report) for report in heldout_reports("test") if report.identifiers][:200]
    findings = Deidentifier(tagger=True).find([report.text for report in reports])
    *_, total = measures(reports, findings)
    planted, recall, _, found, precision = (float(str(value)) for value in total[1:])
    assert len(reports) == 200
    assert planted > 1000
    assert found > 1000
    assert recall >= LEAST_RECALL
    assert precision >= LEAST_PRECISION
