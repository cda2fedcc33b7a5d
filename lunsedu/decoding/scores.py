"""From the probabilities of a candidate's tokens to one number: arithmetic, geometric, sum."""

import numpy as np

# The three ways to turn the probabilities of a candidate's tokens into one number.
SCORES = {
    "arithmetic": "mean probability of its tokens",
    "geometric": "exp of the mean log-probability of its tokens",
    "sum": "total log-probability of its tokens",
}


def check_score(name: str) -> None:
    """Raise ValueError unless `name` is one of the three scores."""
    if name not in SCORES:
        raise ValueError(f"score must be 'arithmetic', 'geometric' or 'sum', not {name!r}")


def running_scores(probs: np.ndarray, score: str) -> np.ndarray:
    """Return the score after each token, [T], from the tokens' probabilities `probs` [T].

    "arithmetic" is the mean of the probabilities, "geometric" the exponential of the mean
    log-probability (one over the perplexity), "sum" the total log-probability.

    >>> running_scores([0.5, 1.0], "arithmetic").tolist()
    [0.5, 0.75]
    """
    check_score(score)
    probs = np.asarray(probs, dtype=np.float64)  # [T]
    if score == "arithmetic":
        return np.cumsum(probs) / np.arange(1, len(probs) + 1)
    with np.errstate(divide="ignore"):  # a probability that underflowed to 0 has log -inf
        total = np.cumsum(np.log(probs))  # [T]
    return total if score == "sum" else np.exp(total / np.arange(1, len(probs) + 1))


def score_tokens(probs: np.ndarray, score: str) -> float:
    """Return the score of a whole candidate whose tokens have probabilities `probs` [T].

    A candidate without tokens left nothing to doubt: 1.0 for both means, 0.0 (log of 1) for the
    sum.

    >>> score_tokens([0.5, 1.0], "arithmetic")
    0.75
    """
    scores = running_scores(probs, score)
    return float(scores[-1]) if len(scores) else (0.0 if score == "sum" else 1.0)
