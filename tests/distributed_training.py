"""One process of a small EMA training, or of one with a replay; writes the curve to a file. Tests start several."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import write_jsonl
from anamnesis.methods.teachers import make_teacher
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.methods import Method
from anamnesis.settings.replay import Replay
from anamnesis.settings.training import Optimization
from anamnesis.training.data import encode_reports
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import check_processes_agree, make_trainer
from tests.conftest import CPU, HEADINGS, TRAINING, TUNER, random_qwen2

OPTIMIZATION = Optimization(
    max_steps=6,
    batch_size=4,
    gradient_accumulation_steps=2,
    learning_rate=1e-2,
    max_length=256,
    gradient_checkpointing=True,
    save_every_steps=None,
)
EMA = Method(teacher="ema", kl_weight=1.0, decay=0.5)
# One text or two to a step of eight reports: of two processes the second sometimes has none.
REPLAY = Replay(source="general", share=0.2, loss="margin", weight=10.0, label_weight=1.0)


def main(output: Path, disturb: bool, replay: bool) -> None:
    method = replace(EMA, replay=REPLAY) if replay else EMA
    configure_compute(CPU)
    reports = [
        {"description": f"Узел {i} мм" + ", коллоид" * (i % 4), "category": "II", "conclusion": "Контроль." * (i % 3)}
        for i in range(24)
    ]
    tokenizer = train_tokenizer([report["description"] for report in reports], vocab_size=300)
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", OPTIMIZATION.max_length)
    base = random_qwen2(tokenizer)
    texts = output.with_suffix(".texts")
    if is_main_process():
        write_jsonl(texts, [{"text": f"Вода {'кипит ' * (i % 3)}при {i} градусах"} for i in range(10)])
    PartialState().wait_for_everyone()
    replayed = read_texts(REPLAY, texts, [], tokenizer, OPTIMIZATION.max_length) if replay else None
    set_seed(0)
    student = add_student(base, TUNER)
    teacher = make_teacher(method, student, None)
    trainer = make_trainer(
        student, tokenizer, encoded, method, teacher, TRAINING, OPTIMIZATION, CPU, 0, output.parent / "scratch", [],
        replayed,
    )  # fmt: skip
    trainer.train()
    if disturb and not is_main_process():
        with torch.no_grad():
            teacher.weights[0][0, 0] += 1e-6
    check_processes_agree(student, teacher)
    if is_main_process():
        output.write_text(json.dumps([row for row in trainer.state.log_history if "ce_nats" in row]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--disturb" in sys.argv, "--replay" in sys.argv)
