"""The student: every kind of tuner must start as the base, come off without a trace, and load back from disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    Qwen2ForCausalLM,
    set_seed,
)

from anamnesis.errors import InputError
from anamnesis.modeling.hidden_states import hidden_states
from anamnesis.modeling.loading import load_base, save_base
from anamnesis.modeling.source.obtaining import obtain
from anamnesis.modeling.student.bottleneck import BottleneckLayer
from anamnesis.modeling.student.low_rank import AddedProduct
from anamnesis.modeling.student.saving import load_student, models_of_run, save_run, share_name
from anamnesis.modeling.student.student import ADAPTER, Student
from anamnesis.modeling.student.tuners import add_student
from anamnesis.modeling.student.updates import Dense, LowRank, distance, norm
from anamnesis.settings.modeling import Model
from anamnesis.settings.tuner import Tuner
from tests.conftest import CPU, TUNER, random_qwen2
from tests.test_teachers import disturb

LAYERS = {
    "lora": TUNER,
    "attention": replace(TUNER, target_modules=["q_proj", "v_proj"]),
    "mlp": replace(TUNER, target_modules=["gate_proj", "up_proj", "down_proj"]),
    "dora": replace(TUNER, kind="dora"),
    "bottleneck": Tuner(kind="bottleneck", size=6),
    "bitfit": Tuner(kind="bitfit"),
    "upper": replace(TUNER, first_layer=1),
    "upper_dora": replace(TUNER, kind="dora", first_layer=1),
    "upper_bottleneck": Tuner(kind="bottleneck", size=6, first_layer=1),
    "upper_bitfit": Tuner(kind="bitfit", first_layer=1),
}
FULL = {"full": Tuner(kind="full"), "upper_full": Tuner(kind="full", first_layer=1)}
VIRTUAL = {"prefix": Tuner(kind="prefix", tokens=3), "prompt": Tuner(kind="prompt", tokens=3)}
TUNERS = LAYERS | FULL | VIRTUAL
TOKENS = torch.arange(5, 17).reshape(2, 6)
BATCH = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
EVERYWHERE = torch.ones_like(TOKENS, dtype=torch.bool)

Bases = Callable[[], Qwen2ForCausalLM]


@pytest.fixture(params=["fp32", "nf4"])
def bases(request: pytest.FixtureRequest, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> Bases:
    """Makes the same base every time; its biases are random, since a trained model's are not zero."""
    if request.param == "nf4" and "full" in request.node.name:
        pytest.skip("4-bit weights cannot be trained")

    def fresh() -> Qwen2ForCausalLM:
        model = random_qwen2(tokenizer, hidden_size=64, intermediate_size=128)
        generator = torch.Generator().manual_seed(1)
        for name, weight in model.named_parameters():
            if name.endswith(".bias"):
                weight.data = torch.randn(weight.shape, generator=generator)
        return model

    if request.param == "fp32":
        return fresh
    save_base(fresh(), tokenizer, tmp_path / "hub")
    source = Model(source=str(tmp_path / "hub"), revision=None, quantization="nf4", dtype="float32")
    save_base(*obtain(source, CPU), tmp_path / "base")
    return lambda: load_base(tmp_path / "base", CPU)[0]


def states(student: Student) -> Tensor:
    with torch.no_grad():
        return student.hidden_states(BATCH, EVERYWHERE)


def logits(model: torch.nn.Module) -> Tensor:
    with torch.no_grad():
        return model(input_ids=TOKENS).logits[:, -TOKENS.shape[1] :]


@pytest.mark.parametrize("kind", LAYERS | FULL)
def test_starts_as_the_base_and_is_the_base_when_taken_off(bases: Bases, kind: str) -> None:
    before = logits(bases())
    student = add_student(bases(), TUNERS[kind])
    assert torch.equal(logits(student.model), before)
    disturb(student.weights)
    assert not torch.allclose(logits(student.model), before, atol=1e-3)
    with student.as_base():
        assert torch.equal(logits(student.model), before)
    if kind in LAYERS:
        with student.model.disable_adapter():
            assert torch.equal(logits(student.model), before)


