"""How far an exported model is from the one that was evaluated.

The exported model is loaded from its folder as anyone loads it, and is called only by transformers and by the harness's
own class for such models. So the measurement sees what a user gets: rounded weights, another base, a merge that lost
the update, another tokenizer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import GENERATION_CONFIG_NAME

from anamnesis.compute import device_of_this_process
from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.backends.stock import StockLM
from anamnesis.evaluation.cases import estimates
from anamnesis.evaluation.domain import CategorySet, evaluate_domain
from anamnesis.evaluation.general import KINDS
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.questions import ask
from anamnesis.files import read_jsonl
from anamnesis.modeling.student.student import Student
from anamnesis.rendering import completion, prompt
from anamnesis.settings.compute import Compute
from anamnesis.settings.evaluation import EXAMS, Evaluation
from anamnesis.settings.export import Export
from anamnesis.settings.rendering import Headings

# Reports of which both models write the conclusion.
ANSWERS = 16
# Positions whose logits are in memory at a time.
POSITIONS = 128


@dataclass(frozen=True)
class Asked:
    """What both models are asked: held-out reports and general text, the exams, and how many of each."""

    evaluation: Evaluation
    headings: Headings
    categories: CategorySet
    reports: Path
    general_text: Path
    exam: Path


@dataclass(frozen=True)
class Exported:
    """An exported model as it was loaded. `generation` replaces its own settings, None keeps them."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    generation: GenerationConfig | None = None


@dataclass(frozen=True)
class Fidelity:
    """What was measured of an exported model against the evaluated one.

    Attributes:
        domain_kl_nats: KL(evaluated || exported) per token of held-out reports.
        general_kl_nats: the same on held-out general text.
        category_agreement: share of held-out reports of which both name the same category.
        same_answers: share of reports of which both write the same conclusion, each up to its own end.
        exams: the accuracy of the evaluated and of the exported model, by exam.
        reports, texts, categories, answers: how many of each were measured.
    """

    domain_kl_nats: float
    general_kl_nats: float
    category_agreement: float
    same_answers: float
    exams: dict[str, tuple[float, float]]
    reports: int
    texts: int
    categories: int
    answers: int

    def sentences(self) -> list[str]:
        """The numbers in words."""
        return [
            f"KL(evaluated || exported) {self.domain_kl_nats:.2g} nats per token on {self.reports} reports",
            f"KL(evaluated || exported) {self.general_kl_nats:.2g} nats per token on {self.texts} general texts",
            f"the same category in {self.category_agreement:.3f} of {self.categories} reports",
            f"the same conclusion in {self.same_answers:.3f} of {self.answers} reports",
            *(f"{exam} {after:.3f}, evaluated {before:.3f}" for exam, (before, after) in self.exams.items()),
        ]


def shortfalls(found: Fidelity, bounds: Export) -> list[str]:
    """The bounds that are not kept, each with the number; empty if the export may be used."""
    kls = {"reports": found.domain_kl_nats, "general text": found.general_kl_nats}
    broken = [
        f"KL(evaluated || exported) on {kind} is {kl:.3g} nats per token, at most {bounds.max_kl_nats:g} is allowed "
        f"(export.max_kl_nats)"
        for kind, kl in kls.items()
        if not kl <= bounds.max_kl_nats
    ]
    if found.category_agreement < bounds.min_agreement:
        broken.append(
            f"the category is the same in {found.category_agreement:.3f} of the reports, at least "
            f"{bounds.min_agreement:g} is asked (export.min_agreement)"
        )
    for exam, (before, after) in found.exams.items():
        if abs(after - before) > bounds.max_exam_change:
            broken.append(
                f"{exam} is {after:.3f} and was {before:.3f}, at most {bounds.max_exam_change:g} apart is allowed "
                f"(export.max_exam_change)"
            )
    return broken


def load_exported(folder: Path, base: Path, compute: Compute) -> Exported:
    """Load a folder by transformers alone, or an adapter on the base in the folder `base` by PEFT.

    Raises:
        InputError: it cannot be loaded.
    """
    has_adapter = (folder / "adapter_config.json").is_file()
    try:
        model: PreTrainedModel | PeftModel = AutoModelForCausalLM.from_pretrained(
            base if has_adapter else folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype="auto",
            device_map={"": device_of_this_process(compute)},
        )
        if has_adapter:
            if (folder / GENERATION_CONFIG_NAME).is_file():
                model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
            model = PeftModel.from_pretrained(model, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{folder} cannot be loaded ({said}): name the folder of a model with its tokenizer."
        ) from None
    return Exported(model.eval(), tokenizer)


