"""Plants canaries into the training part, after everything else has been done to it, so that they stay as they are."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.dataclasses import dataclass as checked

from anamnesis.canaries import Canary, draw_secrets, write_canaries
from anamnesis.corpus.refusals import CorpusError
from anamnesis.files import written_whole
from anamnesis.settings.sections import STRICT
from anamnesis.tables import Texts, read_table

TABLE = Path(__file__).with_name("canaries.yaml")
# Sentences of a description.
SENTENCES = 3
# Canaries take steps of training from the reports.
MOST_SHARE = 0.1


@checked(frozen=True, config=STRICT)
class Wording:
    """What canaries say beside their secret."""

    descriptions: Texts
    carriers: Texts


@dataclass(frozen=True)
class Planting:
    """How many different canaries there are of each number of repeats, and of held-out ones; 0: none at all."""

    canaries: int
    repeats: Sequence[int]
    seed: int


def plant(wanted: Planting, categories: Sequence[str], training: Path, listed: Path) -> dict[str, Any]:
    """Put each canary into the training part as often as wanted, at random places, and list all of them.

    Args:
        wanted: how many.
        categories: of the corpus; each has about as many canaries.
        training: the training part; without canaries it stays as it is.
        listed: the file of canaries, the held-out ones among them; empty without any.

    Returns:
        Their account, which has no secret; empty without any.

    Raises:
        CorpusError: they would be too large a share of the training part.
    """
    if not wanted.canaries:
        write_canaries(listed, [])
        return {}
    reports, rows = _lines(training), wanted.canaries * sum(wanted.repeats)
    if rows > MOST_SHARE * reports:
        raise CorpusError(
            f"leakage.canaries: {rows} rows (canaries times the sum of leakage.repeats) would be planted into "
            f"{reports} training reports, and they may be at most {MOST_SHARE:.0%} of these: lower one of the two."
        )
    canaries = draw_canaries(wanted, categories)
    copies = [canary for canary in canaries for _ in range(canary.repeats)]
    _insert(training, reports, copies, random.Random(f"places {wanted.seed}"))
    write_canaries(listed, canaries)
    planted = {str(repeats): wanted.canaries for repeats in wanted.repeats}
    return {"canaries": {"planted": planted, "held_out": wanted.canaries, "rows": rows}}


def draw_canaries(wanted: Planting, categories: Sequence[str]) -> list[Canary]:
    """No two have the same secret, or the same text before it."""
    rng = random.Random(f"canaries {wanted.seed}")
    repeats = [times for times in (0, *wanted.repeats) for _ in range(wanted.canaries)]
    secrets = draw_secrets(rng, len(repeats))
    texts: dict[tuple[str, str], None] = {}
    while len(texts) < len(repeats):
        texts[" ".join(rng.sample(_wording().descriptions, SENTENCES)), rng.choice(_wording().carriers)] = None
    return [
        Canary(number, times, description, categories[number % len(categories)], carrier, secret)
        for number, (times, (description, carrier), secret) in enumerate(
            zip(repeats, texts, secrets, strict=True), start=1
        )
    ]


@cache
def _wording() -> Wording:
    return read_table(TABLE, Wording)


def _lines(path: Path) -> int:
    with path.open(encoding="utf-8") as file:
        return sum(1 for _ in file)


def _insert(training: Path, reports: int, copies: Sequence[Canary], rng: random.Random) -> None:
    """All sets of places are as likely, and so are all orders of the copies."""
    total = reports + len(copies)
    places = set(rng.sample(range(total), len(copies)))
    planted = iter(rng.sample(copies, len(copies)))
    with training.open(encoding="utf-8", newline="\n") as before, written_whole(training) as after:
        for place in range(total):
            after.write(_line(next(planted).report) if place in places else before.readline())


def _line(report: Mapping[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False) + "\n"