@pytest.mark.parametrize("kind", VIRTUAL)
def test_virtual_tokens_start_as_words_and_are_the_base_when_taken_off(bases: Bases, kind: str) -> None:
    """Not as the base: as the base that has read some words before."""
    base = bases()
    before = logits(base)
    student = add_student(bases(), TUNERS[kind])
    at_random = logits(student.model)
    words = torch.tensor([9, 200, 9])
    student.start(words)
    with torch.no_grad():
        after_words = base(torch.cat([words.expand(len(TOKENS), -1), TOKENS], dim=1)).logits[:, len(words) :]
    torch.testing.assert_close(logits(student.model), after_words, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(after_words, before, atol=1e-3)
    assert not torch.allclose(after_words, at_random, atol=1e-3)
    disturb(student.weights)
    assert not torch.allclose(logits(student.model), before, atol=1e-3)
    with student.as_base():
        assert torch.equal(logits(student.model), before)
        assert torch.equal(student.model.get_output_embeddings()(states(student)), before.flatten(0, 1))


def test_a_prompt_starts_with_words_of_the_vocabulary_that_the_seed_chooses(bases: Bases) -> None:
    starts = []
    for seed in (0, 0, 1):
        base = bases()
        set_seed(seed)
        student = add_student(base, TUNERS["prompt"])
        embedding = base.get_input_embeddings().weight
        same = (student.weights[0][:, None] == embedding).all(dim=2)
        assert same.any(dim=1).all()
        starts.append(same.int().argmax(dim=1).tolist())
    assert starts[0] == starts[1] != starts[2]


@pytest.mark.parametrize("kind", TUNERS)
def test_the_head_on_its_hidden_states_gives_the_models_logits(bases: Bases, kind: str) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    ours = student.model.get_output_embeddings()(states(student))
    torch.testing.assert_close(ours, logits(student.model).flatten(0, 1))


@pytest.mark.parametrize("kind", TUNERS)
def test_its_weights_are_exactly_what_is_trained(bases: Bases, kind: str) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    named = {name: weight for name, weight in student.model.named_parameters() if weight.requires_grad}
    assert {id(weight) for weight in named.values()} == {id(weight) for weight in student.weights}
    assert len(named) == len(student.weights)
    # Of a key's bias every query sees the same: the softmax takes it out, and its gradient is rounding.
    sees = [weight for name, weight in named.items() if not name.endswith("k_proj.bias")]
    student.hidden_states(BATCH, EVERYWHERE).square().sum().backward()
    assert all(weight.grad is not None for weight in student.weights)
    assert all(weight.grad.abs().max() > 0 for weight in sees)
    assert all(weight.grad is None for weight in student.model.parameters() if not weight.requires_grad)
    if "upper" in kind:
        assert named
        assert all(".layers.1." in f".{name}" for name in named if name != "model.norm.weight")
    if "full" in kind:
        every = {name for name, _ in student.model.named_parameters() if "upper" not in kind or "layers.0." not in name}
        assert named.keys() == every - {"model.embed_tokens.weight", "lm_head.weight"}
    if "bottleneck" in kind:
        assert {name.split(".")[-4] for name in named} == {"o_proj", "down_proj"}
    if "bitfit" in kind:
        assert all(name.split(".")[-3] in ("q_proj", "k_proj", "v_proj") for name in named)


@pytest.mark.parametrize("kind", TUNERS)
def test_other_weights_are_held_for_a_block_and_leave_no_trace(bases: Bases, kind: str) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights, seed=1)
    other = [weight.detach().clone() for weight in student.weights]
    expected = logits(student.model)
    disturb(student.weights, seed=2)
    own, trainable = logits(student.model), [weight.requires_grad for weight in student.weights]
    places = [(id(weight), weight.data_ptr()) for weight in student.weights]
    with student.holding(other):
        assert torch.equal(logits(student.model), expected)
    with pytest.raises(KeyError), student.holding(other):
        raise KeyError
    assert places == [(id(weight), weight.data_ptr()) for weight in student.weights]
    assert trainable == [weight.requires_grad for weight in student.weights]
    assert torch.equal(logits(student.model), own)
    with pytest.raises(ValueError, match="not of the student's shapes"), student.holding(other[1:]):
        pass


