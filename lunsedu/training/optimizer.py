"""One step of learning: AdamW, the learning rate over time, and clipping of the gradient.

    clip_gradient(gradient, max_norm)
    optimizer.update(model.parameters, gradient, learning_rate(step, ...))

What is not here: gradients (model/), the loop over texts and epochs (loop.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.model.fast.forms import compiled

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from lunsedu.model.model import Lunsformter


def learning_rate(
    step: int,
    peak: float,
    warmup_steps: int = 50,
    total_steps: int | None = None,
    final_share: float = 0.1,
) -> float:
    """Return the learning rate for a step, counted from 0.

    It climbs in a straight line to `peak` over the warm-up. Then it stays there; or, when
    `total_steps` says where the end is, it falls along a half cosine to final_share * peak.

    Sources: warm-up, Goyal et al. 2017 (arXiv 1706.02677), section 2.2; cosine, Loshchilov and
    Hutter 2017 (arXiv 1608.03983), section 3, eq. 5. Raises ValueError for a step below 0 and other
    numbers that cannot work.

    >>> [learning_rate(step, 1.0, warmup_steps=4) for step in (0, 1, 3, 99)]
    [0.25, 0.5, 1.0, 1.0]
    >>> round(learning_rate(52, 1.0, warmup_steps=4, total_steps=100), 3)  # halfway down
    0.55
    """
    step = checks.whole_number("step", step)
    warmup_steps = checks.whole_number("warmup_steps", warmup_steps)
    if total_steps is not None:
        total_steps = checks.whole_number("total_steps", total_steps)
    for name, value in (("peak", peak), ("final_share", final_share)):
        checks.number(name, value, "a number of at least 0", lambda x: 0 <= x < math.inf)
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if total_steps is None:
        return peak
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * progress)))


def clip_gradient(gradient: np.ndarray, max_norm: float) -> float:
    """Shorten a gradient [P] in place to length `max_norm` if it is longer; return its length.

    Raises TypeError when the gradient is no array, ValueError when it is not flat or not of floats,
    or for a max_norm that is not above 0 (inf: no clipping).
    Source: Pascanu et al. 2013 (arXiv 1211.5063), section 3.2, algorithm 1.

    >>> g = np.array([3.0, 4.0])
    >>> clip_gradient(g, max_norm=1.0), g.round(6).tolist()
    (5.0, [0.6, 0.8])
    """
    if not isinstance(gradient, np.ndarray):
        raise TypeError(
            "gradient must be a numpy array, which is changed in place, not a"
            f" {type(gradient).__name__}"
        )
    if gradient.ndim != 1 or gradient.dtype.kind != "f":
        raise ValueError(
            f"gradient must be a flat vector [P] of floats, not {gradient.dtype} {gradient.shape}"
        )
    checks.number("max_norm", max_norm, "a number above 0 (inf: no clipping)", lambda x: x > 0)
    norm = math.sqrt(float(gradient @ gradient))
    if norm > max_norm:
        gradient *= max_norm / norm
    return norm


BLOCK = 1 << 14  # numbers that AdamW changes at a time: all it needs of them fits in the cache


class AdamW:
    """AdamW on one flat vector: a running mean of the gradient over the root of that of its square.

    m and v [P] are these two running means, `step` counts the updates. `decays` [P] is 1 where
    weight decay applies (matrices) and 0 where it does not (the gains of the norms).

    Source: Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2; Adam: Kingma and Ba 2015
    (arXiv 1412.6980), algorithm 1.

    >>> p, optimizer = np.array([1.0, 1.0]), AdamW(2, weight_decay=0.0)
    >>> optimizer.update(p, np.array([0.5, -3.0]), lr=0.1)
    >>> p.round(6).tolist()  # the first step has length lr, whatever the size of the gradient
    [0.9, 1.1]
    """

    def __init__(
        self,
        size: int,
        decays: Any = 1.0,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        dtype: DTypeLike = np.float64,
    ) -> None:
        size = checks.whole_number("size", size)
        self.m = np.zeros(size, dtype=dtype)  # [P]
        self.v = np.zeros(size, dtype=dtype)  # [P]
        self.step = 0
        self.decays, self.betas, self.eps, self.weight_decay = decays, betas, eps, weight_decay
        self._scratch = np.empty((2, min(size, BLOCK)), dtype=dtype)

    def update(self, parameters: np.ndarray, gradient: np.ndarray, lr: float) -> None:
        """Change the parameters [P] in place by one step against the gradient [P].

        It goes block by block and makes no new arrays: a block stays in the processor's cache
        from the first line to the last, where whole vectors would go to memory and back each time.

        Raises TypeError when the parameters are no array, ValueError when parameters, gradient and
        decays are not numbers of the shape of m and v, or lr is no finite number of at least 0;
        nothing is changed then.
        """
        gradient = np.asarray(gradient)
        self._check_vectors(parameters, gradient)
        lr = checks.number("lr", lr, "a finite number of at least 0", lambda lr: 0 <= lr < np.inf)
        self.step += 1
        beta1, beta2 = self.betas
        # the means start at 0, so early on they are too small by these factors
        m_scale = 1 / (1 - beta1**self.step)
        v_scale = 1 / (1 - beta2**self.step)
        if loops := compiled(parameters.dtype):
            decays = np.broadcast_to(self.decays, parameters.shape)  # [P]
            numbers = beta1, beta2, m_scale, v_scale, self.eps, lr, lr * self.weight_decay
            loops.adamw(parameters, gradient, self.m, self.v, decays, *numbers)
            return
        for start in range(0, len(parameters), BLOCK):
            block = slice(start, start + BLOCK)
            p, g, m, v = parameters[block], gradient[block], self.m[block], self.v[block]
            change, root = self._scratch[:, : len(p)]

            np.subtract(g, m, out=change)
            change *= 1 - beta1
            m += change  # m = beta1 * m + (1 - beta1) * g
            np.multiply(g, g, out=change)
            change -= v
            change *= 1 - beta2
            v += change  # v = beta2 * v + (1 - beta2) * g**2
            if self.weight_decay:
                decays = self.decays if np.ndim(self.decays) == 0 else self.decays[block]
                np.multiply(lr * self.weight_decay * decays, p, out=change)
                p -= change
            np.multiply(v, v_scale, out=root)
            np.sqrt(root, out=root)
            root += self.eps
            np.multiply(m, lr * m_scale, out=change)
            change /= root
            p -= change  # p -= lr * (m * m_scale) / (sqrt(v * v_scale) + eps)

    def _check_vectors(self, parameters, gradient):
        """Look at shapes and types only: compiled loops would write past the end of a vector."""
        if not isinstance(parameters, np.ndarray):
            raise TypeError(
                "parameters must be a numpy array, which is changed in place, not a"
                f" {type(parameters).__name__}"
            )
        if parameters.dtype.kind != "f" or gradient.dtype.kind not in "biuf":
            raise ValueError(
                "AdamW changes float parameters by a gradient of numbers, not"
                f" {parameters.dtype} by {gradient.dtype}"
            )
        shape = parameters.shape
        same = shape == gradient.shape == np.shape(self.m) == np.shape(self.v)
        if not same or parameters.ndim != 1 or np.shape(self.decays) not in ((), shape):
            shapes = {"parameters": shape, "gradient": gradient.shape, "m": np.shape(self.m)}
            shapes |= {"v": np.shape(self.v), "decays": np.shape(self.decays)}
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(
                f"AdamW needs flat vectors [P] of one length, not {found}: make the optimizer with"
                " AdamW(parameters.size)"
            )


def new_optimizer(model: Lunsformter, weight_decay: float = 0.01) -> AdamW:
    """Return an AdamW for this model; only its matrices decay, not the gains of its norms."""
    decays = np.empty_like(model.parameters)  # [P]
    for view in model.named_gradients(decays).values():
        view[...] = view.ndim > 1
    return AdamW(decays.size, decays, weight_decay=weight_decay, dtype=model.dtype)
