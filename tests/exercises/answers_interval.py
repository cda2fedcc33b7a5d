"""Lesson 09, an interval: wrong and right answers as students write them."""

import math

import numpy as np
from catalogue import right, wrong

from lunsedu.exercises import check_interval


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


@wrong(check_interval, "The half width was not divided")
def interval_half_not_divided(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "You halved the half width")
def interval_half_of_the_half(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half / 2, middle + half / 2


@wrong(check_interval, "belongs under the root, too")
def interval_root_too_short(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count) + z**2 / (4 * count**2)
    return middle - half, middle + half


@wrong(check_interval, "z is squared in")
def interval_z_not_squared(successes, count, z):
    p = successes / count
    middle = (p + z / (2 * count)) / (1 + z / count)
    half = z / (1 + z / count) * np.sqrt(p * (1 - p) / count + z / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "Brackets are missing in the middle")
def interval_brackets_middle(successes, count, z):
    p = successes / count
    middle = p + z**2 / (2 * count) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "Brackets are missing in the half width")
def interval_brackets_half(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / 1 + z**2 / count * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "Brackets are missing under the root")
def interval_brackets_share(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * 1 - p / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "brackets, z**2 / (2 * count)")
def interval_brackets_2_count(successes, count, z):
    p = successes / count
    middle = (p + z**2 / 2 * count) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@wrong(check_interval, "brackets, z**2 / (4 * count**2)")
def interval_brackets_4_count(successes, count, z):
    p = successes / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / 4 * count**2)
    return middle - half, middle + half


@wrong(check_interval, "and so does your term")
def interval_brackets_below(successes, count, z):
    p = successes / count
    middle = (p + z**2 / 2 * count) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(p * (1 - p) / count + z**2 / 4 * count**2)
    return middle - half, middle + half


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
