"""Answers that the model tries, and the batch of ids from which it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.decoding import insideout, sample

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel


@dataclass(frozen=True)
class Answer:
    """One answer to one prompt, and what it was paid.

    token_ids holds <|eos|> when the answer ended by itself; one that was cut at max_tokens has no
    end, and none to learn from.
    """

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    text: str  # prompt and answer, as the judge reads it
    reward: float


Reward = Callable[[str], float]


def drawn_answers(
    lm: LunsformterModel,
    prompts: Sequence[str],
    reward: Reward,
    samples: int,
    max_tokens: int,
    rng: np.random.Generator,
) -> tuple[list[list[Answer]], int]:
    """Draw `samples` answers to each prompt; return them, a list for each, and the tokens computed.

    They are drawn at temperature 1, from the model's own probabilities: only so is the gradient
    learned from them the right one on average.
    """
    results = [
        lm.decode_with(sample, prompt, max_tokens, num_samples=samples, rng=rng)
        for prompt in prompts
    ]
    groups = [[_paid(one, answer, reward) for answer in one.candidates] for one in results]
    return groups, sum(one.tokens_computed for one in results)


def best_answers(
    lm: LunsformterModel,
    prompts: Sequence[str],
    reward: Reward,
    num_candidates: int,
    max_tokens: int,
) -> tuple[list[list[Answer]], int]:
    """Return InsideOut's best answer to each prompt, in a list of one, and the tokens computed.

    Source: the expert of expert iteration, Anthony et al. 2017 (arXiv 1705.08439): a search around
    the model finds better answers than the model's first thought.
    """
    results = [
        lm.decode_with(insideout, prompt, max_tokens, num_candidates=num_candidates)
        for prompt in prompts
    ]
    groups = [[_paid(one, one.best, reward)] for one in results]
    return groups, sum(one.tokens_computed for one in results)


def _paid(result, candidate, reward):
    text = result.prompt + candidate.text
    value = _finite(reward(text), text)
    return Answer(tuple(result.prompt_ids), tuple(candidate.token_ids), text, value)


def _finite(paid, text):
    """Return what a text was paid as a float; ValueError unless it is a finite number."""
    try:
        value = np.nan if isinstance(paid, str) else float(paid)
    except (TypeError, ValueError, OverflowError):
        value = np.nan
    if not np.isfinite(value):
        hint = "; a function that ends without return gives None" if paid is None else ""
        raise ValueError(
            f"the reward of {text!r:.120} is {paid!r:.40}: reward(text) must return a finite"
            f" number, such as 1.0{hint}"
        )
    return value


def answers_batch(
    answers: Sequence[Answer], weights: Iterable[float], pad_id: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids, targets int [B, T] and weights [B, T]: each answer's tokens carry its weight.

    Targets are the ids one place later, -1 in the prompt and in the padding. The end of a text is
    a target like any other: left out, the model would never learn to stop.

    >>> ids, targets, weights = answers_batch([Answer((7, 8), (5, 2), "", 1.0)], [0.5])
    >>> ids.tolist(), targets.tolist(), weights.tolist()  # 7 8 | 5 <|eos|>
    ([[7, 8, 5]], [[-1, 5, 2]], [[0.0, 0.5, 0.5]])
    """
    longest = max(len(one.prompt_ids) + len(one.token_ids) for one in answers) - 1
    ids = np.full((len(answers), longest), 0 if pad_id is None else pad_id)  # [B, T]
    targets = np.full((len(answers), longest), -1)  # [B, T]
    shares = np.zeros((len(answers), longest))  # [B, T]
    for row, (one, weight) in enumerate(zip(answers, weights, strict=True)):
        begin, end = len(one.prompt_ids) - 1, len(one.prompt_ids) + len(one.token_ids) - 1
        ids[row, :end] = (*one.prompt_ids, *one.token_ids)[:-1]
        targets[row, begin:end] = one.token_ids
        shares[row, begin:end] = weight
    return ids, targets, shares
