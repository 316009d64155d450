"""Domain metrics: a report's category, its conclusion, and the likelihood of held-out reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.harness import TASKS, log_rows, run_task, settings_used
from anamnesis.evaluation.scores import bits_per_byte, category_scores, text_scores
from anamnesis.files import read_jsonl
from anamnesis.rendering import completion, parse_completion, prompt, terminated
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.rendering import Headings


@dataclass(frozen=True)
class CategorySet:
    """The categories of a corpus: their label in metric keys, their names in order, and the critical ones."""

    label: str
    names: list[str]
    critical: list[str]


def evaluate_domain(
    lm: TemplateLM, name: str, evaluation: Evaluation, headings: Headings, categories: CategorySet, reports: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Measure the active model on held-out reports.

    Metrics of the category given the description, 0 to 1: <label>_acc, <label>_macro_f1, and the recall of critical
    categories. Likelihoods: conclusion_bits_per_byte (category and conclusion given the description) and
    report_bits_per_byte (the whole report). Of generated conclusions: bleu and chrf, 0 to 100; rouge_l and
    category_agreement, 0 to 1.

    Returns:
        The metrics and the per-question log; None if another process returns them.

    Raises:
        InputError: a report does not fit into the model's context.
    """
    metadata = {
        "reports": str(reports),
        "headings": {"description": headings.description, "category": headings.category},
        "categories": categories.names,
        "choices": terminated(categories.names, lambda text: lm.tok_encode(text, add_special_tokens=False)),
    }
    _check_lengths(lm, read_jsonl(reports), headings, evaluation.max_new_tokens)
    limits = {
        "report_category": evaluation.category_limit,
        "report_conclusion": evaluation.likelihood_limit,
        "report_text": evaluation.likelihood_limit,
        "report_generation": evaluation.generation_limit,
    }
    measured = {
        task: run_task(
            lm,
            task,
            [TASKS / "domain"],
            metadata,
            limit,
            max_new_tokens=evaluation.max_new_tokens if task == "report_generation" else None,
        )
        for task, limit in limits.items()
    }
    tasks = {task: one for task, one in measured.items() if one is not None}
    if not tasks:
        return None
    log = {task: one.questions[task] for task, one in tasks.items()}

    gold = [categories.names[question["target"]] for question in log["report_category"]]
    predicted = [_most_probable(question["filtered_resps"], categories.names) for question in log["report_category"]]
    scores = category_scores(gold, predicted, categories.critical)
    metrics: dict[str, Any] = {f"{categories.label}_{name}": score for name, score in scores.items()}
    metrics["conclusion_bits_per_byte"] = bits_per_byte(
        [question["filtered_resps"][0][0] for question in log["report_conclusion"]],
        [question["target"] for question in log["report_conclusion"]],
    )
    metrics["report_bits_per_byte"] = tasks["report_text"].results["report_text"]["bits_per_byte,none"]
    metrics |= _generation_scores(log["report_generation"], categories.names)
    metrics |= {
        "reports": len(gold),
        "generated": len(log["report_generation"]),
        "harness": settings_used(lm, list(tasks.values())),
    }
    return metrics, [row for one in tasks.values() for row in log_rows(name, one)]


def _check_lengths(lm: TemplateLM, reports: Sequence[dict[str, Any]], headings: Headings, max_new_tokens: int) -> None:
    """The harness would cut a prompt that is too long from the left, without a message."""
    longest = 0
    for report in reports:
        asked = prompt(report["description"], headings)
        answer = completion(report["category"], report["conclusion"])
        longest = max(longest, len(lm.tok_encode(asked + answer)), len(lm.tok_encode(asked)) + max_new_tokens)
    if longest > lm.max_length:
        raise InputError(
            f"held-out reports need up to {longest} tokens and the model takes {lm.max_length}: remove long reports "
            f"from the corpus, lower `evaluation.max_new_tokens`, or choose a model with a longer context."
        )


def _most_probable(responses: Sequence[tuple[float, bool]], categories: Sequence[str]) -> str:
    return max(zip(responses, categories, strict=True), key=lambda pair: pair[0][0])[1]


def _generation_scores(questions: Sequence[dict[str, Any]], categories: Sequence[str]) -> dict[str, float]:
    """Agreement of the generated category, and text scores of the conclusion after it if the corpus has conclusions."""
    written = [parse_completion(question["filtered_resps"][0], categories) for question in questions]
    wanted = [parse_completion(question["target"], categories) for question in questions]
    agreement = [w[0] == r[0] for w, r in zip(written, wanted, strict=True)]
    scores = {"category_agreement": sum(agreement) / len(agreement)}
    if any(conclusion for _, conclusion in wanted):
        scores |= text_scores([text for _, text in wanted], [text for _, text in written])
    return scores
