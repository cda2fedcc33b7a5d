"""Lesson 13: wrong and right answers as students write them."""

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import (
    check_adapter_size,
    check_answer_targets,
    check_low_rank_backward,
    check_merge_adapter,
)

# --- how many numbers -----------------------------------------------------------------------------


@wrong(check_adapter_size, "the size of the matrices themselves")
def size_of_matrices(shapes, rank):
    return sum(np.prod(shape) for shape in shapes)


@wrong(check_adapter_size, "You multiplied in by out")
def size_rank_times_matrices(shapes, rank):
    total = 0
    for inner, outer in shapes:
        total += inner * rank * outer
    return total


@wrong(check_adapter_size, "The rank is missing")
def size_without_rank(shapes, rank):
    return int(np.sum(shapes))


@wrong(check_adapter_size, "You counted A only")
def size_of_a(shapes, rank):
    return sum(shape[0] * rank for shape in shapes)


@wrong(check_adapter_size, "You counted B only")
def size_of_b(shapes, rank):
    return sum(rank * shape[1] for shape in shapes)


@wrong(check_adapter_size, "Only the first matrix")
def size_returns_early(shapes, rank):
    for inner, outer in shapes:
        return rank * (inner + outer)


@wrong(check_adapter_size, "Only the last matrix")
def size_overwritten(shapes, rank):
    for inner, outer in shapes:
        total = rank * (inner + outer)
    return total


@wrong(check_adapter_size, "the frozen matrices as well")
def size_with_weights(shapes, rank):
    return sum(i * o + i * rank + rank * o for i, o in shapes)


@wrong(check_adapter_size, "multiplied the sizes of A and B")
def size_product(shapes, rank):
    return sum(np.ones((i, rank)).size * np.ones((rank, o)).size for i, o in shapes)


@wrong(check_adapter_size, "counted once")
def size_of_a_dict(shapes, rank):
    sizes = {shape: rank * sum(shape) for shape in shapes}
    return sum(sizes.values())


@wrong(check_adapter_size, "The rank was counted twice")
def size_rank_squared(shapes, rank):
    return rank * sum(rank * (i + o) for i, o in shapes)


@right(check_adapter_size)
def size_by_loop(shapes, rank):
    total = 0
    for inner, outer in shapes:
        total += inner * rank + rank * outer
    return total


@right(check_adapter_size)
def size_by_sum(shapes, rank):
    return rank * sum(sum(shape) for shape in shapes)


@right(check_adapter_size)
def size_by_arrays(shapes, rank):
    return np.array(shapes).sum() * rank


@right(check_adapter_size)
def size_by_making_them(shapes, rank):
    made = [(np.empty((i, rank)), np.empty((rank, o))) for i, o in shapes]
    return sum(a.size + b.size for a, b in made)


@right(check_adapter_size)
def size_by_recursion(shapes, rank):
    if not shapes:
        return 0
    return rank * sum(shapes[0]) + size_by_recursion(shapes[1:], rank)


# --- into the weights -----------------------------------------------------------------------------


@wrong(check_merge_adapter, "The scale is missing")
def merge_without_scale(w, a, b, alpha):
    return w + a @ b


@wrong(check_merge_adapter, "forgot to divide by the rank")
def merge_by_alpha(w, a, b, alpha):
    return w + alpha * np.matmul(a, b)


@wrong(check_merge_adapter, "upside down")
def merge_upside_down(w, a, b, alpha):
    rank = b.shape[0]
    return w + rank / alpha * (a @ b)


@wrong(check_merge_adapter, "forgot alpha")
def merge_mean(w, a, b, alpha):
    return w + (a @ b) / a.shape[1]


@wrong(check_merge_adapter, "the width of the input")
def merge_by_input(w, a, b, alpha):
    rank = len(a)
    return w + (alpha / rank) * a @ b


@wrong(check_merge_adapter, "the width of the output")
def merge_by_output(w, a, b, alpha):
    return w + alpha / b.shape[1] * a @ b


@wrong(check_merge_adapter, "the root of the rank")
def merge_root(w, a, b, alpha):
    return w + alpha / a.shape[1] ** 0.5 * a @ b


