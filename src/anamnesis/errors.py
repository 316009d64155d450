"""The one kind of error that the user can fix; anything else is a bug and keeps its traceback."""


class InputError(ValueError):
    """Unusable parameters or data: one sentence that says what, where and what to do; never a report's text."""
