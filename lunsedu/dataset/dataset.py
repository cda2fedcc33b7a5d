"""LunsDataset: texts from a file or a list, cut into sequences and batches of token ids.

dataset = LunsDataset("train_data.txt")        # one text a line
dataset = LunsDataset("books/", split="paragraphs")
dataset = LunsDataset("talk.csv", column="line")
dataset = LunsDataset("talk.jsonl", field="message.text")
dataset = LunsDataset(texts=["hello world", "hello there"])

dataset.texts -> dataset.sequences(seq_len) -> batches(sequences, batch_size) -> the model
"""

import functools
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lunsedu import checks
from lunsedu.dataset.formats import check_options, texts_of_file
from lunsedu.dataset.given_texts import given_texts
from lunsedu.dataset.which_files import which_files
from lunsedu.looks import counted
from lunsedu.tokenizer import Tokenizer, check_vocab_size


class LunsDataset:
    """Texts to learn from.

    path: a file, a folder, a glob such as "texts/*.md", or a list of these. A folder's files come
        by name, a list's in its order. The ending says how a file is read (.gz behind it: packed):
        .txt .md    plain text; `split` says what is one text: "lines" (each line), "paragraphs"
                    (blank lines part them, their lines are joined by a space) or "file"
        .csv .tsv   the column named `column` has the texts; the first line names the columns;
                    `delimiter`, the sign between them, is found by trying unless given
        .json       `field` says where the texts are, a path of keys with dots ("data.text"); a
                    list on the way stands for all of its elements; a bare list needs no field
        .jsonl      each line is JSON, read like an element of a list in a .json file
    texts: in place of a path a list of str, a column of pandas, polars or datasets, any iterable.
    encoding: how the file's characters are written, such as "utf-8", "cp1252" or "utf-16".
    vocab_size, tokenizer: the size of the tokenizer to train, or a Tokenizer to use.
    validation: the share of texts, from 0 to below 1, that is held back from training, chosen at
        random with `seed`. A text that occurs twice may come to stand on both sides.

    Texts stay as they are written; only empty and blank ones are left out, and at the start of a
    file the byte order mark. Both kinds of line ends are understood.

    In a folder or a glob, hidden files, files of other kinds and files without text are left out,
    with a warning that names them. A file that is wrapped like a book gets a word of advice.

    Attributes: texts (list of all texts), train_texts, validation_texts, paths (list of Path), path
    (the Path given; None for a list or for texts).

    Raises FileNotFoundError if there is no such file; ValueError if it holds
    no text, isn't written in `encoding`, or isn't of its format; ValueError or TypeError for
    arguments that don't fit. Each names the file, and the line or record where there is one.

    >>> dataset = LunsDataset(texts=["hello world", "hello there"])
    >>> len(dataset), dataset.texts[1]
    (2, 'hello there')
    >>> dataset.tokenizer.decode(dataset.tokenizer.encode("hello"))
    'hello'
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        *,
        texts: Iterable[str] | None = None,
        column: str | None = None,
        field: str | None = None,
        encoding: str = "utf-8",
        split: str = "lines",
        delimiter: str | None = None,
        vocab_size: int = 512,
        tokenizer: Tokenizer | None = None,
        validation: float = 0.0,
        seed: int = 0,
    ) -> None:
        if (path is None) == (texts is None):
            raise ValueError(
                'LunsDataset needs either a path, as in LunsDataset("train_data.txt"), '
                'or texts, as in LunsDataset(texts=["hello world"]).'
            )
        self._vocab_size = check_vocab_size(vocab_size)
        if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
            raise TypeError(f"tokenizer must be a Tokenizer, got {type(tokenizer).__name__}.")
        self._tokenizer = tokenizer

        self.path, self.paths = None, []
        if path is None:
            if (column, field, delimiter, split) != (None, None, None, "lines"):
                raise ValueError(
                    "column=, field=, delimiter= and split= choose from a file; with texts= leave "
                    "them out."
                )
            self.texts = given_texts(texts)
            source = "texts= holds no text but blank ones."
        else:
            files = which_files(path)
            check_options(files.paths, column, field, split, delimiter)
            self.texts, self.paths = _read(files, column, field, encoding, split, delimiter)
            if isinstance(path, (str, os.PathLike)):
                self.path = Path(path)
            source = f"{', '.join(map(str, files.paths[:3]))}: the file holds no text."
        if not self.texts:
            raise ValueError(f"{source} There is nothing to learn from; add some texts.")
        self.train_texts, self.validation_texts = _hold_back(self.texts, validation, seed)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        source = "" if self.path is None else f"{str(self.path)!r}, "
        source += counted(len(self.paths), "file") + ", " if len(self.paths) > 1 else ""
        held_back = f", {len(self.validation_texts)} held back" if self.validation_texts else ""
        return f"LunsDataset({source}{len(self.texts)} texts{held_back})"

    @property
    def tokenizer(self) -> Tokenizer:
        """The Tokenizer, trained on the training texts when it is first asked for."""
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.train(self.train_texts, self._vocab_size)
        return self._tokenizer

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of all texts in their order, in hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.texts).encode()).hexdigest()

    def sequences(
        self, seq_len: int, tokenizer: Tokenizer | None = None, part: str = "train"
    ) -> list[np.ndarray]:
        """Turn each text into `<|bos|>` ids `<|eos|>`, cut into windows for a model of `seq_len`.

        seq_len: how many ids the model reads at once. tokenizer: the dataset's own unless given;
        where it has no `<|bos|>` or `<|eos|>` (its bos_id or eos_id is None), that end is left out.
        part: "train" or "validation".
        Returns a list of int64 arrays, each of 2 to seq_len + 1 ids; see `windows`.

        >>> dataset = LunsDataset(texts=["abc"], vocab_size=259)
        >>> [window.tolist() for window in dataset.sequences(seq_len=3)]
        [[257, 97, 98, 99], [99, 258]]
        """
        if part not in ("train", "validation"):
            raise ValueError(f"part must be 'train' or 'validation', not {part!r}.")
        tokenizer = self.tokenizer if tokenizer is None else tokenizer
        add_bos, add_eos = tokenizer.bos_id is not None, tokenizer.eos_id is not None
        texts = self.train_texts if part == "train" else self.validation_texts
        return [
            window
            for text in texts
            for window in windows(tokenizer.encode(text, add_bos, add_eos), seq_len)
        ]


def _read(files, column, field, encoding, split, delimiter):
    """Return (texts, paths) of all files; warn of those that were left out."""
    texts, paths, left_out = [], [], dict(files.skipped)
    for path in files.paths:
        found = texts_of_file(path, column, field, encoding, split, delimiter)
        if found:
            texts += found
            paths.append(path)
        elif files.chosen and len(files.paths) > 1:
            raise ValueError(f"{path}: the file holds no text. Take it off the list.")
        else:
            left_out[path] = "no text in it"
    if left_out and texts:
        told = "; ".join(f"{path} ({why})" for path, why in left_out.items())
        warnings.warn(f"Left out: {told}.", stacklevel=3)
    return texts, paths


def windows(ids: Sequence[int], seq_len: int) -> list[np.ndarray]:
    """Cut ids into windows of at most seq_len + 1 that overlap by one id.

    From a window of n + 1 ids a model learns n times to predict the next one, so every id but the
    first is predicted exactly once, and nothing is dropped. A single id gives no window. Raises
    ValueError unless ids is a flat list of whole numbers.

    >>> [window.tolist() for window in windows([1, 2, 3, 4, 5, 6], seq_len=3)]
    [[1, 2, 3, 4], [4, 5, 6]]
    """
    seq_len = checks.whole_number("seq_len", seq_len, 1)
    ids = _flat_ids("ids", ids).astype(np.int64, copy=False)  # [T]
    return [ids[start : start + seq_len + 1] for start in range(0, len(ids) - 1, seq_len)]


def batches(
    sequences: Sequence[Sequence[int]],
    batch_size: int,
    rng: np.random.Generator | None = None,
    pad_id: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Put sequences of like length together, padded to arrays, and yield (ids, targets).

    sequences: list of int arrays of at least 2 ids, such as `LunsDataset.sequences` gives.
    rng: a numpy.random.Generator that shuffles which sequences share a batch and the order of the
        batches; without it they come sorted by length. Sequences of equal length are never torn
        from their order by the sorting itself.
    Yields pairs of int64 arrays [B, T]: the ids to read, padded at their end with pad_id, and the
    ids to predict, which are the same one place later, with -1 at padding. B is batch_size, but
    smaller in one batch if it doesn't divide the number of sequences.
    Raises TypeError for another rng, ValueError for sequences, a batch_size or a pad_id that are no
    whole numbers, or a sequence of less than two ids.

    >>> for ids, targets in batches([np.array([5, 6, 7]), np.array([8, 9])], batch_size=2):
    ...     print(ids.tolist(), targets.tolist())
    [[8, 0], [5, 6]] [[9, -1], [6, 7]]
    """
    batch_size = checks.whole_number("batch_size", batch_size, 1)
    if not (rng is None or isinstance(rng, np.random.Generator)):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}.")
    pad_id = checks.whole_number("pad_id", pad_id, least=None)
    sequences = [_flat_ids(f"sequence {i}", sequence) for i, sequence in enumerate(sequences)]
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)  # [N]
    if lengths.size and lengths.min() < 2:
        raise ValueError(
            f"sequence {lengths.argmin()} has {lengths.min()} ids, but at least 2 are needed: "
            "one to read and one to predict."
        )
    return _batches(sequences, lengths, batch_size, rng, pad_id)


