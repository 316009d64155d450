"""The documents of the harness's tasks, built in memory from the prepared data.

The harness calls these with a task's metadata. Nothing goes through the datasets library's cache on disk: a
report's text may be a patient's and stays under data/.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset, DatasetDict

from anamnesis.errors import InputError
from anamnesis.files import read_jsonl
from anamnesis.rendering import completion, prompt
from anamnesis.settings.rendering import Headings

CHOICE_COLUMNS = ["choice0", "choice1", "choice2", "choice3"]


def exam(*, exam: str, subject: str, **_: Any) -> DatasetDict:
    """One subject of the exam over the facts: question, choices, answer."""
    rows = [row for row in read_jsonl(Path(exam)) if row["subject"] == subject]
    return DatasetDict(test=Dataset.from_list(rows))


def general_text(*, general_text: str, **_: Any) -> DatasetDict:
    """Held-out general text: text."""
    return DatasetDict(test=Dataset.from_list(read_jsonl(Path(general_text))))


def reports(
    *, reports: str, headings: dict[str, str], categories: list[str], choices: list[str], **_: Any
) -> DatasetDict:
    """Held-out reports: prompt, completion, their concatenation text, choices, and category as an index into them."""
    words = Headings(**headings)
    rows = []
    for report in read_jsonl(Path(reports)):
        asked = prompt(report["description"], words)
        answer = completion(report["category"], report["conclusion"])
        rows.append(
            {
                "report": report["report"],
                "prompt": asked,
                "completion": answer,
                "text": asked + answer,
                "choices": choices,
                "category": categories.index(report["category"]),
            }
        )
    return DatasetDict(test=Dataset.from_list(rows))


def mmlu(*, folder: str, subject: str, **_: Any) -> DatasetDict:
    """One subject of the real MMLU from a folder of CSV files, as the hub's cais/mmlu has it."""
    return DatasetDict(
        {
            split: Dataset.from_list(read_mmlu_csv(Path(folder) / split / f"{subject}_{split}.csv", subject))
            for split in ("dev", "test")
        }
    )


def read_mmlu_csv(path: Path, subject: str) -> list[dict[str, Any]]:
    """Rows of an MMLU file: with the header question, choice0..3, answer 0..3, or as first published, without a
    header and with the answer as a letter (github.com/hendrycks/test).

    Raises:
        InputError: the file is missing or is neither.
    """
    if not path.is_file():
        raise InputError(
            f"`evaluation.mmlu`: there is no file {path}; the folder must hold dev/ and test/ of all subjects."
        )
    # "None" and "NA" are answers.
    table = pd.read_csv(path, dtype=str, keep_default_na=False, header=None)
    if table.shape[1] == 6 and table.iloc[0].tolist() == ["question", *CHOICE_COLUMNS, "answer"]:
        table, letters = table.iloc[1:], "0123"
    else:
        letters = "ABCD"
    if table.shape[1] != 6 or not table[5].isin(list(letters)).all():
        raise InputError(
            f"`evaluation.mmlu`: {path} is not an MMLU file; give columns question, four choices, answer (0-3 under "
            f"a header, or A-D without one)."
        )
    return [
        {"question": row[0], "subject": subject, "choices": list(row[1:5]), "answer": letters.index(row[5])}
        for row in table.itertuples(index=False, name=None)
    ]


def nothing(_: Mapping[str, Any]) -> str:
    """The empty context of a task that scores a text as a whole."""
    return ""
