"""Turns a row of an export into a usable report, or into the reason why it is not usable."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from anamnesis.corpus.categories import PARSE, find_tbsrtc, identifies, without_tbsrtc
from anamnesis.corpus.cleaning import clean, find_boilerplate, without_boilerplate
from anamnesis.corpus.coding import decoded, is_unreadable
from anamnesis.corpus.columns import fields_of
from anamnesis.corpus.deidentification import Deidentifier
from anamnesis.corpus.formats import Row
from anamnesis.corpus.pseudonyms import Pseudonyms, spelling
from anamnesis.corpus.refusals import Refusal
from anamnesis.settings.corpus import Corpus

# Cells that a spreadsheet would execute: =cmd|'/c …', @SUM(…), +1+cmd|….
_FORMULA = re.compile(r"\s*(?:[=@]\s*[\w\"'(+-]|[+-][^\s]*\|)")

# The fields whose text is kept.
TEXTS = ("description", "conclusion")
MISSING = {
    "description": Refusal.DESCRIPTION_MISSING,
    "conclusion": Refusal.CONCLUSION_MISSING,
    "category": Refusal.CATEGORY_MISSING,
    "patient": Refusal.PATIENT_MISSING,
}


@dataclass(frozen=True)
class Report:
    """A usable report; `changed` are the rules applied, `identifiers` the number replaced of each kind, `names_by` the
    number of names that each engine found."""

    patient: bytes
    # A second name that another report of the same patient may have; and a number for the way the patient is written.
    alias: bytes
    spelling: int
    description: str
    conclusion: str
    category: str
    changed: tuple[str, ...]
    identifiers: Mapping[str, int]
    names_by: Mapping[str, int]


@dataclass
class _Draft:
    """A row on its way to a report."""

    fields: dict[str, str]
    category: str
    changed: set[str]
    identifiers: Counter[str] = field(default_factory=Counter)
    names_by: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Preparer:
    """Prepares rows, each by itself and all in the same way."""

    settings: Corpus
    pseudonyms: Pseudonyms
    boilerplate: frozenset[str] = frozenset()

    def prepare(self, row: Row) -> Report | Refusal:
        """A report with cleaned and de-identified fields and a normalized category."""
        return self.prepare_all([row])[0]

    def prepare_all(self, rows: Sequence[Row]) -> list[Report | Refusal]:
        """The same of many rows, which takes less time than of each by itself."""
        drafts = [self._draft(row) for row in rows]
        self._deidentify([draft for draft in drafts if isinstance(draft, _Draft)])
        return [draft if isinstance(draft, Refusal) else self._report(draft) for draft in drafts]

    def _draft(self, row: Row) -> _Draft | Refusal:
        settings = self.settings
        if isinstance(row.read, Refusal):
            return row.read
        if any(len(cell) > settings.max_characters for cell in row.read.values()):
            return Refusal.TOO_LONG
        cells, applied = decoded(row.read)
        if any(_FORMULA.match(cell) for cell in cells.values()):
            return Refusal.FORMULA
        changed = set(applied)
        if settings.columns.text is not None:
            # Headings may be between tags.
            cells[settings.columns.text], applied = clean(cells[settings.columns.text], keep_lines=True)
            changed.update(applied)
        fields = fields_of(cells, settings.columns, settings.sections)
        if isinstance(fields, Refusal):
            return fields
        for name, text in fields.items():
            fields[name], applied = clean(text)
            changed.update(applied)
        if settings.columns.patient is None:
            fields["patient"] = f"{row.file}:{row.number}"
        for name, refusal in MISSING.items():
            if fields.get(name) == "":
                return refusal
        if is_unreadable(*(fields.get(name, "") for name in ("description", "conclusion"))):
            return Refusal.UNREADABLE
        category = _category(fields, settings)
        if isinstance(category, Refusal):
            return category
        draft = _Draft(fields, category, changed)
        for name in TEXTS:
            self._without_category(name, draft)
        return draft

    def _without_category(self, name: str, draft: _Draft) -> None:
        text = draft.fields.setdefault(name, "")
        if self.settings.category_system == "tbsrtc" and (rest := without_tbsrtc(text)) != text:
            draft.changed.add(f"category_in_{name}")
            draft.fields[name] = rest

    def _deidentify(self, drafts: Sequence[_Draft]) -> None:
        """Replaces identifiers in all texts of the drafts, the names of a row's own patient among them."""
        settings = self.settings.deidentification
        if not settings.enabled:
            return
        texts = [(draft, name) for draft in drafts for name in TEXTS]
        replaced = Deidentifier.of(settings).replace(
            [draft.fields[name] for draft, name in texts],
            [draft.fields["patient"] if self.settings.columns.patient else "" for draft, _ in texts],
            [self.pseudonyms.shift_days(draft.fields["patient"]) for draft, _ in texts],
        )
        for (draft, name), result in zip(texts, replaced, strict=True):
            draft.fields[name] = result.text
            draft.identifiers.update(result.kinds)
            draft.names_by.update(result.names_by)

    def _report(self, draft: _Draft) -> Report | Refusal:
        fields = draft.fields
        report = Report(
            patient=self.pseudonyms.digest(fields["patient"]),
            alias=self.pseudonyms.digest_of_alias(fields["patient"]),
            spelling=spelling(fields["patient"]),
            description=fields["description"],
            conclusion=fields["conclusion"],
            category=draft.category,
            changed=tuple(sorted(draft.changed)),
            identifiers=draft.identifiers,
            names_by=draft.names_by,
        )
        return self.cut(report)

    def cut(self, report: Report) -> Report | Refusal:
        """The report without boilerplate: a signature becomes boilerplate only after its name is replaced."""
        before = report.description, report.conclusion
        after = tuple(without_boilerplate(text, self.boilerplate) for text in before) if self.boilerplate else before
        if not after[0]:
            return Refusal.DESCRIPTION_MISSING
        if after == before:
            return report
        changed = tuple(sorted({*report.changed, "boilerplate"}))
        return replace(report, description=after[0], conclusion=after[1], changed=changed)


