"""The arguments of a test in words, and as a line that brings them into a cell.

What is not here: running an answer (running.py), judging it (judging.py).
"""

import re

import numpy as np

FEW = 8  # numbers of an array that are told in full


def names_of(call: str) -> list[str]:
    """Return the arguments' names of a call such as "rmsnorm(x, gain, eps)".

    >>> names_of("rmsnorm(x, gain, eps)")
    ['x', 'gain', 'eps']
    """
    return re.findall(r"\w+", call.partition("(")[2])


def told(call: str, args: tuple) -> str:
    """Return the arguments in words, a line each: shape and first values, or the text.

    >>> print(told("f(x, n)", (np.ones((2, 3, 4)), 5)))
    x = array of shape (2, 3, 4): 1, 1, 1, 1, ...
    n = 5
    """
    pairs = zip(names_of(call), args, strict=False)
    return "\n".join(f"{name} = {_short(value)}" for name, value in pairs)


def recipe(call: str, fn_name: str) -> str:
    """Return the line that makes these arguments in a cell.

    >>> recipe("score(probs, kind)", "my_score"), recipe("softmax(scores)", "softmax")
    ('probs, kind = check_score(my_score).arguments', 'scores, = check_softmax(softmax).arguments')
    """
    names = names_of(call)
    left = ", ".join(names) + "," * (len(names) == 1)
    return f"{left} = check_{call.partition('(')[0]}({fn_name}).arguments"


def _short(value):
    if isinstance(value, np.ndarray):
        if value.size <= FEW:
            short = value.round(4) if value.dtype.kind == "f" else value
            return "np." + " ".join(repr(short).split())
        first = ", ".join(f"{float(x):.4g}" for x in value.reshape(-1)[:4])
        return f"array of shape {value.shape}: {first}, ..."
    if isinstance(value, np.random.Generator):
        return "a numpy.random.Generator"
    if callable(value):
        return "a function"
    text = repr(value)
    return text if len(text) <= 90 else f"{text[:70]}... ({len(value)} in all)"
