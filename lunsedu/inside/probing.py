"""What can be read out of vectors: a linear probe, judged on what it was not fitted to.

    p = probe(a.residual[2][:, -1], cups)
    p.accuracy, p.interval, p.chance

A probe is a small model that reads a large one: here ridge regression, one column of numbers for
each class. Half of the cases fit it, the other half say how good it is.

Sources: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"
(arXiv 1610.01644); the trap, and how to see it: Hewitt and Liang 2019, "Designing and Interpreting
Probes with Control Tasks" (arXiv 1909.03368).

What is not here: whether the model uses what a probe finds. That is what patching asks
(running.py, effects.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lunsedu import checks
from lunsedu.evaluation.intervals import proportion


@dataclass(frozen=True)
class Probe:
    """A fitted probe, and how often it was right on the half that was held back.

    `interval` (low, high) holds the accuracy of all such cases, 95 times of 100; `chance` is how
    often one is right on the held-back half who always says the commonest class of the half to fit;
    `fitted` how often the probe is right on the half that it was fitted to. `held_back` [M] are the
    numbers of the cases of the held-back half.
    """

    accuracy: float
    interval: tuple[float, float]
    chance: float
    fitted: float
    classes: np.ndarray
    held_back: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    bias: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the class [N] that the probe reads out of each row of x [N, D].

        Raises ValueError unless x holds finite numbers, as many a row as the probe was fitted to.
        """
        x = _finite(_vectors(x))
        if x.shape[1] != len(self.mean):
            raise ValueError(
                f"this probe reads vectors of {len(self.mean)} numbers, not of {x.shape[1]}"
            )
        scores = (x - self.mean) @ self.weights + self.bias  # [N, C]
        return self.classes[scores.argmax(axis=1)]

    def __repr__(self) -> str:
        low, high = (f"{100 * end:.0f}" for end in self.interval)
        return (
            f"probe: {100 * self.accuracy:.0f} % right ({low} to {high}) on {len(self.held_back)}"
            f" held-back cases, chance {100 * self.chance:.0f} %"
        )


def probe(x: np.ndarray, y: np.ndarray, seed: int = 0, ridge: float = 0.01) -> Probe:
    """Fit a linear probe that reads the class y int [N] out of x [N, D]; return a Probe.

    Half of the cases, drawn by `seed`, fit it; the accuracy is that on the others. `ridge` pulls
    the weights towards zero: it is a share of the mean square of x, so the size of x does not
    matter.

    Raises ValueError unless there are at least 4 cases, finite numbers, two classes in the half
    that fits, and a seed that is a whole number.

    >>> x = np.eye(3)[np.arange(60) % 3] + 0.1 * np.sin(np.arange(180.0)).reshape(60, 3)
    >>> probe(x, np.arange(60) % 3)
    probe: 100 % right (89 to 100) on 30 held-back cases, chance 23 %
    """
    x, y = _cases(x, y)
    ridge = checks.number("ridge", ridge, "a positive number", lambda r: 0 < r < np.inf)
    order = checks.dice(seed).permutation(len(y))  # [N]
    fit, rest = order[: len(y) // 2], np.sort(order[len(y) // 2 :])  # [N/2], [N - N/2]
    classes, at = np.unique(y[fit], return_inverse=True)  # [C], [N/2]
    if len(classes) < 2:
        raise ValueError("the half that fits has only one class: nothing can be told apart")
    wanted = np.eye(len(classes))[at]  # [N/2, C]: 1 in the column of the class, else 0
    mean, bias = x[fit].mean(axis=0), wanted.mean(axis=0)  # [D], [C]
    weights = ridge_weights(x[fit] - mean, wanted - bias, ridge)  # [D, C]
    commonest = classes[np.bincount(at).argmax()]

    def right(rows):
        return int((classes[((x[rows] - mean) @ weights + bias).argmax(axis=1)] == y[rows]).sum())

    found = proportion(right(rest), len(rest))
    return Probe(
        accuracy=found.value,
        interval=(found.low, found.high),
        chance=float((y[rest] == commonest).mean()),
        fitted=right(fit) / len(fit),
        classes=classes,
        held_back=rest,
        weights=weights,
        mean=mean,
        bias=bias,
    )


def ridge_weights(x: np.ndarray, wanted: np.ndarray, ridge: float) -> np.ndarray:
    """Return the weights [D, C] for which x [N, D] @ weights is nearest to wanted [N, C].

    Nearest in the sum of squares, plus `ridge` times N times the mean square of x, times the sum of
    the weights' squares. The solution of (xᵀx + penalty) w = xᵀ wanted. Source: Hoerl and Kennard
    1970, "Ridge Regression", Technometrics 12.

    >>> ridge_weights(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]), ridge=1e-9).round(4)
    array([[2.]])
    """
    D = x.shape[1]
    penalty = ridge * np.einsum("nd,nd->", x, x) / D + np.finfo(float).tiny
    return np.linalg.solve(x.T @ x + penalty * np.eye(D), x.T @ wanted)


def _cases(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return x [N, D] in double precision and y [N], checked."""
    x, y = _vectors(x), np.asarray(y)
    if y.shape != x.shape[:1] or y.dtype.kind not in "iub":
        raise ValueError(
            f"y must be a whole number for each of the {len(x)} vectors, not {y.dtype} {y.shape}"
        )
    if len(x) < 4:
        raise ValueError(f"a probe needs at least 4 cases, half of them to be tested, not {len(x)}")
    return _finite(x), y


def _vectors(x: Any) -> np.ndarray:
    """Return x as an array [N, D] of numbers."""
    x = np.asarray(x)
    if x.ndim != 2 or x.dtype.kind not in "iuf" or x.shape[1] == 0:
        raise ValueError(f"a probe reads vectors x [N, D] of numbers, not {x.dtype} {x.shape}")
    return x


def _finite(x: np.ndarray) -> np.ndarray:
    """Return x in double precision; ValueError unless all of it is finite."""
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        raise ValueError("x holds values that are not finite numbers")
    return x
