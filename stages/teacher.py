"""Keep what the trainings read of the frozen base: its hidden states on the reports, and its log-probabilities of them.

The states are kept for the `static` runs if that saves time, the log-probabilities if a method has a `tokens` part.
Both are in scratch/, and DVC sees only the name of their folder, a hash of what they depend on: a run gives the same
result with and without them, so whether they are kept must make no training stale. Which methods have a frozen teacher
or a `tokens` part is therefore read from params.yaml without a declaration.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import click

from anamnesis.compute import configure_compute
from anamnesis.files import read_jsonl, write_json
from anamnesis.methods.keeping import pays, reports_read
from anamnesis.methods.states import (
    corpus_log_p,
    frozen_states,
    keep_log_p,
    keep_states,
    open_log_p,
    open_states,
)
from anamnesis.modeling.loading import load_base
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.sections import read_yaml
from anamnesis.settings.teacher_cache import TeacherCache
from anamnesis.training.checkpoints import scratch_folder
from anamnesis.training.data import distinct, encode_reports, report_collator, supervised_counts
from stages import ROOT
from stages._paths import BASE, SCRATCH, TEACHER_STATES, TRAINING_REPORTS
from stages._stage import Parameters, stage

# The code on which they depend.
CODE = tuple(
    Path("src/anamnesis") / file
    for file in (
        "rendering.py",
        "methods/states.py",
        "methods/supervision.py",
        "modeling/hidden_states.py",
        "modeling/loading.py",
        "training/data.py",
    )
)

log = logging.getLogger("teacher")


@click.command(help=__doc__)
@stage
def main() -> None:
    parameters = Parameters("teacher")
    headings = parameters.section("corpus.headings", Headings)
    budget = parameters.section("teacher_cache", TeacherCache).max_gigabytes
    compute = parameters.section("compute", Compute)
    target, max_length = parameters.value("training.target"), parameters.value("optimization.max_length")

    configure_compute(compute)
    base, tokenizer = load_base(BASE, compute)
    reports = encode_reports(read_jsonl(TRAINING_REPORTS), headings, tokenizer, target, max_length)
    counts = supervised_counts(reports)
    folder = scratch_folder(
        SCRATCH / "teacher", [headings, target, max_length, compute], [BASE, TRAINING_REPORTS, *CODE]
    )
    write_json(TEACHER_STATES / "index.json", {"folder": folder.name})

    methods, sections = parameters.value("methods"), read_yaml(ROOT / "params.yaml")
    runs = static_runs(methods, parameters.value("seeds"), sections)
    read = reports_read(
        parameters.value("optimization.max_steps"),
        parameters.value("optimization.batch_size"),
        parameters.value("optimization.gradient_accumulation_steps"),
        runs,
    )
    documents, collate = distinct(reports), report_collator(tokenizer)
    log.info("%d runs with a frozen teacher read %d reports, and the corpus has %d:", runs, read, len(counts))
    if not pays(read, len(counts)):
        log.info("the frozen teacher runs at every step")
    elif open_states(folder, counts) is not None:
        log.info("the hidden states are there already")
    else:
        remove_others(folder)
        states = frozen_states(base, documents, collate)
        kept, needed = keep_states(folder, counts, states, max_bytes=budget * 1e9)
        log.info(
            "their hidden states are %.3g GB, %s",
            needed / 1e9,
            "kept" if kept else "more than `teacher_cache.max_gigabytes`: the frozen teacher runs at every step",
        )
    if any(sections[method].get("tokens") for method in methods) and open_log_p(folder, counts) is None:
        remove_others(folder)
        keep_log_p(folder, corpus_log_p(base, documents, collate, open_states(folder, counts)))
        log.info("kept the base's log-probabilities of %d tokens, for the methods with `tokens`", sum(counts.values()))


def remove_others(folder: Path) -> None:
    """What was kept for another corpus, base or code."""
    for other in set(folder.parent.glob("*")) - {folder}:
        shutil.rmtree(other)


def static_runs(methods: list[str], seeds: list[int], sections: dict[str, Any]) -> int:
    """How many trainings have the frozen base as their teacher."""
    return sum(sections[method]["teacher"] == "static" for method in methods) * len(seeds)


if __name__ == "__main__":
    main()
