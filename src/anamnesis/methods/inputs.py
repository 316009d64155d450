"""Which of the files that methods share a method reads, and which files of its further domains.

A file is shared if several methods may read it and it is made once: the frozen base's states and log-probabilities,
its Fisher information, what a budget is measured on, texts to replay and texts that must not be replayed. If every
training depended on all of them, another Fisher information would make all of them stale. So the stage `inputs` writes
for each method the hashes of what it reads, and that file is what `train` depends on.

Without torch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from anamnesis.settings.fisher import FisherText
from anamnesis.settings.methods import Method


def _has_ewc(method: Method) -> bool:
    return method.penalties is not None and method.penalties.ewc is not None


def _replays(method: Method, source: str) -> bool:
    return method.replay is not None and method.replay.source == source


# By the name of a shared input, whether a method reads it.
READ_BY: dict[str, Callable[[Method], bool]] = {
    "teacher": lambda method: method.teacher == "static" or method.tokens is not None,
    "fisher": _has_ewc,
    "monitor": lambda method: method.budget is not None,
    "rehearsal": lambda method: _replays(method, "generated"),
    "general_text": lambda method: _replays(method, "general"),
    # What a replay leaves out, since the arms are measured on it.
    "held_out_text": lambda method: method.replay is not None,
    "base_text": lambda method: method.replay is not None,
}

# Those that are made only if a method reads them.
MADE_IF_NEEDED = ("rehearsal", "fisher", "monitor")


def inputs_of(method: Method) -> list[str]:
    """Names of the shared inputs that a training by this method reads."""
    return [name for name, reads in READ_BY.items() if reads(method)]


def own_files(method: Method) -> dict[str, Path]:
    """The files that only this method reads, by name: the examples of another task, if it replays some."""
    path = None if method.replay is None else method.replay.path
    return {} if path is None else {"examples": Path(path)}


def needed(methods: Iterable[Method], fisher: FisherText) -> set[str]:
    """Names of the shared inputs that must be made, with those that others are made from."""
    names = {name for method in methods for name in inputs_of(method)}
    return names | ({"rehearsal"} if "fisher" in names and fisher.text == "generated" else set())


# The files in a domain's folder that a training in it reads, and those that a measurement on it reads.
TRAINING_FILES = ("train.jsonl", "headings.json")
HELD_OUT_FILES = ("validation.jsonl", "test.jsonl", "headings.json", "categories.json")


def needed_domains(methods: Iterable[Method]) -> list[str]:
    """Names of the domains besides the main corpus that must be prepared."""
    return sorted({name for method in methods for name in method.other_domains})


def files_of_domains(method: Method, folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The files with these names of each domain of the method but the main corpus, by their paths from `folder` on."""
    return {f"{domain}/{name}": folder / domain / name for domain in method.other_domains for name in names}


def training_files(method: Method, shared: Mapping[str, Path], domains: Path) -> dict[str, Path]:
    """All files that a training with this method reads beside the base and the corpus, by name.

    Args:
        method: the method.
        shared: the paths of all inputs that methods share.
        domains: the folder with those of further domains.
    """
    of_shared = {name: shared[name] for name in inputs_of(method)}
    return of_shared | own_files(method) | files_of_domains(method, domains, TRAINING_FILES)
