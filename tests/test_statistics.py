"""Paired statistics against scipy, statsmodels, scikit-learn, a published analysis, and their own properties."""

import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.metrics import f1_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from anamnesis.analysis import statistics
from anamnesis.analysis.statistics import (
    CASES,
    SEEDS_AND_CASES,
    Difference,
    Estimate,
    Sample,
    difference,
    equivalence,
    estimates,
    holm,
    interval,
    macro_f1,
    matched_difference,
    mcnemar_exact,
    mean_of,
    needed,
    planning,
    prediction_half_width,
    ratio_of,
    recall_of,
    smallest_detectable,
)
from anamnesis.errors import InputError
from anamnesis.evaluation.scores import category_scores
from benchmarks.statistics import coverage, exam, hillis, matched

Array = npt.NDArray[np.float64]

NAMES = np.array(["I", "II", "III", "IV", "V", "VI"])
SHARES = [0.102, 0.681, 0.051, 0.1, 0.031, 0.035]

# The data of Van Dyke et al. (5 readers, 114 cases, two modalities): empirical areas under the ROC curve, variance and
# covariances, as the R packages RJafroc and MRMCaov publish them with the results of the analysis (Obuchowski-Rockette,
# jackknife, random readers and cases).
FIRST = np.array([0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066])
SECOND = np.array([0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169])
VARIANCE, COV1, COV2, COV3 = 0.00080228827, 0.00034661371, 0.00034407483, 0.00023902837
CASES_OF_VAN_DYKE = 114


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def with_moments(values: Array, case: float, residual: float, cases: int) -> Array:
    """A matrix (seed, case) whose rows have these means, and whose mean squares give exactly these parts.

    Args:
        values: a mean for each seed.
        case: covariance of two seeds' values that their common cases cause.
        residual: variance of a seed's value beyond that.
        cases: number of columns.
    """
    seeds = len(values)
    by_case = rng().standard_normal(cases)
    by_case = (by_case - by_case.mean()) / by_case.std(ddof=1) * np.sqrt(cases * (case + residual / seeds))
    rest = rng(1).standard_normal((seeds, cases))
    rest = rest - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True) + rest.mean()
    rest *= np.sqrt(residual * cases * (seeds - 1) * (cases - 1) / (rest**2).sum())
    return values[:, None] + by_case + rest


def sample_of(matrix: Array) -> Sample:
    return Sample(matrix.mean(axis=1), matrix)


def flat(cases: int, seeds: int = 1, fixed: bool = True) -> Sample:
    return Sample(np.zeros(seeds), np.zeros((seeds, cases)), fixed=fixed)


def right_answers(seeds: int, cases: int, share: float = 0.7, seed: int = 0) -> Array:
    """0 and 1: some cases are easier than others for every seed."""
    easy = rng(seed).standard_normal(cases)
    noise = rng(seed + 1).standard_normal((seeds, cases))
    return ((easy + noise) / np.sqrt(2) < stats.norm.ppf(share)).astype(float)


def reports(seeds: int, cases: int, seed: int = 0) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    gold = rng(seed).choice(NAMES, size=cases, p=SHARES)
    gold[: len(NAMES)] = NAMES
    other = rng(seed + 1).choice(NAMES, size=(seeds, cases))
    return gold, np.where(rng(seed + 2).random((seeds, cases)) < 0.6, gold, other)


def parts(compared: Estimate) -> tuple[float, ...]:
    """The numbers of an estimate, in one order."""
    components = compared.components
    return (
        *(compared.estimate, compared.low, compared.high, compared.se, compared.df, compared.std or 0.0),
        *(components.seed, components.case, components.residual),
    )


# The measures


