"""The Fisher information: against autograd, document by document, and what it must not depend on."""

from pathlib import Path

import bitsandbytes as bnb
import pytest
import torch
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerBase, set_seed

from anamnesis.errors import InputError
from anamnesis.methods import fisher as module
from anamnesis.methods.fisher import Fisher, estimate_fisher, load_fisher, save_fisher
from tests.conftest import random_qwen2

DOCUMENTS = [[1, 5, 9, 30, 2], [1, 7, 7], [1, 40, 41, 42, 43, 44, 2], [1, 3, 2]]


def by_autograd(base: PreTrainedModel, documents: list[list[int]]) -> dict[str, Tensor]:
    """The whole F, one document at a time, from gradients of the weights themselves."""
    base.requires_grad_(True)
    head = base.get_output_embeddings()
    layers = {name: m for name, m in base.named_modules() if isinstance(m, nn.Linear) and m is not head}
    sums = {name: torch.zeros_like(layer.weight, dtype=torch.float64) for name, layer in layers.items()}
    for document in documents:
        base.zero_grad()
        ids = torch.tensor([document])
        (base(input_ids=ids, labels=ids).loss * (len(document) - 1)).backward()
        for name, layer in layers.items():
            sums[name] += layer.weight.grad.double().square()
    base.zero_grad()
    base.requires_grad_(False)
    tokens = sum(len(document) - 1 for document in documents)
    return {name: total / tokens for name, total in sums.items()}


def matrices(fisher: Fisher) -> dict[str, Tensor]:
    return {name: torch.outer(row.double(), column.double()) for name, (row, column) in fisher.factors.items()}


def close(first: Fisher, second: Fisher, rtol: float = 1e-4) -> None:
    assert first.factors.keys() == second.factors.keys()
    for one, other in zip(matrices(first).values(), matrices(second).values(), strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=float(rtol * one.max()))


def test_row_and_column_sums_are_those_of_autograd(tokenizer: PreTrainedTokenizerBase) -> None:
    """Padded batches, and no gradient of a weight, against each document alone."""
    base = random_qwen2(tokenizer).requires_grad_(False)
    exact, found = by_autograd(base, DOCUMENTS), matrices(estimate_fisher(base, DOCUMENTS))
    assert found.keys() == exact.keys()
    assert len(found) == 14
    for name in exact:
        assert (found[name] >= 0).all()
        assert float(found[name].max()) > 0
        torch.testing.assert_close(found[name].sum(0), exact[name].sum(0), rtol=1e-4, atol=1e-8)
        torch.testing.assert_close(found[name].sum(1), exact[name].sum(1), rtol=1e-4, atol=1e-8)


def test_a_4_bit_base_has_the_information_of_its_unpacked_copy(tokenizer: PreTrainedTokenizerBase) -> None:
    """Through nf4 layers, against autograd on an fp32 model with the weights that they stand for."""
    packed, plain = (random_qwen2(tokenizer, hidden_size=64).requires_grad_(False) for _ in range(2))
    for name, layer in list(packed.named_modules()):
        if isinstance(layer, nn.Linear) and layer is not packed.get_output_embeddings():
            bias = layer.bias is not None
            four = bnb.nn.Linear4bit(layer.in_features, layer.out_features, bias, torch.float32, quant_type="nf4")
            four.load_state_dict(layer.state_dict(), strict=False)
            four = four.to("cpu").requires_grad_(False)
            four.support_avx512bf16_for_cpu = False
            packed.get_submodule(name.rpartition(".")[0]).__setattr__(name.rpartition(".")[2], four)
            plain.get_submodule(name).weight.data = dequantize_module_weight(four).float()
    assert packed.model.layers[0].mlp.up_proj.weight.dtype == torch.uint8
    close(estimate_fisher(packed.eval(), DOCUMENTS), estimate_fisher(plain, DOCUMENTS), rtol=1e-3)
    exact = by_autograd(plain, DOCUMENTS)
    for name, matrix in matrices(estimate_fisher(packed, DOCUMENTS)).items():
        torch.testing.assert_close(matrix.sum(0), exact[name].sum(0), rtol=1e-3, atol=1e-7)


def test_a_bf16_base_has_nearly_the_information_of_fp32(tokenizer: PreTrainedTokenizerBase) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False).to(torch.bfloat16)
    exact = matrices(estimate_fisher(random_qwen2(tokenizer).requires_grad_(False), DOCUMENTS))
    for name, matrix in matrices(estimate_fisher(base, DOCUMENTS)).items():
        assert float(matrix.sum()) == pytest.approx(float(exact[name].sum()), rel=0.2)


