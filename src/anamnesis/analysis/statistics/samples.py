"""A measure of one arm: its value for every seed, and what each case contributes to it.

Every measure becomes one matrix (seed, case) whose rows average to the seeds' values, and the analysis of variance of
that matrix is the same for all measures. For a mean the matrix holds the values themselves. For other statistics it
holds normalized jackknife pseudovalues (Dorfman, Berbaum & Metz 1992, Invest Radiol 27:723; Hillis, Obuchowski, Schartz
& Berbaum 2005, Stat Med 24:1579): C·θ - (C - 1)·θ₍₋c₎, shifted so that their mean is the estimate θ itself.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from anamnesis.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """A measure of one arm for S seeds on C cases.

    Attributes:
        estimates: the measure for each seed. (S,)
        pseudovalues: what each case contributes; the mean over cases is the estimate. (S, C)
        fixed: there is one model and no seed, as for the base. S is 1 then.
        share: the measure is a share of cases: all values are 0 or 1.
        gap: the measure is the share of some cases less that of the others.
    """

    estimates: Array
    pseudovalues: Array
    fixed: bool = False
    share: bool = False
    gap: bool = False

    def __post_init__(self) -> None:
        if self.pseudovalues.ndim != 2 or self.estimates.shape != self.pseudovalues.shape[:1]:
            raise InputError(
                f"a sample needs one estimate per seed and a matrix (seed, case) of values, but has shapes "
                f"{self.estimates.shape} and {self.pseudovalues.shape}: arrange the scores by seed and case."
            )
        if self.seeds < 1 or self.cases < 2:
            raise InputError(
                f"an interval needs at least 1 seed and 2 cases, but the scores have {self.seeds} and {self.cases}: "
                f"evaluate more cases, or leave this measure out."
            )
        if self.fixed and self.seeds != 1:
            raise InputError(f"a fixed model has no seeds, but the scores have {self.seeds}: give it one row.")
        if not (np.isfinite(self.estimates).all() and np.isfinite(self.pseudovalues).all()):
            raise InputError("the scores contain a value that is not a finite number: evaluate this arm again.")

    @property
    def seeds(self) -> int:
        return self.pseudovalues.shape[0]

    @property
    def cases(self) -> int:
        return self.pseudovalues.shape[1]


def mean_of(values: npt.ArrayLike, fixed: bool = False) -> Sample:
    """A mean over cases, such as an accuracy.

    Args:
        values: (S, C).
        fixed: see `Sample`.
    """
    matrix = _matrix(values)
    share = bool(np.isin(matrix, (0, 1)).all())
    return Sample(matrix.mean(axis=1), matrix, fixed=fixed, share=share)


def ratio_of(values: npt.ArrayLike, weights: npt.ArrayLike, fixed: bool = False) -> Sample:
    """Sum of values over sum of weights, such as bits per byte.

    Args:
        values: (S, C).
        weights: not negative; a case of weight 0 adds its value only. (S, C), or (C,) if the seeds share them.
        fixed: see `Sample`.

    Raises:
        InputError: a weight is negative, or no weight is left without one of the cases.
    """
    matrix = _matrix(values)
    weight = np.broadcast_to(np.asarray(weights, dtype=np.float64), matrix.shape)
    rest = weight.sum(axis=1, keepdims=True) - weight
    if (weight < 0).any() or not (rest > 0).all():
        raise InputError("a ratio needs weights that are not negative, and at least 2 cases with a positive one.")
    total = matrix.sum(axis=1, keepdims=True)
    return _jackknifed((total / weight.sum(axis=1, keepdims=True))[:, 0], (total - matrix) / rest, fixed)


def macro_f1(gold: npt.ArrayLike, predicted: npt.ArrayLike, fixed: bool = False) -> Sample:
    """Mean F1 of the categories that occur in `gold`.

    Leaving out a case leaves the set of categories as it is: an F1 without any case is 0, as in scikit-learn.

    Args:
        gold: each case's category, as a name or a number. (C,)
        predicted: each seed's answers. (S, C)
        fixed: see `Sample`.
    """
    categories, truth = np.unique(np.asarray(gold), return_inverse=True)
    answers = _numbered(np.asarray(predicted), categories)
    size = len(categories)
    cells = (np.arange(len(answers))[:, None] * size + truth) * (size + 1) + answers  # (S, C)
    confusion = np.bincount(cells.ravel(), minlength=len(answers) * size * (size + 1))
    f1, without = _f1_without_each(confusion.reshape(len(answers), size, size + 1))
    return _jackknifed(f1, without.ravel()[cells], fixed)


def recall_of(gold: npt.ArrayLike, predicted: npt.ArrayLike, positives: npt.ArrayLike, fixed: bool = False) -> Sample:
    """The share of cases of a category in `positives` that were given any of them; the other cases are left out.

    Args:
        gold: each case's category. (C,)
        predicted: each seed's answers. (S, C)
        positives: such as the critical categories.
        fixed: see `Sample`.
    """
    asked = np.isin(np.asarray(gold), positives)
    return mean_of(np.isin(np.asarray(predicted)[:, asked], positives), fixed)


def auc_of(values: npt.ArrayLike, positives: npt.ArrayLike, fixed: bool = False) -> Sample:
    """The area under the ROC curve: how often a positive case has a higher value than a negative one, ties half.

    What a case contributes are the structural components of DeLong, DeLong & Clarke-Pearson (1988, Biometrics 44:837),
    computed from ranks (Sun & Xu 2014, IEEE Signal Process Lett 21:1389). With one seed, the variance is theirs up to
    the factor (C - 1)/C·m/(m - 1) for a group of m cases.

    Args:
        values: higher for a case that is more likely positive. (S, C)
        positives: whether a case is positive. (C,)
        fixed: see `Sample`.

    Raises:
        InputError: a group has fewer than 2 cases.
    """
    matrix, positive = _matrix(values), _groups(positives)
    parts = np.empty(matrix.shape)
    ranks = rankdata(matrix, axis=1)
    for group, sign in ((positive, 1), (~positive, -1)):
        # Of the other group, the share below each case; ties count half.
        below = (ranks[:, group] - rankdata(matrix[:, group], axis=1)) / (~group).sum()
        parts[:, group] = below if sign > 0 else 1 - below
    return _of_groups(parts, positive, fixed)


def gap_of(values: npt.ArrayLike, positives: npt.ArrayLike, fixed: bool = False) -> Sample:
    """The share of the positive cases with the value 1 minus that of the others.

    Args:
        values: 0 or 1. (S, C)
        positives, fixed: see `auc_of`.

    Raises:
        InputError: a group has fewer than 2 cases.
    """
    matrix, positive = _matrix(values), _groups(positives)
    of_positives, of_others = (matrix[:, group].mean(axis=1, keepdims=True) for group in (positive, ~positive))
    parts = np.where(positive, matrix - of_others, of_positives - matrix)
    return replace(_of_groups(parts, positive, fixed), gap=True)


def _groups(positives: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    positive = np.asarray(positives, dtype=bool)
    if min(positive.sum(), (~positive).sum()) < 2:
        raise InputError(
            f"two groups are compared by at least 2 cases of each, but have {positive.sum()} and "
            f"{(~positive).sum()}: evaluate more cases, or leave this measure out."
        )
    return positive


def _of_groups(parts: Array, positive: npt.NDArray[np.bool_], fixed: bool) -> Sample:
    """A statistic of two groups that is the mean of its `parts` in each of them: without a case, so it still is."""
    size = np.where(positive, positive.sum(), (~positive).sum())  # (C,)
    estimates = parts[:, positive].mean(axis=1)
    return _jackknifed(estimates, (size * estimates[:, None] - parts) / (size - 1), fixed)


def _matrix(values: npt.ArrayLike) -> Array:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"scores of shape {matrix.shape} were given: arrange them as a matrix (seed, case).")
    return matrix


def _jackknifed(estimates: Array, without: Array, fixed: bool) -> Sample:
    """From the estimates without each case, (S, C), to normalized pseudovalues."""
    cases = without.shape[1]
    raw = cases * estimates[:, None] - (cases - 1) * without
    return Sample(estimates, raw - raw.mean(axis=1, keepdims=True) + estimates[:, None], fixed=fixed)


def _numbered(answers: npt.NDArray[Any], categories: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Each answer's place in `categories`, which are sorted; the place after the last for any other answer."""
    place = np.searchsorted(categories, answers)
    known = categories[np.minimum(place, len(categories) - 1)] == answers
    return np.where(known, place, len(categories))


def _f1_without_each(confusion: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Macro-F1, and macro-F1 without one case of each cell; only the F1 of the cell's categories changes.

    Args:
        confusion: counts by seed, true category, and answer; the last answer is any other. (S, K, K + 1)

    Returns:
        (S,) and (S, K, K + 1).
    """
    size = confusion.shape[1]
    right = np.diagonal(confusion, axis1=1, axis2=2)  # (S, K)
    involved = confusion.sum(axis=2) + confusion.sum(axis=1)[:, :size]
    f1 = _f1(right, involved)
    lost = np.pad(f1 - _f1(right, involved - 1), ((0, 0), (0, 1)))
    change = lost[:, :size, None] + lost[:, None, :]
    change[:, np.arange(size), np.arange(size)] = f1 - _f1(right - 1, involved - 2)
    return f1.mean(axis=1), f1.mean(axis=1)[:, None, None] - change / size


def _f1(right: npt.NDArray[np.int64], involved: npt.NDArray[np.int64]) -> Array:
    """`involved` counts the cases of a category plus the answers with it."""
    return np.divide(2 * right, involved, out=np.zeros(right.shape), where=involved > 0)
