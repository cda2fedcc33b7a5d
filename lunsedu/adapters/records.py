"""A job with an exact judge: a sentence about a purchase becomes a row of a table.

    On Monday Nora bought 4 lamps in Rome for 12 coins. ->  Nora | 4 | lamps | Rome | 12

Names, things and places of the test never occur in training, so learning by heart is worth
nothing: what must be learned is where each column stands, and to copy. In half of the sentences to
train on the name and the place are syllables thrown together, which only copying can spell.

What is not here: a model. Whether a row is right is a comparison of two texts.
"""

import numpy as np

from lunsedu import checks

OPENINGS = ("On Monday", "Last week", "In the evening", "Before noon", "On Friday", "This year")
SENTENCES = (
    "{opening} {name} bought {number} {thing} in {place} for {price} coins.",
    "{opening} {name} paid {price} coins for {number} {thing} in {place}.",
    "{opening} in {place} {name} bought {number} {thing} for {price} coins.",
)
ANSWER = " {name} | {number} | {thing} | {place} | {price}"
ARROW = " ->"

NAMES = (
    "Anna Ben Clara David Emma Felix Grace Henry Irene Jack Karen Leo Maria Nina Oscar Paul Quinn"
    " Rosa Samuel Thomas Ursula Victor Wendy Xavier Yusuf Zara Fatima Hiroshi Ingrid Mateo"
).split()
THINGS = (
    "pens books apples chairs shirts plates candles bottles hats clocks mirrors boots spoons"
    " towels blankets tickets flowers pencils knives stamps"
).split()
PLACES = (
    "Paris London Berlin Madrid Vienna Lisbon Dublin Athens Oslo Cairo Tokyo Delhi Lima Boston"
    " Chicago Sydney Moscow Prague Warsaw Seoul"
).split()
NEW_NAMES = (
    "Nora Lucas Sofia Walter Helga Ahmed Priya Dmitri Yolanda Casper Bettina Rashid Mildred Akira"
    " Giovanni Thandiwe Ludmila Osvaldo Siobhan Ferdinand"
).split()
NEW_THINGS = (
    "lamps cups carpets guitars baskets umbrellas hammers scarves lemons bicycles buckets violins"
    " pillows kettles ladders brushes necklaces mugs drums wallets"
).split()
NEW_PLACES = (
    "Rome Milan Geneva Bergen Toronto Nairobi Havana Kyoto Tallinn Porto Krakow Glasgow Bogota"
    " Manila Zagreb Antwerp Riga Seville Turin Casablanca"
).split()


def record_examples(count: int, seed: int = 0, new: bool = False) -> list[tuple[str, str]]:
    """Return `count` pairs (prompt, answer) of text.

    new: names, things and places that occur in no example without `new`, for a test. Raises
    ValueError unless count and seed are whole numbers of at least 0.

    >>> prompt, answer = record_examples(1, seed=3, new=True)[0]
    >>> print(prompt)
    This year Ahmed bought 8 violins in Tallinn for 35 coins. ->
    >>> print(answer)
     Ahmed | 8 | violins | Tallinn | 35
    """
    count = checks.whole_number("count", count, 0)
    seed = checks.whole_number("seed", seed)
    rng = np.random.default_rng([seed, int(new)])
    return [_example(rng, new) for _ in range(count)]


def _example(rng, new):
    names, things, places = (NEW_NAMES, NEW_THINGS, NEW_PLACES) if new else (NAMES, THINGS, PLACES)
    by_syllables = not new and rng.random() < 0.5
    fields = {
        "opening": _one(rng, OPENINGS),
        "name": _syllables(rng) if by_syllables else _one(rng, names),
        "thing": _one(rng, things),
        "place": _syllables(rng) if by_syllables else _one(rng, places),
        "number": int(rng.integers(2, 10)),
        "price": int(rng.integers(2, 100)),
    }
    return _one(rng, SENTENCES).format(**fields) + ARROW, ANSWER.format(**fields)


def _one(rng, choices):
    return choices[rng.integers(len(choices))]


def _syllables(rng):
    """A name that nobody has: two or three syllables."""
    syllables = (
        _one(rng, "bdfgklmnprstvz") + _one(rng, "aeiou") for _ in range(rng.integers(2, 4))
    )
    return ("".join(syllables) + _one(rng, ("", "n", "s", "r"))).capitalize()
