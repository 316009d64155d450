"""An export from its run to its folder: built beside it, measured there, and put in its place only if it is good."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import GenerationConfig, PreTrainedTokenizerBase

from anamnesis.errors import InputError
from anamnesis.evaluation.domain import CategorySet
from anamnesis.exporting.adapter import on_hub, save_adapter
from anamnesis.exporting.asking import chat_template, generation_settings, modelfile
from anamnesis.exporting.card import About, card
from anamnesis.exporting.gguf import TYPES, convert, converter
from anamnesis.exporting.measuring import Asked, Exported, Fidelity, load_exported, measure, shortfalls
from anamnesis.exporting.merging import check_form, dequantized, merge, model_of_run, precision, save_plain
from anamnesis.exporting.record import RECORD, MadeFrom, digests, made_from
from anamnesis.files import read_json, write_json, written_whole
from anamnesis.folders import put, unfinished
from anamnesis.modeling.loading import load_base
from anamnesis.modeling.source.conversion import unpack
from anamnesis.modeling.source.refusal import UnusableModelError
from anamnesis.modeling.student.saving import RUN, is_trained, saved_models, share_name
from anamnesis.settings.reading import Experiment

CARD, MODELFILE = "README.md", "Modelfile"
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes")


@dataclass(frozen=True)
class Files:
    """Where the experiment's files are, and where exports go."""

    root: Path
    base: Path
    adapters: Path
    categories: Path
    account: Path
    reports: Path
    general_text: Path
    exam: Path
    exports: Path


@dataclass(frozen=True)
class Chosen:
    """One model of a run: the student (`ema-0`), its teacher (`ema_teacher-0`) or a share (`none_share_0_5-0`)."""

    method: str
    seed: int
    model: str

    @property
    def run(self) -> str:
        return f"{self.method}-{self.seed}"

    @property
    def name(self) -> str:
        return f"{self.model}-{self.seed}"


def choose(name: str, experiment: Experiment, files: Files) -> Chosen:
    """The model that is called `name`.

    Raises:
        InputError: there is none, or nothing was trained.
    """
    seed = name.rpartition("-")[2]
    known = {
        f"{one}-{number}": Chosen(method, number, one)
        for method in experiment.methods
        for number in experiment.seeds
        for one in _models(method, files.adapters / f"{method}-{number}")
    }
    if not known:
        raise InputError(f"there is no trained run in {files.adapters.relative_to(files.root)}: run `make repro`.")
    if name not in known:
        same_seed = [one for one in known if re.fullmatch(rf".+-{re.escape(seed)}", one)] or list(known)
        raise InputError(f"RUN is `{name}`, and there is no such trained model: choose one of {same_seed}.")
    chosen = known[name]
    if not is_trained(files.adapters / chosen.run):
        raise InputError(f"RUN is `{name}`, which trains nothing: its model is the base, after retrieved reports.")
    return chosen


def _models(method: str, folder: Path) -> list[str]:
    if not (folder / RUN).is_file():
        return []
    shares = [share_name(method, share) for share in read_json(folder / RUN)["shares"]]
    return [*saved_models(method, folder), *shares]


def export(
    chosen: Chosen,
    form: str,
    experiment: Experiment,
    files: Files,
    details: dict[str, Any] | None,
    synthetic: bool,
    commit: str,
) -> dict[str, Fidelity]:
    """Write the export of a model, measure it, and put it into exports/<name> in the place of an earlier one.

    Args:
        chosen: the model.
        form: merged, adapter or gguf.
        experiment: all parameters.
        files: where everything is.
        details: what `summarize` found, for the card; None if there is nothing that belongs to the run.
        synthetic: whether the corpus is synthetic, for the card.
        commit: of the code, for the record.

    Returns:
        The measurement of each exported file; `.` is the folder.

    Raises:
        InputError: the run has no such form, or the export breaks a bound. Nothing is left of it then, and an earlier
            export stays.
    """
    check_form(chosen.name, experiment.tuner_of(chosen.method), form)
    if form == "gguf":
        converter()
    target = files.exports / chosen.name
    with unfinished(target) as folder:
        dtype = _build(chosen, form, experiment, files, folder)
        # The merged model goes before the evaluated one is loaded.
        gc.collect()
        found = _measured(chosen, experiment, files, folder)
        broken = [f"{name}: {one}" for name, of in found.items() for one in shortfalls(of, experiment.export)]
        if broken:
            raise InputError(_refusal(f"the export of {chosen.name}", broken) + " Nothing was exported.")
        account = read_json(files.account)
        weights, run = files.base / "model.safetensors", files.adapters / chosen.run
        sources = made_from(weights, run, experiment.values, account, details)
        about = About(
            name=chosen.name,
            method=chosen.method,
            model=chosen.model,
            seed=chosen.seed,
            form=form,
            dtype=dtype,
            experiment=experiment,
            hub=on_hub(experiment.model, files.root),
            base_digest=sources.base,
            synthetic=synthetic,
            account=account,
            details=details,
            found=found,
        )
        with written_whole(folder / CARD) as page:
            page.write(card(about))
        write_json(folder / RECORD, _record(about, sources, digests(folder), commit))
        put(folder, target)
    return found


