"""Lesson 06: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_branch, check_expand, check_score

# --- branch ---------------------------------------------------------------------------------------


def masked(probs, forbidden):
    probs = probs.copy()
    probs[list(forbidden)] = 0
    return probs


@wrong(check_branch, "unlikeliest")
def branch_upwards(probs, num_candidates, forbidden):
    order = [i for i in np.argsort(probs, kind="stable") if i not in forbidden and probs[i] > 0]
    return order[:num_candidates]


@wrong(check_branch, "A forbidden id is among")
def branch_ignores_forbidden(probs, num_candidates, forbidden):
    order = np.argsort(-probs, kind="stable")
    return [i for i in order if probs[i] > 0][:num_candidates]


@wrong(check_branch, "take them out first")
def branch_removes_too_late(probs, num_candidates, forbidden):
    order = np.argsort(-probs, kind="stable")[:num_candidates]
    return [i for i in order if i not in forbidden and probs[i] > 0]


@wrong(check_branch, "the lower comes first")
def branch_reversed_sort(probs, num_candidates, forbidden):
    order = np.argsort(probs, kind="stable")[::-1]
    return [i for i in order if i not in forbidden and probs[i] > 0][:num_candidates]


@wrong(check_branch, "not in order")
def branch_in_order_of_id(probs, num_candidates, forbidden):
    probs = masked(probs, forbidden)
    order = np.argsort(-probs, kind="stable")[:num_candidates]
    return sorted(i for i in order if probs[i] > 0)


@wrong(check_branch, "no longer the ids")
def branch_deletes(probs, num_candidates, forbidden):
    probs = np.delete(probs, forbidden)
    order = np.argsort(-probs, kind="stable")
    return order[probs[order] > 0][:num_candidates]


@wrong(check_branch, "probability 0 is no start")
def branch_takes_impossible(probs, num_candidates, forbidden):
    order = np.argsort(-probs, kind="stable")
    return [i for i in order if i not in forbidden][:num_candidates]


@wrong(check_branch, "Only one candidate")
def branch_greedy(probs, num_candidates, forbidden):
    return [int(np.argmax(masked(probs, forbidden)))]


@wrong(check_branch, "return the ids")
def branch_values(probs, num_candidates, forbidden):
    probs = masked(probs, forbidden)
    return [p for p in sorted(probs, reverse=True) if p > 0][:num_candidates]


@wrong(check_branch, "changes its argument `probs`")
def branch_in_place(probs, num_candidates, forbidden):
    probs[forbidden] = 0
    return np.argsort(-probs, kind="stable")[:num_candidates]


@right(check_branch)
def branch_sorted(probs, num_candidates, forbidden):
    ids = [i for i, p in enumerate(probs) if p > 0 and i not in set(forbidden)]
    ids.sort(key=lambda i: probs[i], reverse=True)
    return ids[:num_candidates]


@right(check_branch)
def branch_argmax_again_and_again(probs, num_candidates, forbidden):
    probs, ids = masked(probs, forbidden), []
    while len(ids) < num_candidates and probs.max() > 0:
        ids.append(probs.argmax())
        probs[ids[-1]] = 0
    return np.array(ids)


# --- expand ---------------------------------------------------------------------------------------


@wrong(check_expand, "One token too many")
def expand_start_not_counted(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    for _ in range(max_tokens):
        if ids[-1] == eos_id:
            break
        row = next_probs(prompt + ids)
        ids.append(int(row.argmax()))
        probs.append(row.max())
    return ids, probs


def walk(next_probs, prompt, start, max_tokens, eos_id):
    """The right way, for answers that spoil something at the end."""
    ids, probs = [start], [next_probs(prompt)[start]]
    while ids[-1] != eos_id and len(ids) < max_tokens:
        row = next_probs(prompt + ids)
        ids.append(int(row.argmax()))
        probs.append(row.max())
    return ids, probs


@wrong(check_expand, "went on after eos_id")
def expand_goes_on(next_probs, prompt, start, max_tokens, eos_id):
    return walk(next_probs, prompt, start, max_tokens, None)


@wrong(check_expand, "eos_id itself was left out")
def expand_drops_end(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = walk(next_probs, prompt, start, max_tokens, eos_id)
    n = ids.index(eos_id) if eos_id in ids else len(ids)
    return ids[:n], probs[:n]


@wrong(check_expand, "not shown the prompt")
def expand_without_prompt(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    while ids[-1] != eos_id and len(ids) < max_tokens:
        row = next_probs(ids)
        ids.append(int(row.argmax()))
        probs.append(row.max())
    return ids, probs


@wrong(check_expand, "begin with the prompt")
def expand_returns_prompt(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = walk(next_probs, prompt, start, max_tokens, eos_id)
    return prompt + ids, probs


@wrong(check_expand, "The start is missing")
def expand_loses_start(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = walk(next_probs, prompt, start, max_tokens, eos_id)
    return ids[1:], probs[1:]


@wrong(check_expand, "probability of the start is missing")
def expand_loses_first_probability(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = walk(next_probs, prompt, start, max_tokens, eos_id)
    return ids, probs[1:]


@wrong(check_expand, "gave the start the probability 1")
def expand_start_is_sure(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = walk(next_probs, prompt, start, max_tokens, eos_id)
    return ids, [1.0, *probs[1:]]


@wrong(check_expand, "a loop that never ends")
def expand_never_stops(next_probs, prompt, start, max_tokens, eos_id):
    ids = [start]
    while len(ids) < max_tokens:
        row = next_probs(prompt + ids)
    return ids, row


@wrong(check_expand, "changes its argument `prompt`")
def expand_grows_prompt(next_probs, prompt, start, max_tokens, eos_id):
    ids, probs = [start], [next_probs(prompt)[start]]
    while ids[-1] != eos_id and len(ids) < max_tokens:
        prompt.append(ids[-1])
        row = next_probs(prompt)
        ids.append(int(row.argmax()))
        probs.append(row.max())
    return ids, probs


@right(check_expand)
def expand_while(next_probs, prompt, start, max_tokens, eos_id):
    return walk(next_probs, prompt, start, max_tokens, eos_id)


@right(check_expand)
def expand_recursively(next_probs, prompt, start, max_tokens, eos_id):
    prob = float(next_probs(prompt)[start])
    if start == eos_id or max_tokens == 1:
        return [start], [prob]
    following = int(np.argmax(next_probs(prompt + [start])))
    ids, probs = expand_recursively(next_probs, prompt + [start], following, max_tokens - 1, eos_id)
    return [start] + ids, [prob] + probs


# --- score ----------------------------------------------------------------------------------------


def scored(arithmetic=None, geometric=None, total=None):
    """A score where some kinds are replaced."""

    def score(probs, kind):
        if kind == "arithmetic":
            return (arithmetic or np.mean)(probs)
        if kind == "geometric":
            return (geometric or (lambda p: math.exp(np.log(p).mean())))(probs)
        return (total or (lambda p: np.log(p).sum()))(probs)

    return score


@wrong(check_score, "take its T-th root")
def score_product(probs, kind):
    return scored(geometric=np.prod)(probs, kind)


@wrong(check_score, "take exp() of it")
def score_mean_log(probs, kind):
    return scored(geometric=lambda p: np.mean(np.log(p)))(probs, kind)


@wrong(check_score, "is the perplexity")
def score_perplexity(probs, kind):
    return scored(geometric=lambda p: 1 / math.exp(np.mean(np.log(p))))(probs, kind)


@wrong(check_score, "adds probabilities")
def score_sum_of_probabilities(probs, kind):
    return scored(total=sum)(probs, kind)


@wrong(check_score, "product of the probabilities")
def score_sum_is_product(probs, kind):
    return scored(total=np.prod)(probs, kind)


@wrong(check_score, "more is better")
def score_positive(probs, kind):
    return scored(total=lambda p: -sum(math.log(q) for q in p))(probs, kind)


@wrong(check_score, "mean of logarithms")
def score_sum_averaged(probs, kind):
    return scored(total=lambda p: np.log(p).mean())(probs, kind)


@wrong(check_score, "long texts always win")
def score_arithmetic_sum(probs, kind):
    return scored(arithmetic=np.sum)(probs, kind)


@wrong(check_score, "The first token was left out")
def score_without_start(probs, kind):
    return scored()(probs[1:] if len(probs) > 1 else probs, kind)


@wrong(check_score, "for every kind")
def score_one_kind(probs, kind):
    return sum(probs) / len(probs)


@wrong(check_score, "names are swapped")
def score_names_swapped(probs, kind):
    return scored(arithmetic=lambda p: math.exp(np.log(p).mean()), geometric=np.mean)(probs, kind)


@wrong(check_score, "rounded to 0")
def score_underflows(probs, kind):
    return scored(geometric=lambda p: np.prod(p) ** (1 / len(p)))(probs, kind)


@wrong(check_score, "gave back None")
def score_forgets_a_kind(probs, kind):
    if kind == "arithmetic":
        return np.mean(probs)
    if kind == "sum":
        return np.log(probs).sum()


@right(check_score)
def score_plain(probs, kind):
    return scored()(probs, kind)


@right(check_score)
def score_by_loops(probs, kind):
    total = log_total = 0.0
    for p in probs:
        total += p
        log_total += math.log(p)
    if kind == "sum":
        return log_total
    return total / len(probs) if kind == "arithmetic" else math.e ** (log_total / len(probs))
