"""The report: a table, and a paragraph that says no more than the numbers do."""

from collections.abc import Mapping
from statistics import mean

from anamnesis.analysis.summary import BASE, SUFFIX_STD, Runs, Summary, quantities

# Two accuracies closer than this are the same number.
SAME = 1e-9


def table(summary: Summary, label: str) -> str:
    """A Markdown table: a row per arm, mean ± sample standard deviation over seeds."""
    columns = [q for q in quantities(label) if any(q.key in numbers for numbers in summary.values())]
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
        _difference([compared[second][s][key] - compared[first][s][key] for s in seeds], more, less)
        for key, more, less in (
            ("forgetting", "forgets more", "forgets less"),
            ("adaptation", "adapts more", "adapts less"),
        )
    ]
    return f"Against `{first}`, `{second}` {parts[0]} and {parts[1]}."


def _difference(differences: list[float], more: str, less: str) -> str:
    size = f"{abs(mean(differences)):.3f}"
    n = len(differences)
    if all(abs(d) < SAME for d in differences):
        return less.replace("less", "the same")
    if n > 1 and all(d > 0 for d in differences):
        return f"{more} (by {size}, in all {n} seeds)"
    if n > 1 and all(d < 0 for d in differences):
        return f"{less} (by {size}, in all {n} seeds)"
    direction = more if mean(differences) > 0 else less
    if n == 1:
        return f"{direction} (by {size}, one seed only)"
    agree = sum((d > 0) == (mean(differences) > 0) for d in differences)
    return f"shows no consistent difference (on average {direction} by {size}, {agree} of {n} seeds that way)"


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

## Settings

{used}
"""
