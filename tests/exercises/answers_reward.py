"""Lesson 12: wrong and right answers as students write them."""

import re
from itertools import combinations
from math import comb, factorial

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import (
    check_advantages,
    check_mended_reward,
    check_pass_at_k,
    check_policy_gradient,
)

# --- better than its group ------------------------------------------------------------------------


def by_groups(one):
    """Return advantages by a loop over groups: one(the rewards that count) -> theirs."""

    def found(rewards, mask):
        result = np.zeros(rewards.shape)
        for row, (group, counts) in enumerate(zip(rewards, mask, strict=True)):
            result[row, counts] = one(group[counts].astype(float))
        return result

    return found


@by_groups
def scaled(group):
    if group.max() == group.min():
        return 0 * group
    return (group - group.mean()) / group.std()


@wrong(check_advantages, "The deviation is missing")
def advantages_without_deviation(rewards, mask):
    return by_groups(lambda g: 0 * g if g.max() == g.min() else g - g.mean())(rewards, mask)


@wrong(check_advantages, "The mean is missing")
def advantages_without_mean(rewards, mask):
    return by_groups(lambda g: 0 * g if g.max() == g.min() else g / g.std())(rewards, mask)


@wrong(check_advantages, "divided by the variance")
def advantages_by_variance(rewards, mask):
    return by_groups(lambda g: 0 * g if g.max() == g.min() else (g - g.mean()) / g.var())(
        rewards, mask
    )


@wrong(check_advantages, "one less than there are")
def advantages_ddof(rewards, mask):
    result = np.zeros_like(rewards)
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        if len(set(g.tolist())) > 1:
            result[i][mask[i]] = (g - g.mean()) / g.std(ddof=1)
    return result


@wrong(check_advantages, "the mean of all groups together")
def advantages_mean_of_all(rewards, mask):
    result, centre = np.zeros_like(rewards), rewards[mask].mean()
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        if g.max() > g.min():
            result[i][mask[i]] = (g - centre) / g.std()
    return result


@wrong(check_advantages, "the deviation of all groups together")
def advantages_deviation_of_all(rewards, mask):
    result, spread = np.zeros_like(rewards), rewards[mask].std()
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        if g.max() > g.min():
            result[i][mask[i]] = (g - g.mean()) / spread
    return result


@wrong(check_advantages, "Rewards that do not count went into your mean:")
def advantages_plain_mean(rewards, mask):
    result = np.zeros_like(rewards)
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        if g.max() > g.min():
            result[i][mask[i]] = (g - rewards[i].mean()) / g.std()
    return result


@wrong(check_advantages, "Rewards that do not count went into your deviation")
def advantages_plain_deviation(rewards, mask):
    result = np.zeros_like(rewards)
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        if g.max() > g.min():
            result[i][mask[i]] = (g - g.mean()) / rewards[i].std()
    return result


@wrong(check_advantages, "use the mask in both")
def advantages_mask_at_the_end(rewards, mask):
    away = rewards - rewards.mean(axis=1, keepdims=True)
    std = rewards.std(axis=1, keepdims=True)
    counted = np.where(mask, rewards, rewards.max(where=mask, initial=-99, axis=1)[:, None])
    equal = counted.min(axis=1) == counted.max(axis=1)
    return np.where(mask & ~equal[:, None], away / np.where(std > 0, std, 1), 0)


@wrong(check_advantages, "these zeros count as rewards")
def advantages_times_mask(rewards, mask):
    kept = rewards * mask
    away = kept - kept.mean(axis=1, keepdims=True)
    equal = np.array([len(set(g[m].tolist())) == 1 for g, m in zip(rewards, mask, strict=True)])
    std = np.where(equal[:, None], 1, kept.std(axis=1, keepdims=True))
    return np.where(equal[:, None], 0, away / std) * mask


@wrong(check_advantages, "gives nan")
def advantages_nan(rewards, mask):
    return by_groups(lambda g: (g - g.mean()) / g.std())(rewards, mask)


