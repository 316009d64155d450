"""The tiny base: a byte-level BPE tokenizer and a small Qwen2ForCausalLM, trained on the general text.

It lets the whole experiment run, and show forgetting, on two CPU cores without network. One such base is in data/base;
its README.md says how it was made.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from datasets import Dataset
from transformers import (
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    TrainingArguments,
    set_seed,
)

from anamnesis.compute import check_one_device_a_process, configure_compute, in_processes, is_main_process, share_of
from anamnesis.files import read_jsonl
from anamnesis.modeling.loading import save_base
from anamnesis.settings.compute import Compute
from anamnesis.settings.modeling import Pretraining
from anamnesis.settings.sections import SettingsError
from anamnesis.training.finite import FiniteTrainer

IGNORED = -100


def read_documents(text: Path) -> list[str]:
    """The documents of a .jsonl file, which has one per row, under `text`."""
    return [row["text"] for row in read_jsonl(text)]


def digest_of(documents: Sequence[str]) -> str:
    """What a base records of its pretraining text: equal for equal documents in the same order."""
    return hashlib.sha256("\0".join(documents).encode()).hexdigest()


def train_tokenizer(documents: Iterable[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """Qwen2's own tokenizer with a vocabulary of its own: byte-level BPE, each digit a token.

    It must be Qwen2's: any other tokenizer saved beside a Qwen2 model is loaded as Qwen2's, and then splits digits
    differently.
    """
    return Qwen2Tokenizer().train_new_from_iterator(documents, vocab_size, show_progress=False)


def pack(documents: Sequence[Sequence[int]], row_length: int, end: int) -> list[dict[str, list[int]]]:
    """Whole documents, each with its end-of-text token, packed into rows of `row_length` tokens.

    A row begins with the start of a document, because an exam question begins at position 0. A document longer than a
    row continues in the next one; the rest of a row is padding without labels.
    """
    rows: list[list[int]] = [[]]
    for document in documents:
        tokens = [*document, end]
        if rows[-1] and len(rows[-1]) + len(tokens) > row_length:
            rows.append([])
        while len(rows[-1]) + len(tokens) > row_length:
            rows[-1].extend(tokens[:row_length])
            tokens = tokens[row_length:]
            rows.append([])
        rows[-1].extend(tokens)
    return [
        {
            "input_ids": row + [end] * (row_length - len(row)),
            "attention_mask": [1] * len(row) + [0] * (row_length - len(row)),
            "labels": row + [IGNORED] * (row_length - len(row)),
        }
        for row in rows
        if row
    ]


def pretrain(text: Path, settings: Pretraining, compute: Compute, folder: Path) -> None:
    """Train tokenizer and model on `text` and save them in `folder`, the weights as float16.

    It runs in `settings.processes` processes, each with its share of every batch, so that no core is idle. Each process
    reads the text itself: passing the documents as an argument would start the processes one after another.

    Args:
        text: a .jsonl file with one document per row, under `text`.
        settings: size of the model, and its training.
        compute: the machine.
        folder: where the model is saved.

    Raises:
        SettingsError: there are fewer GPUs than processes.
    """
    if compute.device != "cpu" and settings.processes > torch.cuda.device_count():
        raise SettingsError(
            f"`pretraining.processes` is {settings.processes}, and this machine has {torch.cuda.device_count()} GPUs: "
            f"lower it in the profile."
        )
    in_processes(settings.processes, _pretrain, text, settings, compute, folder)


def _pretrain(text: Path, settings: Pretraining, compute: Compute, folder: Path) -> None:
    configure_compute(compute)
    check_one_device_a_process(compute)
    documents = read_documents(text)
    tokenizer = train_tokenizer(documents, settings.vocab_size)
    random.Random(settings.seed).shuffle(documents)
    rows = pack(tokenizer(documents)["input_ids"], settings.sequence_length, tokenizer.eos_token_id)
    if len(rows) < settings.batch_size:
        raise SettingsError(
            f"`pretraining.batch_size` is {settings.batch_size} rows, and the general text fills {len(rows)}: lower "
            f"it, or raise `knowledge.clinical_notes`."
        )

    set_seed(settings.seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=settings.hidden_size,
            intermediate_size=settings.intermediate_size,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.attention_heads,
            num_key_value_heads=settings.key_value_heads,
            max_position_embeddings=settings.max_position_embeddings,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    trainer = FiniteTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            use_cpu=compute.device == "cpu",
            max_steps=settings.max_steps,
            per_device_train_batch_size=share_of(settings.batch_size, "`pretraining.batch_size`"),
            # Steps of equal size, and the same steps for any number of processes.
            dataloader_drop_last=True,
            ddp_find_unused_parameters=False,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=settings.warmup_ratio,
            weight_decay=settings.weight_decay,
            # The default 0.999 averages over 1,000 steps, too slow for a run of a few thousand.
            adam_beta2=0.98,
            logging_steps=25,
            save_strategy="no",
            report_to=[],
            seed=settings.seed,
        ),
        train_dataset=Dataset.from_list(rows).with_format("torch"),
    )
    trainer.train()
    if is_main_process():
        # Half the size of float32, and more exact than bfloat16 for weights of this magnitude.
        save_base(model.half(), tokenizer, folder)