def test_a_corpus_twice_is_the_corpus(tokenizer: PreTrainedTokenizerBase) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False)
    close(estimate_fisher(base, DOCUMENTS), estimate_fisher(base, DOCUMENTS * 2))


def test_neither_order_nor_batches_matter(tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False)
    together = estimate_fisher(base, DOCUMENTS)
    close(together, estimate_fisher(base, DOCUMENTS[::-1]))
    sampled = estimate_fisher(base, DOCUMENTS, seed=0)
    close(sampled, estimate_fisher(base, DOCUMENTS[::-1], seed=0))
    monkeypatch.setattr(module, "DOCUMENTS_AT_ONCE", 1)
    close(together, estimate_fisher(base, DOCUMENTS))


def test_sampled_labels_are_the_seeds_and_not_the_texts(tokenizer: PreTrainedTokenizerBase) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False)
    first = matrices(estimate_fisher(base, DOCUMENTS, seed=0))
    assert all(torch.equal(a, b) for a, b in zip(
        first.values(), matrices(estimate_fisher(base, DOCUMENTS, seed=0)).values(), strict=True
    ))  # fmt: skip
    for other in (estimate_fisher(base, DOCUMENTS, seed=1), estimate_fisher(base, DOCUMENTS)):
        assert any(not torch.allclose(a, b) for a, b in zip(first.values(), matrices(other).values(), strict=True))


def test_half_the_quadratic_form_is_the_rise_of_the_loss(tokenizer: PreTrainedTokenizerBase) -> None:
    """Of a model at its own labels: averaged over many, the loss has no slope there, and F is its curvature."""
    base = random_qwen2(tokenizer, num_hidden_layers=1).double().requires_grad_(False)
    ids = torch.tensor([[1, 5]]).repeat(1, 1)
    layer = base.model.layers[0].mlp.down_proj
    documents = [[1, 5]] * 3000
    row, column = estimate_fisher(base, documents, seed=0).factors["model.layers.0.mlp.down_proj"]
    with torch.no_grad():
        p = base(input_ids=ids).logits[0, 0].log_softmax(-1)
        rises, predicted = [], []
        for number in range(0, layer.weight.shape[0], 2):
            for step in (1e-3, -1e-3):
                layer.weight[number, 3] += step
                rises.append(float((p.exp() * (p - base(input_ids=ids).logits[0, 0].log_softmax(-1))).sum()))
                layer.weight[number, 3] -= step
                predicted.append(float(row[number] * column[3]) * 1e-6 / 2)
    assert sum(predicted) == pytest.approx(sum(rises), rel=0.1)


def test_what_is_saved_is_loaded(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    fisher = estimate_fisher(random_qwen2(tokenizer).requires_grad_(False), DOCUMENTS)
    save_fisher(fisher, tmp_path / "fisher" / "factors.safetensors")
    loaded = load_fisher(tmp_path / "fisher" / "factors.safetensors")
    assert loaded.factors.keys() == fisher.factors.keys()
    for name, (row, column) in fisher.factors.items():
        assert torch.equal(loaded.factors[name][0], row)
        assert torch.equal(loaded.factors[name][1], column)
    save_fisher(Fisher({}), tmp_path / "empty.safetensors")
    assert load_fisher(tmp_path / "empty.safetensors").factors == {}


def test_gpt2s_layers_are_linear_too() -> None:
    set_seed(0)
    config = GPT2Config(vocab_size=60, n_positions=16, n_embd=8, n_layer=1, n_head=2, initializer_range=0.3)
    base = GPT2LMHeadModel(config).eval().requires_grad_(False)
    row, column = estimate_fisher(base, DOCUMENTS).factors["transformer.h.0.mlp.c_fc"]
    assert (len(row), len(column)) == (32, 8)


def test_nothing_is_left_on_the_base(tokenizer: PreTrainedTokenizerBase) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False)
    estimate_fisher(base, DOCUMENTS)
    assert not any(m._forward_hooks for m in base.modules())
    assert all(weight.grad is None and not weight.requires_grad for weight in base.parameters())


def test_a_base_that_is_not_finite_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    base = random_qwen2(tokenizer).requires_grad_(False)
    base.model.layers[0].mlp.down_proj.weight.data[0, 0] = float("nan")
    with pytest.raises(InputError, match="is not finite"):
        estimate_fisher(base, DOCUMENTS)
