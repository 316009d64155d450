"""The data card: what went in, what became of it, and how far the parts can be trusted. Numbers only, no text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from anamnesis.corpus.deidentification import PLACEHOLDERS
from anamnesis.corpus.intake import Account
from anamnesis.corpus.refusals import Refusal
from anamnesis.corpus.scrutiny import TELLING_PRECISION, TELLING_RECALL, Leakage

MEANINGS = {
    "html_entities": "HTML entities and tags",
    "unicode_form": "composed characters (NFC), and Roman numerals of letters",
    "line_ends": "line ends, and words divided at them",
    "control_characters": "characters that are not shown",
    "homoglyphs": "Latin letters in Cyrillic words, and the other way round",
    "white_space": "white space",
    "boilerplate": "sentences that most reports of every category have",
    "category_in_description": "the category by number, taken out of the description",
    "category_in_conclusion": "the category by number, taken out of the conclusion",
}


@dataclass(frozen=True)
class Part:
    """Of one part of the split: reports by category, and the lengths of descriptions and conclusions, characters."""

    categories: Mapping[str, int]
    description_lengths: npt.NDArray[np.int64]
    conclusion_lengths: npt.NDArray[np.int64]

    @property
    def reports(self) -> int:
        return len(self.description_lengths)


def account_of(
    account: Account,
    parts: Mapping[str, Part],
    patients: int,
    clusters: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    similarity: float,
    leaks: Mapping[str, Leakage],
    bag_of_words: float,
    telling: Sequence[str],
) -> dict[str, Any]:
    """All numbers of the card, as they are kept in data/prepared/account.json."""
    sizes = Counter(clusters.tolist())
    return {
        "rows_in": account.rows_in,
        **{name: part.reports for name, part in parts.items()},
        "duplicates": account.duplicates,
        "quarantined": account.quarantined,
        "refused": dict(sorted(account.refused.items())),
        "changed": dict(sorted(account.changed.items())),
        "identifiers": dict(sorted(account.identifiers.items())),
        "patients": patients,
        "groups": int(groups.max()) + 1,
        "largest_group": int(np.bincount(groups).max()),
        "near_duplicates": {
            "similarity": similarity,
            "reports": sum(size for size in sizes.values() if size > 1),
            "clusters": sum(size > 1 for size in sizes.values()),
        },
        "by_category": {name: dict(part.categories) for name, part in parts.items()},
        "lengths": {
            name: {
                "description": _quantiles(part.description_lengths),
                "conclusion": _quantiles(part.conclusion_lengths),
            }
            for name, part in parts.items()
        },
        "leakage": {name: asdict(leak) for name, leak in leaks.items()},
        "shortcuts": {"bag_of_words_macro_f1": bag_of_words, "telling_words": len(telling)},
    }


def _quantiles(lengths: npt.NDArray[np.int64]) -> dict[str, int]:
    return {f"p{q}": int(np.percentile(lengths, q)) for q in (5, 50, 95)} | {"max": int(lengths.max())}


def card(numbers: Mapping[str, Any], picture: str, criteria: Mapping[str, tuple[str, str]]) -> str:
    """The card as Markdown; `criteria` are name and criterion by category, where the system of categories has them."""
    parts = list(numbers["by_category"])
    rows_in = numbers["rows_in"]
    kept = sum(numbers[part] for part in parts)
    near = numbers["near_duplicates"]
    split, naive = numbers["leakage"]["split"], numbers["leakage"]["naive"]
    sections = [
        "# The corpus",
        "Written by the stage `corpus`. Lengths are characters; similarity is the share of word triples that two "
        "descriptions have in common (Jaccard), 1 for the same text.",
        "## Rows",
        _table(
            ["", "rows", "share"],
            [
                ["in the export", rows_in, ""],
                *([part, numbers[part], f"{numbers[part] / rows_in:.1%}"] for part in parts),
                ["exact duplicates, dropped", numbers["duplicates"], f"{numbers['duplicates'] / rows_in:.1%}"],
                ["refused, in quarantine", numbers["quarantined"], f"{numbers['quarantined'] / rows_in:.1%}"],
            ],
        ),
        f"{rows_in} = {' + '.join(str(numbers[part]) for part in parts)} + {numbers['duplicates']} + "
        f"{numbers['quarantined']}, checked by the stage.",
    ]
    if numbers["refused"]:
        meanings = {refusal.value: refusal.meaning for refusal in Refusal}
        rows = [[f"`{code}`", meanings[code], count] for code, count in numbers["refused"].items()]
        sections += ["Why rows were refused:", _table(["code", "", "rows"], rows)]
    sections += [
        "## What was changed",
        _table(["rule", "", "reports"], [[f"`{c}`", MEANINGS[c], n] for c, n in numbers["changed"].items()])
        if numbers["changed"]
        else "Nothing.",
        "## Identifiers replaced",
        _table(["", "", "times"], [[PLACEHOLDERS[kind], kind, n] for kind, n in numbers["identifiers"].items()])
        if numbers["identifiers"]
        else "None.",
        "## Categories",
        _table(
            ["", *parts],
            [
                [category, *(_share(numbers["by_category"][part].get(category, 0), numbers[part]) for part in parts)]
                for category in sorted({c for part in parts for c in numbers["by_category"][part]})
            ],
        ),
        *(
            [
                "By the Bethesda System for Reporting Thyroid Cytopathology (Ali et al., Thyroid 2023;33:1039-1044):",
                _table(["", "", "criterion"], [[category, *said] for category, said in criteria.items()]),
            ]
            if criteria
            else []
        ),
        "## Lengths",
        _table(
            ["", "5 %", "median", "95 %", "longest"],
            [
                [f"{part}, {field}", *numbers["lengths"][part][field].values()]
                for part in parts
                for field in ("description", "conclusion")
            ],
        ),
        f"![]({picture})",
        "## What stays together",
        f"{kept} reports of {numbers['patients']} patients. {near['reports']} reports "
        f"({near['reports'] / kept:.1%}) have a near duplicate (similarity of {near['similarity']:g} and more), in "
        f"{near['clusters']} clusters. Patients and clusters make {numbers['groups']} groups that are never divided; "
        f"the largest has {numbers['largest_group']} reports.",
        "## Leakage",
        _table(
            ["test reports and the training report nearest to them", "this split", "any report anywhere"],
            [
                ["highest similarity", f"{split['highest']:.3f}", f"{naive['highest']:.3f}"],
                ["median similarity", f"{split['median']:.3f}", f"{naive['median']:.3f}"],
                [f"share with {near['similarity']:g} and more", f"{split['above']:.1%}", f"{naive['above']:.1%}"],
                ["test reports compared", split["compared"], naive["compared"]],
            ],
        ),
        "The comparison is with a random split of the same sizes, after exact duplicates were dropped.",
        "## Shortcuts",
        f"A linear classifier over the words of the description, without their order, has a macro-F1 of "
        f"{numbers['shortcuts']['bag_of_words_macro_f1']:.3f} on the test part. "
        f"{numbers['shortcuts']['telling_words']} single words predict a category with a precision over "
        f"{TELLING_PRECISION:g} at a recall over {TELLING_RECALL:g}.",
    ]
    return "\n\n".join(sections) + "\n"


def pictures(numbers: Mapping[str, Any], parts: Mapping[str, Part], path: Path) -> None:
    """Class shares by part, lengths of descriptions, and similarity of test reports to training reports."""
    figure, (shares, lengths, similarity) = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    categories = sorted({category for part in parts.values() for category in part.categories})
    width = 0.8 / len(parts)
    for number, (name, part) in enumerate(parts.items()):
        heights = [part.categories.get(category, 0) / part.reports for category in categories]
        shares.bar(np.arange(len(categories)) + (number - 1) * width, heights, width, label=name)
        lengths.hist(part.description_lengths, bins=30, density=True, histtype="step", label=name)
    if len(categories) <= 20:
        shares.set_xticks(range(len(categories)), categories)
    shares.set_title("share of reports by category", fontsize=10)
    shares.legend(frameon=False)
    lengths.set_title("length of the description, characters", fontsize=10)
    lengths.set_yticks([])
    for number, (name, title) in enumerate((("split", "this split"), ("naive", "any report anywhere"))):
        leak = numbers["leakage"][name]
        heights = np.array(leak["histogram"]) / leak["compared"]
        similarity.bar(np.arange(10) / 10 + 0.03 + 0.04 * number, heights, 0.04, label=title)
    similarity.set_title("test reports by similarity to the nearest training report", fontsize=10)
    similarity.legend(frameon=False)
    for panel in (shares, lengths, similarity):
        panel.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _share(count: int, of: int) -> str:
    return f"{count} ({count / of:.1%})" if of else "0"