@wrong(check_advantages, "reward minus mean")
def advantages_upside_down(rewards, mask):
    return -scaled(rewards, mask)


@wrong(check_advantages, "nothing becomes a large number")
def advantages_tiny_deviation(rewards, mask):
    result = np.zeros_like(rewards)  # float32 stays float32
    for i in range(len(rewards)):
        g = rewards[i][mask[i]]
        result[i][mask[i]] = (g - g.mean()) / (g.std() + 1e-8)
    return result


@wrong(check_advantages, "nothing becomes a large number")
def advantages_guarded_by_deviation(rewards, mask):
    result = np.zeros_like(rewards)
    for i, counts in enumerate(mask):
        group = rewards[i, counts]
        if group.std() > 0:
            result[i, counts] = (group - group.mean()) / group.std()
    return result


@right(check_advantages)
def advantages_by_loop(rewards, mask):
    return scaled(rewards, mask)


@right(check_advantages)
def advantages_by_arrays(rewards, mask):
    count = mask.sum(axis=1, keepdims=True)
    mean = (rewards * mask).sum(axis=1, keepdims=True, dtype=float) / count
    away = (rewards - mean) * mask
    std = np.sqrt((away**2).sum(axis=1, keepdims=True) / count)
    high = np.where(mask, rewards, -np.inf).max(axis=1, keepdims=True)
    low = np.where(mask, rewards, np.inf).min(axis=1, keepdims=True)
    return np.where(high > low, away / np.where(high > low, std, 1), 0)


@right(check_advantages)
def advantages_by_where(rewards, mask):
    mean = rewards.mean(axis=1, keepdims=True, where=mask)
    std = rewards.std(axis=1, keepdims=True, where=mask)
    result = np.where(mask, (rewards - mean) / std, 0)
    for row in range(len(result)):
        if np.ptp(rewards[row][mask[row]]) == 0:
            result[row] = 0
    return result


@right(check_advantages)
def advantages_as_lists(rewards, mask):
    table = []
    for group, counts in zip(rewards.tolist(), mask.tolist(), strict=True):
        known = [r for r, c in zip(group, counts, strict=True) if c]
        mean = sum(known) / len(known)
        std = (sum((r - mean) ** 2 for r in known) / len(known)) ** 0.5
        same = len(set(known)) == 1
        table.append(
            [0.0 if same or not c else (r - mean) / std for r, c in zip(group, counts, strict=True)]
        )
    return table


@right(check_advantages)
def advantages_by_masked_arrays(rewards, mask):
    kept = np.ma.array(rewards.astype(float), mask=~mask)
    away = kept - kept.mean(axis=1, keepdims=True)
    std = kept.std(axis=1, keepdims=True)
    same = kept.max(axis=1, keepdims=True) == kept.min(axis=1, keepdims=True)
    result = np.ma.where(same, 0, away / np.ma.where(same, 1, std))
    return result.filled(0)


# --- right in how many tries ----------------------------------------------------------------------


@wrong(check_pass_at_k, "as if an answer could be chosen twice")
def pass_by_share(n, correct, k):
    return 1 - (1 - correct / n) ** k


@wrong(check_pass_at_k, "the chance that all k are wrong")
def pass_all_wrong(n, correct, k):
    return np.array([comb(n - c, k) / comb(n, k) for c in correct.tolist()])


@wrong(check_pass_at_k, "the chance that all k are right")
def pass_all_right(n, correct, k):
    return np.array([comb(c, k) / comb(n, k) for c in correct.tolist()])


@wrong(check_pass_at_k, "that not all k are right")
def pass_not_all_right(n, correct, k):
    return [1 - comb(c, k) / comb(n, k) for c in correct.tolist()]


@wrong(check_pass_at_k, "That is pass@1")
def pass_at_one(n, correct, k):
    return correct / n


@wrong(check_pass_at_k, "do not add up")
def pass_times_k(n, correct, k):
    return np.minimum(1, k * correct / n)


