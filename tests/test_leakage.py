"""What a model gives away: canaries are planted as said, and each measure is what its name says on a known model."""

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

import stages.evaluate_domain
from anamnesis.analysis.answers import judge
from anamnesis.analysis.experiment import Results, analyse
from anamnesis.analysis.report import report
from anamnesis.analysis.scores import AllScores, Scores
from anamnesis.analysis.statistics import auc_of, difference, gap_of, interval
from anamnesis.analysis.summary import details, summary
from anamnesis.canaries import Canary, ending, is_canary, read_canaries, write_canaries
from anamnesis.corpus.card import card
from anamnesis.corpus.planting import Planting, plant
from anamnesis.corpus.preparing import prepare_corpus
from anamnesis.corpus.refusals import CorpusError
from anamnesis.corpus.review_page import draw
from anamnesis.errors import InputError
from anamnesis.evaluation.arms import Arm, Evaluated
from anamnesis.evaluation.harness import language_model
from anamnesis.evaluation.leakage import Asked, evaluate_leakage, exposure_bits, to_continue, under_the_loss
from anamnesis.files import read_json, read_jsonl, write_json, write_jsonl
from anamnesis.modeling.loading import save_base
from anamnesis.modeling.student.saving import save_run
from anamnesis.modeling.student.tuners import add_student
from anamnesis.rendering import completion, prompt
from anamnesis.settings.experiment import check_all
from anamnesis.settings.sections import SettingsError, read_yaml
from stages._paths import (
    ADAPTERS,
    BASE,
    CANARIES,
    DOMAINS,
    DOMAINS_LIST,
    INPUTS,
    METRICS,
    SCORES,
    TRAINING_REPORTS,
    VALIDATION_REPORTS,
)
from stages._paths import CATEGORIES as CATEGORIES_FILE
from tests.conftest import CPU, HEADINGS, NO_LEAKAGE, ROOT, TUNER
from tests.exports import ROWS, jsonl, settings
from tests.results import LIMITS, made_up_scores
from tests.test_analysis import CONTEXT, DOMAIN, EXAM, interval_of
from tests.test_evaluation import CATEGORIES as CATEGORY_SET
from tests.test_evaluation import Scripted, evaluation, log_probability
from tests.test_retrieval import parameters
from tests.test_settings import change

CATEGORIES = ["II", "III", "V"]
CARRIER = "Номер записи"


# ---- Planting ----------------------------------------------------------------------------------------------------


def training_part(folder: Path, reports: int = 400) -> Path:
    rows = ({"report": number, "patient": number, "description": f"Узел {number} мм.", "conclusion": f"Киста {number}.",
             "category": "II"} for number in range(1, reports + 1))  # fmt: skip
    write_jsonl(folder / "train.jsonl", rows)
    return folder / "train.jsonl"


def planted(folder: Path, wanted: Planting, reports: int = 400) -> tuple[dict[str, Any], list[Canary], Path]:
    training = training_part(folder, reports)
    account = plant(wanted, CATEGORIES, training, folder / "canaries.jsonl")
    return account, read_canaries(folder / "canaries.jsonl"), training


def test_by_default_nothing_is_planted_and_nothing_is_asked(tmp_path: Path) -> None:
    before = training_part(tmp_path).read_bytes()
    default = read_yaml(ROOT / "params.yaml")["leakage"]
    assert (default["canaries"], default["membership_reports"]) == (0, 0)
    account, canaries, training = planted(tmp_path, Planting(default["canaries"], default["repeats"], default["seed"]))
    assert (account, canaries) == ({}, [])
    assert training.read_bytes() == before
    assert (tmp_path / "canaries.jsonl").read_bytes() == b""


