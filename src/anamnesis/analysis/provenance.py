"""What was run, for the report: the settings, and where the numbers come from."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from anamnesis.machine import MAIN_PACKAGES, processor
from anamnesis.settings.experiment import PLAIN, SCALE, SCIENCE, method_names, seed_numbers
from anamnesis.settings.leakage import Leakage
from anamnesis.settings.methods import Method
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import section
from anamnesis.settings.training import Optimization


def stated_settings(
    values: Mapping[str, Any], general: Mapping[str, Any], domain: Mapping[str, Any]
) -> dict[str, object]:
    """The settings that the report states.

    Args:
        values: all parameters, by section.
        general, domain: the base's metrics, which say what was asked.
    """
    methods, optimization = method_names(values), section(values, "optimization", Optimization)
    settings: dict[str, object] = {
        "profile": values["profile"],
        "model": section(values, "model", Model).source,
        "steps": optimization.max_steps,
        "reports per step": optimization.batch_size * optimization.gradient_accumulation_steps,
        "peak learning rate": optimization.learning_rate,
        "seeds": seed_numbers(values),
        "held-out reports": f"{domain['reports']} of the {domain['split']} split",
        **{
            f"questions of `{name}`": f"{task['questions']}, {task['shots']}-shot"
            for name, task in general["tasks"].items()
        },
        **{f"`{method}`": values[method] for method in methods},
    }
    leakage = section(values, "leakage", Leakage)
    if leakage.canaries or leakage.membership_reports:
        settings["leakage"] = values["leakage"]
    for method in methods:
        decay = section(values, method, Method).decay
        if decay is not None and decay < 1:
            # If the horizon is as long as training, the average is in effect the static teacher.
            settings[f"`{method}` horizon / steps"] = f"{1 / (1 - decay) / optimization.max_steps:.2f}"
    return settings


def provenance(values: Mapping[str, Any], general: Mapping[str, Any], domain: Mapping[str, Any]) -> dict[str, object]:
    """Where the numbers come from. The commit is the one that has the report; `make shelve` writes it down.

    Args:
        values, general, domain: see `stated_settings`.
    """
    return {
        "split": domain["split"],
        "seeds": seed_numbers(values),
        "summarized on": processor(),
        "Python": platform.python_version(),
        "packages": {name: version(name) for name in MAIN_PACKAGES},
        "tasks": {**general["harness"]["task_versions"], **domain["harness"]["task_versions"]},
        "evaluation backend": domain["harness"]["backend"],
    }


def defined_methods(values: Mapping[str, Any]) -> list[str]:
    """All methods that params.yaml has a section for, so that taking one out of `methods` changes no colour."""
    return [name for name in values if name not in {*SCIENCE, *SCALE, *PLAIN}]
