"""Checks for the predictions: a number or a letter that is written down before the code is run.

A wrong prediction is not told the right one. It is told what the wrong one would mean.
"""

from dataclasses import dataclass, field
from math import isclose
from numbers import Real
from typing import Any

from lunsedu.exercises.judge.check import OPEN, RIGHT, WRONG, Check


@dataclass(frozen=True)
class Prediction:
    """`answer` is a number or a letter; `wrong` tells what a wrong answer would mean."""

    answer: Any
    because: str
    wrong: dict = field(default_factory=dict)
    otherwise: str = "Work it out on paper with the small numbers given."


PREDICTIONS = {
    "01 tokenizer": Prediction(
        9,
        "n, a and b take one byte each, the é two, the emoji four: 1 + 2 + 4 + 1 + 1.",
        {
            5: "That is the number of characters. Some characters take several bytes.",
            6: "You gave the é two bytes, but the emoji only one.",
            8: "One of the two special characters takes a byte more than you gave it.",
        },
        "Count letter by letter: plain letters one byte, é two, this emoji four.",
    ),
    "02 counting": Prediction(
        8,
        "Perplexity is the number of equally likely choices that would be as hard to guess.",
        {
            3: "That is the cross-entropy in bits. Perplexity is 2 to the power of it.",
            0.125: "That is the probability of each token. Perplexity is one over it.",
            2.079: "That is the cross-entropy in nats, ln 8. Perplexity is e to the power of it.",
        },
    ),
    "03 model": Prediction(
        0.4,
        "exp() of the scores are 1, 1, 1 and 2; they sum to 5, and 2 / 5 = 0.4.",
        {
            0.25: "That would be so if all four scores were equal.",
            0.5: "Twice as much as each of the others is not half of everything: sum all four.",
            0.2: "That is the weight of each of the small ones.",
            2: "That is exp() of the score, before dividing by the sum.",
        },
    ),
    "04 backpropagation": Prediction(
        "b",
        "Both uses of the row move the loss, so both gradients add up.",
        {
            "a": "Then the first use would not matter, but changing the row changes both places.",
            "c": "A mean would be half of what a small change of the row does to the loss.",
        },
    ),
    "05 training": Prediction(
        "c",
        "In the first step the running means, corrected, are the gradient and its square. Their"
        " quotient is 1 or -1 whatever the size of the gradient.",
        {
            "a": "So it is in plain gradient descent. AdamW divides by the size of the gradient.",
            "b": "The square root of the mean square is the size itself, not its root.",
        },
    ),
    "06 insideout": Prediction(
        "b",
        "The arithmetic mean of A is (0.1 + 1 + 1 + 1) / 4 = 0.775, that of B is 0.7. The product"
        " of A is 0.1, that of B about 0.24: so the geometric mean prefers B.",
        {
            "a": "Compute both means for both: a rare start costs the arithmetic mean little.",
            "c": "The product of A is 0.1, that of B about 0.24: the geometric mean sees the rare"
            " start.",
            "d": "Compute both means for both. One of the two scores forgives a rare start.",
        },
    ),
    "08 save and fine-tune": Prediction(
        "b",
        "The text is other bytes, so other pairs, but the ids and their meaning must stay: the"
        " embedding's rows belong to them.",
        {
            "a": "A new tokenizer would give the same ids to other pieces of text, and every row of"
            " the embedding would mean something else.",
            "c": "The 256 bytes are in every vocabulary, so no text is ever refused.",
        },
    ),
    "09 how good is it": Prediction(
        "c",
        "The width shrinks with the square root of the number of cases: half the width takes four"
        " times as many.",
        {
            "a": "That is less than half as many again. Think of the square root.",
            "b": "Twice as many cases make the interval narrower by the square root of 2 only.",
            "d": "That would make it four times narrower.",
        },
    ),
    "11 looking inside": Prediction(
        "c",
        "A patch shows what differs between the two runs. What both prompts share is the same in"
        " both, so the patch puts in what was there already.",
        {
            "a": "Taking the head out ruins the answers: something that they need comes through it."
            " Is what it carries different in the two prompts?",
            "b": "The feed-forward adds to the stream, and takes nothing back by itself. Think of"
            " what the two prompts have in common.",
            "d": "The intervals are narrow. Both measurements are right: they ask different"
            " questions.",
        },
    ),
    "12 rewards": Prediction(
        5 / 6,
        "Of the 6 pairs only one holds no right answer: the two wrong ones. 1 - 1 / 6 = 5 / 6.",
        {
            0.75: "That is 1 - (1 - 1/2)**2, as if the same answer could be drawn twice.",
            0.5: "That is the chance with one try. With two there are more.",
            1 / 6: "That is the chance that both are wrong, or that both are right.",
            2 / 3: "That is the chance that exactly one of the two is right. Both may be.",
            1: "Two wrong answers are among the four, so a pair of wrong ones can be drawn.",
        },
        "Write down all pairs of the four answers, and count those with a right one.",
    ),
    "13 adapting": Prediction(
        "b",
        "dA = x.T @ (scale * dy @ B.T) is zero while B is zero;"
        " dB = scale * (x @ A).T @ dy is not.",
        {
            "a": "The gradient of A comes through B, and B is zero.",
            "c": "The gradient of B comes through A, and A is random: it is not zero.",
            "d": "One of them stays. Whose gradient has the other, which is zero, as a factor?",
        },
    ),
    "14 beyond": Prediction(
        2.8,
        "All 50 tokens together lost 10 * 2 + 40 * 3 = 140 nats, and 140 / 50 = 2.8.",
        {
            2.5: "That is the mean of the two means: the 10 tokens would count as much as the 40.",
            2.2: "You gave each rank the other one's number of tokens.",
            5: "That is the sum of the two means.",
            140: "That is the sum over all tokens: divide it by their number.",
            70: "You divided the sum over all tokens by the number of ranks.",
        },
        "Each token counts the same: add up all losses, then divide by the number of tokens.",
    ),
}


def check_prediction(lesson: str, answer: Any) -> Check:
    """Check a prediction: a number, or a letter in quotes. Lessons are the keys of PREDICTIONS.

    >>> check_prediction("03 model", 0.25)
    prediction: not right yet. That would be so if all four scores were equal.
    """
    if lesson not in PREDICTIONS:
        raise ValueError(f"no prediction is called {lesson!r}; there are {', '.join(PREDICTIONS)}")
    known = PREDICTIONS[lesson]

    def say(status, message):
        return Check("prediction", status, message)

    if answer is None or answer is Ellipsis:
        return say(OPEN, "Replace the ... by your prediction, then run this cell again.")
    if isinstance(known.answer, str):
        if not isinstance(answer, str):
            return say(WRONG, 'Give one of the letters in quotes, for example "a".')
        answer = answer.strip().strip("()").lower()
        if answer == known.answer:
            return say(RIGHT, known.because)
        choices = ", ".join(sorted({known.answer, *known.wrong}))
        return say(WRONG, known.wrong.get(answer, f"Give one of the letters {choices}."))
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return say(WRONG, "Give a number.")
    if isclose(answer, known.answer, rel_tol=0.01):
        return say(RIGHT, known.because)
    for value, told in known.wrong.items():
        if isclose(answer, value, rel_tol=0.01):
            return say(WRONG, told)
    return say(WRONG, known.otherwise)
