"""Checks for lesson 13: an adapter's size, its way into the weights, its gradients, its targets.

Shapes: N rows, in and out the widths of a matrix, r the rank.
"""

from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

# --- how many numbers -----------------------------------------------------------------------------


def _size(shapes, rank):
    return sum(rank * (inner + outer) for inner, outer in shapes)


ADAPTER_SIZE = Exercise(
    name="adapter_size",
    call="adapter_size(shapes, rank)",
    truth=_size,
    cases=lambda: [
        Case("one matrix, rank 1", ([(3, 5)], 1)),
        Case("one matrix, rank 4", ([(6, 11)], 4)),
        Case("three matrices, rank 3", ([(4, 7), (10, 2), (5, 8)], 3)),
        Case("two matrices of one shape, rank 2", ([(5, 9), (5, 9)], 2)),
    ],
    mistakes=(
        Mistake(
            "full",
            lambda shapes, rank: sum(i * o for i, o in shapes),
            "That is the size of the matrices themselves: an adapter holds A [in, r] and"
            " B [r, out].",
        ),
        Mistake(
            "rank-times-full",
            lambda shapes, rank: rank * sum(i * o for i, o in shapes),
            "You multiplied in by out: A has in * r numbers and B has r * out, so add in and out.",
        ),
        Mistake(
            "no-rank",
            lambda shapes, rank: sum(i + o for i, o in shapes),
            "The rank is missing: each unit of rank needs a column of A and a row of B.",
        ),
        Mistake(
            "only-a",
            lambda shapes, rank: rank * sum(i for i, _ in shapes),
            "You counted A only: B [r, out] belongs to the adapter, too.",
        ),
        Mistake(
            "only-b",
            lambda shapes, rank: rank * sum(o for _, o in shapes),
            "You counted B only: A [in, r] belongs to the adapter, too.",
        ),
        Mistake(
            "first-only",
            lambda shapes, rank: _size(shapes[:1], rank),
            "Only the first matrix was counted: add up all of them.",
        ),
        Mistake(
            "last-only",
            lambda shapes, rank: _size(shapes[-1:], rank),
            "Only the last matrix was counted: start the sum before the loop, and use +=.",
        ),
        Mistake(
            "with-the-weights",
            lambda shapes, rank: _size(shapes, rank) + sum(i * o for i, o in shapes),
            "You counted the frozen matrices as well: only A and B are the adapter's.",
        ),
        Mistake(
            "product-of-both",
            lambda shapes, rank: sum((i * rank) * (rank * o) for i, o in shapes),
            "You multiplied the sizes of A and B: two things that are kept beside each other add"
            " up.",
        ),
        Mistake(
            "one-of-each-shape",
            lambda shapes, rank: _size(sorted(set(shapes)), rank),
            "Two matrices of the same shape were counted once: each has an adapter of its own.",
        ),
        Mistake(
            "rank-squared",
            lambda shapes, rank: rank * _size(shapes, rank),
            "The rank was counted twice: multiply (in + out) by it once.",
        ),
    ),
    praise="The size grows with in + out, where a matrix grows with in * out.",
)


def check_adapter_size(adapter_size: Any) -> Check:
    """Check adapter_size(shapes [(in, out), ...], rank) -> how many numbers A and B have in all.

    >>> check_adapter_size(lambda shapes, rank: sum(i * o for i, o in shapes)).mistake
    'full'
    """
    return judge(ADAPTER_SIZE, adapter_size)


# --- into the weights -----------------------------------------------------------------------------


def _merged(w, a, b, alpha):
    return w + alpha / a.shape[1] * a @ b


def _merged_with(scale, sign=1.0, keep=1.0):
    """Return a merge that is wrong in its scale, its sign or in what becomes of w."""

    def wrong(w, a, b, alpha):
        return keep * w + sign * scale(w, a, alpha) * a @ b

    return wrong


def _right_scale(w, a, alpha):
    return alpha / a.shape[1]


