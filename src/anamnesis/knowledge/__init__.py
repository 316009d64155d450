"""General facts and plain clinical Russian: what the tiny profile's model can forget."""
