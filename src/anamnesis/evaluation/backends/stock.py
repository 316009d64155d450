"""The harness's Hugging Face model, with a count of the prompts it cuts and with a student's virtual tokens."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from torch import Tensor

from anamnesis.evaluation.backends.start_token import OneStartToken
from anamnesis.modeling.student.student import Student

# Context and continuation as text (None for a window of a long text), context tokens, continuation tokens.
Request = tuple[tuple[str, str] | None, list[int], list[int]]
# Log-probability of the continuation, and whether greedy decoding produces it.
Answer = tuple[float, bool]

log = logging.getLogger(__name__)


class StockLM(OneStartToken, HFLM):
    """HFLM, but prompts that are too long and cut from the left are counted instead of logged one by one.

    `truncated` is the number of prompts cut so far; the choices of a question share a prompt. `student` is what the
    model is of, if it is not a bare base: its virtual tokens come before every text.
    """

    def __init__(self, *args: Any, student: Student | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.truncated = 0
        self._student = student
        self._virtual_tokens = 0 if student is None else student.virtual_tokens

    @property
    def max_length(self) -> int:
        """The longest text: the model's context less the positions of virtual tokens."""
        return int(super().max_length) - self._virtual_tokens

    @property
    def path(self) -> str:
        """The name of the backend that computes the answers."""
        return "hf"

    def cut(self, requests: Sequence[Request]) -> list[int]:
        """Indices of the requests that are too long; the last token of a continuation is not an input."""
        longest = self.max_length + 1
        return [
            i for i, (_, context, continuation) in enumerate(requests) if len(context) + len(continuation) > longest
        ]

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Answer]:
        prompts = len({tuple(requests[i][1]) for i in self.cut(requests)})
        if prompts:
            self.truncated += prompts
            log.warning("%d prompts are longer than the model's %d tokens: cut from the left", prompts, self.max_length)
        answers: list[Answer] = super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        return answers

    def _model_generate(self, context: Tensor, max_length: int, stop: list[str], **settings: Any) -> Tensor:
        """PEFT's own generation leaves positions between virtual tokens and a text that is padded on the left.

        Here the virtual tokens are keys and values that have been read already, in the place of tokens at the
        beginning whose numbers do not matter.
        """
        if self._student is None or not self._virtual_tokens:
            return super()._model_generate(context, max_length, stop, **settings)
        rows, read = len(context), self._virtual_tokens
        with torch.no_grad():
            past = self._student.past(rows)
        mask = settings.pop("attention_mask")
        with self._student.as_base():
            written: Tensor = super()._model_generate(
                torch.cat([context[:, :1].expand(rows, read), context], dim=1),
                max_length + read,
                stop,
                attention_mask=torch.cat([mask.new_ones(rows, read), mask], dim=1),
                past_key_values=past,
                **settings,
            )
        return written[:, read:]