def test_pseudovalues_average_to_scikit_learns_numbers() -> None:
    gold, predicted = reports(3, 200)
    sample = macro_f1(gold, predicted)
    expected = [f1_score(gold, row, average="macro", zero_division=0) for row in predicted]
    assert sample.estimates == pytest.approx(expected)
    assert sample.pseudovalues.mean(axis=1) == pytest.approx(expected)
    critical = ["IV", "V", "VI"]
    sample = recall_of(gold, predicted, critical)
    assert sample.estimates == pytest.approx(
        [category_scores(gold, row, critical)["recall_critical"] for row in predicted]
    )
    assert sample.estimates == pytest.approx(
        [recall_score(np.isin(gold, critical), np.isin(row, critical)) for row in predicted]
    )
    assert sample.cases == np.isin(gold, critical).sum()


@pytest.mark.parametrize("cases", [12, 60])
def test_macro_f1_without_each_case_is_brute_force(cases: int) -> None:
    """Also where a category has one case only, and where an answer is no category of `gold`."""
    gold, predicted = reports(2, cases)
    gold[gold == "V"] = "VI"
    gold[0] = "V"
    labels = np.unique(gold)
    sample = macro_f1(gold, predicted)
    for values, row in zip(sample.pseudovalues, predicted, strict=True):
        whole = f1_score(gold, row, labels=labels, average="macro", zero_division=0)
        without = [
            f1_score(np.delete(gold, c), np.delete(row, c), labels=labels, average="macro", zero_division=0)
            for c in range(cases)
        ]
        raw = cases * whole - (cases - 1) * np.array(without)
        assert values == pytest.approx(raw - raw.mean() + whole)


def test_a_ratio_without_each_case_is_brute_force() -> None:
    values, weights = rng().random((2, 9)), rng(1).random((2, 9))
    weights[:, 3] = 0
    sample = ratio_of(values, weights)
    assert sample.estimates == pytest.approx(values.sum(axis=1) / weights.sum(axis=1))
    for row, value, weight in zip(sample.pseudovalues, values, weights, strict=True):
        without = [np.delete(value, c).sum() / np.delete(weight, c).sum() for c in range(9)]
        raw = 9 * value.sum() / weight.sum() - 8 * np.array(without)
        assert row == pytest.approx(raw - raw.mean() + value.sum() / weight.sum())


def test_a_ratio_with_equal_weights_is_a_mean() -> None:
    values = rng().random((3, 20))
    assert ratio_of(values, np.full(20, 2.0)).pseudovalues == pytest.approx(values / 2)
    assert not mean_of(values).share
    assert mean_of(values > 0.5).share


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mean_of(np.ones((3, 1))), "at least 1 seed and 2 cases"),
        (lambda: mean_of([[0.5, np.nan]]), "not a finite number"),
        (lambda: mean_of(np.ones(5)), r"a matrix \(seed, case\)"),
        (lambda: mean_of(np.ones((2, 5)), fixed=True), "a fixed model has no seeds"),
        (lambda: Sample(np.ones(2), np.ones((3, 4))), "one estimate per seed"),
        (lambda: ratio_of([[1.0, 2.0, 3.0]], [0.0, 0.0, 1.0]), "at least 2 cases with a positive one"),
        (lambda: ratio_of([[1.0, 2.0, 3.0]], [1.0, -1.0, 1.0]), "not negative"),
        (lambda: recall_of(["I", "I"], [["I", "I"]], ["V"]), "a matrix"),
        (lambda: difference(flat(4), flat(5)), "measured on 4 and 5 cases"),
        (lambda: difference(flat(4, 2, False), flat(4, 3, False)), "have 2 and 3 seeds"),
        (lambda: equivalence(difference(flat(4), flat(4)), 0), "above 0"),
        (lambda: mcnemar_exact([1, 0], [1]), "cannot be paired"),
        (lambda: matched_difference([flat(4)], [], flat(4), flat(4)), "1 values of adaptation and 0"),
        (lambda: matched_difference([flat(5)], [flat(4)], flat(4), flat(4)), "1 seeds and 5 cases"),
    ],
)
def test_unusable_scores_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# Against other programs


