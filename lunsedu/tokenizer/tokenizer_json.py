"""The file format tokenizer.json of Hugging Face tokenizers, for byte-level BPE.

`write` makes such a file from the parts of a Tokenizer, `read` gives the parts back, also from the
files of GPT-2, Llama 3, SmolLM2 and the like. What can't be read is refused with one sentence.

The parts are a dict:

    vocab           dict from name to id: the tokens that the model itself can make
    merges          list of pairs of ids, in order of rank
    added           dict from name to id: the tokens that stand for a name and not for bytes;
                    some makers list them in the vocab too
    special_ids     set of the ids among them that don't belong to the text
    second_ids      set of the ids among them that are matched in a second pass; see added_tokens.py
    pre_tokenizer   the object of that name in the file
    post_processor  the object of that name in the file; kept, never applied
    ignore_merges   whether a word that is itself a token is taken as it is, without merging

In the vocab a token's name has one printable character for each byte; see `byte_name`.
"""

import json
from typing import Any

# Bytes are written as printable characters: those that are printable in Latin-1 stand for
# themselves, the others for U+0100 and on, so that a space is "Ġ" and a line's end "Ċ".
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
OTHERS = [byte for byte in range(256) if byte not in PRINTABLE]
CHAR_OF_BYTE = {byte: chr(byte) for byte in PRINTABLE}
CHAR_OF_BYTE.update((byte, chr(0x100 + i)) for i, byte in enumerate(OTHERS))
BYTE_OF_CHAR = {char: byte for byte, char in CHAR_OF_BYTE.items()}
spells_bytes = frozenset(BYTE_OF_CHAR).issuperset  # of a name: has it only such characters?

MAX_ID = 10_000_000  # far above any vocabulary; a table of this length still fits in memory


def byte_name(token: bytes) -> str:
    """Return the name of a token in the vocab.

    >>> byte_name(b" caf\\xc3\\xa9")
    'ĠcafÃ©'
    """
    return "".join(CHAR_OF_BYTE[byte] for byte in token)


def byte_tables(parts: dict[str, Any]) -> tuple:
    """Return the list of each id's bytes and the dict from bytes to id.

    The list has None where a vocabulary has a hole; the dict has only what merges can make.

    >>> byte_tables({"vocab": {"a": 0, "Ġ": 3}, "added": {"<end>": 1}})
    ([b'a', b'<end>', None, b' '], {b'a': 0, b' ': 3})
    """
    names = {**parts["vocab"], **parts["added"]}
    table: list[Any] = [None] * (max(names.values()) + 1)
    ids = {}
    for name, token_id in names.items():
        if name in parts["vocab"] and spells_bytes(name):
            token = bytes([BYTE_OF_CHAR[char] for char in name])
            ids[token] = token_id
        else:
            token = name.encode("utf-8")
        table[token_id] = token
    return table, ids


def write(parts: dict[str, Any]) -> str:
    """Return the text of a tokenizer.json."""
    names = {token_id: name for name, token_id in parts["vocab"].items()}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": parts["ignore_merges"],
        "vocab": {names[token_id]: token_id for token_id in sorted(names)},
        # The older of the two ways to write a merge: every version of the library reads it.
        "merges": [f"{names[left]} {names[right]}" for left, right in parts["merges"]],
    }
    added_tokens = [
        {
            "id": token_id,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": token_id in parts["second_ids"],
            "special": token_id in parts["special_ids"],
        }
        for name, token_id in sorted(parts["added"].items(), key=lambda item: item[1])
    ]
    data = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens,
        "normalizer": None,
        "pre_tokenizer": parts["pre_tokenizer"],
        "post_processor": parts["post_processor"],
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": model,
    }
    return json.dumps(data, ensure_ascii=False, indent=1)


