"""`model.source`: the base is what its folder says, or one sentence says what is wrong with the folder."""

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import MODEL_ARCH_NAMES, GGMLQuantizationType, GGUFWriter, TokenType, get_tensor_name_map, quants
from httpx2 import ConnectError, Request, Response
from huggingface_hub import errors
from lm_eval.api.instance import Instance
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
)

from anamnesis.errors import InputError
from anamnesis.evaluation.harness import language_model
from anamnesis.methods.supervision import IGNORED
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.source import files, weights
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.source.tokenizers import SAMPLE
from anamnesis.rendering import completion, prompt
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import SettingsError
from anamnesis.training.data import encode_report, encode_reports
from tests import sources
from tests.conftest import CPU, HEADINGS
from tests.sources import edit_json, edit_weights, four_bit, gemma3, llama, qwen2, with_config

PLAIN = Model(source="set by each test", revision=None, quantization="none", dtype="float32")
FOUR_BIT = replace(PLAIN, quantization="nf4")
MODEL_ARCH_BY_NAME = {name: architecture for architecture, name in MODEL_ARCH_NAMES.items()}


def obtained(folder: Path, model: Model = PLAIN) -> tuple[PreTrainedModel, Any]:
    return obtain(replace(model, source=str(folder)), CPU, folder.parent / "scratch")


def logits(model: PreTrainedModel) -> Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 40)[None]).logits


# ---- Refused -----------------------------------------------------------------------------------------------------


