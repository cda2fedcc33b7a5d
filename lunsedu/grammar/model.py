"""A grammar as a perfect model: every decoder runs on it, and sees the true probabilities.

`GrammarModel` has the four things that decoders ask of a model (`config`, `new_cache`, `step`, and
the cache's `select` and `length`), `WordTokenizer` turns sentences into ids and back.

What it does not do: learn, or give a gradient.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.grammar.states import END, State

if TYPE_CHECKING:
    from lunsedu.grammar.language import Grammar

PAD, BOS, EOS = "<|pad|>", "<|bos|>", END


class WordTokenizer:
    """One id for each word of a language: ids 0, 1, ... in alphabetical order, then the specials.

    >>> tokenizer = WordTokenizer(["see", "i", "kites"])
    >>> tokenizer.encode("i see kites", add_bos=True, add_eos=True)
    [4, 0, 2, 1, 5]
    >>> tokenizer.ids["see"]
    2
    >>> tokenizer.decode([4, 0, 2, 1, 5]), tokenizer.decode([2, 1])
    ('i see kites', ' see kites')
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(sorted(set(words)))
        self._names = [*self.words, PAD, BOS, EOS]
        self.ids = {word: number for number, word in enumerate(self.words)}
        self.vocab_size = len(self._names)
        self.pad_id, self.bos_id, self.eos_id = range(len(self.words), self.vocab_size)

    def encode(self, text: str, add_bos: bool = False, add_eos: bool = False) -> list[int]:
        """The ids of the words in the text. Raises ValueError for a word without an id."""
        for position, word in enumerate(text.split()):
            if word not in self.ids:
                raise ValueError(
                    f'Word {position + 1} of the text, "{word}", is no word of this language; '
                    "its words are in tokenizer.words."
                )
        ids = [self.ids[word] for word in text.split()]
        return [self.bos_id] * add_bos + ids + [self.eos_id] * add_eos

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a beginning, `<|bos|>` in front, as every sentence begins."""
        return self.encode(text, add_bos=True)

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """The words of the ids. Each brings the space before it, but not after `<|bos|>`.

        So a prompt and its decoded continuation can be put together with `+`, as with byte pairs.
        """
        pieces, first = [], False
        for one in ids:
            special = int(one) in (self.pad_id, self.bos_id, self.eos_id)
            if special and not skip_special:
                pieces.append(self.token_text(one))
            elif not special:
                pieces.append(self.token_text(one) if first else " " + self.token_text(one))
            first = int(one) == self.bos_id
        return "".join(pieces)

    def token_text(self, token_id: int) -> str:
        """The word of an id, or the name of a special. Raises ValueError for an unknown id."""
        if not 0 <= token_id < self.vocab_size:
            raise ValueError(
                f"Token ids go from 0 to {self.vocab_size - 1} here, but got {token_id}."
            )
        return self._names[token_id]


@dataclass(frozen=True)
class GrammarConfig:
    """What decoders want to know of a model; a grammar has no real limit of length."""

    vocab_size: int
    pad_id: int
    bos_id: int
    eos_id: int
    seq_len: int = 1024


class GrammarCache:
    """Where each row stands in its sentence: a State, or None once it has left the language.

    `length` counts the tokens that every row has seen.
    """

    def __init__(self, states: list[State | None], length: int = 0) -> None:
        self.states, self.length = states, length

    def select(self, rows: Iterable[int]) -> GrammarCache:
        """A new cache with these rows; rows may repeat."""
        return GrammarCache([self.states[row] for row in rows], self.length)


ENDED = State(frozenset())  # after <|eos|>: only padding follows


class GrammarModel:
    """The true next-token probabilities of a grammar behind the interface of a model.

    A held-out puzzle is no part of its language; `GrammarModel(story_grammar.unrestricted)` knows
    them all.

    >>> from lunsedu.grammar import miniature_grammar
    >>> model = GrammarModel(miniature_grammar)
    >>> cache = model.new_cache(batch_size=1, capacity=8)
    >>> logits = model.step(np.array([[model.config.bos_id]]), cache)  # [B, V]
    >>> model.tokenizer.token_text(int(logits[0].argmax())), float(np.exp(logits).sum())
    ('i', 1.0)
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.tokenizer = WordTokenizer(grammar.words)
        tokenizer = self.tokenizer
        self.config = GrammarConfig(
            tokenizer.vocab_size, tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id
        )
        self._ids = {**tokenizer.ids, END: tokenizer.eos_id}

    def new_cache(self, batch_size: int, capacity: int | None = None) -> GrammarCache:
        """A cache of `batch_size` empty rows; `capacity` is not needed, it grows as it must."""
        return GrammarCache([self.grammar.machine.start] * batch_size)

    def step(self, ids: np.ndarray, cache: GrammarCache) -> np.ndarray:
        """Appends ids [B, T] to the rows of the cache, returns log-probabilities [B, V] (float64).

        They serve as logits: their softmax gives the true probabilities, 0 for words that cannot
        come (log-probability -inf). After `<|eos|>` only `<|pad|>` can come.

        A first step holds the prompt: it raises ValueError when that leaves the language. Later
        steps hold a decoder's own choices; a row that leaves the language there has no truth any
        more and gets equal probabilities for all tokens, so that it never looks convincing.
        """
        ids = np.asarray(ids)
        if ids.ndim != 2 or len(ids) != len(cache.states) or ids.size == 0:
            raise ValueError(
                f"step needs ids of shape [B, T] with B = {len(cache.states)} as in the cache and "
                f"T at least 1, but got shape {ids.shape}."
            )
        is_prompt = cache.length == 0
        states = [
            self._advance(state, row, is_prompt)
            for state, row in zip(cache.states, ids.tolist(), strict=True)
        ]
        cache.states, cache.length = states, cache.length + ids.shape[1]
        return np.stack([self._log_probs(state) for state in states])  # [B, V]

    def _advance(self, state: State | None, row: list[int], is_prompt: bool) -> State | None:
        if is_prompt and row[0] == self.config.bos_id:
            row = row[1:]
        for position, token_id in enumerate(row):
            state = self._following(state, self.tokenizer.token_text(token_id))
            if state is None and is_prompt:
                said = " ".join(map(self.tokenizer.token_text, row[: position + 1]))
                self.grammar.state_after(said)  # raises, and says what is wrong
        return state

    def _following(self, state: State | None, word: str) -> State | None:
        if state is None:
            return None
        if state is ENDED:
            return ENDED if word == PAD else None
        arc = self.grammar.machine.arcs(state).get(word)
        return None if arc is None else arc.state or ENDED

    def _log_probs(self, state: State | None) -> np.ndarray:
        if state is None:
            return np.full(self.config.vocab_size, -np.log(self.config.vocab_size))
        log_probs = np.full(self.config.vocab_size, -np.inf)
        if state is ENDED:
            log_probs[self.config.pad_id] = 0.0
            return log_probs
        for word, arc in self.grammar.machine.arcs(state).items():
            log_probs[self._ids[word]] = arc.log_probability
        return log_probs
