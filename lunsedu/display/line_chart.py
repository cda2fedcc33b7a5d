"""A line chart as SVG: losses over epochs, scores over tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lunsedu.display.html_page import LETTER, scrolling
from lunsedu.looks import safe, spread


def line_chart(
    series: Sequence[Any],
    label: str,
    unit: str = "",
    floor: Any = None,
    x_range: tuple[float, float] | None = None,
    width: int = 640,
    height: int = 220,
) -> str:
    """Return a line chart as SVG.

    `series` is a list of dicts: points (list of (x, y)), name, and optionally color (a CSS
    colour), thick (bool), dash (a dash pattern). `floor` is a dict {name: y} of level lines.
    `label` describes the chart for those who do not see it; `unit` names the x axis, which goes
    from x_range[0] to x_range[1] or over all points.
    """
    floors = floor or {}
    if not any(one["points"] for one in series):
        return ""
    axes = _axes(series, floors, x_range, width, height)
    out = [
        f'<svg class="lu-chart" role="img" aria-label="{safe(label)}" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}" font-size="13">',
        *_scale(axes, unit),
        *[_level_line(axes, y) for y in floors.values()],
        *[_line(axes, one) for one in series if one["points"]],
        *_names(axes, series, floors),
    ]
    return scrolling("".join(out) + "</svg>", "Chart, scrolls sideways")


@dataclass(frozen=True)
class _Axes:
    """The frame in pixels, and the values at its ends."""

    left: int
    right: int
    top: int
    bottom: int
    low_x: float
    high_x: float
    low_y: float
    high_y: float
    levels: list[float]

    def across(self, x: float) -> float:
        wide = self.right - self.left
        return self.left + wide * (x - self.low_x) / (self.high_x - self.low_x)

    def up(self, y: float) -> float:
        high = self.bottom - self.top
        return self.bottom - high * (y - self.low_y) / ((self.high_y - self.low_y) or 1)


def _axes(series, floors, x_range, width, height):
    points = [point for one in series for point in one["points"]]
    xs = [x for x, _ in points]
    ys = [y for _, y in points] + list(floors.values())
    low_x, high_x = x_range or (min(xs), max(xs))
    low, high = min(0.0, min(ys)), max(ys)
    levels = ticks(low, high)
    names = [one.get("name", "") for one in series] + _floor_names(floors)
    beside = 20 + LETTER * max(map(len, names))  # pixels for the names at the right
    return _Axes(
        left=44,
        right=width - beside,
        top=12,
        bottom=height - 30,
        low_x=low_x,
        high_x=max(high_x, low_x + 1),
        low_y=min(low, levels[0]),
        high_y=max(high, levels[-1]),
        levels=levels,
    )


def _floor_names(floors):
    return [f"{name} {y:.2f}" for name, y in floors.items()]


def _scale(axes, unit):
    """Yield the level lines with their numbers, then the ends of the x axis."""
    left, right = axes.left, axes.right
    for tick in axes.levels:
        y = axes.up(tick)
        yield (
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--lu-rule)"'
            f' stroke-opacity="0.5"/><text class="lu-quiet" x="{left - 6}" y="{y + 4:.1f}"'
            f' text-anchor="end">{tick:g}</text>'
        )
    for x in sorted({axes.low_x, axes.high_x}):
        anchor = "start" if x == axes.low_x else "end"
        yield (
            f'<text class="lu-quiet" x="{axes.across(x):.1f}" y="{axes.bottom + 18}"'
            f' text-anchor="{anchor}">{x:g}{" " + escape(unit) if x == axes.high_x else ""}</text>'
        )


def _level_line(axes, y):
    return (
        f'<line x1="{axes.left}" x2="{axes.right}" y1="{axes.up(y):.1f}" y2="{axes.up(y):.1f}"'
        ' stroke="var(--lu-green)" stroke-width="2" stroke-dasharray="7 4"/>'
    )


def _line(axes, one):
    """Return one series as a line with a dot at its end."""
    path = " ".join(f"{axes.across(x):.1f},{axes.up(y):.1f}" for x, y in one["points"])
    dash = f' stroke-dasharray="{one["dash"]}"' if one.get("dash") else ""
    color = one.get("color", "var(--lu-blue)")
    thick = one.get("thick", True)
    x, y = one["points"][-1]
    return (
        f'<polyline points="{path}" fill="none" stroke="{color}"'
        f' stroke-width="{2.5 if thick else 1.5}"{dash} stroke-linejoin="round"/>'
        f'<circle cx="{axes.across(x):.1f}" cy="{axes.up(y):.1f}" r="{4 if thick else 2.5}"'
        f' fill="{color}"/>'
    )


def _names(axes, series, floors):
    """Yield the names at the right, each at the end of its line, moved apart where they meet."""
    named = [
        (axes.up(y), name, False)
        for y, name in zip(floors.values(), _floor_names(floors), strict=True)
    ]
    for one in series:
        if one["points"] and one.get("name"):
            named.append((axes.up(one["points"][-1][1]), one["name"], one.get("thick", True)))
    named.sort(key=lambda label: label[0])
    heights = spread([y for y, _, _ in named], gap=16, low=axes.top + 6, high=axes.bottom + 2)
    for y, (_, name, bold) in zip(heights, named, strict=True):
        weight = ' font-weight="600"' if bold else ""
        yield f'<text x="{axes.right + 8}" y="{y + 4:.1f}"{weight}>{safe(name)}</text>'


def ticks(low: float, high: float) -> list[float]:
    """Return about four round numbers from low to high, for an axis."""
    high = high if high > low else low + 1
    span = high - low
    size = 10.0 ** len(str(int(span)))
    while span / size < 1:
        size /= 10
    step = next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5) if span / (s * size) <= 5)
    first = int(low // step)
    return [round(i * step, 6) for i in range(first, int(high / step + 0.999) + 1)]
