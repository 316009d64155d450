"""Refuse wrong parameters and a missing corpus before any long work starts."""

from collections import Counter
from pathlib import Path

import click

from anamnesis.errors import InputError
from anamnesis.knowledge.facts import load_facts
from anamnesis.settings.corpus import Corpus, Domains
from anamnesis.settings.evaluation import FACTS as EXAMS_ON_FACTS
from anamnesis.settings.evaluation import Evaluation
from anamnesis.settings.experiment import check_all, check_synthetic
from anamnesis.settings.knowledge import Knowledge
from anamnesis.settings.methods import Method
from anamnesis.settings.sections import read_yaml, section
from anamnesis.settings.synthesis import Synthesis
from anamnesis.settings.training import Optimization
from anamnesis.settings.verdict import Verdict
from stages import ROOT
from stages._paths import EXAM, FACTS
from stages._stage import stage


@click.command(help=__doc__)
@stage
def main() -> None:
    check_all(ROOT)
    science = read_yaml(ROOT / "params.yaml")
    corpus = section(science, "corpus", Corpus)
    if corpus.path in _outputs():
        scale = read_yaml(ROOT / f"profiles/{science['profile']}.yaml")
        check_synthetic(corpus, section(science, "synthesis", Synthesis), section(scale, "optimization", Optimization))
    elif not Path(corpus.path).exists():
        raise InputError(missing_corpus(corpus.path, ROOT))
    for name in science["methods"]:
        method = section(science, name, Method)
        check_replayed(name, method)
        check_there(name, method, section(science, "domains", Domains))
    evaluation = section(read_yaml(ROOT / f"profiles/{science['profile']}.yaml"), "evaluation", Evaluation)
    if evaluation.tasks.keys() - EXAMS_ON_FACTS:
        # The harness takes seconds to load.
        from anamnesis.evaluation.definitions import check_tasks

        check_tasks(evaluation, section(science, "verdict", Verdict).capability, EXAM)
    if evaluation.text_metrics:
        from anamnesis.evaluation.text_metrics import scorer

        for metric in evaluation.text_metrics:
            scorer(metric)
    check_questions(section(science, "knowledge", Knowledge).questions_per_subject)


def check_replayed(name: str, method: Method) -> None:
    """Refuse a replay of another task whose file is not there."""
    if method.replay is not None and method.replay.path is not None and not Path(method.replay.path).is_file():
        raise InputError(
            f"params.yaml: `{name}.replay.path`: there is no file {method.replay.path}; put the examples there, or "
            f"remove `{name}` from `methods`."
        )


def check_there(name: str, method: Method, domains: Domains) -> None:
    """Refuse a domain of the method whose file is not there."""
    for domain in method.other_domains:
        if not Path(domains[domain].path).exists():
            raise InputError(
                f"params.yaml: `domains.{domain}.path`: there is no file or folder {domains[domain].path}; put the "
                f"reports there (data/domains/README.md says which), or remove `{name}` from `methods`."
            )


def missing_corpus(path: str, root: Path) -> str:
    """What to do about a corpus that is not there."""
    if ".dvc/tmp/exps/" in root.as_posix():
        return (
            f"corpus.path: {path} is not in the temporary copy that `dvc exp run --temp` and `--queue` work in, which "
            f"has only what Git or DVC tracks; set corpus.path to an absolute path, or leave these options out."
        )
    return f"corpus.path: there is no file or folder {path}; put the corpus there, or set corpus.path to where it is."


def check_questions(wanted: int) -> None:
    """Refuse more questions on a subject than its facts can be asked: each once in each language it is taught in."""
    questions = Counter[str]()
    for fact in load_facts(FACTS):
        questions[fact.subject_area] += len(fact.taught)
    subject, fewest = min(questions.items(), key=lambda pair: pair[1])
    if wanted > fewest:
        raise InputError(
            f"params.yaml: `knowledge.questions_per_subject` is {wanted}, and the facts of {FACTS} give {fewest} on "
            f"{subject}: lower it, or add facts."
        )


def _outputs() -> list[str]:
    return read_yaml(ROOT / "dvc.yaml")["stages"]["synthesize"]["outs"]


if __name__ == "__main__":
    main()
