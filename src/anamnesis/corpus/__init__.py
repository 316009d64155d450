"""The domain corpus: reading, splitting, writing out as text, and synthesizing."""
