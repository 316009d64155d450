"""A student whose trained part is virtual tokens before every text: a prefix of keys and values, or a prompt.

PEFT's own forward adds them above the decoder, where the fused loss does not pass: both would be read without them and
train nothing. Here they are put in where the decoder reads. Every text begins after them, so its positions start at
their number; no attention mask is needed, since texts are padded on the right.

A new student of this kind does not start as the base, but as the base that has already read some words.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from peft import PeftModel
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_past_key_values
from torch import Tensor, nn
from transformers import DynamicCache

from anamnesis.modeling.hidden_states import decoder_of, hidden_states, in_few_lengths
from anamnesis.modeling.student.student import ADAPTER, Student, TrainedLayer
from anamnesis.modeling.student.updates import Dense, Update


class VirtualTokensStudent(Student):
    """What prefix and prompt have in common. `weights` is one matrix, with a row for each virtual token."""

    model: PeftModel

    def __init__(self, model: PeftModel) -> None:
        super().__init__(model, [model.prompt_encoder[ADAPTER].embedding.weight])
        self.virtual_tokens = model.peft_config[ADAPTER].num_virtual_tokens
        self._decoder: nn.Module = decoder_of(model)
        self._off = False

    @contextmanager
    def as_base(self) -> Iterator[None]:
        """The base reads without the virtual tokens; its positions start at 0."""
        before, self._off = self._off, True
        try:
            with self.model.disable_adapter():
                yield
        finally:
            self._off = before

    def hidden_states(
        self, batch: Mapping[str, Tensor], positions: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "n hidden"]:
        if self._off:
            return hidden_states(self.model, batch, positions)
        ids, positions = in_few_lengths(self.model, batch["input_ids"], positions, before=self.virtual_tokens)
        return self._after(ids)[positions]

    def updates(self, weights: Sequence[Tensor] | None = None) -> Iterator[Update]:
        """The virtual tokens themselves: without them the model is the base."""
        for weight in self.weights if weights is None else weights:
            yield Dense(weight.detach().double())

    def trained_layers(self) -> Iterator[TrainedLayer]:
        raise ValueError("virtual tokens change no layer of the base")

    def share(self, share: float) -> list[Tensor]:
        raise ValueError("virtual tokens change no weight of the base")

    @abstractmethod
    def start(self, words: Int[Tensor, " tokens"]) -> None:
        """Start as the base that has read these words: random numbers would be far from all that the base knows."""

    @abstractmethod
    def _after(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq hidden"]:
        """Last hidden states of all `tokens`, read after the virtual ones."""


class PrefixStudent(VirtualTokensStudent):
    """Keys and values that every layer attends to (Li and Liang 2021, arXiv:2101.00190), without a projection."""

    def past(self, rows: int) -> DynamicCache:
        past: DynamicCache = self.model.get_prompt(rows)
        return past

    def start(self, words: Int[Tensor, " tokens"]) -> None:
        """With their keys and values (the paper's section 7.4)."""
        with torch.no_grad():
            read = self._decoder(input_ids=words[None], use_cache=True).past_key_values
        initialize_kv_prefix_from_past_key_values(self.model, past_key_values=read)

    def _after(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq hidden"]:
        past = self.past(len(tokens))
        states: Tensor = self._decoder(input_ids=tokens, past_key_values=past, use_cache=False).last_hidden_state
        return states


class PromptStudent(VirtualTokensStudent):
    """Input embeddings (Lester et al. 2021, arXiv:2104.08691)."""

    def past(self, rows: int) -> DynamicCache:
        past: DynamicCache = self._decoder(inputs_embeds=self._embeddings(rows), use_cache=True).past_key_values
        return past

    def start(self, words: Int[Tensor, " tokens"]) -> None:
        """With their embeddings (the paper's section 3.2)."""
        with torch.no_grad():
            self.weights[0].copy_(self.model.get_input_embeddings()(words))

    def _after(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq hidden"]:
        words = self.model.get_input_embeddings()(tokens)
        read = torch.cat([self._embeddings(len(tokens)), words], dim=1)
        states: Tensor = self._decoder(inputs_embeds=read, use_cache=False).last_hidden_state
        return states[:, self.virtual_tokens :]

    def _embeddings(self, rows: int) -> Tensor:
        prompt: Tensor = self.model.get_prompt(rows)
        return prompt.to(self.model.get_input_embeddings().weight.dtype)


def virtual_tokens_student(model: PeftModel) -> VirtualTokensStudent:
    """The student of a model with PEFT's prefix or prompt."""
    return PrefixStudent(model) if model.peft_config[ADAPTER].peft_type == "PREFIX_TUNING" else PromptStudent(model)
