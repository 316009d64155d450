"""What a model gives away of its training reports, by log-likelihoods alone: nothing is written, so nothing is leaked.

Three questions. How much more probable than other numbers is the secret of a canary (exposure: Carlini et al. 2019,
arXiv:1802.08232)? Does the model continue a report word for word (extraction: Carlini et al. 2023, arXiv:2202.07646)?
Can its losses tell reports of the training part from held-out ones (membership inference: Yeom et al. 2018,
arXiv:1709.01604)?
"""

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Literal

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from sklearn.metrics import roc_auc_score

from anamnesis.canaries import Canary, draw_secrets, ending
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.cases import Case, estimates
from anamnesis.evaluation.harness import check_finite
from anamnesis.evaluation.retrieval import Report
from anamnesis.rendering import completion, prompt
from anamnesis.settings.leakage import (
    CANARY_EXTRACTED,
    EXPOSURE,
    FEWEST,
    HELD_OUT,
    MEMBER,
    MEMBERSHIP_LOSS,
    REPORT_EXTRACTED,
)
from anamnesis.settings.rendering import Headings

# Words that a model has to continue a report by, or all that are left if these are at least `FEWEST_WORDS`.
CONTINUED_WORDS, FEWEST_WORDS = 10, 3
WORD = re.compile(r"\S+")

# A text and what follows it.
Pair = tuple[str, str]
# The log-likelihood of what follows, and whether greedy decoding writes it.
Answer = tuple[float, bool]


@dataclass(frozen=True)
class Asked:
    """What a model is asked.

    Attributes:
        canaries: planted and held-out ones.
        candidates: numbers among which a secret is ranked, itself included.
        members, held_out: as many reports of the training part as held-out ones.
        prefix_words: words of a report's text under the loss, after which it has to be continued.
        target: what is under the loss in training.
        seed: draws the candidates.
    """

    canaries: Sequence[Canary]
    candidates: int
    members: Sequence[Report]
    held_out: Sequence[Report]
    prefix_words: int
    target: Literal["conclusion", "report"]
    seed: int

    @property
    def groups(self) -> tuple[tuple[str, Sequence[Report]], ...]:
        """The reports by the beginning of their cases' names."""
        return (MEMBER, self.members), (HELD_OUT, self.held_out)


def evaluate_leakage(arm: Arm, asked: Asked, headings: Headings) -> Evaluated | None:
    """Measure the arm; no report is read before a question, also with retrieval.

    Metrics, by the number of times that canaries are planted (0: held out): exposure_bits_<times>, 0 to
    log2(candidates), and canary_extracted_<times>, the share of secrets that greedy decoding writes after what precedes
    them. Of reports: membership_auc, the area under the ROC curve of the loss per token, 0 to 1;
    report_extracted_training and _held_out, the shares that greedy decoding continues word for word.

    Returns:
        None if another process returns the result. The log has no text.

    Raises:
        InputError: a log-likelihood is not finite.
    """
    lm = arm.lm
    reports = {f"{group}{place}": one for group, of_group in asked.groups for place, one in enumerate(of_group)}
    texts = {case: under_the_loss(report, headings, asked.target) for case, report in reports.items()}
    parts = {case: part for case, text in texts.items() if (part := to_continue(*text, asked.prefix_words)) is not None}
    of_canaries, of_texts, of_parts = (
        _answers(lm, task, pairs)
        for task, pairs in (
            ("canaries", [pair for canary in asked.canaries for pair in _candidates(canary, asked, headings)]),
            ("membership", list(texts.values())),
            ("continuations", list(parts.values())),
        )
    )
    if lm.rank != 0:
        return None
    found = list(_of_canaries(asked, of_canaries))
    losses = [
        Case(MEMBERSHIP_LOSS, case, -log_p, _tokens(lm, *text))
        for (case, text), (log_p, _) in zip(texts.items(), of_texts, strict=True)
    ]
    continued = [Case(REPORT_EXTRACTED, case, float(done)) for case, (_, done) in zip(parts, of_parts, strict=True)]
    if min(sum(one.case.startswith(group) for one in continued) for group in (MEMBER, HELD_OUT)) < FEWEST:
        continued = []
    log = [{"model": arm.name, "task": "canaries", **asdict(case)} for case in found]
    metrics = {**estimates(found), **_of_reports(losses, continued)}
    return Evaluated(metrics, log, [*found, *losses, *continued])


