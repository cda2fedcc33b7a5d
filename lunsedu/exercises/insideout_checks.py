"""Checks for lesson 06: InsideOut's three steps, branch, expand and score.

A model stands here for a function `next_probs(ids)`: it takes the list of ids so far and returns
the probability [V] of each id to come next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.decoding import running_scores, score_tokens
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable

if TYPE_CHECKING:
    from lunsedu.exercises.judge.check import Check

# --- branch ---------------------------------------------------------------------------------------


def _branch(probs, num_candidates, forbidden):
    allowed = [i for i in range(len(probs)) if i not in forbidden and probs[i] > 0]
    return sorted(allowed, key=lambda i: (-probs[i], i))[:num_candidates]


@combinable
def _branch_with(key=lambda p, i: (-p, i), skip="before", start=0, any_prob=False):
    """Return a branching that is wrong in the given way."""

    def wrong(probs, n, forbidden):
        ids = [i for i in range(len(probs)) if probs[i] > 0 or any_prob]
        if skip == "before":
            ids = [i for i in ids if i not in forbidden]
        ids = sorted(ids, key=lambda i: key(probs[i], i))[start : start + n]
        return [i for i in ids if i not in forbidden] if skip == "after" else ids

    return wrong


def _shifted(probs, n, forbidden):
    """Removes what is forbidden first, and returns places in what is left."""
    left = np.delete(probs, sorted(forbidden))
    return [int(i) for i in np.argsort(-left, kind="stable")[:n] if left[i] > 0]


_EIGHT = np.array([0.2, 0.05, 0.25, 0.1, 0.0, 0.1, 0.22, 0.08])

BRANCH = Exercise(
    name="branch",
    call="branch(probs, num_candidates, forbidden)",
    truth=_branch,
    tidy=lambda ids: [int(i) for i in ids] if not np.asarray(ids).dtype.kind == "f" else ids,
    cases=lambda: [
        Case("four ids, none forbidden", (np.array([0.1, 0.4, 0.2, 0.3]), 2, [])),
        Case("the likeliest id forbidden", (_EIGHT, 3, [2])),
        Case("a tie: ids 3 and 5 have the same probability", (_EIGHT, 4, [0, 2])),
        Case("more candidates than ids", (np.array([0.3, 0.6, 0.1]), 9, [0])),
        Case("ids of probability 0", (_EIGHT, 8, [1])),
        Case("one candidate", (_EIGHT, 1, [6])),
        Case("small probabilities", (np.array([0.3, 1e-5, 0.6, 2e-9, 0.099989998]), 5, [])),
        Case("a forbidden id of probability 0", (_EIGHT, 3, [4, 2])),
    ],
    mistakes=(
        Mistake(
            "unlikeliest",
            _branch_with(key=lambda p, i: (p, i)),
            "You took the unlikeliest ids: np.argsort sorts upwards, so sort the negative.",
        ),
        Mistake(
            "forbidden-kept",
            _branch_with(skip="never"),
            "A forbidden id is among your candidates.",
        ),
        Mistake(
            "forbidden-after",
            _branch_with(skip="after"),
            "You took the forbidden ids out after choosing, so there are too few candidates: take"
            " them out first.",
        ),
        Mistake(
            "ties-higher",
            _branch_with(key=lambda p, i: (-p, -i)),
            "Of two ids with the same probability the lower comes first: sorting backwards turns"
            " ties round; sort -probs with kind='stable'.",
        ),
        Mistake(
            "in-order-of-id",
            lambda p, n, f: sorted(_branch(p, n, f)),
            "The ids are right, but not in order: the likeliest comes first.",
        ),
        Mistake(
            "backwards",
            lambda p, n, f: _branch(p, n, f)[::-1],
            "The order is backwards: the likeliest comes first.",
        ),
        Mistake(
            "shifted",
            _shifted,
            "After deleting the forbidden ids the places are no longer the ids: set their"
            " probability to 0 instead of deleting.",
        ),
        Mistake(
            "probability-zero",
            _branch_with(any_prob=True),
            "An id of probability 0 is no start.",
        ),
        Mistake(
            "threshold",
            lambda p, n, f: [i for i in _branch(p, n, f) if p[i] > 0.01],
            "You leave small probabilities out, or round them to 0: only a probability of exactly 0"
            " is no start.",
        ),
        Mistake(
            "greedy-only",
            lambda p, n, f: _branch(p, 1, f),
            "Only one candidate: take the num_candidates likeliest.",
        ),
        Mistake(
            "second-best",
            _branch_with(start=1),
            "The likeliest id is missing: begin at place 0.",
        ),
        Mistake(
            "probabilities",
            lambda p, n, f: [p[i] for i in _branch(p, n, f)],
            "These are probabilities: return the ids.",
        ),
    ),
    praise="The likeliest first, ties to the lower id, nothing forbidden.",
)


def check_branch(branch: Any) -> Check:
    """Check branch(probs [V], num_candidates, forbidden) -> ids, the likeliest first.

    >>> check_branch(_branch_with(skip="after")).mistake
    'forbidden-after'
    """
    return judge(BRANCH, branch)


# --- expand ---------------------------------------------------------------------------------------


def _model(seed, V=5):
    """Return next_probs for a small language whose next id depends on every id before it."""

    def next_probs(ids):
        odds = np.exp(2 * np.random.default_rng([seed, *map(int, ids)]).standard_normal(V))
        return odds / odds.sum()

    return next_probs


def _model_of_ties(ids):
    """Return probabilities whose maximum occurs twice, at places that move with the text."""
    first = (sum(map(int, ids)) + len(ids)) % 3
    probs = np.full(5, 0.1)
    probs[[first, first + 2]] = 0.35
    return probs


@combinable
def _expand_with(
    count_start=True,
    stop=True,
    keep_end=True,
    pick=np.argmax,
    prompt=True,
    first=True,
    extra=0,
    memory=None,
):
    """Return an expansion, wrong in the given way, or right."""

    def expand(next_probs, prompt_ids, start, max_tokens, eos_id):
        before = list(prompt_ids) if prompt else []
        ids, probs = [start], [float(next_probs(list(prompt_ids))[start])]
        while len(ids) < max_tokens + extra + (not count_start):
            if stop and ids[-1] == eos_id:
                break
            row = next_probs((before + ids)[-memory:] if memory else before + ids)
            ids.append(int(pick(row)))
            probs.append(float(row[ids[-1]]))
        if not keep_end and ids[-1] == eos_id:
            ids, probs = ids[:-1], probs[:-1]
        return ids, np.array(probs if first else probs[1:])

    return expand


def _expand_cases():
    return [
        Case("a model of 5 ids, prompt [1, 2], start 3", (_model(1), [1, 2], 3, 6, 4)),
        Case("another model, start 0", (_model(2), [3], 0, 5, 1)),
        Case("a start that is the end already", (_model(3), [0, 1], 4, 4, 4)),
        Case("max_tokens 1", (_model(4), [2, 2], 1, 1, 0)),
        Case("a model that never ends", (_model(5), [1], 2, 7, 99)),
        Case("a longer text", (_model(6), [3, 1], 2, 12, 0)),
        Case("a prompt of four ids", (_model(7), [1, 3, 0, 2], 1, 8, 99)),
        Case("a prompt that holds eos_id", (_model(8), [4, 1], 2, 6, 4)),
        Case("a model whose maximum occurs twice", (_model_of_ties, [2], 1, 6, 99)),
    ]


EXPAND = Exercise(
    name="expand",
    call="expand(next_probs, prompt, start, max_tokens, eos_id)",
    truth=_expand_with(),
    outputs=("ids", "probs"),
    cases=_expand_cases,
    mistakes=(
        Mistake(
            "start-not-counted",
            _expand_with(count_start=False),
            "One token too many: the start counts as the first of max_tokens.",
        ),
        Mistake(
            "one-too-few",
            _expand_with(extra=-1),
            "One token too few: max_tokens new ones are allowed, the start counted.",
        ),
        Mistake(
            "does-not-stop",
            _expand_with(stop=False),
            "You went on after eos_id: the text ends there, also when it is the start.",
        ),
        Mistake(
            "end-dropped",
            _expand_with(keep_end=False),
            "eos_id itself was left out: it is part of the candidate, and so is its probability.",
        ),
        Mistake(
            "unlikeliest",
            _expand_with(pick=np.argmin),
            "You took the unlikeliest id each time: np.argmax.",
        ),
        Mistake(
            "prompt-forgotten",
            _expand_with(prompt=False),
            "The model was not shown the prompt: call next_probs with the prompt and all ids so"
            " far.",
        ),
        Mistake(
            "last-id-alone",
            _expand_with(memory=1),
            "The model was shown the last id alone: call next_probs with the prompt and all ids so"
            " far.",
        ),
        Mistake(
            "two-ids-alone",
            _expand_with(memory=2),
            "The model was shown the last two ids alone: call next_probs with the prompt and all"
            " ids so far.",
        ),
        Mistake(
            "prompt-cut",
            lambda f, p, *rest: _expand_with()(
                lambda ids: f(list(ids) if len(ids) == len(p) else [*p[-1:], *ids[len(p) :]]),
                p,
                *rest,
            ),
            "The model was shown the end of the prompt alone: call next_probs with the whole prompt"
            " and all ids so far.",
        ),
        Mistake(
            "end-in-the-prompt",
            lambda f, p, start, most, eos: _expand_with()(
                f, p, start, 1 if eos in p else most, eos
            ),
            "You looked for eos_id in the prompt, too: only a new id ends the text.",
        ),
        Mistake(
            "last-of-ties",
            _expand_with(pick=lambda row: len(row) - 1 - np.argmax(row[::-1])),
            "Of two ids that are equally likely the lower one is taken: np.argmax does that.",
        ),
        Mistake(
            "parts-swapped",
            lambda *args: _expand_with()(*args)[::-1],
            "The two are swapped: return ids, then their probabilities.",
        ),
        Mistake(
            "prompt-returned",
            lambda f, p, *rest: (
                (list(p) + _expand_with()(f, p, *rest)[0],) + _expand_with()(f, p, *rest)[1:]
            ),
            "Your ids begin with the prompt: return the new ones only.",
        ),
        Mistake(
            "start-missing",
            lambda *args: tuple(part[1:] for part in _expand_with()(*args)),
            "The start is missing: it is the first of the new ids.",
        ),
        Mistake(
            "first-probability-missing",
            _expand_with(first=False),
            "The probability of the start is missing: it is next_probs(prompt)[start].",
        ),
        Mistake(
            "first-probability-one",
            lambda *args: (
                _expand_with()(*args)[0],
                np.append(1.0, _expand_with()(*args)[1][1:]),
            ),
            "You gave the start the probability 1: it is next_probs(prompt)[start].",
        ),
        Mistake(
            "second-best",
            _expand_with(pick=lambda row: np.argsort(-row)[1]),
            "You took the second likeliest id each time.",
        ),
    ),
    praise="Greedy from the start on, the end included, the prompt not.",
)


def check_expand(expand: Any) -> Check:
    """Check expand(next_probs, prompt, start, max_tokens, eos_id) -> (ids, probs), start first.

    >>> check_expand(_expand_with(keep_end=False)).mistake
    'end-dropped'
    """
    return judge(EXPAND, expand)


# --- score ----------------------------------------------------------------------------------------


def _score(probs, kind):
    logs = np.log(probs)
    means = {"arithmetic": np.mean(probs), "geometric": np.exp(logs.mean()), "sum": logs.sum()}
    return float(means[kind])


@combinable
def _score_with(**wrong):
    """Return a score where some kinds are computed by another function of probs [T]."""
    return lambda probs, kind: (
        wrong[kind](np.asarray(probs)) if kind in wrong else _score(probs, kind)
    )


SCORE = Exercise(
    name="score",
    call="score(probs, kind)",
    truth=_score,
    not_allowed=(score_tokens, running_scores),
    cases=lambda: (
        [
            Case(f"probabilities {probs}, kind {kind!r}", (np.array(probs), kind))
            for probs in ([0.1, 1.0, 0.7], [0.5, 0.25], [0.3], [0.9, 0.2, 0.4, 0.6])
            for kind in ("arithmetic", "geometric", "sum")
        ]
        + [
            Case(
                "500 tokens, kind 'geometric'",
                (np.full(500, 0.1), "geometric"),
                "The product of 500 probabilities is rounded to 0: take the mean of the logarithms,"
                " then exp().",
            ),
            Case(
                "500 tokens, kind 'sum'",
                (np.full(500, 0.1), "sum"),
                "The product of 500 probabilities is rounded to 0, and its logarithm is -inf: add"
                " the logarithms.",
            ),
        ]
    ),
    mistakes=(
        Mistake(
            "geometric-is-product",
            _score_with(geometric=np.prod),
            "Your geometric score is the product: take its T-th root, exp of the mean logarithm.",
        ),
        Mistake(
            "geometric-without-exp",
            _score_with(geometric=lambda p: np.log(p).mean()),
            "Your geometric score is the mean logarithm: take exp() of it.",
        ),
        Mistake(
            "geometric-is-perplexity",
            _score_with(geometric=lambda p: np.exp(-np.log(p).mean())),
            "Your geometric score is the perplexity: there is a minus too many.",
        ),
        Mistake(
            "geometric-square-root",
            _score_with(geometric=lambda p: np.sqrt(np.prod(p))),
            "Your geometric score is a square root whatever the length: it is the T-th root.",
        ),
        Mistake(
            "sum-of-probabilities",
            _score_with(sum=np.sum),
            "Your sum adds probabilities: add their logarithms.",
        ),
        Mistake(
            "sum-is-product",
            _score_with(sum=np.prod),
            "Your sum is the product of the probabilities: it is the sum of their logarithms.",
        ),
        Mistake(
            "sum-positive",
            _score_with(sum=lambda p: -np.log(p).sum()),
            "Your sum has the wrong sign: log-probabilities are negative, and more is better.",
        ),
        Mistake(
            "sum-averaged",
            _score_with(sum=lambda p: np.log(p).mean()),
            "Your sum is a mean of logarithms.",
        ),
        Mistake(
            "sum-in-bits",
            _score_with(sum=lambda p: np.log2(p).sum()),
            "Your sum is in bits (log2): use np.log.",
        ),
        Mistake(
            "arithmetic-sum",
            _score_with(arithmetic=np.sum),
            "Your arithmetic score is a sum: take the mean, or long texts always win.",
        ),
        Mistake(
            "start-left-out",
            lambda probs, kind: _score(probs[1:] if len(probs) > 1 else probs, kind),
            "The first token was left out: the start counts, too.",
        ),
        Mistake(
            "kind-ignored",
            lambda probs, kind: _score(probs, "arithmetic"),
            "You return the arithmetic mean for every kind.",
        ),
        Mistake(
            "names-swapped",
            lambda probs, kind: _score(
                probs,
                {"arithmetic": "geometric", "geometric": "arithmetic"}.get(kind, kind),
            ),
            "The names are swapped: arithmetic is the plain mean.",
        ),
    ),
    praise="All three scores, and long texts do not vanish.",
)


def check_score(score: Any) -> Check:
    """Check score(probs [T], kind) for the kinds "arithmetic", "geometric" and "sum".

    >>> check_score(_score_with(geometric=np.prod)).mistake
    'geometric-is-product'
    """
    return judge(SCORE, score)
