"""Made-up scores of an experiment, for the tests of what is said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.scores import BASE, AllScores, Categories, Scores
from anamnesis.settings.verdict import Margins, Verdict

CATEGORIES = ("II", "IV", "V")
CRITICAL = ("V",)
LIMITS = Verdict(
    capability=None,
    adaptation=None,
    margins=Margins(accuracy=0.05, macro_f1=0.05, bits_per_byte=0.1, kl_nats=0.1, exposure_bits=0.5),
    claim="ema",
    max_forgetting=0.2,
    min_adaptation=0.3,
    min_recall_critical=0.2,
    max_exposure=None,
)


def answers(right: float | Sequence[float], seeds: int, cases: int, rng: np.random.Generator, task: str) -> Scores:
    """Right and wrong answers; `right` is the share of right ones, of every seed or of each."""
    shares = np.broadcast_to(np.asarray(right, float).reshape(-1, 1), (seeds, 1))
    # Easy questions are easy for every arm and seed.
    difficulty = np.linspace(0, 1, cases)
    noise = rng.normal(0, 0.05, (seeds, cases))
    values = (difficulty + noise < shares).astype(float)
    return Scores(tuple(range(seeds)), tuple(f"{task}:{i}" for i in range(cases)), values, np.ones_like(values))


def categories(right: float | Sequence[float], seeds: int, cases: int, rng: np.random.Generator) -> Scores:
    scored = answers(right, seeds, cases, rng, "report_category")
    gold = np.array([CATEGORIES[i % len(CATEGORIES)] for i in range(cases)])
    other = np.array([CATEGORIES[(i + 1) % len(CATEGORIES)] for i in range(cases)])
    predicted = np.where(scored.values == 1, gold, other)
    return Scores(scored.seeds, scored.cases, scored.values, scored.weights, Categories(gold, predicted))


def leaks(share: float, seeds: int) -> Scores:
    values = np.tile(np.arange(54) < round(54 * share), (seeds, 1)).astype(float)
    return Scores(tuple(range(seeds)), tuple(f"prompt:{i}" for i in range(54)), values, np.ones_like(values))


def lengths(rate: float, seeds: int, cases: int, rng: np.random.Generator, task: str) -> Scores:
    """Bits or nats at `rate` per unit of weight, with some noise."""
    weights = np.broadcast_to(rng.integers(20, 80, cases).astype(float), (seeds, cases))
    values = weights * rate * (1 + rng.normal(0, 0.01, (seeds, cases)))
    return Scores(tuple(range(seeds)), tuple(f"{task}:{i}" for i in range(cases)), values, weights)


def experiment(
    exam: Mapping[str, float | Sequence[float]],
    domain: Mapping[str, float | Sequence[float]],
    seeds: int = 3,
    questions: int = 600,
    reports: int = 600,
    limits: Verdict = LIMITS,
    leak: float = 0.0,
) -> Results:
    """Results of the arms in `exam` (share of right answers) and `domain` (share of right categories).

    `leak`: share of 54 prompts that every arm but the base answers as a report.
    """
    scores = made_up_scores(exam, domain, seeds, questions, reports, leak)
    methods = [arm for arm in exam if arm != BASE and "_share_" not in arm and not arm.endswith("_teacher")]
    return analyse(scores, methods, "bethesda", CRITICAL, "test", limits)


def made_up_scores(
    exam: Mapping[str, float | Sequence[float]],
    domain: Mapping[str, float | Sequence[float]],
    seeds: int = 3,
    questions: int = 600,
    reports: int = 600,
    leak: float = 0.0,
    chance: int = 0,
) -> AllScores:
    """The scores of `experiment`; `chance` seeds what is random in them."""
    rng = np.random.default_rng(chance)
    return {
        arm: {
            "exam_acc": answers(exam[arm], 1 if arm == BASE else seeds, questions, rng, "exam"),
            "base_text_kl_nats": lengths(0 if arm == BASE else 0.3, 1 if arm == BASE else seeds, 50, rng, "text"),
            "template_leak": leaks(0 if arm == BASE else leak, 1 if arm == BASE else seeds),
            "bethesda": categories(domain[arm], 1 if arm == BASE else seeds, reports, rng),
            "conclusion_bits_per_byte": lengths(
                2.0 if arm == BASE else 0.5, 1 if arm == BASE else seeds, 50, rng, "conclusion"
            ),
        }
        for arm in exam
    }


def twins(first: AllScores, second: AllScores, method: str, limits: Verdict = LIMITS) -> Results:
    """One method against itself: its runs in two experiments with other seeds, the second as an arm `twin`.

    Whatever is called better or worse between the two is a false positive.
    """
    scores = {BASE: first[BASE], method: first[method], "twin": second[method]}
    return analyse(scores, [method, "twin"], "bethesda", CRITICAL, "test", replace(limits, claim=None))