def boilerplate_of(prepared: Iterable[Report | Refusal], settings: Corpus) -> frozenset[str]:
    """The sentences that are cut from every report, by what was prepared without cutting any."""
    if settings.boilerplate_share is None:
        return frozenset()
    reports = (one for one in prepared if isinstance(one, Report))
    texts = ((report.category, (report.description, report.conclusion)) for report in reports)
    return find_boilerplate(texts, settings.boilerplate_share)


def _category(fields: dict[str, str], settings: Corpus) -> str | Refusal:
    """The category of its cell, which the conclusion must not contradict; without a cell, that of the conclusion."""
    said: str | Refusal = Refusal.CATEGORY_UNKNOWN
    if settings.category_system == "tbsrtc":
        said = find_tbsrtc(fields.get("conclusion", ""))
    if "category" in fields:
        category = PARSE[settings.category_system](fields["category"])
        if said not in (Refusal.CATEGORY_UNKNOWN, category) and not isinstance(category, Refusal):
            return Refusal.CATEGORY_CONTRADICTORY
    else:
        category = Refusal.CATEGORY_MISSING if said is Refusal.CATEGORY_UNKNOWN else said
    if isinstance(category, Refusal):
        return category
    if settings.categories is not None and category not in settings.categories:
        return Refusal.CATEGORY_UNKNOWN
    if (
        settings.category_system == "verbatim"
        and settings.categories is None
        and settings.deidentification.enabled
        and identifies(
            category,
            fields["patient"] if settings.columns.patient else "",
            Deidentifier.of(settings.deidentification),
        )
    ):
        return Refusal.CATEGORY_IDENTIFIES
    return category
