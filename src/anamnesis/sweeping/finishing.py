"""Writes what a sweep found: numbers, a page, pictures, and the recommended section."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from anamnesis.analysis.wording import with_interval
from anamnesis.figures import save
from anamnesis.files import write_json, written_whole
from anamnesis.settings.verdict import Verdict
from anamnesis.sweeping.choosing import Recommendation, name_of_section, pasteable, recommend
from anamnesis.sweeping.figures import front_picture, razor_picture
from anamnesis.sweeping.front import front_of
from anamnesis.sweeping.grid import SPLIT, Point, Sweep
from anamnesis.sweeping.outcomes import Layout, Measured, Outcomes, outcomes
from anamnesis.sweeping.page import FRONT_PICTURE, PASTED, RAZOR_PICTURE, Finished, numbers, page
from anamnesis.sweeping.razor import razor_of
from anamnesis.sweeping.store import Store


def about(point: Point, commit: str, changed: Sequence[str]) -> dict[str, Any]:
    """What is written down with a point's results.

    Args:
        point: the point.
        commit: of the checkout.
        changed: files of the code that differ from it.
    """
    return {
        "name": point.name,
        "label": point.label,
        "method": point.method,
        "values": dict(point.values),
        "section": dict(point.section),
        "seeds": point.seeds,
        "profile": point.science["profile"],
        "commit": commit,
        "changed": list(changed),
    }


def finish(
    name: str,
    sweep: Sweep,
    points: Sequence[Point],
    store: Store,
    layout: Layout,
    settings: Verdict,
    limit: float,
    science: Mapping[str, Any],
    failures: Mapping[str, str],
    of_chains: Collection[str] = (),
) -> Finished:
    """Analyse the points that are done, and write everything into the store's folder.

    Args:
        name: the sweep's.
        sweep: the content of its file.
        points: all of them, in order; at least one is done.
        store: where their results are.
        layout: where files are in a point's results.
        settings: what forgetting and adaptation are read from.
        limit: the most that may be forgotten.
        science: the content of params.yaml.
        failures: the reason of each failed point, by label.
        of_chains: the labels of further domains.
    """
    done = [_measured(point, store) for point in points if store.has(point.name)]
    found = outcomes(done, layout, science["corpus"]["label"], settings, of_chains)
    front, razor, advice = front_of(found), razor_of(found), recommend(found, limit)
    made = _made(sweep, points, store, found)
    of = Finished(name, found, front, razor, advice, _pasted(name, sweep, found, advice, science), failures, made)
    defined = [key for key, one in science.items() if isinstance(one, dict) and "teacher" in one]
    save(front_picture(found, front, advice.chosen, limit, defined), store.folder / FRONT_PICTURE)
    if razor is not None:
        save(razor_picture(razor, found, defined), store.folder / RAZOR_PICTURE)
    else:
        (store.folder / RAZOR_PICTURE).unlink(missing_ok=True)
    write_json(store.folder / "sweep.json", numbers(of))
    _write(store.folder / "sweep.md", page(of))
    if of.pasted is not None:
        _write(store.folder / PASTED, of.pasted)
    else:
        (store.folder / PASTED).unlink(missing_ok=True)
    return of


def _measured(point: Point, store: Store) -> Measured:
    return Measured(
        point.name, point.label, point.method, point.values, point.section, point.seeds, store.of(point.name)
    )


def _pasted(name: str, sweep: Sweep, found: Outcomes, advice: Recommendation, science: Mapping[str, Any]) -> str | None:
    chosen = advice.chosen
    if chosen is None:
        return None
    scale = "".join(f", {key}: {value}" for key, value in sweep.scale.items())
    comments = [
        f"Chosen by the sweep {name} for at most {advice.limit:g} of forgetting, on {SPLIT}, with profile "
        f"{sweep.profile}{scale}.",
        f"Adaptation ({found.adaptation.improvement}) {with_interval(*chosen.adaptation.ends)}, loss of "
        f"{found.capability.title} {with_interval(*chosen.forgetting.ends)}: optimistic, as it is the best of "
        f"{len(found.points)}.",
    ]
    return pasteable(name_of_section(chosen.point.method, science), chosen.point.section, comments)


def _made(sweep: Sweep, points: Sequence[Point], store: Store, found: Outcomes) -> dict[str, Any]:
    written = [store.about(point.name) for point in points if store.has(point.name)]
    seconds = [one["seconds"] for one in written if one["seconds"] is not None]
    changed = sorted({file for one in written for file in one["changed"]})
    lost, gained = found.points[0].lost.shape[1], found.points[0].gained.shape[1]
    return {
        "points": f"{len(written)} of {len(points)}",
        "profile": sweep.profile,
        **({"profile values": sweep.scale} if sweep.scale else {}),
        "split": SPLIT,
        "seeds": list(sweep.seeds),
        "cases": f"{lost} of {found.capability.title}, {gained} of {found.adaptation.title}",
        "commits": ", ".join(sorted({one["commit"][:10] for one in written})),
        **({"code that differs from them": ", ".join(changed)} if changed else {}),
        "hours of the points, added up": round(sum(seconds) / 3600, 2),
    }


def _write(path: Path, text: str) -> None:
    with written_whole(path) as file:
        file.write(text)
