"""Splitting reports into training, validation and test without a patient in two of them."""

import warnings

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from anamnesis.corpus.reading import CorpusError


def split_by_patient(
    reports: pd.DataFrame, validation_share: float, test_share: float, seed: int
) -> dict[str, pd.DataFrame]:
    """Whole patients, stratified by category as well as whole patients allow.

    Returns:
        train, validation and test, disjoint and together `reports`.

    Raises:
        CorpusError: there are too few patients for three parts.
    """
    rest, test = _hold_out(reports, test_share, seed)
    train, validation = _hold_out(rest, validation_share / (1 - test_share), seed)
    parts = {"train": train, "validation": validation, "test": test}
    # In random order: a limit takes the first of them, and a file may be sorted by date or category.
    return {name: part.sample(frac=1, random_state=seed, ignore_index=True) for name, part in parts.items()}


def _hold_out(reports: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    folds = max(2, round(1 / share))
    if reports["patient"].nunique() < folds:
        raise CorpusError(
            f"the corpus has {reports['patient'].nunique()} patients, too few to hold out a share of {share:.2g}: "
            f"bring more reports, or enlarge corpus.validation_share and corpus.test_share."
        )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Categories rarer than the number of folds cannot be stratified; they go where their patients go.
        warnings.filterwarnings("ignore", message="The least populated class")
        try:
            kept, held_out = next(splitter.split(reports, reports["category"], reports["patient"]))
        except ValueError:
            raise CorpusError(
                f"every category of the corpus has fewer than {folds} reports: bring more reports."
            ) from None
    return reports.iloc[kept].reset_index(drop=True), reports.iloc[held_out].reset_index(drop=True)
