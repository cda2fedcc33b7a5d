"""Checks for lesson 02: how far a model is above the floor, and counts that back off."""

import math
from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.mistakes import combinable

# --- the gap of Gibbs' inequality -----------------------------------------------------------------


def _gap(p, q):
    with np.errstate(divide="ignore"):
        return float(sum(a * (math.log(a) - np.log(b)) for a, b in zip(p, q, strict=True) if a > 0))


def _cross(p, q):
    return -sum(a * np.log(b) for a, b in zip(p, q, strict=True) if a > 0)


_HALF, _THREE = np.array([0.5, 0.5]), np.array([0.2, 0.5, 0.3])

GAP = Exercise(
    name="gap",
    call="gap(p, q)",
    truth=_gap,
    cases=lambda: [
        Case(
            "a coin of 0.7 and a model that says 0.9", (np.array([0.7, 0.3]), np.array([0.9, 0.1]))
        ),
        Case("three outcomes", (_THREE, np.array([0.6, 0.1, 0.3]))),
        Case("the truth itself", (_THREE, _THREE.copy())),
        Case("a fair coin and a bent model", (_HALF, np.array([0.2, 0.8]))),
        Case("ten outcomes", (np.arange(1, 11) / 55, np.full(10, 0.1))),
        Case(
            "an outcome that never happens",
            (np.array([0.4, 0.0, 0.6]), np.array([0.3, 0.2, 0.5])),
            "What never happens surprises nobody: leave outcomes with p = 0 out, or 0 times minus"
            " infinity is not a number.",
        ),
        Case(
            "a model that holds something impossible which happens",
            (np.array([0.4, 0.6]), np.array([0.0, 1.0])),
            "What happens and was held impossible surprises without end: the gap is infinite.",
        ),
    ],
    mistakes=(
        Mistake("cross-entropy", _cross, "That is the cross-entropy: take the entropy of p off."),
        Mistake("entropy", lambda p, q: _cross(p, p), "That is the entropy of p: where is q?"),
        Mistake(
            "swapped",
            lambda p, q: _gap(q, p),
            "p and q are swapped: outcomes come as often as the truth p says.",
        ),
        Mistake(
            "sign",
            lambda p, q: -_gap(p, q),
            "The sign is turned round: cross-entropy minus entropy, which is never negative.",
        ),
        Mistake(
            "bits",
            lambda p, q: _gap(p, q) / math.log(2),
            "You measured in bits (log2): the course counts in nats, np.log.",
        ),
        Mistake(
            "not-weighted",
            lambda p, q: float(np.sum(np.log(p) - np.log(q))),
            "Each outcome weighs the same in your sum: weigh it by p, by how often it comes.",
        ),
        Mistake(
            "mean",
            lambda p, q: _gap(p, q) / len(p),
            "You divided by the number of outcomes: the weights p sum to 1 already.",
        ),
        Mistake(
            "difference-of-entropies",
            lambda p, q: _cross(q, q) - _cross(p, p),
            "You took the entropy of q for the cross-entropy: q's surprises come as often as p"
            " says.",
        ),
        Mistake(
            "probabilities",
            lambda p, q: float(np.abs(np.asarray(p) - q).sum()),
            "You compared the probabilities: compare surprises, -ln q with -ln p.",
        ),
        Mistake(
            "weighted-by-q",
            lambda p, q: float(sum(b * (np.log(a) - np.log(b)) for a, b in zip(p, q, strict=True))),
            "You weighed by q: what the model believes does not change how often things happen.",
        ),
    ),
    praise="Never negative, and 0 only for the truth: no model beats the language's own entropy.",
)


def check_gap(gap: Any) -> Check:
    """Check gap(p [N], q [N]) -> cross-entropy of q minus entropy of p, in nats.

    >>> check_gap(_cross).mistake
    'cross-entropy'
    """
    return judge(GAP, gap)


# --- counts that back off -------------------------------------------------------------------------


