"""How often the intervals of `anamnesis.analysis.statistics` cover the truth, and what they can see.

An experiment trains identical methods with the same seeds and asks them and a fixed base the same cases. The answers
imitate this project's per-question logs (tiny profile): a case is easy or hard for every seed, a seed moves the answers
to a case in the same direction in all arms, and a seed moves all answers of an arm (the spread of the seeds).

Beside this project's test of a difference are three others: the published one (Obuchowski-Rockette with Hillis's
degrees of freedom), a t-test of the seeds' values, and one of the cases' means, which takes the seeds for fixed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import click
import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from anamnesis.analysis.statistics import (
    Estimate,
    Sample,
    difference,
    interval,
    macro_f1,
    matched_difference,
    mean_of,
    prediction_half_width,
    ratio_of,
    recall_of,
    smallest_detectable,
)
from anamnesis.markdown import table
from benchmarks import numbers

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Measured = Callable[[Integers, Integers, bool], Sample]

QUESTIONS = (300, 600)
REPORTS = 800
TEXTS = 200
SPREADS = {"0": 0.0, "measured": 1.0, "double": 2.0}
EFFECTS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.10, 0.12)
POWER_SEEDS = (3, 5, 10)


@dataclass(frozen=True)
class Arm:
    """A model's answers: the table it draws from, and the update it is (a share of).

    Attributes:
        answers: probability of each answer (column) given the true category (row).
        update: arms with the same number are shares of one trained update, and err on much the same cases.
        effect: mean and standard deviation over cases of a shift of its answers.
    """

    answers: Array
    update: int
    effect: float = 0.0


@dataclass(frozen=True)
class Categories:
    """Answers in categories, one per case: the exam has two, "wrong" and "right"; reports have six.

    A Gaussian copula: a standard normal number for each arm, seed and case is the sum of the case's part, of seed by
    case, and of arm by seed by case; the seed's shift is added. Its place in the true category's row is the answer.

    Attributes:
        shares: of the true categories.
        answers: probability of each answer (column) given the true category (row), for `none`.
        base: the same for the base.
        case, paired: the share of the variance that is the case's, and that the arms of a seed have in common.
        shift: standard deviation of an arm's shift by its seed; as much again is common to the arms.
        sample: from true categories and answers to the measure.
        value: the measure of a joint distribution (true category, answer).
    """

    cases: int
    shares: Array
    answers: Array
    base: Array
    case: float
    paired: float
    shift: float
    sample: Measured
    value: Callable[[Array], float]

    def draw(
        self, cases: np.random.Generator, rng: np.random.Generator, seeds: int, spread: float, arms: Sequence[Arm]
    ) -> list[Sample]:
        """The base and the arms; everything about the cases is drawn from `cases`."""
        truth = cases.choice(len(self.shares), size=self.cases, p=self.shares)
        easy, reaction, base = cases.standard_normal((3, self.cases))
        own = 1 - self.case - self.paired
        paired = sqrt(self.case) * easy + sqrt(self.paired) * rng.standard_normal((seeds, self.cases))
        common = rng.standard_normal(seeds)
        updates = {arm.update for arm in arms}
        shifts = {update: spread * self.shift * (rng.standard_normal(seeds) + common) for update in updates}
        noises = {update: sqrt(0.8 * own) * rng.standard_normal((seeds, self.cases)) for update in updates}
        samples = [self.sample(truth, chosen(self.base, truth, (sqrt(0.5) * (easy + base))[None]), True)]
        for arm in arms:
            noise = noises[arm.update] + sqrt(0.2 * own) * rng.standard_normal((seeds, self.cases))
            position = paired + noise + shifts[arm.update][:, None] + arm.effect * (1 + reaction)
            samples.append(self.sample(truth, chosen(arm.answers, truth, position), False))
        return samples

    def identical(self) -> list[Arm]:
        return [Arm(self.answers, 0), Arm(self.answers, 1)]

    def truth(self, spread: float, arm: Arm) -> float:
        """The arm's value over all seeds and cases."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(31)
        shifts = arm.effect + sqrt(2) * spread * self.shift * nodes
        values = [self.value(self._joint(arm.answers, shift, arm.effect)) for shift in shifts]
        return float(np.average(values, weights=weights))

    def base_truth(self) -> float:
        return self.value(self._joint(self.base))

    def _joint(self, answers: Array, shift: float = 0.0, effect: float = 0.0) -> Array:
        below = special.ndtr((special.ndtri(limits(answers)) - shift) / sqrt(1 + effect**2))
        return self.shares[:, None] * np.diff(below, axis=1, prepend=0, append=1)


