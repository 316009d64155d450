"""What a run will take: counted from a model's shape, or timed on this machine; and what it will be able to show."""
