"""Maps the columns of a table to the fields of a report, and cuts one free text into fields."""

import re
from collections.abc import Mapping, Sequence

from anamnesis.corpus.encodings import encoding_of_names
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Columns, Sections

# Usual names of the column of each field, by the beginning of a word.
USUAL_NAMES = {
    "text": "текст|протокол|отч[её]т|report|text",
    "description": "описан|микроскоп|цитограмм|жалоб|descri|microscop|finding|symptom|complaint",
    "conclusion": "заключен|вывод|диагноз|conclus|diagnos|impression",
    "category": "категор|bethesda|бетесд|бетезд|tbsrtc|код|мкб|icd|class|code|categor|label",
    "patient": "пациент|больн|patient|снилс|карт|истори|mrn|subject",
}
# A column name is shown in a message only if it consists of these words. If the header is missing or damaged, the first
# row holds a patient's words, and many surnames begin like a word of a header.
HEADER_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        текст протокол отчет отчёт описание микроскопия микроскопическое микроописание цитограмма жалобы заключение
        вывод диагноз категория код мкб бетесда бетезда пациент пациента больной снилс карта карты история болезни номер
        дата время год пол возраст врач отделение материал орган исследование исследования цитологическое метод размер
        рекомендации анамнез результат система системе и по
        report text description microscopy findings symptoms complaints conclusion diagnosis impression category class
        code label icd icd10 bethesda tbsrtc patient subject mrn id no number date time year sex age doctor department
        sample site organ method size result name group the of
        """,
    )
)


def check_columns(names: Sequence[str], columns: Columns, place: str) -> None:
    """Every declared column must exist exactly once.

    Raises:
        CorpusError: lists the columns found and proposes one.
    """
    for field, column in columns.named.items():
        if names.count(column) > 1:
            raise CorpusError(
                f"corpus.columns.{field} is {column!r}, and {place} has {names.count(column)} columns of that name; "
                f"rename all but one."
            )
        if column not in names and (encoding := encoding_of_names(names, column)):
            raise CorpusError(
                f"corpus.encoding: {place} was decoded wrongly: it has the column of corpus.columns.{field} if it is "
                f"read as {encoding}; set corpus.encoding to {encoding}, or export the table again as UTF-8."
            )
        if column not in names:
            raise CorpusError(
                f"corpus.columns.{field} is {column!r}, but {place} has {_listed(names)}; set it to one of its columns"
                + ("" if field in ("text", "description") else " or to null")
                + _proposal(field, names)
            )


def _listed(names: Sequence[str]) -> str:
    """The columns, by name where the name is safe to show."""
    shown = [name for name in names if _is_known(name)]
    others = len(names) - len(shown)
    if not shown:
        return f"{others} columns and a first row that does not look like their names"
    return f"the columns {shown}" + (f" and {others} more, whose names may be words of a report" if others else "")


def _is_known(name: str) -> bool:
    words = re.findall(r"[^\W_]+", name)
    return bool(words) and all(word.casefold() in HEADER_WORDS for word in words)


def _proposal(field: str, names: Sequence[str]) -> str:
    likely = [
        name for name in names if _is_known(name) and re.search(rf"(?<![^\W_])({USUAL_NAMES[field]})", name, re.I)
    ]
    return f", perhaps {likely[0]!r}." if likely else "."


def fields_of(cells: Mapping[str, str], columns: Columns, sections: Sections) -> dict[str, str] | Refusal:
    """The fields of a row, out of description, conclusion, category and patient."""
    fields = {field: cells[column] for field, column in columns.named.items()}
    if columns.text is None:
        return fields
    found = cut(fields.pop("text"), sections)
    return found if isinstance(found, Refusal) else {**found, **fields}


def cut(text: str, sections: Sections) -> dict[str, str] | Refusal:
    """Cuts one free text at its headings: a section extends from its heading to the next heading of any kind.

    A heading begins a line or a sentence and ends with a colon, a dash or the line. Text above the first heading (a
    letterhead, the patient's name) belongs to no field and is dropped.
    """
    headings = {"description": sections.description, "conclusion": sections.conclusion}
    kinds = {heading.casefold(): "" for heading in sections.other}
    kinds |= {heading.casefold(): kind for kind, names in headings.items() for heading in names}
    alternatives = "|".join(re.escape(heading) for heading in sorted(kinds, key=len, reverse=True))
    marks = list(
        re.finditer(rf"(?:^|[\n\r.;!])[^\S\n]*({alternatives})[^\S\n]*(?:[:–—-]|\r?\n)", text, flags=re.IGNORECASE)
    )
    found: dict[str, list[str]] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        kind = kinds[mark[1].casefold()]
        if kind:
            found.setdefault(kind, []).append(text[mark.end() : following.start() if following else None].strip())
    if any(names and kind not in found for kind, names in headings.items()):
        return Refusal.SECTION_MISSING
    return {kind: "\n".join(parts) for kind, parts in found.items()}
