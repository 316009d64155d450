"""Clinical notes in plain Russian: the language a model should know before it is fine-tuned.

clinical.yaml holds the wordings and says what they may contain.
"""

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT
from anamnesis.tables import SLOT, Texts, check_slots, read_table, refusal

TABLE = Path(__file__).with_suffix(".yaml")

_MIN_WORDS = 20
_MIN_PARTS = 3  # a note may lack one part between the first and the last


@dataclass(frozen=True, config=STRICT)
class Notes:
    fillers: dict[str, Texts]
    kinds: dict[str, dict[str, Texts]]  # kind of note -> part -> sentences


@cache
def read_notes(path: Path = TABLE) -> Notes:
    """Read the wordings of the notes; raises InputError about the first mistake in them."""
    notes = read_table(path, Notes)
    for kind, parts in notes.kinds.items():
        if len(parts) < _MIN_PARTS:
            raise refusal(path, ("kinds", kind), f"a note has at least {_MIN_PARTS} parts: add the missing ones")
        for part, sentences in parts.items():
            for index, sentence in enumerate(sentences):
                check_slots(path, ("kinds", kind, part, index), sentence, notes.fillers)
    return notes


def clinical_notes(count: int, seed: int) -> list[str]:
    """Return `count` different notes; a longer list from the same seed begins with the shorter one."""
    table = read_notes()
    kinds = [tuple(parts.values()) for parts in table.kinds.values()]
    rng = random.Random(seed)
    notes: dict[str, None] = {}
    while len(notes) < count:
        notes[_note(rng.choice(kinds), table.fillers, rng)] = None
    return list(notes)


def _note(parts: tuple[tuple[str, ...], ...], fillers: Mapping[str, tuple[str, ...]], rng: random.Random) -> str:
    """One note, without one of its inner parts unless that makes it too short."""
    sentences = [rng.choice(part) for part in parts]
    spare = rng.randrange(1, len(sentences) - 1)
    shorter = sentences[:spare] + sentences[spare + 1 :]
    if sum(len(sentence.split()) for sentence in shorter) >= _MIN_WORDS:
        sentences = shorter
    return SLOT.sub(lambda match: rng.choice(fillers[match[1]]), " ".join(sentences))
