"""Byte-level byte-pair encoding (BPE), as in GPT-2: text in, whole numbers out, and back.

A text is first 256 kinds of bytes, so nothing is ever unknown. A pre-tokenizer cuts it into words
(pretokenizer.py), and in each word the learned pairs of neighbours are merged, those learned first
before all others (bpe.py); merges never cross a word's end. The file format stands in
tokenizer_json.py.

Source: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners", section 2.2
(bytes in place of characters, words cut first).
"""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from lunsedu import checks
from lunsedu.compiling import is_compiled
from lunsedu.files import storage
from lunsedu.tokenizer import tokenizer_json
from lunsedu.tokenizer.added_tokens import AddedTokens
from lunsedu.tokenizer.bpe import merge_long_word, merge_word, train_merges
from lunsedu.tokenizer.pretokenizer import OUR_PRE_TOKENIZER, read_rules, splitter

SPECIAL_TOKENS = ("<|pad|>", "<|bos|>", "<|eos|>")
SMALLEST_VOCAB = 256 + len(SPECIAL_TOKENS)

OUR_RULES = read_rules(OUR_PRE_TOKENIZER)
PATIENCE = 1.0  # seconds before training shows a progress bar
LONG_WORD = 64  # ids; from this length on a word is merged with a heap
CACHED_WORDS = 2**16  # encode remembers so many words, then starts to remember anew
CACHED_WORD_LENGTH = 128  # characters; longer words hardly come twice


