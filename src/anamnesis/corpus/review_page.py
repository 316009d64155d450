"""A page for a person to check de-identification: randomly chosen reports before and after it, with the changes marked.

One file without scripts that loads nothing. Its text may identify patients: it is written below data/ only.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from html import escape
from pathlib import Path
from typing import Any

from anamnesis.canaries import is_canary
from anamnesis.corpus.formats import read_rows
from anamnesis.corpus.pseudonyms import Pseudonyms
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.reports import Preparer, Report
from anamnesis.corpus.review import rows_needed
from anamnesis.settings.corpus import Corpus

_TOKEN = re.compile(r"\[[А-ЯЁ]{3,8}\]|\w+|[^\w\s]")
FIELDS = ("description", "conclusion")


@dataclass(frozen=True)
class Pair:
    """A report before and after de-identification, and its number in the export."""

    number: int
    before: Report
    description: str
    conclusion: str


def draw(settings: Corpus, parts: Sequence[Path], size: int, seed: str) -> list[Pair]:
    """A random sample of the prepared reports, in random order.

    Args:
        parts: the files of the split.
        seed: the same seed gives the same sample. With the fingerprint of the corpus, new rules give another sample: in
            the old one, they would look better than they are.

    Raises:
        CorpusError: the export is not the one that the parts were made from.
    """
    total = sum(1 for _ in _reports(parts))
    chosen = random.Random(seed).sample(range(total), min(size, total))
    places = set(chosen)
    found = {place: report for place, report in enumerate(_reports(parts)) if place in places}
    after = [found[place] for place in chosen]
    before = _before(settings, {report["report"] for report in after})
    if any(_differ(before.get(report["report"]), report) for report in after):
        raise CorpusError(
            f"corpus.path: {settings.path} is not the export that the reports in data/prepared were made from; run "
            f"`dvc repro corpus` first."
        )
    return [
        Pair(report["report"], before[report["report"]], report["description"], report["conclusion"])
        for report in after
    ]


def _differ(before: Report | None, after: Mapping[str, Any]) -> bool:
    return before is None or before.category != after["category"]


def _reports(parts: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Those of the export: canaries are in the training part only."""
    for path in parts:
        with path.open(encoding="utf-8") as file:
            yield from (report for report in map(json.loads, file) if not is_canary(report))


def _before(settings: Corpus, numbers: set[int]) -> dict[int, Report]:
    """The reports with these numbers, cleaned but not de-identified."""
    plain = replace(settings.deidentification, enabled=False, key_variable=None, max_date_shift_days=None)
    prepare = Preparer(replace(settings, deidentification=plain), Pseudonyms(None, None))
    found: dict[int, Report] = {}
    for number, row in enumerate(read_rows(settings), start=1):
        if number in numbers and isinstance(report := prepare.prepare(row), Report):
            found[number] = report
            if len(found) == len(numbers):
                break
    return found


def marked(before: str, after: str) -> tuple[str, str]:
    """Both texts as HTML: what is only in one of them is marked."""
    old, new = (list(_TOKEN.finditer(text)) for text in (before, after))
    matcher = SequenceMatcher(None, [token[0] for token in old], [token[0] for token in new], autojunk=False)
    changes = [code[1:] for code in matcher.get_opcodes() if code[0] != "equal"]
    return (
        _with_marks(before, [_span(old, start, end) for start, end, _, _ in changes if start < end]),
        _with_marks(after, [_span(new, start, end) for _, _, start, end in changes if start < end]),
    )


def _span(tokens: Sequence[re.Match[str]], start: int, end: int) -> tuple[int, int]:
    return tokens[start].start(), tokens[end - 1].end()


def _with_marks(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, done = [], 0
    for start, end in spans:
        parts += [escape(text[done:start]), f"<mark>{escape(text[start:end])}</mark>"]
        done = end
    return "".join([*parts, escape(text[done:])])


_STYLE = """
body{font:16px/1.45 sans-serif;max-width:75em;margin:2em auto;padding:0 1em;counter-reset:read leaks}
table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ccc}
article{border-top:2px solid #999;padding:.6em 0;break-inside:avoid}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1.5em}
.pair p{white-space:pre-wrap;margin:.3em 0;overflow-wrap:anywhere}
.before mark{background:#ffd8a8}.after mark{background:#c3e6cb}
.read:checked{counter-increment:read}.leak:checked{counter-increment:leaks}
.reads::after{content:counter(read)}.leaks::after{content:counter(leaks)}
"""


def page(pairs: Sequence[Pair], reports: int) -> str:
    """The page.

    Args:
        pairs: the sample.
        reports: the number of reports that it was drawn from.
    """
    articles = "".join(_article(place, pair) for place, pair in enumerate(pairs, start=1))
    sizes = "".join(
        f"<tr><td>{per_thousand}</td>"
        + "".join(f"<td>{rows_needed(per_thousand / 1000, leaks)}</td>" for leaks in range(3))
        + "</tr>"
        for per_thousand in (20, 10, 5, 2, 1)
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex"><title>De-identification: a sample to read</title><style>{_STYLE}</style></head>
<body><h1>De-identification: a sample to read</h1>
<p><strong>This page holds patients' texts.</strong> Keep it where the export may be kept, and delete it afterwards.</p>
<p>{len(pairs)} of {reports} reports, chosen at random: on the left as exported and cleaned, on the right as the model
reads them. Marked on the left: what was replaced or removed; on the right: what replaced it. Read the right side. Tick
<em>leak</em> if anything there could identify a person, such as a name, a date, a number, an address or a rare
circumstance. You may stop anywhere: count the reports read so far, from the first on.</p>
<table><tr><th>to state, with 95 % confidence, at most … reports with a leak in 1,000,</th><th>read without a leak</th>
<th>with 1</th><th>with 2</th></tr>{sizes}</table>
{articles}<hr><p>Read: <strong class="reads"></strong>, with a leak: <strong class="leaks"></strong>. Record it with
<code>make sample READ=<span class="reads"></span> LEAKS=<span class="leaks"></span></code>.</p></body></html>
"""


def _article(place: int, pair: Pair) -> str:
    before, after = [], []
    for field in FIELDS:
        old, new = marked(getattr(pair.before, field), getattr(pair, field))
        before.append(f"<p>{old}</p>")
        after.append(f"<p>{new}</p>")
    return (
        f'<article><label><input type="checkbox" class="read"> {place}: read</label> '
        f'<label><input type="checkbox" class="leak"> leak</label> (row {pair.number} of the export)'
        f'<div class="pair"><div class="before">{"".join(before)}</div>'
        f'<div class="after">{"".join(after)}</div></div></article>\n'
    )
