"""From the measurements of single runs to one flat summary: mean, spread and number of seeds of every arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, stdev

BASE = "base"
SUFFIX_STD = "_std"

Runs = Mapping[str, Mapping[int, Mapping[str, float]]]
Summary = dict[str, dict[str, float | int]]


@dataclass(frozen=True)
class Quantity:
    """A number of the summary: its key, its title in tables, whether it stands in the first table, its decimals."""

    key: str
    title: str
    first: bool = False
    decimals: int = 3


def quantities(label: str) -> list[Quantity]:
    """The numbers of an experiment whose categories are called `label`, in the order of the tables."""
    return [
        Quantity("mmlu_acc", "exam accuracy", first=True),
        Quantity("forgetting", "forgetting", first=True),
        Quantity("general_bits_per_byte", "general text, bits per byte", first=True),
        Quantity("mmlu_medical_acc", "MMLU medical"),
        Quantity("mmlu_other_acc", "MMLU other"),
        Quantity(f"{label}_macro_f1", "macro-F1", first=True),
        Quantity("adaptation", "adaptation", first=True),
        Quantity(f"{label}_acc", "accuracy"),
        Quantity(f"{label}_recall_critical", "recall of critical"),
        Quantity("conclusion_bits_per_byte", "conclusion, bits per byte", first=True),
        Quantity("report_bits_per_byte", "report, bits per byte", first=True),
        Quantity("category_agreement", "generated category"),
        Quantity("bleu", "BLEU", decimals=1),
        Quantity("chrf", "chrF", decimals=1),
        Quantity("rouge_l", "ROUGE-L"),
    ]


def compare_with_base(runs: Runs, base: Mapping[str, float], label: str) -> dict[str, dict[int, dict[str, float]]]:
    """Each run's numbers, with the two axes of the question added.

    forgetting = accuracy of the base on the exam (or MMLU) - that of the run: what the fine-tuning cost.
    adaptation = macro-F1 of the run on held-out reports - that of the base: what it brought.
    """
    score = f"{label}_macro_f1"
    keys = {quantity.key for quantity in quantities(label)}
    return {
        arm: {
            seed: {key: value for key, value in run.items() if key in keys}
            | {"forgetting": base["mmlu_acc"] - run["mmlu_acc"], "adaptation": run[score] - base[score]}
            for seed, run in seeds.items()
        }
        for arm, seeds in runs.items()
    }


def summarize(compared: Runs, base: Mapping[str, float], label: str) -> Summary:
    """For the base and every arm, `key` (the mean over seeds), `key`_std (sample standard deviation) and `seeds` (n).

    The standard deviation of a single seed does not exist and is left out.
    """
    keys = [quantity.key for quantity in quantities(label)]
    summary: Summary = {BASE: {key: base[key] for key in keys if key in base}}
    for arm, seeds in compared.items():
        runs = list(seeds.values())
        summary[arm] = {"seeds": len(runs)}
        for key in keys:
            if key not in runs[0]:
                continue
            values = [run[key] for run in runs]
            summary[arm][key] = mean(values)
            if len(values) > 1:
                summary[arm][key + SUFFIX_STD] = stdev(values)
    return summary
