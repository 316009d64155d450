"""The data card: what went in, what happened to it, and how far the parts can be trusted. Numbers only, no text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from anamnesis.corpus.deidentification import FOUND_BY, PLACEHOLDERS
from anamnesis.corpus.intake import Account
from anamnesis.corpus.refusals import Notice, Refusal
from anamnesis.corpus.scrutiny import TELLING_PRECISION, TELLING_RECALL, Leakage
from anamnesis.figures import COLOURS, frame
from anamnesis.markdown import table

MEANINGS = {
    "coded_text": "RTF, base64, quoted-printable, percent, \\u, \\x and octal escapes, hexadecimal digits",
    "wrong_encoding": "text that was decoded in another encoding than its own",
    "html_entities": "HTML entities and tags",
    "unicode_form": "composed characters (NFC), and Roman numerals written as letters",
    "line_ends": "line ends, and words hyphenated across them",
    "control_characters": "invisible characters",
    "homoglyphs": "Latin letters in Cyrillic words, and the reverse",
    "white_space": "white space",
    "boilerplate": "sentences shared by most reports of every category",
    "category_in_description": "the category's number, removed from the description",
    "category_in_conclusion": "the category's number, removed from the conclusion",
}


@dataclass(frozen=True)
class Part:
    """One part of the split: reports by category, and the lengths of descriptions and conclusions in characters."""

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
    """All numbers of the card, as data/prepared/account.json holds them."""
    sizes = Counter(clusters.tolist())
    return {
        "fingerprint": account.fingerprint,
        "rows_in": account.rows_in,
        **{name: part.reports for name, part in parts.items()},
        "duplicates": account.duplicates,
        "quarantined": account.quarantined,
        "refused": dict(sorted(account.refused.items())),
        "noticed": {notice.value: account.noticed[notice] for notice in Notice if account.noticed[notice]},
        "changed": dict(sorted(account.changed.items())),
        "identifiers": dict(sorted(account.identifiers.items())),
        "names": {"engine": account.engine, **{by: account.names_by[by] for by in FOUND_BY}},
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
        "shortcuts": {
            # NaN where the classifier could not be trained; JSON has no NaN.
            "bag_of_words_macro_f1": None if isnan(bag_of_words) else bag_of_words,
            "telling_words": len(telling),
        },
    }


def _quantiles(lengths: npt.NDArray[np.int64]) -> dict[str, int]:
    return {f"p{q}": int(np.percentile(lengths, q)) for q in (5, 50, 95)} | {"max": int(lengths.max())}


def card(
    numbers: Mapping[str, Any], picture: str, criteria: Mapping[str, tuple[str, str]], reading: str | None = None
) -> str:
    """The card as Markdown.

    Args:
        numbers: the account.
        picture: the name of the image file beside the card.
        criteria: name and criterion by category, if the category system defines them.
        reading: what is known from reading a sample, if one can be drawn.
    """
    parts = list(numbers["by_category"])
    rows_in = numbers["rows_in"]
    kept = sum(numbers[part] for part in parts)
    near = numbers["near_duplicates"]
    split, naive = numbers["leakage"]["split"], numbers["leakage"]["naive"]
    sections = [
        "# The corpus",
        "Written by the stage `corpus`. Lengths are in characters. Similarity is the share of word triples that two "
        "descriptions have in common (Jaccard); it is 1 for identical texts.",
        "## Rows",
        table(
            ["", "rows", "share"],
            [
                ["in the export", rows_in, ""],
                *([part, numbers[part], f"{numbers[part] / rows_in:.1%}"] for part in parts),
                ["exact duplicates, dropped", numbers["duplicates"], f"{numbers['duplicates'] / rows_in:.1%}"],
                ["refused, in quarantine", numbers["quarantined"], f"{numbers['quarantined'] / rows_in:.1%}"],
            ],
        ),
        f"{rows_in} = {' + '.join(str(numbers[part]) for part in parts)} + {numbers['duplicates']} + "
        f"{numbers['quarantined']}; the stage checks this sum.",
    ]
    if "canaries" in numbers:
        sections.append(_canaries(**numbers["canaries"]))
    if numbers["refused"]:
        meanings = {refusal.value: refusal.meaning for refusal in Refusal}
        rows = [[f"`{code}`", meanings[code], count] for code, count in numbers["refused"].items()]
        sections += ["Why rows were refused:", table(["code", "", "rows"], rows)]
    if numbers["noticed"]:
        meanings = {notice.value: notice.meaning for notice in Notice}
        rows = [[f"`{code}`", meanings[code], count] for code, count in numbers["noticed"].items()]
        sections += ["## How the files are written", table(["", "", "times"], rows)]
    sections += [
        "## What was changed",
        table(["rule", "", "reports"], [[f"`{c}`", MEANINGS[c], n] for c, n in numbers["changed"].items()])
        if numbers["changed"]
        else "Nothing.",
        "## Identifiers replaced",
        table(["", "", "times"], [[PLACEHOLDERS[kind], kind, n] for kind, n in numbers["identifiers"].items()])
        if numbers["identifiers"]
        else "None.",
        *([_engines(**numbers["names"])] if numbers["names"]["engine"] else []),
        *(["## Identifiers left", reading] if reading else []),
        "## Categories",
        table(
            ["", *parts],
            [
                [category, *(_share(numbers["by_category"][part].get(category, 0), numbers[part]) for part in parts)]
                for category in sorted({c for part in parts for c in numbers["by_category"][part]})
            ],
        ),
        *(
            [
                "Criteria of the Bethesda System (Ali et al., Thyroid 2023;33:1039-1044):",
                table(["", "", "criterion"], [[category, *said] for category, said in criteria.items()]),
            ]
            if criteria
            else []
        ),
        "## Lengths",
        table(
            ["", "5 %", "median", "95 %", "longest"],
            [
                [f"{part}, {field}", *numbers["lengths"][part][field].values()]
                for part in parts
                for field in ("description", "conclusion")
            ],
        ),
        f"![]({picture})",
        "## What stays together",
        f"There are {kept} reports of {numbers['patients']} patients. {near['reports']} reports "
        f"({near['reports'] / kept:.1%}) have a near duplicate (similarity of at least {near['similarity']:g}), in "
        f"{near['clusters']} clusters. Patients and clusters form {numbers['groups']} groups that are never split; "
        f"the largest has {numbers['largest_group']} reports.",
        "## Leakage",
        table(
            ["each test report against its nearest training report", "this split", "random split"],
            [
                ["highest similarity", f"{split['highest']:.3f}", f"{naive['highest']:.3f}"],
                ["median similarity", f"{split['median']:.3f}", f"{naive['median']:.3f}"],
                [f"share at {near['similarity']:g} or above", f"{split['above']:.1%}", f"{naive['above']:.1%}"],
                ["test reports compared", split["compared"], naive["compared"]],
            ],
        ),
        "The random split has the same sizes and no exact duplicates.",
        "## Shortcuts",
        _shortcuts(**numbers["shortcuts"]),
    ]
    return "\n\n".join(sections) + "\n"


def picture(numbers: Mapping[str, Any], parts: Mapping[str, Part]) -> Figure:
    """Category shares by part, lengths of descriptions, and similarity of test reports to training reports."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    shares, lengths, similarity = figure.subplots(1, 3)
    categories = sorted({category for part in parts.values() for category in part.categories})
    width = 0.8 / len(parts)
    for number, (name, part) in enumerate(parts.items()):
        heights = [part.categories.get(category, 0) / part.reports for category in categories]
        places = np.arange(len(categories)) + (number - 1) * width
        shares.bar(places, heights, width, label=name, color=COLOURS[number])
        lengths.hist(
            part.description_lengths, bins=30, density=True, histtype="step", label=name, color=COLOURS[number]
        )
    if len(categories) <= 20:
        shares.set_xticks(range(len(categories)), categories)
    frame(shares, "share of reports by category")
    shares.legend(frameon=False)
    frame(lengths, "length of the description, characters")
    lengths.set_yticks([])
    for number, (name, title) in enumerate((("split", "this split"), ("naive", "random split"))):
        leak = numbers["leakage"][name]
        heights = np.array(leak["histogram"]) / leak["compared"]
        places = np.arange(10) / 10 + 0.03 + 0.04 * number
        similarity.bar(places, heights, 0.04, label=title, color=COLOURS[number])
    frame(similarity, "test reports by similarity to the nearest training report")
    similarity.legend(frameon=False)
    return figure


