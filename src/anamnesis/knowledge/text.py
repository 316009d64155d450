"""The text the tiny model is pretrained on, and the held-out text its perplexity is measured on.

Held-out text must be new to the model but within what it was taught, or else a rise of its perplexity would not mean
forgetting. So it contains unseen notes, and unseen wordings of facts that the training text states in other words.
"""

import random
from collections.abc import Sequence

from anamnesis.errors import InputError
from anamnesis.knowledge import clinical, cytology
from anamnesis.knowledge.facts import Fact
from anamnesis.knowledge.wording import training_wordings

MIN_TRAINING_WORDINGS = 3


def general_text(
    facts: Sequence[Fact], clinical_notes: int, cytology_reports: int, heldout_share: float, seed: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return training documents, and held-out documents with their kind (facts, clinical, cytology), both shuffled.

    `heldout_share` of the notes, of the cytology reports, and of the (fact, wording) pairs is held out, but at least
    MIN_TRAINING_WORDINGS of each fact stay in training.
    """
    if not 0 <= heldout_share < 1:
        raise InputError(f"heldout_share is {heldout_share}; it must be at least 0 and less than 1.")
    rng = random.Random(seed)
    train, new_wordings = _split_facts(facts, heldout_share, rng)
    heldout = [("facts", text) for text in new_wordings]

    for kind, texts in (
        ("clinical", clinical.clinical_notes(clinical_notes, rng.randrange(2**32))),
        ("cytology", cytology.cytology_reports(cytology_reports, rng.randrange(2**32))),
    ):
        cut = round(len(texts) * heldout_share)
        heldout += [(kind, text) for text in texts[:cut]]
        train += texts[cut:]

    rng.shuffle(train)
    rng.shuffle(heldout)
    return train, heldout


def _split_facts(facts: Sequence[Fact], heldout_share: float, rng: random.Random) -> tuple[list[str], list[str]]:
    """Hold out random wordings of random facts; the minimum of each fact stays in training."""
    wordings = [training_wordings(fact) for fact in facts]
    left = [len(texts) for texts in wordings]
    pairs = [(index, text) for index, texts in enumerate(wordings) for text in texts]
    wanted = round(len(pairs) * heldout_share)

    rng.shuffle(pairs)
    train: list[str] = []
    heldout: list[str] = []
    for index, text in pairs:
        if len(heldout) < wanted and left[index] > MIN_TRAINING_WORDINGS:
            left[index] -= 1
            heldout.append(text)
        else:
            train.append(text)
    return train, heldout
