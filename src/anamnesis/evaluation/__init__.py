"""Measurement with lm-evaluation-harness."""
