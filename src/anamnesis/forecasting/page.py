"""What a forecast says in words and tables."""

from collections.abc import Iterator, Mapping, Sequence

from anamnesis.costs import Cost, minutes_of
from anamnesis.forecasting.forecast import Forecast, stages_of
from anamnesis.forecasting.precision import Detectable, Planned
from anamnesis.forecasting.schedule import expected, kind_of, minutes, wall_seconds
from anamnesis.markdown import table
from anamnesis.methods.margin import TEXTS_FOR_THRESHOLDS
from anamnesis.settings.reading import Experiment

ONCE = ("base_text", "teacher", "rehearsal", "fisher", "monitor")


def whole_run(experiment: Experiment, forecast: Forecast, jobs: int) -> float:
    """Seconds from the first long stage to the last."""
    once = sum(forecast.seconds.get(stage, 0.0) for stage in ONCE)
    return once + wall_seconds(expected(stages_of(experiment), forecast.seconds), jobs)


def arms_table(experiment: Experiment, forecast: Forecast, costs: Mapping[str, Cost]) -> str:
    """Minutes per arm, all seeds together, beside what they took if they have run."""
    stages = stages_of(experiment)
    rows = []
    for arm in [*experiment.methods, "base"]:
        parts = {
            part: [stage for stage in stages if stage.startswith(part) and _arm(stage) == arm]
            for part in ("train", "evaluate")
        }
        seconds = [sum(expected(of, forecast.seconds)) for of in parts.values()]
        row = [arm, *(f"{one / 60:.1f}" for one in [*seconds, sum(seconds)])]
        both = [*parts["train"], *parts["evaluate"]]
        if costs:
            taken = sum(costs[stage].seconds for stage in both) if all(stage in costs for stage in both) else None
            row += ["", ""] if taken is None else [f"{taken / 60:.1f}", f"{taken / sum(seconds):.2f}"]
        rows.append(row)
    runs = len(experiment.seeds)
    header = [f"minutes, {runs} {'seed' if runs == 1 else 'seeds'}", "training", "evaluation", "together"]
    return table([*header, "actual", "actual / forecast"] if costs else header, rows)


def _arm(stage: str) -> str:
    return kind_of(stage).partition("@")[2] or "base"


def totals(experiment: Experiment, forecast: Forecast, jobs: int, costs: Mapping[str, Cost]) -> Iterator[str]:
    """Time, memory and disk of the whole run."""
    at_once = f"{jobs} at a time" if jobs > 1 else "one at a time"
    line = f"In all about {minutes(whole_run(experiment, forecast, jobs))}, {at_once}."
    stages = stages_of(experiment)
    if all(stage in costs for stage in stages):
        line += f" It took {minutes(60 * minutes_of(costs[stage] for stage in stages))}."
    yield line
    peak = f"Peak memory: {forecast.peak_gigabytes:.1f} GB"
    if jobs > 1:
        peak += f" a stage, {jobs * forecast.peak_gigabytes:.1f} GB for {jobs}"
    known = [costs[stage].peak_memory_gigabytes for stage in stages if stage in costs]
    yield f"{peak}{f' (actual: {max(known):.1f} GB)' if known else ''}. Disk: {forecast.disk_gigabytes:.1f} GB."


def left_out(experiment: Experiment, counted: bool) -> str:
    """What the seconds of a training do not have in them, in a sentence."""
    parts = ["the distance from the base in the curves (at most 3 % of a training)"]
    if counted:
        parts += ["penalties", "the weights of tokens", "AdamW's step"]
    else:
        replays = {name: arm.replay for name, arm in experiment.methods.items() if arm.replay is not None}
        margins = [name for name, replay in replays.items() if replay.loss == "margin"]
        if margins:
            parts.append(f"the pass over {TEXTS_FOR_THRESHOLDS} texts before the first step of {', '.join(margins)}")
    return f"Left out: {', '.join(parts)}."


def precision_lines(found: Sequence[Detectable], planned: Sequence[Planned], seeds: int, shelved: str) -> Iterator[str]:
    """The smallest differences that this experiment can show."""
    if seeds < 2:
        yield "With one seed the experiment shows nothing about the seeds: a smallest difference cannot be given."
        return
    for one in planned:
        if not one.shelved:
            yield f"{one.measure}: {shelved} does not have this measure, so that no smallest difference can be given."
        elif one.cases is None:
            yield f"{one.measure}: its number of cases is unknown before the task is loaded; no smallest difference."
    shown = [one for one in planned if any(of.measure == one.measure for of in found)]
    if not shown:
        yield f"{shelved} compares no two of these methods on these measures."
        return
    value = {(one.first, one.second, one.measure): _amount(one) for one in found}
    yield (
        f"Smallest true differences between two methods that {seeds} seeds show with a power of 80 %, significant at "
        f"5 % after Holm's adjustment, with the variances of {shelved}:"
    )
    yield ""
    yield table(
        ["pair", *(one.measure for one in shown)],
        [
            [f"{first}, {second}", *(value.get((first, second, one.measure), "") for one in shown)]
            for first, second in dict.fromkeys((one.first, one.second) for one in found)
        ],
    )
    yield ""
    for one in shown:
        yield (
            f"{one.measure}: {one.cases} cases, adjusted for {one.family} "
            f"{'comparison' if one.family == 1 else 'comparisons'}{' with cautious p-values' if one.cautious else ''}."
        )


def _amount(one: Detectable) -> str:
    """Shares differ by 1 at most: seeds this few may be unable to show any difference."""
    return "none" if one.share and one.difference > 1 else f"{one.difference:.3f}"
