"""Wrong answers of kinds that readers reported: each once passed, or was told something else."""

import random

import numpy as np
from catalogue import wrong

from lunsedu import layers
from lunsedu.decoding import score_tokens
from lunsedu.exercises import (
    check_adamw_step,
    check_attention,
    check_attention_backward,
    check_bigram_cross_entropy,
    check_bigram_probabilities,
    check_branch,
    check_causal_mask,
    check_count_bigrams,
    check_count_pairs,
    check_cross_entropy,
    check_embedding_backward,
    check_encode,
    check_expand,
    check_forgetting,
    check_learning_rate,
    check_merge,
    check_mix,
    check_perplexity,
    check_rmsnorm,
    check_rmsnorm_backward,
    check_rope,
    check_rope_backward,
    check_score,
    check_softmax,
)
from lunsedu.training import AdamW

# --- forms: pairs, lists, whole numbers, early returns, changed arguments -------------------------


@wrong(check_softmax, "You returned 2 things at once (a tuple), but one is asked for")
def softmax_and_its_cache(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True), scores


@wrong(check_rmsnorm, "You returned 2 things at once")
def norm_of_the_lesson(x, gain, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return x * scale * gain, (x, gain, scale)


@wrong(check_bigram_probabilities, "whole numbers cuts off what stands behind the point")
def probabilities_in_a_copy_of_whole_numbers(counts, extra):
    table = np.array(counts)
    table[...] = (counts + extra) / (counts + extra).sum(axis=1, keepdims=True)
    return (
        table if counts.dtype.kind == "i" else (counts + extra) / np.sum(counts + extra, 1)[:, None]
    )


@wrong(check_embedding_backward, "whole numbers cuts off what stands behind the point")
def embedding_back_in_whole_numbers(dy, ids, vocab_size):
    table = np.zeros((vocab_size, dy.shape[-1]), dtype=int)
    for b in range(ids.shape[0]):
        for t in range(ids.shape[1]):
            table[ids[b, t]] = table[ids[b, t]] + dy[b, t]
    return table


@wrong(check_embedding_backward, "whole numbers cuts off what stands behind the point")
def embedding_back_add_at_whole_numbers(dy, ids, vocab_size):
    table = np.zeros((vocab_size, dy.shape[-1]), dtype=int)
    np.add.at(table, ids, dy)
    return table


@wrong(check_count_pairs, "stands inside a loop")
def pairs_of_the_first_word(words):
    counts = {}
    for word, times in words.items():
        for pair in zip(word, word[1:], strict=False):
            counts[pair] = counts.get(pair, 0) + times
        return counts


@wrong(check_perplexity, "stands inside a loop")
def perplexity_after_one(log_probs):
    total, n = 0.0, 0
    for log_prob in log_probs:
        total += log_prob
        n += 1
        return np.exp(-total / n)


@wrong(check_expand, "You returned ids alone")
def expand_ids_alone(next_probs, prompt, start, max_tokens, eos_id):
    ids = [start]
    while len(ids) < max_tokens and ids[-1] != eos_id:
        ids.append(int(np.argmax(next_probs(prompt + ids))))
    return ids


@wrong(check_rmsnorm, "changes its argument `x` in place")
def norm_through_a_view(x, gain, eps):
    rows = x.reshape(-1, x.shape[-1])  # a view
    rows /= np.sqrt((rows**2).mean(axis=1, keepdims=True) + eps)
    return x * gain


@wrong(check_merge, "changes its argument `ids` in place")
def merge_hands_the_same_list_back(ids, pair, new_id):
    at = 0
    while at < len(ids) - 1:
        if (ids[at], ids[at + 1]) == pair:
            ids[at : at + 2] = [new_id]
        at += 1
    return ids


# --- numpy's own words ----------------------------------------------------------------------------


@wrong(check_softmax, "loses its axis unless you write keepdims=True")
def softmax_without_keepdims(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1)


@wrong(check_causal_mask, "not a number (nan)")
def mask_of_triu_times_infinity(num_queries, num_keys):
    return np.triu(np.ones((num_queries, num_keys)), 1 + num_keys - num_queries) * -np.inf


# --- tricks that passed ---------------------------------------------------------------------------


@wrong(check_softmax, "off by a little")
def softmax_with_something_below(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / (e.sum(axis=-1, keepdims=True) + 1e-6)


@wrong(check_attention, "the future shines through")
def attention_with_a_finite_mask(q, k, v):
    T, K = q.shape[2:]
    scores = q @ k.swapaxes(2, 3) / K**0.5 + np.triu(np.full((T, T), -1e4), 1)
    return layers.softmax(scores) @ v


@wrong(check_causal_mask, "large scores would shine through")
def mask_of_a_large_number(num_queries, num_keys):
    return np.triu(np.full((num_queries, num_keys), -1e4), 1 + num_keys - num_queries)


@wrong(check_merge, "in 11 2 you found 1 2")
def merge_by_text(ids, pair, new_id):
    text = " ".join(str(i) for i in ids).replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(word) for word in text.split()]


@wrong(check_encode, "bytes of several digits")
def encode_by_text(text, merges):
    words = " ".join(map(str, text.encode("utf-8")))
    for number, (left, right) in enumerate(merges):
        words = words.replace(f"{left} {right}", str(256 + number))
    return [int(word) for word in words.split()]


@wrong(check_bigram_cross_entropy, "rounded to 0")
def entropy_of_the_product(probs, texts):
    product, n = 1.0, 0
    for ids in texts:
        for a, b in zip(ids, ids[1:], strict=False):
            product *= probs[a, b]
            n += 1
    return -np.log(product) / n


@wrong(check_score, "its logarithm is -inf")
def score_sum_of_the_product(probs, kind):
    if kind == "sum":
        return np.log(np.prod(probs))
    return np.mean(probs) if kind == "arithmetic" else np.exp(np.mean(np.log(probs)))


@wrong(check_score, "which is what this exercise asks you to write")
def score_of_the_package(probs, kind):
    return score_tokens(probs, kind)


@wrong(check_adamw_step, "which is what this exercise asks you to write")
def adamw_of_the_package(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    optimizer = AdamW(len(p), betas=(beta1, beta2), eps=eps, weight_decay=decay)
    optimizer.m, optimizer.v, optimizer.step = m.copy(), v.copy(), step - 1
    p = p.copy()
    optimizer.update(p, g, lr)
    return p, optimizer.m, optimizer.v


@wrong(check_cross_entropy, "one largest logit off for all positions")
def cross_entropy_with_one_maximum(logits, targets):
    keep = targets >= 0
    e = np.exp(logits - logits.max())
    p = e / e.sum(axis=-1, keepdims=True)
    logs = logits - logits.max() - np.log(e.sum(axis=-1, keepdims=True))
    at = np.take_along_axis(logs, np.maximum(targets, 0)[..., None], -1)[..., 0]
    one = np.eye(logits.shape[-1])[np.maximum(targets, 0)]
    return -at[keep].mean(), (p - one) * keep[..., None] / keep.sum()


@wrong(check_branch, "small probabilities")
def branch_above_a_threshold(probs, num_candidates, forbidden):
    ids = [i for i in np.argsort(-probs, kind="stable") if probs[i] > 0.01 and i not in forbidden]
    return [int(i) for i in ids[:num_candidates]]


@wrong(check_branch, "small probabilities")
def branch_of_rounded_probabilities(probs, num_candidates, forbidden):
    ids = [i for i in range(len(probs)) if round(probs[i], 2) > 0 and i not in forbidden]
    return sorted(ids, key=lambda i: (-probs[i], i))[:num_candidates]


@wrong(check_branch, "ask first whether it is there")
def branch_removes_what_is_not_there(probs, num_candidates, forbidden):
    ids = [i for i in np.argsort(-probs, kind="stable").tolist() if probs[i] > 0]
    for i in forbidden:
        ids.remove(i)
    return ids[:num_candidates]


@wrong(check_expand, "the end of the prompt alone")
def expand_forgets_the_prompt(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    while len(ids) < max_tokens and ids[-1] != eos_id:
        row = next_probs(prompt[-1:] + ids)
        ids.append(int(row.argmax()))
        probs.append(row[ids[-1]])
    return ids, np.array(probs)


@wrong(check_expand, "only a new id ends the text")
def expand_looks_for_the_end_in_the_prompt(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    while len(ids) < max_tokens and eos_id not in prompt + ids:
        row = next_probs(prompt + ids)
        ids.append(int(row.argmax()))
        probs.append(row[ids[-1]])
    return ids, np.array(probs)


@wrong(check_expand, "the lower one is taken")
def expand_takes_the_last_of_ties(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    while len(ids) < max_tokens and ids[-1] != eos_id:
        row = next_probs(prompt + ids)
        ids.append(int(np.flatnonzero(row == row.max())[-1]))
        probs.append(row[ids[-1]])
    return ids, np.array(probs)


@wrong(check_mix, "a generator that you made yourself")
def mix_with_a_generator_of_its_own(old, new, share_old, rng):
    rng = np.random.default_rng(0)
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    texts = [*new, *(old[i] for i in rng.choice(len(old), count, replace=False))]
    return [texts[i] for i in rng.permutation(len(texts))]


@wrong(check_mix, "with the rng that you are given")
def mix_with_the_global_generator(old, new, share_old, rng):
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    texts = [*new, *random.sample(old, count)]
    random.shuffle(texts)
    return texts


# --- two mistakes at once, and parts judged for themselves ----------------------------------------


@wrong(check_attention, "the causal mask is missing. And also: You did not divide")
def attention_without_mask_and_scale(q, k, v):
    return layers.softmax(q @ k.swapaxes(2, 3)) @ v


@wrong(check_rmsnorm_backward, "d_gain: Your d_gain is a mean over batch and time")
def norm_back_gain_averaged(dy, x, gain, eps):
    scale = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    unit, d = x * scale, dy * gain
    dx = (d - (d * unit).mean(-1, keepdims=True)) * scale  # and the unit is missing
    return dx, (dy * unit).mean(axis=(0, 1))


@wrong(check_attention_backward, "dk needs d_scores transposed")
def attention_back_dk_and_dv_wrong(dy, q, k, v):
    T, K = q.shape[2:]
    w = layers.softmax(q @ k.swapaxes(2, 3) / K**0.5 + layers.causal_mask(T, T))
    d = layers.softmax_backward(dy @ v.swapaxes(2, 3), w) / K**0.5
    return d @ k, d @ q, w @ dy


@wrong(check_cross_entropy, "-1. And also: Positions whose target is -1 got a gradient")
def cross_entropy_two_mistakes(logits, targets):
    keep = targets >= 0
    p = layers.softmax(logits)
    one = np.eye(logits.shape[-1])[targets]
    loss = -np.log((p * one).sum(-1))[keep].sum() / targets.size
    return loss, (p - one) / targets.size


@wrong(check_adamw_step, "v was not corrected")
def adamw_two_mistakes(p, g, m, v, step, lr, beta1, beta2, eps, decay):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    p = p - lr * (m / (1 - beta1**step)) / (np.sqrt(v) + eps)  # and the decay is missing
    return p, m, v


# --- the wrong name -------------------------------------------------------------------------------


@wrong(check_rope_backward, "the sine alone, not that of dy")
def rope_back_of_minus_dy(dy, cos, sin):
    return layers_rope(-dy, cos, -sin)


def layers_rope(x, cos, sin):
    left, right = np.split(x, 2, axis=-1)
    return np.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1)


@wrong(check_rope_backward, "Both halves add their sine")
def rope_back_both_plus(dy, cos, sin):
    left, right = np.split(dy, 2, axis=-1)
    return np.concatenate([left * cos + right * sin, right * cos + left * sin], axis=-1)


@wrong(check_rope, "pairs are half a head apart")
def rope_of_neighbours(x, cos, sin):
    y = np.zeros_like(x)
    for i in range(x.shape[-1] // 2):
        a, b = x[..., 2 * i], x[..., 2 * i + 1]
        y[..., 2 * i] = a * cos[:, i] - b * sin[:, i]
        y[..., 2 * i + 1] = b * cos[:, i] + a * sin[:, i]
    return y


@wrong(check_learning_rate, "or its `return`")
def rate_without_the_first_return(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        peak * (step + 1) / warmup_steps  # noqa: B018
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (final_share + (1 - final_share) * 0.5 * (1 + np.cos(np.pi * progress)))


@wrong(check_learning_rate, "a tenth of the peak whatever final_share is")
def rate_with_a_floor_of_its_own(step, peak, warmup_steps, total_steps, final_share):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * progress)))


# --- names of the notebook ------------------------------------------------------------------------

K = 4


@wrong(check_attention, "leans on `K`, a name of the notebook")
def attention_with_a_global(q, k, v):
    T = q.shape[2]
    scores = q @ k.swapaxes(2, 3) / K**0.5 + layers.causal_mask(T, T)
    return layers.softmax(scores) @ v


def scaled(q, k):
    return q @ k.swapaxes(2, 3) / K**0.5


@wrong(check_attention, "leans on `K`")
def attention_with_a_helper_that_leans(q, k, v):
    T = q.shape[2]
    return layers.softmax(scaled(q, k) + layers.causal_mask(T, T)) @ v


# --- more of the same exercises -------------------------------------------------------------------


@wrong(check_bigram_probabilities, "columns sum to one")
def probabilities_of_columns(counts, extra):
    filled = counts + extra
    return filled / filled.sum(0, keepdims=True)


@wrong(check_bigram_probabilities, "add it to the counts, before dividing")
def probabilities_extra_last(counts, extra):
    return counts / counts.sum(1, keepdims=True) + extra


@wrong(check_count_bigrams, "You counted each pair in both directions")
def bigrams_both_ways(texts, vocab_size):
    table = np.zeros((vocab_size, vocab_size))
    for ids in texts:
        for a, b in zip(ids, ids[1:], strict=False):
            table[a, b] += 1
            table[b, a] += 1
    return table


@wrong(check_forgetting, "You returned the total")
def forgetting_total(before, after, tokens):
    return sum((a - b) * n for a, b, n in zip(after, before, tokens, strict=True))


@wrong(check_forgetting, "Every text weighs the same")
def forgetting_plain_mean(before, after, tokens):
    return float(np.mean(after) - np.mean(before))


@wrong(check_mix, "drawn twice")
def mix_with_repetition(old, new, share_old, rng):
    count = min(len(old), round(share_old * len(new) / (1 - share_old)))
    texts = [*new, *(old[i] for i in rng.integers(0, len(old), count))]
    return [texts[i] for i in rng.permutation(len(texts))]


@wrong(check_perplexity, "That is the cross-entropy")
def perplexity_without_exp(log_probs):
    return -sum(log_probs) / len(log_probs)


@wrong(check_perplexity, "the base is e, np.exp, not 2")
def perplexity_to_the_base_two(log_probs):
    return 2.0 ** (-np.sum(log_probs) / len(log_probs))


@wrong(check_attention_backward, "dq is right")
def attention_back_two_parts_wrong(dy, q, k, v):
    T, K = q.shape[2:]
    w = layers.softmax(q @ k.swapaxes(2, 3) / K**0.5 + layers.causal_mask(T, T))
    d = layers.softmax_backward(dy @ v.swapaxes(2, 3), w) / K**0.5
    return d @ k, 2 * (d.swapaxes(2, 3) @ q), w.swapaxes(2, 3) @ dy + 1
