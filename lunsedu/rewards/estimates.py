"""Two numbers made of rewards: how much better than its group, and right in how many tries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def advantages(rewards: ArrayLike, scale: bool = True, mask: ArrayLike | None = None) -> np.ndarray:
    """Return how much better each answer was than its group: [P, S] for rewards [P, S].

    A row holds the rewards of S answers to one of P prompts. From each the mean of its row is
    taken; with `scale` it is divided by the row's standard deviation, too. A row of equal rewards
    gives exactly 0, whatever its type: nothing can be learned from it. `mask` bool [P, S] says
    which answers count, for groups of different sizes; the others enter neither mean nor deviation,
    and get 0.

    Raises ValueError for rewards that are no table of finite numbers, or a mask of another shape.

    Source: the group-relative advantage of Shao et al. 2024 (arXiv 2402.03300), section 4.1;
    without `scale`, as Liu et al. 2025 (arXiv 2503.20783), section 3, propose.

    >>> advantages([[1, 0, 0, 0], [1, 1, 1, 1]], scale=False).tolist()
    [[0.75, -0.25, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0]]
    >>> advantages([[3, 1]]).tolist()  # the standard deviation is 1
    [[1.0, -1.0]]
    """
    try:
        table = np.asarray(rewards)
    except ValueError:  # rows of unlike lengths
        raise ValueError(
            "rewards must be a table [P, S]: fill short rows up, and say with mask= what counts"
        ) from None
    if table.ndim != 2 or table.dtype.kind not in "biuf":
        raise ValueError(f"rewards must be numbers [P, S], not {table.dtype} {table.shape}")
    counts = np.ones(table.shape, dtype=bool) if mask is None else np.asarray(mask)  # [P, S]
    if counts.shape != table.shape or counts.dtype != bool:
        raise ValueError(f"mask must be bool of the shape of rewards, {table.shape}")
    values = np.where(counts, table, 0.0).astype(np.float64)  # [P, S]
    if not np.isfinite(values).all():
        raise ValueError("rewards must be finite numbers: a nan or inf would spoil its whole group")
    sizes = np.maximum(counts.sum(axis=1, keepdims=True), 1)  # [P, 1]
    away = np.where(counts, values - values.sum(axis=1, keepdims=True) / sizes, 0.0)  # [P, S]
    highest = np.where(counts, values, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    lowest = np.where(counts, values, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    differ = highest > lowest  # [P, 1]; else rounding is all that away holds
    if scale:
        deviation = np.sqrt((away * away).sum(axis=1, keepdims=True) / sizes)  # [P, 1]
        away = away / np.where(differ, deviation, 1.0)
    return np.where(differ, away, 0.0)


def pass_at_k(n: ArrayLike, correct: ArrayLike, k: ArrayLike) -> np.ndarray | float:
    """Return the chance that one of k answers is right, when `correct` of n drawn ones were.

    1 - C(n - correct, k) / C(n, k), which is unbiased; 1 - (1 - correct / n)**k is not: it is too
    low. A float for numbers, an array for arrays, which are broadcast.

    Raises ValueError unless 0 <= correct <= n and 1 <= k <= n, in whole numbers.

    Source: Chen et al. 2021 (arXiv 2107.03374), section 2.1.

    >>> pass_at_k(4, 1, 2)  # 6 pairs, 3 of them without the right one
    0.5
    >>> pass_at_k(10, [0, 3, 10], 1).round(6).tolist()
    [0.0, 0.3, 1.0]
    """
    given = [np.asarray(value) for value in (n, correct, k)]
    if any(value.dtype.kind not in "iu" for value in given):
        raise ValueError("n, correct and k must be whole numbers")
    total, right, tries = np.broadcast_arrays(*given)
    if (right < 0).any() or (right > total).any() or (tries < 1).any() or (tries > total).any():
        raise ValueError("pass_at_k needs 0 <= correct <= n and 1 <= k <= n")
    all_wrong = np.ones(total.shape)
    for i in range(int(tries.max(initial=0))):  # the i-th try is wrong, too
        wrong_left = np.maximum(total - right - i, 0)
        chance = wrong_left / np.maximum(total - i, 1)
        all_wrong = np.where(i < tries, all_wrong * chance, all_wrong)
    result = 1.0 - all_wrong
    return float(result) if result.ndim == 0 else result
