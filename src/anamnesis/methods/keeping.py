"""Whether keeping the frozen teacher's hidden states (methods/states.py) saves time.

Without torch: a forecast asks as well.
"""


def reports_read(steps: int, batch_size: int, accumulation_steps: int, runs: int) -> int:
    """How many reports the runs with a frozen teacher read, each as often as it is read."""
    return steps * batch_size * accumulation_steps * runs


def pays(read: int, corpus: int) -> bool:
    """Whether to keep the teacher's states: a report then costs it one pass, and otherwise one at each reading."""
    return read > corpus