def test_autocast_does_not_remember_the_weights_that_were_held(tokenizer: PreTrainedTokenizerBase) -> None:
    """It caches low-precision copies of trainable parameters by identity, which a swap does not change."""
    student = add_student(random_qwen2(tokenizer), TUNER)
    disturb(student.weights)
    other = [torch.zeros_like(weight) for weight in student.weights]
    with torch.autocast("cpu", torch.bfloat16):
        alone = states(student)
        with student.holding(other):
            assert not torch.equal(states(student), alone)
        student.hidden_states(BATCH, EVERYWHERE).sum().backward()
        assert torch.equal(states(student), alone)
    assert all(weight.grad is not None for weight in student.weights)


@pytest.mark.parametrize("kind", TUNERS)
def test_a_run_comes_back_from_disk_with_all_its_models(bases: Bases, kind: str, tmp_path: Path) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights, seed=1)
    teacher = [weight.detach().clone() for weight in student.weights]
    expected = {"ema_teacher": logits(student.model)}
    disturb(student.weights, seed=2)
    expected["ema"] = logits(student.model)
    shares = [0.25] if TUNERS[kind].scalable else []
    for share in shares:
        with student.holding(student.share(share)):
            expected["ema_share_0_25"] = logits(student.model)
    save_run(student, teacher, shares, tmp_path / "run")
    assert torch.equal(logits(student.model), expected["ema"])
    loaded = load_student(bases(), tmp_path / "run")
    found = {name: logits(loaded.model) for name in models_of_run(loaded, "ema", tmp_path / "run")}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert torch.equal(logits(loaded.model), expected["ema"])


def test_a_teacher_with_weights_missing_is_refused(bases: Bases, tmp_path: Path) -> None:
    half, whole = add_student(bases(), TUNERS["upper"]), add_student(bases(), TUNER)
    save_run(whole, None, [], tmp_path / "run")
    save_run(half, None, [], tmp_path / "run" / "teacher")
    loaded = load_student(bases(), tmp_path / "run")
    with pytest.raises(RuntimeError, match="lacks 14 of the student's weights"):
        list(models_of_run(loaded, "ema", tmp_path / "run"))


def test_a_teacher_of_full_fine_tuning_with_weights_missing_is_refused(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    half, whole = (add_student(random_qwen2(tokenizer), TUNERS[kind]) for kind in ("upper_full", "full"))
    save_run(whole, None, [], tmp_path / "run")
    save_run(half, None, [], tmp_path / "run" / "teacher")
    loaded = load_student(random_qwen2(tokenizer), tmp_path / "run")
    with pytest.raises(RuntimeError, match="lacks 12 of the student's weights"):
        list(models_of_run(loaded, "ema", tmp_path / "run"))
    with pytest.raises(RuntimeError, match=r"the base has no model\.layers\.1"):
        load_student(random_qwen2(tokenizer, num_hidden_layers=1), tmp_path / "run")


@pytest.mark.parametrize("kind", LAYERS | VIRTUAL)
def test_peft_itself_reads_what_was_saved_and_switches_it_off(bases: Bases, kind: str, tmp_path: Path) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    save_run(student, None, [], tmp_path / "run")
    read = PeftModel.from_pretrained(bases(), tmp_path / "run").eval()
    assert torch.equal(logits(read), logits(student.model))
    with read.disable_adapter():
        assert torch.equal(logits(read), logits(bases()))


def test_full_fine_tuning_is_saved_in_the_precision_of_the_base(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNERS["full"])
    disturb(student.weights)
    save_run(student, None, [], tmp_path / "run")
    loaded = load_student(random_qwen2(tokenizer).to(torch.bfloat16), tmp_path / "run")
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.bfloat16}
    for ours, saved in zip(student.weights, loaded.weights, strict=True):
        assert torch.equal(ours.detach().to(torch.bfloat16), saved)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.safetensors")) == pytest.approx(
        2 * sum(weight.numel() for weight in student.weights), rel=0.1
    )


