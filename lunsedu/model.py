"""The Lunsformter: a small decoder-only transformer in today's standard form (Llama's), in numpy.

    ids -> embedding -> [ x + attention(norm(x)) -> x + mlp(norm(x)) ] * layers -> norm -> logits

All parameters live in one flat vector with named views into it; the gradient is a second vector
of the same shape. So the optimizer, clipping and saving each work on one array.

What is not here: how each layer computes (layers.py), learning (training.py), and choosing
tokens (decoding.py).
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from lunsedu import few_rows, layers
from lunsedu.fast import FastGradient
from lunsedu.fast_step import FastStep


@dataclass(frozen=True)
class LunsformterConfig:
    """The sizes of a Lunsformter; every number that one needs to rebuild it, and no weight.

    vocab_size V, seq_len the largest T, dim D, hidden_dim F, num_heads H, num_kv_heads G (None: as
    many as heads). The ids of the special tokens are there for the decoders, and may be None.

    Raises ValueError when a size is not a positive whole number, when the heads do not divide the
    width, or when a head is of odd width (rotary positions turn pairs).

    >>> LunsformterConfig(vocab_size=512, dim=64, num_heads=4).head_dim
    16
    """

    vocab_size: int
    seq_len: int = 64
    dim: int = 64
    hidden_dim: int = 176
    num_layers: int = 2
    num_heads: int = 4
    num_kv_heads: int | None = None
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    pad_id: int | None = None
    bos_id: int | None = None
    eos_id: int | None = None

    def __post_init__(self):
        if self.num_kv_heads is None:
            object.__setattr__(self, "num_kv_heads", self.num_heads)
        sizes = "vocab_size seq_len dim hidden_dim num_layers num_heads num_kv_heads".split()
        for name in sizes:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
            object.__setattr__(self, name, int(value))
        if self.dim % self.num_heads:
            raise ValueError(
                f"dim={self.dim} does not divide into num_heads={self.num_heads} equal heads:"
                " choose a dim that is a multiple of num_heads"
            )
        if self.head_dim % 2:
            raise ValueError(
                f"dim / num_heads = {self.head_dim} is odd, but rotary positions turn pairs:"
                " choose dim and num_heads so that it is even"
            )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads={self.num_heads} is not a multiple of num_kv_heads="
                f"{self.num_kv_heads}: each key/value head must serve equally many heads"
            )
        for name in ("rope_theta", "norm_eps"):
            value = getattr(self, name)
            if not np.isscalar(value) or isinstance(value, str) or not 0 < value < np.inf:
                raise ValueError(f"{name} must be a positive number, not {value!r}")
        for name in ("pad_id", "bos_id", "eos_id"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < self.vocab_size:
                raise ValueError(f"{name}={value} is no token of a vocabulary of {self.vocab_size}")

    @property
    def head_dim(self):
        """K, the width of one head."""
        return self.dim // self.num_heads

    def to_dict(self):
        """Return the fields as a plain dict, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Make a configuration from such a dict; ValueError names a missing or an unknown field."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown or "vocab_size" not in values:
            wrong = f"unknown: {', '.join(unknown)}" if unknown else "vocab_size is missing"
            raise ValueError(f"this is not a Lunsformter configuration ({wrong})")
        return cls(**values)

    def parameter_shapes(self):
        """Return a dict from the name of each parameter to its shape, in the order of storage."""
        D, F, V = self.dim, self.hidden_dim, self.vocab_size
        qkv = (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
        shapes = {"embedding": (V, D)}
        for i in range(self.num_layers):
            shapes[f"layers.{i}.attention_norm"] = (D,)
            shapes[f"layers.{i}.qkv"] = (D, qkv)  # all query heads, then key heads, then values
            shapes[f"layers.{i}.attention_out"] = (D, D)
            shapes[f"layers.{i}.mlp_norm"] = (D,)
            shapes[f"layers.{i}.gate_up"] = (D, 2 * F)  # the gate's columns first
            shapes[f"layers.{i}.down"] = (F, D)
        shapes["final_norm"] = (D,)
        if not self.tie_embeddings:
            shapes["output"] = (V, D)
        return shapes


class Lunsformter:
    """The model: parameters, forward pass, loss with its gradient, and a key/value cache.

    `parameters` is flat [P]; `named_parameters()` gives views into it. Weights start from a normal
    distribution seeded with `seed`, gains at 1. `dtype` is the type of all arithmetic: float32 for
    use, float64 for gradient checks.

    >>> model = Lunsformter(LunsformterConfig(vocab_size=300, dim=32, num_heads=2), seed=1)
    >>> model.forward([[72, 105]]).shape
    (1, 2, 300)
    """

    def __init__(self, config, seed=0, dtype=np.float32):
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
        self._fast = self._fast_step = None
        self._rope = layers.rope_tables(
            config.seq_len, config.head_dim, config.rope_theta, self.dtype
        )
        if seed is not None:  # from_arrays() fills the parameters itself
            self._start(np.random.default_rng(seed))

    @classmethod
    def from_arrays(cls, config, arrays, dtype=np.float32):
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

    def __deepcopy__(self, memo):
        """Return an independent model: its views look into its own parameters, not into copies."""
        return Lunsformter.from_arrays(self.config, self._views, self.dtype)

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
        generating is fastest that way (few_rows.py says why).
        """
        views, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            by_column = name.startswith("layers.") and size >= few_rows.LARGE
            views[name] = flat[at : at + size].reshape(shape, order="F" if by_column else "C")
            at += size
        return views

    def named_parameters(self):
        """Return a dict of views, name -> array: writing into one changes the model."""
        return dict(self._views)

    def named_gradients(self, gradient):
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

    def forward(self, ids):
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

    # --- the way back -------------------------------------------------------------------------

    def loss(self, ids, targets):
        """Return the mean loss in nats a token; ids, targets int [B, T], target -1 is ignored."""
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        return layers.cross_entropy_forward(self._forward(ids)[0], targets)[0]

    def loss_and_gradient(self, ids, targets):
        """Return the mean loss in nats a token and its gradient, a flat vector [P].

        ids and targets are int [B, T]; a target of -1 is ignored. Raises ValueError for bad ids,
        or when every target is -1. This is the fast form (see fast.py); to read how it is done,
        see loss_and_gradient_by_layers, which gives the same numbers.
        """
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        if self._fast is None:
            self._fast = FastGradient(
                self.config, self._views, self._cut, self.parameters.size, self.dtype
            )
        return self._fast(ids, targets)

    def loss_and_gradient_by_layers(self, ids, targets):
        """The same as loss_and_gradient, in the form to read: each layer's backward in turn."""
        ids, targets = self._check_ids(ids), self._check_targets(ids, targets)
        logits, (embedded, blocks, normed, output) = self._forward(ids)
        loss, entropy = layers.cross_entropy_forward(logits, targets)

        gradient = np.empty_like(self.parameters)  # [P]; each view below is filled once
        g = self._cut(gradient)
        dx, d_output = layers.linear_backward(layers.cross_entropy_backward(entropy), output)
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

    def new_cache(self, batch_size, capacity):
        """Return an empty key/value cache for `batch_size` rows of up to `capacity` positions."""
        return KeyValueCache(self.config, batch_size, capacity, self.dtype)

    def step(self, ids, cache):
        """Read ids int [B, T] after what the cache holds; return the last logits [B, V].

        Equal to the last position of forward() over everything read so far, without doing the
        earlier positions again: the cache holds their keys and values (see fast_step.py). Raises
        ValueError when the cache has another number of rows or too little room left.
        """
        ids = self._check_ids(ids)
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

    def insideout_generate(self, prefix, max_tokens=12, num_candidates=5, verbose=False):
        """Continue a list of ids by InsideOut; return the list of the prefix and the best ids.

        A shortcut to `lunsedu.decoding.insideout`, which also returns all other candidates.
        """
        from lunsedu.decoding import insideout  # the one import to the right: a promised shortcut

        result = insideout(self, prefix, max_tokens, num_candidates=num_candidates, verbose=verbose)
        return [int(i) for i in prefix] + list(result.best.token_ids)

    # --- checks -------------------------------------------------------------------------------

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


class KeyValueCache:
    """The keys and values of the positions read so far, so that each is computed once.

    keys[i] and values[i] are [B, G, capacity, K] for layer i; the first `length` positions count.
    """

    def __init__(self, config, batch_size, capacity, dtype):
        for name, value in (("batch_size", batch_size), ("capacity", capacity)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        shape = (config.num_layers, batch_size, config.num_kv_heads, capacity, config.head_dim)
        self.keys = np.empty(shape, dtype=dtype)
        self.values = np.empty(shape, dtype=dtype)
        self.length = 0

    def make_room(self, shape):
        """Raise ValueError unless ids of this shape [B, T] fit."""
        B, T = shape
        rows, capacity = self.keys.shape[1], self.keys.shape[3]
        if B != rows:
            raise ValueError(f"the cache holds {rows} rows, but the ids have {B}")
        if self.length + T > capacity:
            raise ValueError(
                f"the cache has room for {capacity} tokens and holds {self.length}:"
                f" {T} more do not fit, make it with a larger capacity"
            )

    def append(self, layer, k, v):
        """Add k, v [B, G, T, K] of one layer; return all its keys and values [B, G, S, K]."""
        end = self.length + k.shape[2]
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def select(self, rows):
        """Return a new cache of these rows, in this order; a row may be taken more than once."""
        rows = np.asarray(rows, dtype=np.intp)
        chosen = object.__new__(KeyValueCache)
        chosen.keys, chosen.values = self.keys[:, rows], self.values[:, rows]
        chosen.length = self.length
        return chosen