def limits(answers: Array) -> Array:
    """Between the answers of each row, on the scale of probability. (K, K - 1)"""
    return np.clip(np.cumsum(answers, axis=1)[:, :-1], 0, 1)


def chosen(answers: Array, truth: Integers, position: Array) -> Integers:
    return (position[..., None] > special.ndtri(limits(answers))[truth]).sum(axis=-1)


def right(share: float) -> Array:
    return np.array([[1 - share, share]])


def exam(questions: int, none: float = 0.727) -> Categories:
    return Categories(
        cases=questions,
        shares=np.array([1.0]),
        answers=right(none),
        base=right(0.96),
        case=0.70,
        paired=0.15,
        shift=0.06,
        sample=lambda _, answers, fixed: mean_of(answers == 1, fixed),
        value=lambda joint: float(joint[0, 1]),
    )


BETHESDA_SHARES = np.array([0.102, 0.681, 0.051, 0.1, 0.031, 0.035])
BETHESDA = np.array(
    [
        [0.650, 0.350, 0.000, 0.000, 0.000, 0.000],
        [0.041, 0.937, 0.004, 0.016, 0.001, 0.001],
        [0.033, 0.805, 0.098, 0.056, 0.008, 0.000],
        [0.000, 0.688, 0.004, 0.296, 0.000, 0.012],
        [0.040, 0.387, 0.147, 0.107, 0.107, 0.212],
        [0.000, 0.417, 0.000, 0.048, 0.012, 0.523],
    ]
)
BETHESDA_BASE = np.tile([0.40, 0.02, 0.58, 0.0, 0.0, 0.0], (6, 1))
CRITICAL = [3, 4, 5]


def reports(sample: Measured, value: Callable[[Array], float]) -> Categories:
    return Categories(REPORTS, BETHESDA_SHARES, BETHESDA, BETHESDA_BASE, 0.88, 0.05, 0.03, sample, value)


def reports_f1() -> Categories:
    def value(joint: Array) -> float:
        return float((2 * np.diag(joint) / (joint.sum(axis=0) + joint.sum(axis=1))).mean())

    return reports(macro_f1, value)


def reports_recall() -> Categories:
    def value(joint: Array) -> float:
        return float(joint[np.ix_(CRITICAL, CRITICAL)].sum() / joint[CRITICAL].sum())

    return reports(lambda gold, answers, fixed: recall_of(gold, answers, CRITICAL, fixed), value)


@dataclass(frozen=True)
class Texts:
    """Bits per byte: skewed over texts of very different lengths, with much spread of the seeds."""

    cases: int
    none: float = 0.63
    base: float = 0.24
    case: float = 0.48
    residual: float = 0.047
    common: float = 0.045
    shift: float = 0.016

    def draw(
        self, cases: np.random.Generator, rng: np.random.Generator, seeds: int, spread: float, arms: Sequence[Arm]
    ) -> list[Sample]:
        length = cases.lognormal(4.6, 0.79, self.cases)
        hard, other = (cases.gamma(2, size=(2, self.cases)) - 2) / sqrt(2)
        common = self.common * rng.standard_normal(seeds)
        base = self.base + 0.32 * hard + 0.16 * other
        paired = rng.standard_normal((seeds, self.cases))
        samples = [ratio_of((length * base)[None], length, fixed=True)]
        for _ in arms:
            seed = self.none + spread * (common + self.shift * rng.standard_normal(seeds))
            noise = self.residual * (paired + rng.standard_normal((seeds, self.cases)))
            samples.append(ratio_of(length * (self.case * hard + seed[:, None] + noise), length))
        return samples

    def identical(self) -> list[Arm]:
        return [Arm(right(0.5), 0), Arm(right(0.5), 1)]

    def truth(self, spread: float, arm: Arm) -> float:
        return self.none

    def base_truth(self) -> float:
        return self.base


