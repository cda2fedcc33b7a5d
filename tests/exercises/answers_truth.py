"""Lessons 02 and 04, continued: the gap above the floor, back-off, a whole block."""

import math
from functools import reduce

import numpy as np
from catalogue import right, wrong

from lunsedu import layers
from lunsedu.exercises import check_back_off, check_block, check_gap

# --- the gap --------------------------------------------------------------------------------------


@right(check_gap)
def gap_by_loops(p, q):
    total = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0:
            total += a * (math.log(a / b) if b > 0 else math.inf)
    return total


@right(check_gap)
def gap_by_where(p, q):
    ratio = np.divide(p, q, out=np.full(len(p), np.inf), where=q > 0)
    return np.where(p > 0, p * np.log(np.where(p > 0, ratio, 1)), 0).sum()


@right(check_gap)
def gap_of_two_sums(p, q):
    keep = np.flatnonzero(p)
    return -(p[keep] @ np.log(q[keep])) + p[keep] @ np.log(p[keep])


@right(check_gap)
def gap_float32(p, q):
    p, q = p[p > 0].astype(np.float32), q[p > 0].astype(np.float32)
    return float(np.sum(p * np.log(p) - p * np.log(q), dtype=np.float64))


@right(check_gap)
def gap_by_comprehension(p, q):
    with np.errstate(divide="ignore"):
        return sum([a * np.log(a) - a * np.log(b) for a, b in zip(p, q, strict=True) if a])


@wrong(check_gap, "That is the cross-entropy")
def gap_cross_entropy(p, q):
    keep = p > 0
    return -np.sum(p[keep] * np.log(q[keep]))


@wrong(check_gap, "That is the entropy of p")
def gap_entropy(p, q):
    return -np.sum(p[p > 0] * np.log(p[p > 0]))


@wrong(check_gap, "p and q are swapped")
def gap_swapped(p, q):
    return gap_by_loops(q, p)


@wrong(check_gap, "sign is turned round")
def gap_negative(p, q):
    return gap_of_two_sums(p, q) * -1


@wrong(check_gap, "in bits")
def gap_in_bits(p, q):
    keep = p > 0
    return np.sum(p[keep] * np.log2(p[keep] / q[keep]))


@wrong(check_gap, "weigh it by p")
def gap_not_weighted(p, q):
    return np.log(p / q).sum()


@wrong(check_gap, "divided by the number of outcomes")
def gap_mean(p, q):
    keep = p > 0
    return (p[keep] * np.log(p[keep] / q[keep])).sum() / len(p)


@wrong(check_gap, "leave outcomes with p = 0 out")
def gap_of_what_never_happens(p, q):
    return np.sum(p * (np.log(p) - np.log(q)))


@wrong(check_gap, "You weighed by q")
def gap_weighted_by_q(p, q):
    return np.sum(q * (np.log(p) - np.log(q)))


@wrong(check_gap, "compare surprises")
def gap_of_probabilities(p, q):
    return np.abs(p - q).sum()


@wrong(check_gap, "the gap is infinite")
def gap_that_is_cut(p, q):
    keep = p > 0
    return np.sum(p[keep] * np.log(p[keep] / np.maximum(q[keep], 1e-12)))


# --- back-off -------------------------------------------------------------------------------------


@right(check_back_off)
def back_off_recursively(tables, word, context, vocab_size):
    shorter = back_off_recursively(tables, word, context[1:], vocab_size) if context else None
    guess = 1 / vocab_size if shorter is None else shorter
    seen = tables.get(context)
    return guess if not seen else (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)


@right(check_back_off)
def back_off_by_reduce(tables, word, context, vocab_size):
    contexts = [context[i:] for i in range(len(context), -1, -1)]
    seen = [tables[c] for c in contexts if c in tables]
    start = 1 / vocab_size
    return reduce(lambda g, t: (t.get(word, 0) + g) / (1 + sum(t.values())), seen, start)


