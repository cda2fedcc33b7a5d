"""Cases that nobody can know beforehand: drawn anew in each grading run.

The cases of a check are public, so a student could write down a table of what is asked and what is
right. Here the same kinds of cases come with other numbers: those of a check that are random are
drawn by a secret of the run, and where a check has none that are random, DRAWN makes some.

What is not here: the cases that students see (the files of checks).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from lunsedu.exercises.judge.judging import Case
from lunsedu.exercises.judge.running import unchanged
from lunsedu.exercises.judge.samples import other_numbers

if TYPE_CHECKING:
    from lunsedu.exercises.judge.judging import Exercise

LABEL = "other numbers than in the notebook"


def cases(exercise: Exercise, secret: int) -> list[Case]:
    """Return fresh cases of an exercise; the same secret gives the same ones."""
    known = exercise.cases()
    with other_numbers(secret):
        again = exercise.cases()
    found = [
        new
        for old, new in zip(known, again, strict=True)
        if not unchanged(old.args, new.args)
        and new.tolerance is None  # float32 passes those by its numbers, and not by others
    ]
    draw = DRAWN.get(exercise.name)
    if draw is not None:
        rng = np.random.default_rng([secret, zlib.crc32(exercise.name.encode())])
        found += [Case(LABEL, draw(rng)) for _ in range(4)]
    return found


# --- how to draw ----------------------------------------------------------------------------------


def _ids(rng, low, high, most):
    return [int(i) for i in rng.integers(most, size=rng.integers(low, high))]


def _share(rng, size):
    weights = rng.random(size) + 0.05
    return weights / weights.sum()


def _count_pairs(rng):
    return ({tuple(_ids(rng, 2, 7, 4)): int(rng.integers(1, 9)) for _ in range(4)},)


def _merge(rng):
    return _ids(rng, 6, 14, 3), tuple(_ids(rng, 2, 3, 3)), int(rng.integers(256, 400))


def _encode(rng):
    letters = [int(i) for i in rng.choice(np.arange(97, 123), 4, replace=False)]
    a, b, c, d = letters
    merges = [(b, c), (a, b), (256, d), (a, 256), (257, 256)]
    return "".join(chr(letters[i]) for i in rng.integers(4, size=12)), merges


def _count_bigrams(rng):
    size = int(rng.integers(3, 7))
    return [_ids(rng, 2, 9, size) for _ in range(3)], size


def _bigram_probabilities(rng):
    size = int(rng.integers(2, 6))
    return rng.integers(9, size=(size, size)).astype(float), float(rng.uniform(0.1, 2))


def _gap(rng):
    size = int(rng.integers(3, 7))
    p = np.sort(_share(rng, size))
    p[-1] += 1  # far from q, so that the gap is no difference of nearly equal numbers
    return p / 2, _share(rng, size)


def _back_off(rng):
    words = ["a", "cat", "dog", "sat", "mat"]

    def seen():
        picked = rng.choice(words, 3, replace=False)
        return {str(word): int(rng.integers(1, 9)) for word in picked}

    before = [str(word) for word in rng.choice(words, 2)]
    tables = {(): seen(), (before[1],): seen(), tuple(before): seen()}
    return tables, str(rng.choice(words)), tuple(before), int(rng.integers(6, 20))


def _causal_mask(rng):
    queries = int(rng.integers(2, 30))
    return queries, queries + int(rng.integers(0, 30))


def _learning_rate(rng):
    warm, total = int(rng.integers(3, 9)), int(rng.integers(20, 60))
    step = int(rng.integers(0, total))
    return step, float(rng.uniform(0.1, 3)), warm, total, float(rng.uniform(0.05, 0.5))


def _branch(rng):
    probs = _share(rng, int(rng.integers(5, 12)))
    forbidden = sorted(int(i) for i in rng.choice(len(probs), 2, replace=False))
    return probs, int(rng.integers(2, len(probs))), forbidden


def _expand(rng):
    seed, size = int(rng.integers(2**40)), int(rng.integers(4, 9))

    def next_probs(ids):
        odds = np.exp(2 * np.random.default_rng([seed, *map(int, ids)]).standard_normal(size))
        return odds / odds.sum()

    prompt, start = _ids(rng, 1, 4, size), int(rng.integers(size))
    return next_probs, prompt, start, int(rng.integers(4, 12)), int(rng.integers(size))


def _score(rng):
    return rng.uniform(0.05, 1, size=rng.integers(2, 8)), str(
        rng.choice(["arithmetic", "geometric", "sum"])
    )


def _fingerprint(rng):
    return (["".join(chr(i) for i in rng.integers(97, 123, size=n)) for n in (4, 1, 6)],)


def _forgetting(rng):
    size = int(rng.integers(3, 8))
    before = rng.uniform(0.5, 3, size=size)
    return before, before + rng.uniform(-0.5, 1, size=size), rng.integers(1, 60, size=size)


def _mix(rng):
    mark = "".join(chr(i) for i in rng.integers(97, 123, size=6))
    old = [f"{mark} old {i}" for i in range(int(rng.integers(40, 60)))]
    new = [f"{mark} new {i}" for i in range(int(rng.integers(10, 30)))]
    return old, new, float(rng.choice([0.25, 0.5])), np.random.default_rng(rng.integers(2**40))


def _interval(rng):
    count = int(rng.integers(5, 300))
    return int(rng.integers(0, count + 1)), count, float(rng.uniform(1, 3))


def _disagreements(rng):
    size = int(rng.integers(20, 60))
    return rng.random(size) > 0.4, rng.random(size) > 0.6


def _adapter_size(rng):
    shapes = [tuple(int(n) for n in rng.integers(2, 30, size=2)) for _ in range(rng.integers(2, 6))]
    return (shapes, int(rng.integers(2, 9)))


def _answer_targets(rng):
    return (_ids(rng, 2, 7, 40), _ids(rng, 1, 6, 40), int(rng.integers(40, 50)))


def _control_task(rng):
    words = ["ann", "ben", "eva", "leo", "mia", "sam", "tom", "zoe"]
    kinds = [str(word) for word in rng.choice(words, rng.integers(3, 7), replace=False)]
    more = [str(word) for word in rng.choice(kinds, rng.integers(3, 9))]
    return kinds + more, [int(i) for i in rng.permutation(20)[: len(kinds)]]


def _training_bytes(rng):
    return (*(int(n) for n in rng.integers(3, 60, size=3)), int(rng.integers(2, 9)), 4)


def _pass_at_k(rng):
    n = int(rng.integers(5, 40))
    return n, rng.integers(0, n + 1, size=rng.integers(2, 9)), int(rng.integers(2, n))


def _mended_reward(rng):
    cup, other, third = (int(i) for i in rng.permutation(np.arange(1, 10))[:3])
    question = f"zoe hides a pea under cup {other} . swap {other} {cup} . so where is it now ?"
    answers = [
        f" under {cup} .",
        f" {other} , then {third} , then {cup} .",
        f" under {third} .",
        f" {cup} , then {third} .",
        f" {other} , then {cup}",
        f" under {third} . under {cup} .",
        f" under {third}{cup} .",
    ]
    return question + answers[rng.integers(len(answers))], cup


DRAWN = {
    "count_pairs": _count_pairs,
    "merge": _merge,
    "encode": _encode,
    "count_bigrams": _count_bigrams,
    "bigram_probabilities": _bigram_probabilities,
    "gap": _gap,
    "back_off": _back_off,
    "causal_mask": _causal_mask,
    "learning_rate": _learning_rate,
    "branch": _branch,
    "expand": _expand,
    "score": _score,
    "fingerprint": _fingerprint,
    "forgetting": _forgetting,
    "mix": _mix,
    "interval": _interval,
    "disagreements": _disagreements,
    "pass_at_k": _pass_at_k,
    "mended_reward": _mended_reward,
    "adapter_size": _adapter_size,
    "answer_targets": _answer_targets,
    "control_task": _control_task,
    "training_bytes": _training_bytes,
}
