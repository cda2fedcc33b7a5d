"""Right answers in unlike styles: loops, einsum, comprehensions, in place on a copy, float32."""

import hashlib
import heapq
import itertools
import math
from collections import Counter, defaultdict
from fractions import Fraction
from functools import reduce

import numpy as np
from catalogue import right

from lunsedu.exercises import (
    check_adamw_step,
    check_attention,
    check_attention_backward,
    check_bigram_cross_entropy,
    check_bigram_probabilities,
    check_branch,
    check_causal_mask,
    check_clip_gradient,
    check_count_bigrams,
    check_count_pairs,
    check_cross_entropy,
    check_disagreements,
    check_embedding_backward,
    check_encode,
    check_expand,
    check_fingerprint,
    check_forgetting,
    check_interval,
    check_learning_rate,
    check_merge,
    check_mix,
    check_paired_difference,
    check_perplexity,
    check_rmsnorm,
    check_rmsnorm_backward,
    check_rope,
    check_rope_backward,
    check_score,
    check_softmax,
    check_softmax_backward,
)

# --- the tokenizer --------------------------------------------------------------------------------


@right(check_count_pairs)
def pairs_by_defaultdict(words):
    counts = defaultdict(int)
    for word, times in words.items():
        for at in range(1, len(word)):
            counts[word[at - 1], word[at]] += times
    return counts


@right(check_count_pairs)
def pairs_by_counters(words):
    parts = (Counter(dict.fromkeys(itertools.pairwise(w), 0)) for w in words)
    total = Counter()
    for (word, times), _ in zip(words.items(), parts, strict=True):
        for pair, n in Counter(zip(word, word[1:], strict=False)).items():
            total[pair] += n * times
    return dict(total)


@right(check_count_pairs)
def pairs_by_get(words):
    counts = {}
    for word in words:
        i = 0
        while i < len(word) - 1:
            pair = word[i : i + 2]
            counts[pair] = counts.get(pair, 0) + words[word]
            i += 1
    return counts


@right(check_merge)
def merge_in_place_on_a_copy(ids, pair, new_id):
    ids, at = list(ids), 0
    while at < len(ids) - 1:
        if (ids[at], ids[at + 1]) == tuple(pair):
            ids[at : at + 2] = [new_id]
        at += 1
    return ids


@right(check_merge)
def merge_recursively(ids, pair, new_id):
    if len(ids) < 2:
        return list(ids)
    if ids[0] == pair[0] and ids[1] == pair[1]:
        return [new_id, *merge_recursively(ids[2:], pair, new_id)]
    return [ids[0], *merge_recursively(ids[1:], pair, new_id)]


@right(check_merge)
def merge_with_a_stack(ids, pair, new_id):
    done = []
    fresh = False  # a pair must not use what was just merged, were the new id equal to the left one
    for i in ids:
        if done and not fresh and done[-1] == pair[0] and i == pair[1]:
            done[-1], fresh = new_id, True
        else:
            done.append(i)
            fresh = False
    return done


@right(check_encode)
def encode_by_rank(text, merges):
    rank = {tuple(pair): i for i, pair in enumerate(merges)}
    ids = list(text.encode())
    while len(ids) > 1:
        best = min(itertools.pairwise(ids), key=lambda pair: rank.get(pair, math.inf))
        if best not in rank:
            break
        ids = merge_in_place_on_a_copy(ids, best, 256 + rank[best])
    return ids


@right(check_encode)
def encode_by_reduce(text, merges):
    return reduce(
        lambda ids, step: merge_recursively(ids, step[1], step[0]),
        enumerate(merges, start=256),
        list(bytes(text, "utf-8")),
    )


@right(check_encode)
def encode_by_heap(text, merges):
    rank, ids = {tuple(p): i for i, p in enumerate(merges)}, list(text.encode("utf-8"))
    while True:
        heap = [(rank[p], i) for i, p in enumerate(itertools.pairwise(ids)) if p in rank]
        if not heap:
            return ids
        heapq.heapify(heap)
        number, at = heapq.heappop(heap)
        ids[at : at + 2] = [256 + number]


# --- counting -------------------------------------------------------------------------------------