@combinable
def _back_off_with(
    start="even",
    longest=True,
    shortest=True,
    share=1.0,
    own="suffix",
    seen_only=False,
    last=False,
    in_total=True,
):
    """Return a probability by backing off, wrong in the given way, or right."""

    def probability(tables, word, context, vocab_size):
        guess = {"even": 1 / vocab_size, "zero": 0.0, "one": 1.0}[start]
        sizes = range(0 if shortest else 1, len(context) + bool(longest))
        for size in sizes:
            part = context[len(context) - size :] if own == "suffix" else context[:size]
            seen = tables.get(part)
            if not seen:
                continue
            if seen_only and word not in seen:
                continue
            count, total = seen.get(word, 0), sum(seen.values())
            if last:
                guess = count / total
            else:
                guess = (count + share * guess) / (total + share * in_total)
        return guess

    return probability


def _tables():
    return {
        (): {"a": 5, "cat": 3, "dog": 1, "sat": 1},
        ("a",): {"cat": 3, "dog": 1},
        ("cat",): {"sat": 2, "a": 1},
        ("a", "cat"): {"sat": 2},
        ("sat",): {"a": 4},
        ("dog", "a"): {"dog": 1},
    }


BACK_OFF = Exercise(
    name="back_off",
    call="back_off(tables, word, context, vocab_size)",
    truth=_back_off_with(),
    cases=lambda: [
        Case(f"the word {word!r} after {context}", (_tables(), word, context, 6))
        for word, context in (
            ("cat", ()),
            ("cat", ("a",)),
            ("sat", ("a", "cat")),
            ("dog", ("a", "cat")),
            ("dog", ("dog", "a")),
            ("cat", ("dog", "a")),
            ("sat", ("never", "cat")),
            ("a", ("never", "seen")),
            ("bird", ("a", "cat")),
        )
    ],
    mistakes=(
        Mistake(
            "starts-at-zero",
            _back_off_with(start="zero"),
            "Your first guess is 0, so a word that was never seen is impossible: begin with 1 /"
            " vocab_size.",
        ),
        Mistake(
            "starts-at-one",
            _back_off_with(start="one"),
            "Your first guess is 1 for every word: begin with 1 / vocab_size.",
        ),
        Mistake(
            "longest-missing",
            _back_off_with(longest=False),
            "The whole context was not asked: go up to all of its words.",
        ),
        Mistake(
            "shortest-missing",
            _back_off_with(shortest=False),
            "The empty context was not asked: how often the word occurs at all counts, too.",
        ),
        Mistake(
            "beginning-of-the-context",
            _back_off_with(own="prefix"),
            "You shortened the context at its end: the words next to the place matter most, so take"
            " its last ones.",
        ),
        Mistake(
            "no-smoothing",
            _back_off_with(last=True),
            "You took the plain share of the longest context that was seen: mix it with the guess"
            " of the shorter one, (count + guess) / (total + 1).",
        ),
        Mistake(
            "unseen-skipped",
            _back_off_with(seen_only=True),
            "A context in which the word did not occur was skipped: it was seen, and it says that"
            " the word is rare there.",
        ),
        Mistake(
            "too-much-guess",
            _back_off_with(share=2.0),
            "Your guess weighs as much as two words: it weighs as much as one, (count + guess) /"
            " (total + 1).",
        ),
        Mistake(
            "not-in-the-total",
            _back_off_with(in_total=False),
            "All words together get more than 1: what you add above must be added below, too,"
            " total + 1.",
        ),
        Mistake(
            "even",
            lambda tables, word, context, V: 1 / V,
            "Every word gets the same: use the tables.",
        ),
    ),
    praise="From no context to the whole one, each leaning on the one before.",
)


def check_back_off(back_off: Any) -> Check:
    """Check back_off(tables, word, context, vocab_size) -> a probability.

    tables: {context, a tuple of words: {word: how often it came next}}; () is no context.

    >>> check_back_off(_back_off_with(own="prefix")).mistake
    'beginning-of-the-context'
    """
    return judge(BACK_OFF, back_off)
