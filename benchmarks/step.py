"""One training step of each method, against the naive loop with two models and TRL's GKD trainer.

All take their steps in turn, on the same batch in the same process. Each ratio is the median over rounds of the ratio
within a round. The limit is the ratio of the matrix products that a step cannot avoid (`flops`).
"""

import copy
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, Protocol

import click
import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen2Config, set_seed

from anamnesis.markdown import table
from anamnesis.methods.states import TeacherStates
from anamnesis.methods.supervision import IGNORED
from anamnesis.modeling.loading import load_base, low_precision
from anamnesis.settings.compute import Compute
from anamnesis.training.data import report_collator
from benchmarks._models import (
    KEEP_FREED_MEMORY,
    LEARNING_RATE,
    MAX_STEPS,
    METHODS,
    SUPERVISED_SHARE,
    TRAINING,
    TUNER,
    InTurn,
    PeakMemory,
    Seconds,
    adapter_bytes,
    cached_states,
    flops,
    project_trainer,
    quiet,
    qwen2,
    random_base,
    random_reports,
    resident_bytes,
    restart_with,
    student_and_teacher,
    supervised_tokens,
)

SETTINGS = {
    "vocabulary 4 k": qwen2(4096, hidden=256, intermediate=704, layers=4, heads=4, key_value_heads=2),
    "vocabulary 152 k": qwen2(151936, hidden=256, intermediate=704, layers=4, heads=4, key_value_heads=2),
    # Two of Qwen2-1.5B's 28 layers, and the head's rows in proportion.
    "Qwen2-1.5B's layers": qwen2(
        151936 * 2 // 28, hidden=1536, intermediate=8960, layers=2, heads=12, key_value_heads=2
    ),
}
Batch = dict[str, Tensor]


class Contestant(Protocol):
    def step(self, measure: AbstractContextManager[Any]) -> None: ...

    def resident(self) -> int:
        """Bytes held between steps: weights, and the optimizer's states."""
        ...

    def stop(self) -> None: ...


