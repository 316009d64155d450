"""A toy experiment with the real commands: a pipeline of two stages that measures in no time what parameters say."""

from pathlib import Path

from tests.checkout import ROOT, copy_checkout
from tests.project import Project

PIPELINE = """
stages:
  train:
    matrix:
      method: ${methods}
    cmd: python measure.py train ${item.method}
    deps:
    - measure.py
    params:
    - ${item.method}
    outs:
    - metrics/general/${item.method}.json:
        cache: false
  summarize:
    cmd: python measure.py summarize
    deps:
    - measure.py
    - metrics/general
    params:
    - params.yaml:
    outs:
    - data/scores.csv
    - metrics/details.json:
        cache: false
    - reports/report.md:
        cache: false
    - reports/tradeoff.png:
        cache: false
    metrics:
    - metrics/summary.json:
        cache: false
    plots:
    - reports/tradeoff.csv:
        cache: false
        template: tradeoff
        x: forgetting
        y: adaptation
    - reports/curves.csv:
        cache: false
        template: curves
        x: step
        y: value
"""
PARAMETERS = """
profile: tiny
methods: [none, ema]
none:
  exam: [0.72, 0.73, 0.74]
  macro_f1: [0.46, 0.47, 0.48]
ema:
  exam: [0.75, 0.76, 0.77]
  macro_f1: [0.45, 0.46, 0.47]
  decay: 0.98
"""
# The exam changes with ema.decay, macro-F1 by a hundredth of that.
MEASURE = """
import json, sys
from pathlib import Path
from statistics import mean, stdev

from ruamel.yaml import YAML

METRICS, REPORTS = Path("metrics"), Path("reports")
params = YAML(typ="safe").load(Path("params.yaml"))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def measured(values, shift):
    values = [value + shift for value in values]
    by_seed = dict(enumerate(values))
    spread = stdev(values) if len(values) > 1 else None
    return {"estimate": mean(values), "low": 0, "high": 1, "std": spread, "by_seed": by_seed, "seeds": 3, "cases": 300}


def train(method):
    shift = params[method].get("decay", 0.98) - 0.98
    numbers = {
        "exam_acc": measured(params[method]["exam"], shift),
        "bethesda_macro_f1": measured(params[method]["macro_f1"], shift / 100),
    }
    write(METRICS / "general" / f"{method}.json", json.dumps(numbers))


def summarize():
    arms = {"base": {"exam_acc": {**measured([0.96], 0), "by_seed": {}}}}
    for method in params["methods"]:
        arms[method] = json.loads((METRICS / "general" / f"{method}.json").read_text())
    differences = []
    for measure in ("exam_acc", "bethesda_macro_f1"):
        estimate = arms["ema"][measure]["estimate"] - arms["none"][measure]["estimate"]
        verdict = "not distinguishable" if abs(estimate) < 0.02 else "better" if estimate > 0 else "worse"
        differences.append({
            "first": "none", "second": "ema", "measure": measure, "estimate": estimate,
            "low": estimate - 0.02, "high": estimate + 0.02, "verdict": verdict,
        })
    details = {"provenance": {}, "arms": arms, "differences": differences, "claim": {}, "verdicts": {}}
    write(METRICS / "details.json", json.dumps(details))
    summary = {arm: {key: one["estimate"] for key, one in numbers.items()} for arm, numbers in arms.items()}
    write(METRICS / "summary.json", json.dumps(summary))
    write(REPORTS / "report.md", "# Report\\n")
    write(REPORTS / "tradeoff.png", "picture")
    write(Path("data/scores.csv"), "text of a report")
    points = [f"{method},{seed},0.2,0.4" for method in ("none", "ema", "ema_teacher", "dora") for seed in (0, 1)]
    write(REPORTS / "tradeoff.csv", "\\n".join(["method,seed,forgetting,adaptation", *points]))
    curve = [f"{step},{method},0,ce_nats,{3 / step}" for method in ("none", "ema", "dora") for step in (1, 2, 3)]
    write(REPORTS / "curves.csv", "\\n".join(["step,method,seed,quantity,value", *curve]))


globals()[sys.argv[1]](*sys.argv[2:])
"""
MAKEFILE = "repro:\n\tdvc repro\n"


def make_experiment(folder: Path) -> Project:
    """The experiment, run and committed on the branch `main`."""
    copy_checkout(
        folder,
        without=("dvc.", "params.yaml", "metrics/", "reports/", "models/", "tests/", "data/", "docs/", "results/"),
    )
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text(PARAMETERS)
    (folder / "measure.py").write_text(MEASURE)
    (folder / "results").mkdir()
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    before, _, after = page.partition("<!-- table: written by make shelve -->")
    (folder / "results" / "README.md").write_text(
        f"{before}<!-- table: written by make shelve -->\n<!-- end of table -->\n", encoding="utf-8"
    )
    assert "<!-- end of table -->" in after
    experiment = Project.at(folder)
    experiment.run("git", "init", "--quiet", "--initial-branch", "main")
    experiment.run("dvc", "repro", "--quiet")
    experiment.commit("results")
    return experiment
