"""What the widgets show: pure functions from numbers to HTML, and the style that they share.

    html = error_view(error)

Every function here and in views_decoding.py and views_model.py takes plain values and returns a
string of HTML or SVG; nothing is drawn by hand or kept. All text of users and models is escaped.
Colours follow JupyterLab's light or dark theme. Nothing depends on colour alone, every picture
has its description in words, and what moves stands still for people who ask for that.

What is not here: sliders and buttons (controls.py, widgets.py), static pictures (stills.py).
"""

import traceback
from html import escape

from lunsedu.results_html import _safe as safe
from lunsedu.results_html import visible

__all__ = [
    "LETTER",
    "STYLE",
    "error_view",
    "line_chart",
    "note_view",
    "page",
    "safe",
    "scrolling",
    "shorten",
    "visible",
]

STYLE = """<style>
.lunsedu { --lu-ink: var(--jp-ui-font-color1, #222); --lu-paper: var(--jp-layout-color0, #fff);
  --lu-soft: var(--jp-layout-color2, #eee); --lu-rule: var(--jp-border-color1, #bbb);
  --lu-quiet: #595f66; --lu-blue: #0072b2; --lu-red: #d55e00; --lu-green: #00805d;
  --lu-grey: #767676; --lu-tint: 0, 114, 178; }
[data-jp-theme-light="false"] .lunsedu { --lu-quiet: #b4bac0; --lu-blue: #56b4e9;
  --lu-red: #ff8c3a; --lu-green: #2fc79b; --lu-grey: #9a9a9a; --lu-tint: 86, 180, 233; }
.lunsedu .lu-page { color: var(--lu-ink); font: 14px/1.45 var(--jp-ui-font-family, sans-serif);
  max-width: 70em; padding: 2px; container-type: inline-size; }
.lunsedu .lu-page p { margin: 4px 0; }
.lunsedu .lu-head { font-size: 16px; margin: 2px 0 6px; overflow-wrap: anywhere; }
.lunsedu .lu-quiet { color: var(--lu-quiet); }
.lunsedu .lu-winner { background: #0072b2; color: #fff; border-radius: 3px; padding: 1px 7px;
  font-weight: 600; white-space: nowrap; }
.lunsedu .lu-scroll { overflow: auto; max-height: 560px; border-radius: 4px; }
.lunsedu .lu-code { font-family: var(--jp-code-font-family, monospace); white-space: pre; }
.lunsedu .lu-tiles { display: flex; flex-wrap: wrap; gap: 8px 28px; margin: 4px 0 8px; padding: 0; }
.lunsedu .lu-tiles div { display: flex; flex-direction: column-reverse; }
.lunsedu .lu-tiles dt { color: var(--lu-quiet); font-weight: 400; white-space: nowrap; }
.lunsedu .lu-tiles dd { margin: 0; font-size: 20px; font-weight: 600; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lunsedu .lu-error, .lunsedu .lu-note { border-left: 4px solid var(--lu-red); color: var(--lu-ink);
  background: var(--lu-soft); padding: 8px 12px; margin: 4px 0; overflow-wrap: anywhere;
  font: 14px/1.45 var(--jp-ui-font-family, sans-serif); max-width: 70em; }
.lunsedu .lu-note { border-color: var(--lu-blue); }
.lunsedu .lu-error pre { font-size: 12px; overflow-x: auto; color: inherit; background: none;
  margin: 6px 0 0; }
.lunsedu .lu-page svg { display: block; max-width: none; font-family: inherit; }
.lunsedu .lu-page svg text { fill: var(--lu-ink); }
.lunsedu .lu-page svg .lu-quiet { fill: var(--lu-quiet); }
.lunsedu .lu-page table { border-collapse: collapse; border: none; font-size: 14px; margin: 4px 0;
  color: inherit; }
.lunsedu .lu-page table th, .lunsedu .lu-page table td { text-align: left; border: none;
  padding: 5px 14px 5px 6px; border-top: 1px solid var(--lu-rule); vertical-align: top;
  max-width: none; overflow-wrap: anywhere; }
.lunsedu .lu-page table tr { background: none; }
.lunsedu .lu-page table th { white-space: nowrap; }
.lunsedu .lu-page table thead th { border-top: none; color: var(--lu-quiet); font-weight: 600;
  white-space: normal; overflow-wrap: normal; vertical-align: bottom; }
.lunsedu .lu-page .lu-number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lunsedu .lu-page table thead th.lu-number { white-space: normal; }
.lunsedu .lu-page details { margin: 6px 0; }
.lunsedu .lunsedu-result { font-size: 14px; }
.lunsedu .lunsedu-result .lunsedu-token > span, .lunsedu .lunsedu-result .lunsedu-token > bdi,
.lunsedu .lunsedu-result .lunsedu-note { font-size: 12px !important; }
.lunsedu .lunsedu-result .lunsedu-prompt { display: -webkit-inline-box; overflow: hidden;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2; vertical-align: bottom; }
.lunsedu .lu-page svg.lu-chart { min-width: 560px; max-width: 100%; height: auto; }
@container (max-width: 520px) {
  .lunsedu .lunsedu-result thead { display: none; }
  .lunsedu .lunsedu-result tbody tr { display: grid; grid-template-columns: 5em 1fr auto;
    border-top: 1px solid var(--lu-rule); }
  .lunsedu .lunsedu-result table tbody th, .lunsedu .lunsedu-result table tbody td { border: none; }
  .lunsedu .lunsedu-result table td.lunsedu-text { grid-row: 2; grid-column: 1 / -1; width: auto; }
  .lunsedu .lu-page table th, .lunsedu .lu-page table td { padding: 5px 8px 5px 4px; }
}
.lunsedu .lu-new { animation: lu-appear 0.35s ease-out; }
@keyframes lu-appear { from { opacity: 0.25; } to { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .lunsedu .lu-new { animation: none; } }
</style>"""


