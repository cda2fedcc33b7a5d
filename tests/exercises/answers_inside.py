"""Lesson 11: wrong and right answers as students write them."""

import numpy as np
from catalogue import right, wrong

from lunsedu.evaluation.intervals import proportion, wilson
from lunsedu.exercises import (
    check_control_task,
    check_patched_run,
    check_ridge_probe,
    check_without_head,
)

# --- a probe with a held-back half ----------------------------------------------------------------


def solved(x, y, ridge):
    """Weights for the columns of y."""
    return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)


def columns(y):
    return np.eye(y.max() + 1)[y]


@wrong(check_ridge_probe, "The ridge is missing")
def probe_without_ridge(x, y, fit, ridge):
    weights = np.linalg.lstsq(x[fit], columns(y)[fit], rcond=None)[0]
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "The ridge was subtracted")
def probe_minus_ridge(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], -ridge)
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "The ridge came in squared")
def probe_ridge_squared(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge * ridge)
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "multiplied by the number of cases")
def probe_ridge_times_cases(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge * fit.sum())
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "You fitted the probe on all cases")
def probe_fitted_on_all(x, y, fit, ridge):
    weights = solved(x, columns(y), ridge)
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "The halves are swapped")
def probe_swapped(x, y, fit, ridge):
    weights = solved(x[~fit], columns(y)[~fit], ridge)
    return weights, np.mean((x[fit] @ weights).argmax(axis=1) == y[fit])