def without(part: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda weights: {name: weight for name, weight in weights.items() if part not in name}


def adapter_alone(folder: Path) -> Path:
    qwen2(folder.parent / "elsewhere")
    folder.mkdir()
    edit_json(_new(folder / "adapter_config.json"), peft_type="LORA", base_model_name_or_path="../elsewhere")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def adapter_beside(folder: Path) -> Path:
    edit_json(_new(qwen2(folder) / "adapter_config.json"), peft_type="LORA", base_model_name_or_path="elsewhere")
    return folder


def other_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    qwen2(folder)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    tokenizer.save_pretrained(folder)
    return with_config(folder, vocab_size=len(tokenizer))


def no_tokenizer(folder: Path) -> Path:
    for file in qwen2(folder).glob("tokenizer*"):
        file.unlink()
    return folder


def no_offsets(folder: Path) -> Path:
    """A tokenizer class of transformers that splits in Python, into characters."""
    edit_json(llama(folder) / "tokenizer_config.json", tokenizer_class="CanineTokenizer", backend="custom")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    return folder


def in_place(folder: Path, name: str, content: bytes | str) -> Path:
    if isinstance(content, str):
        content = content.encode()
    for file in folder.glob("model*"):
        file.unlink()
    (folder / name).write_bytes(content)
    return folder


def cut(folder: Path) -> Path:
    whole = (qwen2(folder) / sources.WEIGHTS).read_bytes()
    return in_place(folder, sources.WEIGHTS, whole[: len(whole) // 2])


def with_code(folder: Path) -> Path:
    in_place(qwen2(folder), "pytorch_model.bin", b"")
    torch.save({"model.norm.weight": Path("an object of any class")}, folder / "pytorch_model.bin")
    return folder


def a_shard_missing(folder: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(qwen2(folder))
    (folder / sources.WEIGHTS).unlink()
    model.save_pretrained(folder, max_shard_size="100KB")
    sorted(folder.glob("model-*"))[1].unlink()
    return folder


def packed_without_a_word(folder: Path) -> Path:
    return with_config(four_bit(folder), quantization_config=None)


def four_bit_in_config_alone(folder: Path) -> Path:
    own = json.loads((four_bit(folder.parent / "other") / "config.json").read_text())["quantization_config"]
    return with_config(qwen2(folder), quantization_config=own)


def a_file(folder: Path) -> Path:
    return qwen2(folder) / sources.WEIGHTS


def gguf_in_a_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF")
    return folder


def not_finite(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights | {"model.norm.weight": torch.full_like(weights["model.norm.weight"], torch.nan)}


def _new(file: Path) -> Path:
    file.write_text("{}")
    return file


REFUSED: dict[str, tuple[Callable[[Path], Path], Model, str]] = {
    "PEFT adapter alone": (adapter_alone, PLAIN, "holds a PEFT adapter and not a model; merge it"),
    "PEFT adapter beside weights": (adapter_beside, PLAIN, "beside the model; if it is merged"),
    "a layer missing": (
        lambda f: edit_weights(qwen2(f), without("layers.1.")),
        PLAIN,
        "its files lack 12 of the model's weights, which would be random (the first is model.layers.1.input_layernorm",
    ),
    "a layer missing, nf4": (
        lambda f: edit_weights(qwen2(f), without("layers.1.")),
        FOUR_BIT,
        "its files lack 12 of the model's weights, which would be random (the first is model.layers.1.input_layernorm",
    ),
    "keys prefixed base_model.model.": (
        lambda f: edit_weights(qwen2(f), lambda w: {f"base_model.model.{name}": value for name, value in w.items()}),
        PLAIN,
        "they hold base_model.model.model.embed_tokens.weight instead",
    ),
    "untied head missing": (
        lambda f: with_config(qwen2(f), tie_word_embeddings=False),
        PLAIN,
        "its files lack 1 of the model's weights, which would be random (the first is lm_head.weight)",
    ),
    "fewer layers in config.json than in the file": (
        lambda f: with_config(qwen2(f), num_hidden_layers=1, layer_types=["full_attention"]),
        PLAIN,
        "12 of the weights in its files have no place in the model of its config.json (the first is model.",
    ),
    "another shape in config.json": (
        lambda f: with_config(llama(f), vocab_size=900),
        PLAIN,
        "2 of its weights do not have the shape",
    ),
    "GPTQ layout": (lambda f: edit_weights(qwen2(f), sources.as_gptq), PLAIN, "in a way that its config.json does not"),
    "GPTQ": (
        lambda f: with_config(
            edit_weights(qwen2(f), sources.as_gptq), quantization_config={"quant_method": "gptq", "bits": 4}
        ),
        PLAIN,
        "quantized already (gptq); give the original 16-bit weights",
    ),
    "AWQ, nf4": (
        lambda f: with_config(qwen2(f), quantization_config={"quant_method": "awq", "bits": 4}),
        FOUR_BIT,
        "quantized already (awq)",
    ),
    "FP8": (
        lambda f: with_config(qwen2(f), quantization_config={"quant_method": "fp8", "weight_block_size": [64, 64]}),
        PLAIN,
        "quantized already (fp8)",
    ),
    "bitsandbytes 8-bit": (
        lambda f: with_config(qwen2(f), quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
        FOUR_BIT,
        "quantized already (bitsandbytes 8-bit)",
    ),
    "bitsandbytes fp4, nf4": (lambda f: four_bit(f, "fp4"), FOUR_BIT, "quantized already (fp4)"),
    "bitsandbytes nf4, none": (four_bit, PLAIN, "4-bit already (nf4); set `model.quantization` to nf4"),
    "packed weights, not in config.json": (packed_without_a_word, PLAIN, "in a way that its config.json does not"),
    "packed weights, not in config.json, nf4": (packed_without_a_word, FOUR_BIT, "in a way that its config.json"),
    "nf4 in config.json, plain weights": (four_bit_in_config_alone, FOUR_BIT, "take `quantization_config` out"),
    "end-of-text after every text": (
        lambda f: llama(f, sources.byte_level(template="<s> $A </s>")),
        PLAIN,
        "adds a token after every text; set `add_eos_token` to false",
    ),
    "Qwen2 with a Metaspace tokenizer": (
        lambda f: other_tokenizer(f, sources.metaspace()),
        PLAIN,
        "reads its tokenizer as Qwen2Tokenizer, which splits text otherwise",
    ),
    "Qwen2 with digits in groups": (
        lambda f: other_tokenizer(f, sources.byte_level(pattern=r"\p{N}{1,3}")),
        PLAIN,
        "reads its tokenizer as Qwen2Tokenizer, which splits text otherwise",
    ),
    "Qwen2 without tokenizer files": (no_tokenizer, PLAIN, "has no tokenizer (tokenizer.json)"),
    "tokenizer without Cyrillic": (
        lambda f: llama(f, sources.metaspace(text="The capital of France is Paris. A B C 0123456789 II IV (,;)")),
        PLAIN,
        "its tokenizer loses or changes Russian text",
    ),
    "tokenizer without offsets": (no_offsets, PLAIN, "does not say where in the text a token is"),
    "tokens across spaces": (
        lambda f: llama(f, sources.byte_level(pattern="")),
        PLAIN,
        "joins the end of a prompt and the beginning of the answer",
    ),
    "no end-of-text token": (lambda f: llama(f, sources.byte_level(eos_token=None)), PLAIN, "no end-of-text token"),
    "added word": (lambda f: sources.with_added_token(llama(f), "Bethesda"), PLAIN, "the first is 433, 'Bethesda'"),
    "added pad": (
        lambda f: sources.with_added_token(llama(f), "[PAD]", "pad_token"),
        PLAIN,
        "the first is 433, '[PAD]'",
    ),
    "added eos": (
        lambda f: sources.with_added_token(llama(f), "<end>", "eos_token"),
        PLAIN,
        "the first is 433, '<end>'",
    ),
    "pad_token_id = vocabulary size": (
        lambda f: with_config(llama(f), pad_token_id=len(sources.byte_level())),
        PLAIN,
        "`pad_token_id` in config.json is",
    ),
    "Git LFS pointer as .bin": (
        lambda f: in_place(qwen2(f), "pytorch_model.bin", sources.LFS_POINTER),
        PLAIN,
        "pytorch_model.bin is a Git LFS pointer and not the file itself; run `git lfs pull`",
    ),
    "Git LFS pointer as .safetensors": (
        lambda f: in_place(qwen2(f), sources.WEIGHTS, sources.LFS_POINTER),
        PLAIN,
        "model.safetensors is a Git LFS pointer",
    ),
    "Git LFS pointer as tokenizer": (
        lambda f: in_place(qwen2(f), "tokenizer.json", sources.LFS_POINTER),
        PLAIN,
        "tokenizer.json is a Git LFS pointer",
    ),
    "weights cut short": (cut, PLAIN, "model.safetensors is damaged or cut short"),
    "empty .bin": (
        lambda f: in_place(qwen2(f), "pytorch_model.bin", b""),
        PLAIN,
        "is damaged, cut short, or holds other",
    ),
    "a .bin that holds more than tensors": (with_code, PLAIN, "is damaged, cut short, or holds other things"),
    "one of several files missing": (a_shard_missing, PLAIN, "model-00002-of-"),
    "no weights": (lambda f: in_place(qwen2(f), "other", b""), PLAIN, "no file named model.safetensors"),
    "weights that are not finite": (lambda f: edit_weights(qwen2(f), not_finite), PLAIN, "numbers that are not finite"),
    "code of its own": (
        lambda f: with_config(qwen2(f), auto_map={"AutoModelForCausalLM": "modeling.Mine"}),
        PLAIN,
        "config.json asks for code that comes with the model (auto_map), which is never run",
    ),
    "tokenizer's code of its own": (
        lambda f: edit_json(qwen2(f) / "tokenizer_config.json", auto_map={"AutoTokenizer": ["a.B", None]}) or f,
        PLAIN,
        "tokenizer_config.json asks for code",
    ),
    "logits changed after the head (Gemma 2)": (sources.capped, PLAIN, "by a plain output head alone"),
    "not causal (Gemma 3 for embeddings)": (sources.looking_ahead, PLAIN, "looks at the tokens that come after"),
    "encoder and decoder (T5)": (
        lambda f: T5Config().save_pretrained(f) or (sources.byte_level().save_pretrained(f) and f),
        PLAIN,
        "its architecture (t5) is not a causal language model",
    ),
    "an architecture that transformers does not know": (
        lambda f: with_config(qwen2(f), model_type="qwen9"),
        PLAIN,
        "reading its config.json failed",
    ),
    "a file": (a_file, PLAIN, "it is a single file; give the folder that it is in"),
    "a folder that holds a .gguf": (gguf_in_a_folder, PLAIN, "set `model.source` to the file itself"),
    "an empty folder": (lambda f: f.mkdir() or f, PLAIN, "has no config.json"),
    "no folder": (lambda f: f / "absent", PLAIN, "there is no such folder or file; check the path"),
    "a hub id without revision": (lambda _: Path("Qwen/Qwen2-1.5B"), PLAIN, "set `model.revision` to a commit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_that_is_something_else_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    make, model, said = REFUSED[name]
    folder = make(tmp_path / "model")
    with pytest.raises(SettingsError) as refused:
        obtain(replace(model, source=str(folder)), CPU, tmp_path / "scratch")
    sentence = str(refused.value)
    assert sentence.startswith(f"`model.source` {str(folder)!r}: ")
    assert said in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert not (tmp_path / "scratch").exists()


# ---- The right model ---------------------------------------------------------------------------------------------


def saved(folder: Path, model: Model = PLAIN) -> PreTrainedModel:
    """What the later stages load."""
    save_base(*obtained(folder, model), folder.parent / "base")
    return load_base(folder.parent / "base", CPU)[0]


def test_weights_are_those_of_the_folder_bit_for_bit(tmp_path: Path) -> None:
    own = AutoModelForCausalLM.from_pretrained(llama(tmp_path / "model"))
    assert torch.equal(logits(saved(tmp_path / "model")), logits(own))
    assert own.state_dict().keys() == saved(tmp_path / "model").state_dict().keys()


def test_four_bit_weights_are_taken_as_they_are(tmp_path: Path) -> None:
    own = AutoModelForCausalLM.from_pretrained(four_bit(tmp_path / "model"))
    base = saved(tmp_path / "model", FOUR_BIT)
    packed = {name: weight for name, weight in own.named_parameters() if weight.dtype == torch.uint8}
    assert len(packed) == 14
    ours = dict(base.named_parameters())
    assert all(torch.equal(weight, ours[name]) for name, weight in packed.items())
    # How they are computed is up to the setting, not to the packed file.
    assert own.config.quantization_config.bnb_4bit_compute_dtype == torch.bfloat16
    assert base.config.quantization_config.bnb_4bit_compute_dtype == torch.float32
    assert {module.compute_dtype for module in base.modules() if hasattr(module, "compute_dtype")} == {torch.float32}


def test_a_head_that_differs_from_the_embedding_is_kept_though_config_says_tied(tmp_path: Path) -> None:
    head = torch.randn(400, 64)
    edit_weights(qwen2(tmp_path / "model"), lambda w: w | {"lm_head.weight": head})
    base = saved(tmp_path / "model")
    assert torch.equal(base.get_output_embeddings().weight, head)
    assert not torch.equal(base.get_input_embeddings().weight, head)


def test_names_and_buffers_of_old_checkpoints_are_no_fault(tmp_path: Path) -> None:
    """GPT-2 as first published: no prefix, and buffers that no model reads any more."""
    tokenizer = sources.byte_level()
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1)
    sources.save(tmp_path / "model", GPT2LMHeadModel(config), tokenizer)

    def old(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        buffers = {"h.0.attn.bias": torch.ones(1, 1, 64, 64), "h.0.attn.masked_bias": torch.tensor(-1e4)}
        return {name.removeprefix("transformer."): weight for name, weight in weights.items()} | buffers

    own = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "model"))
    edit_weights(tmp_path / "model", old)
    base, read_back = obtained(tmp_path / "model")
    assert torch.equal(logits(base), own)
    assert read_back.model_max_length == 64


@pytest.mark.parametrize(
    ("make", "loader", "kind"),
    [
        (gemma3, AutoModelForCausalLM, "Gemma3ForCausalLM"),
        (sources.llava, AutoModelForImageTextToText, "LlamaForCausalLM"),
    ],
)
def test_a_multimodal_model_becomes_its_language_model(
    make: Callable[[Path], Path], loader: Any, kind: str, tmp_path: Path
) -> None:
    whole = loader.from_pretrained(make(tmp_path / "model"))
    assert type(whole).__name__.endswith("ForConditionalGeneration")
    base = saved(tmp_path / "model")
    assert type(base).__name__ == kind
    assert torch.equal(logits(base), logits(whole))
    assert not [name for name, _ in base.named_parameters() if "vision" in name or "projector" in name]
    assert not (tmp_path / "scratch").exists()
    packed = saved(tmp_path / "model", FOUR_BIT)
    assert sum(weight.dtype == torch.uint8 for weight in packed.parameters()) == 14


def test_a_special_token_for_pictures_may_lie_beyond_the_embedding(tmp_path: Path) -> None:
    """As in Gemma 3 1B; it occurs in no text."""
    folder = llama(tmp_path / "model")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    base, again = obtained(folder)
    assert again.convert_tokens_to_ids("<image>") == base.config.vocab_size


@pytest.mark.parametrize("make", [qwen2, llama, gemma3])
def test_the_tokenizer_is_loaded_back_as_its_file_says(make: Callable[[Path], Path], tmp_path: Path) -> None:
    own = PreTrainedTokenizerFast(tokenizer_file=str(make(tmp_path / "model") / "tokenizer.json"))
    _, tokenizer = obtained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "base")
    AutoConfig.from_pretrained(tmp_path / "model").get_text_config().save_pretrained(tmp_path / "base")
    again = AutoTokenizer.from_pretrained(tmp_path / "base")
    for text in (SAMPLE, "Узел 3 мм\n\n  Bethesda IV", "1234567 + 89"):
        assert again(text)["input_ids"] == own(text)["input_ids"]
        assert again.decode(again(text, add_special_tokens=False)["input_ids"]) == text
    assert again.model_max_length == 512


# ---- Problems around the files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_too_little_memory_is_not_called_a_missing_file(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights.AutoModelForCausalLM, "from_pretrained", raising(error))
    with pytest.raises(SettingsError, match="there is not enough memory for it; use a smaller model"):
        obtained(qwen2(tmp_path / "model"))


def test_a_full_disk_stays_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(weights.AutoModelForCausalLM, "from_pretrained", raising(full))
    with pytest.raises(OSError, match="No space left"):
        obtained(qwen2(tmp_path / "model"))


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


ANSWER = Response(404, request=Request("GET", "https://huggingface.co"))
HUB = Model(source="someone/model", revision="8a16abf", quantization="none", dtype="float32")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.LocalEntryNotFoundError("no connection"), "the hub could not be reached; check the network"),
        (ConnectError("[Errno -2] Name or service not known"), "the hub could not be reached; check the network"),
        (errors.OfflineModeIsEnabled("offline"), "the hub could not be reached; check the network"),
        (errors.GatedRepoError("gated", response=ANSWER), "accept its terms on the hub and log in"),
        (errors.RepositoryNotFoundError("none", response=ANSWER), "no such repository on the hub"),
        (errors.RevisionNotFoundError("none", response=ANSWER), "no revision 8a16abf of it; check `model.revision`"),
        (errors.HfHubHTTPError("503", response=ANSWER), "the hub refused the download; try again later"),
    ],
)
def test_the_hub_says_what_is_wrong(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "snapshot_download", raising(error))
    with pytest.raises(SettingsError) as refused:
        obtain(HUB, CPU, tmp_path / "scratch")
    assert str(refused.value).startswith("`model.source` 'someone/model': ")
    assert said in str(refused.value)


@pytest.mark.parametrize("safetensors", [True, False])
def test_a_hub_repository_is_fetched_at_its_revision_and_is_a_folder_from_then_on(
    safetensors: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = AutoModelForCausalLM.from_pretrained(qwen2(tmp_path / "snapshot"))
    if not safetensors:
        torch.save(own.state_dict(), tmp_path / "snapshot" / "pytorch_model.bin")
        (tmp_path / "snapshot" / sources.WEIGHTS).unlink()
    asked = []

    def snapshot(repository: str, revision: str, allow_patterns: list[str], **_: Any) -> str:
        asked.append((repository, revision, any("bin" in pattern for pattern in allow_patterns)))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(files, "snapshot_download", snapshot)
    base, _ = obtain(HUB, CPU, tmp_path / "scratch")
    assert torch.equal(logits(base), logits(own))
    # Weights in pickle form are fetched only if there are no others.
    assert asked == [(HUB.source, HUB.revision, False), (HUB.source, HUB.revision, True)][: 1 if safetensors else 2]


def test_nothing_is_asked_on_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if a config changes between the check of the files and their loading."""
    monkeypatch.setattr("builtins.input", raising(AssertionError("a question on the terminal")))
    folder = with_config(qwen2(tmp_path / "model"), model_type="mine", auto_map={"AutoConfig": "configuration.Mine"})
    monkeypatch.setattr("anamnesis.modeling.source.obtaining.check_files", lambda _: None)
    with pytest.raises(SettingsError, match="custom code"):
        obtained(folder)


# ---- What the rest of the pipeline makes of it -----------------------------------------------------------------------


@pytest.fixture(params=["byte-level", "byte-level with BOS", "SentencePiece with BOS"])
def words(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    template = "<s> $A" if "BOS" in request.param else None
    return sources.metaspace(template) if "Sentence" in request.param else sources.byte_level(template)


@pytest.mark.parametrize("target", ["conclusion", "report"])
def test_what_is_trained_is_what_the_harness_scores(
    words: PreTrainedTokenizerFast, target: Any, tmp_path: Path
) -> None:
    """The same tokens of the answer, from the first on; before them the prompt, with BOS if there is one."""
    base, tokenizer = obtained(llama(tmp_path / "model", words))
    asked, answer = prompt("Съешь ещё этих мягких булок", HEADINGS), completion("IV", "Картина неясная")
    encoded = encode_report(tokenizer, asked, answer, target)
    context, continuation = language_model(base, tokenizer, 4)._encode_pair(asked, answer)
    assert encoded["input_ids"] == [*context, *continuation, tokenizer.eos_token_id]
    if target == "conclusion":
        assert encoded["labels"] == [IGNORED] * len(context) + [*continuation, tokenizer.eos_token_id]
    else:
        assert encoded["labels"] == encoded["input_ids"]


@pytest.mark.parametrize("backend", ["shared_prefix", "hf"])
def test_answers_of_one_token_and_whole_texts_are_scored_by_the_models_own_probabilities(
    words: PreTrainedTokenizerFast, backend: Any, tmp_path: Path
) -> None:
    base, tokenizer = obtained(llama(tmp_path / "model", words))
    lm = language_model(base, tokenizer, 4, backend)

    def own(tokens: list[int], scored: int) -> float:
        with torch.no_grad():
            log_p = base(torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        return float(log_p[torch.arange(len(tokens) - 1), tokens[1:]][-scored:].sum())

    text = "Заключение: Bethesda"
    scores = [lm.loglikelihood([request("loglikelihood", text, end)], True)[0][0] for end in (" IV", " A")]
    whole = [tokenizer(text + end)["input_ids"] for end in (" IV", " A")]
    count = len(tokenizer(text)["input_ids"])
    assert scores == pytest.approx([own(tokens, len(tokens) - count) for tokens in whole], rel=1e-4)
    assert scores[0] != scores[1]
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    rolling = lm.loglikelihood_rolling([request("loglikelihood_rolling", text)], True)
    assert rolling == pytest.approx([own([tokenizer.bos_token_id, *bare], len(bare))], rel=1e-4)
    # The rule for prompts stays as before.
    assert lm.tok_encode(text) == tokenizer(text)["input_ids"]


def request(kind: Any, *arguments: str) -> Instance:
    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


def test_a_token_across_prompt_and_answer_is_refused_where_reports_are_encoded() -> None:
    tokenizer = sources.byte_level(pattern="")
    with pytest.raises(SettingsError, match="joins the end of the prompt and the beginning of the answer"):
        encode_report(tokenizer, "Заключение: Bethesda", " IV. Фолликулярная", "conclusion")


def test_reports_longer_than_the_models_context_are_refused_before_training(
    tmp_path: Path, reports: list[dict[str, str]]
) -> None:
    """`optimization.max_length` may exceed the context; the reports may not."""
    _, tokenizer = obtained(llama(tmp_path / "short", max_position_embeddings=64))
    with pytest.raises(
        InputError, match=r"the model of `model\.source` reads 64 tokens, but 24 of 24 reports are longer"
    ):
        encode_reports(reports, HEADINGS, tokenizer, "conclusion", 1024)
    _, tokenizer = obtained(llama(tmp_path / "long", max_position_embeddings=256))
    assert len(encode_reports(reports, HEADINGS, tokenizer, "conclusion", 1024)) == 24


# ---- GGUF ----------------------------------------------------------------------------------------------------------


def to_gguf(folder: Path, file: Path, quantized: bool = False, splitting: str | None = None, **metadata: Any) -> Path:
    """The model in `folder` as llama.cpp's converter writes it, with its names, row order and metadata."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    config = model.config
    kind = config.model_type.removesuffix("_text")
    writer = GGUFWriter(file, kind)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if kind == "gemma3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_sliding_window(config.sliding_window)
    add_tokenizer(writer, tokenizer, config.vocab_size, splitting or {"qwen2": "qwen2"}.get(kind, "gpt-2"))
    for key, value in metadata.items():
        writer.add_string(f"{kind}.{key.replace('__', '.')}", value)
    names = get_tensor_name_map(MODEL_ARCH_BY_NAME[kind], config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = weight.float().numpy()
        if kind == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            values = interleaved(values, heads)
        if kind == "gemma3" and "norm" in name:
            values = values + 1
        stem, _, suffix = name.rpartition(".")
        as_q8 = quantized and values.ndim == 2
        writer.add_tensor(
            f"{names.get_name(stem)}.{suffix}",
            quants.quantize(values, GGMLQuantizationType.Q8_0) if as_q8 else values,
            raw_dtype=GGMLQuantizationType.Q8_0 if as_q8 else None,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def add_tokenizer(writer: GGUFWriter, tokenizer: PreTrainedTokenizerFast, rows: int, splitting: str) -> None:
    """A byte vocabulary with its merges, or SentencePiece's without; rows beyond it are marked as unused."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    unused = [f"[PAD{number}]" for number in range(len(tokens), rows)]
    special = set(tokenizer.all_special_tokens)
    kinds = [TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens]
    writer.add_token_list([*tokens, *unused])
    writer.add_token_types([*kinds, *[TokenType.UNUSED for _ in unused]])
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([-float(number) for number in range(rows)])
        writer.add_unk_token_id(tokenizer.unk_token_id)
        writer.add_bos_token_id(tokenizer.bos_token_id)
        writer.add_add_bos_token(tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(splitting)
        writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id or tokenizer.eos_token_id)


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring rows together, transformers rows that are half a head apart."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


GGUF = {"llama": lambda f: llama(f, sources.byte_level()), "qwen2": qwen2, "gemma3": sources.gemma3_text}


@pytest.mark.parametrize("kind", GGUF)
def test_a_gguf_file_is_the_model_that_it_was_made_of(kind: str, tmp_path: Path) -> None:
    own = AutoModelForCausalLM.from_pretrained(GGUF[kind](tmp_path / "model"))
    file = to_gguf(tmp_path / "model", tmp_path / "model.gguf")
    base, tokenizer = obtained(file)
    assert base.config.model_type == own.config.model_type
    torch.testing.assert_close(logits(base), logits(own), rtol=1e-5, atol=1e-5)
    assert tokenizer.model_max_length == 512
    for text in (SAMPLE, "Узел 3 мм\n\n  Bethesda IV"):
        before = PreTrainedTokenizerFast.from_pretrained(tmp_path / "model")
        assert tokenizer(text)["input_ids"] == before(text)["input_ids"]
    # Saved like any other model, without the file it came from.
    save_base(base, tokenizer, tmp_path / "base")
    assert torch.equal(logits(load_base(tmp_path / "base", CPU)[0]), logits(base))
    assert "quantization_config" not in json.loads((tmp_path / "base" / "config.json").read_text())
    assert not (tmp_path / "scratch").exists()


def test_what_lies_beside_a_gguf_file_is_not_read(tmp_path: Path) -> None:
    """Neither an adapter, which transformers would also load, nor the settings of another tokenizer."""
    own = AutoModelForCausalLM.from_pretrained(llama(tmp_path / "model", sources.byte_level()))
    file = to_gguf(tmp_path / "model", tmp_path / "model.gguf")
    edit_json(_new(tmp_path / "adapter_config.json"), peft_type="LORA", base_model_name_or_path="elsewhere")
    edit_json(_new(tmp_path / "tokenizer_config.json"), tokenizer_class="Qwen2Tokenizer", eos_token="<s>")
    base, tokenizer = obtained(file)
    torch.testing.assert_close(logits(base), logits(own), rtol=1e-5, atol=1e-5)
    assert tokenizer.eos_token == "</s>"


def test_digits_are_split_as_the_gguf_file_says(tmp_path: Path) -> None:
    """SmolLM's tokenizer splits every digit; a vocabulary without such a split joins them."""
    file = to_gguf(llama(tmp_path / "model", sources.byte_level()), tmp_path / "model.gguf", splitting="smollm")
    joined = PreTrainedTokenizerFast.from_pretrained(tmp_path / "model").tokenize("1048576")
    assert len(joined) < 7
    assert obtained(file)[1].tokenize("1048576") == list("1048576")


def test_a_quantized_gguf_file_becomes_plain_or_nf4(tmp_path: Path) -> None:
    own = AutoModelForCausalLM.from_pretrained(llama(tmp_path / "model", sources.byte_level()))
    file = to_gguf(tmp_path / "model", tmp_path / "model.gguf", quantized=True)
    plain, _ = obtained(file)
    assert {weight.dtype for weight in plain.parameters()} == {torch.float32}
    difference = (logits(plain) - logits(own)).norm() / logits(own).norm()
    assert 0 < float(difference) < 0.1
    packed = saved(file, FOUR_BIT)
    assert sum(weight.dtype == torch.uint8 for weight in packed.parameters()) == 14


def cut_file(file: Path) -> Path:
    file.write_bytes(file.read_bytes()[:-100_000])
    return file


def with_biases(folder: Path) -> Path:
    """llama.cpp's `llama` has biases if the file has them; transformers gives it none."""
    return to_gguf(with_config(folder, attention_bias=True), folder.parent / "m.gguf")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: to_gguf(f, f.parent / "m.gguf", rope__scaling__type="linear"), "it scales its rotary positions"),
        (lambda f: to_gguf(f, f.parent / "m.gguf", splitting="default"), "a way of its own (default)"),
        (lambda f: cut_file(to_gguf(f, f.parent / "m.gguf")), "unpacking it failed"),
        (lambda f: in_place(f, "m.gguf", sources.LFS_POINTER) / "m.gguf", "m.gguf is a Git LFS pointer"),
        (lambda f: in_place(f, "m.gguf", b"GGUF, or not") / "m.gguf", "reading its header failed"),
        (with_biases, "no place for 8 of its tensors (the first is blk.0.attn_q.bias)"),
        (lambda f: f / "absent.gguf", "there is no such folder or file"),
    ],
)
def test_a_gguf_file_that_cannot_be_read_whole_is_refused(
    change: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    file = change(llama(tmp_path / "model", sources.byte_level()))
    with pytest.raises(SettingsError) as refused:
        obtained(file)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
