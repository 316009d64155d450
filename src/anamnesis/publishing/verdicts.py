"""Whether an arm keeps the limits of `verdict` in params.yaml, by the finished experiment in a checkout."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anamnesis.errors import InputError
from anamnesis.files import read_json
from anamnesis.publishing.repository import Repository
from anamnesis.publishing.results import DETAILS
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.verdict import Verdict

PASS = "PASS"


@dataclass(frozen=True)
class ArmVerdict:
    """The verdict on an arm.

    Attributes:
        arm: a method, or another model of its runs (`ema_teacher`).
        verdict: PASS, FAIL or NOT ENOUGH EVIDENCE.
        reasons: a line for each limit.
        split: what the arm was measured on.
        limits: the section `verdict`.
    """

    arm: str
    verdict: str
    reasons: tuple[str, ...]
    split: str
    limits: Mapping[str, Any]

    def page(self) -> str:
        """What `make verdict` prints."""
        return "\n".join([f"{self.arm}: {self.verdict}", *(f"  {reason}" for reason in self.reasons)])


def arm_verdict(root: Path, arm: str) -> ArmVerdict:
    """The verdict on an arm in the checkout `root`.

    Raises:
        InputError: there are no results, they are of other limits, code or parameters, or have no verdict on the arm.
    """
    if not (root / DETAILS).is_file():
        raise InputError(f"there is no {DETAILS}: run the experiment first (make repro).")
    details = read_json(root / DETAILS)
    limits = section(read_yaml(root / "params.yaml"), "verdict", Verdict)
    if details["limits"] != asdict(limits):
        raise InputError("params.yaml: `verdict` was changed after the last run: run `dvc repro summarize` first.")
    if not details["verdicts"]:
        raise InputError("params.yaml: `verdict` sets no limit: set max_forgetting, min_adaptation or another.")
    if stale := Repository(root).stale_stages():
        raise InputError(f"the results are of other code or parameters ({', '.join(stale)}): run `make repro`.")
    if arm not in details["verdicts"]:
        raise InputError(f"`{arm}` was not measured: choose one of {sorted(details['verdicts'])}.")
    found, split = details["verdicts"][arm], details["provenance"].get("split", "validation")
    return ArmVerdict(arm, found["verdict"], tuple(found["reasons"]), split, details["limits"])