@right(check_back_off)
def back_off_with_a_growing_context(tables, word, context, vocab_size):
    part, guess = (), 1.0 / vocab_size
    for before in [None, *reversed(context)]:
        part = part if before is None else (before, *part)
        if part in tables:
            counts = tables[part]
            guess = (counts[word] if word in counts else 0) + guess
            guess /= sum(counts.values()) + 1
    return guess


@right(check_back_off)
def back_off_float32(tables, word, context, vocab_size):
    guess = np.float32(1) / np.float32(vocab_size)
    for size in range(len(context) + 1):
        counts = tables.get(tuple(context[len(context) - size :]), {})
        if counts:
            guess = np.float32((counts.get(word, 0) + guess) / (sum(counts.values()) + 1))
    return float(guess)


@right(check_back_off)
def back_off_while(tables, word, context, vocab_size):
    guess, at = 1 / vocab_size, len(context)
    while at >= 0:
        counts = tables.get(context[at:], {})
        total = sum(counts.values())
        guess = (counts.get(word, 0) + guess) / (total + 1) if total else guess
        at -= 1
    return guess


@wrong(check_back_off, "Your first guess is 0")
def back_off_from_zero(tables, word, context, vocab_size):
    guess = 0
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "Your first guess is 1 for every word")
def back_off_from_one(tables, word, context, vocab_size):
    guess = 1.0
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "The whole context was not asked")
def back_off_one_short(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context)):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "The empty context was not asked")
def back_off_without_the_empty(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(1, len(context) + 1):
        seen = tables.get(context[-size:])
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "You shortened the context at its end")
def back_off_of_beginnings(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[:size])
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "expected")
def back_off_minus_zero(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[-size:])  # wrong for size 0: the whole context
        if seen:
            guess = (seen.get(word, 0) + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "plain share of the longest context")
def back_off_plain_share(tables, word, context, vocab_size):
    for size in range(len(context), -1, -1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            return seen.get(word, 0) / sum(seen.values())
    return 1 / vocab_size


@wrong(check_back_off, "A context in which the word did not occur was skipped")
def back_off_skips(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :], {})
        if word in seen:
            guess = (seen[word] + guess) / (sum(seen.values()) + 1)
    return guess


@wrong(check_back_off, "weighs as much as two words")
def back_off_two(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen.get(word, 0) + 2 * guess) / (sum(seen.values()) + 2)
    return guess


@wrong(check_back_off, "All words together get more than 1")
def back_off_grows(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen.get(word, 0) + guess) / sum(seen.values())
    return guess


@wrong(check_back_off, "KeyError")
def back_off_of_unseen_words(tables, word, context, vocab_size):
    guess = 1 / vocab_size
    for size in range(len(context) + 1):
        seen = tables.get(context[len(context) - size :])
        if seen:
            guess = (seen[word] + guess) / (sum(seen.values()) + 1)
    return guess


# --- a block --------------------------------------------------------------------------------------


