"""One training loop for every arm."""
