"""The harness's vLLM model on a saved base and saved adapters."""

import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from accelerate import PartialState
from lm_eval.api.model import TemplateLM

from anamnesis.errors import InputError
from anamnesis.evaluation.backends.start_token import OneStartToken
from anamnesis.files import read_json


def vllm_models(base: Path, adapters: Mapping[str, Path | None], batch_size: int) -> Iterator[tuple[str, TemplateLM]]:
    """Each adapter (None: the base alone) by name, on one engine; asking for the next one switches the engine to it.

    Raises:
        InputError: vLLM is not installed, there is more than one process, or a run is no LoRA adapter.
    """
    if importlib.util.find_spec("vllm") is None:
        raise InputError(
            "`evaluation.backend` is vllm, which is not installed: pip install vllm, or set it to shared_prefix."
        )
    if PartialState().num_processes > 1:
        raise InputError("`evaluation.backend` vllm runs in one process: set `launch` to python or choose another one.")
    # The stages switch torch's compiler off, which vLLM needs.
    os.environ.pop("TORCHDYNAMO_DISABLE", None)
    from lm_eval.models.vllm_causallms import VLLM
    from vllm.lora.request import LoRARequest

    class Engine(OneStartToken, VLLM):
        """The harness's class, with one start token before a whole text."""

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    folders = [folder for folder in adapters.values() if folder is not None]
    ranks = [_rank(folder) for folder in folders]
    # vLLM accepts powers of two from 8.
    longest = max([8, *(1 << (rank - 1).bit_length() for rank in ranks)])
    lm = Engine(
        pretrained=str(base),
        batch_size=batch_size,
        lora_local_path=str(folders[0]) if folders else None,
        max_lora_rank=longest,
    )
    for number, (name, folder) in enumerate(adapters.items(), start=1):
        lm.lora_request = None if folder is None else LoRARequest(name, number, str(folder))
        yield name, lm


def _rank(folder: Path) -> int:
    """The rank of the LoRA adapter in `folder`: vLLM serves no other kind of tuner."""
    file = folder / "adapter_config.json"
    config = read_json(file) if file.is_file() else {}
    if config.get("peft_type") != "LORA" or config["use_dora"]:
        raise InputError(
            f"`evaluation.backend` is vllm, which serves LoRA adapters only, and {folder} holds something else: set "
            f"the backend to shared_prefix, or train with the tuner lora."
        )
    return int(config["r"])
