"""Checks for lesson 08: a fingerprint of texts, a measure of forgetting, mixing old and new."""

import hashlib
from typing import Any

import numpy as np

from lunsedu.exercises.judge.check import WRONG, Check
from lunsedu.exercises.judge.judging import Case, Exercise, Mistake, judge
from lunsedu.exercises.judge.running import run

# --- fingerprint ----------------------------------------------------------------------------------


def _hex(data):
    return hashlib.sha256(data).hexdigest()


def _fingerprint(texts):
    return _hex(b"".join(text.encode("utf-8") + b"\x00" for text in texts))


FINGERPRINT = Exercise(
    name="fingerprint",
    call="fingerprint(texts)",
    truth=_fingerprint,
    cases=lambda: [
        Case("one text", (["the cat"],)),
        Case("two texts", (["the cat", "sat"],)),
        Case("the same letters cut elsewhere", (["the ca", "tsat"],)),
        Case("the texts in another order", (["sat", "the cat"],)),
        Case("a text that occurs twice", (["b", "a", "b"],)),
        Case("letters beyond ASCII", (["café", "\u5927"],)),
        Case("an empty text", (["", "a"],)),
        Case("no texts", ([],)),
    ],
    mistakes=(
        Mistake(
            "no-separator",
            lambda texts: _hex("".join(texts).encode()),
            'Your texts run into each other: ["ab", "c"] and ["a", "bc"] get the same fingerprint.'
            " Put a zero byte after each text.",
        ),
        Mistake(
            "between-only",
            lambda texts: _hex("\x00".join(texts).encode()),
            "The zero byte stands between the texts only: put one after the last text, too.",
        ),
        Mistake(
            "new-line",
            lambda texts: _hex("".join(t + "\n" for t in texts).encode()),
            "You put a new line after each text, but a text may hold one itself: use a zero byte.",
        ),
        Mistake(
            "order-lost",
            lambda texts: _fingerprint(sorted(texts)),
            "You sorted the texts: another order must give another fingerprint.",
        ),
        Mistake(
            "set",
            lambda texts: _fingerprint(sorted(set(texts))),
            "Texts that occur twice were counted once.",
        ),
        Mistake(
            "other-hash",
            lambda texts: hashlib.md5(b"".join(t.encode() + b"\x00" for t in texts)).hexdigest(),
            "That is MD5, for which two texts with the same sum can be made: use sha256.",
        ),
        Mistake(
            "bytes",
            lambda texts: bytes.fromhex(_fingerprint(texts)),
            "You returned the bytes: hexdigest() gives the hexadecimal digits as a str.",
        ),
        Mistake(
            "first-only",
            lambda texts: _fingerprint(texts[:1]),
            "Only the first text went in.",
        ),
        Mistake(
            "last-only",
            lambda texts: _fingerprint(texts[-1:]),
            "Only the last text went in: make the hash before the loop, and update() it in there.",
        ),
        Mistake(
            "repr",
            lambda texts: _hex(str(texts).encode()),
            "You took the fingerprint of how Python prints a list: it may change with Python's"
            " version. Use the bytes of the texts.",
        ),
        Mistake(
            "utf-16",
            lambda texts: _hex(b"".join(t.encode("utf-16-le") + b"\x00" for t in texts)),
            "You encoded as UTF-16: use UTF-8.",
        ),
    ),
    praise="Any change of a letter, a cut or the order shows.",
)


def check_fingerprint(fingerprint: Any) -> Check:
    """Check fingerprint(texts) -> SHA-256, in hex, of the UTF-8 bytes, each text ended by a 0.

    >>> check_fingerprint(lambda texts: _hex("".join(texts).encode())).mistake
    'no-separator'
    """
    return judge(FINGERPRINT, fingerprint)


# --- forgetting -----------------------------------------------------------------------------------


def _forgetting(before, after, tokens):
    before, after, tokens = (np.asarray(x, dtype=float) for x in (before, after, tokens))
    return float(((after - before) * tokens).sum() / tokens.sum())


