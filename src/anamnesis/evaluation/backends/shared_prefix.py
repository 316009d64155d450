"""Log-likelihoods without repeated work: shared prefixes are read once, and logits computed only where needed."""

import inspect
import logging
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from lm_eval.api.registry import register_model
from torch import Tensor, nn
from tqdm import tqdm
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from anamnesis.evaluation.backends.batches import batches
from anamnesis.evaluation.backends.encoding import LineEncoder
from anamnesis.evaluation.backends.prefixes import group_by_prefix
from anamnesis.evaluation.backends.stock import Answer, Request, StockLM
from anamnesis.modeling.hidden_states import decoder_of

log = logging.getLogger(__name__)

# Logits in memory at a time: 128 MB in fp32.
LOGITS = 2**25


@dataclass
class Past:
    """What the decoder has read: the keys and values of every row, which of them are not padding, and how many."""

    cache: DynamicCache
    mask: Tensor  # (rows, tokens), 1 for a token, 0 for padding
    lengths: Tensor  # (rows, 1)

    def select(self, rows: Sequence[int]) -> "Past":
        """A copy with these rows: the decoder appends to the cache that it is given."""
        at = torch.tensor(rows, device=self.mask.device)
        cache = DynamicCache()
        for layer in self.cache.layers:
            chosen = DynamicLayer()
            chosen.lazy_initialization(layer.keys, layer.values)
            if len(layer.keys) == 1:
                chosen.keys = layer.keys.expand(len(rows), -1, -1, -1)
                chosen.values = layer.values.expand(len(rows), -1, -1, -1)
            else:
                chosen.keys, chosen.values = layer.keys[at], layer.values[at]
            cache.layers.append(chosen)
        return Past(cache, self.mask[at], self.lengths[at])


