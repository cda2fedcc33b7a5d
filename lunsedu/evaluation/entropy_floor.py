"""How far is a model from the best that any model can be?

In a language whose every probability is known (`lunsedu.grammar`) the best model is the language
itself; its loss is the entropy, the floor.

    gap_to_floor(lm, story_grammar, story_grammar.corpus(1000, seed=9))
    word_log_probs(lm, sentences)       # the same word by word: where is the gap?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.grammar import GrammarModel

if TYPE_CHECKING:
    from lunsedu.grammar.language import Grammar
    from lunsedu.lm import LunsformterModel

BATCH = 64  # sentences in one forward pass


@dataclass(frozen=True)
class Gap:
    """How far a model is above the floor, in nats a sentence."""

    nats: float
    standard_error: float  # of `nats`: one time in twenty the truth is more than two of it away
    cross_entropy: float  # mean -log q of the same sentences
    cross_entropy_error: float  # its standard error
    entropy: float  # the floor: the mean -log p of all sentences
    count: int  # sentences

    def __str__(self) -> str:
        return (
            f"{self.nats:.3f} ± {self.standard_error:.3f} nats a sentence above the floor of"
            f" {self.entropy:.3f} (paired, {self.count:,} sentences, ± standard error)"
        )


def gap_to_floor(
    lm: LunsformterModel | GrammarModel, grammar: Grammar, sentences: Sequence[str]
) -> Gap:
    """Return the Gap between a model and the language, from sentences that the language made.

    A sentence with true probability p, to which the model gives q, costs the model -log q and would
    cost a perfect one -log p. The gap is the mean of log p - log q. The two rise and fall together
    from sentence to sentence, so their difference is known more sharply than either.

    Draw the sentences anew, with a seed that the training text was not made with. Raises TypeError
    for one text in place of a list, ValueError for fewer than two, or for one that is not in the
    language.

    >>> from lunsedu.grammar import class_grammar
    >>> guesser = GrammarModel(class_grammar.variant(guessed={"shell game"}))
    >>> gap = gap_to_floor(guesser, class_grammar, class_grammar.corpus(400, seed=5))
    >>> exactly = class_grammar.gap_terms()["shell game: direct answers"]
    >>> abs(gap.nats - exactly) < 3 * gap.standard_error
    True
    """
    sentences = _list(sentences)
    if len(sentences) < 2:
        raise ValueError(f"a gap needs at least two sentences, not {len(sentences)}")
    true = np.array([grammar.log_prob(sentence) for sentence in sentences])  # [N]
    for sentence, log_prob in zip(sentences, true, strict=True):
        if log_prob == -np.inf:
            raise ValueError(
                f"the language never says {sentence!r}: draw the sentences with grammar.sample"
            )
    model = np.array([logs.sum() for logs in word_log_probs(lm, sentences)])  # [N]
    root = np.sqrt(len(sentences))
    return Gap(
        nats=float(np.mean(true - model)),
        standard_error=float(np.std(true - model, ddof=1) / root),
        cross_entropy=float(np.mean(-model)),
        cross_entropy_error=float(np.std(-model, ddof=1) / root),
        entropy=grammar.entropy(),
        count=len(sentences),
    )


def word_log_probs(lm: LunsformterModel | GrammarModel, sentences: Sequence[str]) -> list:
    """Return the log-probability of each word given those before it, and of the end.

    A list with one array [W + 1] a sentence of W words; a word's log-probability is the sum over
    its tokens. Works for any LunsformterModel and for a GrammarModel. Raises TypeError for one text
    in place of a list and when lm is neither, ValueError when a sentence is longer than the model
    can read.

    >>> from lunsedu.grammar import miniature_grammar
    >>> logs = word_log_probs(GrammarModel(miniature_grammar), ["how are you"])
    >>> np.exp(logs[0])
    array([0.25, 1.  , 1.  , 1.  ])
    """
    sentences = _list(sentences)
    if isinstance(lm, GrammarModel):
        return [_true_word_log_probs(lm.grammar, sentence) for sentence in sentences]
    checks.language_model(lm)
    encoded = [_encode_words(lm, sentence) for sentence in sentences]
    found: list[Any] = [None] * len(encoded)
    by_length = sorted(range(len(encoded)), key=lambda i: len(encoded[i][0]))
    for start in range(0, len(by_length), BATCH):
        rows = by_length[start : start + BATCH]
        for i, logs in zip(rows, _token_log_probs(lm, [encoded[i][0] for i in rows]), strict=True):
            # A word's tokens stand together: add them up from where each word starts.
            found[i] = np.add.reduceat(logs, encoded[i][1])  # [W + 1]
    return found


def _list(sentences: Any) -> list[str]:
    """Return sentences as a list of str; one text would be taken for a list of its letters."""
    if isinstance(sentences, str):
        raise TypeError(f"sentences must be a list of texts, not one text: {sentences!r:.60}")
    return [checks.text(sentence, "a sentence") for sentence in sentences]


def _true_word_log_probs(grammar, sentence):
    words = sentence.split()
    starts = [grammar.log_prob_of_start(" ".join(words[:n])) for n in range(len(words) + 1)]
    totals = np.array([*starts, grammar.log_prob(sentence)])  # [W + 2]
    possible = totals[1:] > -np.inf
    return np.subtract(
        totals[1:], totals[:-1], where=possible, out=np.full(len(words) + 1, -np.inf)
    )


def _encode_words(lm, sentence):
    """Return the ids <|bos|> ... <|eos|>, and where each word and the end start after <|bos|>."""
    tokenizer, words = lm.tokenizer, sentence.split()
    if tokenizer.bos_id is None or tokenizer.eos_id is None:
        raise ValueError("this tokenizer has no <|bos|> and <|eos|>: where do its sentences end?")
    ids, starts = [tokenizer.bos_id], []
    for position, word in enumerate(words):
        starts.append(len(ids) - 1)
        ids += tokenizer.encode(" " * (position > 0) + word)
    starts.append(len(ids) - 1)
    ids.append(tokenizer.eos_id)
    if ids != tokenizer.encode(sentence, add_bos=True, add_eos=True):
        raise ValueError(f"{sentence!r} is not words with one space between them")
    if len(ids) > lm.model.config.seq_len + 1:
        raise ValueError(
            f"the model reads {lm.model.config.seq_len} tokens at a time, but {sentence!r} has"
            f" {len(ids)}"
        )
    return ids, starts


def _token_log_probs(lm, sequences):
    """Return for each sequence of ids the log-probability of every token after the first, [T]."""
    longest = max(map(len, sequences))
    ids = np.zeros((len(sequences), longest), dtype=np.int64)  # [B, T + 1]; padding sees no token
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
    logits = lm.model.forward(ids[:, :-1]).astype(np.float64)  # [B, T, V]
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(logits, ids[:, 1:, None], axis=-1)[..., 0]  # [B, T]
    log_probs = chosen - np.log(np.exp(logits).sum(axis=-1))  # [B, T]
    return [log_probs[row, : len(s) - 1] for row, s in enumerate(sequences)]