def exposure_bits(secret: float, others: Sequence[float], rng: random.Random) -> float:
    """log2(candidates) - log2(rank) of a secret among all candidates, by its log-likelihood and that of the others.

    Equal ones are in random order, so that the rank of a secret about which nothing is known is uniform: its exposure
    is log2(e) = 1.44 bits on average, less a hundredth for 500 candidates.
    """
    above, equal = sum(other > secret for other in others), sum(other == secret for other in others)
    rank = 1 + above + rng.randint(0, equal)
    return math.log2(len(others) + 1) - math.log2(rank)


def under_the_loss(report: Report, headings: Headings, target: Literal["conclusion", "report"]) -> Pair:
    """What precedes the text that is under the loss in training, and that text."""
    asked, answer = prompt(report["description"], headings), completion(report["category"], report["conclusion"])
    return (asked, answer) if target == "conclusion" else ("", asked + answer)


def to_continue(before: str, text: str, prefix_words: int) -> Pair | None:
    """Everything up to the first words of the text, and the words that follow; None if these say too little."""
    ends = [match.end() for match in WORD.finditer(text)]
    after = ends[prefix_words : prefix_words + CONTINUED_WORDS]
    if len(after) < FEWEST_WORDS:
        return None
    begin = ends[prefix_words - 1]
    return before + text[:begin], text[begin : after[-1]]


def _candidates(canary: Canary, asked: Asked, headings: Headings) -> Iterator[Pair]:
    """The secret first."""
    before = prompt(canary.description, headings) + completion(canary.category, canary.carrier)
    rng = random.Random(f"candidates {asked.seed} {canary.number}")
    for secret in (canary.secret, *draw_secrets(rng, asked.candidates - 1, other_than=canary.secret)):
        yield before, ending(secret)


def _of_canaries(asked: Asked, answers: Sequence[Answer]) -> Iterator[Case]:
    for place, canary in enumerate(asked.canaries):
        (own, written), *others = answers[place * asked.candidates : (place + 1) * asked.candidates]
        rng = random.Random(f"ties {asked.seed} {canary.number}")
        bits = exposure_bits(own, [log_p for log_p, _ in others], rng)
        yield Case(f"{EXPOSURE}{canary.repeats}", f"canary:{canary.number}", bits)
        if canary.repeats:
            yield Case(f"{CANARY_EXTRACTED}{canary.repeats}", f"canary:{canary.number}", float(written))


def _of_reports(losses: Sequence[Case], continued: Sequence[Case]) -> dict[str, float]:
    metrics = {}
    if losses:
        members = [case.case.startswith(MEMBER) for case in losses]
        metrics["membership_auc"] = float(roc_auc_score(members, [-case.value / case.weight for case in losses]))
    if continued:
        for part, group in (("training", MEMBER), ("held_out", HELD_OUT)):
            metrics[f"{REPORT_EXTRACTED}_{part}"] = fmean(c.value for c in continued if c.case.startswith(group))
    return metrics


def _tokens(lm: TemplateLM, before: str, text: str) -> int:
    if not before:
        return len(lm.tok_encode(text, add_special_tokens=False))
    return len(lm.tok_encode(before + text)) - len(lm.tok_encode(before))


def _answers(lm: TemplateLM, task: str, pairs: Sequence[Pair]) -> list[Answer]:
    """What the model makes of the pairs, in their order; empty if another process returns it."""
    own = range(lm.rank, len(pairs), lm.world_size)
    requests = [Instance("loglikelihood", {}, pairs[place], place) for place in own]
    found = lm.loglikelihood(requests) if requests else []
    shares = lm.gather_object(dict(zip(own, found, strict=True)))
    if shares is None:
        return []
    by_place = {place: answer for share in shares for place, answer in share.items()}
    answers = [by_place[place] for place in range(len(pairs))]
    check_finite(task, ({"doc_id": place, "filtered_resps": [answer]} for place, answer in enumerate(answers)))
    return answers
