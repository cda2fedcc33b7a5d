"""Decoders: from a prompt to text, by a model that only says how likely each next token is.

`greedy` takes the likeliest token each time, `sample` draws, `insideout` expands several starts
and keeps the best; `beam_search` and `exhaustive` stand in tree_search.py. All of them

- take token ids (an empty prompt starts from <|bos|>) and return a `lunsedu.decoding.Result`;
- stop at <|eos|> or after `max_tokens` new tokens, or where the model's seq_len ends;
- never choose <|pad|> or <|bos|>, nor <|eos|> as the first token after an empty prompt;
- break ties by the lower id;
- report the model's own probabilities, whatever they chose by;
- read the prompt once and then one token a step, all candidates in one batch over one cache;
- raise ValueError or TypeError in one sentence for input that cannot be used.

    result = insideout(model, tokenizer.encode("where is"), max_tokens=12, tokenizer=tokenizer)
    result.text                    # the prompt and the best continuation
    print(result)                  # all candidates, ranked

`tokenizer` and `prompt` (the text as typed) are for display alone: without a tokenizer, texts are
ids. `verbose=True` prints each candidate step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lunsedu import checks
from lunsedu.decoding.choosing import (
    check_penalty,
    draw_index,
    filtered,
    likeliest,
    penalised_logits,
)
from lunsedu.decoding.place import strongest
from lunsedu.decoding.run import Run
from lunsedu.decoding.scores import check_score

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result
    from lunsedu.decoding.run import Decodable
    from lunsedu.tokenizer.tokenizer import Tokenizer


def greedy(
    model: Decodable,
    prompt_ids: Sequence[int] | np.ndarray,
    max_tokens: int = 12,
    *,
    score: str = "arithmetic",
    repetition_penalty: float = 1.0,
    tokenizer: Tokenizer | None = None,
    prompt: str | None = None,
    verbose: bool = False,
) -> Result:
    """Take the likeliest token each time. Returns a Result with one candidate.

    `score` only decides which number is reported; for `repetition_penalty` see `insideout`.
    """
    check_score(score)
    choose = likeliest(repetition_penalty)
    run = Run(model, prompt_ids, max_tokens, tokenizer, prompt)
    return run.result(_start_and_expand(run, 1, choose), "greedy", score, verbose=verbose)


def sample(
    model: Decodable,
    prompt_ids: Sequence[int] | np.ndarray,
    max_tokens: int = 12,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    num_samples: int = 1,
    seed: int | None = None,
    rng: np.random.Generator | None = None,
    score: str = "geometric",
    prefer_finished: bool = False,
    repetition_penalty: float = 1.0,
    tokenizer: Tokenizer | None = None,
    prompt: str | None = None,
    verbose: bool = False,
) -> Result:
    """Draw `num_samples` continuations at random; the Result ranks them by `score`.

    In this order: the `repetition_penalty` (see `insideout`) changes the logits, `temperature`
    divides them (below 1 the likely tokens gain, 0 is greedy), `top_k` keeps the k likeliest
    tokens (Fan et al. 2018, arXiv 1805.04833), `top_p` the fewest likeliest tokens whose
    probabilities sum to at least p (Holtzman et al. 2020, arXiv 1904.09751, section 3.1). Equal
    samples are kept as they come.

    The same `seed` gives the same samples; `rng`, a numpy.random.Generator, is used instead when
    given. Without either every call differs.
    """
    check_score(score)
    num_samples = checks.whole_number("num_samples", num_samples, 1)
    temperature = checks.number(
        "temperature", temperature, "a finite number of at least 0", lambda t: 0 <= t < np.inf
    )
    if top_k is not None:
        top_k = checks.whole_number("top_k", top_k, 1)
    if top_p is not None:
        top_p = checks.number("top_p", top_p, "a number above 0, at most 1", lambda p: 0 < p <= 1)
    if rng is not None and (seed is not None or not isinstance(rng, np.random.Generator)):
        raise ValueError("rng must be a numpy.random.Generator, given instead of seed, not with it")
    penalty = check_penalty(repetition_penalty)
    if rng is None:
        rng = np.random.default_rng() if seed is None else checks.dice(seed)

    def choose(place, row, path):
        logits = penalised_logits(place.logits[row], path, penalty)  # [V]
        if temperature == 0:
            return int(np.argmax(logits))
        return draw_index(filtered(logits, temperature, top_k, top_p), rng)

    run = Run(model, prompt_ids, max_tokens, tokenizer, prompt)
    paths = _start_and_expand(run, num_samples, choose)
    return run.result(paths, "sampling", score, prefer_finished, verbose=verbose)


def insideout(
    model: Decodable,
    prompt_ids: Sequence[int] | np.ndarray,
    max_tokens: int = 12,
    *,
    num_candidates: int = 5,
    score: str = "arithmetic",
    prefer_finished: bool = False,
    min_start_ratio: float = 0.0,
    branch: str = "first",
    certain: float = 0.9,
    repetition_penalty: float = 1.0,
    tokenizer: Tokenizer | None = None,
    prompt: str | None = None,
    verbose: bool = False,
) -> Result:
    """Start once with each of the likeliest first tokens, go on greedily, keep the best.

    1. Read the prompt. The `num_candidates` likeliest tokens that may start are the starts (fewer
       when fewer have a probability above 0); those below `min_start_ratio` times the likeliest
       are dropped.
    2. Expand all of them greedily in one batch until each ended.
    3. Score each by its generated tokens alone, the first and <|eos|> included: "arithmetic" is
       the mean probability, "geometric" exp of the mean log-probability, "sum" the total
       log-probability.
    4. Rank them (ties: the likelier start); with `prefer_finished` those that reached <|eos|>
       come before all others.

    Whatever the number of candidates, this costs one forward step for the prompt and at most
    max_tokens - 1 batched steps of one token each. One candidate is greedy decoding.

    branch="uncertain" goes greedily as long as the likeliest token has at least probability
    `certain`, and takes the starts at the first place where it has less. The tokens before that
    place belong to every candidate, to its text and to its score; `result.fork` is their number.
    If no place is uncertain, the greedy path is the only candidate.

    `repetition_penalty` above 1 makes tokens less likely to be chosen that the candidate has
    generated already: their logits are divided by it if positive and multiplied by it if negative
    (Keskar et al. 2019, CTRL, arXiv 1909.05858, section 4.1, which divides only; without the sign
    rule a negative logit would be raised). The prompt's tokens are not penalised, and scores use
    the model's own probabilities. 1.0 is off.

    Nearest relative: CoT-decoding (Wang and Zhou 2024, arXiv 2402.10200), with the same branching
    and another score.
    """
    check_score(score)
    num_candidates = checks.whole_number("num_candidates", num_candidates, 1)
    share = ("a number from 0 to 1", lambda value: 0 <= value <= 1)
    min_start_ratio = checks.number("min_start_ratio", min_start_ratio, *share)
    certain = checks.number("certain", certain, *share)
    if branch not in ("first", "uncertain"):
        raise ValueError(f"branch must be 'first' or 'uncertain', not {branch!r}")
    choose = likeliest(repetition_penalty)
    run = Run(model, prompt_ids, max_tokens, tokenizer, prompt)
    if run.limit == 0:
        return run.result([run.root], "InsideOut", score, verbose=verbose)

    place, cache = run.prefill()
    trunk = run.root
    if branch == "uncertain":
        while place.prob(0, token := choose(place, 0, trunk)) >= certain:
            trunk = trunk.extend(place, 0, token)
            if run.is_over(trunk):
                return run.result([trunk], "InsideOut", score, verbose=verbose)
            place = run.step([trunk], cache)
    logits = penalised_logits(place.logits[0], trunk, check_penalty(repetition_penalty))  # [V]
    starts = [trunk.extend(place, 0, token) for token in strongest(logits, num_candidates)]
    starts = [s for s in starts if s.probs[-1] >= min_start_ratio * starts[0].probs[-1]]
    paths = _expand(run, starts, cache.select([0] * len(starts)), choose)
    return run.result(
        paths, "InsideOut", score, prefer_finished, fork=len(trunk.tokens), verbose=verbose
    )


# --- growing paths --------------------------------------------------------------------------------


def _start_and_expand(run, count, choose):
    """Return `count` paths, each with every token picked by choose(place, row, path) -> id."""
    if run.limit == 0:
        return [run.root] * count
    place, cache = run.prefill()
    starts = [run.root.extend(place, 0, choose(place, 0, run.root)) for _ in range(count)]
    return _expand(run, starts, cache.select([0] * count), choose)


def _expand(run, paths, cache, choose):
    """Grow all paths together until each is over. Row i of the cache belongs to paths[i].

    They are equally long, at least one token: those that don't reach <|eos|> are over together.
    """
    over = []
    while len(paths[0].tokens) < run.limit:
        rows = [i for i, path in enumerate(paths) if not run.is_finished(path)]
        if len(rows) < len(paths):  # those that are over take no further part
            over += [path for path in paths if run.is_finished(path)]
            if not rows:
                return over
            paths, cache = [paths[i] for i in rows], cache.select(rows)
        place = run.step(paths, cache)
        for row, path in enumerate(paths):
            path.grow(place, row, choose(place, row, path))
    return over + paths
