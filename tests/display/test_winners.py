"""Decoders side by side, and what is said of a prompt."""

import re

import numpy as np
import pytest
from pages import Page

from lunsedu.decoding import beam_search, greedy
from lunsedu.display.race_page import race
from lunsedu.display.training import training_view
from lunsedu.display.winners import comparison, headline, too_long
from lunsedu.training import TrainingState
from lunsedu.widgets import attention_viewer
from lunsedu.widgets.widgets import playground_view


def test_comparison_shows_cost_and_marks_the_highest(lm):
    results = [
        lm.insideout("good", 10, 4, score="geometric"),
        lm.decode_with(greedy, "good", 10, score="geometric"),
        lm.decode_with(beam_search, "good", 10, num_beams=4, score="geometric"),
    ]
    html = comparison(results)
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    best = max(result.best.score for result in results)
    for row, result in zip(rows, results, strict=True):
        text = Page(row).text
        assert text.startswith(f"{result.method}{result.best.score:.3f}{result.best.text.strip()}")
        assert ("★ highest" in text) == (result.best.score >= best - 1e-5)
        assert f"{result.forward_steps}{result.tokens_computed}" in text
    assert playground_view({"m": lm}, "m", "good", 4, 10, "geometric", "compare").endswith("</div>")


def test_a_prompt_that_is_too_long_is_announced(lm):
    with pytest.warns(UserWarning, match="only the last"):
        result = lm.insideout("good day " * 40, 12)
    assert result.dropped > 0
    note = too_long(result)
    assert f"has {len(result.prompt_ids)} tokens" in note
    assert f"last {len(result.prompt_ids) - result.dropped} are read" in note
    assert too_long(lm.insideout("good", 12)) == ""


def test_a_long_prompt_leaves_room_for_the_rest(lm):
    prompt = "once upon a time " * 100
    with pytest.warns(UserWarning, match="only the last"):
        result = lm.insideout(prompt, 6)
    assert len(Page(headline(result)).text) < 500
    assert "…" in headline(result) and "…" not in headline(lm.insideout("once upon a time", 6))
    assert "are read" in race(result, 2)
    state = TrainingState(prompt=prompt, samples=[(1, prompt + "there"), (2, prompt + "was")])
    page = Page(training_view(state))
    assert len(page.text) < 900 and "there" in page.text and "was" in page.text
    ids = np.array(lm.tokenizer.encode(prompt, add_bos=True))
    page = attention_viewer(lm, prompt).page.value
    assert f"The text has {len(ids):,} tokens: the first 48 are shown." in page
    assert "are shown" not in attention_viewer(lm, "good day").page.value
