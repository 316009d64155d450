"""From what a release was made: an in-toto Statement v1 with a SLSA provenance v1 predicate, as plain JSON.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and https://slsa.dev/spec/v1.0/provenance name the
fields. docs/release.md is the specification of the build type.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:anamnesis:release:v1"
# Whoever runs the command, on a machine of their own: no level of SLSA is claimed.
BUILDER = "urn:anamnesis:builder:own-machine"
# What the statement says of the export itself; the rest of the record goes along as a file.
EXPORTED = ("form", "dtype", "commit", "packages")


@dataclass(frozen=True)
class Build:
    """What a release was made from.

    Attributes:
        run: the exported model.
        parameters: all parameters.
        commit: of the code.
        export: the export's record.
        reports: sha256 of each file of prepared reports, by its path in the checkout.
        packages: the installed version of each package that requirements.lock names; None for one that is missing.
    """

    run: str
    parameters: Mapping[str, Any]
    commit: str
    export: Mapping[str, Any]
    reports: Mapping[str, str]
    packages: Mapping[str, str | None]


def statement(subjects: Mapping[str, str], build: Build) -> dict[str, Any]:
    """The statement that files (sha256 by path in the release) came out of a build."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in sorted(subjects.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"run": build.run, "parameters": build.parameters},
                "internalParameters": {"export": {key: build.export[key] for key in EXPORTED}},
                "resolvedDependencies": _dependencies(build),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"python": platform.python_version(), "dvc": version("dvc")}},
            },
        },
    }


def _dependencies(build: Build) -> list[dict[str, Any]]:
    sources, hub = build.export["made_from"], build.export["hub"]
    on_hub = {} if hub is None else {"uri": f"pkg:huggingface/{hub['name']}@{hub['revision']}"}
    return [
        {"name": "code", "digest": {"gitCommit": build.commit}},
        {"name": "base", **on_hub, "digest": {"sha256": sources["base"]}},
        *({"name": path, "digest": {"sha256": value}} for path, value in sorted(build.reports.items())),
        *(
            {"name": name, "uri": f"pkg:pypi/{canonicalize_name(name)}@{quote(installed, safe='')}"}
            for name, installed in sorted(build.packages.items())
            if installed is not None
        ),
    ]
