"""Fine-tuning of language models on a narrow domain with measured, and reduced, catastrophic forgetting."""
