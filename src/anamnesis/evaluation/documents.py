"""The documents of the harness's tasks, built in memory from the prepared data.

The harness calls these functions with a task's metadata. They bypass the disk cache of the datasets library: a
report may contain a patient's text, which must stay under data/.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset, DatasetDict

from anamnesis.errors import InputError
from anamnesis.evaluation.leak import prompts
from anamnesis.files import read_jsonl
from anamnesis.rendering import completion, prompt
from anamnesis.settings.rendering import Headings

CHOICE_COLUMNS = ["choice0", "choice1", "choice2", "choice3"]


def exam(*, exam: str, subject: str, language: str | None = None, **_: Any) -> DatasetDict:
    """One subject of an exam on the facts: question, choices, answer. Without a language, that of the mixed exam."""
    rows = [
        row
        for row in read_jsonl(Path(exam))
        if row["subject"] == subject and (row["mixed"] if language is None else row["language"] == language)
    ]
    return DatasetDict(test=Dataset.from_list(rows))


def general_text(*, general_text: str, kind: str, **_: Any) -> DatasetDict:
    """Held-out general texts of one kind, each in the column `text`."""
    rows = [row for row in read_jsonl(Path(general_text)) if row["kind"] == kind]
    return DatasetDict(test=Dataset.from_list(rows))


def general_prompts(**_: Any) -> DatasetDict:
    """Prompts that have nothing to do with reports, each with its kind and language."""
    return DatasetDict(test=Dataset.from_list(prompts()))


def reports(
    *,
    reports: str,
    headings: dict[str, str],
    categories: list[str],
    choices: list[str],
    examples: list[str] | None = None,
    **_: Any,
) -> DatasetDict:
    """Held-out reports: prompt, completion, text (both together), choices, and the category's index in the choices.

    `examples` is what precedes each report's own prompt, but not its text.
    """
    words = Headings(**headings)
    rows = []
    held_out = read_jsonl(Path(reports))
    for report, before in zip(held_out, examples or [""] * len(held_out), strict=True):
        asked = prompt(report["description"], words)
        answer = completion(report["category"], report["conclusion"])
        rows.append(
            {
                "report": report["report"],
                "prompt": before + asked,
                "completion": answer,
                "text": asked + answer,
                "choices": choices,
                "category": categories.index(report["category"]),
            }
        )
    return DatasetDict(test=Dataset.from_list(rows))


def mmlu(*, folder: str, subject: str, **_: Any) -> DatasetDict:
    """One subject of the real MMLU from a folder of CSV files, in the form of cais/mmlu on the hub."""
    return DatasetDict(
        {
            split: Dataset.from_list(read_mmlu_csv(Path(folder) / split / f"{subject}_{split}.csv", subject))
            for split in ("dev", "test")
        }
    )


def read_mmlu_csv(path: Path, subject: str) -> list[dict[str, Any]]:
    """Read an MMLU file in either of two layouts.

    One has the header question, choice0, ..., choice3, answer and answers 0 to 3. The other is the layout of the first
    release (github.com/hendrycks/test): no header, and answers A to D.

    Raises:
        InputError: the file is missing or has neither layout.
    """
    if not path.is_file():
        raise InputError(
            f"`evaluation.tasks`: there is no file {path}; a folder of MMLU must have dev/ and test/ of all subjects."
        )
    # "None" and "NA" are valid answers.
    table = pd.read_csv(path, dtype=str, keep_default_na=False, header=None)
    if table.shape[1] == 6 and table.iloc[0].tolist() == ["question", *CHOICE_COLUMNS, "answer"]:
        table, letters = table.iloc[1:], "0123"
    else:
        letters = "ABCD"
    if table.shape[1] != 6 or not table[5].isin(list(letters)).all():
        raise InputError(
            f"`evaluation.tasks`: {path} is not an MMLU file; its columns must be question, four choices, and answer "
            f"(0-3 with a header row, A-D without one)."
        )
    return [
        {"question": row[0], "subject": subject, "choices": list(row[1:5]), "answer": letters.index(row[5])}
        for row in table.itertuples(index=False, name=None)
    ]


def nothing(_: Mapping[str, Any]) -> str:
    """The empty context, for a task that scores a whole text."""
    return ""
