"""Lesson 09, two decoders on the same puzzles: wrong and right answers as students write them."""

import math
import statistics

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_disagreements, check_paired_difference

# --- a paired difference --------------------------------------------------------------------------


def around(mean, half):
    return mean, mean - half, mean + half


def gaps(first, second):
    return np.array(first) - np.array(second)


@wrong(check_paired_difference, "added the spreads of the two")
def paired_as_two_samples(first, second, z):
    spread = (statistics.variance(first) / len(first)) + (statistics.variance(second) / len(second))
    return around(gaps(first, second).mean(), z * spread**0.5)


@wrong(check_paired_difference, "std(ddof=1)")
def paired_numpy_default(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), z * d.std() / np.sqrt(d.size))


@wrong(check_paired_difference, "spread of one difference")
def paired_spread(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), z * d.std(ddof=1))


@wrong(check_paired_difference, "divide by its square root")
def paired_over_n(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), z * d.std(ddof=1) / d.size)


@wrong(check_paired_difference, "first minus second")
def paired_backwards(first, second, z):
    d = gaps(second, first)
    return around(d.mean(), z * d.std(ddof=1) / np.sqrt(d.size))


@wrong(check_paired_difference, "not multiplied by z")
def paired_without_z(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), d.std(ddof=1) / np.sqrt(d.size))


@wrong(check_paired_difference, "You used the variance")
def paired_variance(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), z * d.var(ddof=1) / np.sqrt(d.size))


@wrong(check_paired_difference, "keep their signs")
def paired_sizes(first, second, z):
    d = abs(gaps(first, second))
    return around(d.mean(), z * d.std(ddof=1) / np.sqrt(d.size))


@wrong(check_paired_difference, "stand round 0")
def paired_round_zero(first, second, z):
    d = gaps(first, second)
    half = z * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), -half, half


@wrong(check_paired_difference, "1.96 whatever z is")
def paired_fixed_z(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), 1.96 * d.std(ddof=1) / np.sqrt(len(d)))


@wrong(check_paired_difference, "n - 1 belongs inside")
def paired_n_minus_one_twice(first, second, z):
    d = gaps(first, second)
    return around(d.mean(), z * d.std(ddof=1) / np.sqrt(len(d) - 1))


@wrong(check_paired_difference, "smallest and the largest difference")
def paired_range(first, second, z):
    d = gaps(first, second)
    return d.mean(), d.min(), d.max()


@wrong(check_paired_difference, "The order is mean, low, high")
def paired_order(first, second, z):
    mean, low, high = paired_statistics_module(first, second, z)
    return low, mean, high


@wrong(check_paired_difference, "np.array makes an array of each")
def paired_of_lists(first, second, z):
    d = first - second
    return around(d.mean(), z * d.std(ddof=1) / np.sqrt(len(d)))


@right(check_paired_difference)
def paired_statistics_module(first, second, z):
    d = [float(a) - float(b) for a, b in zip(first, second, strict=True)]
    return around(statistics.fmean(d), z * statistics.stdev(d) / math.sqrt(len(d)))


@right(check_paired_difference)
def paired_by_sums(first, second, z):
    d = gaps(first, second)
    n, mean = len(d), d.sum() / len(d)
    error = np.sqrt(((d - mean) ** 2).sum() / (n * (n - 1)))
    return list(around(mean, z * error))


# --- disagreements --------------------------------------------------------------------------------


@wrong(check_disagreements, "The two are swapped")
def disagreements_swapped(first, second):
    a, b = np.array(first), np.array(second)
    return (b & ~a).sum(), (a & ~b).sum()


@wrong(check_disagreements, "all right answers of each")
def disagreements_totals(first, second):
    return np.sum(first), np.sum(second)


@wrong(check_disagreements, "say nothing about")
def disagreements_with_ties(first, second):
    a, b = np.array(first), np.array(second)
    return (a >= b).sum(), (b >= a).sum()


@wrong(check_disagreements, "You returned one difference")
def disagreements_difference(first, second):
    return int(np.sum(first)) - int(np.sum(second))


@wrong(check_disagreements, "also where both were wrong")
def disagreements_of_wrong(first, second):
    return sum(1 for b in second if not b), sum(1 for a in first if not a)


@wrong(check_disagreements, "You counted agreements")
def disagreements_agreements(first, second):
    a, b = np.array(first), np.array(second)
    return (a & b).sum(), (~a & ~b).sum()


@wrong(check_disagreements, "`won = (first & ~second).sum()`")
def disagreements_of_lists(first, second):
    won = (first & ~second).sum()
    return won, (second & ~first).sum()


@wrong(check_disagreements, "counts all other puzzles")
def disagreements_else(first, second):
    won = lost = 0
    for a, b in zip(first, second, strict=True):
        if a and not b:
            won += 1
        else:
            lost += 1
    return won, lost


@wrong(check_disagreements, "both kinds together")
def disagreements_together(first, second):
    return (np.array(first) != np.array(second)).sum()


@wrong(check_disagreements, "only how often the first alone")
def disagreements_first_only(first, second):
    return sum(a > b for a, b in zip(first, second, strict=True))


@wrong(check_disagreements, "wins and losses cancel")
def disagreements_cancel(first, second):
    d = np.array(first).astype(int) - np.array(second).astype(int)
    return d.sum(), -d.sum()


@wrong(check_disagreements, "take the sum of each")
def disagreements_not_counted(first, second):
    a, b = np.array(first), np.array(second)
    return a & ~b, b & ~a


@wrong(check_disagreements, "write & for and")
def disagreements_and(first, second):
    a, b = np.array(first), np.array(second)
    return (a and not b).sum(), (b and not a).sum()


@wrong(check_disagreements, "`a & ~b` is: a, and not b")
def disagreements_minus(first, second):
    a, b = np.array(first), np.array(second)
    return (a - b).sum(), (b - a).sum()


@right(check_disagreements)
def disagreements_arrays(first, second):
    a, b = np.array(first), np.array(second)
    return (a & ~b).sum(), (b & ~a).sum()


@right(check_disagreements)
def disagreements_loop(first, second):
    counts = [0, 0]
    for a, b in zip(first, second, strict=True):
        if a != b:
            counts[0 if a else 1] += 1
    return counts
