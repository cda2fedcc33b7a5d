"""Lesson 03, continued: RMSNorm and rotary positions."""

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_rmsnorm, check_rope

# --- RMSNorm --------------------------------------------------------------------------------------


@wrong(check_rmsnorm, "eps is outside of the square root")
def norm_eps_outside(x, gain, eps):
    rms = np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps
    return gain * x / rms


@wrong(check_rmsnorm, "eps is missing")
def norm_without_eps(x, gain, eps):
    return gain * x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True))


@wrong(check_rmsnorm, "LayerNorm")
def norm_layer_norm(x, gain, eps):
    variance = x.var(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps) * gain


@wrong(check_rmsnorm, "mean off x")
def norm_centred(x, gain, eps):
    rms = np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)
    return (x - x.mean(axis=-1, keepdims=True)) / rms * gain


@wrong(check_rmsnorm, "sum of the squares, not their mean")
def norm_by_length(x, gain, eps):
    return x / np.sqrt(np.einsum("btd,btd->bt", x, x)[..., None] + eps) * gain


@wrong(check_rmsnorm, "square root is missing")
def norm_without_root(x, gain, eps):
    return x / (np.mean(x**2, axis=-1, keepdims=True) + eps) * gain


@wrong(check_rmsnorm, "instead of dividing")
def norm_multiplied(x, gain, eps):
    return x * np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps) * gain


@wrong(check_rmsnorm, "squared the mean")
def norm_square_of_mean(x, gain, eps):
    return x / np.sqrt(np.mean(x, axis=-1, keepdims=True) ** 2 + eps) * gain


@wrong(check_rmsnorm, "over time")
def norm_over_time(x, gain, eps):
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + eps) * gain


@wrong(check_rmsnorm, "over the batch")
def norm_over_batch(x, gain, eps):
    return x / np.sqrt((x**2).mean(axis=0) + eps) * gain


@wrong(check_rmsnorm, "one mean over the whole array")
def norm_one_mean(x, gain, eps):
    return x / np.sqrt((x**2).mean() + eps) * gain


@wrong(check_rmsnorm, "gain is missing")
def norm_without_gain(x, gain, eps):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)


@wrong(check_rmsnorm, "added the gain")
def norm_gain_added(x, gain, eps):
    return gain + x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)


@wrong(check_rmsnorm, "normalise first, then multiply")
def norm_gain_first(x, gain, eps):
    x = x * gain
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)


@wrong(check_rmsnorm, "changes its argument `x`")
def norm_in_place(x, gain, eps):
    x /= np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps)
    return x * gain


@wrong(check_rmsnorm, "`return x / np.sqrt((x**2).mean(axis=-1) + eps) * gain`")
def norm_without_keepdims(x, gain, eps):
    return x / np.sqrt((x**2).mean(axis=-1) + eps) * gain


@right(check_rmsnorm)
def norm_plain(x, gain, eps):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) * gain


@right(check_rmsnorm)
def norm_by_loops(x, gain, eps):
    y = np.zeros(x.shape)
    for b, t in np.ndindex(x.shape[:2]):
        rms = (sum(value * value for value in x[b, t]) / len(gain) + eps) ** 0.5
        y[b, t] = [value / rms * g for value, g in zip(x[b, t], gain, strict=True)]
    return y.tolist()


@right(check_rmsnorm)
def norm_by_length_rescaled_float32(x, gain, eps):
    x, D = x.astype(np.float32), x.shape[-1]
    length = np.sqrt(np.einsum("btd,btd->bt", x, x) + D * eps)
    return np.einsum("btd,bt,d->btd", x, np.sqrt(D) / length, gain)


# --- rotary positions -----------------------------------------------------------------------------


@wrong(check_rope, "wrong way round")
def rope_turned_back(x, cos, sin):
    half = x.shape[-1] // 2
    left, right_half = x[..., :half], x[..., half:]
    return np.concatenate([left * cos + right_half * sin, right_half * cos - left * sin], axis=-1)


