"""Domain metrics: a report's category, its conclusion, and the likelihood of held-out reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.cases import Case, Question, code_lengths, divergences, estimates, name
from anamnesis.evaluation.definitions import TASKS
from anamnesis.evaluation.harness import Measured, log_rows, run_task, settings_used
from anamnesis.evaluation.retrieval import Report, examples, that_fit, vote
from anamnesis.evaluation.scores import category_scores, corpus_scores, rouge_l
from anamnesis.evaluation.text_metrics import text_scores
from anamnesis.files import read_jsonl
from anamnesis.rendering import completion, parse_completion, prompt, terminated
from anamnesis.settings.evaluation import Evaluation, TextMetric
from anamnesis.settings.rendering import Headings


@dataclass(frozen=True)
class CategorySet:
    """The categories of a corpus: their label in metric keys, their names in order, and the critical ones."""

    label: str
    names: list[str]
    critical: list[str]


def evaluate_domain(
    arm: Arm,
    evaluation: Evaluation,
    headings: Headings,
    categories: CategorySet,
    reports: Path,
    split: str,
    found: Sequence[Sequence[Report]] | None = None,
) -> Evaluated | None:
    """Measure the arm on held-out reports.

    Metrics of the category given the description, 0 to 1: <label>_acc, <label>_macro_f1, and the recall of critical
    categories. Likelihoods: conclusion_bits_per_byte (category and conclusion given the description) and
    report_bits_per_byte (the whole report). Of generated conclusions: bleu and chrf, 0 to 100; rouge_l and
    category_agreement, 0 to 1; what `evaluation.text_metrics` asks for. Distance from the base: domain_kl_nats,
    KL(base || arm) per token of whole reports. Of a part, only the category and conclusion_bits_per_byte are measured.

    With retrieval, the model reads the same reports before the question on the category, before the conclusion that it
    is scored on, and before the one that it writes. report_bits_per_byte and domain_kl_nats are always of the report
    alone: no question is asked, so that they say the same of an arm with retrieval as without.

    Args:
        arm: the model.
        evaluation: what is measured, on how many reports.
        headings: the words around a report's fields.
        categories: the categories of the corpus.
        reports: the file of held-out reports.
        split: the part of the corpus that the file holds; the metrics name it.
        found: for each held-out report the training reports to read, the nearest first; None: no retrieval.

    Returns:
        None if another process returns the result.

    Raises:
        InputError: a report does not fit into the model's context.
    """
    metadata = _metadata(arm.lm, headings, categories, reports)
    held_out = read_jsonl(reports)
    _check_lengths(arm.lm, held_out, headings, evaluation.max_new_tokens)
    read: list[list[Report]] = []
    if found is not None:
        read = _with_room(arm.lm, found, held_out, headings, metadata["choices"], evaluation.max_new_tokens)
        metadata["examples"] = [examples(of_report, headings) for of_report in read]
    tasks = _ask(arm, evaluation, metadata)
    tokens = _tokens(arm.lm, held_out[: evaluation.likelihood_limit], headings)
    nats = None if arm.divergence is None or arm.part else arm.divergence(tokens)
    if not tasks:
        return None
    log = {task: one.questions[task] for task, one in tasks.items()}

    named = _named(log["report_category"], categories)
    cases = code_lengths("conclusion_bits_per_byte", "report_conclusion", log["report_conclusion"])
    of_corpus: dict[str, float] = {}
    if not arm.part:
        cases += code_lengths("report_bits_per_byte", "report_text", log["report_text"])
        generated, of_corpus = _generation(log["report_generation"], categories.names, evaluation.text_metrics)
        cases += generated
    if nats is not None:
        cases += divergences("domain_kl_nats", "reports", nats, tokens)
    metrics: dict[str, Any] = {**_category_metrics(named, categories), **estimates(cases), **of_corpus}
    metrics |= {
        "split": split,
        "reports": len(named),
        "generated": len(log.get("report_generation", [])),
        "harness": settings_used(arm.lm, list(tasks.values())),
    }
    if found is not None:
        metrics["reports_in_a_prompt"] = fmean(map(len, read))
    rows = [row for one in tasks.values() for row in log_rows(arm.name, one)]
    return Evaluated(metrics, rows, [*named, *cases])


def evaluate_other_domain(
    arm: Arm, evaluation: Evaluation, headings: Headings, categories: CategorySet, reports: Path
) -> Evaluated | None:
    """Measure the arm on the held-out reports of another domain than the main corpus: the category alone.

    Args, Returns and Raises: see `evaluate_domain`. The log names the domain by the label of its category.
    """
    _check_lengths(arm.lm, read_jsonl(reports), headings, max_new_tokens=0)
    task = run_task(
        arm.lm,
        "report_category",
        [TASKS / "domain"],
        _metadata(arm.lm, headings, categories, reports),
        evaluation.category_limit,
    )
    if task is None:
        return None
    named = _named(task.questions["report_category"], categories)
    metrics = {**_category_metrics(named, categories), f"{categories.label}_reports": len(named)}
    rows = [row | {"domain": categories.label} for row in log_rows(arm.name, task)]
    return Evaluated(metrics, rows, named)


def joined(corpus: Evaluated | None, others: Sequence[Evaluated | None]) -> Evaluated | None:
    """The measurements of one arm on the main corpus and on other domains; None if another process has them."""
    if corpus is None:
        return None
    found = [one for one in (corpus, *others) if one is not None]
    metrics = {key: value for one in found for key, value in one.metrics.items()}
    return Evaluated(metrics, [row for one in found for row in one.log], [case for one in found for case in one.cases])


def evaluate_vote(
    arm: str,
    found: Sequence[Sequence[Report]],
    held_out: Sequence[Report],
    evaluation: Evaluation,
    categories: CategorySet,
    split: str,
) -> Evaluated:
    """Measure what retrieval finds without a model: the category that most of a report's found reports have.

    The reports are those that an arm is asked the category of. The log has the numbers of the found reports.
    """
    asked = list(zip(held_out, found, strict=True))[: evaluation.category_limit]
    named, log = [], []
    for number, (report, of_report) in enumerate(asked):
        gold, predicted, case = report["category"], vote(of_report), name("report_category", {"doc_id": number})
        named.append(Case(categories.label, case, float(gold == predicted), gold=gold, predicted=predicted))
        retrieved = [one["report"] for one in of_report]
        log.append({"model": arm, "task": "report_category", "doc_id": number, "retrieved": retrieved})
    return Evaluated({**_category_metrics(named, categories), "split": split, "reports": len(named)}, log, named)


def _category_metrics(named: Sequence[Case], categories: CategorySet) -> dict[str, float]:
    scores = category_scores([case.gold for case in named], [case.predicted for case in named], categories.critical)
    return {f"{categories.label}_{key}": score for key, score in scores.items()}


def _metadata(lm: TemplateLM, headings: Headings, categories: CategorySet, reports: Path) -> dict[str, Any]:
    """What the documents of the tasks are made from."""
    return {
        "reports": str(reports),
        "headings": {"description": headings.description, "category": headings.category},
        "categories": categories.names,
        "choices": terminated(categories.names, lambda text: lm.tok_encode(text, add_special_tokens=False)),
    }


def _ask(arm: Arm, evaluation: Evaluation, metadata: Mapping[str, Any]) -> dict[str, Measured]:
    """Run the tasks on reports; empty if another process returns the measurements."""
    limits = {
        "report_category": evaluation.category_limit,
        "report_conclusion": evaluation.likelihood_limit,
    }
    if not arm.part:
        limits |= {"report_text": evaluation.likelihood_limit, "report_generation": evaluation.generation_limit}
    measured = {
        task: run_task(
            arm.lm,
            task,
            [TASKS / "domain"],
            metadata,
            limit,
            max_new_tokens=evaluation.max_new_tokens if task == "report_generation" else None,
        )
        for task, limit in limits.items()
    }
    return {task: one for task, one in measured.items() if one is not None}


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


def _with_room(
    lm: TemplateLM,
    found: Sequence[Sequence[Report]],
    held_out: Sequence[Report],
    headings: Headings,
    choices: Sequence[str],
    max_new_tokens: int,
) -> list[list[Report]]:
    """The found reports that the model can read before each question, with room for any answer after it.

    The room is the same for all reports: that of a report's own answer would tell the answer's length.
    """
    longest = max(max_new_tokens, *(len(lm.tok_encode(choice, add_special_tokens=False)) for choice in choices))
    questions = [prompt(report["description"], headings) for report in held_out]
    for question, report in zip(questions, held_out, strict=True):
        whole = lm.tok_encode(question + completion(report["category"], report["conclusion"]))
        longest = max(longest, len(whole) - len(lm.tok_encode(question)))
    return [
        that_fit(of_report, question, headings, lm.tok_encode, lm.max_length - longest)
        for of_report, question in zip(found, questions, strict=True)
    ]


def _tokens(lm: TemplateLM, reports: Sequence[dict[str, Any]], headings: Headings) -> list[list[int]]:
    """Whole reports, without any special token."""
    texts = (prompt(r["description"], headings) + completion(r["category"], r["conclusion"]) for r in reports)
    return [list(lm.tok_encode(text, add_special_tokens=False)) for text in texts]


def _named(questions: Sequence[Question], categories: CategorySet) -> list[Case]:
    """The most probable category of each report beside its own."""
    cases = []
    for question in questions:
        gold = categories.names[question["target"]]
        likelihoods = (answer[0] for answer in question["filtered_resps"])
        predicted = max(zip(likelihoods, categories.names, strict=True), key=lambda pair: pair[0])[1]
        case = name("report_category", question)
        cases.append(Case(categories.label, case, float(gold == predicted), gold=gold, predicted=predicted))
    return cases


def _generation(
    questions: Sequence[Question], categories: Sequence[str], metrics: Sequence[TextMetric]
) -> tuple[list[Case], dict[str, float]]:
    """Agreement of the generated category, and scores of the conclusion after it if the corpus has conclusions."""
    written = [parse_completion(question["filtered_resps"][0], categories) for question in questions]
    wanted = [parse_completion(question["target"], categories) for question in questions]
    names = [name("report_generation", question) for question in questions]
    cases = [
        Case("category_agreement", case, float(w[0] == r[0])) for case, w, r in zip(names, written, wanted, strict=True)
    ]
    if not any(conclusion for _, conclusion in wanted):
        return cases, {}
    references, texts = [text for _, text in wanted], [text for _, text in written]
    cases += [Case("rouge_l", case, score) for case, score in zip(names, rouge_l(references, texts), strict=True)]
    for measure, scores in text_scores(metrics, texts, references).items():
        cases += [Case(measure, case, score) for case, score in zip(names, scores, strict=True)]
    return cases, corpus_scores(references, texts)
