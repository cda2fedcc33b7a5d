"""An Evaluation as text for a terminal, as HTML for a notebook, and as a picture.

All three show the same numbers with their 95 % intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.looks import COLORS, GREY, INK, counted, safe, spread
from lunsedu.plots import new_figure, show

if TYPE_CHECKING:
    from lunsedu.evaluation.evaluation import Evaluation, Row
    from lunsedu.plots.figures import Picture

COLUMNS = {
    "right": "right %",
    "well_formed": "well formed %",
    "model_log_prob": "model log-prob",
    "true_log_prob": "true log-prob",
    "distinct": "distinct",
    "forward_steps": "steps",
    "tokens_computed": "tokens",
}
NOTE = (
    "In brackets: 95 % intervals. Log-probabilities are nats a text, given the prompt; the true one"
    " is the mean over texts that the language holds possible. Steps and tokens computed are means"
    " a prompt, its own tokens counted once."
)


def cells(row: Row) -> list[tuple[str, str]]:
    """Return a row's columns as pairs of texts: (value, interval); "–" where there is no case."""
    found = []
    for name in COLUMNS:
        number = getattr(row, name)
        if number is None:
            found.append(("–", ""))
        elif name in ("right", "well_formed"):
            found.append(_with_interval(number, digits=1, scale=100))
        elif name in ("model_log_prob", "true_log_prob"):
            found.append(_with_interval(number, digits=2, scale=1))
        else:
            found.append((str(number) if name == "distinct" else f"{number:.1f}", ""))
    return found


def _with_interval(number, digits, scale):
    value, low, high = (
        f"{scale * x:.{digits}f}".replace("-", "−") for x in (number.value, number.low, number.high)
    )
    return value, f"[{low}, {high}]" if number.count > 1 else ""


def heading(table: Evaluation) -> str:
    """Return "3 decoders, 200 prompts"."""
    return f"{counted(len(table.rows), 'decoder')}, {counted(len(table.prompts), 'prompt')}"


def table_text(table: Evaluation) -> str:
    """Return the table as plain text, one line a decoder."""
    lines = [["", *COLUMNS.values()]]
    for row in table.rows:
        lines.append([row.name, *(f"{value} {range_}".strip() for value, range_ in cells(row))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = [heading(table)]
    for name, *others in lines:
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        shown.append("  ".join([name.ljust(widths[0]), *numbers]))
    return "\n".join([*shown, NOTE])


# On the elements themselves: JupyterLab takes style blocks out of notebooks not trusted yet.
CELL = "text-align:right;padding:3px 8px;vertical-align:top"
SMALL = "font-size:11px;opacity:0.75"


def table_html(table: Evaluation) -> str:
    """Return the table as HTML; names are escaped."""
    heads = "".join(
        f'<th scope="col" style="{CELL}">{name}</th>' for name in ("decoder", *COLUMNS.values())
    ).replace(CELL, CELL.replace("right", "left"), 1)
    return (
        f'<div role="figure" aria-label="Judged: {heading(table)}">'
        '<table style="border-collapse:collapse">'
        f'<caption style="text-align:left;padding:2px 8px">{heading(table)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(map(_row_html, table.rows))}</tbody>"
        f'</table><div style="{SMALL};max-width:60em;padding:0 8px">{NOTE}</div></div>'
    )


def _row_html(row):
    left = CELL.replace("right", "left")
    shown = [f'<th scope="row" style="{left}">{safe(row.name)}</th>']
    for value, range_ in cells(row):
        small = f'<div style="{SMALL};white-space:nowrap">{range_}</div>' if range_ else ""
        shown.append(f'<td style="{CELL}">{value}{small}</td>')
    return f"<tr>{''.join(shown)}</tr>"


def quality_over_cost(
    table: Evaluation, title: str = "", width: float = 7.0, height: float = 3.6
) -> Picture:
    """Draw each decoder's right answers, with intervals, over the tokens it computed.

    Names stand at the right, in the order of the points from top to bottom, tied to them by lines:
    points may lie on each other, names never do. Returns a Picture whose description lists all
    numbers. Raises ValueError when the prompts ask nothing.
    """
    rows = [row for row in table.rows if row.right]
    if not rows:
        raise ValueError("these prompts ask nothing, so there are no right answers to draw")
    height = max(height, 1.0 + 0.24 * len(rows))
    figure, axes = new_figure(width=width, height=height)
    costs = [row.tokens_computed for row in rows]
    first, last = min(costs), max(costs)
    span = (last - first) or 1.0
    line = 108 / (height - 0.8) * 0.2  # 0.2 inches in per cent: the axes go from -4 to 104
    rights = [100 * row.right.value for row in rows]
    # From top to bottom; of two at about the same height the one further right comes first.
    order = sorted(range(len(rows)), key=lambda i: (-round(rights[i] / line), -costs[i], i))
    heights = [-place for place in spread([-rights[i] for i in order], gap=line, high=0.0)]
    for rank, i in enumerate(order):
        row, color = rows[i], COLORS[i % len(COLORS)]
        value, low, high = (100 * x for x in (row.right.value, row.right.low, row.right.high))
        axes.plot([costs[i], costs[i]], [low, high], "-", color=color, linewidth=2)
        axes.plot(costs[i], value, "os^Dv"[i % 5], color=color, markersize=8,
                  markeredgecolor="white", zorder=3)  # fmt: skip
        axes.annotate(
            row.name, (costs[i], value), (last + 0.12 * span, heights[rank]), va="center",
            color=INK, annotation_clip=False, parse_math=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7, "shrinkB": 5,
                        "relpos": (0, 0.5)},
        )  # fmt: skip
    axes.set(xlabel="tokens computed a prompt", ylabel="right (%)", title=title, ylim=(-4, 104))
    axes.set_xlim(first - 0.06 * span, last + 0.06 * span)
    listed = "; ".join(
        f"{row.name} {row.right.text(digits=1, scale=100)} at {row.tokens_computed:.1f} tokens"
        for row in rows
    )
    name = title or "Quality over cost"
    return show(
        figure, f"{name}: right answers in per cent, 95 % interval, and cost a prompt. {listed}."
    )
