"""One step of `ema` at the real size of Qwen2-1.5B on a CPU: the memory it takes, beside the calculated memory.

The model has Qwen2-1.5B's configuration, random weights and a 4-bit base. It is obtained, saved, loaded and trained as
in the stages. The files (4 GB) are removed afterwards.
"""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from transformers import Qwen2Config

from anamnesis.compute import configure_compute
from anamnesis.forecasting.steps import held, highest, taken
from anamnesis.markdown import table
from anamnesis.methods.losses import CHUNK_LOGITS
from anamnesis.modeling.loading import load_base
from anamnesis.settings.compute import Compute
from benchmarks._models import (
    METHODS,
    RETURN_FREED_MEMORY,
    TUNER,
    VOCABULARY,
    InTurn,
    PeakMemory,
    PeakResident,
    process_memory,
    project_trainer,
    quiet,
    qwen2_1_5b,
    random_base,
    random_reports,
    restart_with,
    student_and_teacher,
    supervised_tokens,
    versions,
)

GB = 1e9


class Phases:
    """One phase after the other."""

    def __init__(self) -> None:
        self.done: dict[str, PeakResident] = {}
        self._running: PeakResident | None = None

    def begin(self, name: str | None) -> None:
        """End the running phase and begin this one; None begins none."""
        if self._running is not None:
            self._running.__exit__()
        self._running = None
        if name is not None:
            self._running = self.done[name] = PeakResident().__enter__()

    def between(self, before: str, function: Callable[..., Any], after: str) -> Callable[..., Any]:
        """`function`, which runs in the phase `before` and leaves the phase `after`."""

        def within(*args: Any, **kwargs: Any) -> Any:
            self.begin(before)
            result = function(*args, **kwargs)
            self.begin(after)
            return result

        return within

    def __enter__(self) -> "Phases":
        return self

    def __exit__(self, *_: object) -> None:
        self.begin(None)


@click.command(help=__doc__)
@click.option("--batch", default=1, show_default=True, help="Reports in the step.")
@click.option("--length", default=512, show_default=True, help="Tokens of a report.")
@click.option("--layers", default=28, show_default=True, help="Fewer are quicker.")
@click.option("--vocabulary", default=VOCABULARY, show_default=True, help="A smaller one is quicker.")
@click.option("--threads", default=2, show_default=True)
@click.option("--folder", type=click.Path(exists=True, file_okay=False), help="For 5 GB of temporary files.")
def main(batch: int, length: int, layers: int, vocabulary: int, threads: int, folder: str | None) -> None:
    restart_with(RETURN_FREED_MEMORY)
    quiet()
    config = qwen2_1_5b(layers, vocabulary)
    compute = Compute(device="cpu", threads=threads)
    configure_compute(compute)
    libraries = process_memory("VmRSS")
    phases, peak = Phases(), PeakMemory()
    with TemporaryDirectory(dir=folder) as temporary:
        phases.begin("make, quantize, save")
        random_base(config, Path(temporary), "nf4", "float32", compute)
        gc.collect()
        phases.begin("load, add both adapters")
        base, tokenizer = load_base(Path(temporary) / "base", compute)
        reports = random_reports(batch, length, config.vocab_size)
        ema, scratch = METHODS["ema"], Path(temporary) / "scratch"
        student, teacher = student_and_teacher(base, ema)
        trainer = project_trainer(
            student, teacher, tokenizer, reports, ema, batch, compute, scratch, checkpointing=True
        )
        phases.begin(None)
        watched = (
            (teacher, "hidden_states", "step: teacher's forward", "step: student's forward, loss"),
            (trainer.accelerator, "backward", "step: backward", "step: optimizer, average"),
        )
        for owner, name, during, after in watched:
            setattr(owner, name, phases.between(during, getattr(owner, name), after))
        contestant = InTurn(trainer, threads)
        contestant.step(phases)
        rows = [[name, f"{of.seconds:.0f}", f"{(of.value - libraries) / GB:.2f}"] for name, of in phases.done.items()]
        contestant.step(peak)
        resident = contestant.resident()
        contestant.stop()

    print(f"{versions()}; {threads} threads, fp32 on nf4, {layers} layers, batch {batch} x {length}\n")
    print(f"Resident memory above the libraries' {libraries / GB:.2f} GB:\n")
    print(table(["phase", "s", "highest GB"], rows))
    print(f"\n{table(['GB', 'here', '8 x 1,024 in bf16'], counted(config, batch, length, resident, peak.value))}")


def counted(config: Qwen2Config, batch: int, length: int, resident: int, peak: int) -> Iterator[list[str]]:
    """The calculated and the measured memory of this step, and the calculated memory of the full size on a GPU."""
    shapes = [(batch, length, 4), (8, 1024, 2)]
    between = [held(config, exact, TUNER, "ema") for *_, exact in shapes]
    above = [
        taken(config, batch, length, supervised_tokens(length), exact, CHUNK_LOGITS) for batch, length, exact in shapes
    ]
    for parts, sums in ((between, [sum(p.values()) for p in between]), (above, [highest(p) for p in above])):
        for name in parts[0]:
            yield [name, *(f"{part[name] / GB:.3f}" for part in parts)]
        yield ["**between steps**" if parts is between else "**above that, at most**", *(f"{s / GB:.3f}" for s in sums)]
        yield ["measured", f"{(resident if parts is between else peak) / GB:.3f}", ""]
    yield ["**together**", *(f"{(sum(b.values()) + highest(a)) / GB:.2f}" for b, a in zip(between, above, strict=True))]
    yield ["measured", f"{(resident + peak) / GB:.2f}", ""]


if __name__ == "__main__":
    main()
