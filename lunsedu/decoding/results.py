"""What a decoder returns: candidates with the probability of each token, best first.

A decoder (see `lunsedu.decoding`) makes several candidate continuations of one prompt. A `Result`
holds them all, ranked, and shows itself as plain text in a terminal and as a table in a notebook
(result_text.py, candidates_html.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lunsedu.decoding.candidates_html import result_html
from lunsedu.decoding.result_text import result_table
from lunsedu.decoding.scores import running_scores


@dataclass(eq=False)
class Candidate:
    """One continuation of the prompt. The prompt's own tokens are never part of it.

    token_ids, tokens, probs [T] and alternatives have one entry for each generated token, the
    first and <|eos|> included. `probs` are the model's own probabilities, before any temperature,
    filter or penalty. What people read (text, tokens, alternatives) is made when somebody looks.
    """

    token_ids: list  # of int
    probs: np.ndarray  # [T]
    score: float
    finished: bool  # ended with <|eos|>; otherwise it was cut at the last token allowed
    start_prob: float  # probability of the token at which the candidates fork
    read: Callable  # (ids) -> their text
    token_text: Callable  # (id) -> the token as shown to people
    look_back: Callable  # () -> for each token, [(id, probability), ..] of the strongest there

    @cached_property
    def text(self) -> str:
        """The generated text without special tokens."""
        return self.read(self.token_ids)

    @cached_property
    def tokens(self) -> list[str]:
        """The tokens as shown to people."""
        return [self.token_text(token) for token in self.token_ids]

    @cached_property
    def alternatives(self) -> list:
        """For each token, (id, text, probability) of the strongest tokens at its place.

        Strongest first, the chosen one among them if it is that strong.
        """
        return [[(i, self.token_text(i), prob) for i, prob in place] for place in self.look_back()]

    def running_scores(self, score: str) -> np.ndarray:
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
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def text(self) -> str:
        """The prompt as typed, and the best continuation."""
        gap = self.separator if self.prompt and self.best.text else ""
        return self.prompt + gap + self.best.text

    @property
    def token_ids(self) -> list[int]:
        """The prompt's ids and those of the best continuation, as one list of int."""
        return list(self.prompt_ids) + list(self.best.token_ids)

    def __str__(self) -> str:
        return result_table(self)

    __repr__ = __str__  # so that a terminal shows the table as a notebook does

    def _repr_html_(self):
        return result_html(self)