@pytest.mark.parametrize("kind", TUNERS)
def test_a_student_of_a_16_bit_base_is_read_without_autocast(
    tokenizer: PreTrainedTokenizerBase, kind: str, tmp_path: Path
) -> None:
    """As evaluation does; it is the student that was trained under autocast, up to rounding."""
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNERS[kind])
    disturb(student.weights)
    with torch.autocast("cpu", torch.bfloat16):
        trained = logits(student.model).float()
    save_run(student, None, [], tmp_path / "run")
    read = logits(load_student(random_qwen2(tokenizer).to(torch.bfloat16), tmp_path / "run").model).float()
    assert float((read - trained).norm() / trained.norm()) < 0.05


# ---- Virtual tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", VIRTUAL)
def test_a_text_is_read_after_the_past_whatever_else_is_in_its_batch(bases: Bases, kind: str) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    together = states(student).reshape(*TOKENS.shape, -1)
    decoder = student.model.get_base_model().get_decoder()
    for row, tokens in enumerate(TOKENS):
        for length in range(1, len(tokens) + 1):
            part = tokens[None, :length]
            with torch.no_grad():
                after = decoder(input_ids=part, past_key_values=student.past(1)).last_hidden_state[0]
                alone = student.hidden_states({"input_ids": part}, torch.ones_like(part, dtype=torch.bool))
            torch.testing.assert_close(after, together[row, :length], rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(alone, together[row, :length], rtol=1e-4, atol=1e-4)


def test_only_virtual_tokens_have_a_past(bases: Bases) -> None:
    student = add_student(bases(), TUNER)
    assert student.past(2) is None
    assert student.virtual_tokens == 0


# ---- Updates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if "bottleneck" not in kind])
def test_an_update_is_what_merging_adds_to_the_base(bases: Bases, kind: str) -> None:
    """Compared with PEFT's own merge of one layer; a bias is merged into the bias."""
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    layers = [
        module for module in student.model.modules() if hasattr(module, "merge") and hasattr(module, "base_layer")
    ]
    updates = list(student.updates())
    assert len(updates) == len(layers) > 0
    for layer, update in zip(layers, updates, strict=True):
        if "bitfit" in kind:
            before = layer.base_layer.bias.detach().clone()
            layer.merge()
            change = layer.base_layer.bias.detach() - before
        elif hasattr(layer.base_layer.weight, "quant_state"):
            probe = torch.eye(layer.in_features)
            with torch.no_grad():
                change = (layer(probe) - layer.base_layer(probe)).T
        else:
            before = layer.base_layer.weight.detach().clone()
            layer.merge()
            change = layer.base_layer.weight.detach() - before
        dense = update.delta if isinstance(update, Dense) else update.left @ update.right
        torch.testing.assert_close(dense.float(), change, rtol=1e-3, atol=1e-5)


def test_a_dora_update_of_gpt2_has_the_right_way_round() -> None:
    """GPT-2's layers keep their weights transposed."""
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64))
    student = add_student(gpt2, Tuner(kind="dora", r=4, alpha=8.0, dropout=0.0, target_modules=["c_attn", "c_proj"]))
    assert norm(student.updates()) == pytest.approx(0, abs=1e-4)
    disturb(student.weights)
    layers = [module for module in student.model.modules() if isinstance(module, LoraLayer)]
    for layer, update in zip(layers, list(student.updates()), strict=True):
        before = layer.base_layer.weight.detach().clone()
        layer.merge()
        torch.testing.assert_close(
            update.delta.float().T, layer.base_layer.weight.detach() - before, rtol=1e-3, atol=1e-5
        )