def _flat_ids(name, ids):
    """Return ids as an array [T] of whole numbers: a cast would cut others silently."""
    try:
        found = np.asarray(ids)
    except ValueError:  # rows of unlike lengths
        found = np.asarray(None)
    # an empty list has no numbers that could be of another kind
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise ValueError(f"{name} must be a flat list of whole numbers, not {ids!r:.60}")
    return found


def _batches(sequences, lengths, batch_size, rng, pad_id):
    order = np.arange(len(sequences)) if rng is None else rng.permutation(len(sequences))  # [N]
    order = order[np.argsort(lengths[order], kind="stable")]
    starts = np.arange(0, len(order), batch_size)
    if rng is not None:
        starts = rng.permutation(starts)
    for start in starts:
        chosen = order[start : start + batch_size]  # [B]
        shape = (len(chosen), lengths[chosen].max() - 1)
        ids = np.full(shape, pad_id, dtype=np.int64)  # [B, T]
        targets = np.full(shape, -1, dtype=np.int64)  # [B, T]
        for row, place in enumerate(chosen):
            sequence = sequences[place]
            ids[row, : len(sequence) - 1] = sequence[:-1]
            targets[row, : len(sequence) - 1] = sequence[1:]
        yield ids, targets


def _hold_back(texts, validation, seed):
    """Return (training texts, validation texts), each in the order of the file."""
    share = "a share from 0 to below 1, such as 0.1"
    validation = checks.number("validation", validation, share, lambda value: 0 <= value < 1)
    seed = checks.whole_number("seed", seed)
    if validation == 0:
        return list(texts), []
    if len(texts) < 2:
        raise ValueError("To hold back a share for validation, at least two texts are needed.")
    count = min(max(round(validation * len(texts)), 1), len(texts) - 1)
    rng = np.random.default_rng(seed)
    held_back = set(rng.permutation(len(texts))[:count].tolist())
    return (
        [text for i, text in enumerate(texts) if i not in held_back],
        [texts[i] for i in sorted(held_back)],
    )
