"""Training curves as DVCLive writes them: one small table for each quantity, for `dvc plots`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dvclive import Live
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from anamnesis.errors import InputError

QUANTITIES = [
    "ce_nats",
    "divergence_nats",
    "penalty_nats",
    "l1_norm",
    "l2_sp",
    "ewc_nats",
    "replay_nats",
    "replay_kl_nats",
    "replay_margin",
    "learning_rate",
    "grad_norm",
    "update_norm",
    "teacher_distance",
    "base_kl_nats",
    "kept_share",
    "kept_first_share",
    "monitor_nats",
    "monitor_kl_nats",
    "monitor_domain_nats",
]


class CurvesCallback(TrainerCallback):
    """Logs QUANTITIES and nothing else: run times and paths differ from run to run, and the files are kept in Git."""

    def __init__(self, folder: Path, earlier: Sequence[Mapping[str, Any]] = (), steps_before: int = 0) -> None:
        """`earlier` are the points of the finished domains of a chain, which took so many steps."""
        self._earlier = earlier
        self._steps_before = steps_before
        self._live = Live(
            str(folder), dvcyaml=None, save_dvc_exp=False, report=None, monitor_system=False, resume=False
        )

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A training that resumes from a checkpoint has its first points there; DVC has removed the files."""
        for logs in self._earlier:
            self._write(logs, logs["step"])
        for logs in state.log_history:
            self._write(logs, self._steps_before + logs["step"])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        self._write(logs, self._steps_before + state.global_step)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._live.end()

    def _write(self, logs: Mapping[str, Any], step: int) -> None:
        if "ce_nats" in logs or "monitor_nats" in logs:
            self._live.step = step
            for name in QUANTITIES:
                if name in logs:
                    self._live.log_metric(name, _finite(name, logs[name], step))


def _finite(name: str, value: float, step: int) -> float:
    """DVCLive would write NaN into its JSON.

    Raises:
        InputError: the value is not finite.
    """
    if not math.isfinite(value):
        raise InputError(f"step {step}: {name} is {value}: the weights grow beyond what fp32 holds; lower the rate.")
    return float(value)