def test_a_bottleneck_is_its_formula_and_its_update_the_part_without_gelu(bases: Bases) -> None:
    student = add_student(bases(), TUNERS["bottleneck"])
    assert norm(student.updates()) == 0
    disturb(student.weights)
    layers = [module for module in student.model.modules() if isinstance(module, BottleneckLayer)]
    assert len(layers) == 4
    for layer, update in zip(layers, list(student.updates()), strict=True):
        down, up = layer.bottleneck_down["default"], layer.bottleneck_up["default"]
        assert (down.out_features, up.in_features) == (6, 6)
        x = torch.randn(5, layer.base_layer.in_features)
        with torch.no_grad():
            h = layer.base_layer(x)
            inner = h @ down.weight.T + down.bias
            gelu = inner * (1 + torch.erf(inner / 2**0.5)) / 2
            torch.testing.assert_close(layer(x), h + gelu @ up.weight.T + up.bias)
            affine = torch.cat([h, torch.ones(5, 1)], dim=1) @ (update.left @ update.right).T.float()
            torch.testing.assert_close(affine, inner @ up.weight.T + up.bias, rtol=1e-4, atol=1e-4)


def test_full_fine_tuning_s_update_is_the_difference_from_the_base(tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer), TUNERS["full"])
    assert norm(student.updates()) == 0
    disturb(student.weights)
    base = dict(random_qwen2(tokenizer).named_parameters())
    for name, weight, update in zip(student.names, student.weights, student.updates(), strict=True):
        torch.testing.assert_close(update.delta.float(), weight.detach() - base[name])


def test_dora_starts_with_the_base_s_norms(bases: Bases) -> None:
    student = add_student(bases(), TUNERS["dora"])
    assert norm(student.updates()) == pytest.approx(0, abs=1e-5)
    layer = next(module for module in student.model.modules() if isinstance(module, LoraLayer))
    probe = torch.eye(layer.in_features)
    with torch.no_grad():
        weight = layer.base_layer(probe) - (0 if layer.base_layer.bias is None else layer.base_layer.bias)
    torch.testing.assert_close(layer.lora_magnitude_vector["default"].weight, weight.T.norm(dim=1))


def test_distance_is_the_frobenius_norm_of_the_difference_of_the_updates(tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer), TUNER)
    disturb(student.weights, seed=1)
    other = [weight.detach().clone() for weight in student.weights]
    layers = [module for module in student.model.modules() if isinstance(module, LoraLayer)]
    first = [layer.get_delta_weight("default").detach() for layer in layers]
    disturb(student.weights, seed=2)
    second = [layer.get_delta_weight("default").detach() for layer in layers]
    squares = sum(float((a - b).square().sum()) for a, b in zip(first, second, strict=True))
    assert distance(student.updates(), student.updates(other)) == pytest.approx(squares**0.5, rel=1e-4)
    assert distance(student.updates(), student.updates()) == pytest.approx(0, abs=1e-4)
    assert norm(student.updates(other)) == pytest.approx(sum(float(a.square().sum()) for a in first) ** 0.5, rel=1e-4)


def test_low_rank_and_dense_updates_measure_the_same() -> None:
    generator = torch.Generator().manual_seed(0)
    one, two = (LowRank(torch.randn(7, 2, generator=generator), torch.randn(2, 5, generator=generator)) for _ in "ab")
    dense = Dense(one.left @ one.right).minus(Dense(two.left @ two.right))
    assert one.minus(two).squared_norm() == pytest.approx(dense.squared_norm(), rel=1e-5)