def measures() -> Mapping[str, Categories | Texts]:
    accuracy = reports(
        lambda gold, answers, fixed: mean_of(answers == gold, fixed), lambda joint: float(np.trace(joint))
    )
    return {
        **{f"accuracy, {questions} questions": exam(questions) for questions in QUESTIONS},
        f"accuracy, {REPORTS} reports": accuracy,
        f"macro-F1, {REPORTS} reports": reports_f1(),
        f"critical recall, {REPORTS} reports": reports_recall(),
        f"bits per byte, {TEXTS} texts": Texts(TEXTS),
    }


def hillis(contrast: Array) -> tuple[float, float]:
    """Standard error and degrees of freedom as published."""
    seeds, cases = contrast.shape
    by_seed, by_case = contrast.mean(axis=1), contrast.mean(axis=0)
    rest = contrast - by_seed[:, None] - by_case + contrast.mean()
    residual = (rest**2).sum() / ((seeds - 1) * (cases - 1))
    seed = cases * by_seed.var(ddof=1)
    total = seed + max(seeds * by_case.var(ddof=1) - residual, 0)
    return sqrt(total / (seeds * cases)), (seeds - 1) * (total / seed) ** 2 if seed > 0 else seeds - 1


def over_seeds(contrast: Array) -> tuple[float, float]:
    return contrast.mean(axis=1).std(ddof=1) / sqrt(len(contrast)), len(contrast) - 1


def over_cases(contrast: Array) -> tuple[float, float]:
    return contrast.mean(axis=0).std(ddof=1) / sqrt(contrast.shape[1]), contrast.shape[1] - 1


OTHERS = (hillis, over_seeds, over_cases)


def significant(estimate: float, se: float, df: float) -> bool:
    return bool(abs(estimate) > special.stdtrit(df, 0.975) * se)


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def predicts(before: Array, after: Array) -> bool:
    """By the seeds' values of two experiments on the same cases."""
    allowed = prediction_half_width(before.tolist(), len(after)) or 0.0
    return bool(abs(after.mean() - before.mean()) <= allowed)


def coverage(
    measure: Categories | Texts, seeds: int, spread: float, experiments: int, rng: np.random.Generator
) -> list[float]:
    """Shares of the experiments.

    Returns:
        False positives of this project's test and of `OTHERS`; coverage of the difference to the base and of an arm's
        own value; experiments whose difference lies in the prediction interval of another on the same cases.
    """
    arms = measure.identical()
    truth, base_truth = measure.truth(spread, arms[0]), measure.base_truth()
    rows = []
    for number in range(experiments):
        once, again = (measure.draw(np.random.default_rng(number), rng, seeds, spread, arms) for _ in range(2))
        compared = difference(once[1], once[2])
        contrast = once[2].pseudovalues - once[1].pseudovalues
        rows.append(
            [
                compared.p < 0.05,
                *(significant(compared.estimate, *other(contrast)) for other in OTHERS),
                covers(difference(once[0], once[1]), truth - base_truth),
                covers(interval(once[1]), truth),
                predicts(once[2].estimates - once[1].estimates, again[2].estimates - again[1].estimates),
            ]
        )
    return list(np.mean(rows, axis=0))


