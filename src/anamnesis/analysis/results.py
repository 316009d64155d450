"""The results page: tables, figures, and a paragraph that says no more than the numbers do."""

from collections.abc import Mapping
from statistics import mean

from anamnesis import markdown
from anamnesis.analysis.summary import BASE, SUFFIX_STD, Quantity, Runs, Summary, exam_key, quantities

# Two scores closer than this are the same number.
SAME = 1e-9


def table(summary: Summary, label: str, first: bool = True) -> str:
    """The first or the second table: a row per arm, mean ± sample standard deviation over seeds."""
    measured = {key for numbers in summary.values() for key in numbers}
    columns = [quantity for quantity in quantities(label) if quantity.first == first and quantity.key in measured]
    rows = ([f"`{arm}`", *(_cell(numbers, column) for column in columns)] for arm, numbers in summary.items())
    return markdown.table(["", *(column.title for column in columns)], rows)


def _cell(numbers: Mapping[str, float], column: Quantity) -> str:
    if column.key not in numbers:
        return ""
    value, spread = f"{numbers[column.key]:.{column.decimals}f}", numbers.get(column.key + SUFFIX_STD)
    return value if spread is None else f"{value} ± {spread:.{column.decimals}f}"


def findings(summary: Summary, compared: Runs, label: str) -> str:
    """What the numbers say, in words.

    Arms are compared seed by seed, because a seed gives every method the same start and the same order of reports. The
    text claims a difference only where all seeds agree on its direction. With few seeds that is weak evidence, so the
    text states the number of seeds instead of a significance.
    """
    base = summary[BASE]
    sentences = [
        f"The base answers {base[exam_key(base)]:.1%} of the exam and has a macro-F1 of "
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


def results_page(
    summary: Summary, compared: Runs, label: str, settings: Mapping[str, object], figures: Mapping[str, str]
) -> str:
    """The whole page as Markdown; `figures` maps the name of each image file beside it to its caption."""
    images = "\n\n".join(f"![{caption}]({name})\n\n*{caption}*" for name, caption in figures.items())
    used = "\n".join(f"- {name}: {value}" for name, value in settings.items())
    return f"""# Adaptation and forgetting

{table(summary, label)}

Mean ± standard deviation over seeds. Forgetting is the base's accuracy on the exam minus the arm's. Adaptation is the
arm's macro-F1 on held-out reports minus the base's.

{findings(summary, compared, label)}

{images}

## Other measurements

{table(summary, label, first=False)}

Lower is better for bits per byte. BLEU and chrF range from 0 to 100, all other scores from 0 to 1.

## Settings

{used}
"""