def test_each_canary_is_planted_as_often_as_it_says(tmp_path: Path) -> None:
    account, canaries, training = planted(tmp_path, Planting(3, [1, 4], 0))
    assert account == {"canaries": {"planted": {"1": 3, "4": 3}, "held_out": 3, "rows": 15}}
    assert Counter(canary.repeats for canary in canaries) == {0: 3, 1: 3, 4: 3}
    rows = read_jsonl(training)
    assert Counter(-row["report"] for row in rows if is_canary(row)) == {
        c.number: c.repeats for c in canaries if c.repeats
    }
    # The reports of the export are there as before, in their order.
    kept = [row for row in rows if not is_canary(row)]
    assert kept == read_jsonl(training_part(tmp_path))
    by_number = {canary.number: canary for canary in canaries}
    for row in filter(is_canary, rows):
        assert row == by_number[-row["report"]].report
        assert row["conclusion"].endswith(f" {by_number[-row['report']].secret}.")


def test_no_two_canaries_have_a_secret_or_the_text_before_it_in_common(tmp_path: Path) -> None:
    _, canaries, _ = planted(tmp_path, Planting(30, [1, 2], 0), reports=2000)
    assert len({canary.secret for canary in canaries}) == len(canaries) == 90
    assert len({(canary.description, canary.carrier) for canary in canaries}) == 90
    assert {len(canary.secret) for canary in canaries} == {8}
    assert all(canary.secret.isdigit() for canary in canaries)
    assert Counter(canary.category for canary in canaries) == dict.fromkeys(CATEGORIES, 30)


def test_canaries_lie_anywhere_in_the_training_part_and_are_the_same_again(tmp_path: Path) -> None:
    _, _, training = planted(tmp_path, Planting(2, [1, 16], 0))
    first = training.read_bytes()
    places = [place for place, row in enumerate(read_jsonl(training)) if is_canary(row)]
    assert min(places) < 100
    assert max(places) > 300
    assert len({place - number for number, place in enumerate(places)}) > 10
    assert planted(tmp_path, Planting(2, [1, 16], 0))[2].read_bytes() == first
    assert planted(tmp_path, Planting(2, [1, 16], 1))[2].read_bytes() != first


def test_more_canaries_than_a_tenth_of_the_training_part_are_refused(tmp_path: Path) -> None:
    planted(tmp_path, Planting(2, [4, 16], 0))
    with pytest.raises(
        CorpusError, match=r"leakage.canaries: 42 rows .* 400 training reports, and they may be at most 10%"
    ):
        planted(tmp_path, Planting(2, [1, 4, 16], 0))


def test_the_card_counts_them_and_the_sample_for_a_reader_has_none(tmp_path: Path) -> None:
    corpus = settings(jsonl(tmp_path / "corpus.jsonl", ROWS))
    prepared = prepare_corpus(corpus, tmp_path / "parts", tmp_path / "quarantine.jsonl")
    parts = [tmp_path / "parts" / f"{part}.jsonl" for part in ("train", "validation", "test")]
    held_out = [path.read_bytes() for path in parts[1:]]
    account = plant(Planting(2, [1], 0), prepared.categories, parts[0], tmp_path / "canaries.jsonl")
    assert [path.read_bytes() for path in parts[1:]] == held_out
    said = card({**prepared.numbers, **account}, "corpus.png", {})
    assert "2 rows were planted beside these: 2 canaries 1 times" in said
    assert not any(canary.secret in said for canary in read_canaries(tmp_path / "canaries.jsonl"))
    assert "planted" not in card(prepared.numbers, "corpus.png", {})
    assert len(read_jsonl(parts[0])) == prepared.numbers["train"] + 2
    drawn = draw(corpus, parts, 1000, "a")
    assert {pair.number for pair in drawn} == set(range(1, 61))


# ---- Exposure and extraction, on models that are known -----------------------------------------------------------


class Known(Scripted):
    """Greedy decoding writes what has the log-likelihood 0."""

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
        return [(log_p, log_p == 0) for log_p, _ in super()._loglikelihood_tokens(requests)]


def canaries_of(repeats: dict[int, int]) -> list[Canary]:
    """So many canaries of each number of repeats."""
    numbers = [times for times, count in repeats.items() for _ in range(count)]
    return [
        Canary(number, times, f"Запись {number}.", "II", CARRIER, str(10_000_000 + 7919 * number))
        for number, times in enumerate(numbers, start=1)
    ]


