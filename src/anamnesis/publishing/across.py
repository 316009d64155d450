"""What shelved experiments say together, when they differ in one thing, such as the base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from scipy.stats import ttest_1samp

from anamnesis import markdown
from anamnesis.analysis.experiment import CURVE
from anamnesis.errors import InputError
from anamnesis.publishing.results import Results

LEVEL = 0.95


@dataclass(frozen=True)
class Across:
    """The difference of one pair of arms on one measure, over experiments.

    Attributes:
        first, second, measure: the difference is `second` - `first`.
        differences: the estimate of each experiment.
        low, high: the 95 % interval of their mean, by Student's t over the experiments. It covers whatever differs
            between them, and with it their seeds; the cases are shared.
    """

    first: str
    second: str
    measure: str
    differences: tuple[float, ...]
    low: float
    high: float

    @property
    def mean(self) -> float:
        return fmean(self.differences)


def across(experiments: Mapping[str, Results], measures: Sequence[str] = ()) -> list[Across]:
    """Every pair of arms that all experiments compare on one of the measures, then the arms at equal adaptation.

    Args:
        experiments: by name, at least two.
        measures: their keys; without any, the capability and the adaptation of the first experiment.

    Raises:
        InputError: there are fewer than two experiments, they are of different splits, or have no such comparison in
            common.
    """
    if len(experiments) < 2:
        raise InputError("NAMES needs at least two entries of results/, separated by spaces.")
    splits = {name: str(one.provenance.get("split")) for name, one in experiments.items()}
    if len(set(splits.values())) > 1:
        said = ", ".join(f"{name}: {split}" for name, split in splits.items())
        raise InputError(f"NAMES holds experiments of different splits ({said}): choose those of one split.")
    first, *others = experiments.values()
    measures = measures or first.main_measures
    shared = [key for key in first.differences if key[2] in measures and all(key in one.differences for one in others)]
    if not shared:
        raise InputError(f"the experiments in NAMES have no comparison on {', '.join(measures)} in common.")
    found = [_across(*key, tuple(one.differences[key][0] for one in experiments.values())) for key in shared]
    capabilities = {one.capability for one in experiments.values()}
    if len(capabilities - {None}) > 1:
        return found
    (capability,) = capabilities if len(capabilities) == 1 else (None,)
    label = f"{capability or 'capability'} at equal adaptation"
    matched = [arm for arm in first.matched if all(arm in one.matched for one in others)]
    return found + [
        _across(CURVE, arm, label, tuple(one.matched[arm] for one in experiments.values())) for arm in matched
    ]


def _across(first: str, second: str, measure: str, differences: tuple[float, ...]) -> Across:
    interval = ttest_1samp(differences, 0).confidence_interval(LEVEL)
    return Across(first, second, measure, differences, float(interval.low), float(interval.high))


def page(names: Sequence[str], found: Sequence[Across]) -> str:
    """The differences as a Markdown table, a column for each experiment."""
    rows = [
        [
            f"`{one.second}` − `{one.first}`",
            one.measure,
            *(f"{difference:+.3f}" for difference in one.differences),
            f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
        ]
        for one in found
    ]
    return markdown.table(["pair", "measure", *names, "mean"], rows) + (
        f"\n\nThe mean is over the {len(names)} experiments, with a 95 % interval by Student's t. It covers what "
        "differs between the experiments and their seeds, and is not adjusted for the number of rows.\n"
    )