@wrong(check_pass_at_k, "exactly one of the k")
def pass_exactly_one(n, correct, k):
    return [c * comb(n - c, k - 1) / comb(n, k) for c in correct.tolist()]


@wrong(check_pass_at_k, "The denominator must shrink")
def pass_n_stays(n, correct, k):
    wrong_ones = np.ones(len(correct))
    for i in range(k):
        wrong_ones = wrong_ones * np.maximum(n - correct - i, 0) / n
    return 1 - wrong_ones


@wrong(check_pass_at_k, "You chose k - 1 answers")
def pass_one_too_few(n, correct, k):
    wrong_ones = np.ones(len(correct))
    for i in range(1, k):
        wrong_ones *= np.maximum(n - correct - i + 1, 0) / (n - i + 1)
    return 1 - wrong_ones


@wrong(check_pass_at_k, "// cuts off the fraction")
def pass_whole(n, correct, k):
    return [1.0 - comb(n - c, k) // comb(n, k) for c in correct.tolist()]


@wrong(check_pass_at_k, "only k of them are chosen")
def pass_any(n, correct, k):
    return (correct > 0).astype(float)


@wrong(check_pass_at_k, "divided the right ones by k")
def pass_first_k(n, correct, k):
    return np.minimum(correct, k) / k


@wrong(check_pass_at_k, "Here n is large")
def pass_by_factorials_of_floats(n, correct, k):
    fact = np.cumprod(np.r_[1.0, np.arange(1.0, n + 1)])
    result = []
    for c in correct:
        none = fact[n - c] / fact[n - c - k] * fact[n - k] / fact[n] if n - c >= k else 0.0
        result.append(1 - none)
    return np.array(result)


@right(check_pass_at_k)
def pass_by_comb(n, correct, k):
    return np.array([1 - comb(n - int(c), k) / comb(n, k) for c in correct])


@right(check_pass_at_k)
def pass_by_product(n, correct, k):
    none = np.ones(len(correct))
    for i in range(k):
        none *= np.maximum(n - correct - i, 0) / (n - i)
    return 1 - none


@right(check_pass_at_k)
def pass_by_the_papers_product(n, correct, k):
    def one(c):
        return 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))

    return [one(c) for c in correct]


@right(check_pass_at_k)
def pass_by_all_choices_when_few(n, correct, k):
    def one(c):
        if comb(n, k) < 5000:
            tries = list(combinations(range(n), k))
            return sum(min(chosen) < c for chosen in tries) / len(tries)
        return 1 - comb(n - c, k) / comb(n, k)

    return np.array([one(int(c)) for c in correct])


@right(check_pass_at_k)
def pass_by_whole_factorials(n, correct, k):
    def choose(a, b):
        return factorial(a) // (factorial(b) * factorial(a - b)) if a >= b else 0

    return np.array([1 - choose(n - c, k) / choose(n, k) for c in correct.tolist()])


# --- the gradient of a choice ---------------------------------------------------------------------


def softmax(logits):
    exp = np.exp(logits - np.max(logits))
    return exp / exp.sum()


@wrong(check_policy_gradient, "only the logit of the arm that was pulled")
def choice_own_logit(logits, rewards, baseline):
    return softmax(logits) * (rewards - baseline)


@wrong(check_policy_gradient, "each arm's share of the expected reward")
def choice_shares(logits, rewards, baseline):
    return softmax(logits) * rewards


@wrong(check_policy_gradient, "You counted each arm once")
def choice_equally_often(logits, rewards, baseline):
    p, total = softmax(logits), np.zeros(len(logits))
    for a in range(len(logits)):
        total += (rewards[a] - baseline) * (np.eye(len(p))[a] - p)
    return total


@wrong(check_policy_gradient, "You divided by the number of arms")
def choice_mean(logits, rewards, baseline):
    p = softmax(logits)
    return np.mean(
        [p[a] * (rewards[a] - baseline) * (np.eye(len(p))[a] - p) for a in range(len(p))], axis=0
    )


