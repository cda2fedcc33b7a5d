"""The decoders on a transformer in place of a table."""

import itertools

import numpy as np
import pytest
from every_decoder import DECODERS

from lunsedu.decoding import exhaustive, insideout
from lunsedu.model import Lunsformter, LunsformterConfig


def real_model():
    config = LunsformterConfig(
        vocab_size=24, seq_len=20, dim=16, hidden_dim=24, num_layers=2, num_heads=4, num_kv_heads=2,
        pad_id=21, bos_id=22, eos_id=23,
    )  # fmt: skip
    model = Lunsformter(config, seed=3, dtype=np.float64)
    model.parameters *= 4.0  # far from uniform
    return model


@pytest.mark.parametrize("name", sorted(set(DECODERS) - {"exhaustive"}))
def test_cached_and_uncached_probabilities_agree(name):
    model = real_model()
    result = DECODERS[name](model, [22, 3, 5, 8], 9)
    assert len({round(float(p), 6) for c in result.candidates for p in c.probs}) > 3
    for c in result.candidates:
        ids = result.prompt_ids + c.token_ids
        logits = model.forward(np.array([ids]))[0]  # [T, V]
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs = odds / odds.sum(axis=-1, keepdims=True)  # [T, V]
        places = np.arange(len(result.prompt_ids) - 1, len(ids) - 1)
        assert c.probs == pytest.approx(probs[places, c.token_ids], abs=1e-10)


def test_same_call_same_result():
    first, second = (insideout(real_model(), [22, 3], 9, num_candidates=6) for _ in range(2))
    assert [c.token_ids for c in first.candidates] == [c.token_ids for c in second.candidates]
    assert all(
        np.array_equal(a.probs, b.probs)
        for a, b in zip(first.candidates, second.candidates, strict=True)
    )


def test_exhaustive_with_the_real_model():
    model = real_model()
    result = exhaustive(model, [22, 3], 2, num_candidates=3)
    scores = []
    for ids in itertools.product([*range(21), 23], repeat=2):
        logits = model.forward(np.array([[22, 3, ids[0]]]))[0, 1:]  # [2, V]
        probs = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs /= probs.sum(axis=-1, keepdims=True)
        p = [probs[0, ids[0]]] if ids[0] == 23 else [probs[0, ids[0]], probs[1, ids[1]]]
        scores.append(np.mean(p))
    assert [c.score for c in result.candidates] == pytest.approx(
        sorted(set(scores), reverse=True)[:3], abs=1e-10
    )
