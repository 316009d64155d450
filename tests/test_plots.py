"""DVC's own plots: they work without a network, and colour methods as the figures of the report do."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from anamnesis.figures import COLOURS
from anamnesis.settings.experiment import PLAIN, SCIENCE
from anamnesis.settings.sections import read_yaml
from tests.checkout import ROOT
from tests.experiment import make_experiment

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PLOTS = ROOT / ".dvc" / "plots"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that `dvc plots show` writes."""
    experiment = make_experiment(tmp_path_factory.mktemp("made") / "experiment")
    experiment.run("dvc", "plots", "show")
    return experiment.folder / "dvc_plots" / "index.html"


def test_the_page_carries_its_scripts_and_their_licence() -> None:
    page = (PLOTS / "page.html").read_text(encoding="utf-8")
    assert [page.count(f"{{{name}}}") for name in ("plot_divs", "refresh_tag", "scripts")] == [1, 1, 0]
    assert page.count("<script>") == page.count("</script>") == 3
    assert "Redistribution and use in source and binary forms" in page
    assert len(page.encode()) < 1_000_000


def test_the_page_loads_nothing(shown: Path) -> None:
    page = shown.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)
    assert "jsdelivr" not in page
    assert len(re.findall(r"vegaEmbed\('#", page)) == 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_without_a_network_draws_all_plots(shown: Path) -> None:
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000"]
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", *offline, "--dump-dom", shown.as_uri()]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    sizes = [int(width) for width in re.findall(r'<canvas width="(\d+)"', drawn)]
    assert len(sizes) == 2
    assert min(sizes) > 200


@pytest.mark.parametrize("name", ["tradeoff", "curves"])
def test_methods_have_the_colours_of_the_figures(name: str) -> None:
    template = json.loads((PLOTS / f"{name}.json").read_text(encoding="utf-8"))
    colour = template.get("spec", template)["encoding"]["color"]
    defined = [key for key in read_yaml(ROOT / "params.yaml") if key not in {*SCIENCE, *PLAIN}]
    assert colour["sort"] == defined
    assert colour["scale"]["range"] == list(COLOURS)