def _shortcuts(bag_of_words_macro_f1: float | None, telling_words: int) -> str:
    classifier = "A linear classifier over the words of the description, ignoring their order,"
    if bag_of_words_macro_f1 is None:
        reached = f"{classifier} could not be trained: the training part has a single category."
    else:
        reached = f"{classifier} reaches a macro-F1 of {bag_of_words_macro_f1:.3f} on the test part."
    return (
        f"{reached} Words that alone predict a category, with a precision above {TELLING_PRECISION:g} at a recall "
        f"above {TELLING_RECALL:g}: {telling_words}."
    )


def _canaries(planted: Mapping[str, int], held_out: int, rows: int) -> str:
    said = ", ".join(f"{count} canaries {repeats} times" for repeats, count in planted.items())
    return (
        f"Into the training part, {rows} rows were planted beside these: {said} (`leakage` in params.yaml). They are "
        f"invented reports with a secret number; {held_out} more are held out. No number on this card counts them."
    )


def _engines(engine: str, rules: int, tagger: int, both: int) -> str:
    ran = "The rules and the tagger ran" if engine == "rules_and_tagger" else "The rules ran, without the tagger"
    return (
        f"{ran} (`corpus.deidentification.engine: {engine}`). Of {rules + tagger + both} names, the rules alone found "
        f"{rules}, the tagger alone {tagger}, both {both}."
    )


def _share(count: int, of: int) -> str:
    return f"{count} ({count / of:.1%})" if of else "0"