@wrong(check_merge_adapter, "cuts off the fraction")
def merge_whole(w, a, b, alpha):
    return w + (alpha // len(b)) * a @ b


@wrong(check_merge_adapter, "The scale came in twice")
def merge_twice(w, a, b, alpha):
    scale = alpha / len(b)
    return w + (scale * a) @ (scale * b)


@wrong(check_merge_adapter, "You subtracted the change")
def merge_minus(w, a, b, alpha):
    return w - alpha / len(b) * a @ b


@wrong(check_merge_adapter, "the change alone")
def merge_change(w, a, b, alpha):
    return alpha / len(b) * a @ b


@wrong(check_merge_adapter, "You scaled w as well")
def merge_brackets(w, a, b, alpha):
    return alpha / len(b) * (w + a @ b)


@wrong(check_merge_adapter, "changes its argument `w` in place")
def merge_in_place(w, a, b, alpha):
    w += alpha / len(b) * a @ b
    return w


@right(check_merge_adapter)
def merge_in_a_line(w, a, b, alpha):
    return w + a @ b * alpha / a.shape[1]


@right(check_merge_adapter)
def merge_into_a_copy(w, a, b, alpha):
    merged = w.copy()
    merged += (alpha / b.shape[0]) * (a @ b)
    return merged


@right(check_merge_adapter)
def merge_scaled_a(w, a, b, alpha):
    return (a * (alpha / len(b))) @ b + w


@right(check_merge_adapter)
def merge_products(w, a, b, alpha):
    merged = np.array(w)
    for column, row in zip(a.T, b, strict=True):
        merged = merged + alpha / len(b) * np.outer(column, row)
    return merged


@right(check_merge_adapter)
def merge_einsum(w, a, b, alpha):
    return w + np.einsum("ir,ro->io", a, b) * (alpha / a.shape[-1])


# --- gradients ------------------------------------------------------------------------------------


@wrong(check_low_rank_backward, "forgets the way through the thin middle")
def back_frozen_only(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T, x.T @ du, scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "forgets the frozen matrix")
def back_thin_only(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return du @ a.T, x.T @ du, scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "The scale is missing in dx")
def back_dx_without_scale(dy, x, w, a, b, scale):
    return dy @ w.T + dy @ b.T @ a.T, scale * x.T @ (dy @ b.T), scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "The scale is missing in da")
def back_da_without_scale(dy, x, w, a, b, scale):
    du = dy @ b.T
    return dy @ w.T + scale * du @ a.T, x.T @ du, scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "The scale is missing in db")
