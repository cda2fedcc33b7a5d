"""What all decoders share: the checked prompt, the model with a meter on it, growing paths.

A decoder turns a prompt into candidates. It needs from a model only `config`, `new_cache`, `step`
and the cache's `select`, so that anything that can do these (a table, a grammar) can be decoded.

    run = Run(model, prompt_ids, max_tokens)    # checks; run.limit new tokens at most
    place, cache = run.prefill()                # reads the prompt
    path = run.root.extend(place, 0, token)     # the first new token
    place = run.step([path], cache)             # reads it: what may come next?
    path.grow(place, 0, token)                  # and so on
    run.result([path], "greedy", "arithmetic")
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lunsedu import checks
from lunsedu.decoding.place import Place
from lunsedu.decoding.result_text import trace
from lunsedu.decoding.results import Candidate, Result
from lunsedu.decoding.scores import score_of

if TYPE_CHECKING:
    from typing import Self

    from lunsedu.model.config import LunsformterConfig
    from lunsedu.tokenizer.tokenizer import Tokenizer


class Decodable(Protocol):
    """What a decoder asks of a model: a Lunsformter has it, a GrammarModel, your own table may."""

    @property
    def config(self) -> Any:
        """With vocab_size, seq_len, and pad_id, bos_id, eos_id, each of which may be None."""

    def new_cache(self, batch_size: int, capacity: int) -> Any:
        """Return an empty cache; its `select(rows)` gives a copy that holds only these rows."""

    def step(self, ids: np.ndarray, cache: Any) -> np.ndarray:
        """Read ids int [B, T] after what the cache holds; return the last logits [B, V]."""


def check_ids(ids: Any, vocab_size: int) -> list[int]:
    """Return token ids (a list or [T] array) as a list of int.

    Raises TypeError when they are no flat list of whole numbers (None, a str, a float), ValueError
    when one of them is outside the vocabulary.
    """
    expected = "the prompt must be a list of token ids such as tokenizer.encode(text)"
    if ids is None or isinstance(ids, (str, bytes, dict, set)):
        raise TypeError(f"{expected}, not {ids if ids is None else type(ids).__name__}")
    try:
        array = np.asarray(list(ids))  # [T]
    except (TypeError, ValueError):
        raise TypeError(f"{expected}, not {ids!r:.80}") from None
    if array.size == 0:
        return []
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(f"{expected}, not {ids!r:.80}")
    for token in array.tolist():
        if not 0 <= token < vocab_size:
            raise ValueError(
                f"token id {token} in the prompt is outside the model's vocabulary of"
                f" {vocab_size} tokens: encode the prompt with the model's own tokenizer"
            )
    return array.tolist()


def never_next(config: LunsformterConfig) -> list[int]:
    """Return the ids that no decoder chooses, in order: <|pad|> and <|bos|>.

    Unless a model uses one of them as <|eos|> too.
    """
    return sorted({config.pad_id, config.bos_id} - {None, config.eos_id})  # type: ignore[arg-type]


class Path:
    """A candidate while it grows: its tokens, their probabilities, what else was possible there."""

    __slots__ = ("tokens", "probs", "look_backs")

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.probs: list[float] = []
        self.look_backs: list[tuple[Callable, int]] = []

    def grow(self, place: Place, row: int, token: int) -> None:
        """Take one more token, chosen at `place` in `row`."""
        self.tokens.append(int(token))
        self.probs.append(place.prob(row, token))
        self.look_backs.append(place.look_back(row))

    def extend(self, place: Place, row: int, token: int) -> Self:
        """Return another path: this one and one more token. This one stays as it is."""
        path = self.copy()
        path.grow(place, row, token)
        return path

    def copy(self) -> Self:
        path = type(self)()
        path.tokens, path.probs = self.tokens.copy(), self.probs.copy()
        path.look_backs = self.look_backs.copy()
        return path


class Run:
    """One call of a decoder.

    Raises TypeError or ValueError, in one sentence, when the model, the prompt or max_tokens cannot
    be used.
    Warns once when the prompt or the new tokens do not fit into the model's seq_len.
    """

    def __init__(
        self,
        model: Decodable,
        prompt_ids: Sequence[int] | np.ndarray,
        max_tokens: int,
        tokenizer: Tokenizer | None = None,
        prompt: str | None = None,
    ) -> None:
        self.started = time.perf_counter()
        checks.model(model, checks.DECODABLE)
        config = model.config
        self.model, self.config, self.tokenizer = model, config, tokenizer
        self.prompt_ids = check_ids(prompt_ids, config.vocab_size)
        max_tokens = checks.whole_number("max_tokens", max_tokens, 0)
        if prompt is not None and not isinstance(prompt, str):
            raise TypeError(f"prompt must be a str, not {type(prompt).__name__}")
        self.forbidden = never_next(config)
        # After an empty prompt <|eos|> would make an empty text: it may not start one.
        empty = self.prompt_ids in ([], [config.bos_id])
        self.forbidden_first = sorted(
            {*self.forbidden, *({config.eos_id} - {None} if empty else ())}
        )
        if not self.prompt_ids:
            if config.bos_id is None:
                raise ValueError(
                    "the prompt is empty and this model has no <|bos|> token to start from:"
                    " give at least one token"
                )
            self.prompt_ids = [config.bos_id]
        self.prompt = self._read(self.prompt_ids) if prompt is None else prompt
        self._fit(max_tokens)
        self.root = Path()
        self.forward_steps = self.tokens_computed = 0

    def _fit(self, max_tokens):
        """Cut the prompt's start and the number of new tokens to what the model can read.

        The last new token is never read, so prompt and new tokens may be seq_len + 1 together.
        New tokens may push the prompt back to half of seq_len, not further.
        """
        seq_len, length = self.config.seq_len, len(self.prompt_ids)
        keep = max(seq_len + 1 - max_tokens, (seq_len + 1) // 2)
        self.dropped = max(0, length - keep) if max_tokens else 0
        self.limit = min(max_tokens, seq_len + 1 - (length - self.dropped)) if max_tokens else 0
        notes = []
        if self.dropped:
            notes.append(
                f"the prompt has {length} tokens: only the last {length - self.dropped} are used"
            )
        if self.limit < max_tokens:
            notes.append(f"only {self.limit} of max_tokens={max_tokens} new tokens fit")
        if notes:
            text = "; ".join(notes)
            warnings.warn(f"This model reads {seq_len} tokens at a time; {text}.", stacklevel=4)

    def prefill(self) -> tuple[Place, Any]:
        """Read the prompt in one forward step; return the first Place and the cache, of one row."""
        ids = np.array([self.prompt_ids[self.dropped :]], dtype=np.int64)  # [1, T]
        cache = self.model.new_cache(1, ids.shape[1] + self.limit - 1)
        return self._forward(ids, cache, self.forbidden_first), cache

    def step(self, paths: Sequence[Path], cache: Any) -> Place:
        """Read the last token of each path into its row of the cache; return the next Place."""
        ids = np.array([path.tokens[-1] for path in paths], dtype=np.int64)  # [B]
        return self._forward(ids[:, None], cache, self.forbidden)

    def _forward(self, ids, cache, forbidden):
        self.forward_steps += 1
        self.tokens_computed += ids.size
        return Place(self.model.step(ids, cache), forbidden)

    def is_finished(self, path: Path) -> bool:
        return path.tokens[-1:] == [self.config.eos_id]

    def is_over(self, path: Path) -> bool:
        """True when the path takes no further part: it reached <|eos|> or the last token."""
        return len(path.tokens) == self.limit or self.is_finished(path)

    def result(
        self,
        paths: Iterable[Path],
        method: str,
        score: str,
        prefer_finished: bool = False,
        *,
        fork: int = 0,
        verbose: bool = False,
    ) -> Result:
        """Rank the paths and return them as a Result; print its trace when `verbose`.

        Ties: the likelier start first, then the lower ids.
        """
        candidates = [self._candidate(path, score, fork) for path in paths]
        candidates.sort(
            key=lambda c: (
                not (prefer_finished and c.finished),
                -c.score,
                -c.start_prob,
                c.token_ids,
            )
        )
        result = Result(
            prompt=self.prompt,
            prompt_ids=self.prompt_ids,
            candidates=candidates,
            method=method,
            score_name=score,
            forward_steps=self.forward_steps,
            tokens_computed=self.tokens_computed,
            seconds=time.perf_counter() - self.started,
            fork=fork,
            dropped=self.dropped,
            separator=" " if self.tokenizer is None else "",
        )
        if verbose:
            print(trace(result))
        return result

    def _candidate(self, path, score, fork):
        return Candidate(
            token_ids=path.tokens.copy(),
            probs=np.array(path.probs),  # [T]
            score=score_of(path.probs, score),
            finished=self.is_finished(path),
            start_prob=path.probs[fork] if path.probs else 1.0,
            read=self._read,
            token_text=str if self.tokenizer is None else self.tokenizer.token_text,
            look_back=lambda: [find(row) for find, row in path.look_backs],
        )

    def _read(self, ids):
        """Return ids as text; without a tokenizer the ids themselves, without special ones."""
        if self.tokenizer is not None:
            return self.tokenizer.decode(ids)
        special = (self.config.pad_id, self.config.bos_id, self.config.eos_id)
        return " ".join(str(i) for i in ids if i not in special)
