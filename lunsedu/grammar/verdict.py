"""Is a text a sentence of a language, and if not, why? Does it answer its puzzle rightly?"""

from dataclasses import dataclass

from lunsedu.grammar.states import END, StateMachine, by_probability

SHOWN = 6  # how many expected words a reason lists


@dataclass(frozen=True)
class Verdict:
    """Whether a text is in the language; true or false where a condition is wanted.

    `reason` says in a sentence why not ("" when it is). `position` counts the words before the
    refused one, `word` is that word (`END` when the text stops too early) and `expected` are the
    words that could stand there, likeliest first.
    """

    accepted: bool
    reason: str = ""
    position: int | None = None
    word: str | None = None
    expected: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.accepted


def judge(machine: StateMachine, words: list[str]) -> Verdict:
    """Whether a sentence can begin with these words; a last word `END` makes it a whole sentence.

    >>> from lunsedu.grammar.rules import miniature_rules
    >>> judge(StateMachine(miniature_rules()), ["how", "are", END]).reason
    'the text stops after "are", expected "you"'
    """
    state = machine.start
    for position, word in enumerate(words):
        arcs = machine.arcs(state)
        if word not in arcs or (word == END and position < len(words) - 1):
            expected = tuple(by_probability(arcs))
            return Verdict(False, _reason(words, position, expected), position, word, expected)
        state = arcs[word].state
    return Verdict(True)


def answer_is_right(machine: StateMachine, words: list[str]) -> bool | None:
    """Whether the words, after a puzzle, answer it rightly and completely; None without a puzzle.

    The machine must know all puzzles, held out or not.
    """
    state, asked = machine.start, False
    for word in words:
        arcs = machine.arcs(state)
        if word not in arcs or word == END:
            return False if asked else None
        state = arcs[word].state
        asked = asked or machine.asks(state)
    return END in machine.arcs(state) if asked else None


def _reason(words: list[str], position: int, expected: tuple[str, ...]) -> str:
    word = words[position]
    names = ["the end" if one == END else f'"{one}"' for one in expected]
    if len(names) > SHOWN:
        names = [*names[:SHOWN], f"{len(names) - SHOWN} others"]
    wanted = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    if word == END and position < len(words) - 1:
        return f"word {position + 1} is {END}, but the end of a sentence is not written"
    if word != END:
        return f'word {position + 1} is "{word}", expected {wanted}'
    where = f'the text stops after "{words[position - 1]}"' if position else "the text is empty"
    return f"{where}, expected {wanted}"
