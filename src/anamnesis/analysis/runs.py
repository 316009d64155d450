"""Reads what the runs of an experiment saved besides their scores: training curves and generated conclusions.

The parameters name the runs. Files in the folder do not: some may belong to an earlier experiment.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anamnesis.analysis.report import Example
from anamnesis.files import read_jsonl


def load_curves(curves: Path, methods: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    """All training curves, with columns step, method, seed, quantity, value; a method that trains nothing has none."""
    parts = []
    for method in methods:
        for seed in seeds:
            for file in sorted((curves / f"{method}-{seed}" / "plots" / "metrics").glob("*.tsv")):
                part = pd.read_csv(file, sep="\t")
                parts.append(
                    pd.DataFrame(
                        {
                            "step": part["step"],
                            "method": method,
                            "seed": seed,
                            "quantity": file.stem,
                            "value": part[file.stem],
                        }
                    )
                )
    columns = ["step", "method", "seed", "quantity", "value"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def load_examples(logs: Path, methods: Sequence[str], seed: int, count: int) -> list[Example]:
    """The first conclusions that were generated, each with its reference. Never call it for a real corpus.

    Args:
        logs: the folder with the domain logs.
        methods: whose conclusions.
        seed: of which training.
        count: how many reports, spread over the log.
    """
    written: dict[str, list[str]] = {}
    references: list[str] = []
    for method in methods:
        rows = read_jsonl(logs / f"{method}-{seed}.jsonl")
        rows = [row for row in rows if row["task"] == "report_generation" and row["model"] == method]
        references = [row["target"] for row in rows]
        written[method] = [row["responses"][0] for row in rows]
    every = max(1, len(references) // count)
    return [
        Example(references[at].strip(), {method: texts[at].strip() for method, texts in written.items()})
        for at in range(0, len(references), every)
    ][:count]
