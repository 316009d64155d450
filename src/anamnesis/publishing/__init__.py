"""Finished experiments: keeps them, checks a second run against the first, and reviews a change of the results."""
