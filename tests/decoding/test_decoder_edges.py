"""Edges: nothing to generate, bad input, prompts that fill the model."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from every_decoder import BOS, DECODERS, hand_model
from fakes import LetterTokenizer, TableModel

from lunsedu.decoding import beam_search, exhaustive, greedy, insideout, sample

# --- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_no_tokens_gives_the_prompt(name):
    tokenizer = LetterTokenizer(["", "", "", " a", " b", " c", " d"])
    model = TableModel()
    result = DECODERS[name](model, [3, 4], 0, tokenizer=tokenizer, prompt="A b")
    assert result.text == "A b" and result.token_ids == [3, 4]
    assert result.best.token_ids == [] and not result.best.finished
    assert result.best.score == (0.0 if result.score_name == "sum" else 1.0)
    assert model.calls == [] and result.forward_steps == result.tokens_computed == 0


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_takes_the_model_not_lm(name):
    lm = SimpleNamespace(model=TableModel(), tokenizer=None)
    with pytest.raises(TypeError, match="a Lunsformter, not SimpleNamespace: pass lm.model"):
        DECODERS[name](lm, [3], 2)
    with pytest.raises(TypeError, match="must be a Lunsformter, not str$"):
        DECODERS[name]("model", [3], 2)


@pytest.mark.parametrize("name", DECODERS)
def test_one_token_costs_the_prefill_alone(name):
    model = TableModel()
    result = DECODERS[name](model, [3, 4], 1)
    assert all(len(c.token_ids) == 1 for c in result.candidates)
    assert model.calls == [(1, 2)]


@pytest.mark.parametrize("name", DECODERS)
def test_empty_prompt_starts_from_bos(name):
    result = DECODERS[name](TableModel(seed=3), [], 2)
    assert result.prompt_ids == [BOS] and result.prompt == ""
    assert result.token_ids == DECODERS[name](TableModel(seed=3), [BOS], 2).token_ids
    assert result.token_ids == DECODERS[name](TableModel(seed=3), np.array([], int), 2).token_ids


def test_more_candidates_than_tokens_takes_all_that_may_start():
    for count, prompt, expected in ((7, [1], [3, 4, 5, 6]), (10**9, [3], [2, 3, 4, 5, 6])):
        result = insideout(TableModel(vocab_size=7), prompt, 2, num_candidates=count)
        assert sorted(c.token_ids[0] for c in result.candidates) == expected
    # What the model holds impossible does not start.
    assert len(insideout(hand_model(), [4], 2, num_candidates=9).candidates) == 2


def test_end_token_shared_with_bos_or_pad_may_still_come():
    rows = {(i,): np.array([3.0, 1.0, 0.0, -1.0]) for i in range(4)}
    shared = TableModel(vocab_size=4, order=1, rows=rows, pad_id=0, bos_id=0, eos_id=0)
    assert greedy(shared, [1], 4).best.token_ids == [0]
    assert greedy(shared, [], 4).best.token_ids == [1, 0]
    without = TableModel(vocab_size=4, order=1, rows=rows, pad_id=None, bos_id=None, eos_id=None)
    assert greedy(without, [1], 3).best.token_ids == [0, 0, 0]


def error(call, *args, **options):
    """The message of the error that the call raises: one sentence, in plain words."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 250
    return message


@pytest.mark.parametrize("name", DECODERS)
def test_bad_input_gets_one_sentence(name):
    decode, model = DECODERS[name], TableModel()
    for bad in (None, "text", b"bytes", 3, 2.5, [1.5], [[1, 2]], [None], ["a"], [True], {1: 2}):
        assert "list of token ids" in error(decode, model, bad, 3)
    for bad in ([7], [3, -1]):
        assert f"token id {bad[-1]} in the prompt is outside" in error(decode, model, bad, 3)
    for bad in (-1, -3, 1.5, "3", None, True):
        expected = f"max_tokens must be a whole number of at least 0, not {bad!r}"
        assert error(decode, model, [3], bad) == expected
    assert "score must be" in error(decode, model, [3], 3, score="mean")
    assert "prompt must be a str" in error(decode, model, [3], 3, prompt=5)
    without_bos = TableModel(bos_id=None)
    assert "no <|bos|>" in error(decode, without_bos, [], 3)
    assert model.calls == []