@right(check_count_bigrams)
def bigrams_by_counter(texts, vocab_size):
    counts = Counter(pair for ids in texts for pair in zip(ids, ids[1:], strict=False))
    return np.array([[counts[a, b] for b in range(vocab_size)] for a in range(vocab_size)], float)


@right(check_count_bigrams)
def bigrams_by_one_hot(texts, vocab_size):
    one, table = np.eye(vocab_size), np.zeros((vocab_size, vocab_size))
    for ids in texts:
        table += one[np.array(ids[:-1], int)].T @ one[np.array(ids[1:], int)]
    return table


@right(check_count_bigrams)
def bigrams_by_bincount(texts, vocab_size):
    flat = [a * vocab_size + b for ids in texts for a, b in itertools.pairwise(ids)]
    return np.bincount(np.array(flat, int), minlength=vocab_size**2).reshape(vocab_size, -1)


@right(check_bigram_probabilities)
def probabilities_by_rows(counts, extra):
    return np.array([[(n + extra) / sum(m + extra for m in row) for n in row] for row in counts])


@right(check_bigram_probabilities)
def probabilities_by_einsum(counts, extra):
    filled = counts.astype(np.float32) + np.float32(extra)
    return np.einsum("ij,i->ij", filled, 1 / filled.sum(1))


@right(check_bigram_probabilities)
def probabilities_in_place(counts, extra):
    p = np.array(counts, dtype=float)
    p += extra
    p /= p.sum(axis=1)[:, None]
    return p


@right(check_bigram_cross_entropy)
def entropy_by_loops(probs, texts):
    total = n = 0
    for ids in texts:
        for a, b in itertools.pairwise(ids):
            total -= math.log(probs[a][b])
            n += 1
    return total / n


@right(check_bigram_cross_entropy)
def entropy_by_counts(probs, texts):
    counts = bigrams_by_counter(texts, len(probs))
    return -(counts * np.log(probs)).sum() / counts.sum()


@right(check_bigram_cross_entropy)
def entropy_float32(probs, texts):
    logs = -np.log(np.asarray(probs, np.float32))
    found = [logs[a, b] for ids in texts for a, b in zip(ids[:-1], ids[1:], strict=True)]
    return np.mean(found, dtype=np.float64)


@right(check_perplexity)
def perplexity_by_math(log_probs):
    return math.exp(-sum(log_probs) / len(log_probs))


@right(check_perplexity)
def perplexity_base_two(log_probs):
    return 2 ** (-np.mean(np.asarray(log_probs) / np.log(2)))


@right(check_perplexity)
def perplexity_by_fsum(log_probs):
    return 1 / math.exp(math.fsum(log_probs) / len(log_probs))


# --- the model ------------------------------------------------------------------------------------


@right(check_softmax)
def softmax_by_logs(scores):
    scores = np.asarray(scores, dtype=float)
    top = scores.max(-1, keepdims=True)
    return np.exp(scores - top - np.log(np.exp(scores - top).sum(-1, keepdims=True)))


@right(check_softmax_backward)
def softmax_back_by_jacobian(d_weights, weights):
    eye = np.eye(weights.shape[-1])
    jacobian = weights[..., :, None] * (eye - weights[..., None, :])
    return np.einsum("...j,...ji->...i", d_weights, jacobian)


@right(check_softmax_backward)
def softmax_back_in_place(d_weights, weights):
    d = np.array(d_weights)
    d -= np.einsum("...i,...i->...", d_weights, weights)[..., None]
    d *= weights
    return d


@right(check_softmax_backward)
def softmax_back_by_rows(d_weights, weights):
    width = weights.shape[-1]
    rows = [
        w * (d - d @ w)
        for d, w in zip(d_weights.reshape(-1, width), weights.reshape(-1, width), strict=True)
    ]
    return np.array(rows).reshape(weights.shape)


@right(check_causal_mask)
def mask_by_comprehension(num_queries, num_keys):
    older = num_keys - num_queries
    return np.array(
        [
            [0.0 if s <= t + older else -math.inf for s in range(num_keys)]
            for t in range(num_queries)
        ]
    )


@right(check_causal_mask)
def mask_by_full(num_queries, num_keys):
    return np.triu(np.full((num_queries, num_keys), -np.inf), 1 + num_keys - num_queries)


