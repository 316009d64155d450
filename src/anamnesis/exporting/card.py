"""The model card: what the model is, what it was trained on, how it was measured, and how it is asked.

It is made of parameters, counts and measurements alone. No file with the text of a report is opened.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anamnesis import markdown
from anamnesis.errors import InputError
from anamnesis.exporting.adapter import HubModel
from anamnesis.exporting.asking import parts_of_prompt
from anamnesis.exporting.measuring import Fidelity
from anamnesis.files import read_json
from anamnesis.settings.modeling import WHEEL_PREFIX, Model
from anamnesis.settings.reading import Experiment

FORMS = ("merged", "adapter", "gguf")
# Of an arm's measures, those that the card shows beside the capability and the adaptation, by the end of their names.
SHOWN = ("_recall_critical", "_acc", "base_text_kl_nats", "template_leak", "conclusion_bits_per_byte", "rouge_l")
DESCRIPTION = "<description>"


@dataclass(frozen=True)
class About:
    """What the card is written from.

    Attributes:
        name: of the export: the model and the seed.
        method, model, seed: the run, and which of its models this is.
        form: merged, adapter or gguf.
        dtype: of the exported weights; None for an adapter.
        experiment: all parameters.
        hub: the base on the hub; None if it is not there.
        base_digest: sha256 of the base's weights.
        synthetic: whether the corpus is the one that the stage `synthesize` writes.
        account: the counts of the corpus.
        details: metrics/details.json; None if the results do not belong to these parameters.
        found: the measurement of the export, by file.
    """

    name: str
    method: str
    model: str
    seed: int
    form: str
    dtype: str | None
    experiment: Experiment
    hub: HubModel | None
    base_digest: str
    synthetic: bool
    account: Mapping[str, Any]
    details: Mapping[str, Any] | None
    found: Mapping[str, Fidelity]


def read_details(file: Path) -> dict[str, Any] | None:
    """What the stage `summarize` found; None if there is no such file.

    Raises:
        InputError: the file cannot be read.
    """
    if not file.is_file():
        return None
    try:
        found: dict[str, Any] = read_json(file)
    except json.JSONDecodeError as error:
        raise InputError(f"{file.name} is damaged ({error}): run `dvc repro summarize`.") from None
    return found


def card(about: About) -> str:
    """The page README.md, with the head that the hub reads."""
    parts = [
        f"# {about.name}",
        _summary(about),
        f"## How to ask it\n\n{_asking(about)}",
        f"## Data\n\n{_data(about)}",
        f"## Method\n\n{_method(about)}",
        f"## Results\n\n{_results(about)}",
        f"## The export against the evaluated model\n\n{_fidelity(about)}",
        f"## Limits\n\n{_limits(about)}",
        f"## Licences\n\n{_licences(about)}",
    ]
    return (
        f"---\n{yaml.safe_dump(_head(about), allow_unicode=True, sort_keys=False)}---\n\n" + "\n\n".join(parts) + "\n"
    )


def described(model: Model, hub: HubModel | None) -> str:
    """Where the base comes from, without the path of a folder on this machine."""
    if hub is not None:
        return f"{hub.name} at revision {hub.revision}"
    if model.source.startswith(WHEEL_PREFIX):
        return f"{model.source.removeprefix(WHEEL_PREFIX)} of the Python package index, sha256 {model.revision}"
    if model.source == "pretrain":
        return "a small model pretrained by this project"
    local = Path(model.source).expanduser()
    return f"the local model {local.name if local.is_absolute() else local}"


def _head(about: About) -> dict[str, Any]:
    licence = about.experiment.export.base_licence
    known = licence is not None and (about.synthetic or about.experiment.export.data_licence is not None)
    head: dict[str, Any] = {
        "language": "ru",
        "license": str(licence).lower() if known else "other",
        "library_name": "peft" if about.form == "adapter" else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["anamnesis", about.form],
    }
    if about.hub is not None:
        head |= {
            "base_model": about.hub.name,
            "base_model_relation": "adapter" if about.form == "adapter" else "finetune",
        }
    return head


def _summary(about: About) -> str:
    of_run = "" if about.model == about.method else f" It is the model `{about.model}` of that run."
    base = described(about.experiment.model, about.hub)
    packed = " in 4 bits (nf4)" if about.experiment.model.quantization == "nf4" else ""
    merged = f"The update is merged into the weights that were evaluated, rounded to {about.dtype}."
    made = {
        "merged": merged,
        "adapter": "The folder holds the adapter alone.",
        "gguf": f"{merged} Beside the plain folder there is a GGUF file by llama.cpp's converter.",
    }[about.form]
    return (
        f"A language model that Anamnesis fine-tuned with the method `{about.method}` (seed {about.seed}) to name the "
        f"category of a report and to write its conclusion.{of_run} Base: {base}{packed}. {made}"
    )


def _asking(about: About) -> str:
    before, after = parts_of_prompt(about.experiment.headings)
    evaluation = about.experiment.evaluation
    return "\n\n".join(
        [
            "The model continues this text with the category and the conclusion. The chat template writes it: its one "
            "message is the description.",
            f"```text\n{before}{DESCRIPTION}{after}\n```",
            f"The answer ends at the end-of-text token or at a line break. Decoding is greedy, with at most "
            f"{evaluation.max_new_tokens} new tokens; `generation_config.json` says so to transformers. Other programs "
            f"have to be told: temperature 0, and a line break to stop at.",
            f"```python\n{_code(about)}\n```",
        ]
    )


def _code(about: About) -> str:
    ask = [
        'message = [{"role": "user", "content": description}]',
        "asked = tokenizer.apply_chat_template(",
        '    message, add_generation_prompt=True, return_tensors="pt", return_dict=True',
        ")",
    ]
    tell = ['print(tokenizer.decode(written[0, asked["input_ids"].shape[1]:], skip_special_tokens=True))']
    if about.form != "adapter":
        return "\n".join(
            [
                "from transformers import AutoModelForCausalLM, AutoTokenizer",
                "",
                f'model = AutoModelForCausalLM.from_pretrained("{about.name}", dtype="auto")',
                f'tokenizer = AutoTokenizer.from_pretrained("{about.name}")',
                *ask,
                "written = model.generate(**asked)",
                *tell,
            ]
        )
    base, how = _base_code(about)
    return "\n".join(
        [
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig",
            *(
                ["import anamnesis.modeling.student.bottleneck  # PEFT has no such adapters of its own"]
                if about.experiment.tuner_of(about.method).kind == "bottleneck"
                else []
            ),
            "",
            *how,
            f'model = PeftModel.from_pretrained({base}, "{about.name}").eval()',
            f'tokenizer = AutoTokenizer.from_pretrained("{about.name}")',
            f'generation = GenerationConfig.from_pretrained("{about.name}")',
            *ask,
            "written = model.generate(**asked, generation_config=generation)",
            *tell,
        ]
    )


def _base_code(about: About) -> tuple[str, list[str]]:
    """Loading the base of an adapter."""
    model = about.experiment.model
    if about.hub is None:
        return "base", ['base = AutoModelForCausalLM.from_pretrained("base", dtype="auto")  # the folder of the base']
    arguments = [f'"{about.hub.name}"', f'revision="{about.hub.revision}"', f'dtype="{model.dtype}"']
    how = []
    if model.quantization == "nf4":
        how = [
            "four_bits = BitsAndBytesConfig(",
            '    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,',
            f'    bnb_4bit_compute_dtype="{model.dtype}",',
            ")",
        ]
        arguments.append("quantization_config=four_bits")
    return "base", [*how, f"base = AutoModelForCausalLM.from_pretrained({', '.join(arguments)})"]


def _data(about: About) -> str:
    account, corpus = about.account, about.experiment.corpus
    kind = (
        "Synthetic reports of thyroid fine-needle aspiration; no patient's report is among them."
        if about.synthetic
        else "Reports of the corpus that the parameters name. Identifiers were "
        + ("replaced by rules, which find nearly all of them." if corpus.deidentification.enabled else "not replaced.")
    )
    counts = account["by_category"]
    names = list(dict.fromkeys(name for part in counts.values() for name in part))
    rows = [[part, account[part], *(counts[part].get(name, 0) for name in names)] for part in counts]
    others = about.experiment.methods[about.method].other_domains
    return "\n\n".join(
        [
            kind,
            markdown.table(["part", "reports", *names], rows),
            f"{account['rows_in']} rows were read, {account['duplicates']} were duplicates, {account['quarantined']} "
            f"were refused. Reports of a patient, and near duplicates, are in one part.",
            *([f"It was also trained in the domains {', '.join(others)}."] if others else []),
        ]
    )


def _method(about: About) -> str:
    values, experiment = about.experiment.values, about.experiment
    arm = {key: value for key, value in values[about.method].items() if key != "shares"}
    tuner = arm.pop("tuner", values["tuner"])
    stated = {
        about.method: arm,
        "tuner": tuner,
        "training": values["training"],
        "optimization": values["optimization"],
        "base": {"quantization": experiment.model.quantization, "dtype": experiment.model.dtype},
    }
    retrieval = experiment.methods[about.method].retrieval
    lines = [f"```yaml\n{yaml.safe_dump(stated, allow_unicode=True, sort_keys=False)}```"]
    if retrieval is not None:
        lines.append(
            f"In evaluation the model read the {retrieval.reports} most similar training reports before each question. "
            f"The export has no reports, and the chat template asks without them."
        )
    return "\n\n".join(lines)


def _results(about: About) -> str:
    details = about.details
    if details is None or about.model not in details["arms"]:
        return "No results belong to these parameters: run `make repro` and export again."
    arm, base = details["arms"][about.model], details["arms"].get("base", {})
    main = [details["capability"], details["adaptation"]]
    keys = [key for key in main if key in arm]
    keys += [key for key in arm if key not in keys and key.endswith(SHOWN)]
    seeds = arm[keys[0]]["seeds"] if keys else 0
    rows = [[f"`{key}`", _interval(base.get(key)), _of_seed(arm[key], about.seed), _interval(arm[key])] for key in keys]
    table = markdown.table(
        ["measure", "base", f"this run (seed {about.seed})", f"`{about.model}`, {seeds} seeds"], rows
    )
    split = details["provenance"].get("split", "validation")
    return "\n\n".join([*_verdict(about, details), f"Measured on the {split} split, with 95 % intervals.", table])


def _verdict(about: About, details: Mapping[str, Any]) -> list[str]:
    found = (details.get("verdicts") or {}).get(about.model)
    if found is None:
        return []
    return [
        f"**{found['verdict']}** against the limits of the experiment:",
        "\n".join(f"- {r}" for r in found["reasons"]),
    ]


def _interval(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    return f"{one['estimate']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _of_seed(one: Mapping[str, Any], seed: int) -> str:
    value = (one.get("by_seed") or {}).get(str(seed))
    return "" if value is None else f"{value:.3f}"


def _fidelity(about: About) -> str:
    said: Sequence[str] = [
        f"{'The folder' if name == '.' else f'`{name}`'}, as transformers loads it:\n\n"
        + "\n".join(f"- {line}" for line in one.sentences())
        for name, one in about.found.items()
    ]
    return "\n\n".join(
        [*said, "The model that was evaluated is the base in its own precision with the trained update."]
    )


def _limits(about: About) -> str:
    lines = [
        "It is a research model, and no medical device: do not decide about a patient by it.",
        f"It names one of {len(about.account['by_category']['train'])} categories whatever it reads, and reads "
        f"descriptions in Russian in the layout above. What it has forgotten of its base is among the results.",
        "What is said here was measured on held-out reports of the same corpus. Another laboratory's may differ.",
    ]
    if about.synthetic:
        lines.append("The synthetic corpus is templated, and no cytologist has reviewed it.")
    else:
        lines.append("A model may repeat what it was trained on: treat its weights as confidential as the reports.")
    return "\n".join(f"- {line}" for line in lines)


def _licences(about: About) -> str:
    settings = about.experiment.export
    base = settings.base_licence or "not stated"
    data = settings.data_licence or (
        "the synthetic corpus is written by Anamnesis (Apache-2.0)"
        if about.synthetic
        else "not stated; ask the owner of the reports before you pass the model on"
    )
    lines = [f"- Base: {base}; weights sha256 `{about.base_digest}`.", f"- Data: {data}."]
    if about.form == "adapter" and about.hub is None:
        lines.append(
            "- The base is not on the hub, and `adapter_config.json` names none: pass the folder models/base on with "
            "the adapter, and load it by its path as above. `dvc repro base` makes it again from the same sources."
        )
    return "\n".join(lines)