@pytest.mark.parametrize(
    ("decode", "name", "bad", "words"),
    [
        (insideout, "num_candidates", (0, -1, 2.0, "5", None, True), "at least 1"),
        (beam_search, "num_beams", (0, -1, 2.0, None), "at least 1"),
        (exhaustive, "num_candidates", (0, None), "at least 1"),
        (exhaustive, "max_sequences", (0, 1e5), "at least 1"),
        (sample, "num_samples", (0, 1.5), "at least 1"),
        (sample, "top_k", (0, -1, 2.5), "at least 1"),
        (sample, "top_p", (0, -0.1, 1.1, float("nan"), "0.9"), "above 0, at most 1"),
        (sample, "temperature", (-1, float("nan"), float("inf"), None, "1"), "at least 0"),
        (sample, "repetition_penalty", (0.5, 0, float("nan")), "at least 1"),
        (greedy, "repetition_penalty", (0.5, float("inf"), None, True), "at least 1"),
        (insideout, "repetition_penalty", (-1, "1"), "at least 1"),
        (insideout, "min_start_ratio", (-0.1, 1.5, float("nan")), "from 0 to 1"),
        (insideout, "certain", (-0.1, 1.5, None), "from 0 to 1"),
        (insideout, "branch", ("last", None), "'first' or 'uncertain'"),
        (sample, "rng", (3, np.random.RandomState(0)), "numpy.random.Generator"),
    ],
)
def test_bad_options_get_one_sentence(decode, name, bad, words):
    for value in bad:
        message = error(decode, TableModel(), [3], 3, **{name: value})
        assert message.startswith(f"{name} must be") and words in message, message


def test_seed_and_rng_together_are_an_error():
    assert "not with it" in error(
        sample, TableModel(), [3], 3, seed=1, rng=np.random.default_rng(1)
    )


def test_damaged_or_speechless_models_are_errors():
    for value in (np.nan, np.inf):
        model = TableModel(order=1, rows={(3,): np.array([0, 0, 0, 0, 0, 0, value])})
        assert "NaN or infinity" in error(insideout, model, [3], 3)
    nothing = TableModel(order=1, rows={(3,): np.full(7, -np.inf)})
    assert "impossible" in error(greedy, nothing, [3], 3)
    only_pad = TableModel(order=1, rows={(3,): np.array([0.0] + [-np.inf] * 6)})
    assert "impossible" in error(greedy, only_pad, [3], 3)


def test_exhaustive_says_when_there_are_too_many():
    model = TableModel(vocab_size=20, eos_id=None, scale=0.1)
    message = error(exhaustive, model, [3], 6, max_sequences=1000)
    everything = sum(18**t for t in range(1, 7))
    assert "max_sequences=1,000" in message and f"{everything:,}" in message


def test_exhaustive_search_prunes():
    """A sure thing is found without looking at everything."""
    model = TableModel(vocab_size=20, seed=1, scale=8.0, seq_len=40)
    result = exhaustive(model, [3], 8, num_candidates=1, score="sum")
    assert result.tokens_computed < 20_000  # all would be 17**8 = 7 * 10**9
    assert result.best.score >= beam_search(model, [3], 8, num_beams=50).best.score - 1e-12


# --- what fits into the model --------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_long_prompt_keeps_its_tail_and_says_so_once(name):
    options = {"max_sequences": 10**6} if name == "exhaustive" else {}
    long = [3, 4, 5, 6] * 10
    with pytest.warns(UserWarning, match="40 tokens: only the last 13 are used") as caught:
        result = DECODERS[name](TableModel(seq_len=16, seed=1), long, 4, **options)
    assert len(caught) == 1 and caught[0].filename == __file__
    tail = DECODERS[name](TableModel(seq_len=16, seed=1), long[-13:], 4, **options)
    assert result.best.token_ids == tail.best.token_ids
    assert result.prompt_ids == long and result.dropped == 27
    assert result.tokens_computed == tail.tokens_computed


def test_half_of_the_room_is_left_to_a_long_prompt():
    model = TableModel(seq_len=16, eos_id=None)
    with pytest.warns(UserWarning, match="only the last 8 are used; only 9 of max_tokens=50"):
        result = insideout(model, [3] * 40, 50)
    assert len(result.best.token_ids) == 9  # 8 + 9 - 1 positions: the last token is never read
    assert model.calls[0] == (1, 8) and len(model.calls) == 9


def test_generation_ends_where_the_model_ends():
    model = TableModel(seq_len=16, eos_id=None)
    with pytest.warns(UserWarning, match="only 14 of max_tokens=50 new tokens fit"):
        result = greedy(model, [3, 4, 5], 50)
    assert len(result.best.token_ids) == 14 and result.dropped == 0


def test_what_fits_exactly_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        insideout(TableModel(seq_len=16), [3] * 16, 1)
        insideout(TableModel(seq_len=16), [3] * 5, 12)
        insideout(TableModel(seq_len=16), [3] * 40, 0)
        insideout(TableModel(seq_len=1), [3], 1)
