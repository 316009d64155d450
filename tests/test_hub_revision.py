"""A hub id is read at the revision that the profile pins, in every part."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from anamnesis.modeling.loading import obtain, save_base
from anamnesis.settings.modeling import Model
from anamnesis.settings.sections import SettingsError
from tests.conftest import CPU, random_qwen2

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """A hub with one repository, some/model; what is asked of it, by what and at which revision."""
    save_base(random_qwen2(tokenizer), tokenizer, tmp_path)
    asked: list[tuple[str, Any]] = []

    def from_pretrained(name: str, original: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
        if str(source) == "some/model":
            asked.append((name, kwargs.pop("revision", None)))
            source = tmp_path
        return original(source, *args, **kwargs)

    for kind in (AutoConfig, AutoTokenizer, AutoModelForCausalLM):
        monkeypatch.setattr(kind, "from_pretrained", partial(from_pretrained, kind.__name__, kind.from_pretrained))
    return asked


def test_the_revision_reaches_tokenizer_and_model(hub: list[tuple[str, Any]]) -> None:
    obtain(Model(source="some/model", revision=COMMIT, quantization="none", dtype="float32"), CPU)
    assert {"AutoTokenizer", "AutoModelForCausalLM"} <= {kind for kind, _ in hub}
    assert {revision for _, revision in hub} == {COMMIT}


def test_a_hub_id_without_a_revision_is_refused_before_anything_is_fetched(hub: list[tuple[str, Any]]) -> None:
    with pytest.raises(SettingsError, match=r"set `model\.revision` to a commit"):
        obtain(Model(source="some/model", revision=None, quantization="none", dtype="float32"), CPU)
    assert hub == []
