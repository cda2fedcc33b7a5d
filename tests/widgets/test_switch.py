"""The switch of adapters: a model with and without, at every position of its sliders."""

import numpy as np
import pytest
from pages import HOSTILE, Page, adapters_for, assert_harmless, fresh, without_time

from lunsedu.adapters import Adapted, LowRank
from lunsedu.display.with_and_without import PLAIN_NAME
from lunsedu.widgets import adapter_switch, playground
from lunsedu.widgets.switch import MAX_CANDIDATES, MAX_NEW_TOKENS, switch_view


@pytest.fixture
def models(lm):
    named = {name: Adapted(lm, adapter) for name, adapter in adapters_for(lm).items()}
    return {PLAIN_NAME: Adapted(lm), **named}


def test_every_slider_position_shows_both_answers(lm, models):
    before = lm.model.parameters.copy()
    changed = 0
    for candidates in range(1, MAX_CANDIDATES + 1):
        for new_tokens in range(1 + candidates % 5, MAX_NEW_TOKENS + 1, 5):
            page = Page(switch_view(models, "sea", "good", candidates, new_tokens))
            plain = lm.insideout("good", new_tokens, candidates).best.text
            with models["sea"].adapter.merged():
                adapted = lm.insideout("good", new_tokens, candidates).best.text
            assert f"{PLAIN_NAME}: {plain.strip() or '(no text)'}" in page.text
            assert f"adapter sea: {adapted.strip() or '(no text)'}" in page.text
            assert ("does not change" in page.text) == (plain == adapted)
            changed += plain != adapted
    assert changed > 10
    assert np.array_equal(lm.model.parameters, before)


def test_without_an_adapter_one_answer_is_shown(lm, models):
    page = Page(switch_view(models, PLAIN_NAME, "good", 2, 8))
    assert "no adapter is switched on" in page.text and page.tags.count("section") == 1


def test_names_and_prompts_are_shown_as_typed_and_do_nothing(lm, models):
    for prompt in HOSTILE:
        page = assert_harmless(switch_view(models, "<b>land</b>", prompt, 1, 4))
        assert "adapter <b>land</b>:" in page.text


def test_choosing_an_adapter_changes_the_page_and_leaves_the_model(lm):
    before = lm.model.parameters.copy()
    shell = adapter_switch(lm, adapters_for(lm), "good")
    assert shell.values["adapter"] == "sea"  # what it was called for is seen first
    pages = set()
    for name in shell.controls["adapter"].options:
        shell.controls["adapter"].value = name
        assert without_time(shell.page.value) == without_time(shell.view(**shell.values))
        pages.add(without_time(shell.page.value))
    assert len(pages) == 3 and np.array_equal(lm.model.parameters, before)


def test_an_error_on_the_way_leaves_the_model_as_it_was(lm, models):
    before = lm.model.parameters.copy()
    with pytest.raises(TypeError):
        models["sea"].generate(3)
    assert np.array_equal(lm.model.parameters, before) and not models["sea"].adapter.is_merged


def test_the_playground_takes_adapted_models_too(lm, models):
    shell = playground(models, prompt="good")
    before = without_time(shell.page.value)
    shell.controls["model"].value = "sea"
    assert without_time(shell.page.value) != before


def test_what_does_not_belong_together_is_refused(lm):
    with pytest.raises(TypeError, match="a dict"):
        adapter_switch(lm, [], "good")
    with pytest.raises(TypeError, match="must be a LowRank, not int"):
        adapter_switch(lm, {"sea": 3}, "good")
    with pytest.raises(ValueError, match="another model"):
        adapter_switch(lm, {"sea": LowRank(fresh().model)}, "good")
    with pytest.raises(ValueError, match="give the adapter another"):
        adapter_switch(lm, {PLAIN_NAME: LowRank(lm.model)}, "good")
    with pytest.raises(TypeError, match="pass lm itself, not lm.model"):
        adapter_switch(lm.model, {"sea": LowRank(lm.model)}, "good")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(prompt=5), TypeError, "prompt must be a str, not int: 5"),
        (dict(candidates="x"), ValueError, "candidates must be a whole number"),
        (dict(new_tokens=None), ValueError, "new_tokens must be a whole number"),
    ],
)
def test_arguments_are_asked_before_boxes_are_built(lm, arguments, error, message):
    with pytest.raises(error, match=message):
        adapter_switch(lm, {"sea": LowRank(lm.model)}, **{"prompt": "good", **arguments})
