"""The harness's Hugging Face model, with a count of the prompts it cuts."""

import logging
from collections.abc import Sequence
from typing import Any

from lm_eval.models.huggingface import HFLM

from anamnesis.evaluation.backends.start_token import OneStartToken

# Context and continuation as text (None for a window of a long text), context tokens, continuation tokens.
Request = tuple[tuple[str, str] | None, list[int], list[int]]
# Log-probability of the continuation, and whether greedy decoding produces it.
Answer = tuple[float, bool]

log = logging.getLogger(__name__)


class StockLM(OneStartToken, HFLM):
    """HFLM, but prompts that are too long and cut from the left are counted instead of logged one by one.

    `truncated` is the number of prompts cut so far; the choices of a question share a prompt.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.truncated = 0

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
