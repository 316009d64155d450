"""Files that the package `natasha` carries: its tagger's weights, and its lists of given names and surnames.

The package itself is never imported: it would import pymorphy2, which does not run on Python 3.11.
"""

from importlib.util import find_spec
from pathlib import Path

from anamnesis.errors import InputError


def natasha_file(name: str) -> Path:
    """The path of a file in natasha's folder `data`.

    Raises:
        InputError: the package is not installed.
    """
    spec = find_spec("natasha")
    if spec is None or spec.origin is None:
        raise InputError(
            "corpus.deidentification.enabled: the package natasha, which has the lists of names, is not installed; "
            "run `pip install -r requirements.lock`."
        )
    return Path(spec.origin).parent / "data" / name


def natasha_words(name: str) -> frozenset[str]:
    """The words of one of its lists; a line is a word, in lower case, which a comment may follow."""
    lines = natasha_file(f"dict/{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition("#")[0].strip().replace("ё", "е") for line in lines)
