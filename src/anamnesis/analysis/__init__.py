"""From the runs' measurements to the answer: summary, figures, results page."""
