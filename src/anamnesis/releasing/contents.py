"""What is in a release, as text or as the file to copy, by its path in the release."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anamnesis import markdown
from anamnesis.errors import InputError
from anamnesis.hashes import digest
from anamnesis.publishing.shelf import REPORT
from anamnesis.publishing.verdicts import ArmVerdict
from anamnesis.releasing.checking import PROVENANCE, SUMS, VERDICT

PAGE = "README.md"
# The section of the report with conclusions that were written, and those of the reports. Only the report of a synthetic
# corpus has it; no release has.
EXAMPLES = re.compile(r"^## Conclusions as written\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)

Content = Path | str


def gather(root: Path, kept: Iterable[Path], export: Path, name: str, verdict: ArmVerdict) -> dict[str, Content]:
    """Everything but the provenance and the checksums.

    Args:
        root: the checkout.
        kept: the files that are copied as they are, from the root on.
        export: the exported folder.
        name: of the release.
        verdict: on the exported model.

    Raises:
        InputError: a file is missing.
    """
    if missing := [path for path in (*kept, REPORT) if not (root / path).is_file()]:
        raise InputError(f"there is no {missing[0]}: run `make repro`.")
    exported = {
        f"{export.name}/{path.relative_to(export).as_posix()}": path
        for path in sorted(export.rglob("*"))
        if path.is_file()
    }
    return {
        PAGE: page(name, export.name, verdict),
        VERDICT: as_json(asdict(verdict)),
        **exported,
        **{path.as_posix(): root / path for path in kept},
        REPORT.as_posix(): EXAMPLES.sub("", (root / REPORT).read_text(encoding="utf-8")),
    }


def page(name: str, run: str, verdict: ArmVerdict) -> str:
    """The first page: the verdict, what is where, and how to check it."""
    files = [
        [f"`{run}/`", f"the model, as `make export` wrote and measured it; [its card]({run}/README.md)"],
        [f"`{VERDICT}`", "the verdict for programs: the arm, the limits, and each with its number"],
        ["`reports/`", "the report with all numbers and intervals, and the account of the corpus in counts"],
        ["`metrics/summary.json`", "the main numbers of every arm"],
        ["`params.yaml`, `profiles/`, `dvc.lock`", "the parameters, and the hashes of what every stage read and wrote"],
        [f"`{PROVENANCE}`", "from what this was made: an in-toto statement with SLSA provenance, not signed"],
        [f"`{SUMS}`", "the checksum of every other file"],
    ]
    return f"""# {name}

The model `{run}` of Anamnesis. The verdict on `{verdict.arm}` against the limits in `{VERDICT}`, on the \
{verdict.split} split:

```text
{verdict.page()}
```

{markdown.table(["file", "content"], files)}

`sha256sum -c {SUMS}` finds a file that was damaged or changed. `make release CHECK=<this folder>`, in a checkout of
Anamnesis, also finds files that were added, and reads provenance and verdict. Whoever can change a file can change
`{SUMS}` with it: compare its own sha256 with one that came to you another way, or check a signature on it.
"""


def as_json(value: Mapping[str, Any]) -> str:
    """Indented JSON: the same content always gives the same text."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def digest_of(content: Content) -> str:
    """sha256 of what the file in the release will hold."""
    return hashlib.sha256(content.encode()).hexdigest() if isinstance(content, str) else digest(content)
