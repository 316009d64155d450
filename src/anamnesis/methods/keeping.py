"""Whether keeping the frozen base's hidden states (methods/states.py) saves time.

Without torch: a forecast asks as well.
"""


def reports_read(steps: int, batch_size: int, accumulation_steps: int, runs: int) -> int:
    """How many reports the runs with a frozen teacher read, each counted as often as it is read."""
    return steps * batch_size * accumulation_steps * runs


def pays(read: int, corpus: int) -> bool:
    """Whether to keep the states: the teacher then reads each report once, and otherwise each time it is trained on."""
    return read > corpus