def measure(evaluated: Student, tokenizer: PreTrainedTokenizerBase, exported: Exported, asked: Asked) -> Fidelity:
    """Ask the evaluated model and the exported one the same.

    Raises:
        InputError: the exported model computes numbers that are not finite, or splits a text into other tokens.
    """
    evaluation = replace(
        asked.evaluation,
        text_metrics=[],
        generation_limit=min(ANSWERS, asked.evaluation.generation_limit or ANSWERS),
    )
    backend = "hf" if evaluation.backend == "vllm" else evaluation.backend
    own = language_model(evaluated, tokenizer, evaluation.batch_size, backend)
    theirs = language_model(exported.model, exported.tokenizer, evaluation.batch_size, "hf")
    reports = read_jsonl(asked.reports)
    texts = {
        "reports": [
            prompt(one["description"], asked.headings) + completion(one["category"], one["conclusion"])
            for one in reports[: evaluation.likelihood_limit]
        ],
        "general": list(_general_text(asked.general_text, evaluation.general_text_limit)),
    }
    kl = {}
    for kind, of_kind in texts.items():
        tokens = [_tokens(tokenizer, exported.tokenizer, text) for text in of_kind]
        kl[kind] = divergence(evaluated, exported.model, tokens, own.prefix_token_id)
        if not math.isfinite(kl[kind]):
            raise InputError(
                "the exported model's numbers are not finite: set `export.dtype` to bfloat16 in params.yaml."
            )
    before, after = (
        _on_reports(Arm(name, lm, part=part), evaluation, asked)
        for name, lm, part in (("evaluated", own, False), ("exported", theirs, True))
    )
    written = [row["responses"][0] for row in before.log if row["task"] == "report_generation"]
    same = [
        text.strip() == answer(exported, report["description"], asked.headings)
        for text, report in zip(written, reports, strict=False)
    ]
    agreement = _agreement(before, after, asked.categories.label)
    return Fidelity(
        domain_kl_nats=kl["reports"],
        general_kl_nats=kl["general"],
        category_agreement=fmean(agreement),
        same_answers=fmean(same),
        exams=_exams(own, theirs, evaluation, asked.exam),
        reports=len(texts["reports"]),
        texts=len(texts["general"]),
        categories=len(agreement),
        answers=len(same),
    )


@torch.no_grad()
def divergence(
    evaluated: Student, exported: PreTrainedModel | PeftModel, texts: Iterable[Sequence[int]], start: int
) -> float:
    """KL(evaluated || exported) of the next token in nats per token, exact over the vocabulary.

    As in `evaluation.divergence`, every token of a text is predicted from those before it and the start token. The
    evaluated model is read as evaluation reads it, the exported one by its own forward.
    """
    head = evaluated.model.get_output_embeddings()
    nats, count = 0.0, 0
    for tokens in texts:
        read = torch.tensor([[start, *tokens[:-1]]], device=evaluated.model.device)
        states = evaluated.hidden_states({"input_ids": read}, torch.ones_like(read, dtype=torch.bool))
        # A prompt's own positions come before those of the text.
        logits = exported(input_ids=read).logits[0, -len(tokens) :]
        for of_evaluated, of_exported in zip(states.split(POSITIONS), logits.split(POSITIONS), strict=True):
            nats += float(_kl(head(of_evaluated), of_exported).sum(dtype=torch.float64))
        count += len(tokens)
    return nats / count


def answer(exported: Exported, description: str, headings: Headings) -> str:
    """What the exported model writes about a description up to its own end; its chat template asks, if it has one."""
    if exported.tokenizer.chat_template is None:
        asked = exported.tokenizer(prompt(description, headings), return_tensors="pt")
    else:
        asked = exported.tokenizer.apply_chat_template(
            [{"role": "user", "content": description}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
    read = asked.to(exported.model.device)
    with torch.no_grad():
        written = exported.model.generate(**read, generation_config=exported.generation)
    text: str = exported.tokenizer.decode(written[0, read["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()


def _kl(evaluated: Tensor, exported: Tensor) -> Tensor:
    log_q, log_p = (logits.float().log_softmax(-1) for logits in (evaluated, exported))
    return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)


def _general_text(path: Path, limit: int | None) -> Iterable[str]:
    """The first `limit` texts of each kind."""
    rows = read_jsonl(path)
    for kind in KINDS:
        yield from [row["text"] for row in rows if row["kind"] == kind][:limit]


def _tokens(own: PreTrainedTokenizerBase, theirs: PreTrainedTokenizerBase, text: str) -> list[int]:
    first, second = (list(one(text, add_special_tokens=False)["input_ids"]) for one in (own, theirs))
    if first != second:
        raise InputError(
            "the exported tokenizer splits a text into other tokens than the one that was trained with: it is not this "
            "run's, or its format cannot express how this tokenizer splits."
        )
    return first


def _on_reports(arm: Arm, evaluation: Evaluation, asked: Asked) -> Evaluated:
    found = evaluate_domain(arm, evaluation, asked.headings, asked.categories, asked.reports, "validation")
    assert found is not None, "an export is one process"
    return found


def _agreement(before: Evaluated, after: Evaluated, label: str) -> list[bool]:
    first, second = ([case.predicted for case in one.cases if case.measure == label] for one in (before, after))
    return [one == other for one, other in zip(first, second, strict=True)]


def _exams(own: StockLM, theirs: StockLM, evaluation: Evaluation, exam: Path) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for name, task in evaluation.tasks.items():
        if name in EXAMS:
            before, after = (ask(lm, name, task, exam) for lm in (own, theirs))
            assert before is not None, "an export is one process"
            assert after is not None, "an export is one process"
            measure = EXAMS[name]
            found[measure] = estimates(before.cases)[measure], estimates(after.cases)[measure]
    return found
