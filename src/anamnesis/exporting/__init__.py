"""Exporting a trained model: merged into a plain folder, as an adapter, or as GGUF; measured before it is kept."""
