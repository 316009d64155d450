"""What de-identification engines find in labelled reports of invented patients, and how fast they read.

Recall: the share of planted identifiers that findings of any kind cover completely; "with kind": one of these findings
has the right kind. Precision: the share of findings that overlap a planted identifier. The reports are cleaned first,
as the corpus is (--raw: they are not). --labelled chooses the set: `announced` (tests/identifiers.py), the parts `dev`
and `test` of tests/heldout, `blind` (tests/blind), or the parts of tests/written; nobody who writes rules looks at
`test` or at anything blind. With --complaints, the findings in reports that have been de-identified by their publisher
are counted too: nearly all of them are false. An engine that is not installed is left out; Slovnet and Presidio are
dependencies of the extra `benchmark` only.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import NamedTuple, Protocol

import click

from anamnesis.corpus.cleaning import clean
from anamnesis.corpus.deidentification.findings import PLACEHOLDERS
from anamnesis.markdown import table
from tests.blind import blind_reports
from tests.heldout import KINDS, PARTS, heldout_reports
from tests.identifiers import Labelled, labelled_reports
from tests.written import PARTS as WRITTEN_PARTS
from tests.written import written_reports

WRITTEN = {f"written_{part}": part for part in WRITTEN_PARTS}
SETS = ("announced", *PARTS, "blind", *WRITTEN)
ROUNDS = 2
NAMES = ("name", "doctor")
_TOKEN = re.compile(r"\w+")
# Kinds of findings that are right for a planted kind of another name, beside its own.
ALSO_RIGHT = {
    "certificate": {"passport", "document"},
    "passport": {"document"},
    "weekday": {"date"},
    "network": {"uid"},
}
FEWEST_OF_A_TAG = 20


class Identifier(Protocol):
    """A planted identifier, or a finding: text[start:end]."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def kind(self) -> str: ...


class Span(NamedTuple):
    start: int
    end: int
    kind: str


Find = Callable[[Sequence[str]], Sequence[Sequence[Identifier]]]

# What a user would write in an hour for numbers of Russian documents: for Presidio's pattern recognizers, and beside
# the tagger.
PLAIN_PATTERNS = {
    "date": r"\b\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})\b"
    r"|\b\d{1,2} (?:янв|фев|мар|апр|ма[яй]|июн|июл|авг|сен|окт|ноя|дек)\w* \d{4}\b"
    r"|\b\d{4}-\d{2}-\d{2}\b|\b(?:19|20)\d{2}(?= ?г\. ?р)",
    "phone": r"(?:\+7|\b8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}\b|\b\d{3}-\d{2}-\d{2}\b",
    "snils": r"\b\d{3}-\d{3}-\d{3}[ -]\d{2}\b",
    "policy": r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
    "passport": r"\b\d{2} ?\d{2} (?:№ ?)?\d{6}\b",
    "email": r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+\b",
    "address": r"(?:\b\d{6}, )?(?:\bг\. ?[А-Я][\w-]+, )?"
    r"\b(?:ул|пр-т|пер|наб|ш)\. ?[А-Я][\w ]+(?:, (?:д|корп|кв)\. ?\d+\w?)*",
    "record": r"(?i:(?:и/б|история болезни|карт[аы]|м/к) ?№? ?)\d[\w/-]*",
    "slide": r"(?i:(?:ст[её]кл\w+|препарат\w*|исследовани\w+|цит\.) ?№* ?)\d[\w/-]*",
}


