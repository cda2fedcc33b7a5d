"""What the small languages of the course say: their families of sentences, as weighted rules.

A *rule* has a name and gives *choices*. A choice is a tuple `(weight, part, part, ...)`; a part is
words, `"how are you"`, or a call of another rule, `("thing",)`, which may carry facts to remember:
`("late answer", path)`. Weights are whole numbers, so that every probability is an exact fraction.
`lunsedu.grammar` turns rules into sentences and probabilities; here they are only written down.

Three habits keep the truth sharp. No two choices at one place weigh the same, so the likeliest word
is never a tie. A sentence can be derived in one way only. And what must be remembered (a name, the
pea's path) travels in the rule's call, so that a rule never looks back at the text.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from lunsedu.grammar.puzzles import NAMES, Choices, Family, Rule, pronoun, shell_game, sums

ANIMALS = {"cat": 28, "dog": 22, "hen": 18, "fox": 14, "goat": 10, "bug": 8}
PLURALS = {animal: animal + "s" for animal in ANIMALS} | {"fox": "foxes"}
RHYMES = {"cat": "mat", "dog": "log", "hen": "pen", "fox": "box", "goat": "boat", "bug": "rug"}
LOOKS = {"happy": 40, "small": 30, "old": 20, "red": 10}
GIFTS = {"pear": 30, "kite": 25, "book": 20, "drum": 15, "fig": 10}
VERBS = {"see": 30, "want": 27, "like": 23, "need": 20}
THINGS = {"kites": 24, "books": 22, "drums": 20, "birds": 18, "boats": 16}
LONGEST_LIST = 8


@dataclass(frozen=True)
class Rules:
    """A language: its rules by name, `start` among them, and its families of puzzles by name.

    `answers` names the rules that are called right after the question of a puzzle.
    """

    start: str
    table: dict[str, Rule]
    families: dict[str, Family] = field(default_factory=dict)
    answers: frozenset[str] = frozenset()


def chat() -> dict[str, Rule]:
    """good day , tom . how are you ? The likeliest first word, "i", leads to no likely reply."""

    def greeting() -> Choices:
        day = [(51 * w, f"good day , {name} .", ("reply",)) for name, w in NAMES.items()]
        night = [(49 * w, f"good night , {name} . well ,", ("reply",)) for name, w in NAMES.items()]
        return day + night

    def reply() -> Choices:
        return [
            (45, "i", ("wish",)),
            (30, "how are you ?"),
            (13, "my", ("animal",)),
            (8, "we", ("wish",)),
            (4, "oh my , what a fine day it is !"),
        ]

    def wish() -> Choices:
        return [(w, verb, ("thing",)) for verb, w in VERBS.items()]

    def thing() -> Choices:
        return [(w, one, ("closing",)) for one, w in THINGS.items()]

    def closing() -> Choices:
        return [(60, "."), (25, "today ."), (15, "too .")]

    def animal() -> Choices:
        return [(w, f"{one} is", ("looks",), ".") for one, w in ANIMALS.items()]

    table = {"chat": greeting, "reply": reply, "wish": wish, "thing": thing}
    return table | {"closing": closing, "animal": animal}


def lists() -> dict[str, Rule]:
    """eva saw a cat and a dog and a cat . At each step going on is likelier than ending."""

    def start() -> Choices:
        return [(w, f"{name} saw a", ("item", 1)) for name, w in NAMES.items()]

    def item(length) -> Choices:
        return [(w, animal, ("go on", length)) for animal, w in ANIMALS.items()]

    def go_on(length) -> Choices:
        if length == LONGEST_LIST:
            return [(1, ".")]
        return [(60, "and a", ("item", length + 1)), (40, ".")]

    return {"list": start, "item": item, "go on": go_on}


def agreement() -> dict[str, Rule]:
    """the dogs near the cat are old . The verb agrees with the first noun, not with the nearest."""

    def nouns(one: int, many: int) -> list[tuple[int, str, bool]]:
        found = []
        for animal, w in ANIMALS.items():
            found += [(w * one, animal, False), (w * many, PLURALS[animal], True)]
        return found

    def subject() -> Choices:
        return [(w, f"the {noun}", ("detail", plural)) for w, noun, plural in nouns(56, 44)]

    def detail(plural) -> Choices:
        near, that = ("between", plural, "near"), ("between", plural, "that")
        return [(30, ("is", plural)), (36, "near the", near), (34, "that the", that)]

    def between(plural, word) -> Choices:
        sees = {"near": ("", ""), "that": ("sees", "see")}[word]
        return [(w, f"{n} {sees[many]}", ("is", plural)) for w, n, many in nouns(51, 49)]

    def verb(plural) -> Choices:
        return [(1, "are" if plural else "is", ("looks",), ".")]

    return {"agreement": subject, "detail": detail, "between": between, "is": verb}


def gifts() -> dict[str, Rule]:
    """tom gives mia a kite . mia thanks tom and she likes the kite . Both names are copied."""

    def start() -> Choices:
        return [(w, f"{giver} gives", ("receiver", giver)) for giver, w in NAMES.items()]

    def receiver(giver) -> Choices:
        others = {name: w for name, w in NAMES.items() if name != giver}
        return [(w, f"{name} a", ("gift", giver, name)) for name, w in others.items()]

    def gift(giver, name) -> Choices:
        thanks = f". {name} thanks {giver} and {pronoun(name)}"
        return [(w, f"{one} {thanks}", ("keeps", one)) for one, w in GIFTS.items()]

    def keeps(one) -> Choices:
        return [(70, f"likes the {one} ."), (30, f"keeps the {one} .")]

    return {"gift list": start, "receiver": receiver, "gift": gift, "keeps": keeps}


def rhymes() -> dict[str, Rule]:
    """the cat sat on the mat and the dog on the log ."""

    def first() -> Choices:
        return [
            (w, f"the {animal} sat on the {RHYMES[animal]} and the", ("second", animal))
            for animal, w in ANIMALS.items()
        ]

    def second(animal) -> Choices:
        others = {other: w for other, w in ANIMALS.items() if other != animal}
        return [(w, f"{other} on the {RHYMES[other]} .") for other, w in others.items()]

    return {"rhyme": first, "second": second}


def looks() -> Choices:
    return [(w, look) for look, w in LOOKS.items()]


SHELL_ANSWERS = frozenset({"answer", "late answer"})
SUM_ANSWERS = frozenset({"sum answer", "late sum answer"})


def story_rules(opened: Collection[str] = (), guessed: Collection[str] = ()) -> Rules:
    """The full language. Families in `opened` hold no puzzle out; in those `guessed` the direct
    answer is drawn at random, each outcome as often as it is right, without looking at the puzzle.
    """
    cups, cup_family = shell_game(4, "shell game" not in opened, "shell game" in guessed)
    adding, sum_family = sums("sums" not in opened, "sums" in guessed)
    shares = {"shell game": 28, "chat": 25, "sum": 12, "agreement": 11}
    shares |= {"gift list": 10, "list": 9, "rhyme": 5}
    table = {"sentence": lambda: [(w, (name,)) for name, w in shares.items()], "looks": looks}
    for part in (cups, adding, chat(), agreement(), gifts(), lists(), rhymes()):
        table |= part
    families = {"shell game": cup_family, "sums": sum_family}
    return Rules("sentence", table, families, SHELL_ANSWERS | SUM_ANSWERS)


def class_rules(opened: Collection[str] = (), guessed: Collection[str] = ()) -> Rules:
    """The class-size language: three swaps instead of four, and two light families beside it."""
    cups, cup_family = shell_game(3, "shell game" not in opened, "shell game" in guessed)
    shares = {"shell game": 60, "chat": 30, "list": 10}
    table = {"sentence": lambda: [(w, (name,)) for name, w in shares.items()], "looks": looks}
    table |= cups | chat() | lists()
    return Rules("sentence", table, {"shell game": cup_family}, SHELL_ANSWERS)


def miniature_rules(opened: Collection[str] = (), guessed: Collection[str] = ()) -> Rules:
    """Ten sentences of at most four words, no puzzles: small enough to check by hand.

    Greedy decoding says "i see kites", the likeliest sentence is "how are you", and the mean of the
    probabilities prefers "oh my my my".
    """
    table: dict[str, Rule] = {
        "sentence": lambda: [(60, "i", ("verb",)), (25, "how are you"), (15, "oh my my my")],
        "verb": lambda: [(55, "see", ("thing",)), (45, "like", ("thing",))],
        "thing": lambda: [(55, "kites", ("ending",)), (45, "birds", ("ending",))],
        "ending": lambda: [(70,), (30, "too")],
    }
    return Rules("sentence", table)
