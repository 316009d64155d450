"""Measuring with lm-evaluation-harness."""
