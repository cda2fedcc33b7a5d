"""What went wrong, in words: a known mistake, a part of the answer, or what all results share.

What is not here: the known mistakes themselves (mistakes.py and the files named after the lessons),
and the comparison of two values (compare.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu.exercises.judge.compare import difference
from lunsedu.exercises.judge.forms import returns_inside_a_loop, wrong_form
from lunsedu.exercises.judge.mistakes import recognise, recognise_part

if TYPE_CHECKING:
    from lunsedu.exercises.judge.judging import Exercise


def explanation(
    exercise: Exercise, fn: Any, done: Sequence[tuple], wrong: Sequence[int]
) -> tuple[str | None, str]:
    """Return (name, sentence) for wrong results; (None, "") when they fit nothing that is known.

    done: (case, value, truth) of every run; wrong: which of them differ, one at least.
    """
    case, value, truth = done[wrong[0]]
    if exercise.verify is None:
        for i in wrong:
            form = wrong_form(done[i][1], done[i][2], exercise.outputs)
            if form:
                return form
    found = recognise(exercise, done)
    if found:
        joined = " And also: ".join(dict.fromkeys(mistake.says for mistake in found))
        return "+".join(dict.fromkeys(mistake.name for mistake in found)), joined
    if isinstance(truth, tuple) and exercise.outputs and any(not done[i][0].hint for i in wrong):
        names, said = _explain_parts(exercise, done)
        if said:
            return names, said
    if case.hint:
        return case.label, case.hint
    if returns_inside_a_loop(fn):
        return "return-in-a-loop", (
            "Your `return` stands inside a loop, so the function ends in the first round: move it"
            " to the left, below the loop."
        )
    return None, _pattern(exercise, done)


def _explain_parts(exercise, done):
    """Return (names, sentences) for an answer of several parts: each is judged for itself."""
    try:
        ordinary = [(c, tuple(v), t) for c, v, t in done if not c.hint]
    except TypeError:
        return None, ""
    if any(len(value) != len(truth) for _, value, truth in ordinary):
        return None, ""
    names, said, right = [], [], []
    for part, output in enumerate(exercise.outputs):
        pairs = [(value[part], truth[part]) for _, value, truth in ordinary]
        if not any(difference(*pair) for pair in pairs):
            right.append(output)
            continue
        mistake = recognise_part(exercise, ordinary, part)
        if mistake:
            names.append(mistake.name)
            said.append(f"{output}: {mistake.says}")
        else:
            pattern = _pattern_of(pairs)
            first = next(words for pair in pairs if (words := difference(*pair)))
            said.append(f"{output} is wrong: {pattern or first.splitlines()[0]}")
    if right:
        said.append(f"{' and '.join(right)} {'is' if len(right) == 1 else 'are'} right.")
    return "+".join(dict.fromkeys(names)) or None, "\n".join(said)


def _pattern(exercise, done):
    """Return what all results have in common with the truth, in a sentence, or ''."""
    return _pattern_of([(value, truth) for case, value, truth in done if not case.hint])


def _pattern_of(pairs):
    if not all(isinstance(truth, np.ndarray) and np.isfinite(truth).all() for _, truth in pairs):
        return ""
    try:
        pairs = [(np.asarray(value, dtype=float), truth) for value, truth in pairs if truth.any()]
    except (TypeError, ValueError):
        return ""
    if not pairs or any(value.shape != truth.shape for value, truth in pairs):
        return ""
    if not any(value.any() for value, _ in pairs):
        return "Your result holds nothing but zeros."
    if not any(difference(-value, truth) for value, truth in pairs):
        return "Your result has the wrong sign everywhere."
    value, truth = pairs[0]
    factor = (value * truth).sum() / (truth**2).sum()
    if not np.isfinite(factor) or any(difference(v, factor * t) for v, t in pairs):
        return ""
    return f"Your result is the right one times {factor:.4g}, in every test."