def scrolling(html, label):
    """Return HTML in a frame that scrolls sideways where the page is too narrow for it."""
    return (
        f'<div class="lu-scroll" tabindex="0" role="group" aria-label="{safe(label)}">{html}</div>'
    )


def page(*parts):
    """Return the parts as one page; `None` and "" are left out.

    The shell around it (controls.py) has the class "lunsedu" and the STYLE that pages need.
    """
    return f'<div class="lu-page">{"".join(part for part in parts if part)}</div>'


def error_view(error):
    """Return an exception as one clear sentence, with its traceback folded.

    The package's own errors are written for people and shown as they are; anything else is named.

    >>> "bad prompt" in error_view(ValueError("bad prompt"))
    True
    """
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    message = str(error).strip()
    if not isinstance(error, (ValueError, TypeError, OSError, FloatingPointError)) or not message:
        message = f"this did not work ({type(error).__name__}{': ' * bool(message)}{message})"
    return (
        f'<div class="lu-error" role="alert"><b>&#9888; Error:</b> {safe(message)}'
        "<details><summary>Where it happened</summary>"
        f'<pre tabindex="0">{safe("".join(lines))}</pre></details></div>'
    )


def note_view(text):
    """Return a sentence that is no error, such as a warning of the package."""
    return f'<div class="lu-note" role="status">&#8505; {safe(text)}</div>'


def shorten(text, length):
    """Return the end of a text, at most `length` characters, with an ellipsis for what is gone.

    >>> shorten("once upon a time", 7)
    '…a time'
    """
    return text if len(text) <= length else "…" + text[1 - length :]


LETTER = 7.5  # pixels of a letter in a chart, at most in the mean


def line_chart(series, label, unit="", floor=None, x_range=None, width=640, height=220):
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
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
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
    for tick in ticks:
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
    for y, name, bold in _spread(labels, top + 6, bottom + 2):
        weight = ' font-weight="600"' if bold else ""
        out.append(f'<text x="{right + 8}" y="{y + 4:.1f}"{weight}>{safe(name)}</text>')
    return scrolling("".join(out) + "</svg>", "Chart, scrolls sideways")


def _ticks(low, high):
    """Return about four round numbers from low to high, for an axis."""
    high = high if high > low else low + 1
    span = high - low
    size = 10.0 ** len(str(int(span)))
    while span / size < 1:
        size /= 10
    step = next(s * size for s in (0.1, 0.2, 0.25, 0.5, 1, 2, 5) if span / (s * size) <= 5)
    first = int(low // step)
    return [round(i * step, 6) for i in range(first, int(high / step + 0.999) + 1)]


def _spread(labels, top, bottom, gap=16):
    """Move labels (y, text, bold) apart so that no two overlap, and keep them on the chart."""
    placed = []
    for y, text, bold in sorted(labels, key=lambda item: item[0]):
        placed.append([max(y, placed[-1][0] + gap if placed else top), text, bold])
    limit = bottom
    for one in reversed(placed):
        one[0] = min(one[0], limit)
        limit = one[0] - gap
    return placed
