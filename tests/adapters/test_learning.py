"""An adapter learns answers: what carries loss, what greedy decoding would say, how it stops."""

import signal

import numpy as np
import pytest

from lunsedu import load_example
from lunsedu.adapters import (
    LowRank,
    answer_batch,
    exactly_right,
    learn,
    learning_steps,
    record_examples,
)
from lunsedu.decoding import greedy
from lunsedu.grammar import story_grammar

PAIRS = [("good day , tom .", " we see kites ."), ("mia saw a", " cat ."), ("ben", " saw a dog .")]


@pytest.fixture(scope="module")
def lm():
    return load_example("stories")


def test_only_the_answer_and_its_end_carry_loss(lm):
    ids, targets = answer_batch(lm.tokenizer, PAIRS)
    for row, (prompt, answer) in enumerate(PAIRS):
        before = lm.tokenizer.encode_prompt(prompt)
        after = [*lm.tokenizer.encode(answer), lm.tokenizer.eos_id]
        end = len(before) + len(after) - 1
        assert ids[row, :end].tolist() == (before + after)[:-1]
        assert targets[row, len(before) - 1 : end].tolist() == after
        assert (targets[row, : len(before) - 1] == -1).all() and (targets[row, end:] == -1).all()


@pytest.mark.parametrize(
    "examples, error, message",
    [
        ([], ValueError, "no examples"),
        (["ab"], ValueError, "a pair"),
        ([("a", "b", "c")], ValueError, "a pair"),
        ([(3, "b")], TypeError, "the prompt of an example must be a str"),
        ([("a", None)], TypeError, "the answer of an example must be a str"),
    ],
)
def test_bad_examples_are_refused(lm, examples, error, message):
    with pytest.raises(error, match=message):
        answer_batch(lm.tokenizer, examples)
    with pytest.raises(error, match=message):
        list(learning_steps(LowRank(lm.model, rank=1), lm.tokenizer, examples))


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (dict(foo=1), TypeError, r"^'foo' is no setting of learn\(\): .*batch_size, lr, seed$"),
        (dict(history=[]), TypeError, r"^'history' is no setting of learn\(\)"),
        (dict(lr=100), ValueError, "lr must be a learning rate above 0, at most 1 .*, not 100"),
        (dict(lr=0), ValueError, "lr must be a learning rate above 0"),
        (dict(batch_size=0), ValueError, "batch_size must be a whole number of at least 1"),
        (dict(epochs=1.5), ValueError, "epochs must be a whole number of at least 1"),
    ],
)
def test_settings_are_asked_before_anything_is_learned(lm, settings, error, message):
    adapter = LowRank(lm.model, rank=1)
    before = adapter.parameters.copy()
    with pytest.raises(error, match=message):
        learn(adapter, lm.tokenizer, PAIRS, verbose=False, **settings)
    assert np.array_equal(adapter.parameters, before)


def test_lm_is_neither_a_learner_nor_a_tokenizer(lm):
    with pytest.raises(TypeError, match="must be what can learn, not LunsformterModel: pass a Low"):
        learn(lm, lm.tokenizer, PAIRS)
    with pytest.raises(TypeError, match="not LunsformterModel: pass lm.tokenizer"):
        learn(LowRank(lm.model, rank=1), lm, PAIRS)
    with pytest.raises(TypeError, match="not LunsformterModel: pass lm.tokenizer"):
        answer_batch(lm, PAIRS)


def test_one_pass_tells_what_greedy_decoding_would_say(lm):
    prompts = story_grammar.puzzles(question="late")[:12]
    said = [lm.decode_with(greedy, prompt, 20) for prompt in prompts]
    examples = [(r.prompt, r.best.text if i % 3 else " under 1 .") for i, r in enumerate(said)]
    right = exactly_right(lm.model.forward, lm.tokenizer, examples, batch_size=5)
    assert right.tolist() == [
        answer == result.best.text and result.best.finished
        for (_, answer), result in zip(examples, said, strict=True)
    ]
    assert 0 < right.sum() < 12


def test_an_adapter_learns_and_the_model_stays(lm):
    before = lm.model.parameters.copy()
    adapter = LowRank(lm.model, rank=4, alpha=8)
    assert not exactly_right(adapter.forward, lm.tokenizer, PAIRS).any()
    history = learn(adapter, lm.tokenizer, PAIRS, epochs=60, verbose=False, batch_size=2, lr=0.01)
    assert len(history.step_loss) == 120 and history.epochs == 60
    assert history.learning_rates[0] < max(history.learning_rates) == 0.01
    assert history.learning_rates[-1] < 0.0011
    assert exactly_right(adapter.forward, lm.tokenizer, PAIRS).all()
    assert np.array_equal(lm.model.parameters, before)


def test_the_same_seed_gives_the_same_adapter(lm):
    made = [LowRank(lm.model, rank=2) for _ in range(2)]
    for adapter in made:
        learn(adapter, lm.tokenizer, PAIRS, epochs=3, verbose=False, batch_size=1, seed=4)
    assert np.array_equal(made[0].parameters, made[1].parameters)


def test_ctrl_c_ends_after_a_step_and_keeps_what_was_learned(lm, capsys):
    class Interrupting(LowRank):
        def loss_and_gradient(self, *args):
            signal.raise_signal(signal.SIGINT)
            return super().loss_and_gradient(*args)

    adapter = Interrupting(lm.model, rank=1)
    start = adapter.parameters.copy()
    history = learn(adapter, lm.tokenizer, PAIRS, epochs=5, verbose=False)
    assert len(history.step_loss) == 1 and history.events[-1][1] == "stopped"
    assert not np.array_equal(adapter.parameters, start)
    assert "Stopped after 1 steps. What was learned is kept." in capsys.readouterr().out


def test_a_loss_that_is_no_number_stops_with_the_adapter_as_it_was(lm):
    adapter = LowRank(lm.model, rank=1)
    adapter.parameters[:] = np.inf
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="use a smaller lr"):
        learn(adapter, lm.tokenizer, PAIRS, verbose=False)


def test_records_are_seeded_and_the_test_shares_no_value_with_the_training():
    training, test = record_examples(400), record_examples(200, new=True)
    assert training == record_examples(400) and training != record_examples(400, seed=1)
    fields = [
        {answer.split(" | ")[place].strip() for _, answer in examples}
        for place in (0, 2, 3)
        for examples in (training, test)
    ]
    for ours, theirs in zip(fields[::2], fields[1::2], strict=True):
        assert len(theirs) >= 18 and not ours & theirs
    for prompt, answer in training + test:
        assert all(value.strip() in prompt for value in answer.split("|"))
