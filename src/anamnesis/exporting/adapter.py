"""The adapter alone, with a base that can be found from anywhere."""

from dataclasses import dataclass
from pathlib import Path

from anamnesis.files import read_json, write_json
from anamnesis.modeling.source.files import HUB_ID
from anamnesis.modeling.student.saving import RUN, save_run
from anamnesis.modeling.student.student import Student
from anamnesis.settings.modeling import WHEEL_PREFIX, Model

CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class HubModel:
    """A repository of the hub at one commit."""

    name: str
    revision: str


def on_hub(model: Model, root: Path) -> HubModel | None:
    """The hub's model that the base was made from; None for a file, a folder, a wheel, or a model pretrained here.

    The name of a folder may read like a hub id (data/base), and would be looked for there: it is never given away.
    """
    local = model.source == "pretrain" or (root / Path(model.source).expanduser()).exists()
    if local or model.revision is None or model.source.startswith(WHEEL_PREFIX) or not HUB_ID.fullmatch(model.source):
        return None
    return HubModel(model.source, model.revision)


def save_adapter(student: Student, base: HubModel | None, folder: Path) -> None:
    """Save the student's weights as PEFT reads them, with the base's name on the hub in the place of a local path."""
    save_run(student, None, [], folder)
    (folder / RUN).unlink()
    config = read_json(folder / CONFIG)
    named = {"base_model_name_or_path": base and base.name, "revision": base and base.revision}
    write_json(folder / CONFIG, config | named)
