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
        Quantity("exam_acc", "exam accuracy", first=True),
        Quantity("mmlu_acc", "exam accuracy", first=True),
        Quantity("forgetting", "forgetting", first=True),
        Quantity("facts_text_bits_per_byte", "facts, bits per byte"),
        Quantity("clinical_text_bits_per_byte", "clinical prose, bits per byte"),
        Quantity("cytology_text_bits_per_byte", "near-domain cytology, bits per byte"),
        Quantity("base_text_kl_nats", "KL on the base's text, nats per token"),
        Quantity("template_leak", "template leak"),
        Quantity("mmlu_medical_acc", "MMLU medical"),
        Quantity("mmlu_other_acc", "MMLU other"),
        Quantity(f"{label}_macro_f1", "macro-F1", first=True),
        Quantity("adaptation", "adaptation", first=True),
        Quantity(f"{label}_acc", "accuracy"),
        Quantity(f"{label}_recall_critical", "recall of critical"),
        Quantity("conclusion_bits_per_byte", "conclusion, bits per byte"),
        Quantity("report_bits_per_byte", "report, bits per byte"),
        Quantity("domain_kl_nats", "KL on reports, nats per token"),
        Quantity("category_agreement", "generated category"),
        Quantity("bleu", "BLEU", decimals=1),
        Quantity("chrf", "chrF", decimals=1),
        Quantity("rouge_l", "ROUGE-L"),
    ]


def exam_key(base: Mapping[str, float]) -> str:
    """The accuracy that forgetting is the loss of: on the exam on the facts, or on MMLU."""
    return "exam_acc" if "exam_acc" in base else "mmlu_acc"


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
            | {"forgetting": base[exam_key(base)] - run[exam_key(base)], "adaptation": run[score] - base[score]}
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
