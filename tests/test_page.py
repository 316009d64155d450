"""The page to look at an experiment: its numbers, its filters, and what came after the run."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from lxml import html

import commands.page
from anamnesis.analysis import drawing as places
from anamnesis.analysis.drawing import SHAPES, drawing
from anamnesis.analysis.html import Section, page
from anamnesis.analysis.overview import ADAPTATION, FORGETTING, Overview, Value, overview
from anamnesis.analysis.wording import number
from anamnesis.errors import InputError
from anamnesis.figures import MARKERS
from anamnesis.files import write_json
from anamnesis.hashes import digest
from anamnesis.publishing.looking import experiment_page, export_sections, sweep_sections
from anamnesis.publishing.shelf import SHELF, entries
from tests.browser import dom, needs_browser
from tests.checkout import ROOT, edit_text

ENTRIES = [one.name for one in entries(ROOT)]
REPORT = """# A title

## Verdict

- `none` <b>forgets</b>.

## Every pair

|  | measure | difference |
|---|---|---|
| `none`, `ema` | exam accuracy | +0.100 [+0.000, +0.200] |
| `none`, `ema` | macro-F1 | −0.100 [−0.200, +0.000] |

## What each arm keeps

| `none` | exam accuracy | something else |
|---|---|---|
| `base` | 0.900 | 1 |
| `ema` | 0.800 | 2 |
"""


def measured(estimate: float, low: float, high: float) -> dict[str, float]:
    return {"estimate": estimate, "low": low, "high": high}


DETAILS: dict[str, Any] = {
    "provenance": {"split": "test"},
    "arms": {
        "base": {"exam_acc": measured(0.9, 0.85, 0.95), "bethesda_macro_f1": measured(0.1, 0.05, 0.15)},
        "none": {
            "exam_acc": measured(0.7, 0.6, 0.8),
            "bethesda_macro_f1": measured(0.5, 0.4, 0.6),
            'quiz_"acc': measured(0.25, 0.125, 0.5),
        },
        "ema": {"exam_acc": measured(0.8, 0.75, 0.85), "bethesda_macro_f1": measured(0.3, 0.25, 0.35)},
        "rag_vote": {"bethesda_macro_f1": measured(0.6, 0.5, 0.7)},
    },
}
SUMMARY: dict[str, dict[str, float]] = {
    "base": {"exam_acc": 0.9, "bethesda_macro_f1": 0.1},
    "none": {
        "exam_acc": 0.7, "forgetting": 0.2, "forgetting_low": 0.1, "forgetting_high": 0.3,
        "adaptation": 0.4, "adaptation_low": 0.3, "adaptation_high": 0.5, "seeds": 3,
    },
    "ema": {
        "exam_acc": 0.8, "forgetting": 0.1, "forgetting_low": 0.05, "forgetting_high": 0.15,
        "adaptation": 0.2, "adaptation_low": 0.15, "adaptation_high": 0.25, "seeds": 3,
    },
    "rag_vote": {"adaptation": 0.5, "adaptation_low": 0.4, "adaptation_high": 0.6, "seeds": 1},
}  # fmt: skip
TASKS = {"quiz": {"measures": {'quiz_"acc': {"title": '<b>quiz</b> & "acc"', "kind": "accuracy", "better": "higher"}}}}
METHODS = ["none", "ema", "rag"]


@pytest.fixture(scope="module")
def shown() -> Overview:
    return overview(SUMMARY, DETAILS, TASKS)


@pytest.fixture(scope="module")
def written(shown: Overview) -> html.HtmlElement:
    return html.document_fromstring(page(REPORT, 'A <b>"title"</b>', ROOT, shown, METHODS))


def table(document: html.HtmlElement) -> dict[str, dict[str, html.HtmlElement]]:
    """The cells of the overview that have a value, by arm and measure."""
    rows = document.get_element_by_id("overview").xpath("./tbody/tr")
    return {
        row.get("data-arms"): {cell.get("data-measure"): cell for cell in row.xpath("./td[@data-value]")}
        for row in rows
    }


def visible(document: html.HtmlElement, path: str) -> list[html.HtmlElement]:
    return [one for one in document.xpath(path) if not one.xpath("ancestor-or-self::*[@hidden]")]


def experiment(name: str | None) -> Path:
    return ROOT if name is None else ROOT / SHELF / name


# ---- Numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, *ENTRIES])
def test_all_numbers_of_summary_and_details_are_in_the_table(name: str | None) -> None:
    text = experiment_page(experiment(name), name)
    cells = table(html.document_fromstring(text))
    summary, details = (
        json.loads((experiment(name) / "metrics" / f"{file}.json").read_text()) for file in ("summary", "details")
    )
    assert list(cells) == list(summary) == list(details["arms"])
    for arm, numbers in summary.items():
        for key, value in numbers.items():
            if not key.endswith(("_low", "_high")):
                assert float(cells[arm][key].get("data-value")) == value, (arm, key)
        ends = {key: (numbers[f"{key}_low"], numbers[f"{key}_high"]) for key in numbers if f"{key}_low" in numbers}
        ends |= {key: (one["low"], one["high"]) for key, one in details["arms"][arm].items()}
        assert cells[arm].keys() == ends.keys() | {"seeds"} & numbers.keys()
        for key, (low, high) in ends.items():
            estimate = float(cells[arm][key].get("data-value"))
            assert cells[arm][key].text_content() == f"{number(estimate)} [{number(low)}, {number(high)}]"
    # Without its pictures.
    most = 30_000 + 5_000 * len(summary) + 125 * len(details["differences"])
    assert len(re.sub(r"data:image/png;base64,[\w+/=]+", "", text)) < most


def test_measures_have_the_titles_of_the_report_and_their_direction(written: html.HtmlElement) -> None:
    heads = written.get_element_by_id("overview").xpath("./thead/tr/th")
    assert [" ".join(head.text_content().split()) for head in heads] == [
        "arm",
        "forgetting lower is better",
        "adaptation higher is better",
        "exam accuracy higher is better",
        "macro-F1 higher is better",
        '<b>quiz</b> & "acc" higher is better',
        "seeds",
    ]


# ---- The document ------------------------------------------------------------------------------------------------


def test_everything_is_escaped(written: html.HtmlElement) -> None:
    assert written.findtext("head/title") == 'A <b>"title"</b>'
    assert written.xpath("//b") == []
    assert 'quiz_"acc' in table(written)["none"]
    assert "<b>forgets</b>" in written.xpath("//li")[0].text_content()


@pytest.mark.parametrize("name", [None, "smollm2-135m"])
def test_ids_are_valid_and_every_link_has_its_target(name: str | None) -> None:
    document = html.document_fromstring(experiment_page(experiment(name), name))
    ids = document.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", one) for one in ids)
    links = document.xpath("//nav/a/@href")
    assert links[:3] == ["#verdict", "#compare", "#limits"]
    assert [link[1:] for link in links] == [heading.get("id") for heading in document.xpath("//h2")]


def test_without_a_script_everything_is_shown_but_what_needs_one(written: html.HtmlElement) -> None:
    assert [one.get("id") for one in written.xpath("//*[@hidden]")] == ["view", "chosen"]
    assert len(visible(written, "//table[@id='overview']//tr")) == 1 + len(DETAILS["arms"])
    assert len(visible(written, "//*[@class='point']")) == 2


def test_only_its_own_script_may_run_and_nothing_is_loaded(shown: Overview) -> None:
    text = page(REPORT, "A title", ROOT, shown, METHODS)
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    own = base64.b64encode(sha256(script.encode()).digest()).decode()
    (policy,) = html.document_fromstring(text).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith(f"script-src 'sha256-{own}'")
    assert not re.search(r"https?://|<link|@import|url\(", text)


def test_rows_and_columns_of_the_report_name_their_arms_and_measures(written: html.HtmlElement) -> None:
    (pairs,) = written.xpath("//h2[@id='every-pair']/following::table[1]")
    rows = [(row.get("data-arms"), row.get("data-measure")) for row in pairs.xpath(".//tr")]
    assert rows == [(None, None), ("none ema", "exam_acc"), ("none ema", "bethesda_macro_f1")]
    (kept,) = written.xpath("//h2[@id='what-each-arm-keeps']/following::table[1]")
    assert [row.get("data-arms") for row in kept.xpath(".//tr")] == [None, "base", "ema"]
    for row in kept.xpath(".//tr"):
        assert [cell.get("data-measure") for cell in row] == [None, "exam_acc", None]


def test_what_came_after_the_run_follows_the_comparison(shown: Overview, tmp_path: Path) -> None:
    (tmp_path / "front.png").write_bytes(b"\x89PNG")
    text = "![The front](front.png)\n\n| | exam accuracy |\n|---|---|\n| `ema` | 0.8 |"
    sections = [Section("A sweep", text, tmp_path)]
    document = html.document_fromstring(page(REPORT, "A title", ROOT, shown, METHODS, sections))
    assert [heading.get("id") for heading in document.xpath("//h2")][:4] == [
        "verdict", "compare", "a-sweep", "every-pair",
    ]  # fmt: skip
    assert document.xpath("//img/@src") == ["data:image/png;base64,iVBORw=="]
    assert document.xpath("//h2[@id='a-sweep']/following::table[1]//tr/@data-arms") == ["ema"]


def test_titles_in_other_scripts_have_anchors_of_their_own(shown: Overview, tmp_path: Path) -> None:
    sections = [Section(title, "Text.", tmp_path) for title in ("Sweep темпы", "Sweep веса")]
    document = html.document_fromstring(page(REPORT, "A title", ROOT, shown, METHODS, sections))
    assert {"sweep-темпы", "sweep-веса"} <= set(document.xpath("//h2/@id"))
    assert [link[1:] for link in document.xpath("//nav/a/@href")] == document.xpath("//h2/@id")


# ---- The drawing -------------------------------------------------------------------------------------------------


def test_less_forgetting_is_left_and_more_adaptation_is_up(shown: Overview) -> None:
    drawn = drawing(shown)
    assert drawn is not None
    none, ema = drawn.points
    # A vote forgets nothing, because it is no model.
    assert (none.arm, ema.arm) == ("none", "ema")
    assert ema.x.estimate < none.x.estimate
    assert none.y.estimate < ema.y.estimate
    for point in drawn.points:
        assert point.x.low < point.x.estimate < point.x.high
        assert point.y.high < point.y.estimate < point.y.low
    ticks = {tick.text: tick.place for tick in drawn.x_ticks}
    assert ticks["0.1"] == ema.x.estimate
    assert ticks["0.2"] == none.x.estimate


@pytest.mark.parametrize(("lost", "gained"), [(-3, 0.01), (0.5, -2), (0, 0), (40, 7)])
def test_points_and_their_texts_are_inside_the_drawing(shown: Overview, lost: float, gained: float) -> None:
    changes = {FORGETTING: Value(lost, lost - 0.1, lost + 0.1), ADAPTATION: Value(gained, gained, gained)}
    drawn = drawing(replace(shown, values=shown.values | {"ema": changes}))
    assert drawn is not None
    for point in drawn.points:
        assert all(places.LEFT <= x <= places.WIDTH - places.RIGHT for x in (point.x.low, point.x.high))
        assert all(places.TOP <= y <= places.HEIGHT - places.BOTTOM for y in (point.y.low, point.y.high))
        left, top = point.box
        assert 0 <= left <= places.WIDTH - places.BOX_WIDTH
        assert 0 <= top <= places.HEIGHT - places.BOX_HEIGHT
        assert not top <= point.y.estimate <= top + places.BOX_HEIGHT


def test_without_a_forgetting_there_is_no_drawing(shown: Overview) -> None:
    only_votes = replace(shown, values={"base": {}, "rag_vote": shown.values["rag_vote"]}, arms=["base", "rag_vote"])
    assert drawing(only_votes) is None
    assert "<figure>" not in page(REPORT, "A title", ROOT, only_votes, METHODS)


def test_every_marker_of_the_figures_has_a_shape() -> None:
    assert tuple(SHAPES) == MARKERS


# ---- What came after the run -------------------------------------------------------------------------------------


def exported(model: str, run: Path, **changes: Any) -> dict[str, Any]:
    found = {
        "domain_kl_nats": 4.3e-6, "general_kl_nats": 0.00012, "category_agreement": 0.998, "same_answers": 1.0,
        "exams": {"exam_acc": [0.812, 0.8]}, "reports": 128, "texts": 340, "categories": 402, "answers": 16,
    }  # fmt: skip
    return {
        "name": f"{model}-0", "form": "merged", "method": "ema", "model": model, "seed": 0, "dtype": "float16",
        "made_from": {"adapter": digest(run)}, "measured": {".": found},
        "bounds": {"max_kl_nats": 0.001, "min_agreement": 0.99, "max_exam_change": 0.02}, **changes,
    }  # fmt: skip


def rows_of(section: Section) -> list[list[str]]:
    lines = [line for line in section.text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_exports_are_shown_with_their_bounds_and_whether_they_are_of_this_training(
    shown: Overview, tmp_path: Path
) -> None:
    run = tmp_path / "adapters" / "ema-0"
    write_json(run / "run.json", {})
    of_ema = exported("ema", run)
    write_json(tmp_path / "exports/ema-0/export.json", of_ema)
    write_json(tmp_path / "exports/ema-0.part/export.json", of_ema)
    both = {".": of_ema["measured"]["."], "ema_teacher-0-f16.gguf": of_ema["measured"]["."]}
    of_teacher = exported("ema_teacher", run, form="gguf", measured=both, made_from={"adapter": "of an earlier one"})
    write_json(tmp_path / "exports/ema_teacher-0/export.json", of_teacher)
    of_other = exported("none", run, method="none", form="adapter", dtype=None)
    write_json(tmp_path / "exports/none-0/export.json", of_other)
    (section,) = export_sections(tmp_path / "exports", tmp_path / "adapters", shown)
    header, *rows = rows_of(section)
    numbers = ["4.3e-06", "0.00012", "0.001", "0.998", "0.99", "1.000", "0.812 → 0.800", "0.02"]
    assert header[9] == "exam accuracy"
    assert rows == [
        ["`ema`", "0", "merged, float16", *numbers, "yes"],
        ["`ema_teacher`", "0", "merged, float16", *numbers, "no"],
        ["`ema_teacher`", "0", "gguf, float16", *numbers, "no"],
        ["`none`", "0", "adapter", *numbers, "not known"],
    ]


def test_without_exports_there_is_no_section(shown: Overview, tmp_path: Path) -> None:
    assert list(export_sections(tmp_path / "exports", tmp_path, shown)) == []


def test_a_picture_that_a_sweep_lacks_is_named_with_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates/sweep.md").write_text("# Sweep rates\n\n![The front](front.png)\n")
    with pytest.raises(InputError, match=r"there is no .*rates/front\.png: run that sweep again"):
        experiment_page(ROOT, sweeps=tmp_path)


def test_a_sweep_is_shown_by_its_own_page(shown: Overview, tmp_path: Path) -> None:
    folder = tmp_path / "rates"
    folder.mkdir()
    (folder / "front.png").write_bytes(b"\x89PNG")
    text = "# Sweep rates\n\n```yaml\n# a note\newc: {}\n```\n\n![The front](front.png)\n\n## Points\n\nThree.\n"
    (folder / "sweep.md").write_text(text, encoding="utf-8")
    (tmp_path / "unfinished").mkdir()
    (section,) = sweep_sections(tmp_path)
    document = html.document_fromstring(page(REPORT, "A title", ROOT, shown, METHODS, [section]))
    assert "#sweep-rates" in document.xpath("//nav/a/@href")
    assert document.xpath("//h3/text()") == ["Points"]
    assert document.xpath("string(//pre)") == "# a note\newc: {}\n"
    assert len(document.xpath("//img")) == 1


def copy_of_metrics(folder: Path, changes: Mapping[str, str | None]) -> Path:
    for file in ("metrics/summary.json", "metrics/details.json", "metrics/general/base.json"):
        text = changes.get(file, (ROOT / file).read_text(encoding="utf-8"))
        if text is not None:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics/summary.json": None}, r"there is no .*summary\.json: run `make repro`"),
        ({}, r"there is no .*reports/report\.md: run `make repro`"),
        ({"metrics/details.json": "{"}, r"details\.json is damaged"),
        ({"metrics/details.json": "{}"}, r"metrics has no 'arms': .*run `make repro`"),
    ],
)
def test_what_cannot_be_shown_is_said(tmp_path: Path, changes: dict[str, str | None], said: str) -> None:
    with pytest.raises(InputError, match=said):
        experiment_page(copy_of_metrics(tmp_path, changes))


def test_the_command_writes_outside_the_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.page, "ROOT", tmp_path)
    for file in ("metrics", "reports", "results", "params.yaml"):
        (tmp_path / file).symlink_to(ROOT / file)
    said = [CliRunner().invoke(commands.page.main, arguments) for arguments in ([], ["smollm2-135m"], ["nothing"])]
    assert [one.exit_code for one in said] == [0, 0, 1]
    assert "NAME is `nothing`, and there is no such entry" in said[2].output
    names = sorted(file.name for file in (tmp_path / "scratch").iterdir())
    assert names == ["page-smollm2-135m.html", "page.html"]
    title = html.parse(tmp_path / "scratch/page-smollm2-135m.html").findtext("head/title")
    assert title == "smollm2-135m: Adaptation and forgetting"


# ---- In a browser ------------------------------------------------------------------------------------------------

# Put into a copy of the page without its policy, which would refuse it. In the title: the address after each step, and
# where on a phone the outermost part ends that does not scroll in a box of its own.
STEPS = """
const seen = [];
const note = () => seen.push(decodeURI(location.hash));
const sorter = document.querySelector("#overview [data-measure=forgetting] button");
for (let click = 0; click < 3; click++) { sorter.click(); note(); }
document.querySelector("input[value=rag_vote]").click(); note();
document.querySelector("[data-group=measures] [data-check=none]").click(); note();
document.querySelector("#chosen button").click(); note();
document.documentElement.style.width = "400px";
const outside = [...document.querySelectorAll("main :not(.wide *)")];
seen.push(Math.max(...outside.map((one) => one.getBoundingClientRect().right)));
document.title = JSON.stringify(seen);
"""


@pytest.fixture
def file(shown: Overview, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(REPORT, "A title", ROOT, shown, METHODS), encoding="utf-8")
    return path


@needs_browser
def test_a_link_carries_the_view(file: Path, tmp_path: Path) -> None:
    fragment = "#arms=none,rag_vote,ema&measures=exam_acc,quiz_%22acc&sort=exam_acc"
    document = html.document_fromstring(dom(file, fragment, tmp_path / "profile"))
    rows = visible(document, "//table[@id='overview']/tbody/tr")
    # Ascending, and what has no such value at the end.
    assert [row.get("data-arms") for row in rows] == ["none", "ema", "rag_vote"]
    heads = visible(document, "//table[@id='overview']/thead/tr/th")
    assert [head.get("data-measure") for head in heads] == [None, "exam_acc", 'quiz_"acc']
    assert [head.get("aria-sort") for head in heads] == [None, "ascending", None]
    pairs = visible(document, "//h2[@id='every-pair']/following::table[1]/tbody/tr")
    assert [row.get("data-measure") for row in pairs] == ["exam_acc"]
    assert document.xpath("string(//p[@id='chosen']/output)") == "3 of 4 arms, 2 of 6 measures"
    assert visible(document, "//form[@id='view']")


@needs_browser
def test_the_choice_is_kept_in_the_address_and_a_phone_need_not_scroll_the_page(file: Path, tmp_path: Path) -> None:
    file.write_text(re.sub("<meta http-equiv=[^>]*>", "", file.read_text(encoding="utf-8")), encoding="utf-8")
    edit_text(file, "</body>", f"<script>{STEPS}</script></body>")
    document = html.document_fromstring(dom(file, "", tmp_path / "profile"))
    *addresses, right = json.loads(document.findtext("head/title"))
    assert addresses == [
        "#sort=forgetting",
        "#sort=-forgetting",
        "",
        "#arms=base,none,ema",
        "#arms=base,none,ema&measures=",
        "",
    ]
    assert 300 < right <= 400
