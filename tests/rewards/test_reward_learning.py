"""Learning from rewards: steps, the end of answers, interruption, resuming, costs."""

import copy
import signal

import numpy as np
import pytest

from lunsedu import LunsDataset, LunsformterModel
from lunsedu.rewards import RewardLearning, answers_batch, drawn_answers, learn_from_rewards
from lunsedu.rewards.answers import Answer

TEXTS = ["say yes", "say no", "say yes please", "go home"] * 3


def new_lm(epochs=80):
    lm = LunsformterModel(
        LunsDataset(texts=TEXTS, vocab_size=280), dim=16, hidden_dim=32, num_layers=1, num_heads=2
    )
    lm.fit(epochs=epochs, verbose=False, lr=0.01)
    return lm


@pytest.fixture(scope="module")
def trained():
    return new_lm()


@pytest.fixture
def lm(trained, tmp_path):
    trained.save(tmp_path / "m")
    return LunsformterModel.load(tmp_path / "m")


def likes_no(text):
    return float(text == "say no")


SETTINGS = dict(prompts_a_step=1, samples=12, max_tokens=12, lr=0.01)


def test_what_is_paid_for_becomes_likelier(lm):
    steps = list(learn_from_rewards(lm, ["say"], likes_no, steps=12, **SETTINGS))
    assert [step.number for step in steps] == list(range(1, 13))
    assert steps[0].reward < 0.7
    assert np.mean([step.reward for step in steps[-3:]]) > 0.9
    assert lm.generate("say", num_candidates=1) == "say no"


def test_the_history_has_the_means_of_each_step(lm):
    learning = learn_from_rewards(lm, ["say", "go"], likes_no, steps=3, samples=4, max_tokens=9)
    steps = list(learning)
    for step, reward, length in zip(
        steps, learning.history.reward, learning.history.length, strict=True
    ):
        answers = [one for group in step.answers for one in group]
        assert len(step.answers) == 2 and len(answers) == 8
        assert reward == step.reward == np.mean([likes_no(one.text) for one in answers])
        assert length == step.length == np.mean([len(one.token_ids) for one in answers])
    assert "3 steps" in learning.history.plot().alt


def test_a_step_without_a_difference_in_reward_changes_nothing(lm):
    before = lm.model.parameters.copy()
    for _ in learn_from_rewards(lm, ["say", "go"], lambda text: 0.1, steps=2, samples=5):
        assert np.array_equal(lm.model.parameters, before)


def test_ends_are_learned_and_a_cut_answer_has_none(lm):
    groups, _ = drawn_answers(lm, ["say"], likes_no, 30, 3, np.random.default_rng(0))
    eos = lm.tokenizer.eos_id
    ended = [one for one in groups[0] if one.token_ids[-1] == eos]
    cut = [one for one in groups[0] if one.token_ids[-1] != eos]
    assert ended and cut and all(len(one.token_ids) == 3 for one in cut)
    ids, targets, weights = answers_batch(groups[0], np.arange(1, 31), lm.tokenizer.pad_id)
    for row, one in enumerate(groups[0]):
        learned = targets[row][targets[row] >= 0].tolist()
        assert learned == list(one.token_ids)
        assert set(weights[row][targets[row] >= 0]) == {row + 1}
        assert not weights[row][targets[row] < 0].any()
        begin = len(one.prompt_ids)
        assert ids[row, :begin].tolist() == list(one.prompt_ids)
        assert ids[row, begin : begin + len(learned) - 1].tolist() == learned[:-1]


def gradient_of_first_step(lm, **options):
    """Return what the first step hands to the optimizer, and its answers."""
    learning = learn_from_rewards(lm, ["say"], likes_no, steps=1, **SETTINGS, **options)
    seen = []
    learning.optimizer.update = lambda parameters, gradient, lr: seen.append(gradient.copy())
    return next(learning), seen[0]


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"by_length": True}])
def test_the_gradient_is_the_mean_of_advantage_times_that_of_ln_p(lm, options):
    step, gradient = gradient_of_first_step(lm, **options)
    answers = step.answers[0]
    rewards = np.array([one.reward for one in answers])
    weights = rewards - rewards.mean()
    if options.get("scale", True):
        weights /= rewards.std()
    expected = np.zeros_like(gradient)
    for one, weight in zip(answers, weights, strict=True):  # one answer at a time
        ids, targets, table = answers_batch([one], [1.0])
        one_gradient = lm.model.loss_and_gradient(ids, targets)[1] * len(one.token_ids)  # of -ln p
        by = len(one.token_ids) if options.get("by_length") else 1
        expected += weight / by * one_gradient / len(answers)
    assert np.allclose(gradient, expected, atol=1e-5)


@pytest.mark.threads_or_processes
def test_ctrl_c_ends_after_a_whole_step(lm):
    calls = []

    def reward(text):
        calls.append(text)
        if len(calls) == 15:
            signal.raise_signal(signal.SIGINT)
        return likes_no(text)

    learning = learn_from_rewards(lm, ["say"], reward, steps=10, **SETTINGS)
    before = lm.model.parameters.copy()
    assert len(list(learning)) == 2 and len(calls) == 24 and learning.stopped
    assert not np.array_equal(lm.model.parameters, before)


