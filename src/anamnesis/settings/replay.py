"""Texts that are replayed beside the reports."""

from pathlib import PurePosixPath
from typing import Literal

from pydantic.dataclasses import dataclass

from anamnesis.settings.sections import STRICT, Share, Text, Weight

# Where a file of another task must be: DVC follows the content of this folder alone.
FOLDER = PurePosixPath("data/domains")


@dataclass(frozen=True, config=STRICT)
class Replay:
    """Texts that every optimizer step learns from beside its reports: loss = reports' loss + weight * replay's loss.

    source: where the texts come from. `general` is the stored general text, `generated` is text sampled from the base,
    `multitask` is another supervised task in the file `path` (in data/domains), in which only the answers are under the
    loss.

    share: replayed texts per report. They come on top of the step's reports, which stay what they are.

    loss: `labels` is the cross-entropy on the text, `teacher` is KL(base || student) at its positions, `margin` is the
    threshold-based margin on the last hidden states (GeRe, Zhang et al. 2025, arXiv:2508.04676). With `margin`,
    `label_weight` adds that many times the cross-entropy on the same text.
    """

    source: Literal["general", "generated", "multitask"]
    share: Share
    weight: Weight = 1.0
    loss: Literal["labels", "teacher", "margin"] = "labels"
    label_weight: Weight = 0.0
    path: Text | None = None

    def __post_init__(self) -> None:
        if self.source == "multitask" and self.path is None:
            raise ValueError("source multitask needs a path: name the .jsonl or .csv file with its examples")
        if self.source != "multitask" and self.path is not None:
            raise ValueError(f"path belongs to source multitask, and source is {self.source}: remove path")
        if self.path is not None and not self.path.endswith((".jsonl", ".csv")):
            raise ValueError(f"path is {self.path!r}: name a .jsonl or a .csv file")
        if self.path is not None and not _is_below(FOLDER, PurePosixPath(self.path)):
            raise ValueError(f"path is {self.path!r}: put the file into {FOLDER}, and write {FOLDER}/<file>")
        if self.loss != "margin" and self.label_weight > 0:
            raise ValueError(f"label_weight belongs to loss margin, and loss is {self.loss}: remove label_weight")


def _is_below(folder: PurePosixPath, path: PurePosixPath) -> bool:
    return folder in path.parents and ".." not in path.parts
