"""A line chart as SVG: losses over epochs, scores over tokens."""

from collections.abc import Sequence
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
    points = [point for one in series for point in one["points"]]
    if not points:
        return ""
    xs = [x for x, _ in points]
    ys = [y for _, y in points] + list(floors.values())
    low_x, high_x = x_range or (min(xs), max(xs))
    high_x = max(high_x, low_x + 1)
    low, high = min(0.0, min(ys)), max(ys)
    levels = ticks(low, high)
    low, high = min(low, levels[0]), max(high, levels[-1])
    names = [one.get("name", "") for one in series] + [f"{n} {y:.2f}" for n, y in floors.items()]
    beside = 20 + LETTER * max(map(len, names))  # pixels for the names at the right
    left, right, top, bottom = 44, width - beside, 12, height - 30

    def across(x):
        return left + (right - left) * (x - low_x) / (high_x - low_x)

    def up(y):
        return bottom - (bottom - top) * (y - low) / ((high - low) or 1)

    out = [
        f'<svg class="lu-chart" role="img" aria-label="{safe(label)}" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}" font-size="13">'
    ]
    for tick in levels:
        y = up(tick)
        out.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--lu-rule)"'
            f' stroke-opacity="0.5"/><text class="lu-quiet" x="{left - 6}" y="{y + 4:.1f}"'
            f' text-anchor="end">{tick:g}</text>'
        )
    for x in sorted({low_x, high_x}):
        anchor = "start" if x == low_x else "end"
        out.append(
            f'<text class="lu-quiet" x="{across(x):.1f}" y="{bottom + 18}"'
            f' text-anchor="{anchor}">{x:g}{" " + escape(unit) if x == high_x else ""}</text>'
        )
    labels = []
    for name, y in floors.items():
        out.append(
            f'<line x1="{left}" x2="{right}" y1="{up(y):.1f}" y2="{up(y):.1f}"'
            ' stroke="var(--lu-green)" stroke-width="2" stroke-dasharray="7 4"/>'
        )
        labels.append((up(y), f"{name} {y:.2f}", False))
    for one in series:
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in one["points"])
        dash = f' stroke-dasharray="{one["dash"]}"' if one.get("dash") else ""
        color = one.get("color", "var(--lu-blue)")
        thick = one.get("thick", True)
        if one["points"]:
            x, y = one["points"][-1]
            out.append(
                f'<polyline points="{path}" fill="none" stroke="{color}"'
                f' stroke-width="{2.5 if thick else 1.5}"{dash} stroke-linejoin="round"/>'
                f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="{4 if thick else 2.5}"'
                f' fill="{color}"/>'
            )
            if one.get("name"):
                labels.append((up(y), one["name"], thick))
    labels.sort(key=lambda label: label[0])
    heights = spread([y for y, _, _ in labels], gap=16, low=top + 6, high=bottom + 2)
    for y, (_, name, bold) in zip(heights, labels, strict=True):
        weight = ' font-weight="600"' if bold else ""
        out.append(f'<text x="{right + 8}" y="{y + 4:.1f}"{weight}>{safe(name)}</text>')
    return scrolling("".join(out) + "</svg>", "Chart, scrolls sideways")


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
