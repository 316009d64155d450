"""Model folders as users have them: complete ones of several architectures, and ways in which one can be broken."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    CLIPVisionConfig,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    GemmaTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    set_seed,
)

from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.source.tokenizers import BOUNDARIES, SAMPLE
from tests.conftest import random_qwen2

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Large enough that the model's predictions are far from uniform.
    "initializer_range": 0.3,
}
WEIGHTS = "model.safetensors"
LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 91726848\n"


# ---- Whole models ------------------------------------------------------------------------------------------------


def qwen2(folder: Path) -> Path:
    """A Qwen2 with its own tokenizer, as the default experiment makes one."""
    tokenizer = train_tokenizer([SAMPLE], vocab_size=400)
    return save(folder, random_qwen2(tokenizer, **SHAPE), tokenizer)


def llama(folder: Path, tokenizer: PreTrainedTokenizerBase | None = None, **changes: object) -> Path:
    """A Llama whose tokenizer.json is read as it stands; by default it begins every text with BOS."""
    tokenizer = byte_level(template="<s> $A") if tokenizer is None else tokenizer
    set_seed(7)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return save(
        folder, LlamaForCausalLM(LlamaConfig(**(SHAPE | ids | {"vocab_size": len(tokenizer)} | changes))), tokenizer
    )


def save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Path:
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def byte_level(
    template: str | None = None, pattern: str | None = None, **special: str | None
) -> PreTrainedTokenizerFast:
    """Byte-level BPE with the given split (None: GPT-2's; empty: none at all)."""
    tokenizer = Tokenizer(models.BPE())
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, whole])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return _trained(tokenizer, trainer, template, special, SAMPLE)


def metaspace(template: str | None = None, text: str = SAMPLE) -> PreTrainedTokenizerFast:
    """As SentencePiece does it: a word begins with the space before it; characters not in `text` are unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    return _trained(tokenizer, trainer, template, {}, text)


def _trained(
    tokenizer: Tokenizer,
    trainer: trainers.BpeTrainer,
    template: str | None,
    special: Mapping[str, str | None],
    text: str,
) -> PreTrainedTokenizerFast:
    tokenizer.train_from_iterator([text, "".join(BOUNDARIES[0])] * 3, trainer)
    if template is not None:
        ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    named = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"} | special
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def gemma3(folder: Path) -> Path:
    """A multimodal model: pictures and text in, text out."""
    tokenizer = byte_level(template="<s> $A", pad_token="</s>")
    text = SHAPE | {"vocab_size": len(tokenizer) + 3, "head_dim": 16, "sliding_window": 16}
    text |= {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    image = {
        name: len(tokenizer) + i for i, name in enumerate(("image_token_id", "boi_token_index", "eoi_token_index"))
    }
    config = Gemma3Config(
        text_config=text, vision_config=vision | {"image_size": 28, "patch_size": 14}, mm_tokens_per_image=1, **image
    )
    set_seed(7)
    return save(folder, Gemma3ForConditionalGeneration(config), tokenizer)


def llava(folder: Path) -> Path:
    """A multimodal model that transformers does not list among the causal language models."""
    tokenizer = byte_level(template="<s> $A")
    text = LlamaConfig(**(SHAPE | {"vocab_size": len(tokenizer) + 1})).to_dict()
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    picture = CLIPVisionConfig(**vision, image_size=28, patch_size=14).to_dict()
    set_seed(7)
    config = LlavaConfig(text_config=text, vision_config=picture, image_token_index=len(tokenizer))
    return save(folder, LlavaForConditionalGeneration(config), tokenizer)


def gemma3_text(folder: Path) -> Path:
    """A language model with SentencePiece's tokenizer, which does not split before it merges."""
    words = [f" {word}" for word in SAMPLE.split()]
    tokenizer = GemmaTokenizer().train_new_from_iterator([*words, SAMPLE[:8], "\r\n\n"], 300, show_progress=False)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    set_seed(7)
    shape = SHAPE | ids | {"vocab_size": len(tokenizer), "head_dim": 16, "sliding_window": 16}
    return save(folder, Gemma3ForCausalLM(Gemma3TextConfig(**shape)), tokenizer)


def four_bit(folder: Path, kind: str = "nf4") -> Path:
    """A Qwen2 as bitsandbytes saves it."""
    qwen2(folder / "plain")
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_compute_dtype=torch.bfloat16)
    model = AutoModelForCausalLM.from_pretrained(folder / "plain", quantization_config=config, dtype=torch.float32)
    model.save_pretrained(folder)
    for file in (folder / "plain").glob("tokenizer*"):
        shutil.copy2(file, folder)
    shutil.rmtree(folder / "plain")
    return folder


# ---- What is wrong with a folder -----------------------------------------------------------------------------------


def edit_json(file: Path, **changes: Any) -> None:
    """Set keys of a JSON file; None removes one."""
    content = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    weights = change(load_file(folder / WEIGHTS))
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def with_config(folder: Path, **changes: Any) -> Path:
    edit_json(folder / "config.json", **changes)
    return folder


def as_gptq(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every linear layer's weight as packed integers, scales and zeros."""
    packed = {}
    for name, weight in weights.items():
        if "proj" in name and weight.ndim == 2:
            stem = name.removesuffix("weight")
            packed |= {f"{stem}qweight": torch.zeros(weight.shape[1] // 8, weight.shape[0], dtype=torch.int32)}
            packed |= {f"{stem}scales": torch.ones(1, weight.shape[0]), f"{stem}qzeros": torch.zeros(1, 1).int()}
        else:
            packed[name] = weight
    return packed


def with_added_token(folder: Path, token: str, role: str | None = None) -> Path:
    """The folder's tokenizer with one more token than the embedding has rows."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if role is None:
        tokenizer.add_tokens([token])
    else:
        tokenizer.add_special_tokens({role: token})
    tokenizer.save_pretrained(folder)
    return folder


def capped(folder: Path) -> Path:
    """Gemma 2 caps its logits after the head."""
    tokenizer = byte_level()
    set_seed(7)
    config = Gemma2Config(**(SHAPE | {"vocab_size": len(tokenizer), "head_dim": 16, "final_logit_softcapping": 0.5}))
    return save(folder, Gemma2ForCausalLM(config), tokenizer)


def looking_ahead(folder: Path) -> Path:
    """A Gemma 3 made for embeddings, whose attention is not causal."""
    tokenizer = byte_level()
    set_seed(7)
    shape = SHAPE | {"vocab_size": len(tokenizer), "head_dim": 16, "use_bidirectional_attention": True}
    return save(folder, Gemma3ForCausalLM(Gemma3TextConfig(**shape)), tokenizer)
