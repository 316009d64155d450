"""Which tokens are trained on: the masks and weights by hand, and what is refused."""

from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anamnesis.errors import InputError
from anamnesis.methods.tokens import corpus_weights, nats_kept
from anamnesis.settings.tokens import Tokens

# Perplexities of the tokens of three reports.
PERPLEXITIES = {11: [1.2, 2.4, 2.6], 12: [100.0, 1.1], 13: [2.4, 2.49, 7.0, 3.0]}
LOG_P = {document: -torch.tensor(values).log() for document, values in PERPLEXITIES.items()}


def test_stm_keeps_the_tokens_whose_perplexity_is_at_most_the_threshold() -> None:
    weights = corpus_weights(Tokens(max_perplexity=2.5), LOG_P, "stm")
    assert {document: values.tolist() for document, values in weights.by_document.items()} == {
        11: [1, 1, 0],
        12: [0, 1],
        13: [1, 1, 0, 0],
    }
    assert weights.of([13, 12]).tolist() == [1, 1, 0, 0, 0, 1]
    assert weights.of_first([13, 12, 11]).tolist() == [1, 0, 1]
    assert weights.shares() == pytest.approx((5 / 9, 2 / 3))


@given(st.lists(st.floats(-30, 0, width=32), min_size=1, max_size=40), st.floats(0.01, 1))
def test_a_share_is_the_threshold_that_keeps_it(values: list[float], share: float) -> None:
    log_p = {1: torch.tensor(values)}
    by_share = corpus_weights(Tokens(keep_share=share), log_p, "stm")
    threshold = nats_kept(Tokens(keep_share=share), log_p)
    assert torch.equal(by_share.by_document[1], (-log_p[1] <= threshold).float())
    # At least the share; without the tokens at the threshold itself, less than that.
    assert float(by_share.by_document[1].sum()) >= share * len(values)
    assert float((-log_p[1] < threshold).sum()) < share * len(values)


def test_flow_weighs_a_report_by_the_bases_loss_on_it() -> None:
    weights = corpus_weights(Tokens(weights="flow"), LOG_P, "flow").by_document
    losses = {document: sum(map(log, values)) / len(values) for document, values in PERPLEXITIES.items()}
    tau = sorted(losses.values())[1]
    for document, values in weights.items():
        assert values.tolist() == pytest.approx([exp(-losses[document] / tau)] * len(PERPLEXITIES[document]))
    assert weights[13][0] == pytest.approx(exp(-1))
    assert weights[12][0] < weights[13][0] < weights[11][0] <= 1


def test_a_threshold_that_leaves_nothing_is_refused_with_its_key() -> None:
    with pytest.raises(InputError, match=r"`stm\.tokens\.max_perplexity` is 1\.05.* perplexity of 1\.1 under the base"):
        corpus_weights(Tokens(max_perplexity=1.05), LOG_P, "stm")


def test_a_report_without_a_supervised_token_has_no_weight() -> None:
    log_p = LOG_P | {14: torch.empty(0)}
    for tokens in (Tokens(max_perplexity=2.5), Tokens(keep_share=0.5), Tokens(weights="flow")):
        weights = corpus_weights(tokens, log_p, "stm")
        assert weights.of([14, 12]).shape == (2,)
        assert weights.of_first([14, 12]).shape == (1,)
