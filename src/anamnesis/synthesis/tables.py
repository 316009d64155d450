"""All tables of the synthetic corpus, read once and checked against one another."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from anamnesis.synthesis.conclusions import Conclusions
from anamnesis.synthesis.findings import Findings
from anamnesis.synthesis.nodules import NoduleWordings
from anamnesis.synthesis.noise import Noise
from anamnesis.synthesis.pictures import Category, Picture
from anamnesis.synthesis.wording import Synonyms
from anamnesis.tables import SLOT, check_known, check_odds, check_sum, read_table, refusal

FOLDER = Path(__file__).parent
CATEGORIES: tuple[str, ...] = get_args(Category)


@dataclass(frozen=True)
class Tables:
    synonyms: Synonyms
    findings: Findings
    pictures: dict[str, Picture]
    conclusions: Conclusions
    nodules: NoduleWordings
    noise: Noise


@cache
def load_tables(folder: Path = FOLDER) -> Tables:
    """Read the YAML files in `folder`; raises InputError about the first mistake in them."""
    synonyms = read_table(folder / "wording.yaml", Synonyms)
    tables = Tables(
        synonyms=synonyms,
        findings=read_table(folder / "findings.yaml", Findings, synonyms),
        pictures=read_table(folder / "pictures.yaml", dict[str, Picture]),
        conclusions=read_table(folder / "conclusions.yaml", Conclusions, synonyms),
        nodules=read_table(folder / "nodules.yaml", NoduleWordings, synonyms),
        noise=read_table(folder / "noise.yaml", Noise, synonyms),
    )
    _check_findings(folder / "findings.yaml", tables.findings)
    _check_pictures(folder / "pictures.yaml", tables)
    _check_conclusions(folder / "conclusions.yaml", tables)
    return tables


def _check_findings(path: Path, table: Findings) -> None:
    """Every order names every aspect once, and only a finding with a count states one."""
    for index, order in enumerate(table.orders):
        if sorted(order) != sorted(table.findings):
            raise refusal(path, ("orders", index), f"an order names each of {', '.join(table.findings)} once")
    names = {finding for findings in table.findings.values() for finding in findings}
    for finding in table.group_counts:
        check_known(path, ("group_counts", finding), names)
    for aspect, findings in table.findings.items():
        for finding, wordings in findings.items():
            for index, wording in enumerate(wordings):
                if finding not in table.group_counts and {"групп", "число"} & set(SLOT.findall(wording)):
                    raise refusal(
                        path,
                        ("findings", aspect, finding, index),
                        f"the wording states a number of groups: add `{finding}` to `group_counts`",
                    )


def _check_pictures(path: Path, tables: Tables) -> None:
    """A picture has known findings, and the equally hard pictures of a category share it among them."""
    shares: dict[tuple[str, bool], dict[str, float]] = defaultdict(dict)
    for name, picture in tables.pictures.items():
        check_odds(path, (name, "findings"), picture.findings, tables.findings.findings)
        shares[picture.category, picture.hard][name] = picture.share
    for category in CATEGORIES:
        for hard in (False, True):
            of_kind = shares[category, hard]
            if not of_kind:
                raise refusal(path, (), f"category {category} has no {'hard' if hard else 'ordinary'} picture: add one")
            check_sum(path, (next(iter(of_kind)), "share"), of_kind)


def _check_conclusions(path: Path, tables: Tables) -> None:
    """There are headlines for every picture, advice for every category, and remarks on known findings only."""
    table = tables.conclusions
    for name in table.headlines:
        check_known(path, ("headlines", name), tables.pictures)
    for key, wanted, given in (
        ("headlines", tuple(tables.pictures), table.headlines),
        ("advice", CATEGORIES, table.advice),
    ):
        if missing := [name for name in wanted if name not in given]:
            raise refusal(path, (key,), f"`{missing[0]}` has no wordings here: add them")
    for aspect, findings in table.remarks.items():
        check_known(path, ("remarks", aspect), tables.findings.findings)
        for finding in findings:
            check_known(path, ("remarks", aspect, finding), tables.findings.findings[aspect])