def test_with_one_seed_it_is_a_paired_t_test() -> None:
    first, second = rng().random((1, 40)), rng(1).random((1, 40)) + 0.1
    compared = difference(mean_of(first), mean_of(second))
    expected = stats.ttest_rel(second[0], first[0])
    low, high = expected.confidence_interval(0.95)
    assert compared.covers == CASES
    assert compared.p == pytest.approx(expected.pvalue)
    assert (compared.low, compared.high, compared.df) == pytest.approx((low, high, 39))
    assert compared.estimate == pytest.approx(second.mean() - first.mean())
    for margin in (0.05, 0.3):
        assert equivalence(compared, margin) == pytest.approx(ttost_paired(second[0], first[0], -margin, margin)[0])


def test_without_the_cases_it_is_a_t_test_of_the_seeds() -> None:
    """Cases that all agree leave the seeds' values only."""
    values = np.array([0.1, 0.3, 0.2, 0.25])
    compared = difference(flat(50), sample_of(np.repeat(values[:, None], 50, axis=1)))
    expected = stats.ttest_1samp(values, 0)
    assert compared.covers == SEEDS_AND_CASES
    assert (compared.p, compared.df) == pytest.approx((expected.pvalue, 3))
    assert (compared.low, compared.high) == pytest.approx(expected.confidence_interval(0.95))
    assert compared.std == pytest.approx(values.std(ddof=1))


def without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLOOR", "SHARED", "DOUBT"):
        monkeypatch.setattr(estimates, name, 0)


