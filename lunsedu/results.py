"""What a decoder returns: candidates with the probability of each token, best first.

A decoder (see `lunsedu.decoding`) makes several candidate continuations of one prompt. A `Result`
holds them all, ranked, and shows itself as plain text in a terminal and as a table in a notebook
(drawn in `lunsedu.results_html`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# The three ways to turn the probabilities of a candidate's tokens into one number.
SCORES = {
    "arithmetic": "mean probability of its tokens",
    "geometric": "exp of the mean log-probability of its tokens",
    "sum": "total log-probability of its tokens",
}


def check_score(name):
    """Raise ValueError unless `name` is one of the three scores."""
    if name not in SCORES:
        raise ValueError(f"score must be 'arithmetic', 'geometric' or 'sum', not {name!r}")


def running_scores(probs, score):
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


def score_tokens(probs, score):
    """Return the score of a whole candidate whose tokens have probabilities `probs` [T].

    A candidate without tokens left nothing to doubt: 1.0 for both means, 0.0 (log of 1) for the
    sum.

    >>> score_tokens([0.5, 1.0], "arithmetic")
    0.75
    """
    scores = running_scores(probs, score)
    return float(scores[-1]) if len(scores) else (0.0 if score == "sum" else 1.0)


@dataclass(eq=False)
class Candidate:
    """One continuation of the prompt. The prompt's own tokens are never part of it.

    token_ids, tokens, probs [T] and alternatives have one entry for each generated token, the
    first and <|eos|> included. `probs` are the model's own probabilities, before any temperature,
    filter or penalty.
    """

    token_ids: list  # of int
    probs: np.ndarray  # [T]
    score: float
    finished: bool  # ended with <|eos|>; otherwise it was cut at the last token allowed
    tokens: list  # of str, as shown to people
    text: str  # the generated text without special tokens
    start_prob: float  # probability of the token at which the candidates fork
    look_back: Callable  # () -> the alternatives; found only when somebody looks at them

    @cached_property
    def alternatives(self):
        """For each token, (id, text, probability) of the strongest tokens at its place.

        Strongest first, the chosen one among them if it is that strong.
        """
        return self.look_back()

    def running_scores(self, score):
        """Return the score after each token, [T]; `score` as in `running_scores`."""
        return running_scores(self.probs, score)


@dataclass(eq=False, repr=False)
class Result:
    """All candidates of one decoder run, best first, and what the run cost."""

    prompt: str
    prompt_ids: list  # of int, never empty: an empty prompt is [bos_id]
    candidates: list  # of Candidate, best first
    method: str
    score_name: str
    forward_steps: int  # calls of model.step, the one that read the prompt included
    tokens_computed: int  # positions that went through the model, the prompt once
    seconds: float
    fork: int = 0  # the candidates part at their token number `fork`, 0 is the first
    dropped: int = 0  # so many ids at the prompt's start did not fit into the model
    separator: str = ""  # between prompt and text; " " when texts are lists of ids

    @property
    def best(self):
        return self.candidates[0]

    @property
    def text(self):
        """The prompt as typed, and the best continuation."""
        gap = self.separator if self.prompt and self.best.text else ""
        return self.prompt + gap + self.best.text

    @property
    def token_ids(self):
        """The prompt's ids and those of the best continuation, as one list of int."""
        return list(self.prompt_ids) + list(self.best.token_ids)

    def __str__(self):
        head = ("", "score", "start", "tokens", "ended", "text")
        table = [head] + [_row(rank, c) for rank, c in enumerate(self.candidates, start=1)]
        widths = [max(len(row[column]) for row in table) for column in range(5)]
        numbers = {1, 2, 3}  # these columns are set flush right, the others flush left
        lines = [_heading(self)]
        for row in table:
            cells = [
                cell.rjust(width) if column in numbers else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=False))
            ]
            lines.append("  ".join(cells + [row[5]]))
        return "\n".join(lines + [cost(self)])

    __repr__ = __str__  # so that a terminal shows the table as a notebook does

    def _repr_html_(self):
        from lunsedu.results_html import result_html  # loaded where a notebook asks for it

        return result_html(self)


def cost(result):
    """Return what the run cost, in words: "12 forward steps, 41 tokens computed"."""
    steps, tokens = result.forward_steps, result.tokens_computed
    return f"{steps} forward step{'s' * (steps != 1)}, {tokens} token{'s' * (tokens != 1)} computed"


def ending(candidate):
    """Return how a candidate ended: "finished" (it reached <|eos|>) or "cut off"."""
    return "finished" if candidate.finished else "cut off"


def occasion(result):
    """Return "after 'the prompt'" or "without a prompt"."""
    return f"after {result.prompt!r}" if result.prompt else "without a prompt"


def count_candidates(result):
    """Return "1 candidate", "5 candidates"."""
    count = len(result.candidates)
    return f"{count} candidate{'s' * (count != 1)}"


def describe(result):
    """Return the result in a sentence or two, as the alternative text of a picture of it."""
    first, *others = [f"{c.text!r}, {c.score:.2f}, {ending(c)}" for c in result.candidates]
    text = (
        f"{result.method} {occasion(result)}: {count_candidates(result)} by"
        f" {result.score_name} score; best {first}"
    )
    for rank, other in enumerate(others[:4], start=2):
        text += f"; {rank}. {other}"
    hidden = len(others) - 4
    return text + (f"; and {hidden} more." if hidden > 0 else ".")


def trace(result):
    """Return the whole run as text: each candidate step by step, then the winner.

    For each candidate: its first token, then each step with the token's text, its probability and
    the score so far, then the final score. This is what `verbose=True` prints.
    """
    lines = [_heading(result)]
    for rank, candidate in enumerate(result.candidates, start=1):
        title = f"candidate {rank}"
        if candidate.tokens:
            title += f": first token {candidate.tokens[0]!r} ({candidate.probs[0]:.4f})"
        lines += ["", title]
        scores = candidate.running_scores(result.score_name)  # [T]
        width = max((len(repr(token)) for token in candidate.tokens), default=0)
        for t, token in enumerate(candidate.tokens):
            lines.append(
                f"  step {t + 1:2}  {token!r:<{width}}  probability {candidate.probs[t]:.4f}"
                f"  score so far {scores[t]:.4f}"
            )
        lines.append(f"  final score {candidate.score:.4f}, {ending(candidate)}")
    best = result.best
    lines += ["", f"winner: candidate 1, {best.text!r}, score {best.score:.4f}", cost(result)]
    return "\n".join(lines)


def _heading(result):
    """The line above the table; it never tells the time, so that saved output stays the same."""
    return (
        f"{result.method} {occasion(result)}: {count_candidates(result)},"
        f" {result.score_name} score ({SCORES[result.score_name]})"
    )


def _row(rank, candidate):
    return (
        "* best" if rank == 1 else f"  {rank}",
        f"{candidate.score:.4f}",
        f"{candidate.start_prob:.4f}",
        str(len(candidate.token_ids)),
        ending(candidate),
        repr(candidate.text),
    )
