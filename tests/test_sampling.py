"""The text that the base writes is a sample of its own distribution."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, Qwen2ForCausalLM

from anamnesis.errors import InputError
from anamnesis.evaluation.harness import language_model
from anamnesis.modeling.sampling import sample_new_texts, sample_texts, start_token
from anamnesis.settings.base_text import BaseText
from anamnesis.settings.rehearsal_text import RehearsalText
from tests.conftest import random_qwen2

SETTINGS = BaseText(texts=20, max_tokens=12, batch_size=8, seed=0)
REHEARSAL = RehearsalText(texts=20, max_tokens=12, batch_size=8, seed=0)


def test_as_many_texts_as_asked_for_of_at_most_that_length(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    texts = sample_texts(base, tokenizer, SETTINGS)
    assert len(texts) == 20
    assert all(1 <= len(tokens) <= 12 for tokens in texts)
    assert len({tuple(tokens) for tokens in texts}) > 10


def test_the_same_seed_writes_the_same_text(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    first = sample_texts(base, tokenizer, SETTINGS)
    assert sample_texts(base, tokenizer, SETTINGS) == first
    assert sample_texts(base, tokenizer, replace(SETTINGS, seed=1)) != first


def test_words_come_as_often_as_the_model_predicts_them(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    """The first token's frequencies over many texts, whatever generation settings the model brings along."""
    # The start token is the padding token, whose embedding is 0: after it, every word would be as probable.
    base.get_input_embeddings().weight.data[start_token(tokenizer)] = 0.1 * torch.arange(base.config.hidden_size).cos()
    base.generation_config = GenerationConfig(
        do_sample=True, top_k=2, top_p=0.5, temperature=0.3, repetition_penalty=3.0, suppress_tokens=list(range(100))
    )
    texts = sample_texts(base, tokenizer, BaseText(texts=20000, max_tokens=1, batch_size=2000, seed=0))
    with torch.no_grad():
        p = base(torch.tensor([[start_token(tokenizer)]])).logits[0, -1].double().softmax(-1)
    assert p.max() > 20 * p.median()
    counts = Counter(tokens[0] for tokens in texts)
    found = torch.tensor([counts[token] / len(texts) for token in range(len(p))], dtype=torch.float64)
    # Expected total deviation of a multinomial sample is about half the sum of its standard deviations times 0.8.
    expected = 0.4 * (p * (1 - p) / len(texts)).sqrt().sum()
    assert 0.5 * (found - p).abs().sum() < 1.3 * expected
    rare = p.argsort()[: int((p.sort().values.cumsum(0) < 0.02).sum())]
    assert float(found[rare].sum()) == pytest.approx(float(p[rare].sum()), rel=0.2)


def test_a_text_ends_with_the_models_own_end(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    """The end-of-text token is part of the text, and nothing follows it."""
    end = tokenizer.eos_token_id
    base.lm_head.register_forward_hook(lambda _, __, logits: logits + 7.0 * (torch.arange(logits.shape[-1]) == end))
    texts = sample_texts(base, tokenizer, SETTINGS)
    ended = [tokens for tokens in texts if tokens[-1] == end]
    assert len(ended) > 5
    assert all(end not in tokens[:-1] for tokens in texts)
    assert len({len(tokens) for tokens in ended}) > 1


def test_a_text_starts_after_the_token_that_evaluation_puts_before_it(
    base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    assert start_token(tokenizer) == language_model(base, tokenizer, 1).prefix_token_id == tokenizer.eos_token_id


def test_texts_longer_than_the_context_are_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    short = random_qwen2(tokenizer, max_position_embeddings=8)
    with pytest.raises(InputError, match=r"`base_text\.max_tokens` is 12 and the model takes 8 tokens"):
        sample_texts(short, tokenizer, SETTINGS)
    assert len(sample_texts(short, tokenizer, replace(SETTINGS, max_tokens=8))) == 20


# ---- Texts for methods to read ------------------------------------------------------------------------------------


@pytest.fixture
def ending(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> Qwen2ForCausalLM:
    """A model that ends its texts often, and has few words: many texts are written more than once."""
    end, words = tokenizer.eos_token_id, torch.arange(len(tokenizer))
    base.lm_head.register_forward_hook(lambda _, __, logits: logits + 3.0 * (words == end) - 30.0 * (words > 12))
    return base


def test_rehearsal_has_texts_as_the_base_writes_them_as_many_as_asked_for(
    ending: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Also those that are cut off: texts that have an end are short ones. Only those without a word are left out."""
    settings = replace(REHEARSAL, texts=30, max_tokens=4, batch_size=60)
    texts = sample_new_texts(ending, tokenizer, settings, [])
    plain = sample_texts(ending, tokenizer, BaseText(texts=120, max_tokens=4, batch_size=60, seed=0))
    assert texts == [tokens for tokens in plain if tokens != [tokenizer.eos_token_id]][:30]
    ended = [tokens for tokens in texts if tokens[-1] == tokenizer.eos_token_id]
    assert 5 < len(ended) < 25
    assert all(len(tokens) == 4 for tokens in texts if tokens not in ended)
    assert texts != sample_new_texts(ending, tokenizer, replace(settings, seed=1), [])


def test_rehearsal_has_no_text_that_the_arms_are_measured_on(
    ending: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> None:
    """Neither one of them, nor one that goes on where one of them was cut off; here with the same seed."""
    measured = sample_texts(ending, tokenizer, replace(SETTINGS, max_tokens=4, batch_size=20))
    free = sample_new_texts(ending, tokenizer, replace(REHEARSAL, batch_size=20), [])
    texts = sample_new_texts(ending, tokenizer, replace(REHEARSAL, batch_size=20), measured)

    def among(text: list[int]) -> bool:
        return any(text[: len(other)] == other for other in measured)

    assert sum(map(among, free)) > 5
    assert not any(map(among, texts))
    assert [text for text in free if not among(text)] == texts[: sum(not among(text) for text in free)]


def test_a_base_that_writes_nothing_new_is_refused(base: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    words = torch.arange(len(tokenizer))
    base.lm_head.register_forward_hook(lambda _, __, logits: logits - 99.0 * (words != 7))
    settings = replace(REHEARSAL, texts=4, batch_size=20)
    with pytest.raises(InputError, match=r"`rehearsal_text\.texts` is 4, and of 200 texts .* 0 can be used"):
        sample_new_texts(base, tokenizer, settings, [[7, 7]])
    assert sample_new_texts(base, tokenizer, settings, [[8]]) == [[7] * 12] * 4
    with pytest.raises(InputError, match=r"`rehearsal_text\.max_tokens` is 999 and the model takes 512 tokens"):
        sample_new_texts(base, tokenizer, replace(REHEARSAL, max_tokens=999), [])