@pytest.mark.parametrize("kl", [0.0, 0.3])
def test_to_go_on_later_is_to_go_on_bit_for_bit(lm, tmp_path, kl):
    lm.save(tmp_path / "start")
    whole = learn_from_rewards(lm, ["say", "go"], likes_no, steps=5, kl=kl, **SETTINGS)
    list(whole)
    other = LunsformterModel.load(tmp_path / "start")
    first = learn_from_rewards(other, ["say", "go"], likes_no, steps=2, kl=kl, **SETTINGS)
    list(first)
    first.save(tmp_path / "learning.safetensors")
    fresh = LunsformterModel.load(tmp_path / "start")
    second = RewardLearning.resume(tmp_path / "learning.safetensors", fresh, likes_no, steps=3)
    assert len(list(second)) == 3
    assert second.history == whole.history
    assert np.array_equal(fresh.model.parameters, lm.model.parameters)


def test_a_price_for_leaving_holds_the_model_closer(lm, tmp_path):
    lm.save(tmp_path / "start")
    away = {}
    for kl in (1e-9, 8.0):
        other = LunsformterModel.load(tmp_path / "start")
        steps = list(learn_from_rewards(other, ["say"], likes_no, steps=12, kl=kl, **SETTINGS))
        assert steps[0].kl == 0
        away[kl] = np.mean([step.kl for step in steps[-3:]])
    assert 0 < away[8.0] < 0.7 * away[1e-9]


def test_expert_iteration_learns_from_the_best_of_insideout(lm):
    best = lm.insideout("say", max_tokens=12, num_candidates=12).text
    before = copy.deepcopy(lm.model)

    def reward(text):
        return float(text == best)

    settings = {**SETTINGS, "lr": 1e-3, "learn_from": "insideout"}
    steps = list(learn_from_rewards(lm, ["say"], reward, steps=20, **settings))
    assert all(len(group) == 1 for step in steps for group in step.answers)
    ids, targets, _ = answers_batch(steps[0].answers[0], [1.0])
    assert lm.model.loss(ids, targets) < 0.7 * before.loss(ids, targets)
    assert steps[0].answers[0][0].text == best


def test_tokens_are_those_that_were_drawn_and_those_that_were_learned(lm):
    learning = learn_from_rewards(lm, ["say"], likes_no, steps=1, **SETTINGS)
    step = next(learning)
    answers = step.answers[0]
    prompt = len(answers[0].prompt_ids)
    drawn = prompt + sum(len(one.token_ids) - 1 for one in answers)
    learned = sum(prompt + len(one.token_ids) - 1 for one in answers)
    assert step.tokens == drawn + learned


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"prompts": []}, ValueError, "no prompts"),
        ({"prompts": "say"}, TypeError, "list of texts"),
        ({"prompts": [3]}, TypeError, "a prompt"),
        ({"reward": 1.0}, TypeError, "function of a text"),
        ({"steps": 0}, ValueError, "steps"),
        ({"lr": -1}, ValueError, "lr"),
        ({"kl": float("nan")}, ValueError, "kl"),
        ({"learn_from": "books"}, ValueError, "learn_from"),
    ],
)
def test_settings_that_cannot_work_get_one_sentence(lm, options, error, words):
    with pytest.raises(error, match=words) as caught:
        learn_from_rewards(lm, **{"prompts": ["say"], "reward": likes_no, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("paid", [float("nan"), float("inf"), "1"])
def test_a_reward_that_is_no_number_is_told_with_its_text(lm, paid):
    learning = learn_from_rewards(lm, ["say"], lambda text: paid, **SETTINGS)
    with pytest.raises(ValueError, match="the reward of 'say"):
        next(learning)


@pytest.mark.parametrize("paid", [None, [1.0], np.array([1.0, 2.0]), {}, 1j])
def test_a_reward_that_is_forgotten_or_no_number_gets_a_sentence(lm, paid):
    words = r"the reward of 'say.*reward\(text\) must return a finite number, such as 1.0"
    words += "; a function that ends without return gives None$" if paid is None else "$"
    learning = learn_from_rewards(lm, ["say"], lambda text: paid, **SETTINGS)
    with pytest.raises(ValueError, match=words):
        next(learning)


@pytest.mark.parametrize("paid", [1, True, np.float32(1), np.int64(1), np.array(1.0)])
def test_any_single_number_may_be_a_reward(lm, paid):
    learning = learn_from_rewards(lm, ["say"], lambda text: paid, **SETTINGS)
    assert next(learning).reward == 1.0


def test_the_model_alone_cannot_try_answers(lm, tmp_path):
    words = "lm must be a LunsformterModel, not Lunsformter: pass lm itself, not lm.model"
    with pytest.raises(TypeError, match=words):
        learn_from_rewards(lm.model, ["say"], likes_no)
    with pytest.raises(TypeError, match=words):
        RewardLearning.resume(tmp_path / "l", lm.model, likes_no, 1)


def test_files_that_are_something_else_are_refused(lm, tmp_path):
    lm.save(tmp_path / "m")
    with pytest.raises(ValueError, match="no learning from rewards"):
        RewardLearning.resume(tmp_path / "m.safetensors", lm, likes_no, 1)
    with pytest.raises(FileNotFoundError, match=r"no saved learning at .*learning\.save\(path\)"):
        RewardLearning.resume(tmp_path / "nowhere", lm, likes_no, 1)
    with pytest.raises(FileNotFoundError, match=r"a folder.*of a saved learning: .*learning\.save"):
        RewardLearning.resume(tmp_path, lm, likes_no, 1)


def test_an_answer_is_what_the_judge_reads(lm):
    groups, _ = drawn_answers(lm, ["say"], len, 5, 6, np.random.default_rng(1))
    for one in groups[0]:
        assert isinstance(one, Answer) and one.text.startswith("say")
        assert one.reward == len(one.text)