def test_published_analysis_of_two_modalities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error as published; degrees of freedom, interval and p too once the two bounds are off."""
    contrast = with_moments(FIRST - SECOND, 2 * (COV2 - COV3), 2 * (VARIANCE - COV1 - COV2 + COV3), CASES_OF_VAN_DYKE)
    compared = difference(flat(CASES_OF_VAN_DYKE), sample_of(contrast))
    assert (compared.estimate, compared.se) == pytest.approx((-0.043800322, 0.020748618))
    assert compared.df < 15.259675
    assert hillis(contrast) == pytest.approx((0.020748618, 15.259675))
    without_bounds(monkeypatch)
    compared = difference(flat(CASES_OF_VAN_DYKE), sample_of(contrast))
    assert (compared.df, compared.p) == pytest.approx((15.259675, 0.051665686))
    assert (compared.low, compared.high) == pytest.approx((-0.087959499, 0.00035885444), abs=1e-8)
    # RJafroc, SsPowerGivenJK: 10 readers and 165 cases have a power of 0.80541995 for the observed difference.
    found = planning._planned(compared, 10, 165)
    effect, critical = abs(compared.estimate) / np.sqrt(found.variance), planning._critical(found.df, 10, 0.05, False)
    power = planning._power(effect, found.df, critical)
    assert power == pytest.approx(0.80541995, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "variance", "covariance", "published"),
    [
        (FIRST, 0.00101410277, 0.00048396180, (0.89703704, 0.033173597, 12.744648, 0.82522360, 0.96885048)),
        (SECOND, 0.00059047376, 0.00020418785, (0.94083736, 0.021566368, 12.710190, 0.89413783, 0.98753689)),
    ],
)
def test_published_analysis_of_one_modality(
    values: Array, variance: float, covariance: float, published: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_bounds(monkeypatch)
    matrix = with_moments(values, covariance, variance - covariance, CASES_OF_VAN_DYKE)
    found = interval(sample_of(matrix))
    assert (found.estimate, found.se, found.df, found.low, found.high) == pytest.approx(published)


def test_the_share_of_one_model_has_wilsons_interval() -> None:
    values = right_answers(1, 300)
    found = interval(mean_of(values, fixed=True))
    # A t quantile with 299 degrees of freedom, and a sample variance.
    wilson = proportion_confint(values.sum(), 300, method="wilson")
    assert (found.low, found.high) == pytest.approx(wilson, abs=5e-4)
    for value, expected in ((0.0, (0, 0.0127)), (1.0, (0.9873, 1))):
        none = interval(mean_of(np.full((3, 300), value)))
        assert (none.low, none.high) == pytest.approx(expected, abs=1e-4)
        assert none.se == 0


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (7, 2), (3, 3), (60, 31)])
def test_mcnemar_is_statsmodels(gained: int, lost: int) -> None:
    first = np.repeat([0, 1, 1, 0], [gained, lost, 50, 20])
    second = np.repeat([1, 0, 1, 0], [gained, lost, 50, 20])
    expected = mcnemar([[50, lost], [gained, 20]], exact=True).pvalue
    assert mcnemar_exact(first, second) == pytest.approx(expected)
    assert mcnemar_exact(second, first) == pytest.approx(expected)


def test_holm_is_statsmodels() -> None:
    p_values = [0.04, 0.01, 0.03, 0.9, 0.011]
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert holm(p_values) == pytest.approx([0.09, 0.05, 0.09, 0.9, 0.05])
    assert holm([]) == []


# Properties


@pytest.fixture
def pair() -> tuple[Array, Array]:
    return right_answers(3, 80), right_answers(3, 80, 0.8, seed=7)


def test_swapping_the_arms_changes_the_sign(pair: tuple[Array, Array]) -> None:
    first, second = (mean_of(values) for values in pair)
    forward, backward = difference(first, second), difference(second, first)
    assert (forward.estimate, forward.low, forward.high) == pytest.approx(
        (-backward.estimate, -backward.high, -backward.low)
    )
    assert forward.p == pytest.approx(backward.p)


def test_a_constant_in_both_arms_changes_nothing(pair: tuple[Array, Array]) -> None:
    first, second = pair
    expected = difference(mean_of(first), mean_of(second))
    assert parts(difference(mean_of(first + 5), mean_of(second + 5))) == pytest.approx(parts(expected))
    moved = difference(mean_of(first), mean_of(second + 5))
    assert (moved.estimate, moved.se, moved.df) == pytest.approx((expected.estimate + 5, expected.se, expected.df))


def test_the_order_of_seeds_and_cases_does_not_matter(pair: tuple[Array, Array]) -> None:
    expected = parts(difference(*(mean_of(values) for values in pair)))
    seeds, cases = rng().permutation(3), rng().permutation(80)
    assert parts(difference(*(mean_of(values[seeds][:, cases]) for values in pair))) == pytest.approx(expected)
    unpaired = difference(mean_of(pair[0]), mean_of(pair[1][:, cases]))
    assert unpaired.se > expected[3]


def test_the_base_is_paired_with_every_seed(pair: tuple[Array, Array]) -> None:
    base, arm = right_answers(1, 80, 0.9, seed=3), pair[0]
    compared = difference(mean_of(base, fixed=True), mean_of(arm))
    assert parts(compared) == pytest.approx(parts(interval(sample_of(arm - base))))
    assert (compared.seeds, compared.cases, compared.covers) == (3, 80, SEEDS_AND_CASES)


@pytest.mark.parametrize("seeds", [1, 3])
def test_identical_arms_are_equivalent(seeds: int) -> None:
    arm = mean_of(right_answers(seeds, 30))
    compared = difference(arm, arm)
    assert (compared.estimate, compared.se, compared.p) == (0, 0, 1)
    # Of 30 questions a difference of a hundredth need not show, one of a third does.
    assert equivalence(compared, 0.01) == pytest.approx(0.99**30)
    assert equivalence(compared, 1 / 3) < 1e-5
    assert compared.high == -compared.low == pytest.approx(1 - 0.05 ** (1 / 30))
    assert smallest_detectable(compared) == compared.high
    assert needed(compared) == statistics.Needed(None, None)
    certain = difference(flat(30), sample_of(np.ones((seeds, 30))))
    assert (certain.estimate, certain.p, equivalence(certain, 0.5)) == (1, 0, 1)


def test_two_cases_and_two_seeds_are_enough() -> None:
    compared = difference(mean_of([[0.0, 1.0], [1.0, 1.0]]), mean_of([[1.0, 1.0], [0.0, 1.0]]))
    assert 0 < compared.se < np.inf
    assert compared.df == 1
    assert 0 <= compared.p <= 1


def test_the_variance_is_bounded_by_the_residual() -> None:
    """Seeds that agree by chance do not make an interval of the cases alone."""
    compared = difference(flat(100), sample_of(with_moments(np.full(3, 0.1), 1e-4, 4e-4, 100)))
    assert compared.std == pytest.approx(0)
    assert compared.se**2 == pytest.approx(4e-4 / 4 / 3 + 1e-4)
    assert compared.components.seed == 0
    assert (compared.components.case, compared.components.residual) == pytest.approx((1e-4, 4e-4 / 3))
    certain = 1e-4 - np.sqrt(2 * (1e-4 + 4e-4 / 3) ** 2 / 99 + 2 * (4e-4 / 3) ** 2 / (2 * 99))
    assert compared.df == pytest.approx(2 * ((1e-4 / 3 + certain) / (certain / 4)) ** 2)


def test_components_add_up_to_the_variance() -> None:
    values = np.array([0.1, 0.2, 0.4])
    compared = difference(flat(100), sample_of(with_moments(values, 1e-4, 4e-4, 100)))
    components = compared.components
    assert (components.case, components.residual) == pytest.approx((1e-4, 4e-4 / 3))
    assert components.seed == pytest.approx((values.var(ddof=1) - 4e-4) / 3)
    assert components.seed + components.case + components.residual == pytest.approx(compared.se**2)
    # The seeds dominate: almost their t-test, with a little more for the cases.
    assert 2 < compared.df < 2.1


# p-values of a large family


def test_cautious_p_is_005_at_the_end_of_the_interval_and_has_the_tail_of_the_seeds() -> None:
    contrast = with_moments(np.array([0.1, 0.2, 0.4]), 1e-2, 1e-2, 100)
    contrast -= contrast.mean()
    half = difference(flat(100), sample_of(contrast)).high
    for half_widths in (1.0, 2.0, 6.0):
        compared = difference(flat(100), sample_of(contrast + half_widths * half))
        assert compared.df > 2.5
        expected = 2 * stats.t.sf(half_widths * stats.t.ppf(0.975, 2), 2)
        assert compared.cautious_p == pytest.approx(expected)
        assert compared.p == pytest.approx(2 * stats.t.sf(half_widths * stats.t.ppf(0.975, compared.df), compared.df))
    inside = difference(flat(100), sample_of(contrast + 0.5 * half))
    assert inside.cautious_p == inside.p > 0.05


def test_cautious_p_is_p_where_only_the_seeds_or_only_the_cases_vary() -> None:
    seeds_alone = difference(flat(50), sample_of(np.repeat(np.array([[0.1], [0.3], [0.2]]), 50, axis=1)))
    assert seeds_alone.cautious_p == pytest.approx(stats.ttest_1samp([0.1, 0.3, 0.2], 0).pvalue)
    one_seed = difference(mean_of(rng().random((1, 40))), mean_of(rng(1).random((1, 40)) + 0.3))
    assert one_seed.cautious_p == one_seed.p < 0.05


def test_seeds_that_agree_by_chance_do_not_pass_a_large_family() -> None:
    """At 0.05 / 36 with 3 seeds, the interval's degrees of freedom give too many false positives."""
    draw, experiments, level = rng(), 4000, 0.05 / 36
    found = [
        difference(flat(40), sample_of(draw.standard_normal((3, 1)) * 0.2 + draw.standard_normal((3, 40))))
        for _ in range(experiments)
    ]
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(0.055, abs=0.012)
    assert np.mean([one.p < level for one in found]) > 4 * level
    assert np.mean([one.cautious_p < level for one in found]) <= level