@register_model("anamnesis-shared-prefix")
class SharedPrefixLM(StockLM):
    """The harness's Hugging Face model (HFLM), with the same answers for less work.

    HFLM reads every prompt from its first token and computes logits at every position. In five-shot MMLU 83 % of the
    tokens are worked examples that the questions of a subject share, and the logits of one position in about 700 are
    used. Here

    1. a prefix that many contexts share is read once, and its keys and values are kept;
    2. the rest of every distinct context is read once, in batches, after that prefix; the last hidden state gives the
       probability of the first token of each continuation;
    3. longer continuations are read after the keys and values of their context.

    A student's virtual tokens are one more shared prefix, before all others.

    HFLM still does the rest: models whose past is not keys and values of every token, or whose logits are not the
    output head on the last hidden states; requests that are too long and must be cut; and generation.
    """

    def __init__(self, *args: Any, softmax_dtype: str | torch.dtype = "float32", **kwargs: Any) -> None:
        super().__init__(*args, softmax_dtype=softmax_dtype, **kwargs)
        self._encoder = LineEncoder(self.tokenizer, super().tok_encode)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **_: Any
    ) -> list[int]:
        tokens = self._encoder(string, self.special(add_special_tokens))
        return tokens[-left_truncate_len:] if left_truncate_len else tokens

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Answer]:
        theirs = self.cut(requests) if self.applies else list(range(len(requests)))
        ours = sorted(set(range(len(requests))) - set(theirs))
        answers = dict(zip(ours, self._answers([requests[i] for i in ours], disable_tqdm), strict=True))
        if theirs:
            stock = super()._loglikelihood_tokens([requests[i] for i in theirs], disable_tqdm, override_bs)
            answers |= dict(zip(theirs, stock, strict=True))
        return [answers[i] for i in range(len(requests))]

    # ---- The three steps -----------------------------------------------------------------------------------------

    def _answers(self, requests: Sequence[Request], disable_tqdm: bool) -> list[Answer]:
        by_context: dict[tuple[int, ...], list[int]] = {}
        for index, (_, context, _) in enumerate(requests):
            by_context.setdefault(tuple(context), []).append(index)
        contexts = list(by_context)
        answers: dict[int, Answer] = {}
        bar = tqdm(total=len(requests), disable=disable_tqdm or self.rank != 0, desc="Running loglikelihood requests")
        with self._inference():
            start = self._start()
            for group in group_by_prefix(contexts) if contexts else []:
                prefix = self._prefix(contexts[group.members[0]][: group.length], start)
                lengths = [len(contexts[member]) for member in group.members]
                for batch in batches(group.members, lengths, self.batch_size):
                    asked = [[requests[i] for i in by_context[contexts[member]]] for member in batch]
                    rests = [contexts[member][group.length :] for member in batch]
                    found = iter(self._after(prefix, rests, asked))
                    for index in (i for member in batch for i in by_context[contexts[member]]):
                        answers[index] = next(found)
                        if (texts := requests[index][0]) is not None:
                            self.cache_hook.add_partial("loglikelihood", texts, answers[index])
                        bar.update(1)
        bar.close()
        return [answers[index] for index in range(len(requests))]

    def _start(self) -> Past | None:
        """What every text is read after: the virtual tokens of the student as it is now."""
        cache = self._student and self._student.past(1)
        if cache is None:
            return None
        mask = torch.ones(1, self._virtual_tokens, dtype=torch.long, device=self.device)
        return Past(cache, mask, mask.sum(dim=1, keepdim=True))

    def _prefix(self, tokens: Sequence[int], start: Past | None) -> Past | None:
        return self._read([tokens], start and start.select([0]))[1] if tokens else start

    def _after(
        self, prefix: Past | None, contexts: Sequence[Sequence[int]], asked: Sequence[Sequence[Request]]
    ) -> list[Answer]:
        """Answers to the requests of each context, in order; `contexts` hold the tokens after the prefix."""
        hidden, past = self._read(contexts, prefix and prefix.select([0] * len(contexts)))
        last = hidden[torch.arange(len(contexts)), torch.tensor([len(context) - 1 for context in contexts])]
        flat = [(row, request[2]) for row, requests in enumerate(asked) for request in requests]
        answers = self._score(last, [row for row, _ in flat], [tokens[0] for _, tokens in flat])
        longer = [i for i, (_, tokens) in enumerate(flat) if len(tokens) > 1]
        for batch in batches(longer, [len(flat[i][1]) for i in longer], self.batch_size):
            fed = [flat[i][1][:-1] for i in batch]
            hidden, _ = self._read(fed, past.select([flat[i][0] for i in batch]))
            states = torch.cat([row[: len(tokens)] for row, tokens in zip(hidden, fed, strict=True)])
            read = iter(self._score(states, range(len(states)), [token for i in batch for token in flat[i][1][1:]]))
            for i in batch:
                parts = [answers[i], *(next(read) for _ in flat[i][1][1:])]
                answers[i] = (math.fsum(part[0] for part in parts), all(part[1] for part in parts))
        return answers

    def _read(self, rows: Sequence[Sequence[int]], past: Past | None) -> tuple[Tensor, Past]:
        """Last hidden states (rows, longest row, hidden size) after `past`, and the new past; rows are padded right."""
        longest = max(map(len, rows))
        tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=self.device)
        real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        if past is None:
            past = Past(DynamicCache(config=self._decoder.config), real[:, :0], real.new_zeros(len(rows), 1))
        mask = torch.cat([past.mask, real], dim=1)
        output = self._decoder(
            input_ids=tokens,
            attention_mask=mask,
            # Padding repeats the last position of its row, so that no position exceeds the model's.
            position_ids=(past.lengths + real.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=past.cache,
            use_cache=True,
        )
        lengths = past.lengths + real.sum(dim=1, keepdim=True)
        return output.last_hidden_state, Past(output.past_key_values, mask, lengths)

    def _score(self, states: Tensor, rows: Sequence[int], tokens: Sequence[int]) -> list[Answer]:
        """The log-probability of `tokens[i]` after `states[rows[i]]`, and whether it is the most probable token.

        Args:
            states: hidden states, (positions, hidden size).
            rows: ascending.
            tokens: one for each of `rows`.
        """
        answers: list[Answer] = []
        step = max(1, LOGITS // self._head.out_features)
        for start in range(0, len(states), step):
            logits = self._head(states[start : start + step])
            log_p = F.log_softmax(logits, dim=-1, dtype=self.softmax_dtype)
            here = slice(bisect_left(rows, start), bisect_left(rows, start + step))
            row = torch.tensor(rows[here], device=log_p.device, dtype=torch.long) - start
            token = torch.tensor(tokens[here], device=log_p.device, dtype=torch.long)
            greedy = log_p.argmax(dim=-1)[row] == token
            answers += zip(log_p[row, token].tolist(), greedy.tolist(), strict=True)
        return answers

    # ---- The model -----------------------------------------------------------------------------------------------

    @cached_property
    def _decoder(self) -> nn.Module:
        return decoder_of(self.model)

    @cached_property
    def _head(self) -> nn.Linear:
        head: nn.Linear = self.model.get_output_embeddings()
        return head

    @cached_property
    def applies(self) -> bool:
        """Whether this model can be read in steps; tested once for all its adapters."""
        applies = self._can_be_read_in_steps()
        if not applies:
            log.warning("%s cannot be read in steps: the slower path of the harness is used", type(self.model).__name__)
        return applies

    @property
    def path(self) -> str:
        return "shared_prefix" if self.applies else super().path

    def _can_be_read_in_steps(self) -> bool:
        if self.backend != "causal" or not isinstance(self.batch_size, int) or not isinstance(self._head, nn.Linear):
            return False
        if (
            not {"attention_mask", "position_ids", "past_key_values"}
            <= inspect.signature(self._decoder.forward).parameters.keys()
        ):
            return False
        # Rotary frequencies that depend on the length read so far: a kept key would have another position.
        rope = str(getattr(self._decoder.config, "rope_parameters", None))
        if "dynamic" in rope or "longrope" in rope:
            return False
        tokens = torch.arange(1, 9, device=self.device)[None]
        with self._inference():
            cache = self._decoder(input_ids=tokens, use_cache=True).past_key_values
            if type(cache) is not DynamicCache:
                return False
            if any(type(layer) is not DynamicLayer or not layer.is_initialized for layer in cache.layers):
                return False
            start = self._start()
            whole = self._read([tokens[0].tolist()], start and start.select([0]))[0]
            # These are equal unless the model changes the logits (Gemma 2 caps them) or the prompt.
            logits, ours = self._model_call(tokens)[:, -tokens.shape[1] :], self._head(whole)
            if logits.shape != ours.shape or not torch.allclose(
                logits, ours, rtol=1e-5, atol=1e-5 * float(logits.abs().nan_to_num().max())
            ):
                return False
            # With a prefix, padding beside a longer row, and a continuation after that padding.
            one, two, three = tokens[0].split([3, 2, 3])
            prefix = self._read([one.tolist()], start and start.select([0]))[1]
            past = self._read([two.tolist(), tokens[0].tolist()], prefix.select([0, 0]))[1]
            stepwise = self._read([three.tolist()], past.select([0]))[0][0]
            difference = (stepwise - whole[0, 5:]).norm() / stepwise.norm()
        # The two differ by rounding. In fp32 a wrong position or mask differs far more; in 16 bits only a gross error
        # does.
        return bool(difference < torch.finfo(stepwise.dtype).eps ** 0.5)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """The context in which HFLM calls the model."""
        mixed = self.mixed_precision_dtype
        with torch.no_grad(), torch.autocast(self.device.type, dtype=mixed, enabled=mixed is not None):
            yield
