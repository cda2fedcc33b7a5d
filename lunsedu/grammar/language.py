"""A language made by rules, in one object: sentences, exact probabilities, a judge of texts."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from lunsedu import checks
from lunsedu.grammar.rules import Rules
from lunsedu.grammar.states import END, Facts, State, StateMachine, by_probability, divergence
from lunsedu.grammar.verdict import Verdict, answer_is_right, judge


class Grammar:
    """A language made by rules, with exact probabilities.

    >>> from lunsedu.grammar import miniature_grammar
    >>> miniature_grammar.sample(np.random.default_rng(0))
    'i like birds'
    >>> round(math.exp(miniature_grammar.log_prob("i see kites too")), 6)  # 0.6*0.55*0.55*0.3
    0.05445
    >>> miniature_grammar.accepts("i see you").reason
    'word 3 is "you", expected "kites" or "birds"'
    """

    def __init__(
        self,
        name: str,
        build: Callable[..., Rules],
        opened: Collection[str] = (),
        guessed: Collection[str] = (),
    ) -> None:
        self.name, self._build = name, build
        self.opened, self.guessed = frozenset(opened), frozenset(guessed)

    def __reduce__(self) -> tuple:
        """How it travels to another process: there its rules are built once, not for each copy."""
        return _arrived, (self.name, self._build, self.opened, self.guessed)

    def __repr__(self) -> str:
        known = {"opened": self.opened, "guessed": self.guessed}
        less = "".join(f", {word}={sorted(which)}" for word, which in known.items() if which)
        return f"Grammar({self.name!r}{less})"

    # Built when first needed: importing this module costs nothing.
    @cached_property
    def rules(self) -> Rules:
        return self._build(self.opened, self.guessed)

    @cached_property
    def machine(self) -> StateMachine:
        """The states underneath, for those who step through a sentence word by word."""
        return StateMachine(self.rules)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word of the language in alphabetical order, without `END`."""
        return tuple(sorted({word for choice in self.situations() for word in choice} - {END}))

    # --- sentences ---------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, prompt: str = "") -> str:
        """A sentence drawn by its probability; with a prompt, among those that begin with it.

        Raises TypeError when rng is not a numpy Generator, ValueError when no sentence begins with
        the prompt.
        """
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                "sample needs a numpy Generator, such as np.random.default_rng(0), "
                f"but got {type(rng).__name__}."
            )
        state, said = self.state_after(prompt), _words(prompt)
        while True:
            word = self.machine.draw(state, rng)
            if word == END:
                return " ".join(said)
            said.append(word)
            state = state.arcs[word].state

    def corpus(self, count: int, seed: int) -> list[str]:
        """`count` sampled sentences; the same ones for the same seed, wherever it runs.

        Raises ValueError unless both are whole numbers of at least 0.
        """
        count, rng = checks.whole_number("count", count), checks.dice(seed)
        return [self.sample(rng) for _ in range(count)]

    def sentences(self, prompt: str = "") -> Iterator[tuple[str, float]]:
        """Every sentence that begins with the prompt, with its log-probability.

        For a puzzle's prompt these are the right answers. Look at `count` first: the full language
        has millions of sentences.
        """
        start = self.state_after(prompt)
        waiting = [(tuple(_words(prompt)), self.log_prob_of_start(prompt), start)]
        while waiting:
            said, log_prob, state = waiting.pop()
            for word, arc in reversed(self.machine.arcs(state).items()):
                if arc.state is None:
                    yield " ".join(said), log_prob + arc.log_probability
                else:
                    waiting.append(((*said, word), log_prob + arc.log_probability, arc.state))

    # --- probabilities -----------------------------------------------------------------------

    def log_prob(self, text: str, prompt: str = "") -> float:
        """Log-probability of the sentence in nats, -inf when it is not in the language.

        With a prompt, which the text must begin with: of the sentence given that beginning. Raises
        ValueError when the text begins otherwise or no sentence begins with the prompt.
        """
        words, start = _words(text), _words(prompt)
        if words[: len(start)] != start:
            raise ValueError(f"The text must begin with the prompt {prompt!r}, but it is {text!r}.")
        self.state_after(prompt)  # raises when nothing can be given this prompt
        return self._walk([*words, END])[0] - self.log_prob_of_start(prompt)

    def log_prob_of_start(self, prefix: str) -> float:
        """Log-probability that a sentence begins with these words, -inf when none does."""
        return self._walk(_words(prefix))[0]

    def next_words(self, prefix: str = "") -> dict[str, float]:
        """The true probability of each next word, likeliest first; `END` where a sentence ends.

        Raises ValueError when no sentence begins with the prefix.

        >>> from lunsedu.grammar import miniature_grammar
        >>> miniature_grammar.next_words("oh my my my")
        {'<|eos|>': 1.0}
        """
        return by_probability(self.machine.arcs(self.state_after(prefix)))

    def situations(self) -> Iterator[dict[str, float]]:
        """The next-word probabilities of every situation that a sentence can be in."""
        for state in self.machine.states():
            yield by_probability(self.machine.arcs(state))

    def mode(self, prompt: str = "") -> str:
        """The likeliest of all sentences that begin with the prompt."""
        state, said = self.state_after(prompt), _words(prompt)
        while True:
            arcs = self.machine.arcs(state)
            best = {
                word: arc.log_probability + (self.machine.facts(arc.state).best if arc.state else 0)
                for word, arc in arcs.items()
            }
            word = max(best, key=best.__getitem__)
            if word == END:
                return " ".join(said)
            said.append(word)
            state = arcs[word].state

    def entropy(self, prompt: str = "") -> float:
        """Entropy in nats a sentence, exactly: no model has a lower mean cross-entropy.

        With a prompt, the entropy of what follows it.
        """
        return self._facts(prompt).entropy

    def expected_tokens(self, prompt: str = "") -> float:
        """Expected number of words after the prompt, the end counted as one."""
        return self._facts(prompt).tokens

    def count(self, prompt: str = "") -> int:
        """How many sentences begin with the prompt."""
        return self._facts(prompt).sentences

    # --- judging -----------------------------------------------------------------------------

    def accepts(self, text: str) -> Verdict:
        """Whether the text is a sentence of the language, and if not, what stands in the way."""
        return self._judge([*_words(text), END])

    def answer_is_right(self, text: str) -> bool | None:
        """Whether the text (a puzzle's prompt and what a model made of it) answers rightly.

        Right is what a sentence of the language says: the direct answer ("under 3 .") names the
        right cup, the answer aloud ("2 , then 1 , then 3 .") is right at every step, and nothing is
        missing, the full stop included, or added. A lucky end of a wrong walk is wrong. Held-out
        puzzles are judged like all others. None when the text holds no puzzle of this language.
        """
        return answer_is_right(self.unrestricted.machine, _words(text))

    def puzzles(
        self, held_out: bool = True, question: str = "early", family: str = "shell game"
    ) -> list[str]:
        """Prompts of all puzzles that never occur in the corpus, or of all that may.

        `question="early"` ends in "so where is it now ?": the answers part at the first word.
        `"late"` ends in "do you know ?": every answer begins with "yes ,", they part at the third.
        The full language has `family="sums"` too. The order is shuffled, but always the same, so
        the first 200 are a fair sample. Names go round; a puzzle is held out whatever the name.
        """
        families = self.rules.families
        if not families:
            return []
        if family not in families:
            raise ValueError(f"There is no family {family!r}; choose from {sorted(families)}.")
        if question not in ("early", "late"):
            raise ValueError(f"question must be 'early' or 'late', but got {question!r}.")
        chosen = families[family]
        puzzles = chosen.puzzles.held_out if held_out else chosen.puzzles.kept
        return [chosen.prompt(number, puzzle, question) for number, puzzle in enumerate(puzzles)]

    # --- the same language, knowing less ------------------------------------------------------

    def variant(self, opened: Collection[str] = (), guessed: Collection[str] = ()) -> "Grammar":
        """The language of a speaker who knows less, by families of puzzles.

        In those `opened` no puzzle is held out; in those `guessed` the direct answer is drawn as
        often as it is right in general, without looking at the puzzle.
        """
        unknown = sorted((set(opened) | set(guessed)) - set(self.rules.families))
        if unknown:
            known = sorted(self.rules.families)
            raise ValueError(f"There is no family {unknown[0]!r}; choose from {known}.")
        return Grammar(self.name, self._build, opened, guessed)

    @cached_property
    def unrestricted(self) -> "Grammar":
        """The same language with no puzzle held out: it knows how held-out puzzles go on."""
        families = frozenset(self.rules.families)
        if self.opened == families and not self.guessed:
            return self
        return self.variant(opened=families)

    def divergence(self, other: "Grammar") -> float:
        """What it costs, in nats a sentence, to expect `other` where this language is spoken.

        The mean of log p - log q over sentences (the Kullback-Leibler divergence), exactly.
        """
        return divergence(self.machine, other.machine)

    def gap_terms(self) -> dict[str, float]:
        """Where a small model's loss above the entropy comes from, in nats a sentence, exactly.

        For each family of puzzles: "direct answers", the cost of guessing them without working
        the puzzle out, and "held-out puzzles", the cost of not knowing which ones never occur. A
        model that can half do the sums pays less than their first term. Takes some seconds for the
        full language, the first time.
        """
        return dict(self._gap_terms)

    @cached_property
    def _gap_terms(self) -> dict[str, float]:
        terms = {}
        for family in self.rules.families:
            guessing = self.variant(self.opened, self.guessed | {family})
            opening = self.variant(self.opened | {family}, self.guessed)
            terms[f"{family}: direct answers"] = self.divergence(guessing)
            terms[f"{family}: held-out puzzles"] = self.divergence(opening)
        return terms

    # --- walking -----------------------------------------------------------------------------

    def _walk(self, words: list[str]) -> tuple[float, State | None]:
        """The log-probability of these words from the start, and the state after them."""
        log_prob, state = 0.0, self.machine.start
        for word in words:
            arc = self.machine.arcs(state).get(word) if state else None
            if arc is None:
                return -math.inf, None
            log_prob, state = log_prob + arc.log_probability, arc.state
        return log_prob, state

    def state_after(self, prompt: str) -> State:
        """The state after the prompt; ValueError when no sentence begins with it."""
        words = _words(prompt)
        state = self._walk(words)[1]
        if state is None:
            reason = self._judge(words).reason or f"nothing comes after {END}"
            raise ValueError(f"No sentence of this language begins with {prompt!r}: {reason}.")
        return state

    def _facts(self, prompt: str) -> Facts:
        return self.machine.facts(self.state_after(prompt))

    def _judge(self, words: list[str]) -> Verdict:
        verdict = judge(self.machine, words)
        if verdict.position is None:  # accepted
            return verdict
        if self.unrestricted._walk(words[: verdict.position + 1])[1] is None:
            return verdict
        reason = f"{verdict.reason}: every puzzle that begins with these words is held out"
        return replace(verdict, reason=reason)


def _words(text: str) -> list[str]:
    if not isinstance(text, str):
        raise TypeError(f"A text must be a str of words, but got {type(text).__name__}.")
    return text.split()


@lru_cache(maxsize=8)
def _arrived(name, build, opened, guessed):
    return Grammar(name, build, opened, guessed)
