"""One process of small trainings with many parts; writes the curve of each to a folder. Tests start several."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.files import write_jsonl
from anamnesis.methods.states import corpus_log_p
from anamnesis.methods.teachers import frozen_base, make_teacher
from anamnesis.methods.tokens import corpus_weights
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.budget import Budget
from anamnesis.settings.methods import Method
from anamnesis.settings.penalties import L2SP, Penalties
from anamnesis.settings.replay import Replay
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.training import Optimization
from anamnesis.settings.tuner import Tuner
from anamnesis.training import trainer as training_loop
from anamnesis.training.data import distinct, encode_reports, report_collator
from anamnesis.training.monitor import Monitor
from anamnesis.training.replay import read_texts
from anamnesis.training.trainer import check_processes_agree, make_trainer
from tests.conftest import CPU, HEADINGS, TRAINING, TUNER, random_qwen2

# KL(base || student) in every second step.
training_loop.BASE_KL_STEPS = 2
OPTIMIZATION = Optimization(
    max_steps=6,
    batch_size=4,
    gradient_accumulation_steps=2,
    learning_rate=1e-2,
    max_length=256,
    gradient_checkpointing=True,
    save_every_steps=None,
)
METHOD = Method(
    teacher="ema",
    kl_weight=1.0,
    decay=0.5,
    penalties=Penalties(l2_sp=L2SP(0.1)),
    tokens=Tokens(keep_share=0.6),
    budget=Budget(every_steps=2, nats=1e9),
)
# One text or two to a step of eight reports: of two processes the second sometimes has none.
REPLAY = Replay(source="general", share=0.2, loss="margin", weight=10.0, label_weight=1.0)
CASES = {
    "lora": (METHOD, TUNER),
    "full": (METHOD, Tuner(kind="full")),
    "replay": (replace(METHOD, replay=REPLAY), TUNER),
    # The teacher's weights become different on the second process.
    "disturbed": (METHOD, TUNER),
}


def train(output: Path, method: Method, tuner: Tuner, disturb: bool) -> None:
    reports = [
        {"description": f"Узел {i} мм" + ", коллоид" * (i % 4), "category": "II", "conclusion": "Контроль." * (i % 3)}
        for i in range(24)
    ]
    tokenizer = train_tokenizer([report["description"] for report in reports], vocab_size=300)
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", OPTIMIZATION.max_length)
    base = random_qwen2(tokenizer)
    log_p = corpus_log_p(base, distinct(encoded), report_collator(tokenizer), None)
    texts = output.with_suffix(".texts")
    if is_main_process():
        write_jsonl(texts, [{"text": f"Вода {'кипит ' * (i % 3)}при {i} градусах"} for i in range(10)])
    PartialState().wait_for_everyone()
    set_seed(0)
    student = add_student(base, tuner)
    teacher = make_teacher(method, student, None)
    trainer = make_trainer(
        student, tokenizer, encoded, method, teacher, TRAINING, OPTIMIZATION, CPU, 0, output.with_suffix(".scratch"),
        [], base=frozen_base(student, None), token_weights=corpus_weights(METHOD.tokens, log_p, "stm"),
        monitor=Monitor(student, tokenizer, [[0, 5, 6, 7], [0, 8, 9]], encoded.select(range(4))),
        replayed=read_texts(REPLAY, texts, [], tokenizer, OPTIMIZATION.max_length) if method.replay else None,
    )  # fmt: skip
    trainer.train()
    if disturb and not is_main_process():
        with torch.no_grad():
            teacher.weights[0].view(-1)[0] += 1e-6
    check_processes_agree(student, teacher)
    if is_main_process():
        output.write_text(json.dumps([row for row in trainer.state.log_history if "ce_nats" in row]))


if __name__ == "__main__":
    configure_compute(CPU)
    folder, *chosen = sys.argv[1:]
    for case in chosen:
        file = Path(folder) / f"{case}-{PartialState().num_processes}.json"
        train(file, *CASES[case], disturb=case == "disturbed")