@wrong(check_policy_gradient, "the way down")
def choice_downhill(logits, rewards, baseline):
    p = softmax(logits)
    return p * (p @ rewards - rewards)


@wrong(check_policy_gradient, "You took the logits for probabilities")
def choice_without_softmax(logits, rewards, baseline):
    return logits * (rewards - logits @ rewards)


@wrong(check_policy_gradient, "do not sum to 1")
def choice_not_normalised(logits, rewards, baseline):
    p = np.exp(logits)
    return p * (rewards - (p * rewards).sum())


@wrong(check_policy_gradient, "how often the arm is pulled")
def choice_without_p(logits, rewards, baseline):
    return rewards - softmax(logits) @ rewards


@wrong(check_policy_gradient, "the plain mean of the rewards")
def choice_plain_mean(logits, rewards, baseline):
    return softmax(logits) * (rewards - np.mean(rewards))


@wrong(check_policy_gradient, "along its own logit")
def choice_diagonal(logits, rewards, baseline):
    p = softmax(logits)
    return (rewards - baseline) * p * (1 - p)


@wrong(check_policy_gradient, "two baselines")
def choice_two_baselines(logits, rewards, baseline):
    p = softmax(logits)
    return p * (rewards - baseline - p @ rewards)


@wrong(check_policy_gradient, "came in twice")
def choice_p_twice(logits, rewards, baseline):
    p = softmax(logits)
    return p**2 * (rewards - p @ rewards)


@wrong(check_policy_gradient, "only the likeliest arm")
def choice_greedy(logits, rewards, baseline):
    p = softmax(logits)
    a = np.argmax(logits)
    slope = -p
    slope[a] += 1
    return (rewards[a] - baseline) * slope


@wrong(check_policy_gradient, "one number: what is asked is its slope")
def choice_expected(logits, rewards, baseline):
    return softmax(logits) @ (rewards - baseline)


@wrong(check_policy_gradient, "exp() of a large logit is infinite")
def choice_overflows(logits, rewards, baseline):
    p = np.exp(logits) / np.exp(logits).sum()
    return p * (rewards - p @ rewards)


@right(check_policy_gradient)
def choice_by_formula(logits, rewards, baseline):
    p = softmax(logits)
    return p * (rewards - p @ rewards)


@right(check_policy_gradient)
def choice_by_arms(logits, rewards, baseline):
    p, total = softmax(logits), np.zeros(len(logits))
    for a in range(len(p)):
        slope = -p
        slope[a] += 1
        total += p[a] * (rewards[a] - baseline) * slope
    return total


@right(check_policy_gradient)
def choice_by_matrix(logits, rewards, baseline):
    p = softmax(logits)
    return (np.diag(p) - np.outer(p, p)) @ rewards


@right(check_policy_gradient)
def choice_by_weights(logits, rewards, baseline):
    p = softmax(logits)
    return (p * (rewards - baseline)) @ (np.eye(len(p)) - p)


@right(check_policy_gradient)
def choice_by_lists(logits, rewards, baseline):
    top = max(logits)
    exps = [np.exp(z - top) for z in logits]
    p = [e / sum(exps) for e in exps]
    expected = sum(q * r for q, r in zip(p, rewards, strict=True))
    return [q * (r - expected) for q, r in zip(p, rewards, strict=True)]


# --- a reward that is mended ----------------------------------------------------------------------


@wrong(check_mended_reward, "The old reward is still at work")
def mended_not(text, cup):
    return 1.0 if str(cup) in text else 0.0


@wrong(check_mended_reward, "The right number may stand anywhere")
def mended_number_in_answer(text, cup):
    return 1.0 if str(cup) in text.split("?", 1)[1] else 0.0


@wrong(check_mended_reward, "The right cup may be any word")
def mended_word_in_answer(text, cup):
    return float(str(cup) in text[text.index("?") + 1 :].split())


@wrong(check_mended_reward, "and a second sentence is let pass")
def mended_ends_with(text, cup):
    return 1.0 if text.endswith(str(cup) + " .") else 0.0


