"""Why a model cannot be used, in one sentence, also where a library raised the error."""

import errno
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError

# Longest text of a library's error that a sentence quotes, characters.
LONGEST = 300


class UnusableModelError(Exception):
    """One sentence without its subject: `obtain` puts the name of the source in front."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever a library raises in the block into an UnusableModelError; `what` names what it was doing.

    The block must hold library calls on the user's files and nothing else. A full disk keeps its own error: every
    stage has a sentence for it.
    """
    try:
        yield
    except UnusableModelError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise UnusableModelError(_sentence(error, what)) from error


def _sentence(error: Exception, what: str) -> str:
    said = quoted(error)
    if is_out_of_memory(error):
        return (
            f"there is not enough memory for it; use a smaller model, a machine with more memory, or a 16-bit "
            f"`model.dtype` (bfloat16) ({said})."
        )
    if isinstance(error, (SafetensorError, EOFError, pickle.UnpicklingError)) or "PytorchStreamReader" in said:
        # torch's own text recommends to run whatever code the file holds.
        return (
            f"a file of weights is damaged, cut short, or holds other things than tensors ({type(error).__name__}); "
            f"get it again, best as safetensors."
        )
    return f"{what} failed ({said}); give a folder with config, weights and tokenizer, a .gguf file, or a hub id."


def is_out_of_memory(error: Exception) -> bool:
    """Python, CUDA, torch's CPU allocator and memory mapping each report it differently."""
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or re.search(r"(can't|cannot) allocate memory|out of memory", str(error), re.IGNORECASE) is not None
    )


def quoted(error: Exception) -> str:
    """The error on one line, cut where it gets long."""
    text = " ".join(str(error).split())
    if len(text) > LONGEST:
        text = text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
