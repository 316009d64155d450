"""The one kind of error that is the user's to mend; anything else is a bug and keeps its traceback."""


class InputError(ValueError):
    """Parameters or data that cannot be used: one sentence with what, where and the mend; never a report's text."""
