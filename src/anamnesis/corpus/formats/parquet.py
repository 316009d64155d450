"""Parquet."""

from collections.abc import Iterator

from anamnesis.corpus.columns import check_columns
from anamnesis.corpus.formats.cells import CellReader, Read
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.refusals import CorpusError


def read_parquet(source: Source) -> Iterator[Read]:
    # Imported here, so that processes that only prepare rows do not load it.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    with source.open_seekable() as file:
        try:
            with ParquetFile(file) as table:
                check_columns(table.schema_arrow.names, source.settings.columns, source.label)
                wanted = sorted(set(source.settings.columns.named.values()))
                reader = CellReader(source)
                for batch in table.iter_batches(batch_size=1000, columns=wanted):
                    for record in batch.to_pylist():
                        yield reader.read(record)
        except (ArrowException, OSError, UnicodeDecodeError):
            raise CorpusError(
                f"corpus.path: {source.label} is not a Parquet file that can be read: it is damaged."
            ) from None
