"""A GGUF file, by llama.cpp's own converter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from anamnesis.errors import InputError

SCRIPT = "convert_hf_to_gguf.py"
# Names of the converter on the path: that of llama.cpp, and that of the package with the same code.
COMMANDS = (SCRIPT, "convert-hf-to-gguf")
# The environment variable with the folder of llama.cpp.
FOLDER = "LLAMA_CPP"
TYPES = {torch.float16: "f16", torch.bfloat16: "bf16"}


def converter() -> list[str]:
    """The command that starts the converter.

    Raises:
        InputError: there is none.
    """
    if folder := os.environ.get(FOLDER):
        script = Path(folder).expanduser() / SCRIPT
        if not script.is_file():
            raise InputError(f"{FOLDER} is {folder}, which has no {SCRIPT}: set it to the folder of llama.cpp.")
        return [sys.executable, str(script)]
    for command in COMMANDS:
        if found := shutil.which(command):
            return [found]
    raise InputError(
        f"FORMAT=gguf needs llama.cpp's converter, which is not installed: get llama.cpp and set {FOLDER} to its "
        f"folder, or put {SCRIPT} on the path."
    )


def convert(folder: Path, dtype: torch.dtype, file: Path) -> None:
    """Convert the merged model in `folder`.

    Raises:
        InputError: the converter fails; it does not know every architecture and tokenizer.
    """
    command = [*converter(), str(folder), "--outfile", str(file), "--outtype", TYPES[dtype]]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode or not file.is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        said = lines[-1].strip().rstrip(".")
        raise InputError(
            f"llama.cpp's converter cannot convert this model ({said}): install what it asks for, take a newer "
            f"llama.cpp, or export with FORMAT=merged."
        )
