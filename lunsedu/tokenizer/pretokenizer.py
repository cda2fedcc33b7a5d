"""The pre-tokenizer: how a text is cut into words before byte-pair encoding looks at it.

A pre-tokenizer is a list of rules, each a pair (pattern, keep_gaps); one rule after another cuts
every piece that the rule before it left. keep_gaps says whether the text between two matches is a
piece as well; without it the pattern must match all of the text, or the rest is dropped.

Our own has a single rule, GPT-2's (Radford et al. 2019, section 2.2). Other makers' rules are read
from the `pre_tokenizer` of their tokenizer.json.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

# A contraction's end; letters, digits or other signs with at most one space in front; white space,
# whose last space is left to the word behind it. \p{L} is any letter, \p{N} any digit of Unicode.
WORD_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# The same for ASCII alone: Python's own re has no \p{L}, but takes half the time of regex.
ASCII_WORDS = re.compile(
    WORD_PATTERN.replace(r"[^\s\p{L}\p{N}]", r"[^\sA-Za-z0-9]")
    .replace(r"\p{L}", "[A-Za-z]")
    .replace(r"\p{N}", "[0-9]"),
    re.ASCII,  # or else four control characters would be white space
)

OUR_PRE_TOKENIZER = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}


def split(text: str, rules: Any) -> list[str]:
    """Cut a text into words.

    >>> split("I'm 12, he said.", [(WORD_PATTERN, False)])
    ['I', "'m", ' 12', ',', ' he', ' said', '.']
    >>> split("in 1984", [(" ", True)])
    ['in', ' ', '1984']
    """
    pieces = [text]
    for pattern, keep_gaps in rules:
        if pattern == WORD_PATTERN and not keep_gaps:
            cut = _words
        else:
            cut, pattern = (_split_keeping_gaps if keep_gaps else _matches), _compiled(pattern)
        if len(pieces) == 1:
            pieces = cut(pieces[0], pattern)
        else:
            pieces = [part for piece in pieces for part in cut(piece, pattern)]
    return pieces


def splitter(rules: Any) -> Callable[[str], list[str]]:
    """Return `split` for these rules, as a function of the text: for many short texts.

    >>> splitter([(WORD_PATTERN, False)])("in 1984")
    ['in', ' 1984']
    """
    if list(rules) == [(WORD_PATTERN, False)]:
        return _words
    return functools.partial(split, rules=rules)


def _words(text, pattern=WORD_PATTERN):
    # the pattern matches everything, and nothing empty
    return (ASCII_WORDS if text.isascii() else _compiled(pattern)).findall(text)


def _matches(text, pattern):
    if pattern.groups:  # findall would give the groups in place of the whole match
        return [match.group() for match in pattern.finditer(text) if match.group()]
    return list(filter(None, pattern.findall(text)))


def _split_keeping_gaps(text, pattern):
    pieces = []
    end = 0
    for match in pattern.finditer(text):
        pieces += [text[end : match.start()], match.group()]
        end = match.end()
    pieces.append(text[end:])
    return list(filter(None, pieces))


@functools.cache
def _compiled(pattern):
    import regex  # not at the top: it takes longer to import than the rest of this file

    return regex.compile(pattern)


def read_rules(spec: Any) -> list:
    """Turn a tokenizer.json's `pre_tokenizer` into a list of rules.

    Supported are ByteLevel (which must come last: behind it there are only bytes), Digits, Split
    and Sequence. Raises ValueError for anything else.

    >>> read_rules(OUR_PRE_TOKENIZER) == [(WORD_PATTERN, False)]
    True
    """
    *rules, last = list(_read(spec)) or [None]
    if last is not BYTES or BYTES in rules:
        raise ValueError(
            "not supported: a pre-tokenizer that doesn't end in ByteLevel; "
            "only byte-level BPE tokenizers can be read."
        )
    return rules


BYTES = ("", False)  # stands where a ByteLevel part turns words into bytes; not a rule


def _read(spec):
    kind = spec.get("type") if isinstance(spec, dict) else spec
    if kind == "Sequence" and isinstance(spec.get("pretokenizers"), list):
        for part in spec["pretokenizers"]:
            yield from _read(part)
    elif kind == "ByteLevel":
        if spec.get("add_prefix_space") is not False:
            raise ValueError(
                "not supported: add_prefix_space in the ByteLevel pre-tokenizer; it must be false."
            )
        if spec.get("use_regex", True):
            yield (WORD_PATTERN, False)
        yield BYTES
    elif kind == "Digits":
        yield (r"\p{N}" if spec.get("individual_digits") else r"\p{N}+", True)
    elif kind == "Split":
        yield _read_split(spec)
    else:
        raise ValueError(
            f"not supported: the pre-tokenizer {kind!r:.80}; "
            "supported are ByteLevel, Digits, Split and Sequence."
        )


def _read_split(spec):
    behavior, invert = spec.get("behavior"), spec.get("invert")
    keep_gaps = behavior == "Isolated"
    if not (keep_gaps or (behavior == "Removed" and invert is True)):
        raise ValueError(
            f"not supported: a Split pre-tokenizer with behavior {behavior!r:.80} and invert "
            f"{invert!r:.80}; supported are 'Isolated' and, with invert, 'Removed'."
        )
    pattern = spec.get("pattern")
    match pattern:
        case {"Regex": str(source)} if source:
            pass
        case {"String": str(source)} if source:
            source = re.escape(source)
        case _:
            raise ValueError(
                f"a Split pre-tokenizer needs a Regex or a String, but has {pattern!r:.80}."
            )
    import regex

    try:
        _compiled(source)
    except regex.error as error:
        raise ValueError(f"a Split pre-tokenizer's Regex can't be used: {error}.") from None
    return source, keep_gaps