@right(check_rope)
def rope_by_complex(x, cos, sin):
    half = x.shape[-1] // 2
    turned = (x[..., :half] + 1j * x[..., half:]) * (cos + 1j * sin)
    return np.concatenate([turned.real, turned.imag], axis=-1)


@right(check_rope_backward)
def rope_back_by_complex(dy, cos, sin):
    half = dy.shape[-1] // 2
    turned = (dy[..., :half] + 1j * dy[..., half:]) * (cos - 1j * sin)
    return np.concatenate([turned.real, turned.imag], axis=-1)


@right(check_rope_backward)
def rope_back_float32(dy, cos, sin):
    dy, cos, sin = (a.astype(np.float32) for a in (dy, cos, sin))
    left, right_half = np.split(dy, 2, -1)
    return np.concatenate((left * cos + right_half * sin, right_half * cos - left * sin), -1)


@right(check_rmsnorm)
def norm_by_loops(x, gain, eps):
    out = np.zeros(x.shape)
    for b, t in np.ndindex(x.shape[:2]):
        row = x[b, t]
        out[b, t] = [
            v / math.sqrt(row @ row / len(row) + eps) * g for v, g in zip(row, gain, strict=True)
        ]
    return out


@right(check_rmsnorm)
def norm_float32(x, gain, eps):
    x = x.astype(np.float32)
    x *= (np.square(x).sum(-1, keepdims=True) / np.float32(x.shape[-1]) + np.float32(eps)) ** -0.5
    return x * gain.astype(np.float32)


@right(check_rmsnorm_backward)
def norm_back_by_jacobian(dy, x, gain, eps):
    D = x.shape[-1]
    r = np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    jacobian = np.eye(D) / r[..., None] - np.einsum("btd,bte->btde", x, x) / (D * r[..., None] ** 3)
    dx = np.einsum("btd,btde->bte", dy * gain, jacobian)
    return dx, np.einsum("btd,btd->d", dy, x / r)


@right(check_rmsnorm_backward)
def norm_back_by_tokens(dy, x, gain, eps):
    dx, d_gain = np.empty_like(x), np.zeros_like(gain)
    for at in np.ndindex(x.shape[:2]):
        r = math.sqrt(np.mean(x[at] ** 2) + eps)
        d_gain += dy[at] * x[at] / r
        d = dy[at] * gain
        dx[at] = d / r - x[at] * (d @ x[at]) / (len(d) * r**3)
    return dx, d_gain


@right(check_rmsnorm_backward)
def norm_back_as_a_list(dy, x, gain, eps):
    scale = 1 / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps)
    unit, d = x * scale, dy * gain
    return [(d - unit * np.mean(d * unit, -1, keepdims=True)) * scale, (dy * unit).sum(0).sum(0)]


@right(check_attention)
def attention_float32(q, k, v):
    q, k, v = (a.astype(np.float32) for a in (q, k, v))
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(np.float32(q.shape[-1]))
    scores += np.triu(np.full(scores.shape[-2:], -1e30, np.float32), 1)
    scores -= scores.max(-1, keepdims=True)
    weights = np.exp(scores)
    return (weights / weights.sum(-1, keepdims=True)) @ v


@right(check_attention_backward)
def attention_back_by_heads(dy, q, k, v):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for at in np.ndindex(q.shape[:2]):
        T, K = q[at].shape
        scores = np.where(np.tri(T, dtype=bool), q[at] @ k[at].T / math.sqrt(K), -np.inf)
        w = np.exp(scores - scores.max(1, keepdims=True))
        w /= w.sum(1, keepdims=True)
        dv[at] = w.T @ dy[at]
        dw = dy[at] @ v[at].T
        ds = w * (dw - (dw * w).sum(1, keepdims=True)) / math.sqrt(K)
        dq[at], dk[at] = ds @ k[at], ds.T @ q[at]
    return dq, dk, dv


@right(check_attention_backward)
def attention_back_by_queries(dy, q, k, v):
    dq, dk, dv = (np.zeros(a.shape) for a in (q, k, v))
    B, H, T, K = q.shape
    for b, h, t in np.ndindex(B, H, T):
        past = slice(0, t + 1)
        scores = k[b, h, past] @ q[b, h, t] / K**0.5
        w = np.exp(scores - scores.max())
        w /= w.sum()
        dw = v[b, h, past] @ dy[b, h, t]
        ds = w * (dw - dw @ w) / K**0.5
        dv[b, h, past] += w[:, None] * dy[b, h, t]
        dq[b, h, t] = ds @ k[b, h, past]
        dk[b, h, past] += ds[:, None] * q[b, h, t]
    return dq, dk, dv


