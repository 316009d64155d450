"""The report: a table, and a paragraph that says no more than the numbers do."""

from collections.abc import Mapping
from statistics import mean

from anamnesis.analysis.summary import BASE, SUFFIX_STD, Runs, Summary, quantities

# Two accuracies closer than this are the same number.
SAME = 1e-9


def table(summary: Summary, label: str, first: bool = True) -> str:
    """A Markdown table, the first or the second: a row per arm, mean ± sample standard deviation over seeds."""
    measured = {key for numbers in summary.values() for key in numbers}
    columns = [quantity for quantity in quantities(label) if quantity.first == first and quantity.key in measured]
    lines = [
        "| | " + " | ".join(column.title for column in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for arm, numbers in summary.items():
        cells = []
        for column in columns:
            if column.key not in numbers:
                cells.append("")
                continue
            cell = f"{numbers[column.key]:.{column.decimals}f}"
            if column.key + SUFFIX_STD in numbers:
                cell += f" ± {numbers[column.key + SUFFIX_STD]:.{column.decimals}f}"
            cells.append(cell)
        lines.append(f"| `{arm}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def findings(summary: Summary, compared: Runs, label: str) -> str:
    """What the numbers say, in words.

    Arms are compared seed by seed, since a seed gives every method the same start and the same order of reports. A
    difference is called one only where all seeds agree on its direction; with few seeds that is a weak
    statement, and the text gives the number of seeds instead of a significance.
    """
    base = summary[BASE]
    sentences = [
        f"The base answers {base['mmlu_acc']:.1%} of the exam and has a macro-F1 of "
        f"{base[f'{label}_macro_f1']:.3f} on held-out reports."
    ]
    for arm, numbers in summary.items():
        if arm != BASE:
            verb = "forgets" if numbers["forgetting"] >= 0 else "gains"
            sentences.append(
                f"`{arm}` {verb} {abs(numbers['forgetting']):.3f} of the exam and "
                f"{'gains' if numbers['adaptation'] >= 0 else 'loses'} {abs(numbers['adaptation']):.3f} of macro-F1."
            )
    arms = list(compared)
    for i, first in enumerate(arms):
        for second in arms[i + 1 :]:
            sentences.append(_comparison(first, second, compared))
    return " ".join(sentences)


def _comparison(first: str, second: str, compared: Runs) -> str:
    seeds = sorted(compared[first].keys() & compared[second].keys())
    parts = [
        _difference([compared[second][s][key] - compared[first][s][key] for s in seeds], verb)
        for key, verb in (("forgetting", "forgets"), ("adaptation", "adapts"))
    ]
    return f"Against `{first}`, `{second}` {parts[0]}; it {parts[1]}."


def _difference(differences: list[float], verb: str) -> str:
    n, average = len(differences), mean(differences)
    if all(abs(difference) < SAME for difference in differences):
        return f"{verb} the same"
    direction = "more" if average > 0 else "less"
    agreeing = sum(abs(d) >= SAME and (d > 0) == (average > 0) for d in differences)
    if n == 1:
        return f"{verb} {direction} (by {abs(average):.3f}, one seed only)"
    if agreeing == n:
        return f"{verb} {direction} (by {abs(average):.3f}, in all {n} seeds)"
    return f"{verb} not consistently {direction} (by {abs(average):.3f} on average, in {agreeing} of {n} seeds)"


def report(
    summary: Summary, compared: Runs, label: str, settings: Mapping[str, object], pictures: Mapping[str, str]
) -> str:
    """The whole report as Markdown; `pictures` are captions by file name beside it."""
    images = "\n\n".join(f"![{caption}]({name})\n\n*{caption}*" for name, caption in pictures.items())
    used = "\n".join(f"- {name}: {value}" for name, value in settings.items())
    return f"""# What fine-tuning cost, and what it brought

{table(summary, label)}

Mean ± standard deviation over seeds. Forgetting: the base's accuracy on the exam minus the arm's. Adaptation: the
arm's macro-F1 on held-out reports minus the base's. Bits per byte: lower is better. BLEU and chrF are 0 to 100,
all other scores 0 to 1.

{findings(summary, compared, label)}

{images}

## The other measurements

{table(summary, label, first=False)}

## Settings

{used}
"""
