"""Obtaining the base model from `model.source`, and checking that it is what its folder says."""
