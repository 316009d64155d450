"""Write the general text that the tiny base is pretrained on, its held-out part, and the questions of the exams."""

import logging

import click

from anamnesis.files import write_jsonl
from anamnesis.knowledge.exam import all_questions
from anamnesis.knowledge.facts import load_facts
from anamnesis.knowledge.text import general_text
from anamnesis.settings.knowledge import Knowledge
from stages._paths import EXAM, FACTS, GENERAL_TEXT, HELD_OUT_TEXT
from stages._stage import Parameters, stage

log = logging.getLogger("knowledge")


@click.command(help=__doc__)
@stage
def main() -> None:
    settings = Parameters("knowledge").section("knowledge", Knowledge)
    facts = load_facts(FACTS)
    train, heldout = general_text(
        facts, settings.clinical_notes, settings.cytology_reports, settings.heldout_share, settings.seed
    )
    questions = all_questions(facts, settings.questions_per_subject, settings.seed)
    write_jsonl(GENERAL_TEXT, ({"text": text} for text in train))
    write_jsonl(HELD_OUT_TEXT, ({"kind": kind, "text": text} for kind, text in heldout))
    write_jsonl(EXAM, questions)
    log.info(
        "%d facts, %d training and %d held-out documents, %d questions",
        len(facts), len(train), len(heldout), len(questions),
    )  # fmt: skip


if __name__ == "__main__":
    main()
