"""From the runs' measurements to the answer: summary, pictures, report."""
