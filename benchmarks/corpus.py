"""How preparing a corpus scales with the export: time, peak memory of all its processes, and the exponent.

For each size it writes an export, a CSV of synthetic reports; every second one names a patient and a visit. It measures
what the stage `corpus` does, from the file to the three parts.
"""

import csv
import logging
import random
import subprocess
import sys
import time
from dataclasses import replace
from math import log
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import psutil

from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.markdown import table
from anamnesis.settings.corpus import Columns, Corpus
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.synthesis import synthesize
from benchmarks import ROOT, numbers

CHUNK = 10_000
SURNAMES = ("Иванова", "Петрова", "Сидорова", "Кузнецова", "Галиева", "Шевченко", "Мкртчян", "Белых")
MEGABYTE = 2**20


def chunk(place: tuple[int, int]) -> list[list[str]]:
    """Rows of patient, description, conclusion, category."""
    seed, reports = place
    parameters = section(read_yaml(ROOT / "params.yaml"), "synthesis", Synthesis)
    rng = random.Random(seed)
    rows = []
    for row in synthesize(replace(parameters, reports=reports, seed=seed)):
        patient, head = f"{seed}-{row['patient_id']}", ""
        if rng.random() < 0.5:
            day = f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.20{rng.randint(10, 25)}"
            head = (
                f"Пациентка {rng.choice(SURNAMES)} {rng.choice('АБВГДЕ')}.{rng.choice('АБВГДЕ')}., "
                f"19{rng.randint(30, 99)} г.р., и/б № {rng.randint(1000, 99999)}, {day}. "
            )
        rows.append([patient, head + row["description"], row["conclusion"], row["category"]])
    return rows


def make_export(path: Path, reports: int) -> None:
    places = [(seed, min(CHUNK, reports - start)) for seed, start in enumerate(range(0, reports, CHUNK))]
    with path.open("w", encoding="utf-8", newline="") as file, Pool() as pool:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Пациент", "Описание", "Заключение", "Категория"])
        for rows in pool.imap(chunk, places):
            writer.writerows(rows)


def settings(path: Path) -> Corpus:
    columns = Columns(
        text=None, description="Описание", conclusion="Заключение", category="Категория", patient="Пациент"
    )
    return replace(section(read_yaml(ROOT / "params.yaml"), "corpus", Corpus), path=str(path), columns=columns)


def measured(export: Path) -> tuple[float, int]:
    """Seconds and peak resident memory (bytes, all processes together) of one preparation in a fresh process."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.corpus", "--prepare", str(export)], cwd=ROOT)
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            family = [watched, *watched.children(recursive=True)]
            peak = max(peak, sum(one.memory_info().rss for one in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.1)
    if process.returncode:
        raise click.ClickException("the preparation failed")
    return time.perf_counter() - start, peak


@click.command(help=__doc__)
@click.option("--reports", default="10000,100000,1000000", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="For the exports, a few gigabytes. Default: temporary.")
@click.option("--prepare", type=click.Path(path_type=Path), hidden=True)
def main(reports: str, folder: Path | None, prepare: Path | None) -> None:
    if prepare is not None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        prepare_corpus(settings(prepare), prepare.parent / "parts", prepare.parent / "quarantine.jsonl")
        return
    rows: list[list[str]] = []
    before: tuple[int, float] | None = None
    with TemporaryDirectory(dir=folder) as temporary:
        for size in numbers(reports):
            export = Path(temporary) / f"{size}.csv"
            make_export(export, size)
            megabytes = export.stat().st_size / MEGABYTE
            seconds, peak = measured(export)
            exponent = f"{log(seconds / before[1]) / log(size / before[0]):.2f}" if before else ""
            rate = f"{size / seconds:.0f}"
            rows.append([str(size), f"{megabytes:.0f}", f"{seconds:.1f}", rate, f"{peak / MEGABYTE:.0f}", exponent])
            before = (size, seconds)
            export.unlink()
    header = ["reports", "export, MB", "seconds", "reports/s", "peak memory, MB", "exponent"]
    click.echo(table(header, rows))


if __name__ == "__main__":
    main()
