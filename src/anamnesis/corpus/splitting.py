"""Splitting reports into training, validation and test so that nothing known in one is met again in another."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anamnesis.corpus.refusals import CorpusError

Reports = npt.NDArray[np.int64]
PARTS = ("train", "validation", "test")


def groups_of(patients: Reports, clusters: Reports) -> Reports:
    """Reports that must stay together: of one patient, or near duplicates, or linked by a chain of both."""
    reports = len(patients)
    links = coo_array(
        (np.ones(reports, dtype=np.int8), (patients, clusters)), shape=(int(patients.max()) + 1, reports)
    ).tocsr()
    # A graph with a node for each patient and, behind them, one for each cluster.
    size = links.shape[0] + reports
    rows, columns = links.nonzero()
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns + links.shape[0])), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    return np.unique(labels[patients], return_inverse=True)[1].astype(np.int64)


def split(
    groups: Reports, categories: npt.NDArray[np.int16], validation_share: float, test_share: float, seed: int
) -> dict[str, Reports]:
    """Whole groups, stratified by category as well as whole groups allow.

    The largest groups come first, in random order among equals, and each goes to the part that is relatively farthest
    from what it should have of the group's categories; the single reports at the end make up for what the others left.
    (scikit-learn's StratifiedGroupKFold does the same for equal folds, and takes 0.3 ms for each group.) A group larger
    than half of the smaller held-out part is for training: it would make up that part alone.

    Returns:
        Numbers of the reports of train, validation and test, disjoint and together all, each in random order: a limit
        takes the first of them, and an export may be sorted by date or category.

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
            f"the corpus has {len(movable)} groups of reports that may be held out (a patient's reports and near "
            f"duplicates stay together, and the largest groups are trained on), too few for corpus.validation_share "
            f"and corpus.test_share: bring more reports, or check corpus.columns.patient."
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(movable)
    order = order[np.argsort(-sizes[order], kind="stable")]
    members = np.argsort(groups, kind="stable")
    ends = np.cumsum(sizes)
    totals = np.bincount(categories).tolist()
    # Reports of each category that a part still lacks, as a share of what it should have.
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
    """Any report anywhere, in parts of the same sizes: what leaks, for comparison."""
    order = np.random.default_rng(seed).permutation(reports)
    ends = np.cumsum([sizes[name] for name in PARTS])
    return dict(zip(PARTS, np.split(order, ends[:-1]), strict=True))