@wrong(check_ridge_probe, "those it may know by heart")
def probe_tested_where_fitted(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, np.mean((x[fit] @ weights).argmax(axis=1) == y[fit])


@wrong(check_ridge_probe, "You tested the probe on all cases")
def probe_tested_on_all(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, np.mean((x @ weights).argmax(axis=1) == y)


@wrong(check_ridge_probe, "nothing is held back")
def probe_on_all(x, y, fit, ridge):
    weights = solved(x, columns(y), ridge)
    return weights, np.mean((x @ weights).argmax(axis=1) == y)


@wrong(check_ridge_probe, "as the numbers of rows")
def probe_mask_as_numbers(x, y, fit, ridge):
    rows = fit.astype(int)
    weights = solved(x[rows], columns(y)[rows], ridge)
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "argmax, not argmin")
def probe_smallest(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, np.mean((x[~fit] @ weights).argmin(axis=1) == y[~fit])


@wrong(check_ridge_probe, "divide by the number of held-back cases")
def probe_count(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, float(sum((x[~fit] @ weights).argmax(axis=1) == y[~fit]))


@wrong(check_ridge_probe, "the share of wrong answers")
def probe_errors(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, 1 - np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@wrong(check_ridge_probe, "the number of all cases")
def probe_share_of_all(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, ((x[~fit] @ weights).argmax(axis=1) == y[~fit]).sum() / len(y)


@right(check_ridge_probe)
def probe_by_solve(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    return weights, ((x[~fit] @ weights).argmax(axis=1) == y[~fit]).mean()


@right(check_ridge_probe)
def probe_by_inverse(x, y, fit, ridge):
    a, b = x[fit], columns(y)[fit]
    weights = np.linalg.inv(a.T @ a + ridge * np.identity(len(a.T))) @ a.T @ b
    found = np.argmax(x[~fit] @ weights, axis=-1)
    return weights, float(np.sum(found == y[~fit]) / np.sum(~fit))


@right(check_ridge_probe)
def probe_by_stacked_rows(x, y, fit, ridge):
    """The ridge as more cases: for each number of x one that should give 0."""
    D = x.shape[1]
    a = np.vstack([x[fit], np.sqrt(ridge) * np.eye(D)])
    b = np.vstack([columns(y)[fit], np.zeros((D, y.max() + 1))])
    weights = np.linalg.lstsq(a, b, rcond=None)[0]
    return weights, np.mean((x[~fit] @ weights).argmax(axis=1) == y[~fit])


@right(check_ridge_probe)
def probe_with_numbers_of_rows(x, y, fit, ridge):
    one, two = np.flatnonzero(fit), np.flatnonzero(~fit)
    wanted = (y[one, None] == np.arange(y.max() + 1)).astype(float)
    weights = solved(x[one], wanted, ridge)
    return weights, np.mean(np.argmax(x[two] @ weights, axis=1) == y[two])


@right(check_ridge_probe)
def probe_case_by_case(x, y, fit, ridge):
    weights = solved(x[fit], columns(y)[fit], ridge)
    found = (x[~fit] @ weights).argmax(axis=1)
    hits = [int(said == label) for said, label in zip(found, y[~fit], strict=True)]
    return weights, sum(hits) / len(hits)


# --- a control task -------------------------------------------------------------------------------


@wrong(check_control_task, "You gave a label to each case")
def control_for_each_case(types, thrown):
    return [thrown[n % len(thrown)] for n in range(len(types))]


@wrong(check_control_task, "the order in which they occur first")
def control_first_seen(types, thrown):
    table = {}
    for kind in types:
        table.setdefault(kind, thrown[len(table)] if kind not in table else None)
    return [table[kind] for kind in types]


@wrong(check_control_task, "sorted the types backwards")
def control_backwards(types, thrown):
    table = dict(zip(sorted(set(types), reverse=True), thrown, strict=True))
    return [table[kind] for kind in types]


@wrong(check_control_task, "how often they occur")
def control_by_count(types, thrown):
    kinds = sorted(sorted(set(types)), key=types.count, reverse=True)
    return [thrown[kinds.index(kind)] for kind in types]


@wrong(check_control_task, "by their length")
def control_by_length(types, thrown):
    kinds = sorted(sorted(set(types)), key=len)
    return [thrown[kinds.index(kind)] for kind in types]


@wrong(check_control_task, "You returned the place of each type")
def control_places(types, thrown):
    return np.unique(types, return_inverse=True)[1]


@wrong(check_control_task, "there must be one for each case")
def control_one_for_each_type(types, thrown):
    return [thrown[i] for i, kind in enumerate(sorted(set(types)))]


@wrong(check_control_task, "the label of its neighbour")
def control_off_by_one(types, thrown):
    kinds = sorted(set(types))
    return [(thrown + thrown)[kinds.index(kind) + 1] for kind in types]


@wrong(check_control_task, "the type before it")
def control_off_by_one_down(types, thrown):
    kinds = sorted(set(types))
    return [thrown[kinds.index(kind) - 1] for kind in types]


@wrong(check_control_task, "All cases got the same label")
def control_one_for_all(types, thrown):
    return [thrown[0] for kind in types]


@wrong(check_control_task, "You sorted the cases as well")
def control_sorted_cases(types, thrown):
    table = dict(zip(sorted(set(types)), thrown, strict=True))
    return [table[kind] for kind in sorted(types)]


@wrong(check_control_task, "where a type stands several times")
def control_list_of_all_cases(types, thrown):
    ordered = sorted(types)
    return [thrown[ordered.index(kind) % len(thrown)] for kind in types]


@right(check_control_task)
def control_by_table(types, thrown):
    table = dict(zip(sorted(set(types)), thrown, strict=True))
    return [table[kind] for kind in types]


@right(check_control_task)
def control_by_unique(types, thrown):
    _, places = np.unique(types, return_inverse=True)
    return np.array(thrown)[places]


@right(check_control_task)
def control_by_index(types, thrown):
    kinds = sorted(set(types))
    return [thrown[kinds.index(kind)] for kind in types]


@right(check_control_task)
def control_by_counting(types, thrown):
    return [thrown[len({other for other in types if other < kind})] for kind in types]


@right(check_control_task)
def control_by_filling(types, thrown):
    labels = [0] * len(types)
    for kind, label in zip(sorted(set(types)), thrown, strict=True):
        for n, other in enumerate(types):
            if other == kind:
                labels[n] = label
    return labels


# --- a patch --------------------------------------------------------------------------------------


@wrong(check_patched_run, "then it is the other run")
def patch_everything(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:] = np.tanh(other @ w1)
    return hidden @ w2


@wrong(check_patched_run, "Nothing was replaced")
def patch_too_late(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    y = hidden @ w2
    hidden[:, unit] = np.tanh(other @ w1)[:, unit]
    return y


@wrong(check_patched_run, "the wrong way round")
def patch_into_the_other(x, other, w1, w2, unit):
    hidden = np.tanh(other @ w1)
    hidden[:, unit] = np.tanh(x @ w1)[:, unit]
    return hidden @ w2


@wrong(check_patched_run, "which is a case")
def patch_row(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[unit] = np.tanh(other @ w1)[unit]
    return hidden @ w2


@wrong(check_patched_run, "You added the other run's number")
def patch_added(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] += np.tanh(other @ w1)[:, unit]
    return hidden @ w2


@wrong(check_patched_run, "the mean over the other run's cases")
def patch_mean(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] = np.tanh(other @ w1)[:, unit].mean()
    return hidden @ w2


@wrong(check_patched_run, "You set the hidden number to zero")
def patch_zero(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] = 0
    return hidden @ w2


@wrong(check_patched_run, "from before tanh")
def patch_before_tanh(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] = other @ w1[:, unit]
    return hidden @ w2


@wrong(check_patched_run, "tanh is missing")
def patch_without_tanh(x, other, w1, w2, unit):
    hidden = x @ w1
    hidden[:, unit] = other @ w1[:, unit]
    return hidden @ w2


@wrong(check_patched_run, "You patched the input")
def patch_input(x, other, w1, w2, unit):
    mixed = np.array(x)
    mixed[:, unit] = other[:, unit]
    return np.tanh(mixed @ w1) @ w2


@wrong(check_patched_run, "You patched the output")
def patch_output(x, other, w1, w2, unit):
    y = np.tanh(x @ w1) @ w2
    y[:, unit] = (np.tanh(other @ w1) @ w2)[:, unit]
    return y


@wrong(check_patched_run, "return the output itself")
def patch_difference(x, other, w1, w2, unit):
    change = np.tanh(other @ w1)[:, unit] - np.tanh(x @ w1)[:, unit]
    return np.outer(change, w2[unit])


@right(check_patched_run)
def patch_column(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] = np.tanh(other @ w1)[:, unit]
    return hidden @ w2


@right(check_patched_run)
def patch_one_unit_only(x, other, w1, w2, unit):
    hidden = np.tanh(x @ w1)
    hidden[:, unit] = np.tanh(other @ w1[:, unit])
    return np.dot(hidden, w2)


@right(check_patched_run)
def patch_before_it_is_bent(x, other, w1, w2, unit):
    sums = x @ w1
    sums[:, unit] = (other @ w1)[:, unit]
    return np.tanh(sums) @ w2


@right(check_patched_run)
def patch_by_where(x, other, w1, w2, unit):
    chosen = np.arange(w1.shape[1]) == unit
    return np.where(chosen, np.tanh(other @ w1), np.tanh(x @ w1)) @ w2


@right(check_patched_run)
def patch_by_difference(x, other, w1, w2, unit):
    own, theirs = np.tanh(x @ w1), np.tanh(other @ w1)
    return own @ w2 + (theirs - own)[:, [unit]] * w2[unit]


@right(check_patched_run)
def patch_case_by_case(x, other, w1, w2, unit):
    rows = []
    for one, two in zip(x, other, strict=True):
        hidden = np.tanh(one @ w1)
        hidden[unit] = np.tanh(two @ w1)[unit]
        rows.append(hidden @ w2)
    return np.array(rows)


# --- a head taken out -----------------------------------------------------------------------------


def count(out, w, answers):
    return int(((out.reshape(len(out), -1) @ w).argmax(axis=1) == answers).sum())


@wrong(check_without_head, "The head is still there")
def head_left_in(heads, w, head, answers):
    out = heads.copy()
    out[:, head].mean(axis=0)
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "You replaced the head by zeros")
def head_zeros(heads, w, head, answers):
    out = heads.copy()
    out[:, head] = 0
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "the mean over all heads")
def head_mean_of_all(heads, w, head, answers):
    out = heads.copy()
    out[:, head] = heads.mean(axis=(0, 1))
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "the mean over a case's numbers")
def head_mean_of_case(heads, w, head, answers):
    out = heads.copy()
    out[:, head] = heads[:, head].mean(axis=-1)[:, None]
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "replaced the head by one number")
def head_one_number(heads, w, head, answers):
    out = heads.copy()
    out[:, head] = np.mean(heads[:, head])
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "You took out a case")
def head_case_out(heads, w, head, answers):
    out = heads.copy()
    out[head] = heads.mean(axis=0)
    n = count(out, w, answers)
    return n, *wilson(n, len(heads))


def mean_out(heads, head):
    out = heads.copy()
    out[:, head] = heads[:, head].mean(axis=0)
    return out


@wrong(check_without_head, "The first value is the share")
def head_share(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    return n / len(heads), *wilson(n, len(heads))


@wrong(check_without_head, "You counted the wrong answers")
def head_wrong_ones(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    return len(heads) - n, *wilson(n, len(heads))


@wrong(check_without_head, "use Wilson's")
def head_plain_interval(heads, w, head, answers):
    n, N = count(mean_out(heads, head), w, answers), len(heads)
    half = 1.96 * np.sqrt(n / N * (1 - n / N) / N)
    return n, n / N - half, n / N + half


@wrong(check_without_head, "your interval is theirs")
def head_interval_of_wrong(heads, w, head, answers):
    n = len(heads) - count(mean_out(heads, head), w, answers)
    return n, *wilson(n, len(heads))


@wrong(check_without_head, "low and high are swapped")
def head_ends_swapped(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    low, high = wilson(n, len(heads))
    return n, high, low


@wrong(check_without_head, "Your interval counts cases")
def head_interval_in_cases(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    low, high = wilson(n, len(heads))
    return n, low * len(heads), high * len(heads)


@wrong(check_without_head, "it must be one of 95 %")
def head_ninety(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    return n, *wilson(n, len(heads), confidence=0.9)


@wrong(check_without_head, "changes its argument `heads` in place")
def head_in_place(heads, w, head, answers):
    heads[:, head] = heads[:, head].mean(axis=0)
    n = count(heads, w, answers)
    return n, *wilson(n, len(heads))


@right(check_without_head)
def head_by_wilson(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    return n, *wilson(n, len(heads))


@right(check_without_head)
def head_by_proportion(heads, w, head, answers):
    n = count(mean_out(heads, head), w, answers)
    found = proportion(n, len(answers))
    return n, found.low, found.high


@right(check_without_head)
def head_by_where(heads, w, head, answers):
    N, H, _ = heads.shape
    out = np.where((np.arange(H) == head)[:, None], heads.mean(axis=0), heads)
    good = np.argmax(out.reshape(N, -1) @ w, axis=1) == answers
    low, high = wilson(np.count_nonzero(good), N)
    return [np.count_nonzero(good), low, high]


@right(check_without_head)
def head_by_parts(heads, w, head, answers):
    K = heads.shape[2]
    part = w[head * K : (head + 1) * K]
    logits = heads.reshape(len(heads), -1) @ w
    logits = logits - (heads[:, head] - heads[:, head].mean(axis=0)) @ part
    n = int(sum(logits.argmax(axis=1) == answers))
    return n, *wilson(n, len(heads))


@right(check_without_head)
def head_case_by_case(heads, w, head, answers):
    mean, n = sum(heads[:, head]) / len(heads), 0
    for case, answer in zip(heads, answers, strict=True):
        case = case.copy()
        case[head] = mean
        n += int(np.argmax(case.ravel() @ w) == answer)
    return (n, *wilson(n, len(heads)))