@click.command(help=__doc__)
@click.option("--reports", default=1000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--labelled", "name", type=click.Choice(SETS), default="announced", show_default=True)
@click.option("--raw", is_flag=True, help="Do not clean the reports first.")
@click.option("--tags", is_flag=True, help="Recall by tag, of the tags of tests/heldout.")
@click.option("--engines", default="rules,tagger,rules_and_tagger,slovnet,presidio", show_default=True)
@click.option(
    "--complaints", type=click.Path(path_type=Path, exists=True), help="Folder with RuMedBench's .jsonl files."
)
def main(reports: int, seed: int, name: str, raw: bool, tags: bool, engines: str, complaints: Path | None) -> None:
    labelled = labelled_set(name, reports, seed)
    if not raw:
        labelled = [cleaned(report) for report in labelled]
    words = sum(len(report.text.split()) for report in labelled) / len(labelled)
    print(f"{len(labelled)} reports of {words:.0f} words, seed {seed}; reports/s are of one core.")
    for engine in engines.split(","):
        missing = [module for module in ENGINES[engine][0] if find_spec(module) is None]
        if missing:
            print(f"\n{engine}: left out, not installed: {', '.join(missing)}.")
            continue
        find = ENGINES[engine][1]()
        findings, seconds = timed(find, [report.text for report in labelled])
        print(f"\n**{engine}**, {len(labelled) / seconds:,.0f} reports/s\n")
        print(table(["kind", "planted", "recall", "with kind", "found", "precision"], measures(labelled, findings)))
        print(f"\n{years_alone(labelled, findings)}")
        print(f"\nIn reports without identifiers: {false_without_identifiers(labelled, findings)}")
        if tags:
            print("\n" + table(["tag", "planted", "recall"], recall_by_tag(labelled, findings)))
        if complaints is not None:
            print(false_findings(find, complaints))


def labelled_set(name: str, reports: int, seed: int) -> Sequence[Labelled]:
    """The first reports of a set; the blind and the singly written ones have no seed."""
    if name == "announced":
        return labelled_reports(reports, seed)
    if name in WRITTEN:
        return written_reports(WRITTEN[name])[:reports]
    return (blind_reports() if name == "blind" else heldout_reports(name, seed))[:reports]


def cleaned(report: Labelled) -> Labelled:
    """The report as the stage reads it when it looks for identifiers, and where these now are.

    Cleaning removes tags and soft hyphens within names, and joins words that a line end breaks. Each identifier's first
    and last character is kept. What cleaning removes (an address in angle brackets, as a tag) is no longer planted.
    """
    text, _ = clean(report.text)
    at: dict[int, int] = {}
    for operation, start, end, new_start, new_end in SequenceMatcher(None, report.text, text, False).get_opcodes():
        if operation == "equal" or (operation == "replace" and end - start == new_end - new_start):
            at.update(zip(range(start, end), range(new_start, new_end), strict=True))
    return replace(
        report,
        text=text,
        identifiers=tuple(
            replace(one, start=at[one.start], end=at[one.end - 1] + 1)
            for one in report.identifiers
            if any(place in at for place in range(one.start, one.end))
        ),
    )


def timed(find: Find, texts: Sequence[str]) -> tuple[Sequence[Sequence[Identifier]], float]:
    """The findings, and the processor's seconds of the last round, when caches are as warm as in a corpus."""
    for _ in range(ROUNDS):
        start = process_time()
        findings = find(texts)
        seconds = process_time() - start
    return findings, seconds


def years_alone(labelled: Sequence[Labelled], findings: Sequence[Sequence[Identifier]]) -> str:
    """How many false findings are years alone, and the precision without them.

    The policy removes years of a person's history, which the labels of some sets leave out.
    """
    false, years, found = 0, 0, 0
    for report, spans in zip(labelled, findings, strict=True):
        for span in spans:
            found += 1
            if not any(overlap(span, identifier) for identifier in report.identifiers):
                false += 1
                years += span.kind == "date" and _is_years(report.text[span.start : span.end])
    precision = f"{1 - (false - years) / (found - years):.3f}" if found > years else "-"
    return f"{years} of {false} false findings are years alone; precision without them {precision}"


def _is_years(date: str) -> bool:
    """Whether its only numbers are years ("2007 г.", "2011 и 2015")."""
    numbers = re.findall(r"\d+", date)
    return bool(numbers) and all(re.fullmatch(r"(?:19|20)\d\d", number) for number in numbers)


def false_without_identifiers(labelled: Sequence[Labelled], findings: Sequence[Sequence[Identifier]]) -> str:
    """How many findings there are in the reports in which nothing is planted."""
    empty = [(report.text, spans) for report, spans in zip(labelled, findings, strict=True) if not report.identifiers]
    tokens = sum(len(_TOKEN.findall(text)) for text, _ in empty)
    found = sum(len(spans) for _, spans in empty)
    return f"{found} findings in {tokens} tokens of {len(empty)} reports"


def false_findings(find: Find, folder: Path) -> str:
    """Findings in 1,000 tokens (words and numbers) of each set of complaints."""
    rows = []
    for file in sorted(folder.rglob("*.jsonl")):
        texts = [json.loads(line)["symptoms"] for line in file.read_text(encoding="utf-8").splitlines()]
        tokens = sum(len(_TOKEN.findall(text)) for text in texts)
        findings, seconds = timed(find, texts)
        names = sum(found.kind in NAMES for spans in findings for found in spans)
        every = sum(map(len, findings))
        rows.append(
            [
                f"{file.parent.name}/{file.stem}",
                len(texts),
                tokens,
                f"{1000 * names / tokens:.3f}",
                f"{1000 * every / tokens:.3f}",
                f"{len(texts) / seconds:,.0f}",
            ]
        )
    return "\n" + table(["complaints", "reports", "tokens", "names/1,000", "all/1,000", "reports/s"], rows)


def measures(labelled: Sequence[Labelled], findings: Sequence[Sequence[Identifier]]) -> Iterator[list[object]]:
    planted, covered, of_kind, found, right = (Counter[str]() for _ in range(5))
    for report, spans in zip(labelled, findings, strict=True):
        for identifier in report.identifiers:
            overlapping = [span for span in spans if overlap(span, identifier)]
            whole = is_covered(identifier, overlapping)
            planted[identifier.kind] += 1
            covered[identifier.kind] += whole
            kinds = {identifier.kind} | ALSO_RIGHT.get(identifier.kind, set())
            of_kind[identifier.kind] += whole and any(span.kind in kinds for span in overlapping)
        for span in spans:
            found[span.kind] += 1
            right[span.kind] += any(overlap(span, identifier) for identifier in report.identifiers)
    for kind in sorted({*planted, *found}, key=[*KINDS, *PLACEHOLDERS].index):
        counts = (counter[kind] for counter in (planted, covered, of_kind, found, right))
        yield row(kind, *counts)
    yield row("all", *(counter.total() for counter in (planted, covered, of_kind, found, right)))


def recall_by_tag(labelled: Sequence[Labelled], findings: Sequence[Sequence[Identifier]]) -> Iterator[list[object]]:
    """For each tag of at least 20 identifiers, ascending."""
    planted, covered = Counter[str](), Counter[str]()
    for report, spans in zip(labelled, findings, strict=True):
        for identifier in report.identifiers:
            tags = getattr(identifier, "tags", ())
            planted.update(tags)
            if is_covered(identifier, [span for span in spans if overlap(span, identifier)]):
                covered.update(tags)
    shares = {tag: covered[tag] / number for tag, number in planted.items() if number >= FEWEST_OF_A_TAG}
    for tag, share in sorted(shares.items(), key=lambda item: item[1]):
        yield [tag, planted[tag], f"{share:.3f}"]


def row(kind: str, planted: int, covered: int, of_kind: int, found: int, right: int) -> list[object]:
    def share(part: int, whole: int) -> str:
        return f"{part / whole:.3f}" if whole else "-"

    return [kind, planted, share(covered, planted), share(of_kind, planted), found, share(right, found)]


def overlap(one: Identifier, other: Identifier) -> bool:
    return one.start < other.end and other.start < one.end


def is_covered(identifier: Identifier, spans: Sequence[Identifier]) -> bool:
    """Whether none of its characters would remain."""
    reached = identifier.start
    for span in sorted(spans, key=lambda span: span.start):
        if span.start > reached:
            return False
        reached = max(reached, span.end)
    return reached >= identifier.end


def rules() -> Find:
    from anamnesis.corpus.deidentification import Deidentifier

    return Deidentifier().find


def rules_and_tagger() -> Find:
    """In the chunks in which a corpus is read."""
    from anamnesis.corpus.deidentification import Deidentifier
    from anamnesis.corpus.intake import ROWS_AT_ONCE

    find = Deidentifier(tagger=True).find

    def in_chunks(texts: Sequence[str]) -> list[Sequence[Identifier]]:
        return [found for at in range(0, len(texts), ROWS_AT_ONCE) for found in find(texts[at : at + ROWS_AT_ONCE])]

    return in_chunks


def presidio() -> Find:
    """Presidio's own recognizers that need no language model, and patterns of Russian documents.

    No Russian spaCy model comes with pip, so only a pattern of surname and initials finds names.
    """
    import spacy
    from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import EmailRecognizer, PhoneRecognizer

    class BlankRussian(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "ru", "model_name": "blank"}])
            self.nlp = {"ru": spacy.blank("ru")}

        def load(self) -> None:
            """Nothing to load."""

    name = r"\b[А-ЯЁ][а-яё-]+\s+[А-ЯЁ]\.\s?[А-ЯЁ]\.|\b[А-ЯЁ]\.\s?[А-ЯЁ]\.\s?[А-ЯЁ][а-яё-]+"
    # It asks the network for top-level domains first, and uses its own list without a network.
    logging.getLogger("tldextract").setLevel(logging.CRITICAL)
    registry = RecognizerRegistry(supported_languages=["ru"])
    registry.add_recognizer(EmailRecognizer(supported_language="ru"))
    registry.add_recognizer(PhoneRecognizer(supported_language="ru", supported_regions=("RU",)))
    for kind, regex in {**PLAIN_PATTERNS, "name": name}.items():
        registry.add_recognizer(
            PatternRecognizer(
                kind.upper(), patterns=[Pattern(kind, regex, 0.6)], supported_language="ru", global_regex_flags=0
            )
        )
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=BlankRussian(), supported_languages=["ru"])
    kinds = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone"}

    def find(text: str) -> list[Span]:
        results = analyzer.analyze(text, language="ru")
        return [Span(r.start, r.end, kinds.get(r.entity_type, r.entity_type.lower())) for r in results]

    return lambda texts: [find(text) for text in texts]