def matched(seeds: int, spread: float, experiments: int, rng: np.random.Generator) -> list[float]:
    """An arm that is just a smaller update of `none`: coverage of 0, and the share of experiments without a match."""
    adaptation, capability = reports_f1(), exam(300)
    curve = [
        (Arm((1 - adapted) * BETHESDA_BASE + adapted * BETHESDA, 0), Arm(right(known), 0))
        for adapted, known in ((0.1, 0.95), (0.4, 0.91), (0.75, 0.84), (1.0, 0.727))
    ]
    smaller = Arm(0.12 * BETHESDA_BASE + 0.88 * BETHESDA, 1)
    along = [adaptation.base_truth(), *(adaptation.truth(spread, arm) for arm, _ in curve)]
    known = [capability.base_truth(), *(capability.truth(spread, arm) for _, arm in curve)]
    wanted = float(np.interp(adaptation.truth(spread, smaller), along, known))
    share = optimize.brentq(lambda p: capability.truth(spread, Arm(right(p), 1)) - wanted, 0.5, 0.99)
    rows = []
    for number in range(experiments):
        cases = np.random.default_rng(number)
        adapted = adaptation.draw(cases, rng, seeds, spread, [*(arm for arm, _ in curve), smaller])
        capable = capability.draw(cases, rng, seeds, spread, [*(arm for _, arm in curve), Arm(right(share), 1)])
        found = matched_difference(adapted[:-1], capable[:-1], adapted[-1], capable[-1]).difference
        rows.append(np.nan if found is None else float(covers(found, 0.0)))
    return [float(np.nanmean(rows)), float(np.isnan(rows).mean())]


def power(measure: Categories, seeds: int, effect: float, experiments: int, rng: np.random.Generator) -> list[float]:
    """How often a true difference is significant, and the mean of the smallest difference that can be detected."""
    none = Arm(measure.answers, 0)
    wanted = measure.truth(1.0, none) + effect
    shift = optimize.brentq(lambda size: measure.truth(1.0, Arm(measure.answers, 1, size)) - wanted, 0, 1.5)
    rows = []
    for number in range(experiments):
        _, first, second = measure.draw(
            np.random.default_rng(number), rng, seeds, 1.0, [none, Arm(measure.answers, 1, shift)]
        )
        compared = difference(first, second)
        rows.append([compared.p < 0.05, smallest_detectable(compared)])
    return list(np.mean(rows, axis=0))


@click.command(help=__doc__)
@click.option("--experiments", default=4000, show_default=True, help="For the first table; a quarter for the others.")
@click.option("--seeds", default="3,5", show_default=True)
def main(experiments: int, seeds: str) -> None:
    rng, fewer = np.random.default_rng(0), max(experiments // 4, 1)
    rows = []
    for name, measure in measures().items():
        for spread, factor in SPREADS.items():
            for count in numbers(seeds):
                shares = coverage(measure, count, factor, experiments, rng)
                rows.append([name, spread, count, *(f"{share:.3f}" for share in shares)])
    others = ["Hillis", "over seeds", "over cases"]
    covered = ["against the base", "own value", "predicted, same cases"]
    click.echo(table(["measure", "spread of seeds", "seeds", "false positives", *others, *covered], rows))

    rows = []
    for spread, factor in SPREADS.items():
        for count in numbers(seeds):
            rows.append([spread, count, *(f"{share:.3f}" for share in matched(count, factor, fewer, rng))])
    click.echo("\n" + table(["spread of seeds", "seeds", "covered at matched adaptation", "not matched"], rows))

    columns = [(count, questions) for count in POWER_SEEDS for questions in QUESTIONS]
    found = {
        effect: [power(exam(questions), count, effect, fewer, rng) for count, questions in columns]
        for effect in EFFECTS
    }
    rows = [[f"{effect:.2f}", *(f"{seen:.2f}" for seen, _ in cells)] for effect, cells in found.items()]
    rows.append(["smallest detectable", *(f"{smallest:.3f}" for _, smallest in found[EFFECTS[0]])])
    click.echo("\n" + table(["true difference", *(f"{s} seeds x {q} questions" for s, q in columns)], rows))


if __name__ == "__main__":
    main()
