"""Splits reports into training, validation and test so that nothing of one part occurs in another."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anamnesis.corpus.refusals import CorpusError

Reports = npt.NDArray[np.int64]
PARTS = ("train", "validation", "test")


def groups_of(patients: Reports, clusters: Reports) -> Reports:
    """Groups of reports that stay together: of one patient, near duplicates, or linked by a chain of both."""
    reports = len(patients)
    links = coo_array(
        (np.ones(reports, dtype=np.int8), (patients, clusters)), shape=(int(patients.max()) + 1, reports)
    ).tocsr()
    # A graph with a node for each patient, followed by one for each cluster.
    size = links.shape[0] + reports
    rows, columns = links.nonzero()
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns + links.shape[0])), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels[patients], return_inverse=True)[1].astype(np.int64)


def split(
    groups: Reports, categories: npt.NDArray[np.int16], validation_share: float, test_share: float, seed: int
) -> dict[str, Reports]:
    """Splits whole groups, stratified by category as well as whole groups allow.

    The largest groups come first, equals in random order. Each goes to the part that relatively lacks most of the
    group's categories; the single reports at the end even out the rest. (scikit-learn's StratifiedGroupKFold does the
    same for equal folds, at 0.3 ms per group.) A group larger than half of the smaller held-out part is used for
    training, because it would dominate that part.

    Returns:
        The reports of train, validation and test by number: disjoint, together complete, and each in random order,
        because a limit takes the first reports and an export may be sorted by date or category.

    Raises:
        CorpusError: there are too few groups for three parts.
    """
    shares = (1 - validation_share - test_share, validation_share, test_share)
    sizes = np.bincount(groups)
    large = sizes > min(validation_share, test_share) * len(groups) / 2
    movable = np.flatnonzero(~large)
    if len(movable) < 1 / min(shares) or sizes[movable].sum() < min(1, 2 * (validation_share + test_share)) * len(
        groups
    ):
        raise CorpusError(
            f"the corpus has {len(movable)} groups of reports that can be held out (a patient's reports and near "
            f"duplicates stay together, and the largest groups are trained on), too few for corpus.validation_share "
            f"and corpus.test_share: give more reports, or check corpus.columns.patient."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(movable)
    order = order[np.argsort(-sizes[order], kind="stable")]
    members = np.argsort(groups, kind="stable")
    ends = np.cumsum(sizes)
    totals = np.bincount(categories).tolist()
    # The share of its reports of each category that a part still lacks.
    lacking = [[1.0] * len(totals) for _ in PARTS]
    part_of = np.zeros(len(sizes), dtype=np.int8)
    for group in [*np.flatnonzero(large), *order]:
        own = categories[members[ends[group] - sizes[group] : ends[group]]].tolist()
        part = 0 if large[group] else max(range(len(PARTS)), key=lambda part: sum(lacking[part][one] for one in own))
        for one in own:
            lacking[part][one] -= 1 / (shares[part] * totals[one])
        part_of[group] = part
    parts = part_of[groups]
    return {name: rng.permutation(np.flatnonzero(parts == part)) for part, name in enumerate(PARTS)}


def naive_split(reports: int, sizes: dict[str, int], seed: int) -> dict[str, Reports]:
    """A random split of the same sizes that ignores groups: it leaks, and serves as a comparison."""
    order = np.random.default_rng(seed).permutation(reports)
    ends = np.cumsum([sizes[name] for name in PARTS])
    return dict(zip(PARTS, np.split(order, ends[:-1]), strict=True))