def test_the_size_that_a_large_family_needs_is_that_of_its_p() -> None:
    compared = difference(flat(300), sample_of(with_moments(np.array([0.06, 0.1, 0.08]), 1e-4, 1e-2, 300)))
    size = smallest_detectable(compared, alpha=0.01, cautious=True)
    critical = planning._critical(compared.df, 3, 0.01, True)
    assert planning._power(size / compared.se, compared.df, critical) == pytest.approx(0.8)
    at_critical = sample_of(with_moments(np.array([0.06, 0.1, 0.08]), 1e-4, 1e-2, 300) - 0.08 + critical * compared.se)
    assert difference(flat(300), at_critical).cautious_p == pytest.approx(0.01)
    assert size > smallest_detectable(compared, alpha=0.01)
    assert (needed(compared, alpha=0.01, cautious=True).cases or 0) > (needed(compared, alpha=0.01).cases or 0) > 300


# Sizes


def test_the_smallest_detectable_difference_has_the_power_asked_for() -> None:
    compared = difference(mean_of(rng().random((1, 50))), mean_of(rng(1).random((1, 50))))
    for power, alpha in ((0.8, 0.05), (0.9, 0.01)):
        effect = smallest_detectable(compared, power, alpha) / compared.se / np.sqrt(50)
        assert TTestPower().power(effect, 50, alpha) == pytest.approx(power)


