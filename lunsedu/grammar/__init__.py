"""Small languages whose every probability is known: the truth that a model is judged against.

Read in this order: puzzles.py and rules.py (what is said), states.py (what may come next, how
likely), verdict.py (is a text in the language, is an answer right), language.py (Grammar: all of
this in one object), model.py (GrammarModel: a grammar that stands in for a model).

`story_grammar` is the language of `data/stories.txt`, `class_grammar` the smaller one of
`data/class_stories.txt`, and `miniature_grammar` has ten sentences, to be checked by hand. A
sentence is one line of words with spaces between them. Probabilities are natural: log-probabilities
and entropies are in nats.

    python -m lunsedu.grammar                 print what is known of the three languages
    python -m lunsedu.grammar --write data    make the two files again, byte for byte

What is not here: how far a trained model is from this truth (evaluation/).
"""

import argparse
import sys
from pathlib import Path

from lunsedu.grammar.language import Grammar
from lunsedu.grammar.model import GrammarModel, WordTokenizer
from lunsedu.grammar.rules import class_rules, miniature_rules, story_rules
from lunsedu.grammar.states import END
from lunsedu.grammar.verdict import Verdict

__all__ = [
    "END",
    "Grammar",
    "GrammarModel",
    "Verdict",
    "WordTokenizer",
    "class_grammar",
    "miniature_grammar",
    "story_grammar",
]


story_grammar = Grammar("story", story_rules)
class_grammar = Grammar("class", class_rules)
miniature_grammar = Grammar("miniature", miniature_rules)

# file name -> grammar, number of sentences, seed
CORPORA = {
    "stories.txt": (story_grammar, 20_000, 1),
    "class_stories.txt": (class_grammar, 6_000, 2),
}


def write_corpora(folder: str | Path) -> list[Path]:
    """Writes the two corpora into an existing folder, one sentence a line; returns their paths.

    Raises NotADirectoryError when there is no such folder, OSError when it cannot be written to.
    """
    if not str(folder) or not Path(folder).is_dir():
        raise NotADirectoryError(f"there is no folder {str(folder)!r}: make it first")
    paths = []
    for name, (grammar, count, seed) in CORPORA.items():
        path = Path(folder) / name
        lines = grammar.corpus(count, seed)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> None:
    """Print what is known of the three languages, or write the two corpora."""
    parser = argparse.ArgumentParser(prog="python -m lunsedu.grammar", description=main.__doc__)
    parser.add_argument("--write", metavar="FOLDER", help="write the two corpora into this folder")
    folder = parser.parse_args(arguments).write
    if folder is not None:
        try:
            paths = write_corpora(folder)
        except OSError as error:
            sys.exit(f"lunsedu.grammar: {error}")
        for path in paths:
            print(f"wrote {path}")
        return
    for grammar in (story_grammar, class_grammar, miniature_grammar):
        print(f"{grammar.name}: {grammar.entropy():.4f} nats a sentence, ", end="")
        print(f"{grammar.expected_tokens():.2f} tokens, {grammar.count():,} sentences")
        for term, nats in grammar.gap_terms().items():
            print(f"    {term}: {nats:.4f}")
        print(f"    likeliest: {grammar.mode()}")
