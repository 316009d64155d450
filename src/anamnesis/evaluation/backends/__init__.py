"""How a model answers: the harness's own backends, and one that reads shared prefixes once."""