def test_the_cases_needed_by_one_seed_are_statsmodels() -> None:
    compared = difference(mean_of(rng().random((1, 50))), mean_of(rng(1).random((1, 50)) + 0.05))
    effect = abs(compared.estimate) / compared.se / np.sqrt(50)
    expected = TTestPower().solve_power(effect, None, 0.05, 0.8)
    assert needed(compared) == statistics.Needed(None, int(np.ceil(expected)))
    assert (needed(compared, effect=1.0).cases or 0) < 10


def test_what_more_seeds_and_more_cases_cannot_do() -> None:
    values = np.array([-0.05, 0.0, 0.08])
    seeds_differ = difference(flat(300), sample_of(with_moments(values, 1e-9, 1e-8, 300)))
    found = needed(seeds_differ)
    assert found.cases is None
    assert found.seeds is not None
    # A t-test of that many seeds.
    effect = values.mean() / np.sqrt(values.var(ddof=1))
    assert found.seeds == int(np.ceil(TTestPower().solve_power(effect, None, 0.05, 0.8)))
    cases_differ = difference(flat(300), sample_of(with_moments(np.full(3, 0.01), 4e-4, 1e-8, 300)))
    found = needed(cases_differ)
    assert found.seeds is None
    assert found.cases is not None
    assert 300 < found.cases < 300 * 4e-4 / (0.01 / 2.8) ** 2 * 1.2
    assert needed(cases_differ, effect=0.2).seeds == 2


# A second experiment


def test_a_prediction_on_the_same_cases_is_a_t_interval_of_two_means() -> None:
    values = [0.1, 0.3, 0.2, 0.25]
    for seeds in (4, 6):
        half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * np.sqrt(1 / 4 + 1 / seeds)
        assert prediction_half_width(values, seeds) == pytest.approx(half)


def test_seeds_without_spread_predict_nothing() -> None:
    assert prediction_half_width([0.3], 3) is None
    assert prediction_half_width([0.3, 0.3, 0.3], 3) is None
    assert prediction_half_width([0.3, 0.4], 0) is None


# Matched adaptation


