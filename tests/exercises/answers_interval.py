"""Lesson 09: wrong and right answers as students write them."""

import math
import statistics

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_disagreements, check_interval, check_paired_difference

# --- an interval for a proportion -----------------------------------------------------------------


@wrong(check_interval, "That is the simple interval, share plus or minus")
def interval_simple(successes, count, z):
    p = successes / count
    error = z * math.sqrt(p * (1 - p) / count)
    return p - error, p + error


@wrong(check_interval, "cut at 0 and 1")
def interval_simple_cut(successes, count, z):
    p = successes / count
    error = z * math.sqrt(p * (1 - p) / count)
    return np.clip([p - error, p + error], 0, 1)


def pieces(successes, count, z):
    p, extra = successes / count, z * z / count
    return p, extra, p * (1 - p) / count + extra / (4 * count)


@wrong(check_interval, "division by 1 + z**2 / count is missing")
def interval_not_divided(successes, count, z):
    p, extra, inside = pieces(successes, count, z)
    return p + extra / 2 - z * inside**0.5, p + extra / 2 + z * inside**0.5


@wrong(check_interval, "pulled towards one half")
def interval_round_the_share(successes, count, z):
    p, extra, inside = pieces(successes, count, z)
    half = z * inside**0.5 / (1 + extra)
    return p - half, p + half


@wrong(check_interval, "square root is missing")
def interval_without_root(successes, count, z):
    p, extra, inside = pieces(successes, count, z)
    return (p + extra / 2 - z * inside) / (1 + extra), (p + extra / 2 + z * inside) / (1 + extra)


@wrong(check_interval, "is missing under the root")
def interval_term_missing(successes, count, z):
    p, extra, _ = pieces(successes, count, z)
    half = z * math.sqrt(p * (1 - p) / count)
    return (p + extra / 2 - half) / (1 + extra), (p + extra / 2 + half) / (1 + extra)


@wrong(check_interval, "not multiplied by z")
def interval_without_z(successes, count, z):
    p, extra, inside = pieces(successes, count, z)
    half = math.sqrt(inside)
    return (p + extra / 2 - half) / (1 + extra), (p + extra / 2 + half) / (1 + extra)


@wrong(check_interval, "1.96 whatever z is")
def interval_fixed_z(successes, count, z):
    p, extra, inside = pieces(successes, count, 1.96)
    half = 1.96 * math.sqrt(inside)
    return (p + extra / 2 - half) / (1 + extra), (p + extra / 2 + half) / (1 + extra)


@wrong(check_interval, "low and high are swapped")
def interval_swapped(successes, count, z):
    return interval_plain(successes, count, z)[::-1]


@wrong(check_interval, "per cent")
def interval_per_cent(successes, count, z):
    low, high = interval_plain(successes, count, z)
    return 100 * low, 100 * high


@wrong(check_interval, "expected 2 values to be returned (low, high), received one")
def interval_width(successes, count, z):
    low, high = interval_plain(successes, count, z)
    return high - low


@right(check_interval)
def interval_plain(successes, count, z):
    p, extra, inside = pieces(successes, count, z)
    half = z * math.sqrt(inside)
    return (p + extra / 2 - half) / (1 + extra), (p + extra / 2 + half) / (1 + extra)


@right(check_interval)
def interval_by_quadratic_equation(successes, count, z):
    """The shares p with (p - share)^2 = z^2 p (1 - p) / count are the two ends."""
    share = successes / count
    roots = np.roots([1 + z * z / count, -2 * share - z * z / count, share * share])
    return np.sort(roots.real)


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