class Naive:
    """The loop as usually published: two models, logits at all positions, and a divergence masked afterwards."""

    def __init__(self, base: PreTrainedModel, batch: Batch, decay: float | None) -> None:
        set_seed(0)
        self._decay = decay
        bare = copy.deepcopy(base)
        self._student = with_lora(base).train()
        self._teacher = (bare if decay is None else copy.deepcopy(self._student)).eval().requires_grad_(False)
        trained = {name: weight for name, weight in self._student.named_parameters() if weight.requires_grad}
        self._trained = list(trained.values())
        self._averaged = [weight for name, weight in self._teacher.named_parameters() if name in trained]
        self._optimizer = torch.optim.AdamW(self._trained, lr=LEARNING_RATE, weight_decay=TRAINING.weight_decay)
        self._batch = batch

    def step(self, measure: AbstractContextManager[Any]) -> None:
        with measure:
            self._step()

    def _step(self) -> None:
        inputs = {name: self._batch[name] for name in ("input_ids", "attention_mask")}
        output = self._student(**inputs, labels=self._batch["labels"])
        with torch.no_grad():
            teacher_logits = self._teacher(**inputs).logits
        student_log_p = F.log_softmax(output.logits[:, :-1].float(), dim=-1)
        teacher_p = F.softmax(teacher_logits[:, :-1].float(), dim=-1)
        mask = self._batch["labels"][:, 1:] != IGNORED
        kl = (F.kl_div(student_log_p, teacher_p, reduction="none").sum(-1) * mask).sum() / mask.sum()
        (output.loss + kl).backward()
        torch.nn.utils.clip_grad_norm_(self._trained, TRAINING.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._decay is not None:
            with torch.no_grad():
                for teacher, student in zip(self._averaged, self._trained, strict=True):
                    teacher.mul_(self._decay).add_(student, alpha=1 - self._decay)

    def resident(self) -> int:
        return resident_bytes([self._student, self._teacher], self._optimizer)

    def stop(self) -> None:
        """Nothing to end: it takes a step only when asked."""


def with_lora(base: PreTrainedModel) -> PeftModel:
    """The adapter of the project's methods, by PEFT alone."""
    base.requires_grad_(False)
    config = LoraConfig(task_type="CAUSAL_LM", r=TUNER.r, lora_alpha=TUNER.alpha, target_modules=TUNER.target_modules)
    return get_peft_model(base, config)


def trl_arguments(base: PreTrainedModel, batch: int, scratch: Path) -> dict[str, Any]:
    """What TRL's trainers are told: a step as the project's, and nothing beside it."""
    return {
        "output_dir": str(scratch),
        "use_cpu": base.device.type == "cpu",
        "bf16": low_precision(base) == torch.bfloat16,
        "gradient_checkpointing": False,
        "max_steps": MAX_STEPS,
        "per_device_train_batch_size": batch,
        "learning_rate": LEARNING_RATE,
        "max_grad_norm": TRAINING.max_grad_norm,
        "logging_steps": MAX_STEPS,
        "save_strategy": "no",
        "report_to": [],
        "seed": 0,
    }


def gkd(base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, reports: Dataset, batch: int, scratch: Path) -> Any:
    """TRL's GKD trainer on the given reports alone (lmbda 0), with the forward KL (beta 0) to the bare base."""
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    teacher = copy.deepcopy(base)
    set_seed(0)
    return GKDTrainer(
        model=with_lora(base),
        teacher_model=teacher,
        args=GKDConfig(**trl_arguments(base, batch, scratch), lmbda=0.0, beta=0.0, temperature=1.0),
        train_dataset=reports,
        data_collator=report_collator(tokenizer),
        processing_class=tokenizer,
    )


def contestants(
    config: Qwen2Config, batch: int, length: int, quantization: Literal["none", "nf4"], peers: bool, folder: Path
) -> dict[str, Contestant]:
    """The methods, and with `peers` what they are compared with; each has its own base."""
    cpu = Compute(device="cpu", threads=1)
    base, tokenizer = random_base(config, folder, quantization, "float32", cpu)
    reports = random_reports(batch, length, config.vocab_size)
    states = cached_states(load_base(folder / "base", cpu)[0], tokenizer, reports, folder / "teacher")
    del base

    def fresh() -> PreTrainedModel:
        return load_base(folder / "base", cpu)[0]

    def ours(method: str, states: TeacherStates | None = None) -> Contestant:
        arm = METHODS[method]
        student, teacher = student_and_teacher(fresh(), arm, states)
        trainer = project_trainer(student, teacher, tokenizer, reports, arm, batch, cpu, folder / "scratch")
        return InTurn(trainer, cpu.threads)

    made: dict[str, Contestant] = {
        "none": ours("none"),
        "static": ours("static"),
        "static, cached": ours("static", states),
        "ema": ours("ema"),
    }
    if peers:
        inputs = dict(report_collator(tokenizer)([reports[row] for row in range(batch)]))
        made["naive loop, static"] = Naive(fresh(), inputs, decay=None)
        made["naive loop, ema"] = Naive(fresh(), inputs, decay=METHODS["ema"].decay)
        try:
            made["TRL GKD, static"] = InTurn(gkd(fresh(), tokenizer, reports, batch, folder / "scratch"), cpu.threads)
        except ImportError:
            print("TRL is not installed (the extra `benchmark`): its row is left out.\n")
    return made


@dataclass
class Measured:
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    resident: int = 0


def measure(made: dict[str, Contestant], rounds: int) -> dict[str, Measured]:
    """Every round in another order, after two steps of each that do not count."""
    results = {name: Measured() for name in made}
    for name, contestant in made.items():
        contestant.step(nullcontext())
        memory = PeakMemory()
        contestant.step(memory)
        results[name].peak, results[name].resident = memory.value, contestant.resident()
    order = list(made)
    shuffled = random.Random(0)
    for _ in range(rounds):
        shuffled.shuffle(order)
        for name in order:
            seconds = Seconds()
            made[name].step(seconds)
            results[name].seconds.append(seconds.value)
    return results


def ratio(of: Measured, to: Measured) -> float:
    return median(a / b for a, b in zip(of.seconds, to.seconds, strict=True))


def rows(config: Qwen2Config, batch: int, length: int, results: dict[str, Measured]) -> Iterator[list[str]]:
    none, ema = results["none"], results["ema"]
    adapter = adapter_bytes(config)
    least = flops(config, batch, length, supervised_tokens(length), "none")
    for name, result in results.items():
        method = {"static, cached": "cached"}.get(name, name)
        against_none = ratio(result, none)
        limit, share, extra = "", "", ""
        if method in ("none", "static", "cached", "ema"):
            counted = flops(config, batch, length, supervised_tokens(length), method) / least
            limit, share = f"{counted:.3f}", f"{against_none / counted:.3f}"
            extra = f"{(result.resident + result.peak - none.resident - none.peak) / adapter:.2f}"
        yield [
            name,
            f"{median(result.seconds) * 1e3:.0f}",
            f"{against_none:.2f}",
            limit,
            share,
            f"{ratio(result, ema):.2f}",
            f"{result.peak / 1e6:.0f}",
            f"{result.peak / ema.peak:.2f}",
            extra,
        ]


HEADER = [
    "",
    "ms",
    "time ÷ none",
    "limit",
    "÷ limit",
    "time ÷ ema",
    "step MB",
    "step MB ÷ ema",
    "(peak − none) ÷ adapter",
]


@click.command(help=__doc__)
@click.option("--setting", "names", multiple=True, type=click.Choice(list(SETTINGS)), help="Default: all.")
@click.option("--rounds", default=15, show_default=True)
@click.option("--batch", default=4, show_default=True, help="Reports in a step.")
@click.option("--length", default=256, show_default=True, help="Tokens of a report.")
@click.option("--quantization", type=click.Choice(["none", "nf4"]), default="none", show_default=True)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Also the naive loop and TRL.")
def main(
    names: tuple[str, ...], rounds: int, batch: int, length: int, quantization: Literal["none", "nf4"], peers: bool
) -> None:
    restart_with(KEEP_FREED_MEMORY)
    torch.set_num_threads(1)
    quiet()
    print(
        f"batch {batch} x {length} tokens, {supervised_tokens(length)} of them under the loss "
        f"({SUPERVISED_SHARE:.0%}, as in the default corpus), base {quantization}, LoRA r={TUNER.r} on all linear "
        f"layers, one thread, medians of {rounds} rounds\n"
    )
    for name in names or SETTINGS:
        config = SETTINGS[name]
        with TemporaryDirectory() as folder:
            made = contestants(config, batch, length, quantization, peers, Path(folder))
            results = measure(made, rounds)
            for contestant in made.values():
                contestant.stop()
        print(f"### {name}\n\n{table(HEADER, rows(config, batch, length, results))}\n", flush=True)


if __name__ == "__main__":
    main()
