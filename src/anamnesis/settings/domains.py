"""What further domains may be called, where their files are, and which of them a method may name."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from anamnesis.settings.corpus import Corpus
from anamnesis.settings.methods import MAIN
from anamnesis.settings.sections import SettingsError

# The folder of their files, which the stage `domains` depends on as a whole.
FOLDER = PurePosixPath("data/domains")

# What the names of arms that are made from a method end with: `ema_teacher`, `rag_vote`, `none_share_0_5`,
# `chain_after_symptoms`.
RESERVED = re.compile(r"_(teacher|vote)$|_share_\d|_after(_|$)")


def check_domains(domains: Mapping[str, Corpus], corpus: Corpus) -> None:
    """Refuse names, paths and labels that cannot be used.

    Raises:
        SettingsError: there is one.
    """
    measures = _measures(corpus)
    for name, domain in domains.items():
        if name == MAIN or RESERVED.search(name) or not re.fullmatch("[a-z][a-z0-9_]*", name):
            raise SettingsError(
                f"params.yaml: `domains` cannot have the name {name!r}: use lower-case letters, digits and _ only, a "
                f"letter first, and neither `{MAIN}` nor the ending of an arm (_teacher, _vote, _share_, _after_)."
            )
        path = PurePosixPath(domain.path)
        if ".." in path.parts or FOLDER not in path.parents:
            raise SettingsError(
                f"params.yaml: `domains.{name}.path` is {domain.path!r}: put the file or folder into {FOLDER}, which "
                f"DVC watches, and name it there."
            )
        if measures & _measures(domain):
            raise SettingsError(
                f"params.yaml: `domains.{name}.label` is {domain.label}, which gives measures the same names as the "
                f"label of another domain or of the corpus: choose another."
            )
        measures |= _measures(domain)


def check_used_domains(name: str, used: list[str], domains: Mapping[str, Corpus]) -> None:
    """Refuse a method with a domain that is not defined.

    Raises:
        SettingsError: there is one.
    """
    for domain in used:
        if domain not in domains:
            raise SettingsError(
                f"params.yaml: `{name}.domains` names {domain!r}, which the section `domains` does not have: define it "
                f"there, or remove it from the method (defined are {sorted(domains)})."
            )


def _measures(corpus: Corpus) -> set[str]:
    label = corpus.label
    return {label, f"{label}_acc", f"{label}_macro_f1", f"{label}_recall_critical"}
