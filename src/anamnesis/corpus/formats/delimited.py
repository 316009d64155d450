"""Delimited text: .csv, .tsv and .txt."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.sources import LONGEST_LINE, Source
from anamnesis.corpus.formats.tables import HEADER_ROWS, find_header, read_table
from anamnesis.corpus.refusals import CorpusError, Refusal
from anamnesis.settings.corpus import Corpus

DELIMITERS = (";", ",", "\t", "|")


def read_delimited(source: Source) -> Iterator[Read]:
    csv.field_size_limit(LONGEST_LINE)
    settings = source.settings
    with source.lines() as lines:
        beginning = list(islice(lines, 5 * HEADER_ROWS))
        delimiter = settings.delimiter or _delimiter(beginning, settings)
        yield from read_table(_records(chain(beginning, lines), delimiter, source.label), source.label, source)


def _records(lines: Iterable[str], delimiter: str, place: str | None = None) -> Iterator[Sequence[str] | Refusal]:
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(watched(), delimiter=delimiter, strict=True)
    while True:
        begun = reader.line_num + 1
        taken.clear()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The parser continues after the broken record, unless the record extends to the end of the file.
            if "end of data" in str(error) or "field limit" in str(error):
                if place is None:
                    return
                raise CorpusError(
                    f"corpus.path: a quote opened at line {begun} of {place} is never closed; close it."
                ) from None
            yield Refusal.BROKEN_QUOTES
        else:
            if any(_is_whole(line, delimiter, len(record)) for line in taken[1:]):
                # A stray quote has joined rows, perhaps of several patients.
                yield from [Refusal.BROKEN_QUOTES] * len(taken)
            elif record:
                yield record


def _is_whole(line: str, delimiter: str, width: int) -> bool:
    """Whether a line would be a record by itself, in a table of more than one column."""
    return width > 1 and line.count('"') % 2 == 0 and line.count(delimiter) == width - 1


def _delimiter(beginning: Sequence[str], settings: Corpus) -> str:
    """The delimiter that finds the declared columns and gives most rows the same width."""

    def fitness(delimiter: str) -> tuple[bool, int, int]:
        records = [record for record in _records(beginning, delimiter) if not isinstance(record, Refusal)]
        header = find_header(records, settings)
        position = header.position if header else 0
        width = len(records[position]) if records else 0
        alike = sum(len(record) == width for record in records[position:])
        return header is not None, alike if header is not None else 0, width

    return max(DELIMITERS, key=fitness)
