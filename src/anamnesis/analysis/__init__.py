"""From the runs' measurements to the answer: summary, figures, report."""
