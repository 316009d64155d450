"""Making a plain folder: a GGUF file is unpacked, a multimodal model is reduced to its language model."""

from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    GgufConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
from transformers.integrations.gguf.reader import read_gguf_metadata
from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

from anamnesis.modeling.source.files import check_not_a_pointer
from anamnesis.modeling.source.refusal import UnusableModelError, explained
from anamnesis.modeling.source.weights import check_complete, load_weights, without_report

# Byte-level tokenizers by how llama.cpp splits text before their merges: by GPT-2's expression, or every digit first.
AS_GPT2 = {"gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling"}
DIGIT_BY_DIGIT = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}


def unpack(file: Path, folder: Path, dtype: torch.dtype) -> None:
    """Save the model and the tokenizer of a GGUF file in `folder`, its weights in `dtype`.

    The file is read through a link in a folder of its own: transformers also looks at what lies beside it, such as an
    adapter or the settings of another tokenizer.

    Raises:
        UnusableModelError: transformers cannot read all of the file as llama.cpp does.
    """
    check_not_a_pointer(file)
    with explained("reading its header"):
        header, names = read_gguf_metadata(str(file))
    _check_header(header, names)
    alone = folder / "file"
    alone.mkdir(parents=True)
    (alone / file.name).symlink_to(file.resolve())
    with explained("unpacking it"), without_report():
        tokenizer = AutoTokenizer.from_pretrained(
            alone, gguf_file=file.name, local_files_only=True, trust_remote_code=False
        )
        model, found = AutoModelForCausalLM.from_pretrained(
            alone,
            gguf_file=file.name,
            quantization_config=GgufConfig(dequantize=True),
            local_files_only=True,
            trust_remote_code=False,
            dtype=dtype,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    check_complete(found)
    _check_all_read(model, names)
    _set_splitting(tokenizer, header)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def is_multimodal(config: PreTrainedConfig) -> bool:
    """Whether the language model is a part of a larger one, and transformers does not take it out by itself.

    Raises:
        UnusableModelError: it is neither a causal language model nor one with pictures as well.
    """
    kind = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    has_parts = config.get_text_config() is not config
    if kind is None and not (has_parts and type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING):
        raise UnusableModelError(
            f"its architecture ({config.model_type}) is not a causal language model in transformers; choose another "
            f"model."
        )
    return has_parts and (kind is None or kind.config_class is type(config))


def keep_language_model(folder: Path, config: PreTrainedConfig, output: Path, dtype: torch.dtype) -> None:
    """Save the language model alone of the multimodal model in `folder`; on text it computes the same.

    Adapters and evaluations would otherwise reach into the parts for pictures, and later stages load a causal language
    model.

    Raises:
        UnusableModelError: transformers has no such model alone, or it does not compute the same.
    """
    if getattr(config, "quantization_config", None) is not None:
        raise UnusableModelError("it is multimodal and quantized; give the original 16-bit weights.")
    kind = AutoModelForImageTextToText if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING else AutoModelForCausalLM
    whole = load_weights(folder, config, None, dtype, torch.device("cpu"), kind)
    with explained("taking the language model out of a multimodal one"), torch.no_grad():
        alone = AutoModelForCausalLM.from_config(whole.config.get_text_config(), dtype=dtype).eval()
        alone.get_decoder().load_state_dict(whole.get_decoder().state_dict())
        alone.get_output_embeddings().load_state_dict(whole.get_output_embeddings().state_dict())
        tokens = torch.arange(3, 19)[None]
        same = torch.equal(alone(input_ids=tokens).logits, whole(input_ids=tokens).logits)
    if not same:
        raise UnusableModelError(
            f"{type(whole).__name__} does not compute what its language model alone does; choose a text-only model."
        )
    alone.save_pretrained(output)


def _check_header(header: dict[str, object], names: tuple[str, ...]) -> None:
    if int(str(header.get("split.count", 1))) > 1:
        raise UnusableModelError("the file is one part of several; join them (llama.cpp's `llama-gguf-split --merge`).")
    splitting = str(header.get("tokenizer.ggml.pre", "default"))
    known = {*GGUF_PRE_TOKENIZER_SPLITS, *AS_GPT2, *DIGIT_BY_DIGIT}
    if header.get("tokenizer.ggml.model") == "gpt2" and splitting not in known:
        raise UnusableModelError(
            f"its tokenizer splits text in a way of its own ({splitting}) that transformers does not know; give the "
            f"original folder of the model."
        )
    architecture = header.get("general.architecture")
    scaled = header.get(f"{architecture}.rope.scaling.type", "none") != "none" and architecture != "gpt-oss"
    if scaled or any(name.startswith("rope_") for name in names):
        raise UnusableModelError(
            "it scales its rotary positions, which transformers does not read from a GGUF file; give the original "
            "folder of the model."
        )


def _check_all_read(model: PreTrainedModel, names: tuple[str, ...]) -> None:
    """transformers skips tensors that it has no place for. Its list has other names for those of experts."""
    with explained("comparing its tensors"):
        known = get_gguf_hf_weights_map(model, TensorProcessor())
    unread = [name for name in names if name not in known and "exp" not in name]
    if unread:
        raise UnusableModelError(
            f"transformers has no place for {len(unread)} of its tensors (the first is {unread[0]}); give the original "
            f"folder of the model."
        )


def _set_splitting(tokenizer: PreTrainedTokenizerBase, header: dict[str, object]) -> None:
    if header.get("tokenizer.ggml.model") == "gpt2" and header.get("tokenizer.ggml.pre") in DIGIT_BY_DIGIT:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