MERGE_ADAPTER = Exercise(
    name="merge_adapter",
    call="merge_adapter(w, a, b, alpha)",
    truth=_merged,
    cases=lambda: [
        Case(
            f"w of shape ({inner}, {outer}), rank {rank}, alpha {alpha}",
            (
                normal(s, inner, outer),
                normal(s + 1, inner, rank),
                normal(s + 2, rank, outer),
                alpha,
            ),
        )
        for s, inner, outer, rank, alpha in (
            (1, 3, 5, 1, 4),
            (11, 4, 7, 2, 5),
            (21, 7, 6, 3, 1),
            (31, 5, 8, 4, 16.0),
        )
    ],
    mistakes=(
        Mistake(
            "no-scale",
            _merged_with(lambda w, a, alpha: 1.0),
            "The scale is missing: A @ B is multiplied by alpha / r.",
        ),
        Mistake(
            "alpha-only",
            _merged_with(lambda w, a, alpha: alpha),
            "You multiplied by alpha and forgot to divide by the rank, a.shape[1].",
        ),
        Mistake(
            "upside-down",
            _merged_with(lambda w, a, alpha: a.shape[1] / alpha),
            "Your scale is upside down: it is alpha / r, not r / alpha.",
        ),
        Mistake(
            "one-over-rank",
            _merged_with(lambda w, a, alpha: 1 / a.shape[1]),
            "You divided by the rank and forgot alpha: the scale is alpha / r.",
        ),
        Mistake(
            "divided-by-in",
            _merged_with(lambda w, a, alpha: alpha / a.shape[0]),
            "You divided by a.shape[0], the width of the input: the rank is a.shape[1].",
        ),
        Mistake(
            "divided-by-out",
            _merged_with(lambda w, a, alpha: alpha / w.shape[1]),
            "You divided by the width of the output: the rank is a.shape[1].",
        ),
        Mistake(
            "root",
            _merged_with(lambda w, a, alpha: alpha / np.sqrt(a.shape[1])),
            "You divided by the root of the rank. There is a method that does so, but here the"
            " scale is alpha / r.",
        ),
        Mistake(
            "whole-division",
            _merged_with(lambda w, a, alpha: alpha // a.shape[1]),
            "You divided with //, which cuts off the fraction: use /.",
        ),
        Mistake(
            "scale-twice",
            _merged_with(lambda w, a, alpha: (alpha / a.shape[1]) ** 2),
            "The scale came in twice, perhaps with A and with B: multiply their product once.",
        ),
        Mistake(
            "subtracted",
            _merged_with(_right_scale, sign=-1.0),
            "You subtracted the change: that is taking an adapter out. Add it.",
        ),
        Mistake(
            "change-alone",
            _merged_with(_right_scale, keep=0.0),
            "You returned the change alone: add it to w.",
        ),
        Mistake(
            "all-scaled",
            lambda w, a, b, alpha: alpha / a.shape[1] * (w + a @ b),
            "You scaled w as well: only A @ B is multiplied by alpha / r.",
        ),
    ),
    praise="The scale alpha / r is right for unequal numbers, and w itself stayed as it was.",
)


def check_merge_adapter(merge_adapter: Any) -> Check:
    """Check merge_adapter(w [in, out], a [in, r], b [r, out], alpha) -> [in, out], a new array.

    >>> check_merge_adapter(lambda w, a, b, alpha: w + a @ b).mistake
    'no-scale'
    """
    return judge(MERGE_ADAPTER, merge_adapter)


# --- gradients ------------------------------------------------------------------------------------


@combinable
def _back_with(frozen=1.0, thin=1.0, dx_scale=1, da_scale=1, db_scale=1, mean=False, swap=False):
    """Return a backward pass of a low-rank layer that is wrong in the given way."""

    def wrong(dy, x, w, a, b, scale):
        du, u = dy @ b.T, x @ a
        dx = frozen * dy @ w.T + thin * scale**dx_scale * du @ a.T
        da, db = scale**da_scale * x.T @ du, scale**db_scale * u.T @ dy
        if mean:
            da, db = da / len(x), db / len(x)
        return (dx, db, da) if swap else (dx, da, db)

    return wrong


LOW_RANK_BACKWARD = Exercise(
    name="low_rank_backward",
    call="low_rank_backward(dy, x, w, a, b, scale)",
    truth=_back_with(),
    outputs=("dx", "da", "db"),
    cases=lambda: [
        Case(
            f"x of shape ({N}, {inner}), dy of shape ({N}, {outer}), rank {rank}, scale {scale}",
            (
                normal(s, N, outer),
                normal(s + 1, N, inner),
                normal(s + 2, inner, outer),
                normal(s + 3, inner, rank),
                normal(s + 4, rank, outer),
                scale,
            ),
        )
        for s, N, inner, outer, rank, scale in (
            (1, 2, 3, 4, 1, 2.0),
            (11, 5, 4, 6, 2, 0.5),
            (21, 3, 6, 5, 3, 3.0),
        )
    ],
    mistakes=(
        Mistake(
            "no-thin-way",
            _back_with(thin=0.0),
            "Your dx forgets the way through the thin middle: x also reaches y through A and B. Add"
            " du @ a.T.",
        ),
        Mistake(
            "no-frozen-way",
            _back_with(frozen=0.0),
            "Your dx forgets the frozen matrix: it does not learn, but it hands the gradient on."
            " Add dy @ w.T.",
        ),
        Mistake(
            "dx-scale-missing",
            _back_with(dx_scale=0),
            "The scale is missing in dx, in the part that comes through A and B.",
        ),
        Mistake(
            "da-scale-missing",
            _back_with(da_scale=0),
            "The scale is missing in da.",
        ),
        Mistake(
            "db-scale-missing",
            _back_with(db_scale=0),
            "The scale is missing in db.",
        ),
        Mistake(
            "da-scale-twice",
            _back_with(da_scale=2),
            "The scale came into da twice: if du holds it already, da = x.T @ du needs no more.",
        ),
        Mistake(
            "db-scale-twice",
            _back_with(db_scale=2),
            "The scale came into db twice: once is enough.",
        ),
        Mistake(
            "dx-scale-twice",
            _back_with(dx_scale=2),
            "The scale came into dx twice: if du holds it already, du @ a.T needs no more.",
        ),
        Mistake(
            "thin-subtracted",
            _back_with(thin=-1.0),
            "The part of dx that comes through A and B has the wrong sign: both ways add up.",
        ),
        Mistake(
            "mean",
            _back_with(mean=True),
            "Your da and db are means over the rows: gradients of shared things add up.",
        ),
        Mistake(
            "swapped",
            _back_with(swap=True),
            "You returned db before da: the order is dx, da, db.",
        ),
    ),
    praise="Everything passes the thin middle, and no gradient of w was formed.",
)


def check_low_rank_backward(low_rank_backward: Any) -> Check:
    """Check low_rank_backward(dy, x, w, a, b, scale) -> (dx, da, db), for y = x w + scale x a b.

    >>> check_low_rank_backward(_back_with(thin=0.0)).mistake
    'no-thin-way'
    """
    return judge(LOW_RANK_BACKWARD, low_rank_backward)


# --- only the answer is graded --------------------------------------------------------------------


def _targets(prompt, answer, eos):
    return [-1] * (len(prompt) - 1) + list(answer) + [eos]


ANSWER_TARGETS = Exercise(
    name="answer_targets",
    call="answer_targets(prompt, answer, eos)",
    truth=_targets,
    tidy=lambda value: value.tolist() if isinstance(value, np.ndarray) else value,
    cases=lambda: [
        Case("three tokens of prompt, two of answer", ([5, 6, 7], [8, 9], 2)),
        Case("one token of prompt", ([4], [7, 8, 6], 3)),
        Case("an answer of one token", ([9, 4, 8, 6], [5], 1)),
        Case("an answer that repeats the prompt", ([5, 6, 5], [5, 6, 5, 6], 2)),
        Case("an empty answer", ([3, 7], [], 4)),
    ],
    mistakes=(
        Mistake(
            "not-shifted",
            lambda p, a, e: [-1] * len(p) + list(a),
            "Your targets stand one place too late: each position is asked for the NEXT token, so"
            " the last token of the prompt has the first token of the answer as its target, and the"
            " end of the text is one, too.",
        ),
        Mistake(
            "prompt-graded",
            lambda p, a, e: [*p[1:], *a, e],
            "The prompt is graded, too: put -1 where the next token belongs to the prompt.",
        ),
        Mistake(
            "no-end",
            lambda p, a, e: [-1] * (len(p) - 1) + list(a) + [-1],
            "The end of the text is not graded: without it the model never learns to stop. The last"
            " target is eos.",
        ),
        Mistake(
            "end-left-out",
            lambda p, a, e: [-1] * (len(p) - 1) + list(a),
            "The end of the text is missing: the last token of the answer has eos as its target.",
        ),
        Mistake(
            "first-not-graded",
            lambda p, a, e: [-1] * len(p) + [*a, e][1:],
            "The first token of the answer is not graded: the last token of the prompt is asked"
            " for it.",
        ),
        Mistake(
            "one-too-many",
            lambda p, a, e: [-1] * len(p) + [*a, e],
            "There is one -1 too many: of a prompt with P tokens, P - 1 have a next token that"
            " belongs to the prompt.",
        ),
        Mistake(
            "zeros",
            lambda p, a, e: [0] * (len(p) - 1) + [*a, e],
            "You wrote 0 where nothing is graded, but 0 is a token: write -1.",
        ),
        Mistake(
            "ends",
            lambda p, a, e: [e] * (len(p) - 1) + [*a, e],
            "You wrote eos where nothing is graded: then the model learns to stop inside of a"
            " prompt. Write -1.",
        ),
        Mistake(
            "previous",
            lambda p, a, e: [-1] * len(p) + [p[-1], *a][: len(a)],
            "Your targets are the tokens BEFORE each position: they must be those after it.",
        ),
        Mistake(
            "answer-alone",
            lambda p, a, e: [*a, e],
            "You left the prompt's places out: there must be a target, or -1, for each token that"
            " is read.",
        ),
        Mistake(
            "only-the-end",
            lambda p, a, e: [-1] * (len(p) + len(a) - 1) + [e],
            "Only the end is graded: each token of the answer is a target.",
        ),
    ),
    praise="One target for each token that is read, the end among them, and none for the prompt.",
)


def check_answer_targets(answer_targets: Any) -> Check:
    """Check answer_targets(prompt, answer, eos) -> a target for each id of prompt + answer, or -1.

    >>> check_answer_targets(lambda p, a, e: [*p[1:], *a, e]).mistake
    'prompt-graded'
    """
    return judge(ANSWER_TARGETS, answer_targets)