def back_db_without_scale(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T + du @ a.T, x.T @ du, (x @ a).T @ dy


@wrong(check_low_rank_backward, "The scale came into da twice")
def back_da_twice(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T + du @ a.T, scale * x.T @ du, scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "The scale came into db twice")
def back_db_twice(dy, x, w, a, b, scale):
    u, du = scale * x @ a, scale * dy @ b.T
    return dy @ w.T + du @ a.T, x.T @ du, scale * u.T @ dy


@wrong(check_low_rank_backward, "The scale came into dx twice")
def back_dx_twice(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T + scale * du @ a.T, x.T @ du, scale * (x @ a).T @ dy


@wrong(check_low_rank_backward, "means over the rows")
def back_means(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    N = x.shape[0]
    return dy @ w.T + du @ a.T, x.T @ du / N, scale * (x @ a).T @ dy / N


@wrong(check_low_rank_backward, "You returned db before da")
def back_swapped(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T + du @ a.T, scale * (x @ a).T @ dy, x.T @ du


@wrong(check_low_rank_backward, "has the wrong sign")
def back_minus(dy, x, w, a, b, scale):
    du = scale * dy @ b.T
    return dy @ w.T - du @ a.T, x.T @ du, scale * (x @ a).T @ dy


@right(check_low_rank_backward)
def back_by_two_layers(dy, x, w, a, b, scale):
    u = x @ a
    du = scale * (dy @ b.T)
    return dy @ w.T + du @ a.T, x.T @ du, scale * (u.T @ dy)


@right(check_low_rank_backward)
def back_through_the_large_gradient(dy, x, w, a, b, scale):
    dw = x.T @ dy  # more work, but the same numbers
    return dy @ (w + scale * a @ b).T, scale * dw @ b.T, scale * a.T @ dw


@right(check_low_rank_backward)
def back_with_scaled_b(dy, x, w, a, b, scale):
    scaled = scale * b
    du = dy @ scaled.T
    dx = np.dot(dy, w.T)
    dx += np.dot(du, a.T)
    return [dx, np.dot(x.T, du), scale * np.dot(np.dot(x, a).T, dy)]


@right(check_low_rank_backward)
def back_by_einsum(dy, x, w, a, b, scale):
    du = np.einsum("no,ro->nr", dy, b) * scale
    dx = np.einsum("no,io->ni", dy, w) + np.einsum("nr,ir->ni", du, a)
    return dx, np.einsum("ni,nr->ir", x, du), np.einsum("ni,ir,no->ro", x, a, dy) * scale


@right(check_low_rank_backward)
def back_row_by_row(dy, x, w, a, b, scale):
    dx, da, db = np.zeros_like(x), np.zeros_like(a), np.zeros_like(b)
    for n in range(len(x)):
        du = scale * b @ dy[n]
        dx[n] = w @ dy[n] + a @ du
        da += np.outer(x[n], du)
        db += scale * np.outer(x[n] @ a, dy[n])
    return dx, da, db


# --- only the answer is graded --------------------------------------------------------------------


@wrong(check_answer_targets, "one place too late")
def targets_not_shifted(prompt, answer, eos):
    return [-1 for _ in prompt] + answer


@wrong(check_answer_targets, "The prompt is graded, too")
def targets_of_everything(prompt, answer, eos):
    return (prompt + answer + [eos])[1:]


@wrong(check_answer_targets, "The end of the text is not graded")
def targets_end_ignored(prompt, answer, eos):
    ids = prompt + answer
    return [ids[i + 1] if len(prompt) - 1 <= i < len(ids) - 1 else -1 for i in range(len(ids))]


@wrong(check_answer_targets, "The end of the text is missing")
def targets_without_end(prompt, answer, eos):
    return [-1] * (len(prompt) - 1) + answer


@wrong(check_answer_targets, "The first token of the answer is not graded")
def targets_first_ignored(prompt, answer, eos):
    targets = (prompt + answer + [eos])[1:]
    targets[: len(prompt)] = [-1] * len(prompt)
    return targets


@wrong(check_answer_targets, "one -1 too many")
def targets_one_more(prompt, answer, eos):
    return [-1] * len(prompt) + answer + [eos]


@wrong(check_answer_targets, "0 is a token")
def targets_zeros(prompt, answer, eos):
    return [0] * (len(prompt) - 1) + answer + [eos]


@wrong(check_answer_targets, "learns to stop inside of a prompt")
def targets_ends(prompt, answer, eos):
    return [eos] * (len(prompt) - 1) + answer + [eos]


@wrong(check_answer_targets, "the tokens BEFORE each position")
def targets_before(prompt, answer, eos):
    ids = prompt + answer
    return [-1] * len(prompt) + [ids[i - 1] for i in range(len(prompt), len(ids))]


@wrong(check_answer_targets, "You left the prompt's places out")
def targets_of_answer(prompt, answer, eos):
    return answer + [eos]


@wrong(check_answer_targets, "Only the end is graded")
def targets_only_end(prompt, answer, eos):
    return [-1] * (len(prompt + answer) - 1) + [eos]


@right(check_answer_targets)
def targets_in_a_line(prompt, answer, eos):
    return [-1] * (len(prompt) - 1) + answer + [eos]


@right(check_answer_targets)
def targets_shifted_and_masked(prompt, answer, eos):
    targets = (prompt + answer + [eos])[1:]
    targets[: len(prompt) - 1] = [-1] * (len(prompt) - 1)
    return targets


@right(check_answer_targets)
def targets_as_array(prompt, answer, eos):
    targets = np.full(len(prompt) + len(answer), -1)
    targets[len(prompt) - 1 :] = answer + [eos]
    return targets


@right(check_answer_targets)
def targets_by_loop(prompt, answer, eos):
    whole, targets = prompt + answer + [eos], []
    for place in range(len(whole) - 1):
        targets.append(whole[place + 1] if place + 1 >= len(prompt) else -1)
    return targets


@right(check_answer_targets)
def targets_by_parts(prompt, answer, eos):
    targets = []
    for _ in prompt[1:]:
        targets.append(-1)
    targets.extend(answer)
    targets.append(eos)
    return targets