def check_folder(chosen: Chosen, folder: Path, experiment: Experiment, files: Files) -> Fidelity:
    """Measure any folder that is said to hold the model, such as one that was merged elsewhere.

    Raises:
        InputError: it cannot be loaded.
    """
    with _evaluated(chosen, experiment, files) as (student, tokenizer):
        exported = load_exported(folder, files.base, experiment.compute)
        return measure(student, tokenizer, exported, _asked(experiment, files))


def refuse(what: str, found: Fidelity, experiment: Experiment) -> None:
    """Raises InputError if the measurement breaks a bound."""
    if broken := shortfalls(found, experiment.export):
        raise InputError(_refusal(what, broken))


def _refusal(what: str, broken: list[str]) -> str:
    return f"{what} is not the model that was evaluated: {'; '.join(broken)}."


def _build(chosen: Chosen, form: str, experiment: Experiment, files: Files, folder: Path) -> str | None:
    """Write weights, tokenizer and settings into the folder; the precision of the weights, None for an adapter."""
    base, tokenizer = load_base(files.base, experiment.compute)
    length, headings = experiment.evaluation.max_new_tokens, experiment.headings
    generation = generation_settings(tokenizer, length)
    end_of_text = tokenizer.eos_token
    tokenizer.chat_template = chat_template(headings, tokenizer)
    tokenizer.save_pretrained(folder)
    run = files.adapters / chosen.run
    if form == "adapter":
        with model_of_run(base, run, chosen.method, chosen.model) as student:
            save_adapter(student, on_hub(experiment.model, files.root), folder)
        generation.save_pretrained(folder)
        return None
    dtype = precision(base.dtype, experiment.export.dtype)
    with model_of_run(dequantized(base), run, chosen.method, chosen.model) as student:
        save_plain(merge(student), dtype, generation, folder)
    if form == "gguf":
        file = folder / f"{chosen.name}-{TYPES[dtype]}.gguf"
        convert(folder, dtype, file)
        with written_whole(folder / MODELFILE) as page:
            page.write(modelfile(file.name, headings, end_of_text, length))
    return str(dtype).removeprefix("torch.")


def _measured(chosen: Chosen, experiment: Experiment, files: Files, folder: Path) -> dict[str, Fidelity]:
    with _evaluated(chosen, experiment, files) as (student, tokenizer):
        asked, compute = _asked(experiment, files), experiment.compute
        exported = load_exported(folder, files.base, compute)
        found = {".": measure(student, tokenizer, exported, asked)}
        for file in folder.glob("*.gguf"):
            with TemporaryDirectory() as scratch:
                exported = _of_gguf(file, exported, Path(scratch), files.base, experiment)
                found[file.name] = measure(student, tokenizer, exported, asked)
    return found


def _of_gguf(file: Path, merged: Exported, scratch: Path, base: Path, experiment: Experiment) -> Exported:
    """The GGUF file as transformers reads it. It stops as the Modelfile says, which are the folder's own settings."""
    generation: GenerationConfig = merged.model.generation_config
    try:
        unpack(file, scratch, merged.model.dtype)
    except UnusableModelError as error:
        raise InputError(f"{file.name}: {error}") from error
    read = load_exported(scratch, base, experiment.compute)
    read.tokenizer.chat_template = merged.tokenizer.chat_template
    return Exported(read.model, read.tokenizer, generation)


@contextmanager
def _evaluated(chosen: Chosen, experiment: Experiment, files: Files) -> Iterator[tuple[Any, PreTrainedTokenizerBase]]:
    """The model as it was evaluated: on its base as it is, in its own precision."""
    base, tokenizer = load_base(files.base, experiment.compute)
    with model_of_run(base, files.adapters / chosen.run, chosen.method, chosen.model) as student:
        yield student, tokenizer


def _asked(experiment: Experiment, files: Files) -> Asked:
    return Asked(
        evaluation=experiment.evaluation,
        headings=experiment.headings,
        categories=CategorySet(**read_json(files.categories)),
        reports=files.reports,
        general_text=files.general_text,
        exam=files.exam,
    )


def _record(about: About, sources: MadeFrom, files: dict[str, str], commit: str) -> dict[str, Any]:
    """What export.json says: from what the export was made, what was measured, and what its files are."""
    return {
        "name": about.name,
        "form": about.form,
        "method": about.method,
        "model": about.model,
        "seed": about.seed,
        "dtype": about.dtype,
        "hub": asdict(about.hub) if about.hub else None,
        "made_from": asdict(sources),
        "files": files,
        "bounds": asdict(about.experiment.export),
        "measured": {name: asdict(one) for name, one in about.found.items()},
        "commit": commit,
        "packages": {package: version(package) for package in PACKAGES},
    }
