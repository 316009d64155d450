"""One process of a small EMA training with a penalty and token weights; writes the curve to a file.

test_training starts several of them.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import set_seed

from anamnesis.compute import configure_compute, is_main_process
from anamnesis.methods.states import corpus_log_p
from anamnesis.methods.teachers import frozen_base, make_teacher
from anamnesis.methods.tokens import corpus_weights
from anamnesis.modeling.pretraining import train_tokenizer
from anamnesis.modeling.student.tuners import add_student
from anamnesis.settings.budget import Budget
from anamnesis.settings.methods import Method
from anamnesis.settings.penalties import L2SP, Penalties
from anamnesis.settings.tokens import Tokens
from anamnesis.settings.training import Optimization
from anamnesis.settings.tuner import Tuner
from anamnesis.training import trainer as training_loop
from anamnesis.training.data import distinct, encode_reports, report_collator
from anamnesis.training.monitor import Monitor
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


def main(output: Path, disturb: bool, tuner: Tuner) -> None:
    configure_compute(CPU)
    reports = [
        {"description": f"Узел {i} мм" + ", коллоид" * (i % 4), "category": "II", "conclusion": "Контроль." * (i % 3)}
        for i in range(24)
    ]
    tokenizer = train_tokenizer([report["description"] for report in reports], vocab_size=300)
    encoded = encode_reports(reports, HEADINGS, tokenizer, "conclusion", OPTIMIZATION.max_length)
    base = random_qwen2(tokenizer)
    log_p = corpus_log_p(base, distinct(encoded), report_collator(tokenizer), None)
    set_seed(0)
    student = add_student(base, tuner)
    teacher = make_teacher(METHOD, student, None)
    trainer = make_trainer(
        student, tokenizer, encoded, METHOD, teacher, TRAINING, OPTIMIZATION, CPU, 0, output.parent / "scratch", [],
        base=frozen_base(student, None), token_weights=corpus_weights(METHOD.tokens, log_p, "stm"),
        monitor=Monitor(student, tokenizer, [[0, 5, 6, 7], [0, 8, 9]], encoded.select(range(4))),
    )  # fmt: skip
    trainer.train()
    if disturb and not is_main_process():
        with torch.no_grad():
            teacher.weights[0].view(-1)[0] += 1e-6
    check_processes_agree(student, teacher)
    if is_main_process():
        output.write_text(json.dumps([row for row in trainer.state.log_history if "ce_nats" in row]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--disturb" in sys.argv, Tuner(kind="full") if "--full" in sys.argv else TUNER)
