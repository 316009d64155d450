"""The domain corpus: what happens to an export from its files to three parts that leak nothing into one another."""
