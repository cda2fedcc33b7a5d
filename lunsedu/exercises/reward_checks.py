"""Checks for lesson 12: advantages, pass@k, the gradient of a choice, a reward that is mended.

Shapes: P prompts (puzzles), S answers to each of them, N arms to choose from.
"""

from math import comb
from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable
from lunsedu.exercises.judge.samples import normal

# --- better than its group ------------------------------------------------------------------------


def _count(mask):
    return mask.sum(axis=1, keepdims=True)


def _mean(rewards, mask):
    return np.where(mask, rewards, 0).sum(axis=1, keepdims=True) / _count(mask)


def _deviation(rewards, mask):
    away = np.where(mask, rewards - _mean(rewards, mask), 0)
    return np.sqrt((away**2).sum(axis=1, keepdims=True) / _count(mask))


@combinable
def _advantages_with(centre=_mean, spread=_deviation, guard=True, hide=True, sign=1.0):
    """Return advantages that are wrong in their centre, their spread or in what is left out."""

    def found(rewards, mask):
        rewards = np.asarray(rewards, dtype=np.float64)  # [P, S]
        away = sign * (rewards - centre(rewards, mask))
        highest = np.where(mask, rewards, -np.inf).max(axis=1, keepdims=True)  # [P, 1]
        equal = highest == np.where(mask, rewards, np.inf).min(axis=1, keepdims=True)
        by = spread(rewards, mask)
        if guard:
            away = np.where(equal & mask, 0.0, away) / np.where(equal, 1.0, by)
        else:
            away = away / by
        return np.where(mask, away, 0.0) if hide else away

    return found


def _over_whole_row(function):
    return lambda rewards, mask: function(np.where(mask, rewards, 0), axis=1, keepdims=True)


def _groups():
    """Return (label, rewards, mask): unlike counts, a row of one mind, big numbers where hidden."""
    for seed, P, S in ((1, 2, 4), (11, 3, 5), (21, 5, 3)):
        rewards = normal(seed, P, S) + 1.5
        yield f"groups of {S}, {P} of them", rewards, np.ones((P, S), dtype=bool)
    rewards, mask = normal(31, 3, 6) - 0.7, np.ones((3, 6), dtype=bool)
    mask[0, 4:] = mask[1, :2] = mask[2, 3] = False
    yield "groups of 4, 4 and 5", np.where(mask, rewards, 50.0), mask
    rewards, mask = normal(41, 4, 5), np.ones((4, 5), dtype=bool)
    rewards[1], mask[2, 1:3], mask[3, 0] = 1.0, False, False
    yield "groups of 5, 5, 3 and 4, the second of one mind", rewards, mask