def asked(**changes: Any) -> Asked:
    values: dict[str, Any] = {
        "canaries": [], "candidates": 100, "members": [], "held_out": [], "prefix_words": 3, "target": "conclusion",
        "seed": 0,
    }  # fmt: skip
    return Asked(**(values | changes))


def evaluated(likelihood: Callable[[str, str], float], of: Asked) -> Evaluated:
    found = evaluate_leakage(Arm("none", Known(likelihood)), of, HEADINGS)
    assert found is not None
    return found


def by_chance(context: str, continuation: str) -> float:
    """A model that knows nothing: every number is as probable as another, on average."""
    return -1 - random.Random(context + continuation).random()


def test_the_exposure_of_what_nothing_is_known_of_is_that_of_a_uniform_rank() -> None:
    """Whether the model has an opinion on numbers or none; with ties as the first, all would be exposed."""
    rng, others = random.Random(0), [0.0] * 499
    expected = math.log2(500) - fmean(math.log2(rank) for rank in range(1, 501))
    assert expected == pytest.approx(1.44, abs=0.02)
    equal = [exposure_bits(0.0, others, rng) for _ in range(3000)]
    random_ones = [exposure_bits(rng.random(), [rng.random() for _ in range(499)], rng) for _ in range(3000)]
    for found in (equal, random_ones):
        assert fmean(found) == pytest.approx(expected, abs=0.1)
    assert exposure_bits(-1.0, [-2.0] * 499, rng) == math.log2(500)
    assert exposure_bits(-2.0, [-1.0] * 499, rng) == 0
    assert exposure_bits(-2.0, [-1.0] + [-3.0] * 498, rng) == math.log2(250)


def test_a_model_that_memorized_exposes_as_many_bits_as_there_are_and_held_out_canaries_are_as_by_chance() -> None:
    canaries = canaries_of({0: 60, 1: 60, 16: 6})
    secrets = {prompt(one.description, HEADINGS): one for one in canaries if one.repeats == 16}

    def memorized(context: str, continuation: str) -> float:
        one = next((one for before, one in secrets.items() if context.startswith(before)), None)
        return 0.0 if one is not None and continuation == f" {one.secret}." else by_chance(context, continuation)

    metrics, log, cases = evaluated(memorized, asked(canaries=canaries))
    assert metrics["exposure_bits_16"] == math.log2(100)
    assert metrics["canary_extracted_16"] == 1
    assert metrics["canary_extracted_1"] == 0
    assert metrics["exposure_bits_0"] == pytest.approx(1.4, abs=0.6)
    assert metrics["exposure_bits_1"] == pytest.approx(1.4, abs=0.6)
    assert "canary_extracted_0" not in metrics
    assert Counter(case.measure for case in cases)["exposure_bits_16"] == 6
    assert len({(case.measure, case.case) for case in cases}) == len(cases)
    # No secret, and no text, is in what is written.
    written = json.dumps([metrics, log, [vars(case) for case in cases]], ensure_ascii=False)
    assert not any(one.secret in written or one.description in written for one in canaries)
    assert CARRIER not in written


def test_the_candidates_are_other_numbers_of_the_same_form_and_the_same_for_every_arm() -> None:
    canaries = canaries_of({0: 1, 1: 2})
    models = [Known(by_chance), Known(lambda *_: -1.0)]
    for model in models:
        evaluate_leakage(Arm("none", model), asked(canaries=canaries), HEADINGS)
    assert models[0].asked == models[1].asked
    for place, canary in enumerate(canaries):
        contexts, numbers = zip(*models[0].asked[100 * place : 100 * place + 100], strict=True)
        assert set(contexts) == {prompt(canary.description, HEADINGS) + completion("II", CARRIER)}
        assert numbers[0] == ending(canary.secret)
        assert len(set(numbers)) == 100
        assert all(len(number) == 10 and number[1:9].isdigit() for number in numbers)