@wrong(check_rope, "paired neighbours")
def rope_neighbours(x, cos, sin):
    even, odd = x[..., ::2], x[..., 1::2]
    pairs = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return pairs.reshape(x.shape)


@wrong(check_rope, "Both need the old values")
def rope_reads_its_own_result(x, cos, sin):
    half = x.shape[-1] // 2
    y = x.copy()
    y[..., :half] = y[..., :half] * cos - y[..., half:] * sin
    y[..., half:] = y[..., :half] * sin + y[..., half:] * cos
    return y


@wrong(check_rope, "Both halves add their sine")
def rope_both_plus(x, cos, sin):
    swapped = np.roll(x, x.shape[-1] // 2, axis=-1)
    return x * np.tile(cos, 2) + swapped * np.tile(sin, 2)


@wrong(check_rope, "Both halves take their sine off")
def rope_both_minus(x, cos, sin):
    swapped = np.roll(x, x.shape[-1] // 2, axis=-1)
    return x * np.tile(cos, 2) - swapped * np.tile(sin, 2)


@wrong(check_rope, "cos and sin are swapped")
def rope_swapped_tables(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    return np.concatenate([left * sin - right_half * cos, left * cos + right_half * sin], axis=-1)


@wrong(check_rope, "wrong order")
def rope_halves_swapped(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    return np.concatenate([left * sin + right_half * cos, left * cos - right_half * sin], axis=-1)


@wrong(check_rope, "Only the left half")
def rope_left_only(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    return np.concatenate([left * cos - right_half * sin, right_half], axis=-1)


@wrong(check_rope, "cosine only")
def rope_cosine_only(x, cos, sin):
    return x * np.concatenate([cos, cos], axis=1)


@wrong(check_rope, "angle of the first one")
def rope_one_angle(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    c, s = cos[0], sin[0]
    return np.concatenate([left * c - right_half * s, left * s + right_half * c], axis=-1)


@wrong(check_rope, "changes its argument `x`")
def rope_in_place(x, cos, sin):
    half = x.shape[-1] // 2
    left, right_half = x[..., :half].copy(), x[..., half:].copy()
    x[..., :half] = left * cos - right_half * sin
    x[..., half:] = left * sin + right_half * cos
    return x


@wrong(check_rope, "`left * cos - x * sin,`")
def rope_shapes_clash(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    return np.concatenate(
        [
            left * cos - x * sin,
            left * sin + right_half * cos,
        ],
        axis=-1,
    )


@right(check_rope)
def rope_complex_numbers(x, cos, sin):
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * (cos + 1j * sin)
    return np.concatenate([turned.real, turned.imag], axis=-1)


@right(check_rope)
def rope_rotate_half(x, cos, sin):
    left, right_half = np.split(x, 2, axis=-1)
    turned = np.concatenate([-right_half, left], axis=-1)
    return x * np.tile(cos, 2) + turned * np.tile(sin, 2)


@right(check_rope)
def rope_by_loops(x, cos, sin):
    B, H, T, K = x.shape
    y = np.zeros(x.shape, dtype=np.float32)
    for t in range(T):
        for i in range(K // 2):
            a, b = x[:, :, t, i], x[:, :, t, i + K // 2]
            y[:, :, t, i] = a * cos[t, i] - b * sin[t, i]
            y[:, :, t, i + K // 2] = a * sin[t, i] + b * cos[t, i]
    return y


@right(check_rope)
def rope_by_matrices(x, cos, sin):
    T, half = cos.shape
    turn = np.zeros((T, 2 * half, 2 * half))
    for i in range(half):
        turn[:, i, i] = turn[:, i + half, i + half] = cos[:, i]
        turn[:, i + half, i], turn[:, i, i + half] = sin[:, i], -sin[:, i]
    return np.einsum("tjk,bhtk->bhtj", turn, x)
