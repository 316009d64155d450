"""Names of files and columns are recorded in dvc.lock and shown in messages, so they must not identify anybody."""

import re
from pathlib import Path

from anamnesis.corpus.deidentification import find
from anamnesis.corpus.refusals import CorpusError
from anamnesis.settings.corpus import Corpus

# A date, a number or the town of an export identifies nobody.
_IDENTIFY = {"name", "doctor", "snils", "passport", "policy", "document", "phone", "email", "handle", "plate"}
_JOINTS = re.compile(r"[_+~]+|(?<=[^\W\d_])-(?=\d)|(?<=\d)-(?=[^\W\d_])")


def check_names(settings: Corpus) -> None:
    """The file, its folder and the declared columns must not be named after a person.

    Raises:
        CorpusError: says which of them is, without its name.
    """
    if not settings.deidentification.enabled:
        return
    path = Path(settings.path)
    for what, name in (("file or folder", path.name), ("folder around it", path.parent.name)):
        if _identifies(name):
            raise CorpusError(
                f"corpus.path: the name of the {what} holds an identifier of a person, and would be recorded in "
                f"dvc.lock; rename it."
            )
    for field, column in settings.columns.named.items():
        if _identifies(column):
            raise CorpusError(
                f"corpus.columns.{field}: the name of the column holds an identifier of a person, and would be "
                f"recorded in dvc.lock; rename the column in the export."
            )


def _identifies(name: str) -> bool:
    spaced = _JOINTS.sub(" ", re.sub(r"(\.[A-Za-z0-9]{1,8}){1,2}$", "", name))
    return any(found.kind in _IDENTIFY for text in (name, spaced) for found in find(text))
