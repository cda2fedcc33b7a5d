"""Lesson 08: wrong and right answers as students write them."""

import hashlib
import random

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_fingerprint, check_forgetting, check_mix

# --- fingerprint ----------------------------------------------------------------------------------


@wrong(check_fingerprint, "run into each other")
def fingerprint_joined(texts):
    hashed = hashlib.sha256()
    for text in texts:
        hashed.update(text.encode("utf-8"))
    return hashed.hexdigest()


@wrong(check_fingerprint, "between the texts only")
def fingerprint_zero_between(texts):
    return hashlib.sha256(b"\0".join(t.encode() for t in texts)).hexdigest()


@wrong(check_fingerprint, "a text may hold one itself")
def fingerprint_new_lines(texts):
    hashed = hashlib.sha256()
    for text in texts:
        hashed.update((text + "\n").encode())
    return hashed.hexdigest()


@wrong(check_fingerprint, "You sorted the texts")
def fingerprint_sorted(texts):
    return hashlib.sha256("".join(t + "\0" for t in sorted(texts)).encode()).hexdigest()


@wrong(check_fingerprint, "That is MD5")
def fingerprint_md5(texts):
    return hashlib.md5("".join(t + "\0" for t in texts).encode()).hexdigest()


@wrong(check_fingerprint, "You returned the bytes")
def fingerprint_digest(texts):
    return hashlib.sha256("".join(t + "\0" for t in texts).encode()).digest()


@wrong(check_fingerprint, "make the hash before the loop")
def fingerprint_last(texts):
    hashed = hashlib.sha256()
    for text in texts:
        hashed = hashlib.sha256()
        hashed.update(text.encode() + b"\0")
    return hashed.hexdigest()


@wrong(check_fingerprint, "how Python prints a list")
def fingerprint_of_repr(texts):
    return hashlib.sha256(repr(texts).encode()).hexdigest()


@wrong(check_fingerprint, "expected a str")
def fingerprint_hash(texts):
    return hash(tuple(texts))


@wrong(check_fingerprint, "UnicodeEncodeError")
def fingerprint_ascii(texts):
    return hashlib.sha256("".join(t + "\0" for t in texts).encode("ascii")).hexdigest()


@right(check_fingerprint)
def fingerprint_by_updates(texts):
    hashed = hashlib.sha256()
    for text in texts:
        hashed.update(text.encode("utf-8"))
        hashed.update(bytes(1))
    return hashed.hexdigest()


@right(check_fingerprint)
def fingerprint_in_one_line(texts):
    return hashlib.sha256("".join(f"{text}\0" for text in texts).encode()).hexdigest()


# --- forgetting -----------------------------------------------------------------------------------


@wrong(check_forgetting, "Every text weighs the same")
def forgetting_plain_mean(before, after, tokens):
    return np.mean(after) - np.mean(before)


@wrong(check_forgetting, "sign is turned round")
def forgetting_backwards(before, after, tokens):
    return np.average(before, weights=tokens) - np.average(after, weights=tokens)


@wrong(check_forgetting, "You returned the total")
def forgetting_total(before, after, tokens):
    return sum((a - b) * n for b, a, n in zip(before, after, tokens, strict=True))


@wrong(check_forgetting, "number of texts")
def forgetting_per_text(before, after, tokens):
    total = sum((a - b) * n for b, a, n in zip(before, after, tokens, strict=True))
    return total / len(before)


@wrong(check_forgetting, "You returned a ratio")
def forgetting_ratio(before, after, tokens):
    return np.average(after, weights=tokens) / np.average(before, weights=tokens)


@wrong(check_forgetting, "share of the old loss")
def forgetting_relative(before, after, tokens):
    old = np.average(before, weights=tokens)
    return (np.average(after, weights=tokens) - old) / old


@wrong(check_forgetting, "sizes without signs")
def forgetting_sizes(before, after, tokens):
    return np.average([abs(a - b) for a, b in zip(after, before, strict=True)], weights=tokens)


@wrong(check_forgetting, "left out texts that got better")
def forgetting_only_worse(before, after, tokens):
    worse = [max(a - b, 0) for a, b in zip(after, before, strict=True)]
    return np.average(worse, weights=tokens)


@wrong(check_forgetting, "`return (after - before) @ tokens / sum(tokens)`")
def forgetting_of_lists(before, after, tokens):
    return (after - before) @ tokens / sum(tokens)


@right(check_forgetting)
def forgetting_by_average(before, after, tokens):
    return np.average(np.array(after) - before, weights=tokens)


@right(check_forgetting)
def forgetting_by_loop(before, after, tokens):
    old = new = 0.0
    for b, a, n in zip(before, after, tokens, strict=True):
        old, new = old + b * n, new + a * n
    return (new - old) / sum(tokens)


# --- mixing ---------------------------------------------------------------------------------------


def count_old(old, new, share_old):
    return min(len(old), round(share_old * len(new) / (1 - share_old)))


@wrong(check_mix, "not of the new texts")
def mix_share_of_new(old, new, share_old, rng):
    texts = list(rng.choice(old, int(share_old * len(new)), replace=False)) + new
    rng.shuffle(texts)
    return texts


@wrong(check_mix, "not of the old texts")
def mix_share_of_old(old, new, share_old, rng):
    kept = rng.permutation(old)[: round(share_old * len(old))]
    return list(rng.permutation(list(kept) + new))


@wrong(check_mix, "drawn twice")
def mix_with_repeats(old, new, share_old, rng):
    kept = [old[rng.integers(len(old))] for _ in range(count_old(old, new, share_old))]
    return list(rng.permutation(kept + new))


@wrong(check_mix, "are not mixed")
def mix_one_after_the_other(old, new, share_old, rng):
    kept = rng.permutation(old)[: count_old(old, new, share_old)]
    return new + list(kept)


@wrong(check_mix, "always take the first")
def mix_first_old(old, new, share_old, rng):
    return list(rng.permutation(old[: count_old(old, new, share_old)] + new))


@wrong(check_mix, "new texts are missing")
def mix_loses_new(old, new, share_old, rng):
    size = len(new)
    kept = rng.permutation(old)[: int(share_old * size)]
    return list(rng.permutation(list(kept) + new[: size - len(kept)]))


@wrong(check_mix, "draw with the rng that you are given")
def mix_other_randomness(old, new, share_old, rng):
    texts = random.sample(old, count_old(old, new, share_old)) + new
    random.shuffle(texts)
    return texts


@wrong(check_mix, "changes its argument `new`")
def mix_in_place(old, new, share_old, rng):
    new += list(rng.choice(old, count_old(old, new, share_old), replace=False))
    rng.shuffle(new)
    return new


@wrong(check_mix, "gave back None")
def mix_returns_shuffle(old, new, share_old, rng):
    texts = new + list(rng.choice(old, count_old(old, new, share_old), replace=False))
    return rng.shuffle(texts)


@right(check_mix)
def mix_choice_and_permutation(old, new, share_old, rng):
    kept = rng.choice(old, count_old(old, new, share_old), replace=False)
    return rng.permutation([*kept, *new])


@right(check_mix)
def mix_by_keys(old, new, share_old, rng):
    shuffled = sorted(old, key=lambda text: rng.random())
    texts = new + shuffled[: count_old(old, new, share_old)]
    return sorted(texts, key=lambda text: rng.random())
