"""Contrast of two colours, as people with weak eyes need it."""


def rgb(color):
    """Return the three numbers, 0 to 255, of a colour such as "#0072B2"."""
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def luminance(color):
    """Return how bright a colour is, 0 to 1 (WCAG 2.2, relative luminance)."""
    parts = rgb(color) if isinstance(color, str) else [255 * part for part in color[:3]]
    parts = [part / 255 for part in parts]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
