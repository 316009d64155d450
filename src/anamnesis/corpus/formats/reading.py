"""All rows of an export: finds its files, and reads each with the reader of its kind."""

import gzip
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anamnesis.corpus.formats.cells import Read
from anamnesis.corpus.formats.delimited import read_delimited
from anamnesis.corpus.formats.json_objects import read_json, read_json_lines
from anamnesis.corpus.formats.kinds import ending, kind_of, refuse_foreign
from anamnesis.corpus.formats.pages import read_page
from anamnesis.corpus.formats.parquet import read_parquet
from anamnesis.corpus.formats.sources import Source
from anamnesis.corpus.formats.workbooks import read_workbook
from anamnesis.corpus.refusals import CorpusError, Notice
from anamnesis.settings.corpus import Corpus

READERS: dict[str, Callable[[Source], Iterator[Read]]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".xlsx": read_workbook,
    ".xls": read_workbook,
    ".ods": read_workbook,
    ".html": read_page,
    ".htm": read_page,
    ".parquet": read_parquet,
}


@dataclass(frozen=True)
class Row:
    """One record: its file, its number in the file (from 1, without the header), its cells or the refusal."""

    file: str
    number: int
    read: Read


def read_rows(
    settings: Corpus, watch: Callable[[int], object] = lambda _: None, noticed: Counter[Notice] | None = None
) -> Iterator[Row]:
    """All rows of `corpus.path`, a file or a folder of files (sorted by name).

    Args:
        watch: receives the number of bytes of each read.
        noticed: counts what is unusual in the files.

    Raises:
        CorpusError: a file is missing, of an unknown kind, cut off, not what its name says, or lacks a column.
    """
    root = Path(settings.path)
    empty = True
    noticed = Counter() if noticed is None else noticed
    noticed[Notice.LOCK_FILES] += len(_lock_files(root))
    for place, path in enumerate(corpus_files(settings), start=1):
        name = path.relative_to(root).as_posix() if path != root else path.name
        # The name of a file in a folder may be a patient's.
        label = str(path) if path == root else f"file {place} of {root} (by name)"
        with _plain_errors(label):
            reader = READERS[kind_of(path, label, settings)]
            noticed[Notice.OTHER_KIND] += reader is not READERS[ending(path)]
            for number, read in enumerate(reader(Source(path, label, settings, watch, noticed)), start=1):
                empty = False
                yield Row(name, number, read)
    if empty:
        raise CorpusError(f"corpus.path: {root} holds no reports; give a file with at least a few hundred.")


def corpus_files(settings: Corpus) -> list[Path]:
    """The file itself, or the files of a folder without hidden files and lock files.

    Raises:
        CorpusError: there is no file, or one that is not a table.
    """
    root = Path(settings.path)
    if root.is_dir():
        files = [path for path in _files(root) if not _is_lock_file(path)]
        if not files:
            raise CorpusError(f"corpus.path: the folder {root} holds no files; put the corpus there.")
        if broken := [place for place, path in enumerate(files, start=1) if not os.access(path, os.F_OK)]:
            raise CorpusError(
                f"corpus.path: file {broken[0]} of {root} (by name) is a link to a file that is not there; put it "
                f"there, or remove the link."
            )
        if others := [path for path in files if ending(path) not in READERS]:
            for path in others:
                _refuse_foreign(path, f"file {files.index(path) + 1} of {root} (by name)", settings)
            endings = sorted({path.suffix for path in others if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", path.suffix)})
            raise CorpusError(
                f"corpus.path: the folder {root} holds {len(others)} files that cannot be read (endings: {endings}); "
                f"remove them, or save them as one of {sorted(READERS)}."
            )
        return files
    if not root.exists():
        raise CorpusError(
            f"corpus.path: there is no file or folder {root}; put the corpus there, or set corpus.path to where it is."
        )
    if _is_lock_file(root):
        raise CorpusError(
            f"corpus.path: {root} is a lock file, which a program writes while the table is open; close the table, and "
            f"give its own file."
        )
    if ending(root) not in READERS:
        _refuse_foreign(root, str(root), settings)
        raise CorpusError(
            f"corpus.path: {root} ends in {root.suffix or 'nothing'}; give a file of one of the kinds "
            f"{sorted(READERS)}, or a folder of them."
        )
    return [root]


def _refuse_foreign(path: Path, label: str, settings: Corpus) -> None:
    with _plain_errors(label):
        refuse_foreign(path, label, settings)


def _files(folder: Path) -> list[Path]:
    """The files in a folder and its subfolders, by name, without the hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _lock_files(root: Path) -> list[Path]:
    return [path for path in _files(root) if _is_lock_file(path)] if root.is_dir() else []


def _is_lock_file(path: Path) -> bool:
    return path.name.startswith("~$") or path.name.lower() in ("thumbs.db", "desktop.ini")


@contextmanager
def _plain_errors(label: str) -> Iterator[None]:
    """Turns a library's error about a file into one sentence; the library's own text may quote a row."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise CorpusError(
            f"corpus.path: {label} is not a complete gzip file: it is cut off or damaged; copy it again."
        ) from None
    except UnicodeError as error:
        raise CorpusError(
            f"corpus.path: {label} cannot be decoded as {getattr(error, 'encoding', 'text')}; set corpus.encoding to "
            f"its encoding, or save it as UTF-8."
        ) from None
    except OSError as error:
        raise CorpusError(f"corpus.path: {label} cannot be read ({error.strerror}); check its permissions.") from None