@right(check_embedding_backward)
def embedding_back_by_loops(dy, ids, vocab_size):
    table = [[0.0] * dy.shape[-1] for _ in range(vocab_size)]
    for b, row in enumerate(ids):
        for t, token in enumerate(row):
            for d in range(dy.shape[-1]):
                table[token][d] += float(dy[b, t, d])
    return np.array(table)


@right(check_embedding_backward)
def embedding_back_one_hot(dy, ids, vocab_size):
    return np.einsum("btv,btd->vd", np.eye(vocab_size)[ids], dy)


@right(check_cross_entropy)
def cross_entropy_by_loops(logits, targets):
    loss, d, n = 0.0, np.zeros_like(logits), (targets != -1).sum()
    for b, t in np.argwhere(targets >= 0):
        z = logits[b, t] - logits[b, t].max()
        total = np.exp(z).sum()
        loss += (math.log(total) - z[targets[b, t]]) / n
        d[b, t] = np.exp(z) / total / n
        d[b, t, targets[b, t]] -= 1 / n
    return loss, d


@right(check_cross_entropy)
def cross_entropy_flat(logits, targets):
    flat, goal = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    keep = np.flatnonzero(goal >= 0)
    z = flat[keep] - flat[keep].max(1)[:, None]
    logs = z - np.log(np.exp(z).sum(1))[:, None]
    one = np.eye(flat.shape[1])[goal[keep]]
    d = np.zeros_like(flat)
    d[keep] = (np.exp(logs) - one) / len(keep)
    return -(logs * one).sum() / len(keep), d.reshape(logits.shape)


@right(check_cross_entropy)
def cross_entropy_where(logits, targets):
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    kept = (targets >= 0)[..., None]
    one = (np.arange(logits.shape[-1]) == targets[..., None]) & kept
    loss = -np.where(one, logs, 0).sum() / kept.sum()
    return float(loss), np.where(kept, np.exp(logs) - one, 0) / kept.sum()


# --- training -------------------------------------------------------------------------------------


