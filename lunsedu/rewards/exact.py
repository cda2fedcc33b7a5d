"""The gradient of the expected reward, exactly: all answers added up, each with its probability.

Possible only for a tiny vocabulary and short answers; there it tells whether the sampled gradient
is right on average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lunsedu.decoding import sample
from lunsedu.model import Lunsformter
from lunsedu.model.layers import target_log_probs
from lunsedu.rewards.answers import Answer, answers_batch

MOST = 200_000  # answers that are added up

IdsReward = Callable[[tuple[int, ...]], float]


def exact_gradient(
    model: Lunsformter, prompt_ids: Sequence[int], reward: IdsReward, max_tokens: int
) -> tuple[float, np.ndarray]:
    """Return the expected reward of an answer, and its gradient [P].

    expected = sum over answers of p(answer) * reward(answer), so, as the derivative of p is p times
    that of ln p, gradient = sum of p * reward * gradient of ln p. An answer ends with config.eos_id
    or after max_tokens; reward(ids) is asked once for each.

    Raises ValueError when there are more than 200,000 answers.
    """
    answers = list(_all_answers(model.config, prompt_ids, max_tokens))
    ids, targets, _ = answers_batch(answers, np.ones(len(answers)))
    p = np.exp(_log_probs(model, ids, targets))  # [N], one for each answer
    worth = p * [reward(one.token_ids) for one in answers]  # [N]
    count = (targets >= 0).sum()
    # loss = sum(weights * -ln p) / count, so the weights bring the sign and the count back
    weights = np.where(targets >= 0, -worth[:, None] * count, 0.0)  # [N, T]
    gradient = np.zeros_like(model.parameters)  # [P]
    for rows in _pieces(len(answers)):
        share = (targets[rows] >= 0).sum() / count  # each piece divides by its own count
        gradient += share * model.loss_and_gradient(ids[rows], targets[rows], weights[rows])[1]
    return float(worth.sum()), gradient


def sampled_gradient(
    model: Lunsformter,
    prompt_ids: Sequence[int],
    reward: IdsReward,
    samples: int,
    max_tokens: int,
    rng: np.random.Generator,
    baseline: float = 0.0,
) -> np.ndarray:
    """Return an estimate [P] of the same gradient, from answers that the model draws.

    The mean of (reward - baseline) * gradient of ln p. Any baseline that does not depend on the
    answer leaves the mean where it is; a good one makes the estimate steadier.

    Source: REINFORCE, Williams 1992 (Machine Learning 8), section 3.
    """
    result = sample(model, list(prompt_ids), max_tokens, num_samples=samples, rng=rng)
    answers = [
        Answer(tuple(prompt_ids), tuple(one.token_ids), "", reward(tuple(one.token_ids)))
        for one in result.candidates
    ]
    ids, targets, weights = answers_batch(answers, [baseline - one.reward for one in answers])
    weights *= (targets >= 0).sum() / len(answers)
    return model.loss_and_gradient(ids, targets, weights)[1]


def _all_answers(config, prompt_ids, max_tokens):
    if config.vocab_size**max_tokens > MOST:
        raise ValueError(
            f"there are up to {config.vocab_size}^{max_tokens} answers, more than {MOST:,} to add"
            " up: take a smaller vocabulary or fewer tokens"
        )
    open_ones = [()]
    for length in range(1, max_tokens + 1):
        longer = [(*one, token) for one in open_ones for token in range(config.vocab_size)]
        ended = [one for one in longer if one[-1] == config.eos_id or length == max_tokens]
        yield from (Answer(tuple(prompt_ids), one, "", 0.0) for one in ended)
        open_ones = [one for one in longer if one[-1] != config.eos_id]


def _pieces(count, size=2048):
    return [slice(start, start + size) for start in range(0, count, size)]


def _log_probs(model, ids, targets):
    """Return ln p of each row's targets, [N], for ids and targets [N, T]."""
    pieces = [
        target_log_probs(model.forward(ids[rows]).astype(np.float64), targets[rows]).sum(axis=1)
        for rows in _pieces(len(ids))
    ]
    return np.concatenate(pieces)
