"""What the model of a chain can do in each of its domains after each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anamnesis.analysis.scores import BASE, AllScores
from anamnesis.analysis.statistics import Estimate, Sample, interval, mean_difference, mean_of


@dataclass(frozen=True)
class Chain:
    """The accuracy matrix of a chain (Lopez-Paz and Ranzato 2017, arXiv:1706.08840).

    Attributes:
        domains: in the order of training.
        arms: the model after each of them.
        base: the base's accuracy in each domain.
        accuracy: of each arm (row) in each domain (column).
        backward_transfer: mean over all domains but the last of the accuracy at the end of the chain minus that right
            after the domain. Below 0, later domains made the model forget earlier ones.
    """

    domains: Sequence[str]
    arms: Sequence[str]
    base: Sequence[Estimate]
    accuracy: Sequence[Sequence[Estimate]]
    backward_transfer: Estimate


def arms_of(method: str, domains: Sequence[str]) -> list[str]:
    """The model after each domain; after the last it is the method's own."""
    return [*(f"{method}_after_{domain}" for domain in domains[:-1]), method]


def chain_of(method: str, labels: Mapping[str, str], scores: AllScores) -> Chain:
    """The matrix of one method's chain.

    Args:
        method: its name.
        labels: by domain, in the order of training, the name of its category, which is that of the measure.
        scores: of the base and all arms.
    """
    arms = arms_of(method, list(labels))
    samples = [[_accuracy(scores, arm, label) for label in labels.values()] for arm in arms]
    own = [samples[place][place] for place in range(len(arms) - 1)]
    return Chain(
        list(labels),
        arms,
        [interval(_accuracy(scores, BASE, label)) for label in labels.values()],
        [[interval(one) for one in row] for row in samples],
        mean_difference(list(zip(own, samples[-1][:-1], strict=True))),
    )


def _accuracy(scores: AllScores, arm: str, label: str) -> Sample:
    return mean_of(scores[arm][label].values, fixed=arm == BASE)
