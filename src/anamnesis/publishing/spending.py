"""What a finished experiment took: the costs of the stages that made its outputs, and the section that reports them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from anamnesis import markdown
from anamnesis.costs import COSTS, Cost, read_costs
from anamnesis.machine import MAIN_PACKAGES
from anamnesis.publishing.repository import Output, Repository

# DVC writes an output again when it stores it in its cache, right after the stage: so much later at most.
STORED_WITHIN = timedelta(minutes=5)
# Rounding of file times and of the seconds of a cost.
ROUNDING = timedelta(seconds=1)
# Their cost is the experiment's: without any of them, its minutes are unknown.
LONG = ("train", "evaluate")


def costs_of_outputs(repository: Repository) -> tuple[dict[str, Cost], list[str]]:
    """The costs of the stages of dvc.yaml that have outputs, and the long stages without one.

    A cost counts only if the stage's outputs were written during its run. Otherwise they come from another run: DVC or
    Git has restored them since, or the run was on another machine. That of a resumed training is not the whole.
    """
    found = read_costs(repository.root / COSTS)
    stages = repository.outputs_by_stage()
    costs = {
        stage: found[stage]
        for stage, outputs in stages.items()
        if stage in found and not found[stage].resumed and _made_by(found[stage], outputs, repository.root)
    }
    return costs, [stage for stage in stages if stage.startswith(LONG) and stage not in costs]


def _made_by(cost: Cost, outputs: Sequence[Output], root: Path) -> bool:
    if not outputs:
        return False
    # What Git keeps is left as the stage wrote it, so it says more than what DVC stores.
    in_git = [output for output in outputs if not output.cached]
    latest = cost.end + (ROUNDING if in_git else STORED_WITHIN)
    paths = [root / output.path for output in in_git or outputs]
    if not all(path.exists() for path in paths):
        return False
    return all(cost.start - ROUNDING <= time <= latest for path in paths for time in _times(path))


def _times(path: Path) -> Iterator[datetime]:
    """When each file of an output was last written."""
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)
    return (datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files)


def numbers(costs: Mapping[str, Cost], minutes: float | None) -> dict[str, Any]:
    """What machine.json says of the costs."""
    return {
        "minutes": minutes,
        "peak_memory_gigabytes": max((cost.peak_memory_gigabytes for cost in costs.values()), default=None),
        "stages": {
            stage: {
                "seconds": cost.seconds,
                "peak_memory_gigabytes": cost.peak_memory_gigabytes,
                "peak_gpu_memory_gigabytes": cost.peak_gpu_memory_gigabytes,
            }
            for stage, cost in costs.items()
        },
    }


def section(machine: Mapping[str, Any], costs: Mapping[str, Cost]) -> str:
    """The last section of a shelved report. The stage `summarize` cannot write it: its page repeats bit for bit.

    Args:
        machine: the content of machine.json.
        costs: of the stages that made the outputs.
    """
    processors = sorted({cost.processor for cost in costs.values()}) or [machine["processor"]]
    versions = (f"{name} {machine['packages'][name]}" for name in MAIN_PACKAGES if name in machine["packages"])
    minutes, memory = machine["minutes"], machine["peak_memory_gigabytes"]
    lines = {
        "commit": f"`{machine['commit']}`",
        "processor": ", ".join(processors),
        "cores": machine["cores"],
        "GPUs": ", ".join(machine["gpus"]) or "none",
        "packages": f"Python {machine['python']}, {', '.join(versions)}",
        "minutes": "unknown" if minutes is None else f"{minutes:.1f}",
        "largest memory of a process": "unknown" if memory is None else f"{memory:.2f} GB",
    }
    said = "\n".join(f"- {name}: {value}" for name, value in lines.items())
    explained = "The minutes are those during which at least one stage ran."
    return "\n\n".join(["## Where and how long", said, *([_table(costs), explained] if costs else [])]) + "\n"


def _table(costs: Mapping[str, Cost]) -> str:
    kinds: dict[str, list[Cost]] = {}
    for stage, cost in costs.items():
        kinds.setdefault(stage.partition("@")[0], []).append(cost)
    rows = [
        [
            f"`{kind}`",
            len(of_kind),
            f"{fmean(cost.seconds for cost in of_kind) / 60:.2f}",
            f"{max(cost.peak_memory_gigabytes for cost in of_kind):.2f}",
        ]
        for kind, of_kind in kinds.items()
    ]
    return markdown.table(["stage", "number", "mean minutes", "largest memory, GB"], rows)
