"""Loss and gradient of an adapter, as fast as numpy goes: of the frozen weights nothing is formed.

The pieces are those of model/fast/rows.py: arrays made once, parts of the batch for
several threads. What is different here:

- **A frozen matrix only hands the gradient on**, dx = dy @ w.T. Its own gradient, x.T @ dy, as
  large as the matrix and half of the work of a full backward pass, is left out. Below the lowest
  layer with an adapter nothing is handed on at all, nor kept on the way up.
- **Only the positions that have a target meet the vocabulary**: with prompts of 20 tokens and
  answers of 20 that is half of the largest product of all.
- **The feed-forward layer keeps its input and nothing else.** Gate and SiLU are computed once
  more on the way back, a few rows at a time, so that these rows never leave the cache.

The tests hold this module against the full gradient: for y = x (W + s A B) it must hold that
dA = s dW B.T and dB = s A.T dW.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lunsedu.adapters.places import Place, cut
from lunsedu.model import Lunsformter
from lunsedu.model.fast import rows as fast
from lunsedu.model.fast.gradient import MOST_PARTS, SPLIT_FROM, on_all_parts, parts_of

ROWS = 32  # of the feed-forward layer's rows at a time; few enough for the second-level cache


class AdapterGradient:
    """Loss and gradient of one adapter on one model; holds the workspaces of a batch's parts."""

    def __init__(self, model: Lunsformter, places: Sequence[Place]) -> None:
        self.config, self.weights = model.config, model.named_parameters()
        self.dtype, self.places = model.dtype, places
        self.at: dict[str, list[Place]] = {}  # name of a matrix -> the places in it
        for place in places:
            self.at.setdefault(place.matrix, []).append(place)
        self.first = min(place.layer for place in places)
        self.size = sum(place.size for place in places)
        self.workspaces = [fast.Workspace(self.dtype) for _ in range(MOST_PARTS)]
        self.rotation: fast.Rotation | None = None

    def __call__(
        self,
        parameters: np.ndarray,
        ids: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return the loss in nats a token and a new gradient [P'].

        parameters [P']; ids, targets int [B, T]; weights [B, T] beside the targets, or None.
        """
        shares = fast.shares(targets, weights)  # [B, T]
        found = self._in_parts(
            lambda which, rows: self._part(
                which, parameters, ids[rows], targets[rows], shares[rows].astype(self.dtype)
            ),
            ids,
        )
        return sum(loss for loss, _ in found), sum(gradient for _, gradient in found)

    def _in_parts(self, work, ids):
        """Run work(which, rows) on all parts of the batch; return the results."""
        B, T = ids.shape
        self._make_tables(T)
        # wide models have more to do for each position than those for which SPLIT_FROM stands
        parts = parts_of(B, T, self.config.dim, -(-SPLIT_FROM * 64 // self.config.dim))
        return on_all_parts(lambda i: work(i, parts[i]), len(parts))

    def _make_tables(self, T):
        """Angles for positions up to T; a real model's seq_len would make them 100 MB large."""
        if self.rotation is None or self.rotation.config.seq_len < T:
            self.rotation = fast.Rotation(replace(self.config, seq_len=T), self.dtype)

    def logits(self, parameters: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Return the logits [B, T, V] with the adapter, by the same way up."""
        logits = np.empty((*ids.shape, self.config.vocab_size), self.dtype)  # [B, T, V]
        factors = cut(self.places, parameters)

        def work(which, rows):
            x = self._up(self.workspaces[which], factors, ids[rows])  # [N, D]
            np.matmul(x, self._output().T, out=logits[rows].reshape(len(x), -1))

        self._in_parts(work, ids)
        return logits

    def _output(self):
        """Return the matrix [V, D] that turns the last vectors into logits."""
        return self.weights["embedding" if self.config.tie_embeddings else "output"]

    # --- up -----------------------------------------------------------------------------------

    def _up(self, ws, factors, ids):
        """Return the last normed vectors [N, D]; leave in ws what the way back needs."""
        w, c, eps = self.weights, self.config, self.config.norm_eps
        (B, T), N = ids.shape, ids.size
        D, F, wide = c.dim, c.hidden_dim, (c.num_heads + 2 * c.num_kv_heads) * c.head_dim
        small = ws("N,D", N, D)
        x = ws("x", N, D)  # the residual stream
        np.take(w["embedding"], ids.reshape(N), axis=0, out=x, mode="clip")
        for i in range(c.num_layers):
            layer = f"layers.{i}."
            kept = layer if i >= self.first else ""  # below, each layer uses the same arrays
            normed = fast.norm_rows(x, w[layer + "attention_norm"], eps, ws, kept + "1")  # [N, D]
            qkv = ws(kept + "qkv", N, wide)
            self._matrix(normed, layer + "qkv", factors, qkv, ws)
            fast.turn_rows(qkv, self.rotation, B, T, ws)
            heads = ws(kept + "heads", N, D)
            fast.attend(*self.rotation.split(qkv, B, T), self.rotation.group(heads, B, T), ws, kept)
            x += self._matrix(heads, layer + "attention_out", factors, small, ws)
            normed = fast.norm_rows(x, w[layer + "mlp_norm"], eps, ws, kept + "2")
            gate_up = ws(kept + "gate_up", N, 2 * F)
            self._matrix(normed, layer + "gate_up", factors, gate_up, ws)
            hidden = _swiglu(gate_up, ws("hidden", N, F), ws)
            x += self._matrix(hidden, layer + "down", factors, small, ws)
        return fast.norm_rows(x, w["final_norm"], eps, ws, "final")

    def _matrix(self, x, name, factors, y, ws):
        """y = x @ W, and for each place of the adapter y += s (x @ A) @ B; leaves s x @ A."""
        np.matmul(x, self.weights[name], out=y)
        for place in self.at.get(name, ()):
            a, b = factors[place.name]
            u = np.matmul(x, a, out=ws(place.name + " u", len(x), place.rank))  # [N, r]
            u *= place.scale
            y[:, place.start : place.stop] += np.matmul(u, b, out=ws("added", len(x), b.shape[1]))
        return y

    # --- and back -----------------------------------------------------------------------------

    def _part(self, which, parameters, ids, targets, shares):
        """Loss and gradient [P'] of some rows; shares [B, T]: what each position counts."""
        ws, gradient = self.workspaces[which], np.zeros(self.size, self.dtype)
        factors, g = cut(self.places, parameters), cut(self.places, gradient)
        normed = self._up(ws, factors, ids)  # [N, D]
        rows = np.flatnonzero(targets >= 0)  # [M]: they alone meet the vocabulary
        if rows.size == 0:
            return 0.0, gradient
        output, M = self._output(), rows.size
        chosen = np.take(normed, rows, axis=0, out=ws("chosen", M, self.config.dim), mode="clip")
        logits = np.matmul(chosen, output.T, out=ws("logits", M, self.config.vocab_size))
        loss = fast.cross_entropy_rows(
            logits, targets.reshape(-1)[rows], shares.reshape(-1)[rows], ws
        )
        dy = ws("N,D", *normed.shape)
        dy[:] = 0
        dy[rows] = np.matmul(logits, output, out=chosen)  # logits are their own gradient by now
        self._down(ws, factors, g, dy, ids.shape)
        return loss, gradient

    def _down(self, ws, factors, g, dy, shape):
        """Fill g, the gradients of all factors, from dy [N, D], that of the last normed vectors."""
        w, c, (B, T) = self.weights, self.config, shape
        N, D, F = B * T, c.dim, c.hidden_dim
        small, dx = ws("N,D", N, D), ws("dx", N, D)
        dx[:] = 0
        fast.norm_rows_backward(dy, dx, w["final_norm"], None, ws, "final")
        for i in reversed(range(self.first, c.num_layers)):
            layer = f"layers.{i}."
            gate_up, hidden = ws(layer + "gate_up", N, 2 * F), ws("hidden", N, F)
            d_hidden = self._hand_on(dx, layer + "down", factors, g, ws("N,F", N, F), ws)
            _swiglu_backward(d_hidden, gate_up, hidden, ws)  # gate_up: now its gradient
            self._first_factor(hidden, layer + "down", g, ws)
            dy = self._hand_on(gate_up, layer + "gate_up", factors, g, small, ws)
            self._first_factor(ws(layer + "2normed", N, D), layer + "gate_up", g, ws)
            fast.norm_rows_backward(dy, dx, w[layer + "mlp_norm"], None, ws, layer + "2")
            dy = self._hand_on(dx, layer + "attention_out", factors, g, small, ws)
            self._first_factor(ws(layer + "heads", N, D), layer + "attention_out", g, ws)
            qkv = ws(layer + "qkv", N, w[layer + "qkv"].shape[1])
            d_qkv = ws("d_qkv", *qkv.shape)
            split, group = self.rotation.split, self.rotation.group
            fast.attend_backward(group(dy, B, T), split(qkv, B, T), split(d_qkv, B, T), ws, layer)
            fast.turn_rows(d_qkv, self.rotation, B, T, ws, back=True)
            more = i > self.first  # below the first layer with an adapter nothing learns
            dy = self._hand_on(d_qkv, layer + "qkv", factors, g, small if more else None, ws)
            self._first_factor(ws(layer + "1normed", N, D), layer + "qkv", g, ws)
            if more:
                gain = w[layer + "attention_norm"]
                fast.norm_rows_backward(dy, dx, gain, None, ws, layer + "1")

    def _hand_on(self, dy, name, factors, g, dx, ws):
        """dx = dy @ W.T + du @ A.T; fills dB; leaves du where _matrix left s x @ A.

        Neither the gradient of W nor that of A @ B is formed. dx is None where nothing is below.
        """
        if dx is not None:
            np.matmul(dy, self.weights[name].T, out=dx)
        for place in self.at.get(name, ()):
            (a, b), d_b = factors[place.name], g[place.name][1]
            dy_here = dy[:, place.start : place.stop]
            u = ws(place.name + " u", len(dy), place.rank)  # [N, r]
            np.matmul(u.T, dy_here, out=d_b)
            np.matmul(dy_here, b.T, out=u)
            u *= place.scale
            if dx is not None:
                dx += np.matmul(u, a.T, out=ws("added", len(dy), len(a)))
        return dx

    def _first_factor(self, x, name, g, ws):
        """dA = x.T @ du, for x [N, in], the input of the matrix."""
        for place in self.at.get(name, ()):
            np.matmul(x.T, ws(place.name + " u", len(x), place.rank), out=g[place.name][0])


def _swiglu(gate_up, hidden, ws):
    """hidden [N, F] = SiLU(gate) * up, for gate_up [N, 2F], some rows at a time."""
    F = hidden.shape[1]
    sigmoid = ws("sigmoid", ROWS, F)
    for start in range(0, len(hidden), ROWS):
        rows = slice(start, start + ROWS)
        gate, up, y = gate_up[rows, :F], gate_up[rows, F:], hidden[rows]
        s = fast.sigmoid_rows(gate, sigmoid[: len(y)])
        np.multiply(gate, s, out=y)
        y *= up
    return hidden


def _swiglu_backward(d_hidden, gate_up, hidden, ws):
    """Turn gate_up [N, 2F] into its gradient; fill hidden [N, F] once more."""
    F = hidden.shape[1]
    sigmoid, silu = ws("sigmoid", ROWS, F), ws("silu", ROWS, F)
    for start in range(0, len(hidden), ROWS):
        rows = slice(start, start + ROWS)
        gate, up, y, dy = gate_up[rows, :F], gate_up[rows, F:], hidden[rows], d_hidden[rows]
        s = fast.sigmoid_rows(gate, sigmoid[: len(y)])
        t = np.multiply(gate, s, out=silu[: len(y)])  # SiLU
        np.multiply(t, up, out=y)
        fast.gated_backward(dy, s, t, gate, up)