@right(check_learning_rate)
def rate_by_sine(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak / warmup_steps * (1 + step)
    x = min(step, total_steps) - warmup_steps
    x /= total_steps - warmup_steps
    return peak * (1 - (1 - final_share) * math.sin(math.pi / 2 * x) ** 2)


@right(check_learning_rate)
def rate_in_one_line(step, peak, warmup_steps, total_steps, final_share):
    p = np.clip((step - warmup_steps) / (total_steps - warmup_steps), 0, 1)
    fall = final_share + (1 - final_share) * (1 + np.cos(np.pi * p)) / 2
    return peak * min(1, (step + 1) / warmup_steps) * fall


@right(check_learning_rate)
def rate_between_two_ends(step, peak, warmup_steps, total_steps, final_share):
    low = final_share * peak
    if step >= total_steps:
        return low
    if step < warmup_steps:
        return np.interp(step + 1, [0, warmup_steps], [0, peak])
    angle = math.pi * (step - warmup_steps) / (total_steps - warmup_steps)
    return low + (peak - low) / 2 * (1 + math.cos(angle))


@right(check_clip_gradient)
def clip_by_min(gradient, max_norm):
    return gradient * min(1.0, max_norm / max(np.linalg.norm(gradient), 1e-300))


@right(check_clip_gradient)
def clip_by_loops(gradient, max_norm):
    length = math.sqrt(sum(float(g) ** 2 for g in gradient))
    if length <= max_norm:
        return np.array(gradient)
    return np.array([g / length * max_norm for g in gradient])


@right(check_clip_gradient)
def clip_on_a_copy(gradient, max_norm):
    gradient, length = gradient.copy(), math.hypot(*gradient)
    if length > max_norm:
        gradient *= max_norm / length
    return gradient


@right(check_adamw_step)
def adamw_by_loops(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    out = []
    for pi, gi, mi, vi in zip(p, g, m, v, strict=True):
        mi = beta1 * mi + (1 - beta1) * gi
        vi = beta2 * vi + (1 - beta2) * gi * gi
        change = mi / (1 - beta1**step) / (math.sqrt(vi / (1 - beta2**step)) + eps)
        out.append((pi - lr * (change + decay * pi), mi, vi))
    return tuple(np.array(part) for part in zip(*out, strict=True))


@right(check_adamw_step)
def adamw_in_place_on_copies(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    p, m, v = p.copy(), m.copy(), v.copy()
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g**2 - v)
    p *= 1 - lr * decay
    p -= lr / (1 - beta1**step) * m / (np.sqrt(v / (1 - beta2**step)) + eps)
    return p, m, v


@right(check_adamw_step)
def adamw_moved_roots(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m, v = np.average([m, g], 0, [beta1, 1 - beta1]), np.average([v, g * g], 0, [beta2, 1 - beta2])
    root = math.sqrt(1 - beta2**step)
    rate = lr * root / (1 - beta1**step)
    return p - rate * m / (np.sqrt(v) + eps * root) - lr * decay * p, m, v


# --- InsideOut ------------------------------------------------------------------------------------


@right(check_branch)
def branch_by_lexsort(probs, num_candidates, forbidden):
    order = np.lexsort((np.arange(len(probs)), -probs))
    return [int(i) for i in order if probs[i] > 0 and i not in forbidden][:num_candidates]


@right(check_branch)
def branch_by_heap(probs, num_candidates, forbidden):
    heap = [(-p, i) for i, p in enumerate(probs) if p > 0 and i not in set(forbidden)]
    heapq.heapify(heap)
    return [heapq.heappop(heap)[1] for _ in range(min(num_candidates, len(heap)))]


@right(check_branch)
def branch_by_taking_the_best(probs, num_candidates, forbidden):
    left, found = np.array(probs, dtype=float), []
    left[list(forbidden)] = 0
    while len(found) < num_candidates and left.max() > 0:
        found.append(int(left.argmax()))
        left[found[-1]] = 0
    return found


@right(check_expand)
def expand_recursively(next_probs, prompt, start, max_tokens, eos_id):
    prob = next_probs(list(prompt))[start]
    if max_tokens == 1 or start == eos_id:
        return [start], np.array([prob])
    following = int(np.argmax(next_probs([*prompt, start])))
    ids, probs = expand_recursively(next_probs, [*prompt, start], following, max_tokens - 1, eos_id)
    return [start, *ids], np.concatenate([[prob], probs])


@right(check_expand)
def expand_with_one_list(next_probs, prompt, start, max_tokens, eos_id):
    context, probs = list(prompt), []
    token = start
    for _ in range(max_tokens):
        probs.append(next_probs(context)[token])
        context.append(token)
        if token == eos_id:
            break
        token = max(range(len(row := next_probs(context))), key=lambda i: (row[i], -i))
    return context[len(prompt) :], probs


@right(check_expand)
def expand_while(next_probs, prompt, start, max_tokens, eos_id):
    ids = [start]
    probs = [float(next_probs(prompt)[start])]
    while ids[-1] != eos_id and len(ids) < max_tokens:
        row = next_probs(prompt + ids)
        best = int(row.argmax())
        ids, probs = ids + [best], probs + [float(row[best])]
    return ids, np.array(probs)


@right(check_score)
def score_by_math(probs, kind):
    logs = [math.log(p) for p in probs]
    if kind == "sum":
        return math.fsum(logs)
    if kind == "geometric":
        return math.exp(math.fsum(logs) / len(logs))
    return sum(probs) / len(probs)


@right(check_score)
def score_by_match(probs, kind):
    match kind:
        case "arithmetic":
            return np.average(probs)
        case "geometric":
            return np.exp(np.log(probs).sum() / len(probs))
    return np.add.reduce(np.log(probs))


@right(check_score)
def score_by_a_table(probs, kind):
    mean_log = np.log2(probs).mean()
    return {"arithmetic": probs.mean(), "geometric": 2**mean_log}.get(
        kind, mean_log * len(probs) * np.log(2)
    )


# --- files and fine-tuning ------------------------------------------------------------------------


@right(check_fingerprint)
def fingerprint_by_update(texts):
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()


@right(check_fingerprint)
def fingerprint_by_bytearray(texts):
    data = bytearray()
    for text in texts:
        data += bytes(text, "utf8")
        data.append(0)
    return hashlib.new("sha256", data).hexdigest()


@right(check_fingerprint)
def fingerprint_of_one_text(texts):
    return hashlib.sha256("".join(f"{text}\0" for text in texts).encode("utf-8")).digest().hex()


@right(check_forgetting)
def forgetting_by_loops(before, after, tokens):
    total = 0.0
    for b, a, n in zip(before, after, tokens, strict=True):
        total += n * (a - b)
    return total / sum(tokens)


@right(check_forgetting)
def forgetting_by_average(before, after, tokens):
    return np.average(np.subtract(after, before), weights=tokens)


@right(check_forgetting)
def forgetting_by_dot(before, after, tokens):
    share = np.asarray(tokens, dtype=np.float64) / np.sum(tokens)
    return share @ np.asarray(after) - share @ np.asarray(before)


@right(check_mix)
def mix_by_shuffling_twice(old, new, share_old, rng):
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    deck = list(old)
    rng.shuffle(deck)
    texts = list(new) + deck[:count]
    rng.shuffle(texts)
    return texts


@right(check_mix)
def mix_by_sorting_random_numbers(old, new, share_old, rng):
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    drawn = [old[i] for i in np.argsort(rng.random(len(old)))[:count]]
    keys = rng.random(len(new) + count)
    return [text for _, text in sorted(zip(keys, [*new, *drawn], strict=True))]


@right(check_mix)
def mix_by_integers(old, new, share_old, rng):
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    left, drawn = list(old), []
    while len(drawn) < count:
        drawn.append(left.pop(int(rng.integers(len(left)))))
    return list(rng.permutation(np.array([*new, *drawn])))


# --- how good is it -------------------------------------------------------------------------------


@right(check_interval)
def interval_by_the_equation(successes, count, z):
    p = successes / count  # (share - p)^2 = z^2 share (1 - share) / count, solved for share
    a, b, c = 1 + z * z / count, -(2 * p + z * z / count), p * p
    root = math.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@right(check_interval)
def interval_with_counts(successes, count, z):
    middle = (successes + z**2 / 2) / (count + z**2)
    inside = successes * (count - successes) / count + z**2 / 4
    half = z * math.sqrt(inside) / (count + z**2)
    return [middle - half, middle + half]


@right(check_interval)
def interval_by_numpy(successes, count, z):
    roots = np.roots(
        [1 + z**2 / count, -(2 * successes + z**2) / count, (successes / count) ** 2]
    ).real
    return np.sort(roots)


@right(check_paired_difference)
def paired_by_loops(first, second, z):
    d = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(d) / len(d)
    spread = math.sqrt(sum((x - mean) ** 2 for x in d) / (len(d) - 1))
    half = z * spread / math.sqrt(len(d))
    return mean, mean - half, mean + half


@right(check_paired_difference)
def paired_by_cov(first, second, z):
    d = np.subtract(first, second)
    half = z * np.sqrt(np.cov(d) / d.size)
    return np.array([d.mean(), d.mean() - half, d.mean() + half])


@right(check_paired_difference)
def paired_by_squares(first, second, z):
    d = np.array(first, float) - np.array(second, float)
    n, mean = len(d), d.sum() / len(d)
    half = z * np.sqrt(((d * d).sum() - n * mean**2) / (n - 1) / n)
    return [mean, mean - half, mean + half]


@right(check_disagreements)
def disagreements_by_loops(first, second):
    only_first = only_second = 0
    for a, b in zip(first, second, strict=True):
        only_first += bool(a) and not b
        only_second += bool(b) and not a
    return only_first, only_second


@right(check_disagreements)
def disagreements_by_counter(first, second):
    seen = Counter(zip(map(bool, first), map(bool, second), strict=True))
    return seen[True, False], seen[False, True]


@right(check_disagreements)
def disagreements_by_difference(first, second):
    d = np.array(first, int) - np.array(second, int)
    return int((d == 1).sum()), int((d == -1).sum())


@right(check_perplexity)
def perplexity_by_fractions(log_probs):
    mean = sum((Fraction(float(x)) for x in log_probs), Fraction(0)) / len(log_probs)
    return math.exp(-mean)
