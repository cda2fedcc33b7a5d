"""The effect of every patch, each against a patch made by hand; and a head taken out."""

import numpy as np
import pytest

from lunsedu.inside import activations, head_taken_out, patched, patching_effects, prompt_pair

PROMPTS = ("t good day", "h good day")


@pytest.fixture(scope="module")
def pair(lm):
    return prompt_pair(lm, *PROMPTS)


def by_hand(model, pair, place, values):
    """The share of the gap, the answer and the probability after one patch."""
    both = np.stack([pair.ids, pair.other])  # [2, T]
    own, theirs = model.forward(both)[:, -1].astype(np.float64)  # [V] each
    last = patched(model, pair.ids[None], {place: values})[0, -1].astype(np.float64)  # [V]
    gap = [x[pair.other_answer] - x[pair.answer] for x in (own, last, theirs)]
    share = (gap[1] - gap[0]) / (gap[2] - gap[0])
    return share, last.argmax(), np.exp(last[pair.other_answer]) / np.exp(last).sum()


def test_a_pair_knows_its_answers_and_where_it_differs(lm, pair):
    assert pair.answer == lm.model.forward(pair.ids[None])[0, -1].argmax()
    assert pair.other_answer == lm.model.forward(pair.other[None])[0, -1].argmax()
    assert np.array_equal(pair.ids[: pair.first], pair.other[: pair.first])
    assert pair.ids[pair.first] != pair.other[pair.first]


@pytest.mark.parametrize(
    "kind, head", [("residual", None), ("mlp", None), ("heads", 0), ("heads", 1)]
)
def test_each_effect_is_that_of_a_patch_made_by_hand(lm, pair, kind, head):
    effects = patching_effects(lm.model, pair, kind, head)
    theirs = activations(lm.model, pair.other[None])
    assert effects.share.shape == (2 + (kind == "residual"), len(pair.ids) - pair.first)
    for (layer, column), share in np.ndenumerate(effects.share):
        t = pair.first + column
        place = (kind, layer, head, t) if kind == "heads" else (kind, layer, t)
        index = (layer, 0, head, t) if kind == "heads" else (layer, 0, t)
        wanted = by_hand(lm.model, pair, place, getattr(theirs, kind)[index])
        assert np.allclose(share, wanted[0], atol=1e-4)
        assert effects.answer[layer, column] == wanted[1]
        assert np.allclose(effects.prob[layer, column], wanted[2], atol=1e-5)


def test_the_last_place_after_the_last_layer_carries_everything(lm, pair):
    effects = patching_effects(lm.model, pair, "residual")
    assert np.isclose(effects.share[-1, -1], 1, atol=1e-4)
    assert np.allclose(effects.share[-1, :-1], 0, atol=1e-6)  # the others speak of other tokens


def test_a_head_taken_out_says_its_mean_everywhere(lm):
    ids = np.array([lm.tokenizer.encode_prompt(text) for text in PROMPTS])  # [B, T]
    a = activations(lm.model, ids)
    patches = head_taken_out(a, 1, 0)
    assert set(patches) == {("heads", 1, 0, t) for t in range(ids.shape[1])}
    assert np.allclose(patches["heads", 1, 0, 1], a.heads[1, :, 0, 1].mean(axis=0))
    assert not np.allclose(patched(lm.model, ids, patches), a.logits)
    one = activations(lm.model, ids[:1])  # the mean over one text is what it says anyway
    assert np.array_equal(patched(lm.model, ids[:1], head_taken_out(one, 1, 0)), one.logits)


@pytest.mark.parametrize(
    "prompts, message",
    [
        (("good day", "good day, how"), "tokens: a patch goes to the same place"),
        (("good day", "good day"), "the prompts are the same"),
        (("how are you", "how day you"), "is the likeliest, so there is no difference"),
        (("", ""), "the prompts are the same"),
        (("x" * 100, "y" * 100), "seq_len"),
    ],
)
def test_prompts_that_cannot_be_compared_are_refused(lm, prompts, message):
    with pytest.raises(ValueError, match=message):
        prompt_pair(lm, *prompts)


def test_what_cannot_be_patched_is_refused(lm, pair):
    with pytest.raises(TypeError, match="other must be a str"):
        prompt_pair(lm, "good", 3)
    with pytest.raises(ValueError, match="choose from residual, mlp, heads"):
        patching_effects(lm.model, pair, "logits")
    with pytest.raises(ValueError, match="there is no head 2: there are 2"):
        patching_effects(lm.model, pair, "heads", 2)
    with pytest.raises(ValueError, match="head must be a whole number"):
        patching_effects(lm.model, pair, "heads")
    a = activations(lm.model, pair.ids[None])
    for layer, head, message in ((2, 0, "no layer 2"), (0, 2, "no head 2")):
        with pytest.raises(ValueError, match=message):
            head_taken_out(a, layer, head)


def test_lm_and_its_model_are_told_apart(lm, pair):
    for call in (
        lambda: activations(lm, pair.ids[None]),
        lambda: patched(lm, pair.ids[None], {}),
        lambda: patching_effects(lm, pair, "mlp"),
    ):
        with pytest.raises(TypeError, match="not LunsformterModel: pass lm.model$"):
            call()
    with pytest.raises(TypeError, match="not Lunsformter: pass lm itself, not lm.model$"):
        prompt_pair(lm.model, *PROMPTS)
    with pytest.raises(TypeError, match="a must be what activations.* returns, not Lunsformter"):
        head_taken_out(lm.model, 0, 0)
    with pytest.raises(TypeError, match="pair must be what prompt_pair.* returns, not tuple"):
        patching_effects(lm.model, PROMPTS, "mlp")
