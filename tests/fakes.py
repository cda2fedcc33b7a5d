"""A model whose every probability stands in a table: exact, tiny, and it counts its calls."""

from types import SimpleNamespace

import numpy as np


class TableModel:
    """The next token depends on the last `order` tokens alone, by a table of random logits.

    table(context) -> logits [V], `context` a tuple of the last tokens (shorter at the start).
    The logits of pad and bos are as likely as any other: a decoder has to leave them out itself.
    """

    def __init__(self, vocab_size=7, seed=0, order=2, seq_len=32, scale=2.0, rows=None, **special):
        ids = {"pad_id": 0, "bos_id": 1, "eos_id": 2} | special
        self.config = SimpleNamespace(vocab_size=vocab_size, seq_len=seq_len, **ids)
        self.seed, self.order, self.scale = seed, order, scale
        self.rows = dict(rows or {})  # context -> logits [V], given by hand
        self.calls = []  # the shapes [B, T] of all steps

    def table(self, context):
        context = tuple(int(i) for i in context)[-self.order :]
        if context not in self.rows:
            rng = np.random.default_rng([self.seed, *context])
            # In steps of a half, so that ties occur.
            logits = rng.normal(scale=self.scale, size=self.config.vocab_size)
            self.rows[context] = np.round(2 * logits) / 2
        return self.rows[context]

    def probs(self, context):
        """The probabilities [V] of what follows a context, worked out apart from the decoders."""
        odds = np.exp(np.asarray(self.table(context), dtype=np.float64))
        return odds / odds.sum()

    def new_cache(self, batch_size, capacity):
        return TokenCache(np.zeros((batch_size, 0), dtype=np.int64), capacity)

    def step(self, ids, cache):
        ids = np.asarray(ids)  # [B, T]
        assert ids.ndim == 2 and len(ids) == len(cache.ids)
        self.calls.append(ids.shape)
        cache.ids = np.concatenate([cache.ids, ids], axis=1)
        assert cache.length <= min(cache.capacity, self.config.seq_len)
        return np.array([self.table(row) for row in cache.ids])  # [B, V]


class TokenCache:
    """Remembers the tokens themselves, [B, T]."""

    def __init__(self, ids, capacity):
        self.ids, self.capacity = ids, capacity

    @property
    def length(self):
        return self.ids.shape[1]

    def select(self, rows):
        return TokenCache(self.ids[np.asarray(rows)], self.capacity)


def table_from_probs(**rows):
    """Return {context: logits} from {"3_4": [p, p, …]}: probabilities written by hand.

    >>> table_from_probs(_3=[0.5, 0.5])[(3,)].round(2).tolist()
    [-0.69, -0.69]
    """
    with np.errstate(divide="ignore"):
        return {
            tuple(int(i) for i in name.strip("_").split("_")): np.log(np.array(probs, dtype=float))
            for name, probs in rows.items()
        }


class LetterTokenizer:
    """Token i is the i-th text of a list; specials are left out of decoded text."""

    def __init__(self, texts, special=(0, 1, 2)):
        self.texts, self.special = list(texts), set(special)
        self.vocab_size = len(self.texts)

    def decode(self, ids, skip_special=True):
        return "".join(self.texts[i] for i in ids if not (skip_special and i in self.special))

    def token_text(self, token):
        return self.texts[token]
