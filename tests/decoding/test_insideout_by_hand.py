"""InsideOut on tables whose answers can be worked out by hand."""

import numpy as np
import pytest
from every_decoder import SCORES, hand_model
from fakes import TableModel, table_from_probs

from lunsedu.decoding import greedy, insideout


def test_insideout_by_hand():
    result = insideout(hand_model(), [1], 12, num_candidates=3)
    assert [c.token_ids for c in result.candidates] == [[4, 5, 2], [3, 2], [5, 2]]
    assert [c.score for c in result.candidates] == pytest.approx([2.15 / 3, 0.5, 0.5])
    # 3 2 and 5 2 tie at 0.5: the likelier start comes first.
    assert [c.start_prob for c in result.candidates] == pytest.approx([0.3, 0.6, 0.1])


def test_the_three_scores_by_hand():
    best = {s: insideout(hand_model(), [1], num_candidates=3, score=s).best for s in SCORES}
    assert best["arithmetic"].token_ids == [4, 5, 2]
    assert best["geometric"].score == pytest.approx((0.3 * 0.95 * 0.9) ** (1 / 3))
    assert best["sum"].score == pytest.approx(np.log(0.3 * 0.95 * 0.9))


def test_ties_take_the_lower_id():
    model = TableModel(vocab_size=6, order=1, rows={(i,): np.zeros(6) for i in range(6)})
    result = insideout(model, [3], 2, num_candidates=2)
    assert [c.token_ids for c in result.candidates] == [[2], [3, 2]]
    assert insideout(model, [1], 2, num_candidates=2).token_ids == [1, 3, 2]
    assert greedy(model, [1], 3).best.token_ids == [3, 2]


def test_min_start_ratio_drops_weak_starts():
    starts = lambda ratio: [  # noqa: E731
        c.token_ids[0]
        for c in insideout(hand_model(), [1], num_candidates=9, min_start_ratio=ratio).candidates
    ]
    assert sorted(starts(0.0)) == [3, 4, 5]
    assert sorted(starts(0.4)) == [3, 4]
    assert starts(1.0) == [3]


def test_prefer_finished_ranks_them_first():
    rows = table_from_probs(_1=[0, 0, 0, 0.6, 0.4], _3=[0, 0, 0, 1.0, 0], _4=[0, 0, 0.6, 0.2, 0.2])
    model = TableModel(vocab_size=5, order=1, rows=rows)
    plain = insideout(model, [1], 4)
    assert [c.finished for c in plain.candidates] == [False, True]
    preferred = insideout(model, [1], 4, prefer_finished=True)
    assert [c.finished for c in preferred.candidates] == [True, False]
    assert preferred.best.token_ids == [4, 2]


def test_branch_uncertain_forks_at_the_first_doubt():
    rows = table_from_probs(  # ids: pad bos eos 3 4 5 6
        _1=[0, 0, 0, 0.95, 0.05, 0, 0],
        _3=[0, 0, 0, 0, 0.9, 0.1, 0],  # exactly `certain`: go on
        _4=[0, 0, 0, 0, 0, 0.7, 0.3],
        _5=[0, 0, 0.5, 0.5, 0, 0, 0],
        _6=[0, 0, 1.0, 0, 0, 0, 0],
    )
    model = TableModel(vocab_size=7, order=1, rows=rows)
    model.rows[(3,)] = np.log(np.array([0, 0, 0, 0, 9, 1, 0]) + 1e-300)
    result = insideout(model, [1], 8, branch="uncertain", certain=0.89, num_candidates=5)
    assert result.fork == 2
    assert [c.token_ids for c in result.candidates] == [[3, 4, 6, 2], [3, 4, 5, 2]]
    assert [c.start_prob for c in result.candidates] == pytest.approx([0.3, 0.7])
    # The walked tokens are part of the score.
    assert result.best.score == pytest.approx((0.95 + 0.9 + 0.3 + 1.0) / 4)
    assert insideout(model, [1], 8, branch="uncertain", certain=0.96).fork == 0
    everywhere_certain = insideout(model, [1], 8, branch="uncertain", certain=0.0)
    assert everywhere_certain.token_ids == greedy(model, [1], 8).token_ids
    assert len(everywhere_certain.candidates) == 1


def test_repetition_penalty_changes_the_choice_but_not_the_probabilities():
    logits = np.array([0.0, 0.0, -9.0, 2.0, 1.5, -1.0])
    model = TableModel(vocab_size=6, order=1, rows={(i,): logits for i in range(6)})
    prompt = [1, 3]  # the prompt's own 3 is not penalised
    assert greedy(model, prompt, 4).best.token_ids == [3, 3, 3, 3]
    result = greedy(model, prompt, 4, repetition_penalty=2.0)
    assert result.best.token_ids == [3, 4, 3, 3]  # 3: 2.0 -> 1.0 < 1.5, 4: 1.5 -> 0.75
    odds = np.exp(logits)
    assert result.best.probs == pytest.approx(odds[[3, 4, 3, 3]] / odds.sum())
    # Negative logits are pushed down too.
    logits[:] = [-9.0, -9.0, -9.0, -1.0, -1.5, -9.0]
    assert greedy(model, prompt, 2, repetition_penalty=2.0).best.token_ids == [3, 4]
    several = insideout(model, prompt, 2, num_candidates=2, repetition_penalty=2.0)
    assert sorted(c.token_ids for c in several.candidates) == [[3, 4], [4, 3]]