def _block(
    x, w, H, cos, sin, eps, dy, *, add1=True, add2=True, back1=True, back2=True, turn=True,
    turn_back=True, second_norm=True, join=True, turn_values=False, gain_of_first=False,
    list_heads=False, float32=False,
):  # fmt: skip
    """A block written out once, with the slips that people make as switches."""
    if float32:
        w = {name: a.astype(np.float32) for name, a in w.items()}
        x, dy, cos, sin = (a.astype(np.float32) for a in (x, dy, cos, sin))
    B, T, D = x.shape
    width = D // H
    a, c1 = layers.rmsnorm_forward(x, w["attention_norm"], eps)
    a, c2 = layers.linear_forward(a, w["qkv"])
    if list_heads:
        q, k, v = (
            np.stack([p[..., h * width : (h + 1) * width] for h in range(H)], axis=1)
            for p in np.split(a, 3, axis=-1)
        )
    else:
        q, k, v = (p.reshape(B, T, H, width).swapaxes(1, 2) for p in np.split(a, 3, axis=-1))
    if turn:
        q, k = (layers.rope_forward(p, cos, sin) for p in (q, k))
    if turn_values:
        v = layers.rope_forward(v, cos, sin)
    a, c3 = layers.attend_forward(q, k, v)
    a = (a.swapaxes(1, 2) if join else a).reshape(B, T, D)
    a, c4 = layers.linear_forward(a, w["attention_out"])
    mid = x + a if add1 else a
    f, c5 = layers.rmsnorm_forward(mid, w["attention_norm" if gain_of_first else "mlp_norm"], eps)
    f, c6 = layers.linear_forward(f if second_norm else mid, w["gate_up"])
    f, c7 = layers.swiglu_forward(f)
    f, c8 = layers.linear_forward(f, w["down"])
    y = mid + f if add2 else f

    d, d_down = layers.linear_backward(dy, c8)
    d, d_up = layers.linear_backward(layers.swiglu_backward(d, c7), c6)
    d, d_norm2 = layers.rmsnorm_backward(d, c5)
    d_mid = dy + d if back2 else d
    d, d_out = layers.linear_backward(d_mid, c4)
    dq, dk, dv = layers.attend_backward(d.reshape(B, T, H, width).swapaxes(1, 2), c3)
    if turn_back:
        dq, dk = (layers.rope_backward(p, cos, sin) for p in (dq, dk))
    d = np.concatenate([p.swapaxes(1, 2).reshape(B, T, D) for p in (dq, dk, dv)], axis=-1)
    d, d_qkv = layers.linear_backward(d, c2)
    d, d_norm1 = layers.rmsnorm_backward(d, c1)
    gradients = dict(
        attention_norm=d_norm1, qkv=d_qkv, attention_out=d_out, mlp_norm=d_norm2, gate_up=d_up,
        down=d_down,
    )  # fmt: skip
    return y, d_mid + d if back1 else d, gradients


@right(check_block)
def block_by_split(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy)


@right(check_block)
def block_by_a_list_of_heads(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, list_heads=True)


@right(check_block)
def block_float32(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, float32=True)


@right(check_block)
def block_as_a_list(x, w, num_heads, cos, sin, eps, dy):
    y, dx, g = _block(x, w, num_heads, cos, sin, eps, dy)
    return [y, dx, dict(sorted(g.items()))]


@right(check_block)
def block_text_by_text(x, w, num_heads, cos, sin, eps, dy):
    each = [_block(x[b : b + 1], w, num_heads, cos, sin, eps, dy[b : b + 1]) for b in range(len(x))]
    total = {name: sum(g[name] for _, _, g in each) for name in w}
    return np.concatenate([y for y, _, _ in each]), np.concatenate([d for _, d, _ in each]), total


@wrong(check_block, "The first residual is missing")
def block_without_the_first_sum(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, add1=False)


@wrong(check_block, "The second residual is missing")
def block_without_the_second_sum(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, add2=False)


@wrong(check_block, "Queries and keys were not turned")
def block_without_positions(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, turn=False, turn_back=False)


@wrong(check_block, "were not turned back")
def block_not_turned_back(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, turn_back=False)


@wrong(check_block, "The second norm is not used")
def block_without_the_second_norm(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, second_norm=False)


@wrong(check_block, "dx forgets the first residual")
def block_back_without_the_first(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, back1=False)


@wrong(check_block, "forgets the second residual")
def block_back_without_the_second(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, back2=False)


@wrong(check_block, "joined in the wrong order")
def block_heads_not_joined(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, join=False)


@wrong(check_block, "And also: ")
def block_with_no_residual_at_all(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, add1=False, add2=False)


@wrong(check_block, "y is wrong")
def block_values_turned(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy, turn_values=True)


@wrong(check_block, "expected 8 values")
def block_without_gradients(x, w, num_heads, cos, sin, eps, dy):
    return _block(x, w, num_heads, cos, sin, eps, dy)[:2]


@wrong(check_block, "gradient of qkv: dq and dk were not turned back")
def block_with_two_parts_wrong(x, w, num_heads, cos, sin, eps, dy):
    y, dx, g = _block(x, w, num_heads, cos, sin, eps, dy)
    _, _, unturned = _block(x, w, num_heads, cos, sin, eps, dy, turn_back=False)
    return 1.5 * y, dx, {**g, "qkv": unturned["qkv"]}
