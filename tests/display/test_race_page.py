"""The race of candidates."""

import numpy as np
import pytest
from pages import Page

from lunsedu.decoding import SCORES
from lunsedu.decoding.tree_and_race import race_standing
from lunsedu.display.race_page import race


@pytest.mark.parametrize("score", SCORES)
def test_race_at_every_step(lm, score):
    result = lm.insideout("good", 12, 6, score=score)
    longest = max(len(c.token_ids) for c in result.candidates)
    for step in range(longest + 1):
        lanes = race_standing(result, step)
        starts = [result.candidates[lane["candidate"]].start_prob for lane in lanes]
        assert starts == sorted(starts, reverse=True)
        for lane in lanes:
            candidate = result.candidates[lane["candidate"]]
            seen = min(step, len(candidate.token_ids))
            assert lane["tokens"] == candidate.tokens[:seen]
            if seen:
                expected = candidate.running_scores(score)[seen - 1]
                assert lane["score"] == pytest.approx(expected)
        leaders = [lane for lane in lanes if lane["leads"]]
        assert len(leaders) == (1 if step else 0)
        if step:
            assert leaders[0]["score"] == max(lane["score"] for lane in lanes)
        page = Page(race(result, step))
        assert page.text.startswith(f"After {step} of {longest} tokens")
        assert ("★ wins" in page.text) == (step == longest)
        assert ("★ leads" in page.text) == (0 < step < longest)
    final = race_standing(result, longest)
    winner = next(lane for lane in final if lane["leads"])
    assert result.candidates[winner["candidate"]].score == result.best.score


def test_race_draws_scores_that_are_not_finite(lm):
    result = lm.insideout("good", 4, 3, score="sum")
    result.candidates[1].probs = np.zeros(len(result.candidates[1].probs))
    html = race(result, 4)
    assert "nan" not in html.lower().replace("-inf", "") and "<svg" in html
