"""Collects the measurements of an experiment's runs.

The parameters name the runs. Files in the folder do not: some may belong to an earlier experiment.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anamnesis.files import read_json


def load_runs(
    metrics: Path, methods: Sequence[str], seeds: Sequence[int]
) -> tuple[dict[str, Any], dict[str, dict[int, dict[str, Any]]]]:
    """The base's measurements, and every arm's by seed.

    One run can measure several arms: a method, its EMA teacher (`ema_teacher`), and shares of its update
    (`none_share_0_25`).
    """
    base = _both(metrics, "base")["base"]
    runs: dict[str, dict[int, dict[str, Any]]] = {}
    for method in methods:
        for seed in seeds:
            for arm, measured in _both(metrics, f"{method}-{seed}").items():
                runs.setdefault(arm, {})[seed] = measured
    return base, runs


def _both(metrics: Path, run: str) -> dict[str, dict[str, Any]]:
    general = read_json(metrics / "general" / f"{run}.json")
    domain = read_json(metrics / "domain" / f"{run}.json")
    return {arm: {**general[arm], **domain[arm]} for arm in general}


def load_curves(curves: Path, methods: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    """All training curves, with columns step, method, seed, quantity, value."""
    parts = []
    for method in methods:
        for seed in seeds:
            for file in sorted((curves / f"{method}-{seed}" / "plots" / "metrics").glob("*.tsv")):
                part = pd.read_csv(file, sep="\t")
                parts.append(
                    pd.DataFrame(
                        {
                            "step": part["step"],
                            "method": method,
                            "seed": seed,
                            "quantity": file.stem,
                            "value": part[file.stem],
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)