def _equal(size):
    mask = np.ones((3, size), dtype=bool)
    mask[1, size // 2 :] = False
    mask[2, 1:] = False
    rewards = np.repeat(np.array([[0.1], [0.7], [1.3]], dtype=np.float32), size, axis=1)
    return np.where(mask, rewards, np.float32(9)), mask


ADVANTAGES = Exercise(
    name="advantages",
    call="advantages(rewards, mask)",
    truth=_advantages_with(),
    cases=lambda: [
        *(Case(label, (rewards, mask)) for label, rewards, mask in _groups()),
        *(
            Case(
                f"equal rewards in float32, groups of {size}, {size // 2} and 1",
                _equal(size),
                "All counted rewards of a group are equal here, in float32. Their mean differs from"
                " them in the last digit, or their deviation is 0: divided by it, nothing becomes a"
                " large number, or nan. Ask whether the highest reward that counts is also the"
                " lowest: then the group's advantages are exactly 0.",
            )
            for size in (8, 11, 23)
        ),
    ],
    mistakes=(
        Mistake(
            "no-deviation",
            _advantages_with(spread=lambda rewards, mask: np.ones((len(rewards), 1))),
            "The deviation is missing: divide by the group's standard deviation, too.",
        ),
        Mistake(
            "no-mean",
            _advantages_with(centre=lambda rewards, mask: 0.0),
            "The mean is missing: take it off before dividing, so that worse than usual is below"
            " 0.",
        ),
        Mistake(
            "variance",
            _advantages_with(spread=lambda rewards, mask: _deviation(rewards, mask) ** 2),
            "You divided by the variance: the standard deviation is its root.",
        ),
        Mistake(
            "one-less",
            _advantages_with(
                spread=lambda rewards, mask: (
                    _deviation(rewards, mask)
                    * np.sqrt(_count(mask) / np.maximum(_count(mask) - 1, 1))
                )
            ),
            "You divided the squares by one less than there are (ddof=1): here it is the group's"
            " own deviation, so divide by all that count.",
        ),
        Mistake(
            "mean-of-all",
            _advantages_with(centre=lambda rewards, mask: rewards[mask].mean()),
            "You took the mean of all groups together: each row has a mean of its own, or easy"
            " puzzles look good and hard ones bad.",
        ),
        Mistake(
            "deviation-of-all",
            _advantages_with(spread=lambda rewards, mask: rewards[mask].std()),
            "You took the deviation of all groups together: each row has its own.",
        ),
        Mistake(
            "columns",
            _advantages_with(
                centre=lambda rewards, mask: _mean(rewards.T, mask.T).T,
                spread=lambda rewards, mask: _deviation(rewards.T, mask.T).T,
            ),
            "You compared down the columns, across puzzles: a group is a row, axis=1.",
        ),
        Mistake(
            "mean-with-hidden",
            _advantages_with(centre=lambda rewards, mask: rewards.mean(axis=1, keepdims=True)),
            "Rewards that do not count went into your mean: leave them out of the sum and of the"
            " number that you divide by.",
        ),
        Mistake(
            "deviation-with-hidden",
            _advantages_with(spread=lambda rewards, mask: rewards.std(axis=1, keepdims=True)),
            "Rewards that do not count went into your deviation: leave them out there, too.",
        ),
        Mistake(
            "mask-ignored",
            _advantages_with(
                centre=lambda rewards, mask: rewards.mean(axis=1, keepdims=True),
                spread=lambda rewards, mask: rewards.std(axis=1, keepdims=True),
            ),
            "Rewards that do not count went into your mean and your deviation: use the mask in"
            " both.",
        ),
        Mistake(
            "hidden-as-zeros",
            _advantages_with(centre=_over_whole_row(np.mean), spread=_over_whole_row(np.std)),
            "You put 0 where nothing counts, and then took the mean of the whole row: these zeros"
            " count as rewards. Divide by the number of those that count.",
        ),
        Mistake(
            "hidden-get-something",
            _advantages_with(hide=False),
            "Answers that do not count get an advantage: write 0 where the mask is False.",
        ),
        Mistake(
            "nan",
            _advantages_with(guard=False),
            "A group of equal rewards gives nan, since its deviation is 0: its advantages are"
            " exactly 0.",
        ),
        Mistake(
            "wrong-sign",
            _advantages_with(sign=-1.0),
            "The sign is wrong: reward minus mean, so that better than usual is above 0.",
        ),
    ),
    praise="Groups of any size, and a group of one mind gives exactly 0, in float32, too.",
)


def check_advantages(advantages: Any) -> Check:
    """Check advantages(rewards [P, S], mask bool [P, S]) -> [P, S], 0 where the mask is False.

    >>> check_advantages(lambda rewards, mask: rewards - rewards.mean()).status
    'not right yet'
    """
    return judge(ADVANTAGES, advantages)


# --- right in how many tries ----------------------------------------------------------------------


def _each(one):
    """Return a function of (n, correct [P], k) that asks `one` for each number of `correct`."""
    return lambda n, correct, k: np.array([float(one(n, int(c), k)) for c in correct])  # [P]


PASS_AT_K = Exercise(
    name="pass_at_k",
    call="pass_at_k(n, correct, k)",
    truth=_each(lambda n, c, k: 1 - comb(n - c, k) / comb(n, k)),
    cases=lambda: [
        Case("n 4, k 2", (4, np.array([1, 0, 3, 2]), 2)),
        Case("n 10, k 3", (10, np.array([2, 5, 9, 0, 1, 7]), 3)),
        Case("n 16, k 4", (16, np.array([3, 16, 0, 12, 13]), 4)),
        Case("n 7, k 1", (7, np.array([2, 6, 3]), 1)),
        Case("n 9, k 9", (9, np.array([0, 1, 8]), 9)),
        Case(
            "n 200, k 80",
            (200, np.array([1, 2, 5, 150]), 80),
            "Here n is large: C(200, 80) has 58 digits, too many for numpy's whole numbers, and"
            " 200! is too large for a float. math.comb has no limit, or multiply k small"
            " fractions.",
        ),
    ],
    mistakes=(
        Mistake(
            "biased",
            _each(lambda n, c, k: 1 - (1 - c / n) ** k),
            "That is 1 - (1 - share)**k, as if an answer could be chosen twice: it is too low on"
            " average. Choose k different ones of the n.",
        ),
        Mistake(
            "all-wrong",
            _each(lambda n, c, k: comb(n - c, k) / comb(n, k)),
            "That is the chance that all k are wrong: take it from 1.",
        ),
        Mistake(
            "all-right",
            _each(lambda n, c, k: comb(c, k) / comb(n, k)),
            "That is the chance that all k are right: one of them is enough.",
        ),
        Mistake(
            "not-all-right",
            _each(lambda n, c, k: 1 - comb(c, k) / comb(n, k)),
            "That is the chance that not all k are right: choose among the wrong"
            " ones, n - correct.",
        ),
        Mistake(
            "share",
            _each(lambda n, c, k: c / n),
            "That is pass@1, the share of right answers: k plays no part in it.",
        ),
        Mistake(
            "k-times-share",
            _each(lambda n, c, k: min(k * c / n, 1)),
            "You multiplied the share by k: chances that can happen together do not add up.",
        ),
        Mistake(
            "exactly-one",
            _each(lambda n, c, k: c * comb(n - c, k - 1) / comb(n, k)),
            "That is the chance that exactly one of the k is right: two or three are welcome, too.",
        ),
        Mistake(
            "n-stays",
            _each(lambda n, c, k: 1 - np.prod([max(n - c - i, 0) / n for i in range(k)])),
            "The denominator must shrink, too: after i answers are taken, n - i are left.",
        ),
        Mistake(
            "one-too-few",
            _each(lambda n, c, k: 1 - comb(n - c, k - 1) / comb(n, k - 1)),
            "You chose k - 1 answers: range(k) has k rounds, from 0 to k - 1.",
        ),
        Mistake(
            "all-or-nothing",
            _each(lambda n, c, k: 1 - comb(n - c, k) // comb(n, k)),
            "Only 0 and 1 come out: // cuts off the fraction, so write /; or you ask whether any of"
            " all n is right, and only k of them are chosen.",
        ),
        Mistake(
            "first-k",
            _each(lambda n, c, k: min(c, k) / k),
            "You divided the right ones by k. What is asked is a chance: in how many of all choices"
            " of k answers is a right one?",
        ),
    ),
    praise="Unbiased, also for large n.",
)


def check_pass_at_k(pass_at_k: Any) -> Check:
    """Check pass_at_k(n, correct int [P], k) -> float [P]: the unbiased estimate for each puzzle.

    Source: Chen et al. 2021 (arXiv 2107.03374), section 2.1.

    >>> check_pass_at_k(lambda n, correct, k: 1 - (1 - correct / n) ** k).mistake
    'biased'
    """
    return judge(PASS_AT_K, pass_at_k)


# --- the gradient of a choice ---------------------------------------------------------------------


def _softmax(logits):
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def _of_p(slope, probabilities=_softmax):
    """Return a function of (logits [N], rewards [N], baseline) by a formula in p, r and b."""
    return lambda logits, rewards, baseline: slope(probabilities(logits), rewards, baseline)


def _greedy_arm(p, r, b):
    a = int(p.argmax())
    return (r[a] - b) * (np.eye(len(p))[a] - p)


POLICY_GRADIENT = Exercise(
    name="policy_gradient",
    call="policy_gradient(logits, rewards, baseline)",
    truth=_of_p(lambda p, r, b: p * (r - p @ r)),
    cases=lambda: [
        *(
            Case(
                f"{N} arms, baseline {baseline}",
                (normal(seed, N), 2 * normal(seed + 1, N) + 1, baseline),
            )
            for seed, N, baseline in ((1, 3, 0.0), (11, 3, 0.8), (21, 3, -3.0), (31, 5, 2.5))
        ),
        Case("the second case, but with baseline 7", (normal(11, 3), 2 * normal(12, 3) + 1, 7.0)),
        Case(
            "large logits",
            (normal(41, 3) + 900.0, normal(42, 3), 0.3),
            "exp() of a large logit is infinite: take the largest logit off all of them first. The"
            " probabilities stay the same.",
        ),
    ],
    mistakes=(
        Mistake(
            "own-logit-only",
            _of_p(lambda p, r, b: p * (r - b)),
            "You moved only the logit of the arm that was pulled: pulling arm a moves ALL logits,"
            " by (1 at a, 0 elsewhere) - p. So your result depends on the baseline.",
        ),
        Mistake(
            "no-baseline-own-logit-only",
            _of_p(lambda p, r, b: p * r),
            "That is p * r, each arm's share of the expected reward: it is no slope yet. The slope"
            " of ln p has a - p in it, too.",
        ),
        Mistake(
            "equally-often",
            _of_p(lambda p, r, b: (r - b) - p * (r - b).sum()),
            "You counted each arm once: it is pulled with probability p, so weigh it so.",
        ),
        Mistake(
            "mean-over-arms",
            _of_p(lambda p, r, b: p * (r - p @ r) / len(p)),
            "You divided by the number of arms: the probabilities are the weights of the mean"
            " already.",
        ),
        Mistake(
            "downhill",
            _of_p(lambda p, r, b: -p * (r - p @ r)),
            "The sign is wrong: that is the way down. The reward shall grow.",
        ),
        Mistake(
            "no-softmax",
            _of_p(lambda p, r, b: p * (r - p @ r), lambda logits: logits),
            "You took the logits for probabilities: softmax makes probabilities of them.",
        ),
        Mistake(
            "not-normalised",
            _of_p(lambda p, r, b: p * (r - p @ r), np.exp),
            "Your probabilities do not sum to 1: divide exp(logits) by their sum.",
        ),
        Mistake(
            "not-times-p",
            _of_p(lambda p, r, b: r - p @ r),
            "That is how much better than expected each arm pays. It must be multiplied by how"
            " often the arm is pulled, p.",
        ),
        Mistake(
            "plain-mean",
            _of_p(lambda p, r, b: p * (r - r.mean())),
            "You took the plain mean of the rewards as what to expect: the expected reward weighs"
            " each with its probability, p @ r.",
        ),
        Mistake(
            "diagonal",
            _of_p(lambda p, r, b: p * (1 - p) * (r - b)),
            "You kept only the slope of each probability along its own logit, p (1 - p): each logit"
            " moves the other probabilities as well.",
        ),
        Mistake(
            "baseline-twice",
            _of_p(lambda p, r, b: p * (r - p @ r - b)),
            "You took two baselines off: p * (r - p @ r) holds the expected reward already, and"
            " then needs no other.",
        ),
        Mistake(
            "p-twice",
            _of_p(lambda p, r, b: p * p * (r - p @ r)),
            "The probabilities came in twice: once is enough.",
        ),
        Mistake(
            "likeliest-arm",
            _of_p(_greedy_arm),
            "You pulled only the likeliest arm: add up all of them, each with its probability.",
        ),
        Mistake(
            "expected-reward-less-baseline",
            _of_p(lambda p, r, b: p @ (r - b)),
            "That is the expected reward less the baseline, one number: what is asked is its slope"
            " along each logit.",
        ),
    ),
    praise="It is the same for every baseline: a baseline changes the noise, not the mean.",
)


def check_policy_gradient(policy_gradient: Any) -> Check:
    """Check policy_gradient(logits [N], rewards [N], baseline) -> [N], the exact gradient.

    >>> check_policy_gradient(_of_p(lambda p, r, b: p * (r - b))).mistake
    'own-logit-only'
    """
    return judge(POLICY_GRADIENT, policy_gradient)


# --- a reward that is mended ----------------------------------------------------------------------

QUESTION = "ann hides a pea under cup 1 . swap 1 3 , 2 4 . so where is it now ?"


def _answer_of(text):
    return text.partition("?")[2]


def _words_of(text):
    return _answer_of(text).split()


def _numbers(words):
    return [word for word in words if word.isdigit()]


def _mended(text, cup):
    words = _words_of(text)
    return float(words[-2:] == [str(cup), "."] and words.count(".") == 1)


SAID = (  # (what is special, the answer, the right cup)
    ("the right answer at once", " under 3 .", 3),
    ("a wrong answer at once", " under 2 .", 3),
    ("the right answer aloud", " 3 , then 1 , then 4 .", 4),
    ("a wrong answer aloud that passes the right cup", " 3 , then 4 , then 2 .", 3),
    ("a number that is only in the question", " under 4 .", 1),
    ("all four numbers", " 1 2 3 4 .", 2),
    ("the right answer, then another one", " under 2 . under 4 .", 2),
    ("another answer, then the right one", " under 4 . under 2 .", 2),
    ("an answer that is cut off before its full stop", " 3 , then 1", 1),
    ("the right cup, and more words", " under 3 . ok", 3),
    ("a cup 14", " under 14 .", 4),
    ("a cup 30", " under 30 .", 3),
    ("no number", " who knows ?", 2),
    ("a full stop alone", " .", 4),
    ("the right cup as the first of two", " 2 , then 3 .", 2),
    ("the right answer aloud, another one", " 4 , then 4 , then 2 , then 1 .", 1),
)


def _with(pays):
    """Return a reward that pays when pays(the words of the answer, cup as text) is true."""
    return lambda text, cup: float(bool(pays(_words_of(text), str(cup))))


MENDED_REWARD = Exercise(
    name="mended_reward",
    call="mended_reward(text, cup)",
    truth=_mended,
    tidy=lambda value: float(value) if isinstance(value, (bool, np.bool_)) else value,
    cases=lambda: [
        *(Case(label, (QUESTION + answer, cup)) for label, answer, cup in SAID),
        Case(
            "no answer at all",
            (QUESTION, 3),
            "Here nothing stands behind the question mark: that is worth 0.",
        ),
    ],
    mistakes=(
        Mistake(
            "number-anywhere",
            lambda text, cup: float(str(cup) in text),
            "The old reward is still at work: it finds the number in the question already. Look"
            " only at what stands behind the question mark.",
        ),
        Mistake(
            "number-in-the-answer",
            lambda text, cup: float(str(cup) in _answer_of(text)),
            "The right number may stand anywhere in your answer: whoever says all four numbers is"
            " always paid. Look at the last word before the full stop.",
        ),
        Mistake(
            "word-in-the-answer",
            _with(lambda words, cup: cup in words),
            "The right cup may be any word of the answer: whoever names all four is always paid."
            " Look at the last word before the full stop.",
        ),
        Mistake(
            "ends-with",
            lambda text, cup: float(text.rstrip().endswith(f"{cup} .")),
            "You compare letters, so cup 14 is taken for 4, and a second sentence is let pass."
            " Compare whole words, and let there be only one full stop.",
        ),
        Mistake(
            "letters",
            lambda text, cup: float(
                _answer_of(text).endswith(f"{cup} .") and _answer_of(text).count(".") == 1
            ),
            "You compare letters, so cup 14 is taken for cup 4: split the answer into words.",
        ),
        Mistake(
            "second-sentence",
            _with(lambda words, cup: words[-2:] == [cup, "."]),
            "You pay for the last of several answers: whoever guesses again and again is right in"
            " the end. Let the answer have only one full stop.",
        ),
        Mistake(
            "first-sentence",
            _with(
                lambda words, cup: words[: words.index(".")][-1:] == [cup] if "." in words else 0
            ),
            "You read up to the first full stop and let anything follow: the full stop must be the"
            " last word.",
        ),
        Mistake(
            "last-number",
            _with(lambda words, cup: _numbers(words)[-1:] == [cup]),
            "You pay for the last number, whatever follows: an answer that is cut off, or goes on"
            " behind its full stop, is not finished.",
        ),
        Mistake(
            "first-number",
            _with(lambda words, cup: _numbers(words)[:1] == [cup]),
            "You look at the first number: aloud, the answer is the last one.",
        ),
        Mistake(
            "never-pays",
            lambda text, cup: 0.0,
            "You never pay. Is the full stop in the way? It is the last word, so the cup is the one"
            " before it; and the question has full stops of its own, so count those of the answer.",
        ),
        Mistake(
            "full-stop-forgotten",
            _with(lambda words, cup: words[-1:] == [cup]),
            "You compare the last word, but that is the full stop: so only answers that are cut off"
            " can be paid. The cup is the word before it.",
        ),
        Mistake(
            "only-at-once",
            _with(lambda words, cup: words == ["under", cup, "."]),
            "You pay only for an answer at once: an answer aloud that ends right is right, too, and"
            " the model shall find out that it pays.",
        ),
        Mistake(
            "only-aloud",
            _with(lambda words, cup: words[-3:] == ["then", cup, "."] and words.count(".") == 1),
            "You pay only for an answer aloud: the judge must not care how the cup was found.",
        ),
        Mistake(
            "upside-down",
            lambda text, cup: 1.0 - _mended(text, cup),
            "You pay for the wrong ones, and not for the right ones.",
        ),
        Mistake(
            "minus",
            lambda text, cup: 2 * _mended(text, cup) - 1,
            "You return -1 for a wrong answer: it is worth 0.",
        ),
        Mistake(
            "consolation",
            lambda text, cup: max(_mended(text, cup), 0.5 * (str(cup) in _words_of(text))),
            "You pay a little for naming the cup anywhere: then naming all four pays. Only 1 or 0.",
        ),
    ),
    praise="It pays for the final answer alone. Is there still a way to be paid for nothing?",
)


def check_mended_reward(mended_reward: Any) -> Check:
    """Check mended_reward(text, cup) -> 1.0 or 0.0, for text = question and answer, cup an int.

    >>> check_mended_reward(lambda text, cup: float(str(cup) in text)).mistake
    'number-anywhere'
    """
    return judge(MENDED_REWARD, mended_reward)
