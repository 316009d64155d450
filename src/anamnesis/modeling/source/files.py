"""The files of a model: found on this machine or fetched from the hub, and looked at before anything is loaded."""

import errno
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError, safe_open

from anamnesis.files import read_json
from anamnesis.modeling.source.refusal import UnusableModelError, explained, quoted
from anamnesis.settings.modeling import Model

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# Files of the repository's root: no second copies of the weights in other formats, and no code.
FETCHED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
FETCHED_IF_NO_SAFETENSORS = ["pytorch_model*.bin"]
NOT_FETCHED = ["*/*", "consolidated*"]

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
READ_BY_TRANSFORMERS = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt", "*.gguf")
TOKENIZER_FILES = ("tokenizer.json", "*.model", "vocab.*", "tekken.json")


def find(model: Model) -> Path:
    """The folder or .gguf file of `model.source`; a hub repository is fetched, so that all sources are folders.

    Raises:
        UnusableModelError: there is none, or the hub does not give it.
    """
    path = Path(model.source).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".gguf"):
        return path
    if path.is_file():
        raise UnusableModelError("it is a single file; give the folder that it is in, or a .gguf file.")
    if not HUB_ID.fullmatch(model.source) or path.suffix.lower() == ".gguf":
        raise UnusableModelError("there is no such folder or file; check the path.")
    if model.revision is None:
        raise UnusableModelError(
            "it is not a local folder; for a hub id set `model.revision` to a commit, so that the experiment can be "
            "repeated."
        )
    return _fetch(model.source, model.revision)


def check_files(folder: Path) -> None:
    """Refuse what transformers would read as something else, or would fail on without naming the cause.

    Raises:
        UnusableModelError: a file is missing, damaged, or not what its name says; there is a PEFT adapter; or the model
            needs code of its own.
    """
    _check_whole(folder)
    _check_no_adapter(folder)
    if not (folder / "config.json").is_file():
        single = sorted(folder.glob("*.gguf"))
        raise UnusableModelError(
            f"the folder holds a GGUF file; set `model.source` to the file itself, {single[0]}."
            if single
            else "the folder has no config.json; give the folder that holds config, weights and tokenizer."
        )
    if not any(any(folder.glob(name)) for name in TOKENIZER_FILES):
        raise UnusableModelError(
            "the folder has no tokenizer (tokenizer.json); copy the model's tokenizer files there."
        )
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in _read(folder / name):
            raise UnusableModelError(
                f"{name} asks for code that comes with the model (auto_map), which is never run; choose an "
                f"architecture of transformers' own, or if it is one take `auto_map` out of {name}."
            )


def check_not_a_pointer(file: Path) -> None:
    """Raises UnusableModelError if Git LFS has left a pointer in the file's place."""
    with file.open("rb") as content:
        if content.read(len(LFS_POINTER)) == LFS_POINTER:
            raise UnusableModelError(
                f"{file.name} is a Git LFS pointer and not the file itself; run `git lfs pull` in {file.parent}."
            )


def _check_whole(folder: Path) -> None:
    for pattern in READ_BY_TRANSFORMERS:
        for file in sorted(folder.glob(pattern)):
            if file.is_file():
                check_not_a_pointer(file)
    for file in sorted(folder.glob("model*.safetensors")):
        with explained(f"reading {file.name}"):
            _check_length(file)


def _check_length(file: Path) -> None:
    """safetensors compares the header with the length of the file when it opens it."""
    try:
        with safe_open(file, "pt"):
            pass
    except SafetensorError as error:
        raise UnusableModelError(
            f"{file.name} is damaged or cut short ({quoted(error)}); copy or download it again."
        ) from error


def _check_no_adapter(folder: Path) -> None:
    """transformers would load the adapter's base from elsewhere, or add the adapter to the weights."""
    if not (folder / "adapter_config.json").is_file():
        return
    if not (folder / "config.json").is_file():
        raise UnusableModelError(
            "the folder holds a PEFT adapter and not a model; merge it into its base (PEFT: "
            "`merge_and_unload().save_pretrained(folder)`), save the tokenizer beside it, and give that folder."
        )
    raise UnusableModelError(
        "the folder holds a PEFT adapter (adapter_config.json) beside the model; if it is merged into the weights, "
        "take adapter_config.json out of the folder, and if not, merge it first (PEFT: `merge_and_unload()`)."
    )


def _read(file: Path) -> dict[str, object]:
    with explained(f"reading {file.name}"):
        return dict(read_json(file))


def _fetch(repository: str, revision: str) -> Path:
    try:
        folder = Path(
            snapshot_download(repository, revision=revision, allow_patterns=FETCHED, ignore_patterns=NOT_FETCHED)
        )
        if not any(folder.glob("*.safetensors")):
            snapshot_download(repository, revision=revision, allow_patterns=FETCHED_IF_NO_SAFETENSORS)
    except GatedRepoError as error:
        raise UnusableModelError(
            "the hub asks for an account with access to it; accept its terms on the hub and log in (`hf auth login`)."
        ) from error
    except RevisionNotFoundError as error:
        raise UnusableModelError(f"the hub has no revision {revision} of it; check `model.revision`.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UnusableModelError(
            "there is no such folder here, and no such repository on the hub; check it."
        ) from error
    except HfHubHTTPError as error:
        raise UnusableModelError(f"the hub refused the download; try again later ({quoted(error)}).") from error
    except (HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise UnusableModelError(
            "there is no such folder here, and the hub could not be reached; check the network (and HF_HUB_OFFLINE), "
            "or download the model elsewhere and give its folder."
        ) from error
    return folder
