"""Sweeps: many values of the methods' parameters tried on the validation split, and one of them recommended."""
