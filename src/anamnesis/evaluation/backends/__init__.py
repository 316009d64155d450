"""How a model answers: the harness's own ways, and one that reads what prompts share once."""