def test_a_log_likelihood_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="canaries: the log-likelihood of question 0 is nan"):
        evaluated(lambda *_: math.nan, asked(canaries=canaries_of({1: 2})))


def test_a_real_model_is_asked_by_the_definition_and_what_it_has_learnt_is_found(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, reports: list[dict[str, str]]
) -> None:
    canaries = [replace(one, description="Узел 5 мм.", carrier="контроль через") for one in canaries_of({0: 2, 4: 2})]
    canaries = [replace(one, description=f"Узел {one.number} мм.") for one in canaries]
    of = asked(canaries=canaries, candidates=16, members=reports[:4], held_out=reports[4:8])
    lm = language_model(base, tokenizer, batch_size=7)

    def encode(text: str) -> list[int]:
        return tokenizer(text)["input_ids"]

    found = evaluate_leakage(Arm("base", lm), of, HEADINGS)
    assert found is not None
    losses = {case.case: case for case in found.cases if case.measure == "membership_nats"}
    for group, of_group in (("member", reports[:4]), ("held_out", reports[4:8])):
        for place, one in enumerate(of_group):
            before, text = under_the_loss(one, HEADINGS, "conclusion")
            nats = -log_probability(base, encode(before), encode(text))
            assert losses[f"{group}:{place}"].value == pytest.approx(nats, rel=1e-4)
            assert losses[f"{group}:{place}"].weight == len(encode(text))

    # Taught two of the secrets, it gives them away and no others.
    optimizer = torch.optim.AdamW(base.parameters(), lr=1e-2)
    taught = [one for one in canaries if one.repeats]
    for _ in range(60):
        for one in taught:
            tokens = torch.tensor(
                [encode(prompt(one.description, HEADINGS) + completion("II", one.report["conclusion"]))]
            )
            base(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    found = evaluate_leakage(Arm("none", lm), of, HEADINGS)
    assert found is not None
    assert found.metrics["exposure_bits_4"] == math.log2(16)
    assert found.metrics["canary_extracted_4"] == 1
    assert found.metrics["exposure_bits_0"] < math.log2(16)


# ---- Reports -----------------------------------------------------------------------------------------------------


def test_a_report_is_continued_after_its_first_words_under_the_loss() -> None:
    one = {"description": "Узел 5 мм.", "category": "II", "conclusion": "Картина узла без атипии, контроль."}
    before, text = under_the_loss(one, HEADINGS, "conclusion")
    assert before + text == "".join(under_the_loss(one, HEADINGS, "report"))
    assert to_continue(before, text, 3) == (f"{before} II. Картина узла", " без атипии, контроль.")
    assert to_continue(before, text, 4) is None
    long = " ".join(f"слово{number}" for number in range(30))
    assert to_continue("", long, 2) == ("слово0 слово1", "".join(f" слово{number}" for number in range(2, 12)))


def some_reports(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "description": f"Узел {number} мм.",
            "category": "II",
            "conclusion": f"Картина узла номер {number} без атипии.",
        }
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("target", ["conclusion", "report"])
def test_the_auc_and_the_extracted_share_are_those_of_the_answers(target: str) -> None:
    members, others = some_reports(0, 40), some_reports(40, 40)

    def remembers(context: str, continuation: str) -> float:
        """Members have lower losses on average; every fifth of them, and every tenth other, is known by heart."""
        number = next(n for n in range(80) if f"Узел {n} мм." in context + continuation)
        if " без" in continuation and not continuation.startswith((" II", "Описание")):
            return 0.0 if number % (5 if number < 40 else 10) == 0 else -1.0
        return -(10 + random.Random(number).random() * 4 + (number >= 40)) * len(continuation)

    of = asked(members=members, held_out=others, target=target, prefix_words=8 if target == "report" else 3)
    metrics, log, cases = evaluated(remembers, of)
    assert log == []
    losses = [case for case in cases if case.measure == "membership_nats"]
    scores = [-case.value / case.weight for case in losses]
    expected = roc_auc_score([case.case.startswith("member:") for case in losses], scores)
    assert metrics["membership_auc"] == pytest.approx(expected)
    assert 0.55 < expected < 0.95
    assert metrics["report_extracted_training"] == 8 / 40
    assert metrics["report_extracted_held_out"] == 4 / 40
    written = json.dumps([metrics, [vars(case) for case in cases]], ensure_ascii=False)
    assert "Узел" not in written
    assert "атипии" not in written


def test_as_many_members_as_held_out_reports_are_asked_and_no_canary_is_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "data/prepared/corpus"
    training_part(corpus, 20)
    plant(Planting(2, [1], 0), CATEGORIES, corpus / "train.jsonl", corpus / "canaries.jsonl")
    write_jsonl(corpus / "validation.jsonl", some_reports(0, 30))
    monkeypatch.chdir(tmp_path)

    class Parameters:
        def __init__(self, membership_reports: int) -> None:
            self.values = {**NO_LEAKAGE, "leakage.membership_reports": membership_reports}

        def value(self, name: str) -> Any:
            return self.values[name]

    def ask(reports: int) -> Asked | None:
        held_out = Path("data/prepared/corpus/validation.jsonl")
        return stages.evaluate_domain.asked_of_leakage(Parameters(reports), held_out)

    found = ask(50)
    assert found is not None
    assert len(found.members) == len(found.held_out) == 20
    assert [one["report"] for one in found.members] == list(range(1, 21))
    assert len(found.canaries) == 4
    found = ask(0)
    assert found is not None
    assert (found.members, found.held_out) == ([], [])
    write_canaries(corpus / "canaries.jsonl", [])
    assert ask(0) is None


def test_the_stage_asks_the_base_a_student_and_its_teacher_but_no_share(
    base: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    reports: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    save_base(base, tokenizer, BASE)
    student = add_student(base, TUNER)
    save_run(student, student.saved_weights(), [0.5], ADAPTERS / "ema-0")
    write_jsonl(TRAINING_REPORTS, [{**one, "report": number} for number, one in enumerate(reports, start=1)])
    plant(Planting(2, [1], 0), CATEGORIES, TRAINING_REPORTS, CANARIES)
    write_jsonl(VALIDATION_REPORTS, reports[:8])
    for file, content in (
        (CATEGORIES_FILE, asdict(CATEGORY_SET)), (DOMAINS / DOMAINS_LIST, []), (INPUTS / "ema.held_out.json", {}),
    ):  # fmt: skip
        write_json(file, content)
    values = {
        "evaluation": evaluation(category_limit=4, likelihood_limit=4, generation_limit=2), "corpus.headings": HEADINGS,
        "compute": CPU, "split": "validation", **NO_LEAKAGE, "leakage.membership_reports": 6, "leakage.candidates": 8,
    }  # fmt: skip
    monkeypatch.setattr(stages.evaluate_domain, "Parameters", parameters(values))
    stages.evaluate_domain.main.callback(None, None)
    stages.evaluate_domain.main.callback("ema", 0)
    metrics = {**read_json(METRICS / "domain/base.json"), **read_json(METRICS / "domain/ema-0.json")}
    of_leakage = {"exposure_bits_0", "exposure_bits_1", "canary_extracted_1", "membership_auc"}
    assert {arm: of_leakage & found.keys() for arm, found in metrics.items()} == {
        "base": of_leakage, "ema": of_leakage, "ema_teacher": of_leakage, "ema_share_0_5": set(),
    }  # fmt: skip
    scored = pd.read_csv(SCORES / "domain/ema-0.csv")
    cases = scored[scored["measure"] == "membership_nats"].groupby("arm")["case"].agg(list)
    assert cases["ema"] == [f"{group}:{place}" for group in ("member", "held_out") for place in range(6)]
    secrets = [canary.secret for canary in read_canaries(CANARIES)]
    for file in filter(Path.is_file, Path().rglob("*")):
        if file.suffix in (".json", ".jsonl", ".csv") and "prepared" not in file.parts and "models" not in file.parts:
            assert not any(secret in file.read_text(encoding="utf-8") for secret in secrets), file


# ---- Statistics --------------------------------------------------------------------------------------------------


def test_the_auc_of_every_seed_is_that_of_scikit_learn_with_ties() -> None:
    draw_ = np.random.default_rng(0)
    for size, positives in ((60, 20), (40, 30), (30, 15)):
        values, positive = draw_.integers(0, 8, (3, size)).astype(float), np.arange(size) < positives
        found = auc_of(values, positive)
        assert found.estimates == pytest.approx([roc_auc_score(positive, row) for row in values])
        assert found.pseudovalues.mean(axis=1) == pytest.approx(found.estimates)


def test_the_interval_of_an_auc_is_that_of_delong() -> None:
    draw_ = np.random.default_rng(1)
    for shift in (0.0, 1.0):
        members, others = draw_.normal(shift, 1, 150), draw_.normal(0, 1, 150)
        wins = (members[:, None] > others) + 0.5 * (members[:, None] == others)
        delong = math.sqrt(wins.mean(axis=1).var(ddof=1) / 150 + wins.mean(axis=0).var(ddof=1) / 150)
        found = interval(auc_of(np.concatenate([members, others])[None], np.arange(300) < 150))
        assert found.estimate == pytest.approx(wins.mean())
        assert found.se == pytest.approx(delong, rel=0.01)


def test_a_gap_is_a_difference_of_shares_and_open_if_no_case_differs() -> None:
    values = np.array([[1, 1, 0, 0, 1, 0, 0, 0.0], [1, 0, 0, 0, 1, 1, 0, 0]])
    positive = np.arange(8) < 4
    assert gap_of(values, positive).estimates == pytest.approx([0.5 - 0.25, 0.25 - 0.5])
    nothing = interval(gap_of(np.zeros((3, 200)), np.arange(200) < 100))
    assert (nothing.low, nothing.estimate, nothing.high) == (
        pytest.approx(-0.0295, abs=1e-3),
        0,
        pytest.approx(0.0295, abs=1e-3),
    )
    equal = gap_of(np.zeros((3, 200)), np.arange(200) < 100)
    assert difference(equal, equal).high == pytest.approx(nothing.high)
    for one_group in (np.ones(8, bool), np.arange(8) < 1):
        with pytest.raises(InputError, match="at least 2 cases of each"):
            auc_of(values, one_group)


# ---- What is said of it ------------------------------------------------------------------------------------------

BITS = {"base": 1.4, "none": 7.5, "static": 2.0, "ema": 7.2}


def leaked_scores() -> AllScores:
    """Canaries of each number of repeats, and 60 reports that differ in difficulty more than in membership."""
    scores = {arm: dict(of_arm) for arm, of_arm in made_up_scores(EXAM, DOMAIN, questions=60, reports=60).items()}
    draw_ = np.random.default_rng(2)
    difficulty = draw_.normal(2, 0.8, 60)
    for arm, of_arm in scores.items():
        seeds = 1 if arm == "base" else 3

        def made(values: np.ndarray, names: list[str], weight: float = 1.0, seeds: int = seeds) -> Scores:
            return Scores(tuple(range(seeds)), tuple(names), values * weight, np.full(values.shape, weight))

        names = [f"canary:{number}" for number in range(12)]
        for repeats, bits in ((0, 1.4), (1, 2.0 if arm != "base" else 1.4), (16, BITS[arm])):
            of_arm[f"exposure_bits_{repeats}"] = made(bits + draw_.normal(0, 0.5, (seeds, 12)), names)
        known = draw_.random((seeds, 12)) < (0.8 if arm == "none" else 0.0)
        of_arm["canary_extracted_16"] = made(known.astype(float), names)
        cases = [*(f"member:{n}" for n in range(30)), *(f"held_out:{n}" for n in range(30))]
        lower = np.where(np.arange(60) < 30, 0.2 if arm == "none" else 0.0, 0)
        noise = 0 if arm == "base" else draw_.normal(0, 0.05, (seeds, 60))
        of_arm["membership_nats"] = made(np.tile(difficulty, (seeds, 1)) - lower + noise, cases, weight=20.0)
        of_arm["report_extracted"] = made((np.tile(np.arange(60), (seeds, 1)) % 3 == 0).astype(float), cases)
    return scores


@pytest.fixture(scope="module")
def leaked() -> Results:
    limits = replace(LIMITS, max_exposure=5.0)
    return analyse(leaked_scores(), ["none", "static", "ema"], "bethesda", ["V"], "test", limits)


def test_the_measures_are_those_of_the_scores_in_the_order_of_repeats(leaked: Results) -> None:
    keys = [measure.key for measure in leaked.measures if measure.leak]
    assert keys == [
        "exposure_bits_0", "exposure_bits_1", "exposure_bits_16", "canary_extracted_16",
        "report_extracted_training", "report_extracted_held_out", "report_extracted_gap",
        "membership_auc", "membership_reference_auc",
    ]  # fmt: skip
    none = leaked.intervals["none"]
    assert none["exposure_bits_16"].estimate == pytest.approx(7.5, abs=0.3)
    assert none["report_extracted_gap"].estimate == pytest.approx(0)
    assert summary(leaked)["static"]["exposure_bits_16"] == leaked.intervals["static"]["exposure_bits_16"].estimate
    assert {"membership_auc", "membership_reference_auc"} <= details(leaked, {})["arms"]["none"].keys()


def test_the_base_takes_the_reports_difficulty_out_of_membership(leaked: Results) -> None:
    """Members are lower by a quarter of the spread of difficulty: the loss hardly tells them, its change does."""
    none = leaked.intervals["none"]
    assert none["membership_auc"].estimate < 0.75
    assert none["membership_reference_auc"].estimate > 0.95
    assert leaked.intervals["base"]["membership_reference_auc"].estimate == 0.5
    assert abs(leaked.intervals["static"]["membership_reference_auc"].estimate - 0.5) < 0.15


def test_arms_are_compared_on_leakage_in_families_of_their_own(leaked: Results) -> None:
    """What is said of all else is the same as without it."""
    exposed = next(one for one in leaked.measures if one.key == "exposure_bits_16")
    assert leaked.comparison("none", "static", exposed).word == "better"
    assert leaked.comparison("none", "static", exposed).mcnemar is None
    assert not [one for one in leaked.comparisons if one.measure.key == "exposure_bits_0"]
    without = {
        arm: {
            key: one for key, one in of_arm.items() if not key.startswith(("exposure", "canary", "member", "report_e"))
        }
        for arm, of_arm in leaked.scores.items()
    }
    plain = analyse(without, ["none", "static", "ema"], "bethesda", ["V"], "test", LIMITS)
    leaks = {measure.key for measure in leaked.measures if measure.leak}
    others = [one for one in details(leaked, {})["differences"] if one["measure"] not in leaks]
    assert others == details(plain, {})["differences"]
    text = report(plain, CONTEXT)
    assert "gives away" not in text
    assert "exposure" not in json.dumps(summary(plain))


def test_the_report_says_which_methods_expose_less_than_plain_fine_tuning(leaked: Results) -> None:
    text = report(leaked, CONTEXT)
    section = text.partition("## What the model gives away\n")[2].partition("\n## ")[0]
    assert (
        "|  | exposure, held out, bits | exposure, planted once, bits | exposure, planted 16 times, bits |" in section
    )
    assert "- `static` exposes canaries less than `none`: −5." in section
    assert "- `ema` and `none` " in section
    assert "| `none`, `static` | membership AUC |" in section
    # Nowhere else.
    assert "membership AUC" not in text.replace(section, "")
    assert "exposure, planted" not in text.replace(section, "")


@pytest.mark.parametrize(
    ("exposure", "outcome"),
    [((3.0, 0.5), "PASS"), ((3.0, 3.0), "NOT ENOUGH EVIDENCE"), ((8.0, 1.0), "FAIL"), (None, "NOT ENOUGH EVIDENCE")],
)
def test_an_arm_passes_if_the_whole_interval_of_its_exposure_is_below_the_limit(
    exposure: tuple[float, float] | None, outcome: str
) -> None:
    kept = ((0.1, 0.05, 0.15), (0.5, 0.4, 0.6), interval_of(0.5, 0.05), 3)
    found = judge(replace(LIMITS, max_exposure=5.0), *kept, exposure and interval_of(*exposure))
    assert found.outcome == outcome
    assert ("exposure: not measured" in found.reasons) == (exposure is None)
    assert judge(LIMITS, *kept, exposure and interval_of(*exposure)).outcome == "PASS"


def test_verdicts_are_by_the_canaries_planted_most_often(leaked: Results) -> None:
    reasons = {arm: next(r for r in one.reasons if r.startswith("exposure")) for arm, one in leaked.judgements.items()}
    assert reasons["none"].endswith("asked at most 5: broken")
    assert reasons["static"].endswith("asked at most 5: kept")


# ---- Settings and pipeline ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"leakage.repeats": [4, 1]}, "`leakage`: repeats must be different numbers in ascending order"),
        ({"leakage.repeats": [1, 1]}, "`leakage`: repeats must be different numbers in ascending order"),
        ({"leakage.repeats": []}, "`leakage`: repeats must be different numbers in ascending order"),
        ({"leakage.repeats": [0, 1]}, "`leakage.repeats.0` is 0: input should be greater than 0"),
        ({"leakage.canaries": 1}, "canaries must be 0 (none) or at least 2"),
        ({"leakage.membership_reports": 1}, "membership_reports must be 0 (none) or at least 2"),
        ({"leakage.candidates": 1}, "`leakage.candidates` is 1: input should be greater than or equal to 2"),
        ({"leakage.prefix_words": 0}, "`leakage.prefix_words` is 0"),
        (
            {"verdict.max_exposure": 3.0},
            "`verdict.max_exposure` is a limit on the exposure of canaries, and there are none",
        ),
        (
            {"verdict.max_exposure": 9.0, "leakage.canaries": 6},
            "`verdict.max_exposure` is 9, and no exposure among 500 candidates",
        ),
        (
            {"leakage.canaries": 6, "corpus.columns.conclusion": None},
            "`leakage.canaries` plants secrets into conclusions, and the corpus has none",
        ),
        ({"corpus.label": "exposure_bits_16"}, "`corpus.label` cannot be exposure_bits_16"),
    ],
)
def test_what_could_not_be_measured_is_refused(settings_only: Path, changes: dict[str, Any], said: str) -> None:
    for key, value in changes.items():
        change(settings_only / "params.yaml", key, value)
    with pytest.raises(SettingsError) as caught:
        check_all(settings_only)
    assert said in str(caught.value)


def test_what_can_be_measured_is_accepted(settings_only: Path) -> None:
    for key, value in {"leakage.canaries": 6, "verdict.max_exposure": 8.9, "leakage.membership_reports": 100}.items():
        change(settings_only / "params.yaml", key, value)
    check_all(settings_only)


def test_a_change_of_what_is_planted_trains_again_and_one_of_what_is_asked_only_measures_again() -> None:
    found = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    declared = {
        name: {key.removeprefix("leakage.") for key in stage["params"] if str(key).startswith("leakage.")}
        for name, stage in found.items()
    }
    of_evaluations = {"candidates", "membership_reports", "prefix_words", "seed"}
    assert {name: keys for name, keys in declared.items() if keys} == {
        "corpus": {"canaries", "repeats", "seed"},
        "evaluate_base_domain": of_evaluations,
        "evaluate_domain": of_evaluations,
    }