def _arrays(wrong):
    return lambda b, a, n: wrong(*(np.asarray(x, dtype=float) for x in (b, a, n)))


FORGETTING = Exercise(
    name="forgetting",
    call="forgetting(before, after, tokens)",
    truth=_forgetting,
    cases=lambda: [
        Case("two texts of 10 and 30 tokens", ([1.0, 2.0], [2.0, 2.4], [10, 30])),
        Case("three texts", (np.array([1.5, 0.7, 2.2]), np.array([1.9, 0.6, 3.1]), [5, 40, 11])),
        Case("a model that improved", ([2.0, 3.0, 1.0], [1.0, 2.5, 0.8], [3, 4, 8])),
        Case("one text", ([2.0], [2.25], [7])),
    ],
    mistakes=(
        Mistake(
            "not-weighted",
            _arrays(lambda b, a, n: (a - b).mean()),
            "Every text weighs the same in your mean: the losses are per token, so a text of n"
            " tokens must weigh n times.",
        ),
        Mistake(
            "sign",
            _arrays(lambda b, a, n: -_forgetting(b, a, n)),
            "The sign is turned round: forgetting is after minus before, above 0 when the model got"
            " worse.",
        ),
        Mistake(
            "total",
            _arrays(lambda b, a, n: ((a - b) * n).sum()),
            "You returned the total: divide by the number of tokens.",
        ),
        Mistake(
            "per-text",
            _arrays(lambda b, a, n: ((a - b) * n).sum() / len(n)),
            "You divided by the number of texts: divide by the number of tokens.",
        ),
        Mistake(
            "ratio",
            _arrays(lambda b, a, n: (a * n).sum() / (b * n).sum()),
            "You returned a ratio: losses are logarithms, so their difference is what counts.",
        ),
        Mistake(
            "relative",
            _arrays(lambda b, a, n: ((a - b) * n).sum() / (b * n).sum()),
            "You returned a share of the old loss: the difference in nats a token is wanted.",
        ),
        Mistake(
            "absolute",
            _arrays(lambda b, a, n: (np.abs(a - b) * n).sum() / n.sum()),
            "You took sizes without signs: texts that got better must count against those that got"
            " worse.",
        ),
        Mistake(
            "only-worse",
            _arrays(lambda b, a, n: (np.maximum(a - b, 0) * n).sum() / n.sum()),
            "You left out texts that got better: they count, too.",
        ),
        Mistake(
            "after-only",
            _arrays(lambda b, a, n: (a * n).sum() / n.sum()),
            "That is the loss afterwards: take off what it was before.",
        ),
        Mistake(
            "sums-of-losses",
            _arrays(lambda b, a, n: (a - b).sum() / n.sum()),
            "Multiply each loss by its tokens before you add: they are means a token.",
        ),
    ),
    praise="Nats a token, each token weighing the same.",
)


def check_forgetting(forgetting: Any) -> Check:
    """Check forgetting(before, after, tokens), each [N] -> nats a token lost on the old texts.

    >>> check_forgetting(lambda b, a, n: np.mean(np.subtract(a, b))).mistake
    'not-weighted'
    """
    return judge(FORGETTING, forgetting)


# --- mixing ---------------------------------------------------------------------------------------


def _mix(old, new, share_old, rng, count=None, again=False, shuffle=True):
    wanted = round(len(new) * share_old / (1 - share_old)) if count is None else count
    if not again:
        wanted = min(wanted, len(old))
    texts = list(new) + [old[i] for i in rng.choice(len(old), wanted, replace=again)]
    return [texts[i] for i in rng.permutation(len(texts))] if shuffle else texts