class Tokenizer:
    """A byte-level BPE tokenizer: `Tokenizer.train(texts)`, then `encode` and `decode`.

    Ids 0 to 255 are the bytes; 256 + i is `merges[i]`; the last three are `<|pad|>`, `<|bos|>`
    and `<|eos|>`. Every text of valid Unicode survives encode and decode unchanged. `load` and
    `from_json` also read byte-level BPE files of other makers, whose ids may be in any order.

    Attributes: merges (list of pairs of ids, first learned first), vocab_size (all ids counted),
    specials (dict from name to id), pad_id, bos_id, eos_id (ints; None where a foreign tokenizer
    has no token of that name, and may then be set).

    >>> tokenizer = Tokenizer.train(["low low low lower"], vocab_size=262)
    >>> tokenizer.merges
    [(108, 111), (256, 119), (32, 257)]
    >>> tokenizer.encode("low lower")
    [257, 258, 101, 114]
    >>> tokenizer.decode([257, 258, 101, 114])
    'low lower'
    """

    def __init__(self, merges: Iterable[tuple[int, int]] = ()) -> None:
        """Make a tokenizer from merges, such as those of `train_merges`.

        Raises TypeError if merges are no list of pairs, ValueError if a merge is not two whole
        numbers, uses an id that isn't made yet or makes known bytes again.
        """
        if isinstance(merges, (str, bytes)) or not isinstance(merges, Iterable):
            raise TypeError(
                "merges must be a list of pairs of ids, such as [(104, 105)], not"
                f" {type(merges).__name__}: {merges!r:.60}"
            )
        merges = [_pair_of_ids(rank, merge) for rank, merge in enumerate(merges)]
        table = [bytes([byte]) for byte in range(256)]
        for rank, (left, right) in enumerate(merges):
            if not (0 <= left < len(table) and 0 <= right < len(table)):
                raise ValueError(
                    f"merge {rank} is ({left}, {right}), but it can only use ids below "
                    f"{len(table)}: the bytes and the merges before it."
                )
            table.append(table[left] + table[right])
        ids = {token: token_id for token_id, token in enumerate(table)}
        added = {name: len(table) + i for i, name in enumerate(SPECIAL_TOKENS)}
        if len(ids) < len(table) or any(name.encode() in ids for name in added):
            raise ValueError("two ids stand for the same bytes; each merge must make new bytes.")
        self._set_up(
            {
                "vocab": {tokenizer_json.byte_name(token): i for token, i in ids.items()},
                "merges": merges,
                "added": added,
                "special_ids": set(added.values()),
                "second_ids": set(),
                "pre_tokenizer": OUR_PRE_TOKENIZER,
                "post_processor": None,
                "ignore_merges": False,
            }
        )

    def _set_up(self, parts):
        """Prepare for work with the parts, ours or foreign, that tokenizer_json.py describes."""
        self._parts = parts
        self._table, self._ids = table, ids = tokenizer_json.byte_tables(parts)
        self._byte_ids = [ids.get(bytes([byte])) for byte in range(256)]
        self._rules = read_rules(parts["pre_tokenizer"])
        self._cuts_as_ours = self._rules == OUR_RULES and not parts["ignore_merges"]
        self._added = AddedTokens(parts["added"], parts["special_ids"], parts["second_ids"])
        self.merges = parts["merges"]
        self._merge_table = {}  # pair -> (rank, new id)
        made_by = {}  # id -> the last rank that makes it
        for rank, (left, right) in enumerate(self.merges):
            new_id = ids[table[left] + table[right]]
            self._merge_table[left, right] = (rank, new_id)
            made_by[new_id] = rank
        self._in_learned_order = all(
            max(made_by.get(left, -1), made_by.get(right, -1)) < rank
            for rank, (left, right) in enumerate(self.merges)
        )
        self.vocab_size = len(table)
        self.specials = {
            name: token_id
            for name, token_id in parts["added"].items()
            if token_id in parts["special_ids"]
        }
        self.pad_id, self.bos_id, self.eos_id = map(self.specials.get, SPECIAL_TOKENS)
        self._cache = {}  # word -> its ids

    # Training

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 512, verbose: bool = True) -> Tokenizer:
        """Learn a tokenizer from texts, an iterable of str.

        vocab_size counts the 256 bytes, the merges and the three special tokens; it is an upper
        limit, as training stops when no pair occurs twice any more. See `train_merges` for ties.
        What takes more than a second shows a progress bar, unless `verbose` is False.

        Raises TypeError if texts is a single str or holds anything else than str, and ValueError
        if vocab_size is below 259 or a text holds a lone surrogate.

        >>> Tokenizer.train(["aaabdaaabac"], vocab_size=262).merges
        [(97, 97), (97, 98), (256, 257)]
        """
        num_merges = check_vocab_size(vocab_size) - SMALLEST_VOCAB
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise TypeError(
                "texts must be a list of strings, such as ['one text', 'another text'], "
                f"but is a single {type(texts).__name__}."
            )
        from tqdm.auto import tqdm

        text_counts = Counter()
        for i, text in enumerate(texts):
            checks.text(text, f"texts[{i}]")
            text_counts[text] += 1
        bars = dict(delay=PATIENCE, disable=not verbose, leave=False)
        word_counts = _count_words(tqdm(text_counts.items(), "counting words", unit="text", **bars))
        with tqdm(desc="learning merges", total=num_merges, unit="merge", **bars) as bar:
            learn = _learning()
            return cls(learn(word_counts, num_merges, tick=bar.update))

    # Text to ids

    def split(self, text: str) -> list[str]:
        """Cut a text into the pre-tokenizer's words; joined, they are the text again.

        An added token of a foreign tokenizer is a word of its own, unless it is special.

        >>> Tokenizer().split("I'm 12, he said.")
        ['I', "'m", ' 12', ',', ' he', ' said', '.']
        """
        return [word for word, _ in self._words(text)]

    def _words(self, text):
        """Yield (word, id): id is None for a word that has to be merged."""
        checks.text(text)
        for piece, token_id in self._added.cut(text):
            if token_id is not None:
                yield piece, token_id
            else:
                for word in self._split_plain(piece):
                    yield word, None

    def encode(
        self, text: str, add_bos: bool = False, add_eos: bool = False, parse_special: bool = False
    ) -> list[int]:
        """Turn a text into a list of ids.

        Special tokens are never read out of the text: "<|eos|>" typed by somebody is seven
        characters like any others. Ask for the two ends with add_bos and add_eos; with
        parse_special=True the names of special tokens in the text become their ids (as other
        libraries do by default). Added tokens of a foreign tokenizer that are not special are
        always read, the longest first, as the library tokenizers does.

        Raises TypeError if text isn't a str, and ValueError if it holds a lone surrogate, if a
        foreign tokenizer lacks a byte of it, or if there is no token for an end asked for.

        >>> Tokenizer().encode("hé", add_eos=True)
        [104, 195, 169, 258]
        """
        if not isinstance(text, str):
            checks.text(text)
        ids = [self._end_id("bos_id")] if add_bos else []
        try:
            for piece, token_id in self._added.cut(text, parse_special):
                if token_id is None:
                    self._add_plain(piece, ids)
                else:
                    ids.append(token_id)
        except UnicodeEncodeError:
            raise checks.half_character(text) from None
        if add_eos:
            ids.append(self._end_id("eos_id"))
        return ids

    def encode_prompt(self, text: str) -> list[int]:
        """Return the ids of a beginning: with <|bos|> in front where this tokenizer has it.

        >>> Tokenizer().encode_prompt("a")
        [257, 97]
        """
        return self.encode(text, add_bos=self.bos_id is not None)

    def _add_plain(self, text, ids):
        """Add the ids of a text without added tokens to a list."""
        if is_compiled() and self._cuts_as_ours and text.isascii():
            if found := self._in_loops.text(text.encode("ascii")):
                ids += found
                return
        cache = self._cache
        for word in self._split_plain(text):
            ids += cache.get(word) or self._encode_word(word)

    @cached_property
    def _split_plain(self):
        return splitter(self._rules)

    def _encode_word(self, word):
        """Encode one word and remember the result."""
        word_bytes = word.encode("utf-8")
        if self._parts["ignore_merges"] and word_bytes in self._ids:
            ids = [self._ids[word_bytes]]
        else:
            ids = self._merge_learned(word_bytes)
        if len(word) <= CACHED_WORD_LENGTH:
            if len(self._cache) >= CACHED_WORDS:
                self._cache.clear()
            self._cache[word] = ids
        return ids

    def _merge_learned(self, word_bytes):
        if is_compiled() and (ids := self._in_loops(word_bytes)):
            return ids
        return self._merge(word_bytes, self._merge_table)

    @cached_property
    def _in_loops(self):
        from lunsedu.tokenizer.loops import WordMerger  # late: it opens numba, an extra

        return WordMerger(self._byte_ids, self._merge_table)

    def _merge(self, word_bytes, merge_table):
        ids = list(map(self._byte_ids.__getitem__, word_bytes))
        if None in ids:
            byte = word_bytes[ids.index(None)]
            raise ValueError(
                f"This tokenizer has no token for the byte 0x{byte:02X}, which the text needs; "
                "leave that character out or take another tokenizer."
            )
        if len(ids) < LONG_WORD and self._in_learned_order:
            return merge_word(ids, merge_table)
        return merge_long_word(ids, merge_table)

    def _end_id(self, name):
        token_id = getattr(self, name)
        if token_id is None:
            raise ValueError(f"This tokenizer has no {name}; set tokenizer.{name} to an id first.")
        return token_id

    def encode_with_merges(self, text: str, num_merges: int) -> list[int]:
        """Encode a text as if only the first `num_merges` merges had been learned.

        Raises ValueError if num_merges isn't between 0 and len(merges).

        >>> tokenizer = Tokenizer.train(["low low low lower"], vocab_size=262)
        >>> [tokenizer.token_text(i) for i in tokenizer.encode_with_merges("low lower", 2)]
        ['low', ' ', 'low', 'e', 'r']
        """
        if checks.whole_number("num_merges", num_merges) > len(self.merges):
            raise ValueError(f"num_merges is {num_merges}, but there are {len(self.merges)}.")
        table = {pair: made for pair, made in self._merge_table.items() if made[0] < num_merges}
        ids = []
        for word, token_id in self._words(text):
            ids += self._merge(word.encode("utf-8"), table) if token_id is None else [token_id]
        return ids

    def pieces(self, text: str, num_merges: int | None = None) -> list:
        """Return the tokens of a text when only the first `num_merges` merges are known.

        None: all of them. A list of dicts: id, text (as shown to people), bytes, starts_word.

        >>> [piece["text"] for piece in Tokenizer().pieces("I do")]
        ['I', ' ', 'd', 'o']
        """
        num_merges = len(self.merges) if num_merges is None else num_merges
        return [
            dict(
                id=token_id,
                text=self.token_text(token_id),
                bytes=self.token_bytes(token_id),
                starts_word=place == 0,
            )
            for word in self.split(text)
            for place, token_id in enumerate(self.encode_with_merges(word, num_merges))
        ]

    # Ids to text

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """Turn ids back into text; bytes that aren't valid UTF-8 become the sign U+FFFD.

        ids: any sequence of ints, an array [T] included. Special tokens are left out, or with
        skip_special=False written by name.

        Raises TypeError if an id isn't an integer and ValueError if there is no such id.

        >>> Tokenizer().decode([104, 195, 169, 258])
        'hé'
        """
        if not isinstance(ids, Iterable):
            raise TypeError(f"ids must be a list of integers, such as [72, 105], got {ids!r:.60}.")
        left_out = self._parts["special_ids"] if skip_special else ()
        tokens = [(self.token_bytes(token_id), token_id) for token_id in ids]
        text = b"".join(token for token, token_id in tokens if token_id not in left_out)
        return text.decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """Give the bytes that an id stands for (for a special token, its name).

        Raises TypeError if the id isn't an integer and ValueError if there is no such id.

        >>> Tokenizer().token_bytes(65)
        b'A'
        """
        index = checks.whole_number("a token id", token_id)
        token = self._table[index] if index < len(self._table) else None
        if token is None:
            raise ValueError(
                f"There is no token with id {index}; ids go from 0 to {self.vocab_size - 1}."
            )
        return token

    def token_text(self, token_id: int) -> str:
        r"""Show a token to people: what can't be printed is written as an escape.

        >>> Tokenizer().token_text(10), Tokenizer().token_text(195), Tokenizer().token_text(258)
        ('\\n', '\\xc3', '<|eos|>')
        """
        text = self.token_bytes(token_id).decode("utf-8", errors="backslashreplace")
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

    # Files

    def to_json(self) -> str:
        """Write the tokenizer in the tokenizer.json format of Hugging Face tokenizers.

        That library gives the same ids on the same text, but reads special tokens out of it as
        `encode(..., parse_special=True)` does.
        """
        return tokenizer_json.write(self._parts)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """Read a tokenizer.json: one of ours, or a byte-level BPE tokenizer of another maker.

        Pre-tokenizers may be ByteLevel, Digits, Split and Sequence. A foreign post-processor,
        which would put special tokens around a text, is kept for to_json but not applied: encode
        adds an end only when it is asked to.

        Raises ValueError if the text isn't such a file, or if it asks for something that isn't
        supported (a normalizer, another model than BPE, byte_fallback, dropout and the like).
        """
        tokenizer = cls.__new__(cls)
        tokenizer._set_up(tokenizer_json.read(text))
        return tokenizer

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write tokenizer.json to `path`, all of it or nothing; the folder is made if missing.

        Raises OSError, naming the path, when it cannot be written; TypeError or ValueError for what
        is no path.
        """
        path = checks.path(path)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; pass the name of a file to write.")
        storage.write_text(path, self.to_json())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Read the tokenizer that `save` or another library wrote; see `from_json`.

        Raises FileNotFoundError or IsADirectoryError if there is no such file, ValueError if it
        can't be read as a byte-level BPE tokenizer. Each names the path. TypeError or ValueError
        for what is no path.
        """
        path = checks.path(path)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; pass the tokenizer.json inside it.")
        if not path.exists():
            raise FileNotFoundError(f"There is no tokenizer file {path} (in {Path.cwd()}).")
        try:
            return cls.from_json(path.read_bytes().decode("utf-8"))
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not a tokenizer.json file: it is not UTF-8.") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tokenizer):
            return NotImplemented
        mine = (self._parts, self.pad_id, self.bos_id, self.eos_id)
        return mine == (other._parts, other.pad_id, other.bos_id, other.eos_id)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, {len(self.merges)} merges)"


def _pair_of_ids(rank, merge):
    """Return a merge as (int, int); ValueError unless it is two whole numbers in their order."""
    try:
        left, right = merge
        if isinstance(merge, (bytes, set, dict)) or bool in (type(left), type(right)):
            raise TypeError
        return operator.index(left), operator.index(right)
    except (TypeError, ValueError):  # not two, or no whole numbers
        raise ValueError(
            f"merge {rank} must be a pair of ids such as (104, 105), not {merge!r:.60}"
        ) from None


def _learning():
    if not is_compiled():
        return train_merges
    from lunsedu.tokenizer.learning_loops import learn_merges

    return learn_merges


def _count_words(texts_and_counts):
    """Return how often each word occurs in texts, given as pairs (text, how often it occurs)."""
    split = splitter(OUR_RULES)
    word_counts = Counter()
    for text, count in texts_and_counts:
        words = split(text)
        if count == 1:
            word_counts.update(words)
        else:
            for word in words:
                word_counts[word] += count
    return word_counts


def check_vocab_size(vocab_size: int) -> int:
    """Return vocab_size as an int; ValueError if it can't be one."""
    return checks.whole_number("vocab_size", vocab_size, SMALLEST_VOCAB)
