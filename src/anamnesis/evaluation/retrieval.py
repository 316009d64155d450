"""Retrieval: before a question on a held-out report, a model reads the training reports that are most like it.

After retrieval-augmented generation (Lewis et al. 2020, arXiv:2005.11401), with an index of words: descriptions are
vectors of words and pairs of words (TF-IDF with sublinear counts), and similarity is their cosine. Everything here is
exact and deterministic. Prompts are reports: they stay in memory, and no log has them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from anamnesis.errors import InputError
from anamnesis.rendering import completion, prompt
from anamnesis.settings.rendering import Headings

Report = Mapping[str, Any]


def nearest(training: Sequence[Report], held_out: Sequence[Report], count: int) -> list[list[Report]]:
    """For each held-out report, the `count` training reports whose descriptions are most similar, the nearest first.

    Of equally similar reports, the one that comes first in the training part is nearer.

    Raises:
        InputError: a patient has reports in both parts.
    """
    _check_apart(training, held_out)
    # A pair of words carries what a word does not: "no atypia", "marked atypia".
    words = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), sublinear_tf=True)
    index = words.fit_transform(report["description"] for report in training)
    asked = words.transform(report["description"] for report in held_out)
    found = []
    for question in asked:
        similarity = (index @ question.T).toarray()[:, 0]
        order = np.argsort(-similarity, kind="stable")[:count]
        found.append([training[row] for row in order])
    return found


def _check_apart(training: Sequence[Report], held_out: Sequence[Report]) -> None:
    """The stage `corpus` splits by patient. A report of the same patient would tell the answer."""
    both = {report["patient"] for report in training} & {report["patient"] for report in held_out}
    if both:
        raise InputError(
            f"the training part and the held-out reports share patients ({len(both)}), so that a report could be "
            f"answered from another one of its patient: run `dvc repro -f corpus`."
        )


def that_fit(
    found: Sequence[Report], question: str, headings: Headings, encode: Callable[[str], Sequence[int]], room: int
) -> list[Report]:
    """Of the found reports, the nearest ones with which the prompt has at most `room` tokens; no report is cut."""
    for count in range(len(found), 0, -1):
        if len(encode(examples(found[:count], headings) + question)) <= room:
            return list(found[:count])
    return []


def examples(found: Sequence[Report], headings: Headings) -> str:
    """What precedes the question: whole reports as training writes them, the nearest last, a blank line after each."""
    whole = (
        prompt(report["description"], headings) + completion(report["category"], report["conclusion"])
        for report in reversed(found)
    )
    return "".join(f"{report}\n\n" for report in whole)


def vote(found: Sequence[Report]) -> str:
    """The category that most of the found reports have; of several, the one whose first report is nearest."""
    return str(Counter(report["category"] for report in found).most_common(1)[0][0])
