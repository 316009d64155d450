"""The student: the trained part on the frozen base, whatever its kind."""
