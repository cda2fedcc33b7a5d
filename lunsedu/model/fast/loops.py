"""The functions of rows.py once more, as plain loops that numba compiles: one pass each.

numpy goes over an array once for every sign in a formula; a loop that is compiled reads each number
once and does all that is to be done with it. Used only where one asks for it, for float32
(`lunsedu.use_compiled`). Matrix products stay with the library.

The tests hold each function against its namesake in rows.py.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from lunsedu.model.fast.threads import on_all_cores

if TYPE_CHECKING:
    from lunsedu.model.fast.rows import Rotation, Workspace

# Sums may be taken in another order (so that eight numbers are added at a time); everything else
# about infinities and signs stays as it is.
ORDER = {"reassoc", "contract", "nsz"}
compiled = functools.partial(
    numba.njit, nogil=True, cache=True, error_model="numpy", fastmath=ORDER
)
f32 = np.float32


@intrinsic
def _float_of(typing_context: Any, bits: Any = None) -> Any:
    """The float32 whose 32 bits are these of a whole number: its exponent begins at bit 23."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def exp(x: Any) -> Any:
    """exp(x) in float32, to its last digit or two: 2^n * exp(r), where x = n ln 2 + r.

    Written out since a loop around it then does eight numbers at a time, which it cannot with the
    system's exp. n is a whole number, |r| <= ln(2)/2, and exp(r) is a polynomial (Cephes, expf).
    """
    x = min(max(x, f32(-87.0)), f32(88.0))
    n = np.floor(x * f32(1.44269504) + f32(0.5))
    r = x - n * f32(0.693359375) + n * f32(2.12194440e-4)
    p = f32(1.9875691500e-4)
    p = p * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    p = p * r * r + r + f32(1.0)
    return p * _float_of(np.int32((np.int32(n) + np.int32(127)) << np.int32(23)))


# --- norm -----------------------------------------------------------------------------------------


def norm_rows(x: np.ndarray, gain: np.ndarray, eps: float, ws: Workspace, name: str) -> np.ndarray:
    """RMSNorm of x [N, D]; leaves unit [N, D] and scale [N, 1] under its name."""
    N, D = x.shape
    normed = ws(name + "normed", N, D)
    _norm(x, gain, f32(eps), ws(name + "unit", N, D), ws(name + "scale", N), normed)
    return normed


@compiled()
def _norm(x, gain, eps, unit, scale, normed):
    N, D = x.shape
    for n in range(N):
        size = f32(0)
        for d in range(D):
            size += x[n, d] * x[n, d]
        s = f32(1) / np.sqrt(size / f32(D) + eps)
        scale[n] = s
        for d in range(D):
            u = x[n, d] * s
            unit[n, d] = u
            normed[n, d] = u * gain[d]


def norm_rows_backward(
    dy: np.ndarray,
    dx: np.ndarray,
    gain: np.ndarray,
    d_gain: np.ndarray | None,
    ws: Workspace,
    name: str,
) -> None:
    """Add the gradient through the norm to dx [N, D]; fill d_gain [D], if there is one."""
    N, D = dy.shape
    if d_gain is None:
        d_gain = ws("nobody asks", D)
    _norm_backward(dy, dx, gain, d_gain, ws(name + "unit", N, D), ws(name + "scale", N))


@compiled()
def _norm_backward(dy, dx, gain, d_gain, unit, scale):
    N, D = dy.shape
    d_gain[:] = f32(0)
    for n in range(N):
        shared = f32(0)
        for d in range(D):
            product = dy[n, d] * unit[n, d]
            d_gain[d] += product
            shared += product * gain[d]
        shared /= f32(D)
        for d in range(D):
            dx[n, d] += (dy[n, d] * gain[d] - unit[n, d] * shared) * scale[n]


# --- rotation and attention -----------------------------------------------------------------------


