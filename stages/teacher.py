"""Keep the frozen base's hidden states over the training reports, for every `static` run to read."""

import logging

import click

from anamnesis.compute import configure_compute
from anamnesis.files import read_jsonl
from anamnesis.methods.states import frozen_states, keep_states
from anamnesis.modeling.loading import load_base
from anamnesis.settings.compute import Compute
from anamnesis.settings.rendering import Headings
from anamnesis.settings.teacher_cache import TeacherCache
from anamnesis.training.data import distinct, encode_reports, report_collator, supervised_counts
from stages._paths import BASE, TEACHER_STATES, TRAINING_REPORTS
from stages._stage import Parameters, stage

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
    states = frozen_states(base, distinct(reports), report_collator(tokenizer))
    kept, needed = keep_states(TEACHER_STATES, supervised_counts(reports), states, max_bytes=budget * 1e9)
    said = "kept" if kept else "more than `teacher_cache.max_gigabytes`: the frozen teacher runs at every step instead"
    log.info("hidden states of %d reports are %.3g GB, %s", len(reports), needed / 1e9, said)


if __name__ == "__main__":
    main()