def read(text: str) -> dict[str, Any]:
    """Return the parts that a tokenizer.json holds.

    Raises ValueError, in one sentence, if the text isn't JSON, if it lacks something, or if it
    asks for something that isn't supported.
    """
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"this is not a tokenizer.json file, not even JSON: {error}.") from None
    if not (isinstance(data, dict) and isinstance(data.get("model"), dict)):
        raise ValueError("this is JSON, but no tokenizer.json: it has no object called model.")
    model = data["model"]
    _refuse_unsupported(data, model)
    vocab = model.get("vocab")
    if not (isinstance(vocab, dict) and all(map(_is_id, vocab.values()))):
        raise ValueError("the model's vocab must be an object from tokens to ids (0, 1, 2, …).")
    added, special_ids, second_ids = _read_added_tokens(data.get("added_tokens"), vocab)
    _check_names({**vocab, **added})
    return {
        "vocab": vocab,
        "merges": _read_merges(model.get("merges"), vocab),
        "added": added,
        "special_ids": special_ids,
        "second_ids": second_ids,
        "pre_tokenizer": data.get("pre_tokenizer"),
        "post_processor": data.get("post_processor"),
        "ignore_merges": bool(model.get("ignore_merges")),
    }


def _refuse_unsupported(data, model):
    kind = model.get("type", "BPE")  # old files of GPT-2 have no type
    if kind != "BPE":
        raise ValueError(f"not supported: a tokenizer of the type {kind!r:.80}; it must be 'BPE'.")
    for option in (
        "dropout",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "byte_fallback",
    ):
        value = model.get(option)
        if value:
            raise ValueError(f"not supported: {option} is {value!r:.80}, but must be off.")
    if data.get("version", "1.0") != "1.0":
        raise ValueError(f"not supported: version {data['version']!r:.80} of the format, only 1.0.")
    for option in ("truncation", "padding"):
        if data.get(option) is not None:
            raise ValueError(
                f"not supported: {option}, which changes what a text becomes; set it to null."
            )
    if data.get("normalizer") is not None:
        kind = _kind(data["normalizer"])
        raise ValueError(f"not supported: the normalizer {kind!r:.80}, which changes the text.")
    if _kind(data.get("decoder")) not in (None, "ByteLevel"):
        kind = _kind(data["decoder"])
        raise ValueError(f"not supported: the decoder {kind!r:.80}; it must be 'ByteLevel'.")


def _kind(spec):
    return spec.get("type") if isinstance(spec, dict) else spec


def _is_id(value):
    return type(value) is int and 0 <= value < MAX_ID


def _read_added_tokens(tokens, vocab):
    """Return the dict from name to id, the ids that are special, and those of the second pass."""
    added, special_ids, second_ids = {}, set(), set()
    if tokens is not None and not isinstance(tokens, list):
        raise ValueError("added_tokens must be a list.")
    for token in tokens or []:
        match token:
            case {"content": str(name), "id": token_id} if name and _is_id(token_id):
                added[name] = token_id
            case _:
                raise ValueError(f"an added token needs a content and an id: {token!r:.80}.")
        for option in ("lstrip", "rstrip", "single_word"):
            if token.get(option):
                raise ValueError(f"not supported: the added token {name!r:.80} has {option} on.")
        if vocab.get(name, token_id) != token_id:
            raise ValueError(f"the token {name!r:.80} has the ids {vocab[name]} and {token_id}.")
        if token.get("special"):
            special_ids.add(token_id)
        if token.get("normalized", not token.get("special")):
            second_ids.add(token_id)
    return added, special_ids, second_ids


def _check_names(names):
    if not names:
        raise ValueError("the vocabulary is empty.")
    if len(set(names.values())) < len(names):
        raise ValueError("two tokens have the same id.")
    try:
        "".join(names).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a token's name holds half of a character.") from None


def _read_merges(merges, vocab):
    """Return the pairs of ids; a merge is "left right" or, newer, ["left", "right"]."""
    if not isinstance(merges, list):
        raise ValueError("the model's merges must be a list.")
    usable = set(filter(spells_bytes, vocab))
    pairs = []
    for rank, entry in enumerate(merges):
        match entry.split(" ") if isinstance(entry, str) else entry:
            case [str(left), str(right)] if left and right:
                pass
            case _:
                raise ValueError(f"merge {rank} must be two tokens, but is {entry!r:.80}.")
        for token in (left, right, left + right):
            if token not in usable:
                raise ValueError(
                    f"merge {rank} needs the token {token!r:.80}, which is not in the vocab."
                )
        pairs.append((vocab[left], vocab[right]))
    return pairs