def _verify_mix(mixed, old, new, share_old, rng):
    """Return what is wrong with a mixture, in a sentence, or None."""
    if not isinstance(mixed, (list, tuple, np.ndarray)) or not all(
        isinstance(text, str) for text in mixed
    ):
        return "Return one list of texts."
    mixed = [str(text) for text in mixed]
    wanted = min(round(len(new) * share_old / (1 - share_old)), len(old))
    strangers = [text for text in mixed if text not in old and text not in new]
    if strangers:
        return f"{strangers[0]!r} is neither an old text nor a new one."
    if sorted(text for text in mixed if text in new) != sorted(new):
        lost = len(set(new) - set(mixed))
        if lost:
            return f"{lost} of the {len(new)} new texts are missing: all of them belong in."
        return "A new text is in twice: each belongs in once."
    kept = [text for text in mixed if text in old]
    if len(set(kept)) < len(kept):
        return "An old text was drawn twice: draw without repetition (replace=False)."
    if len(kept) != wanted:
        told = ""
        if len(kept) == min(round(len(new) * share_old), len(old)) or len(kept) == min(
            int(len(new) * share_old), len(old)
        ):
            told = " share_old is the share of the whole mixture, not of the new texts."
        elif len(kept) == round(len(old) * share_old):
            told = " share_old is the share of the whole mixture, not of the old texts."
        elif len(kept) == len(old):
            told = " You took all old texts."
        return f"Expected {wanted} old texts among {len(new)} new ones, received {len(kept)}.{told}"
    if len(new) > 5 and (mixed[: len(new)] == list(new) or mixed[-len(new) :] == list(new)):
        return "Old and new texts are not mixed: shuffle them, so that each batch holds both."
    if 0 < wanted < len(old) and len(new) > 5 and set(kept) == set(old[:wanted]):
        return "You always take the first old texts: draw them at random."
    return None


def _mix_cases():
    old, new = [f"old {i}" for i in range(40)], [f"new {i}" for i in range(30)]
    return [
        Case("30 new texts, a quarter old", (old, new, 0.25, np.random.default_rng(1))),
        Case("30 new texts, a half old", (old, new, 0.5, np.random.default_rng(2))),
        Case("no old texts wanted", (old, new, 0.0, np.random.default_rng(3))),
        Case("fewer old texts than wanted", (old[:5], new, 0.4, np.random.default_rng(4))),
        Case("3 new texts, three quarters old", (old, new[:3], 0.75, np.random.default_rng(5))),
    ]


MIX = Exercise(
    name="mix",
    call="mix(old, new, share_old, rng)",
    truth=None,
    verify=_verify_mix,
    cases=_mix_cases,
    praise="The share is right, nothing is lost, and the order is mixed.",
)


def _follows_the_rng(mix):
    """Do generators of other seeds give other mixtures? One that is made inside gives the same."""
    old, new, share, _ = _mix_cases()[0].args
    seeds = range(10, 16)
    drawn = [run(mix, (old, new, share, np.random.default_rng(seed))).value for seed in seeds]
    return len({tuple(texts) for texts in drawn}) > 1


OWN_RANDOMNESS = Check(
    "mix",
    WRONG,
    "Another rng gives the same mixture: you draw from a generator that you made yourself, or from"
    " a seed that you set. Draw with the rng that you are given.",
    "randomness-of-its-own",
)


def check_mix(mix: Any) -> Check:
    """Check mix(old, new, share_old, rng) -> all new texts and a share of old ones, shuffled.

    The same random state must give the same mixture.

    >>> print(check_mix(lambda old, new, share_old, rng: new).message.splitlines()[0])
    Expected 10 old texts among 30 new ones, received 0. (With 30 new texts, a quarter old.)
    """
    first = judge(MIX, mix)
    if not first:
        return first
    drawn, again = ([list(run(mix, case.args).value) for case in _mix_cases()] for _ in range(2))
    if drawn == again:
        return first if _follows_the_rng(mix) else OWN_RANDOMNESS
    return Check(
        "mix",
        WRONG,
        "The same rng gives another mixture each time: draw with the rng that you are given, not"
        " with np.random or random.",
        "other-randomness",
    )