def curve(seeds: int = 3) -> tuple[list[Sample], list[Sample]]:
    adaptations = [right_answers(1 if k == 0 else seeds, 90, 0.1 + 0.2 * k, seed=k) for k in range(5)]
    capabilities = [right_answers(1 if k == 0 else seeds, 70, 0.9 - 0.1 * k, seed=20 + k) for k in range(5)]
    return (
        [mean_of(values, fixed=k == 0) for k, values in enumerate(adaptations)],
        [mean_of(values, fixed=k == 0) for k, values in enumerate(capabilities)],
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_point_of_the_curve_is_matched_by_itself(seeds: int) -> None:
    adaptation, capability = curve(seeds)
    for place in range(1, 5):
        found = matched_difference(adaptation, capability, adaptation[place], capability[place])
        assert found.difference is not None
        assert found.place == place
        assert found.difference.estimate == pytest.approx(0, abs=1e-12)
        assert found.difference.se == pytest.approx(0, abs=1e-12)
        assert found.difference.covers == (CASES if seeds == 1 else SEEDS_AND_CASES)


def test_the_capability_is_compared_halfway_along_the_curve() -> None:
    adaptation, capability = curve()
    arm = Sample(
        (adaptation[2].estimates + adaptation[3].estimates) / 2,
        (adaptation[2].pseudovalues + adaptation[3].pseudovalues) / 2,
    )
    known = mean_of(right_answers(3, 70, 0.95, seed=40))
    found = matched_difference(adaptation, capability, arm, known)
    between = (capability[2].pseudovalues + capability[3].pseudovalues) / 2
    assert found.difference is not None
    assert found.place == pytest.approx(2.5)
    # The adaptations cancel, so that only the capability's cases and the seeds are left.
    expected = difference(sample_of(between), known)
    assert found.difference.estimate == pytest.approx(expected.estimate)
    assert found.difference.se == pytest.approx(expected.se)


def test_an_uncertain_adaptation_counts_with_the_slope_of_the_curve() -> None:
    adaptation, capability = curve()
    on_curve = (adaptation[2].pseudovalues + adaptation[3].pseudovalues) / 2
    noise = rng().standard_normal(90)
    arm = sample_of(on_curve + noise - noise.mean())
    exact = matched_difference(adaptation, capability, sample_of(on_curve), capability[3]).difference
    found = matched_difference(adaptation, capability, arm, capability[3]).difference
    assert exact is not None
    assert found is not None
    assert found.estimate == pytest.approx(exact.estimate)
    (low, high), (lost, kept) = ([sample.estimates.mean() for sample in two[2:4]] for two in (adaptation, capability))
    slope = (kept - lost) / (high - low)
    assert found.components.case - exact.components.case == pytest.approx(slope**2 * noise.var(ddof=1) / 90)


def test_an_adaptation_outside_the_curve_is_not_matched() -> None:
    adaptation, capability = curve()
    most = mean_of(np.ones((3, 90)))
    found = matched_difference(adaptation, capability, most, capability[1])
    assert found.difference is None
    assert found.reason is not None
    assert found.reason.startswith("the adaptation, 1.000, is outside the curve's, 0.")


# Simulation


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_identical_methods_are_rarely_different_and_the_truth_is_covered(spread: float) -> None:
    """300 experiments: a share of 0.05 lies between 0.02 and 0.09 with a probability of 0.995."""
    shares = coverage(exam(300), 3, spread, 300, rng())
    assert 0.02 <= shares[0] <= 0.09
    assert all(0.91 <= share <= 0.985 for share in shares[4:])


def test_a_smaller_update_is_not_different_at_matched_adaptation() -> None:
    covered, unmatched = matched(3, 1.0, 100, rng())
    assert 0.88 <= covered <= 1
    assert unmatched < 0.1


def test_a_large_study_takes_seconds() -> None:
    arms = [mean_of(right_answers(5, 14_042, seed=seed)) for seed in range(0, 10, 2)]
    start = time.perf_counter()
    found = [difference(first, second) for first, second in combinations(arms, 2)]
    assert time.perf_counter() - start < 5
    assert len(holm([one.p for one in found])) == 10
    assert all(isinstance(one, Difference) for one in found)