@pytest.mark.parametrize("kind", [kind for kind, tuner in TUNERS.items() if tuner.scalable])
def test_shares_run_from_the_base_to_the_student_in_a_line(bases: Bases, kind: str) -> None:
    student = add_student(bases(), TUNERS[kind])
    disturb(student.weights)
    own, whole = logits(student.model), norm(student.updates())
    with student.as_base():
        base = logits(student.model)
    for share, expected in ((0.0, base), (1.0, own)):
        with student.holding(student.share(share)):
            assert torch.equal(logits(student.model), expected)
    for share in (0.25, 0.5, 0.75):
        assert norm(student.updates(student.share(share))) == pytest.approx(share * whole, rel=1e-5)


@pytest.mark.parametrize("kind", ["dora", *VIRTUAL])
def test_some_tuners_have_no_shares(bases: Bases, kind: str) -> None:
    with pytest.raises(ValueError, match=r"not linear|change no weight"):
        add_student(bases(), TUNERS[kind]).share(0.5)


def test_names_of_shares_have_no_dot() -> None:
    """DVC splits a metric's key at every dot."""
    assert [share_name("none", share) for share in (0.25, 0.5, 0.125)] == [
        "none_share_0_25",
        "none_share_0_5",
        "none_share_0_125",
    ]


# ---- What does not fit ---------------------------------------------------------------------------------------------


def test_bitfit_needs_a_model_with_biases() -> None:
    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    )
    with pytest.raises(InputError, match=r"`tuner\.kind` is bitfit, which trains the biases of.*choose another kind"):
        add_student(llama, Tuner(kind="bitfit"))


def test_a_bottleneck_needs_the_sublayers_outputs() -> None:
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64))
    with pytest.raises(InputError, match=r"`tuner\.kind` is bottleneck, which needs one o_proj .*GPT2LMHeadModel is"):
        add_student(gpt2, TUNERS["bottleneck"])


@pytest.mark.parametrize("bases", ["nf4"], indirect=True)
def test_packed_weights_cannot_be_trained(bases: Bases) -> None:
    with pytest.raises(InputError, match=r"`tuner\.kind` is full, .*set `model\.quantization` to none"):
        add_student(bases(), Tuner(kind="full"))


@pytest.mark.parametrize("tuner", [replace(TUNER, first_layer=2), Tuner(kind="bitfit", first_layer=2)])
def test_a_first_layer_that_the_model_has_not_is_refused(tokenizer: PreTrainedTokenizerBase, tuner: Tuner) -> None:
    with pytest.raises(InputError, match=r"`tuner\.first_layer` is 2, but the model has 2 layers"):
        add_student(random_qwen2(tokenizer), tuner)


def test_student_weights_are_fp32_on_a_16_bit_base(tokenizer: PreTrainedTokenizerBase) -> None:
    for tuner in TUNERS.values():
        student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), tuner)
        assert {weight.dtype for weight in student.weights} == {torch.float32}, tuner.kind


@pytest.mark.parametrize("kind", LAYERS | FULL)
def test_a_16_bit_student_starts_as_the_base_under_autocast(tokenizer: PreTrainedTokenizerBase, kind: str) -> None:
    def read(model: torch.nn.Module) -> Tensor:
        # Anew each time: autocast remembers the low-precision copies of weights.
        with torch.autocast("cpu", torch.bfloat16):
            return logits(model)

    before = read(random_qwen2(tokenizer).to(torch.bfloat16))
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNERS[kind])
    assert torch.equal(read(student.model), before)
    disturb(student.weights)
    assert not torch.equal(read(student.model), before)
    with torch.no_grad(), student.as_base():
        assert torch.equal(read(student.model), before)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_16_bit_student_starts_as_the_base_without_autocast_too(
    tokenizer: PreTrainedTokenizerBase, kind: str
) -> None:
    """DoRA by its norms in fp32, in which its forward takes them."""
    before = logits(random_qwen2(tokenizer).to(torch.bfloat16))
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNERS[kind])
    assert torch.equal(logits(student.model), before)
    assert norm(student.updates()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("dtype", "read"), [(torch.float32, 9), (torch.bfloat16, 32)])