def slovnet() -> Find:
    """Slovnet's tagger of names in Russian news, without any of our rules; plain patterns for the rest."""
    from navec import Navec
    from slovnet import NER

    from anamnesis.corpus.deidentification.resources import natasha_file

    names = NER.load(str(natasha_file("model/slovnet_ner_news_v1.tar")))
    names.navec(Navec.load(str(natasha_file("emb/navec_news_v1_1B_250K_300d_100q.tar"))))
    patterns = {kind: re.compile(regex) for kind, regex in PLAIN_PATTERNS.items()}

    def find(text: str) -> list[Span]:
        people = [Span(span.start, span.stop, "name") for span in names(text).spans if span.type == "PER"]
        return people + [
            Span(*match.span(), kind) for kind, regex in patterns.items() for match in regex.finditer(text)
        ]

    return lambda texts: [find(text) for text in texts]


def tagger() -> Find:
    """Our tagger without any rule."""
    from anamnesis.corpus.deidentification.tagger import tag

    return lambda texts: [said.found for said in tag(texts)]


ENGINES: dict[str, tuple[tuple[str, ...], Callable[[], Find]]] = {
    "rules": (("pymorphy3",), rules),
    "tagger": (("navec",), tagger),
    "rules_and_tagger": (("pymorphy3", "navec"), rules_and_tagger),
    "slovnet": (("natasha", "slovnet", "navec"), slovnet),
    "presidio": (("presidio_analyzer", "spacy"), presidio),
}

if __name__ == "__main__":
    main()
