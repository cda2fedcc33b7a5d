"""Lesson 04: wrong and right gradients as students write them."""

import numpy as np
from catalogue import right, wrong

from lunsedu import layers
from lunsedu.exercises import (
    check_cross_entropy,
    check_embedding_backward,
    check_rmsnorm_backward,
    check_rope_backward,
)

# --- embedding ------------------------------------------------------------------------------------


@wrong(check_embedding_backward, "A token that occurs twice loses a gradient")
def embedding_assigned(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    for b in range(ids.shape[0]):
        for t in range(ids.shape[1]):
            d_table[ids[b, t]] = dy[b, t]
    return d_table


@wrong(check_embedding_backward, "A token that occurs twice loses a gradient")
def embedding_fancy_plus(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    d_table[ids] += dy
    return d_table


@wrong(check_embedding_backward, "Only the first text")
def embedding_first_text(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    for t, token in enumerate(ids[0]):
        d_table[token] += dy[0, t]
    return d_table


@wrong(check_embedding_backward, "averaged")
def embedding_averaged(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    for token in np.unique(ids):
        d_table[token] = dy[ids == token].mean(axis=0)
    return d_table


@wrong(check_embedding_backward, "divided by the batch size")
def embedding_batch_mean(dy, ids, vocab_size):
    one_hot = np.eye(vocab_size)[ids]
    return np.einsum("btv,btd->vd", one_hot, dy) / dy.shape[0]


@wrong(check_embedding_backward, "its place in the text")
def embedding_by_place(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    for t in range(ids.shape[1]):
        d_table[t] += dy[:, t].sum(axis=0)
    return d_table


@wrong(check_embedding_backward, "wrong sign")
def embedding_negative(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[2]))
    np.subtract.at(d_table, ids, dy)
    return d_table


@wrong(check_embedding_backward, "expected shape (4, 2), received shape (3, 2)")
def embedding_too_few_rows(dy, ids, vocab_size):
    d_table = np.zeros((ids.max() + 1, dy.shape[2]))
    np.add.at(d_table, ids, dy)
    return d_table


@wrong(check_embedding_backward, "expected shape (4, 2), received shape (1, 3, 2)")
def embedding_looked_up(dy, ids, vocab_size):
    return dy * 1.0


@right(check_embedding_backward)
def embedding_loops(dy, ids, vocab_size):
    d_table = [[0.0] * dy.shape[2] for _ in range(vocab_size)]
    for b, t in np.ndindex(ids.shape):
        for d in range(dy.shape[2]):
            d_table[ids[b, t]][d] += dy[b, t, d]
    return d_table


@right(check_embedding_backward)
def embedding_add_at(dy, ids, vocab_size):
    d_table = np.zeros((vocab_size, dy.shape[-1]), dtype=np.float32)
    np.add.at(d_table, ids, dy.astype(np.float32))
    return d_table


@right(check_embedding_backward)
def embedding_one_hot(dy, ids, vocab_size):
    return np.einsum("btv,btd->vd", np.eye(vocab_size)[ids], dy)


# --- cross-entropy --------------------------------------------------------------------------------


def entropy_parts(logits, targets):
    """The flat probabilities, targets and the rows that count, for the answers below."""
    p = layers.softmax(logits).reshape(-1, logits.shape[-1])
    flat = targets.reshape(-1)
    return p, flat, np.flatnonzero(flat >= 0)


@wrong(check_cross_entropy, "taken for the last token")
def entropy_padding_counts(logits, targets):
    p = layers.softmax(logits)
    B, T, V = p.shape
    b, t = np.indices((B, T))
    loss = -np.log(p[b, t, targets]).mean()
    p[b, t, targets] -= 1
    return loss, p / (B * T)


@wrong(check_cross_entropy, "divided by all positions")
def entropy_mean_of_all(logits, targets):
    p, flat, rows = entropy_parts(logits, targets)
    loss = -np.log(p[rows, flat[rows]]).sum() / flat.size
    d = np.zeros_like(p)
    d[rows] = p[rows]
    d[rows, flat[rows]] -= 1
    return loss, (d / flat.size).reshape(logits.shape)


@wrong(check_cross_entropy, "got a gradient")
def entropy_gradient_at_padding(logits, targets):
    p, flat, rows = entropy_parts(logits, targets)
    loss = -np.log(p[rows, flat[rows]]).mean()
    p[np.arange(flat.size), flat] -= 1
    return loss, (p / rows.size).reshape(logits.shape)


@wrong(check_cross_entropy, "You took the sum")
def entropy_sum(logits, targets):
    p, flat, rows = entropy_parts(logits, targets)
    loss = -np.log(p[rows, flat[rows]]).sum()
    d = np.zeros_like(p)
    d[rows] = p[rows]
    d[rows, flat[rows]] -= 1
    return loss, d.reshape(logits.shape)


def entropy(logits, targets, divide=None, minus=1.0, loss=None):
    p, flat, rows = entropy_parts(logits, targets)
    d = np.zeros_like(p)
    d[rows] = p[rows]
    d[rows, flat[rows]] -= minus
    right_loss = -np.log(p[rows, flat[rows]]).mean()
    d = d / (rows.size if divide is None else divide)
    return right_loss if loss is None else loss(p[rows, flat[rows]]), d.reshape(logits.shape)


@wrong(check_cross_entropy, "the gradient was not divided")
def entropy_gradient_of_sum(logits, targets):
    return entropy(logits, targets, divide=1)


@wrong(check_cross_entropy, "the gradient was divided by all positions")
def entropy_gradient_over_all(logits, targets):
    return entropy(logits, targets, divide=targets.size)


@wrong(check_cross_entropy, "take 1 off at the target")
def entropy_gradient_is_p(logits, targets):
    return entropy(logits, targets, minus=0.0)


@wrong(check_cross_entropy, "Your gradient has the wrong sign")
def entropy_gradient_upside_down(logits, targets):
    loss, d = entropy(logits, targets)
    return loss, -d


@wrong(check_cross_entropy, "Your loss is negative")
def entropy_without_minus(logits, targets):
    return entropy(logits, targets, loss=lambda p: np.log(p).mean())


@wrong(check_cross_entropy, "in bits")
def entropy_in_bits(logits, targets):
    return entropy(logits, targets, loss=lambda p: -np.log2(p).mean())


@wrong(check_cross_entropy, "the softmax is missing in the loss")
def entropy_of_logits(logits, targets):
    kept = targets >= 0
    at_target = logits[kept, targets[kept]]
    return -at_target.mean(), entropy(logits, targets)[1]


@wrong(check_cross_entropy, "Large logits overflow")
def entropy_overflows(logits, targets):
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    kept = targets >= 0
    loss = -np.log(p[kept, targets[kept]]).mean()
    p[kept, targets[kept]] -= 1
    return loss, p * kept[..., None] / kept.sum()


@wrong(check_cross_entropy, "rounded to 0")
def entropy_log_of_zero(logits, targets):
    return entropy(logits, targets)


@wrong(check_cross_entropy, "expected 2 values to be returned (loss, d_logits), received one")
def entropy_only_loss(logits, targets):
    return entropy(logits, targets)[0]


@wrong(check_cross_entropy, "changes its argument `logits`")
def entropy_changes_logits(logits, targets):
    logits -= logits.max(axis=-1, keepdims=True)
    return entropy(logits, targets)


@right(check_cross_entropy)
def entropy_log_sum_exp(logits, targets):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    kept = targets >= 0
    d = np.exp(log_p)
    d[kept, targets[kept]] -= 1
    return -log_p[kept, targets[kept]].mean(), np.where(kept[..., None], d, 0) / kept.sum()


@right(check_cross_entropy)
def entropy_by_loops(logits, targets):
    total, count = 0.0, int((targets != -1).sum())
    d = np.zeros(logits.shape, dtype=np.float32)
    for b, t in np.ndindex(targets.shape):
        if targets[b, t] == -1:
            continue
        row = logits[b, t] - logits[b, t].max()
        log_sum = np.log(sum(np.exp(row)))
        total += log_sum - row[targets[b, t]]
        for v in range(len(row)):
            d[b, t, v] = (np.exp(row[v] - log_sum) - (v == targets[b, t])) / count
    return [total / count, d]


# --- RMSNorm --------------------------------------------------------------------------------------


def norm_back(dy, x, gain, eps):
    rms = np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)
    return rms, x / rms, dy * gain


@wrong(check_rmsnorm_backward, "forgets the second way")
def norm_back_direct_only(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    return d_unit / rms, np.einsum("btd,btd->d", dy, unit)


@wrong(check_rmsnorm_backward, "it must be a mean, divided by D")
def norm_back_sum(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.sum(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "it is subtracted")
def norm_back_plus(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit + unit * shared) / rms, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "forgets the gain")
def norm_back_without_gain(dy, x, gain, eps):
    rms, unit, _ = norm_back(dy, x, gain, eps)
    shared = np.mean(dy * unit, axis=-1, keepdims=True)
    return (dy - unit * shared) / rms, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "not divided by the root mean square at the end")
def norm_back_without_rms(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return d_unit - unit * shared, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "multiplied by the root mean square")
def norm_back_times_rms(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) * rms, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "shared term of dx uses x")
def norm_back_shared_of_x(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * x, axis=-1, keepdims=True)
    return (d_unit - x * shared) / rms, np.sum(dy * unit, axis=(0, 1))


@wrong(check_rmsnorm_backward, "d_gain was not summed")
def norm_back_gain_not_summed(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, dy * unit


@wrong(check_rmsnorm_backward, "sum over the batch is missing")
def norm_back_gain_per_text(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, np.einsum("btd,btd->bd", dy, unit)


@wrong(check_rmsnorm_backward, "sum over time is missing")
def norm_back_gain_per_place(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, np.sum(dy * unit, axis=0)


@wrong(check_rmsnorm_backward, "d_gain is the sum of dy")
def norm_back_gain_of_dy(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, dy.sum(axis=0).sum(axis=0)


@wrong(check_rmsnorm_backward, "d_gain multiplies by x")
def norm_back_gain_of_x(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, (dy * x).sum(axis=(0, 1))


@wrong(check_rmsnorm_backward, "d_gain is a mean")
def norm_back_gain_averaged(dy, x, gain, eps):
    rms, unit, d_unit = norm_back(dy, x, gain, eps)
    shared = np.mean(d_unit * unit, axis=-1, keepdims=True)
    return (d_unit - unit * shared) / rms, (dy * unit).mean(axis=(0, 1))


@right(check_rmsnorm_backward)
def norm_back_by_quotient_rule(dy, x, gain, eps):
    D = x.shape[-1]
    s = (x**2).mean(axis=-1, keepdims=True) + eps
    g = dy * gain
    dx = g * s**-0.5 - x * (g * x).sum(axis=-1, keepdims=True) * s**-1.5 / D
    return dx, (dy * x * s**-0.5).sum(axis=(0, 1))


@right(check_rmsnorm_backward)
def norm_back_by_jacobian(dy, x, gain, eps):
    dx, d_gain = np.zeros(x.shape), np.zeros(len(gain))
    for b, t in np.ndindex(x.shape[:2]):
        rms = np.sqrt(np.mean(x[b, t] ** 2) + eps)
        unit = x[b, t] / rms
        jacobian = (np.eye(len(gain)) - np.outer(unit, unit) / len(gain)) / rms
        dx[b, t] = jacobian @ (gain * dy[b, t])
        d_gain += dy[b, t] * unit
    return dx, d_gain


# --- rotary positions -----------------------------------------------------------------------------


@wrong(check_rope_backward, "same way as x")
def rope_back_forward_again(dy, cos, sin):
    left, right_half = np.split(dy, 2, axis=-1)
    return np.concatenate([left * cos - right_half * sin, left * sin + right_half * cos], axis=-1)


@wrong(check_rope_backward, "untouched")
def rope_back_untouched(dy, cos, sin):
    return dy.copy()


@wrong(check_rope_backward, "negated the whole result")
def rope_back_negated(dy, cos, sin):
    return -layers.rope_forward(dy, cos, sin)


@wrong(check_rope_backward, "not that of the cosine")
def rope_back_negative_cosine(dy, cos, sin):
    return layers.rope_forward(dy, -cos, sin)


@wrong(check_rope_backward, "divided by the cosine")
def rope_back_divided(dy, cos, sin):
    return dy / np.tile(cos, 2)


@wrong(check_rope_backward, "Both halves add")
def rope_back_both_plus(dy, cos, sin):
    left, right_half = np.split(dy, 2, axis=-1)
    return np.concatenate([left * cos + right_half * sin, right_half * cos + left * sin], axis=-1)


@wrong(check_rope_backward, "Both halves take")
def rope_back_both_minus(dy, cos, sin):
    left, right_half = np.split(dy, 2, axis=-1)
    return np.concatenate([left * cos - right_half * sin, right_half * cos - left * sin], axis=-1)


@wrong(check_rope_backward, "changes its argument `sin`")
def rope_back_changes_sin(dy, cos, sin):
    sin *= -1
    return layers.rope_forward(dy, cos, sin)


@right(check_rope_backward)
def rope_back_negative_sine(dy, cos, sin):
    return layers.rope_forward(dy, cos, -sin)


@right(check_rope_backward)
def rope_back_written_out(dy, cos, sin):
    left, right_half = np.split(dy.astype(np.float32), 2, axis=-1)
    return np.concatenate([left * cos + right_half * sin, right_half * cos - left * sin], axis=-1)


@right(check_rope_backward)
def rope_back_complex(dy, cos, sin):
    half = cos.shape[1]
    turned = (dy[..., :half] + 1j * dy[..., half:]) / (cos + 1j * sin)
    return np.concatenate([turned.real, turned.imag], axis=-1).tolist()