@wrong(check_mended_reward, "You compare letters, so cup 14 is taken for cup 4")
def mended_letters(text, cup):
    answer = text.split("?", 1)[1]
    return float(answer.count(".") == 1 and answer.endswith(f"{cup} ."))


@wrong(check_mended_reward, "You pay for the last of several answers")
def mended_last_words(text, cup):
    return float(text.split()[-2:] == [str(cup), "."])


@wrong(check_mended_reward, "let anything follow")
def mended_first_sentence(text, cup):
    answer = text.split("?", 1)[1]
    if "." not in answer:
        return 0.0
    words = answer.split(".")[0].split()
    return float(bool(words) and words[-1] == str(cup))


@wrong(check_mended_reward, "You pay for the last number")
def mended_last_number(text, cup):
    found = re.findall(r"\d+", text.split("?", 1)[1])
    return 1.0 if found and int(found[-1]) == cup else 0.0


@wrong(check_mended_reward, "You look at the first number")
def mended_first_number(text, cup):
    found = re.findall(r"\d+", text.split("?", 1)[1])
    return 1.0 if found and int(found[0]) == cup else 0.0


@wrong(check_mended_reward, "that is the full stop")
def mended_last_word(text, cup):
    words = text.split()
    return 1.0 if words[-1] == str(cup) else 0.0


@wrong(check_mended_reward, "You never pay")
def mended_compares_number_with_text(text, cup):
    words = text.split("?", 1)[1].split()
    return float(len(words) > 1 and words[-2] == cup)


@wrong(check_mended_reward, "You pay only for an answer at once")
def mended_at_once(text, cup):
    return float(text.split("?", 1)[1].strip() == f"under {cup} .")


@wrong(check_mended_reward, "You pay only for an answer aloud")
def mended_aloud(text, cup):
    words = text.split("?", 1)[1].split()
    return float(words[-3:] == ["then", str(cup), "."] and words.count(".") == 1)


@wrong(check_mended_reward, "You pay for the wrong ones")
def mended_upside_down(text, cup):
    words = text.split("?", 1)[1].split()
    return float(words[-2:] != [str(cup), "."] or words.count(".") != 1)


@wrong(check_mended_reward, "You return -1")
def mended_minus(text, cup):
    words = text.split("?", 1)[1].split()
    return 1.0 if words[-2:] == [str(cup), "."] and words.count(".") == 1 else -1.0


@wrong(check_mended_reward, "You pay a little for naming")
def mended_consolation(text, cup):
    words = text.split("?", 1)[1].split()
    if words[-2:] == [str(cup), "."] and words.count(".") == 1:
        return 1.0
    return 0.5 if str(cup) in words else 0.0


@right(check_mended_reward)
def mended_by_words(text, cup):
    words = text.split("?", 1)[1].split()
    return float(words[-2:] == [str(cup), "."] and words.count(".") == 1)


@right(check_mended_reward)
def mended_by_pattern(text, cup):
    answer = text[text.index("?") + 1 :]
    return 1.0 if re.fullmatch(rf"([^.]*\s)?{cup} \.\s*", answer) else 0.0


@right(check_mended_reward)
def mended_by_sentences(text, cup):
    first, *more = text.partition("?")[2].split(".")
    if len(more) != 1 or more[0].strip():
        return 0
    return int(first.split()[-1:] == [str(cup)])


@right(check_mended_reward)
def mended_step_by_step(text, cup):
    words = text.split("?", 1)[1].split()
    if len(words) < 2:
        return 0.0
    if words.index(".") != len(words) - 1 if "." in words else True:
        return 0.0
    return 1.0 if words[-2] == str(cup) else 0.0


@right(check_mended_reward)
def mended_as_truth(text, cup):
    words = text.split()
    answer = words[words.index("?") + 1 :]
    return answer.count(".") == 1 and answer[-1] == "." and answer[-2:-1] == [str(cup)]
