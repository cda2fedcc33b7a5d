"""Tokens that were added to a vocabulary by name, found in a text before it is cut into words.

Files of other makers may list such names: "<x>", or a word of a trade. They are matched as the
library tokenizers matches them (its added_vocabulary.rs): first those that a normalizer leaves
alone, then the others in what is left; from left to right, at each place the longest. A special
token such as <|eos|> is plain text here unless one asks for it, and nothing inside of its name is
matched in the same pass.

What is not here: merging (bpe.py), reading the list from a file (tokenizer_json.py).
"""

import functools
import re
from collections.abc import Iterable


class AddedTokens:
    """Finds added tokens in texts.

    ids: dict from name to id. special: the ids among them that stand for no text. second: the ids
    that are matched in the second pass.

    >>> added = AddedTokens({"<x": 300, "<x>": 301, "<end>": 302}, special={302})
    >>> added.cut("a<x>b<end>")
    [('a', None), ('<x>', 301), ('b<end>', None)]
    >>> added.cut("<end>", parse_special=True)
    [('<end>', 302)]
    """

    def __init__(
        self, ids: dict[str, int], special: Iterable[int] = (), second: Iterable[int] = ()
    ) -> None:
        self.ids, self.special, self.second = ids, frozenset(special), frozenset(second)
        self.only_special = self.special >= set(ids.values())

    @functools.cached_property
    def passes(self) -> list[re.Pattern]:
        """A pattern of names for each pass, made when a text first needs it: names may be many."""
        first = [name for name, token_id in self.ids.items() if token_id not in self.second]
        later = [name for name, token_id in self.ids.items() if token_id in self.second]
        return [_any_of(names) for names in (first, later) if names]

    def cut(self, text: str, parse_special: bool = False) -> list[tuple[str, int | None]]:
        """Return [(piece, id), ..]: id is None for plain text. Joined, the pieces are the text."""
        pieces: list[tuple[str, int | None]] = [(text, None)]
        if self.only_special and not parse_special:
            return pieces
        for names in self.passes:
            pieces = [
                part
                for piece, token_id in pieces
                for part in (
                    self._one_pass(piece, names, parse_special)
                    if token_id is None
                    else [(piece, token_id)]
                )
            ]
        return pieces

    def _one_pass(self, text, names, parse_special):
        at = 0
        for match in names.finditer(text):
            token_id = self.ids[match.group()]
            if token_id in self.special and not parse_special:
                continue  # it stays text, and nothing in it is looked for in this pass
            if at < match.start():
                yield text[at : match.start()], None
            yield match.group(), token_id
            at = match.end()
        if at < len(text):
            yield text[at:], None


def _any_of(names):
    """Return a pattern for any of the names, the longest where several begin at one place."""
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
