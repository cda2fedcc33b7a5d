"""The Lunsformter: a small decoder-only transformer in today's standard form (Llama's), in numpy.

    ids -> embedding -> [ x + attention(norm(x)) -> x + mlp(norm(x)) ] * layers -> norm -> logits

All parameters live in one flat vector with named views into it; the gradient is a second vector
of the same shape. So the optimizer, clipping and saving each work on one array.

What is not here: how each layer computes (layers.py), learning (training/), and choosing
tokens (decoding/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.model import layers
from lunsedu.model.cache import KeyValueCache
from lunsedu.model.config import LunsformterConfig
from lunsedu.model.fast import few_rows
from lunsedu.model.fast.gradient import FastGradient
from lunsedu.model.fast.step import FastStep

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Lunsformter:
    """The model: parameters, forward pass, loss with its gradient, and a key/value cache.

    `parameters` is flat [P]; `named_parameters()` gives views into it. Weights start from a normal
    distribution seeded with `seed`, gains at 1; with seed=None nothing is filled in yet. `dtype` is
    the type of all arithmetic: float32 for use, float64 for gradient checks.

    Raises TypeError for no configuration, ValueError for another dtype or no seed.

    >>> model = Lunsformter(LunsformterConfig(vocab_size=300, dim=32, num_heads=2), seed=1)
    >>> model.forward([[72, 105]]).shape
    (1, 2, 300)
    """

    def __init__(
        self, config: LunsformterConfig, seed: int | None = 0, dtype: DTypeLike = np.float32
    ) -> None:
        if not isinstance(config, LunsformterConfig):
            raise TypeError(f"config must be a LunsformterConfig, not {type(config).__name__}")
        self.config = config
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype must be float32 or float64, not {self.dtype}")
        self.shapes = config.parameter_shapes()
        size = sum(int(np.prod(shape)) for shape in self.shapes.values())
        self.parameters = np.empty(size, dtype=self.dtype)  # [P]
        self._views = self._cut(self.parameters)
        self._fast: FastGradient | None = None
        self._fast_step: FastStep | None = None
        self._rope = layers.rope_tables(
            config.seq_len, config.head_dim, config.rope_theta, self.dtype
        )
        if seed is not None:  # from_arrays() fills the parameters itself
            self._start(checks.dice(seed))

    @classmethod
    def from_arrays(
        cls,
        config: LunsformterConfig,
        arrays: Mapping[str, np.ndarray],
        dtype: DTypeLike = np.float32,
    ) -> Lunsformter:
        """Make a model from a dict of named arrays, as named_parameters() gives them.

        Raises ValueError, naming the parameter, when one is missing, unknown, of another shape, or
        holds something that is not a finite number.
        """
        if config.num_layers > len(arrays):  # before anything of that size is made
            raise ValueError(f"the weights of {config.num_layers} layers are not all there")
        shapes = config.parameter_shapes()
        for name in sorted(set(shapes) ^ set(arrays)):
            raise ValueError(f"the weights {name} are {'missing' if name in shapes else 'unknown'}")
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(
                    f"the weights {name} have shape {arrays[name].shape}, but the configuration"
                    f" needs {shape}"
                )
            if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
                raise ValueError(f"the weights {name} hold values that are not finite numbers")
        model = cls(config, seed=None, dtype=dtype)
        for name, view in model._views.items():
            view[...] = arrays[name]
        return model

    def __deepcopy__(self, memo: dict) -> Lunsformter:
        """Return an independent model: its views look into its own parameters, not into copies."""
        return Lunsformter.from_arrays(self.config, self._views, self.dtype)

    def __reduce__(self) -> tuple:
        """How it travels to another process: each number once, and views made anew there."""
        return Lunsformter.from_arrays, (self.config, self._views, self.dtype)

    def _start(self, rng):
        """Fill the parameters: gains 1; matrices normal, so that each layer keeps the spread."""
        for name, view in self._views.items():
            if view.ndim == 1:
                view[:] = 1
                continue
            spread = 0.02 if name in ("embedding", "output") else view.shape[0] ** -0.5
            if name.endswith(("attention_out", "down")):
                # 2 additions a layer go into the residual stream: smaller steps keep its size
                spread *= (2 * self.config.num_layers) ** -0.5
            view[:] = spread * rng.standard_normal(view.shape)

    def _cut(self, flat):
        """Return a dict of named views into a flat vector [P].

        In a large matrix of a layer the numbers of a column lie together, elsewhere those of a row:
        generating is fastest that way (fast/few_rows.py says why).
        """
        views, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            by_column = name.startswith("layers.") and size >= few_rows.LARGE
            views[name] = flat[at : at + size].reshape(shape, order="F" if by_column else "C")
            at += size
        return views

    def named_parameters(self) -> dict[str, np.ndarray]:
        """Return a dict of views, name -> array: writing into one changes the model."""
        return dict(self._views)

    def named_gradients(self, gradient: np.ndarray) -> dict[str, np.ndarray]:
        """Return the same names as views into a flat gradient [P].

        Raises ValueError when the gradient has another length than the parameters.
        """
        gradient = np.asarray(gradient)
        if gradient.shape != self.parameters.shape:
            raise ValueError(
                f"gradient has shape {gradient.shape}, but this model has parameters of shape"
                f" {self.parameters.shape}: pass what loss_and_gradient returned"
            )
        return self._cut(gradient)

    # --- the forward pass ---------------------------------------------------------------------

    def forward(self, ids: np.ndarray) -> np.ndarray:
        """Return the logits [B, T, V] for ids int [B, T]: position t predicts token t + 1.

        Raises ValueError when ids are not whole numbers of the vocabulary in two dimensions, or
        longer than seq_len.
        """
        ids = self._check_ids(ids)
        return self._forward(ids)[0]

    def _forward(self, ids):
        """Return logits [B, T, V] and the caches of all layers, for the way back."""
        w, T = self._views, ids.shape[1]
        cos, sin = self._rope[0][:T], self._rope[1][:T]  # [T, K/2]
        x, embedded = layers.embedding_forward(ids, w["embedding"])  # [B, T, D]
        blocks = []
        for i in range(self.config.num_layers):
            x, block = self._block_forward(x, i, cos, sin)
            blocks.append(block)
        x, normed = layers.rmsnorm_forward(x, w["final_norm"], self.config.norm_eps)
        logits, output = layers.linear_forward(x, self._output().T)  # [B, T, V]
        return logits, (embedded, blocks, normed, output)

    def _output(self):
        """The output matrix [V, D]: the embedding itself, unless the two are untied."""
        return self._views["embedding" if self.config.tie_embeddings else "output"]

    def _block_forward(self, x, i, cos, sin):
        """One layer of the stack, x [B, T, D] -> [B, T, D], and what its way back needs."""
        w, eps = self._views, self.config.norm_eps
        y, norm1 = layers.rmsnorm_forward(x, w[f"layers.{i}.attention_norm"], eps)
        y, qkv = layers.linear_forward(y, w[f"layers.{i}.qkv"])  # [B, T, (H+2G)*K]
        q, k, v = self._split_heads(y, cos, sin)
        y, attended = layers.attend_forward(q, k, v)  # [B, H, T, K]
        y = y.transpose(0, 2, 1, 3).reshape(x.shape)  # [B, T, D]: the heads side by side
        y, out = layers.linear_forward(y, w[f"layers.{i}.attention_out"])
        x = x + y
        y, norm2 = layers.rmsnorm_forward(x, w[f"layers.{i}.mlp_norm"], eps)
        y, gate_up = layers.linear_forward(y, w[f"layers.{i}.gate_up"])  # [B, T, 2F]
        y, gated = layers.swiglu_forward(y)  # [B, T, F]
        y, down = layers.linear_forward(y, w[f"layers.{i}.down"])  # [B, T, D]
        return x + y, (norm1, qkv, attended, out, norm2, gate_up, gated, down)

    def _split_heads(self, y, cos, sin):
        """Cut [B, T, (H+2G)*K] into q [B, H, T, K], k and v [B, G, T, K]; q and k are turned."""
        H, G = self.config.num_heads, self.config.num_kv_heads
        B, T, _ = y.shape
        heads = y.reshape(B, T, H + 2 * G, -1).transpose(0, 2, 1, 3)  # [B, H+2G, T, K]
        turned = layers.rope_forward(heads[:, : H + G], cos, sin)  # [B, H+G, T, K]
        return turned[:, :H], turned[:, H:], heads[:, H + G :]

    def attention_weights(self, ids: np.ndarray) -> np.ndarray:
        """Return the attention weights [L, H, T, T] of all L layers for one list of T ids.

        Row t says where position t looks; it sums to 1 and is 0 for what comes later. Raises
        ValueError as forward() does.
        """
        _, (_, blocks, _, _) = self._forward(self._check_ids(np.asarray([ids])))
        return np.stack([attended[-1][0] for _, _, attended, *_ in blocks])

    # --- the way back -------------------------------------------------------------------------

    def loss(self, ids: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean loss in nats a token; ids, targets int [B, T], target -1 is ignored."""
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        return layers.cross_entropy_forward(self._forward(ids)[0], targets)[0]

    def loss_and_gradient(
        self, ids: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss in nats a token and its gradient, a flat vector [P].

        ids and targets are int [B, T]; a target of -1 is ignored. weights, float [B, T], say how
        much each target counts: loss = sum(weights * -ln p) / N, where N is the number of targets
        that are not -1. A negative weight makes its token less likely (learning from rewards:
        Williams 1992, section 4). None: all 1.

        Raises ValueError for bad ids, targets or weights, or when every target is -1. This is the
        fast form (fast/gradient.py); to read how it is done, see loss_and_gradient_by_layers,
        which gives the same numbers.
        """
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        weights = self._check_weights(ids, weights)
        if self._fast is None:
            self._fast = FastGradient(
                self.config, self._views, self._cut, self.parameters.size, self.dtype
            )
        return self._fast(ids, targets, weights)

    def loss_and_gradient_by_layers(
        self, ids: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """The same as loss_and_gradient, in the form to read: each layer's backward in turn."""
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        weights = self._check_weights(ids, weights)
        logits, (embedded, blocks, normed, output) = self._forward(ids)
        loss, entropy = layers.cross_entropy_forward(logits, targets)
        d_logits = layers.cross_entropy_backward(entropy)  # [B, T, V]
        if weights is not None:  # the loss is a sum over tokens: each one's share is scaled
            surprise = -layers.target_log_probs(logits, targets)  # [B, T], 0 where ignored
            loss = float((weights * surprise).sum(dtype=np.float64) / (targets >= 0).sum())
            d_logits *= weights[:, :, None]

        gradient = np.empty_like(self.parameters)  # [P]; each view below is filled once
        g = self._cut(gradient)
        dx, d_output = layers.linear_backward(d_logits, output)
        dx, g["final_norm"][:] = layers.rmsnorm_backward(dx, normed)
        cos, sin = (table[: ids.shape[1]] for table in self._rope)
        for i in reversed(range(self.config.num_layers)):
            dx = self._block_backward(dx, i, cos, sin, blocks[i], g)
        g["embedding"][:] = layers.embedding_backward(dx, embedded)
        if self.config.tie_embeddings:
            g["embedding"] += d_output.T  # one matrix, two uses: the gradients add up
        else:
            g["output"][:] = d_output.T
        return loss, gradient

    def _block_backward(self, dx, i, cos, sin, block, g):
        """Return dx [B, T, D] before layer i, given dx after it; write its gradients into g."""
        norm1, qkv, attended, out, norm2, gate_up, gated, down = block
        dy, g[f"layers.{i}.down"][:] = layers.linear_backward(dx, down)
        dy = layers.swiglu_backward(dy, gated)  # [B, T, 2F]
        dy, g[f"layers.{i}.gate_up"][:] = layers.linear_backward(dy, gate_up)
        dy, g[f"layers.{i}.mlp_norm"][:] = layers.rmsnorm_backward(dy, norm2)
        dx = dx + dy  # the residual: straight through, plus what came through the layer
        dy, g[f"layers.{i}.attention_out"][:] = layers.linear_backward(dx, out)
        B, T, _ = dy.shape
        dy = dy.reshape(B, T, self.config.num_heads, -1).transpose(0, 2, 1, 3)  # [B, H, T, K]
        dq, dk, dv = layers.attend_backward(dy, attended)
        dqk = layers.rope_backward(np.concatenate([dq, dk], axis=1), cos, sin)  # [B, H+G, T, K]
        dy = np.concatenate([dqk, dv], axis=1).transpose(0, 2, 1, 3)  # [B, T, H+2G, K]
        dy, g[f"layers.{i}.qkv"][:] = layers.linear_backward(dy.reshape(B, T, -1), qkv)
        dy, g[f"layers.{i}.attention_norm"][:] = layers.rmsnorm_backward(dy, norm1)
        return dx + dy

    # --- one step at a time -------------------------------------------------------------------

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """Return an empty key/value cache for `batch_size` rows of up to `capacity` positions."""
        return KeyValueCache(self.config, batch_size, capacity, self.dtype)

    def step(self, ids: np.ndarray, cache: KeyValueCache) -> np.ndarray:
        """Read ids int [B, T] after what the cache holds; return the last logits [B, V].

        Equal to the last position of forward() over everything read so far, without doing the
        earlier positions again: the cache holds their keys and values (see fast/step.py). Raises
        ValueError when the cache was made for a model of other sizes or of another type, has
        another number of rows or too little room left.
        """
        ids = self._check_ids(ids)
        cache.check_sizes(self.config, self.dtype)
        end = cache.length + ids.shape[1]
        cache.make_room(ids.shape)
        if end > self.config.seq_len:
            raise ValueError(
                f"{end} tokens are more than this model's seq_len={self.config.seq_len}"
            )
        if self._fast_step is None:
            self._fast_step = FastStep(self.config, self._views, self.dtype)
        logits = self._fast_step(ids, cache)  # [B, V]
        cache.length = end
        return logits

    def insideout_generate(
        self,
        prefix: Sequence[int] | np.ndarray,
        max_tokens: int = 12,
        num_candidates: int = 5,
        verbose: bool = False,
    ) -> list[int]:
        """Continue a list of ids by InsideOut; return the list of the prefix and the best ids.

        A shortcut to `lunsedu.decoding.insideout`, which also returns all other candidates.
        """
        from lunsedu.decoding import insideout  # the one import to the right, opened at the call

        result = insideout(self, prefix, max_tokens, num_candidates=num_candidates, verbose=verbose)
        return [int(i) for i in prefix] + list(result.best.token_ids)

    # --- checks -------------------------------------------------------------------------------

    def check_batch(
        self, ids: Any, targets: Any = None, weights: Any = None
    ) -> tuple[Any, Any, Any]:
        """Return (ids, targets, weights), each [B, T] or None, checked and as arrays.

        For whoever computes with this model's weights in a way of their own. Raises ValueError as
        forward() and loss_and_gradient() do.
        """
        ids = self._check_ids(ids)
        targets = None if targets is None else self._check_targets(ids, targets)
        return ids, targets, self._check_weights(ids, weights)

    def _check_ids(self, ids):
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.size == 0:
            raise ValueError(f"ids must have shape [B, T] with at least one token, not {ids.shape}")
        if ids.dtype.kind not in "iu":
            raise ValueError(f"ids must be whole numbers, not {ids.dtype}")
        if ids.min() < 0 or ids.max() >= self.config.vocab_size:
            bad = int(ids.min() if ids.min() < 0 else ids.max())
            raise ValueError(
                f"id {bad} is not in the vocabulary of {self.config.vocab_size} tokens"
            )
        if ids.shape[1] > self.config.seq_len:
            raise ValueError(
                f"{ids.shape[1]} tokens are more than this model's seq_len={self.config.seq_len}:"
                " cut the text into windows, or make a model with a larger seq_len"
            )
        return ids

    def _check_targets(self, ids, targets):
        targets = np.asarray(targets)
        if targets.shape != np.shape(ids) or targets.dtype.kind not in "iu":
            raise ValueError(
                f"targets must be whole numbers of the shape of ids, {np.shape(ids)},"
                f" not {targets.dtype} {targets.shape}"
            )
        if targets.min() < -1 or targets.max() >= self.config.vocab_size:
            raise ValueError(
                f"targets must be ids below {self.config.vocab_size}, or -1 for those to ignore"
            )
        return targets

    def _check_weights(self, ids, weights):
        """Return weights [B, T] in the model's type, or None."""
        if weights is None:
            return None
        expected = f"weights must be finite numbers of the shape of ids, {np.shape(ids)}, not "
        try:
            given = np.asarray(weights)
        except ValueError:  # rows of unlike lengths
            raise ValueError(f"{expected}{weights!r:.60}") from None
        if given.shape != np.shape(ids) or given.dtype.kind not in "iuf":
            raise ValueError(f"{expected}{given.dtype} {given.shape}")
        with np.errstate(over="ignore"):  # too large a number for float32 becomes inf
            own = given.astype(self.dtype, copy=False)
        if not np.isfinite(own).all():
            row, place = np.argwhere(~np.isfinite(own))[0].tolist()
            raise ValueError(f"{expected}{given[row, place]} at row {row}, position {place}")
        return own