def turn_rows(
    qkv: np.ndarray, rotation: Rotation, B: int, T: int, ws: Workspace, back: bool = False
) -> None:
    """Turn queries and keys of qkv [N, (H+2G)*K] in place by their positions; or back."""
    c = rotation.config
    heads = qkv.reshape(B, T, c.num_heads + 2 * c.num_kv_heads, 2, c.head_dim // 2)
    tables = (len(rotation.cos), -1, 2, c.head_dim // 2)
    cos, sin = rotation.cos.reshape(tables), rotation.sin.reshape(tables)
    _turn(heads, cos[:, :, 1], sin[:, :, 1], f32(-1 if back else 1))


@compiled()
def _turn(heads, cos, sin, sign):
    B, T, _, _, half = heads.shape
    H = cos.shape[1]  # queries and keys; the values behind them stay as they are
    for b in range(B):
        for t in range(T):
            for h in range(H):
                for i in range(half):
                    left, right = heads[b, t, h, 0, i], heads[b, t, h, 1, i]
                    c, s = cos[t, h, i], sin[t, h, i] * sign
                    heads[b, t, h, 0, i] = left * c - right * s
                    heads[b, t, h, 1, i] = right * c + left * s


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, y: np.ndarray, ws: Workspace, layer: str
) -> None:
    """Causal attention of q [B, G, H/G, T, K] over k, v [B, G, 1, T, K]; fills y like q.

    Leaves weights [B, G, H/G, T, S]: queries first here, for a row is what a loop goes along.
    """
    T = q.shape[3]
    weights = ws(layer + "weights", *q.shape[:3], T, T)
    np.matmul(q, k.swapaxes(-1, -2), out=weights)
    _softmax(weights.reshape(-1, T, T))
    np.matmul(weights, v, out=y)


@compiled()
def _softmax(scores):
    M, T, _ = scores.shape
    for m in range(M):
        for t in range(T):
            row = scores[m, t]
            top = row[0]
            for s in range(1, t + 1):
                top = max(top, row[s])
            total = f32(0)
            for s in range(t + 1):
                e = exp(row[s] - top)
                row[s] = e
                total += e
            share = f32(1) / total
            for s in range(t + 1):
                row[s] *= share
            row[t + 1 :] = f32(0)  # the future


def attend_backward(
    dy: np.ndarray,
    qkv: tuple[np.ndarray, ...],
    d_qkv: tuple[np.ndarray, ...],
    ws: Workspace,
    layer: str,
) -> None:
    """Fill the views of d_qkv from dy [B, G, H/G, T, K] and the views of qkv."""
    (q, k, v), (dq, dk, dv) = qkv, d_qkv
    B, G, R, T, K = q.shape
    weights = ws(layer + "weights", B, G, R, T, T)
    d_scores = ws("d_scores", B, G, R, T, T)
    np.matmul(dy, v.swapaxes(-1, -2), out=d_scores)  # of the weights so far
    _softmax_backward(d_scores.reshape(-1, T, T), weights.reshape(-1, T, T))
    np.matmul(d_scores, k, out=dq)
    if R == 1:
        np.matmul(d_scores.swapaxes(-1, -2), q, out=dk)
        np.matmul(weights.swapaxes(-1, -2), dy, out=dv)
    else:  # sums over the heads of a group
        np.sum(np.matmul(d_scores.swapaxes(-1, -2), q), axis=2, keepdims=True, out=dk)
        np.sum(np.matmul(weights.swapaxes(-1, -2), dy), axis=2, keepdims=True, out=dv)


@compiled()
def _softmax_backward(d_weights, weights):
    M, T, _ = weights.shape
    for m in range(M):
        for t in range(T):
            dw, w = d_weights[m, t], weights[m, t]
            shared = f32(0)
            for s in range(t + 1):
                shared += dw[s] * w[s]
            for s in range(t + 1):
                dw[s] = (dw[s] - shared) * w[s]
            dw[t + 1 :] = f32(0)


# --- gated unit -----------------------------------------------------------------------------------


def swiglu_rows(gate_up: np.ndarray, ws: Workspace, layer: str) -> np.ndarray:
    """SiLU(gate) * up of gate_up [N, 2F] -> [N, F]; leaves the result."""
    N, F = gate_up.shape[0], gate_up.shape[1] // 2
    hidden = ws(layer + "hidden", N, F)
    _swiglu(gate_up, hidden)
    return hidden


@compiled()
def _swiglu(gate_up, hidden):
    N, F = hidden.shape
    for n in range(N):
        for f in range(F):
            gate = gate_up[n, f]
            hidden[n, f] = gate * gate_up[n, F + f] / (f32(1) + exp(-gate))


def swiglu_rows_backward(
    d_hidden: np.ndarray, gate_up: np.ndarray, ws: Workspace, layer: str
) -> None:
    """Turn gate_up [N, 2F] into its gradient, given d_hidden [N, F]."""
    _swiglu_backward(d_hidden, gate_up)


@compiled()
def _swiglu_backward(d_hidden, gate_up):
    N, F = d_hidden.shape
    for n in range(N):
        for f in range(F):
            gate, up, d = gate_up[n, f], gate_up[n, F + f], d_hidden[n, f]
            sigmoid = f32(1) / (f32(1) + exp(-gate))
            silu = gate * sigmoid
            gate_up[n, f] = d * up * (sigmoid + silu * (f32(1) - sigmoid))
            gate_up[n, F + f] = d * silu


# --- loss and embedding ---------------------------------------------------------------------------


def cross_entropy_rows(
    logits: np.ndarray, targets: np.ndarray, weight: np.ndarray, ws: Workspace
) -> float:
    """Return sum(weight * -ln p(target)), both [N]; logits [N, V] become d_logits."""
    return _cross_entropy(logits, targets, weight)


@compiled()
def _cross_entropy(logits, targets, weight):
    N, V = logits.shape
    loss = 0.0
    for n in range(N):
        row, target = logits[n], max(targets[n], 0)
        top = row[0]
        for v in range(1, V):
            top = max(top, row[v])
        at_target = row[target] - top
        total = f32(0)
        for v in range(V):
            e = exp(row[v] - top)
            row[v] = e
            total += e
        loss += weight[n] * (np.log(total) - at_target)
        share = weight[n] / total
        for v in range(V):
            row[v] *= share
        row[target] -= weight[n]
    return loss


@compiled()
def add_rows(table: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """table[ids] += rows, where an id that occurs twice counts twice: [V, D], [N], [N, D]."""
    N, D = rows.shape
    for n in range(N):
        for d in range(D):
            table[ids[n], d] += rows[n, d]


# --- optimizer ------------------------------------------------------------------------------------


def adamw(
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    decays: np.ndarray,
    *numbers: float,
) -> None:
    """One step of AdamW (training/optimizer.py) for p, g, m, v and decays [P], on all cores.

    numbers: beta1, beta2, m_scale, v_scale, eps, lr, lr * weight_decay.
    """
    count = 1 + p.size // 2**16
    cuts = [p.size * i // count for i in range(count + 1)]
    singles = [f32(number) for number in numbers]

    def work(i):
        part = slice(cuts[i], cuts[i + 1])
        _adamw(p[part], g[part], m[part], v[part], decays[part], *singles)

    on_all_cores(work, count)


@compiled()
def _adamw(p, g, m, v, decays, beta1, beta2, m_scale, v_scale, eps, lr, decay):
    for i in range(p.size):
        m[i] += (g[i] - m[i]) * (f32(1) - beta1)
        v[i] += (g[i] * g[i] - v[i]) * (f32(1) - beta2)
        kept = p[i] - p[i] * decay * decays[i]
        p[i] = kept - lr * m_scale * m[i] / (np.sqrt(v[i] * v_scale) + eps)
