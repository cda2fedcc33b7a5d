"""From rules to states: after some words of a sentence, what may come next, how likely exactly?

A *stack* is what a half-said sentence still has to say: words, and calls of rules. After the words
"the cat" two families may be meant, so in general several stacks are possible, each with a weight.
Such a weighted set of stacks is a *state*. Saying a word leads from one state to the next one; a
state that is reached in two ways is made once. All arithmetic up to the finished probabilities is
in whole numbers, so equal states are recognised as equal, never nearly equal.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from lunsedu.grammar.rules import Rules

END = "<|eos|>"  # stands where a sentence ends


class Arc(NamedTuple):
    """One word that may come next, and the state that it leads to (None after the end)."""

    probability: float
    log_probability: float
    state: Any  # a State


class Facts(NamedTuple):
    """What is known of all the ways to finish a sentence from a state."""

    entropy: float  # nats
    tokens: float  # expected number of words, the end counted
    sentences: int  # how many ways
    best: float  # log-probability of the likeliest way


class State:
    """Where one may be in a sentence: pairs (stack, whole weight)."""

    __slots__ = ("stacks", "arcs", "facts", "edges")

    def __init__(self, stacks: frozenset) -> None:
        self.stacks = stacks
        # The rest is worked out by the StateMachine when it is first needed.
        self.arcs: Any = None  # a dict[str, Arc],  # in alphabetical order
        self.facts: Facts | None = None
        self.edges: list[float] | None = None  # where each word's share of [0, 1) ends


class StateMachine:
    """The states of a language, each made when it is first reached.

    >>> from lunsedu.grammar.rules import miniature_rules
    >>> machine = StateMachine(miniature_rules())
    >>> {word: arc.probability for word, arc in machine.arcs(machine.start).items()}
    {'how': 0.25, 'i': 0.6, 'oh': 0.15}
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._choices: dict[tuple, tuple[list[tuple[int, tuple]], int]] = {}
        self._states: dict[frozenset, State] = {}
        self.start = self._state({((rules.start,),): 1})

    def arcs(self, state: State) -> dict[str, Arc]:
        """Each word that may come next, `END` among them: dict of word -> Arc."""
        if state.arcs is None:
            self._expand(state)
        return state.arcs

    def draw(self, state: State, rng: np.random.Generator) -> str:
        """One of the words that may come next, drawn by its probability."""
        arcs = self.arcs(state)
        if len(arcs) == 1:
            return next(iter(arcs))
        if state.edges is None:
            state.edges = list(accumulate(arc.probability for arc in arcs.values()))
            state.edges[-1] = 1.0  # not a hair below it, where a number could fall through
        return list(arcs)[bisect_right(state.edges, rng.random())]

    def facts(self, state: State) -> Facts:
        """Sums over all sentences by dynamic programming: each state is worked out once."""
        if state.facts is None:
            entropy, tokens, sentences, best = 0.0, 0.0, 0, -math.inf
            for probability, log_probability, following in self.arcs(state).values():
                rest = self.facts(following) if following else Facts(0.0, 0.0, 1, 0.0)
                entropy += probability * (rest.entropy - log_probability)
                tokens += probability * (1 + rest.tokens)
                sentences += rest.sentences
                best = max(best, log_probability + rest.best)
            state.facts = Facts(entropy, tokens, sentences, best)
        return state.facts

    def states(self) -> Iterator[State]:
        """Every state that a sentence can pass through."""
        seen, waiting = {self.start}, [self.start]
        while waiting:
            state = waiting.pop()
            yield state
            for arc in self.arcs(state).values():
                if arc.state and arc.state not in seen:
                    seen.add(arc.state)
                    waiting.append(arc.state)

    def asks(self, state: State) -> bool:
        """Whether the question of a puzzle has just been asked."""
        return any(
            stack and isinstance(stack[0], tuple) and stack[0][0] in self.rules.answers
            for stack, _ in state.stacks
        )

    def _state(self, weights: dict[tuple, int]) -> State:
        """The state for these stacks; weights in the same proportion give the same state."""
        shared = math.gcd(*weights.values())
        stacks = frozenset((stack, weight // shared) for stack, weight in weights.items())
        if stacks not in self._states:
            self._states[stacks] = State(stacks)
        return self._states[stacks]

    def _expand(self, state: State) -> None:
        """Works out the arcs: opens rules until each stack begins with a word, sorts by word."""
        opened, waiting = [], [(stack, weight, 1) for stack, weight in state.stacks]
        while waiting:
            stack, weight, divisor = waiting.pop()  # its probability goes with weight / divisor
            if stack and isinstance(stack[0], tuple):
                choices, total = self._choices_of(stack[0])
                for share, parts in choices:
                    waiting.append((parts + stack[1:], weight * share, divisor * total))
            else:
                opened.append((stack, weight, divisor))
        common = math.lcm(*{divisor for _, _, divisor in opened})
        after: dict[str, dict[tuple, int]] = {}  # word -> the stacks that it leaves
        for stack, weight, divisor in opened:
            left = after.setdefault(stack[0] if stack else END, {})
            left[stack[1:]] = left.get(stack[1:], 0) + weight * (common // divisor)
        shares = {word: sum(after[word].values()) for word in sorted(after)}
        total = sum(shares.values())
        state.arcs = {
            word: Arc(
                share / total,
                math.log(share / total),
                None if word == END else self._state(after[word]),
            )
            for word, share in shares.items()
        }

    def _choices_of(self, call: tuple) -> tuple[list[tuple[int, tuple]], int]:
        """The choices of a rule as (weight, stack), words taken apart, and their total weight."""
        if call not in self._choices:
            name, *remembered = call
            choices = self.rules.table[name](*remembered)
            total = sum(weight for weight, *_ in choices)
            self._choices[call] = [(weight, _stack_of(parts)) for weight, *parts in choices], total
        return self._choices[call]


def by_probability(arcs: dict[str, Arc]) -> dict[str, float]:
    """The probability of each word, likeliest first (ties, of which there are none: a to z)."""
    ranked = sorted(arcs.items(), key=lambda item: (-item[1].probability, item[0]))
    return {word: arc.probability for word, arc in ranked}


def divergence(machine: StateMachine, other: StateMachine) -> float:
    """The mean of log p - log q over the sentences of `machine` in nats, q as `other` has it.

    The Kullback-Leibler divergence, by dynamic programming over pairs of states; infinite when
    `other` lacks a sentence. Source: Cover and Thomas, Elements of Information Theory, section 2.3.
    """
    known: dict[tuple[State, State], float] = {}

    def cost(mine: State, theirs: State) -> float:
        if (mine, theirs) not in known:
            total, their_arcs = 0.0, other.arcs(theirs)
            for word, arc in machine.arcs(mine).items():
                if word not in their_arcs:
                    return math.inf
                step = arc.log_probability - their_arcs[word].log_probability
                rest = cost(arc.state, their_arcs[word].state) if arc.state else 0.0
                total += arc.probability * (step + rest)
            known[mine, theirs] = total
        return known[mine, theirs]

    return cost(machine.start, other.start)


def _stack_of(parts: list) -> tuple:
    stack: list = []
    for part in parts:
        stack += part.split() if isinstance(part, str) else [part]
    return tuple(stack)
