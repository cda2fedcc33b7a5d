"""Decoders that search: beam search, and exhaustive search, which is never beaten.

Import them from `lunsedu.decoding`, whose rules (start and end, ties, cost, errors) they follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunsedu import checks
from lunsedu.decoding.place import strongest
from lunsedu.decoding.run import Path, Run
from lunsedu.decoding.scores import check_score, log_of

if TYPE_CHECKING:
    import numpy as np

    from lunsedu.decoding.place import Place
    from lunsedu.decoding.results import Result
    from lunsedu.decoding.run import Decodable
    from lunsedu.tokenizer.tokenizer import Tokenizer

CHUNK = 256  # rows in one batch of exhaustive search
ROUNDING = 1e-12  # sums of the same probabilities in another order may differ by so much


def beam_search(
    model: Decodable,
    prompt_ids: Sequence[int] | np.ndarray,
    max_tokens: int = 12,
    *,
    num_beams: int = 5,
    score: str = "sum",
    prefer_finished: bool = False,
    tokenizer: Tokenizer | None = None,
    prompt: str | None = None,
    verbose: bool = False,
) -> Result:
    """Keep the `num_beams` best beginnings at each step, by `score`. Returns up to num_beams.

    All beams are continued by every token; the best num_beams of these continuations go on, and
    those among them that reached <|eos|> are put aside. At the end the ones put aside and those
    that were cut are ranked together. "sum" is the classic score; "geometric" divides it by the
    length, and so does not prefer short texts ("arithmetic": the same with mean probability).
    The search ends early once nothing can still reach the best num_beams that are finished.

    One beam is greedy decoding. With the whole vocabulary as beams and two tokens it is
    exhaustive search.
    """
    check_score(score)
    num_beams = checks.whole_number("num_beams", num_beams, 1)
    run = Run(model, prompt_ids, max_tokens, tokenizer, prompt)
    if run.limit == 0:
        return run.result([run.root], "beam search", score, verbose=verbose)

    place, cache = run.prefill()
    beams, over = [Branch()], []  # over: put aside
    while True:
        # The best num_beams overall are among the best num_beams of each beam.
        options = [
            (row, beam.extend(place, row, token))
            for row, beam in enumerate(beams)
            for token in strongest(place.logits[row], num_beams)
        ]
        # All have the same length, so that the total decides. Ties: earlier beam, then lower id.
        options.sort(key=lambda option: _total(option[1], score), reverse=True)
        options = options[:num_beams]
        over += [path for _, path in options if run.is_over(path)]
        options = [(row, path) for row, path in options if not run.is_over(path)]
        bar = _bar(run, over, num_beams, score, prefer_finished)
        if all(_optimistic(run, path, score) < bar for _, path in options):  # also if none is left
            break
        beams = [path for _, path in options]
        cache = cache.select([row for row, _ in options])
        place = run.step(beams, cache)
    over = _best(run, over, num_beams, score, prefer_finished)
    return run.result(over, "beam search", score, prefer_finished, verbose=verbose)


def exhaustive(
    model: Decodable,
    prompt_ids: Sequence[int] | np.ndarray,
    max_tokens: int,
    *,
    num_candidates: int = 5,
    score: str = "arithmetic",
    prefer_finished: bool = False,
    max_sequences: int = 100_000,
    tokenizer: Tokenizer | None = None,
    prompt: str | None = None,
    verbose: bool = False,
) -> Result:
    """Find the best of all continuations, exactly. Returns the best `num_candidates`.

    All sequences are looked at that end with <|eos|> or have max_tokens tokens, except where no
    continuation can reach the best found so far: every further token adds at most probability 1.
    Only for small vocabularies and few tokens: raises ValueError when more than `max_sequences`
    sequences (unfinished ones included) would have to be looked at.
    """
    check_score(score)
    num_candidates = checks.whole_number("num_candidates", num_candidates, 1)
    max_sequences = checks.whole_number("max_sequences", max_sequences, 1)
    run = Run(model, prompt_ids, max_tokens, tokenizer, prompt)
    if run.limit == 0:
        return run.result([run.root], "exhaustive search", score, verbose=verbose)

    best, seen = [], 0
    pending = [([0], [Branch()], None)]  # (rows of the parents' cache, paths, the parents' cache)
    while pending:
        rows, paths, parents = pending.pop()
        bar = _bar(run, best, num_candidates, score, prefer_finished)
        keep = [i for i, path in enumerate(paths) if _optimistic(run, path, score) >= bar]
        if not keep:
            continue
        paths = [paths[i] for i in keep]
        if parents is None:
            place, cache = run.prefill()
        else:
            cache = parents.select([rows[i] for i in keep])
            place = run.step(paths, cache)
        children = []
        for row, path in enumerate(paths):
            tokens = strongest(place.logits[row], place.logits.shape[1])
            seen += len(tokens)
            if seen > max_sequences:
                raise ValueError(
                    f"exhaustive search has to look at {seen:,} sequences and more, over"
                    f" max_sequences={max_sequences:,} (all of them are"
                    f" {_count(run):,}): use fewer tokens or a smaller vocabulary, or allow more"
                )
            children += [(row, path.extend(place, row, token)) for token in tokens]
        ended = [path for _, path in children if run.is_over(path)]
        best = _best(run, best + ended, num_candidates, score, prefer_finished)
        children = [(row, path) for row, path in children if not run.is_over(path)]
        # The most promising go on top of the stack: a good find early saves looking at others.
        children.sort(key=lambda child: _total(child[1], score))
        for i in range(0, len(children), CHUNK):
            chunk = children[i : i + CHUNK]
            pending.append(([row for row, _ in chunk], [path for _, path in chunk], cache))
    return run.result(best, "exhaustive search", score, prefer_finished, verbose=verbose)


class Branch(Path):
    """A path that carries its sums along: a search compares far more paths than it keeps."""

    __slots__ = ("total_prob", "total_log")

    def __init__(self) -> None:
        super().__init__()
        self.total_prob = self.total_log = 0.0

    def grow(self, place: Place, row: int, token: int) -> None:
        """Take one more token, chosen at `place` in `row`."""
        super().grow(place, row, token)
        prob = self.probs[-1]
        self.total_prob += prob
        self.total_log += log_of(prob)

    def copy(self) -> Branch:
        branch = super().copy()
        branch.total_prob, branch.total_log = self.total_prob, self.total_log
        return branch


def _total(path, score):
    """The number that ranks paths of equal length."""
    return path.total_prob if score == "arithmetic" else path.total_log


def _score(path, score):
    return _total(path, score) if score == "sum" else _total(path, score) / len(path.tokens)


def _optimistic(run, path, score):
    """No continuation of this path can score higher: all its further tokens have probability 1."""
    if score == "sum":
        return path.total_log
    if score == "geometric":  # compared as mean log-probability, which ranks the same
        return path.total_log / run.limit
    return (path.total_prob + run.limit - len(path.tokens)) / run.limit


def _order(run, path, score, prefer_finished):
    """Sort key of paths that are over: best first, as in Run.result."""
    return (
        not (prefer_finished and run.is_finished(path)),
        -_score(path, score),
        -path.probs[0],
        path.tokens,
    )


def _best(run, paths, count, score, prefer_finished):
    """Return the `count` best paths, best first."""
    if len(paths) > count and not prefer_finished:  # a cheap cut before the full sort
        lowest = sorted((_score(path, score) for path in paths), reverse=True)[count - 1]
        paths = [path for path in paths if _score(path, score) >= lowest]
    return sorted(paths, key=lambda path: _order(run, path, score, prefer_finished))[:count]


def _bar(run, paths, count, score, prefer_finished):
    """What a path must still be able to reach to enter the best `count` of `paths`."""
    rivals = [p for p in paths if run.is_finished(p)] if prefer_finished else paths
    if len(rivals) < count:
        return float("-inf")
    return sorted((_score(path, score) for path in rivals), reverse=True)[count - 1] - ROUNDING


def _count(run):
    """The number of sequences up to the limit, if every token that may come next did come."""
    allowed = run.config.vocab_size - len(run.forbidden)
    going_on = allowed - (run.config.eos_id is not None)
    first = run.config.vocab_size - len(run.forbidden_first)
    first_on = min(first, going_on)
    return first + sum(first_on * going_on**t * allowed for t in range(run.limit - 1))
