"""Paths of the pipeline's files, relative to the root. dvc.yaml declares the same paths, and a test compares them."""

from pathlib import Path

FACTS = Path("data/facts")
SYNTHETIC_REPORTS = Path("data/raw/fna_synthetic.jsonl")

CORPUS = Path("data/prepared/corpus")
TRAINING_REPORTS = CORPUS / "train.jsonl"
VALIDATION_REPORTS = CORPUS / "validation.jsonl"
CATEGORIES = CORPUS / "categories.json"
# The invented reports among those for training; none by default.
CANARIES = CORPUS / "canaries.jsonl"
QUARANTINE = Path("data/prepared/quarantine.jsonl")
ACCOUNT = Path("data/prepared/account.json")
# What people found in samples of the reports, by the fingerprint of the corpus.
REVIEW = Path("data/review")

# The further domains that methods are trained in, each in a folder of its name, with the list of these names.
DOMAINS = Path("data/prepared/domains")
# In DOMAINS.
DOMAINS_LIST = "index.json"

KNOWLEDGE = Path("data/prepared/knowledge")
GENERAL_TEXT = KNOWLEDGE / "train.jsonl"
HELD_OUT_TEXT = KNOWLEDGE / "heldout.jsonl"
EXAM = KNOWLEDGE / "exam.jsonl"

BASE = Path("models/base")
BASE_TEXT = Path("data/prepared/base_text.jsonl")
TEACHER_STATES = Path("data/prepared/teacher")
# What methods may read beside the base and the reports, which methods need it, and what each of them reads.
NEEDS = Path("data/prepared/needs")
REHEARSAL = Path("data/prepared/rehearsal.jsonl")
FISHER = Path("data/prepared/fisher.safetensors")
MONITOR = Path("data/prepared/monitor")
# In MONITOR.
MONITOR_TEXTS = "texts.jsonl"
MONITOR_REPORTS = "reports.jsonl"
SHARED_INPUTS = {
    "teacher": TEACHER_STATES / "index.json",
    "rehearsal": REHEARSAL,
    "fisher": FISHER,
    "monitor": MONITOR,
    "general_text": GENERAL_TEXT,
    "held_out_text": HELD_OUT_TEXT,
    "base_text": BASE_TEXT,
}
INPUTS = Path("data/prepared/inputs")
ADAPTERS = Path("models/adapters")

# Per-question logs, which may hold a report's text; scores by case, which hold none; and the numbers made of them.
EVALUATED = Path("data/evaluated")
SCORES = Path("data/scores")
METRICS = Path("metrics")
CURVES = METRICS / "curves"
SUMMARY = METRICS / "summary.json"
DETAILS = METRICS / "details.json"
REPORTS = Path("reports")

# What an unfinished stage leaves for the next attempt, and the frozen teacher's states, without which a training gives
# the same result; not declared to DVC, ignored by Git.
SCRATCH = Path("scratch")
