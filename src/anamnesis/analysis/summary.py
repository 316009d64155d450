"""From the measurements of single runs to one flat summary: mean, spread and number of seeds for every arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, stdev

BASE = "base"
SUFFIX_STD = "_std"

Runs = Mapping[str, Mapping[int, Mapping[str, float]]]
Summary = dict[str, dict[str, float | int]]


@dataclass(frozen=True)
class Quantity:
    """A number in the summary: its key, its title in tables, whether the first table shows it, and its decimals."""

    key: str
    title: str
    first: bool = False
    decimals: int = 3


def quantities(label: str) -> list[Quantity]:
    """The numbers of an experiment whose category is called `label`, in the order of the tables."""
    return [
        Quantity("mmlu_acc", "exam accuracy", first=True),
        Quantity("forgetting", "forgetting", first=True),
        Quantity("general_bits_per_byte", "general text, bits per byte"),
        Quantity("mmlu_medical_acc", "MMLU medical"),
        Quantity("mmlu_other_acc", "MMLU other"),
        Quantity(f"{label}_macro_f1", "macro-F1", first=True),
        Quantity("adaptation", "adaptation", first=True),
        Quantity(f"{label}_acc", "accuracy"),
        Quantity(f"{label}_recall_critical", "recall of critical"),
        Quantity("conclusion_bits_per_byte", "conclusion, bits per byte"),
        Quantity("report_bits_per_byte", "report, bits per byte"),
        Quantity("category_agreement", "generated category"),
        Quantity("bleu", "BLEU", decimals=1),
        Quantity("chrf", "chrF", decimals=1),
        Quantity("rouge_l", "ROUGE-L"),
    ]


def compare_with_base(runs: Runs, base: Mapping[str, float], label: str) -> dict[str, dict[int, dict[str, float]]]:
    """Each run's numbers, plus the two axes of the question.

    forgetting = the base's accuracy on the exam (or MMLU) - the run's: what fine-tuning cost.
    adaptation = the run's macro-F1 on held-out reports - the base's: what fine-tuning gained.
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

    With a single seed there is no standard deviation, and `key`_std is left out.
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
