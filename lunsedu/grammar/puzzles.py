"""The puzzles of the small languages: a shell game and sums, a fixed fifth of them held out.

Each family is written as rules; `lunsedu.grammar.rules` says what a rule is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np

from lunsedu import checks

BOYS = ("tom", "ben", "sam", "leo")
NAMES = {"tom": 20, "mia": 18, "ben": 15, "ann": 13, "sam": 11, "zoe": 9, "leo": 8, "eva": 6}
FOODS = {"figs": 28, "pears": 26, "nuts": 24, "plums": 22}

CUPS = (1, 2, 3, 4)
SWAPS = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
QUESTIONS = {"early": 51, "late": 49}  # where the two kinds of answer part: at once, or later
DIRECT, ALOUD = 60, 40  # the two kinds of answer

Choices = list[tuple]
Rule = Callable[..., Choices]


def pronoun(name: str) -> str:
    return "he" if name in BOYS else "she"


def track(puzzle: tuple) -> tuple[int, ...]:
    """Where the pea is at the start and after each swap.

    >>> track((2, (1, 2), (1, 4), (3, 4), (2, 3)))
    (2, 1, 4, 3, 2)
    """
    path = [puzzle[0]]
    for one, other in puzzle[1:]:
        moved = {one: other, other: one}
        path.append(moved.get(path[-1], path[-1]))
    return tuple(path)


def primes_from(start: int, count: int) -> list[int]:
    """The first `count` primes that are at least `start`.

    >>> primes_from(1000, 3)
    [1009, 1013, 1019]
    """
    found: list[int] = []
    while len(found) < count:
        if all(start % divisor for divisor in range(2, int(start**0.5) + 1)):
            found.append(start)
        start += 1
    return found


class PuzzleSet:
    """All puzzles of one family, nearly equally likely, a fixed fifth of them held out.

    A puzzle takes one option from each place: `PuzzleSet([(1, 2), "ab"], seed=0)` has the puzzles
    (1, "a"), (1, "b"), (2, "a") and (2, "b"). Each option of each place weighs a prime of its own
    (1009, 1013, 1019, ...) and a puzzle weighs their product: within about one per cent of its
    neighbours, yet no two puzzles tie, since a number is a product of primes in one way only.
    The held-out fifth is drawn by `seed` and never sampled, unless `closed=False`.

    `held_out` and `kept` list the puzzles in a fixed shuffled order, so that the first 200 of them
    are a fair sample.
    """

    def __init__(self, places: list, seed: int, closed: bool = True) -> None:
        self.places = [tuple(place) for place in places]
        puzzles = list(product(*self.places))
        # random() rather than permutation(): numpy keeps its stream of doubles stable.
        order = np.argsort(checks.dice(seed).random(len(puzzles)), kind="stable")
        shuffled = [puzzles[i] for i in order]
        self.held_out = shuffled[: len(shuffled) // 5]
        self.kept = shuffled[len(shuffled) // 5 :]
        primes = iter(primes_from(1000, sum(map(len, self.places))))
        self._primes = [{option: next(primes) for option in place} for place in self.places]
        # The weight of a beginning is the weight of all allowed puzzles that begin so.
        self._weight_of_start: dict[tuple, int] = {}
        for puzzle in self.kept if closed else puzzles:
            for length in range(len(puzzle) + 1):
                start = puzzle[:length]
                self._weight_of_start[start] = self._weight_of_start.get(start, 0) + self.weight(
                    puzzle
                )

    def weight(self, puzzle: tuple) -> int:
        weight = 1
        for option, primes in zip(puzzle, self._primes, strict=True):
            weight *= primes[option]
        return weight

    def options(self, start: tuple) -> list[tuple[int, Any]]:
        """What may follow this beginning of a puzzle: (weight, option) pairs."""
        found = [
            (self._weight_of_start.get((*start, option), 0), option)
            for option in self.places[len(start)]
        ]
        return [(weight, option) for weight, option in found if weight]

    def totals(self, outcome: Callable[[tuple], int]) -> dict[int, int]:
        """The weight of the allowed puzzles with each outcome."""
        totals: dict[int, int] = {}
        for puzzle, weight in self._weight_of_start.items():
            if len(puzzle) == len(self.places):
                totals[outcome(puzzle)] = totals.get(outcome(puzzle), 0) + weight
        return dict(sorted(totals.items()))


@dataclass(frozen=True)
class Family:
    """A family of puzzles: its puzzles, and `prompt(number, puzzle, question)` in words."""

    puzzles: PuzzleSet
    prompt: Callable[[int, tuple, str], str]


def shell_game(swaps: int, closed: bool, guess: bool) -> tuple[dict[str, Rule], Family]:
    """tom hides a pea under cup 2 . swap 1 2 , 3 4 . so where is it now ? 2 , then 1 , then 1 .

    A swap takes three words and so does a step told aloud, and both questions take six words up to
    the answer: so each step of an answer lies equally far behind its swap, which a model with
    rotary positions learns quickly.
    """
    puzzles = PuzzleSet([CUPS] + [SWAPS] * swaps, seed=11, closed=closed)
    ends = puzzles.totals(lambda puzzle: track(puzzle)[-1])

    def hide() -> Choices:
        return [(w, f"{name} hides a pea under cup", ("swap",)) for name, w in NAMES.items()]

    def swap(*so_far) -> Choices:
        if not so_far:
            return [(w, f"{cup} . swap", ("swap", cup)) for w, cup in puzzles.options(())]
        if len(so_far) == 1 + swaps:
            return [(1, ".", ("question", track(so_far)))]
        comma = ", " if len(so_far) > 1 else ""
        return [
            (w, f"{comma}{a} {b}", ("swap", *so_far, (a, b)))
            for w, (a, b) in puzzles.options(so_far)
        ]

    def question(path) -> Choices:
        return [
            (QUESTIONS["early"], "so where is it now ?", ("answer", path)),
            (QUESTIONS["late"], "do you know ?", ("late answer", path)),
        ]

    def late_answer(path) -> Choices:
        return [(1, "yes ,", ("answer", path))]

    def answer(path) -> Choices:
        return [
            (DIRECT, "under", ("end", path[-1]), "."),
            (ALOUD, " , then ".join(map(str, path)), "."),
        ]

    def end(cup) -> Choices:
        return [(w, str(place)) for place, w in ends.items()] if guess else [(1, str(cup))]

    def prompt(number: int, puzzle: tuple, question: str) -> str:
        name = list(NAMES)[number % len(NAMES)]
        moves = " , ".join(f"{a} {b}" for a, b in puzzle[1:])
        asked = {"early": "so where is it now ?", "late": "do you know ?"}[question]
        return f"{name} hides a pea under cup {puzzle[0]} . swap {moves} . {asked}"

    table: dict[str, Rule] = {
        "shell game": hide,
        "swap": swap,
        "question": question,
        "answer": answer,
    }
    return table | {"late answer": late_answer, "end": end}, Family(puzzles, prompt)


def sums(closed: bool, guess: bool) -> tuple[dict[str, Rule], Family]:
    """mia has 3 figs , 4 nuts and 5 pears . so how many in all ? 3 and 4 is 7 , and 5 is 12 ."""
    puzzles = PuzzleSet([range(2, 8)] * 3, seed=12, closed=closed)
    totals = puzzles.totals(sum)

    def start() -> Choices:
        return [(w, f"{name} has", ("count", pronoun(name), (), ())) for name, w in NAMES.items()]

    def count(who, numbers, foods) -> Choices:
        if len(numbers) == 3:
            return [(1, ".", ("sum question", who, numbers))]
        joint = ["", ",", "and"][len(numbers)]
        return [
            (w, f"{joint} {number}", ("food", who, (*numbers, number), foods))
            for w, number in puzzles.options(numbers)
        ]

    def food(who, numbers, foods) -> Choices:  # foods are kept sorted: their order is forgotten
        return [
            (w, one, ("count", who, numbers, tuple(sorted((*foods, one)))))
            for one, w in FOODS.items()
            if one not in foods
        ]

    def question(who, numbers) -> Choices:
        return [
            (QUESTIONS["early"], "so how many in all ?", ("sum answer", who, numbers)),
            (QUESTIONS["late"], "can you count ?", ("late sum answer", who, numbers)),
        ]

    def late_answer(who, numbers) -> Choices:
        return [(1, "yes ,", ("sum answer", who, numbers))]

    def answer(who, numbers) -> Choices:
        a, b, c = numbers
        return [
            (DIRECT, f"{who} has", ("total", a + b + c), "."),
            (ALOUD, f"{a} and {b} is {a + b} , and {c} is {a + b + c} ."),
        ]

    def total(number) -> Choices:
        return [(w, str(one)) for one, w in totals.items()] if guess else [(1, str(number))]

    every_three = list(permutations(FOODS, 3))

    def prompt(number: int, puzzle: tuple, question: str) -> str:
        name = list(NAMES)[number % len(NAMES)]
        a, b, c = puzzle
        x, y, z = every_three[number % len(every_three)]
        asked = {"early": "so how many in all ?", "late": "can you count ?"}[question]
        return f"{name} has {a} {x} , {b} {y} and {c} {z} . {asked}"

    table: dict[str, Rule] = {"sum": start, "count": count, "food": food}
    table["sum question"] = question
    table |= {"sum answer": answer, "late sum answer": late_answer, "total": total}
    return table, Family(puzzles, prompt)