def test_in_16_bits_on_a_cpu_texts_are_read_in_few_lengths_with_the_same_states(
    tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype, read: int
) -> None:
    base = random_qwen2(tokenizer).to(dtype)
    lengths: list[int] = []
    base.get_decoder().register_forward_pre_hook(
        lambda _, __, inputs: lengths.append(inputs["input_ids"].shape[1]), with_kwargs=True
    )
    ids, positions = torch.arange(4, 13)[None], torch.arange(9)[None] > 4
    with torch.no_grad():
        states = hidden_states(base, {"input_ids": ids}, positions)
        alone = base.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[positions]
    assert lengths == [read, 9]
    assert (states - alone).norm() / alone.norm() < 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("kind", VIRTUAL)
def test_virtual_tokens_count_in_the_few_lengths(tokenizer: PreTrainedTokenizerBase, kind: str) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNERS[kind])
    read: list[int] = []
    student.model.get_base_model().model.layers[0].register_forward_pre_hook(
        lambda _, inputs: read.append(inputs[0].shape[1])
    )
    short = states(student)
    # A prefix is read before as keys and values, a prompt as part of the text.
    assert read == [29 if kind == "prefix" else 32]
    assert short.shape == (TOKENS.numel(), 32)


# ---- LoRA on a 16-bit base -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("autocast", [False, True])
def test_on_a_16_bit_base_a_lora_layer_has_the_output_and_the_gradients_of_its_formula(
    tokenizer: PreTrainedTokenizerBase, autocast: bool
) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    disturb(student.weights)
    layer = next(module for module in student.model.modules() if isinstance(module, LoraLayer))
    first, second = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    inputs = torch.randn(2, 5, layer.in_features).to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output = layer(inputs)
    towards = torch.randn_like(output)
    found = torch.autograd.grad(output, [inputs, first, second], towards)

    x, a, b = (tensor.detach().double().requires_grad_() for tensor in (inputs, first, second))
    base = layer.get_base_layer()
    expected = x @ base.weight.double().T + layer.scaling[ADAPTER] * x @ a.T @ b.T
    if base.bias is not None:
        expected = expected + base.bias.double()
    gradients = torch.autograd.grad(expected, [x, a, b], towards.double())
    assert (output.dtype, found[1].dtype, found[2].dtype) == (torch.bfloat16, torch.float32, torch.float32)
    for value, exact in zip([output.detach(), *found], [expected.detach(), *gradients], strict=True):
        assert float((value.double() - exact).norm() / exact.norm()) < 2 * torch.finfo(torch.bfloat16).eps


def test_on_a_16_bit_base_a_saved_lora_is_what_peft_alone_reads(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    disturb(student.weights)
    save_run(student, None, [], tmp_path / "run")
    alone = PeftModel.from_pretrained(random_qwen2(tokenizer).to(torch.bfloat16), tmp_path / "run").eval()
    ours, theirs = logits(student.model.eval()).float(), logits(alone).float()
    assert float((ours - theirs).norm() / theirs.norm()) < 0.02


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_in_fp32_every_lora_and_on_any_base_dora_is_computed_by_peft(
    tokenizer: PreTrainedTokenizerBase, kind: str
) -> None:
    base = random_qwen2(tokenizer) if kind == "lora" else random_qwen2(tokenizer).to(torch.bfloat16)
    student = add_student(base, TUNERS[kind])
    layers = [module for module in student.model.modules() if isinstance(module, LoraLayer)]
    assert layers
    assert not any(isinstance(layer.lora_variant.get(ADAPTER), AddedProduct) for layer in layers)
    assert all(layer.cast_input_dtype_enabled for layer in layers)


def test_a_student_on_a_16_bit_base_is_not_merged(tokenizer: PreTrainedTokenizerBase) -> None:
    student = add_student(random_qwen2(tokenizer).to(torch.bfloat16), TUNER)
    for safe in (False, True):
        with pytest.raises(NotImplementedError):
            student.model.merge_adapter(safe_merge=safe)
