"""The tree of candidates as SVG: where they part, and what else was likely there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.decoding.result_text import describe
from lunsedu.decoding.tree_and_race import tree_nodes
from lunsedu.display.html_page import scrolling, shorten
from lunsedu.looks import percent, safe, visible

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result

ROW, BOX, CHARACTER, GAP = 52, 38, 8.0, 20  # pixels: a row, a node, a letter, between two nodes


MAX_LABEL = 16  # characters of a token shown in its node; its description has all of them


POPUP_WIDTH, POPUP_LINE = 222, 18


def candidate_tree(result: Result) -> str:
    """Return the tree of candidates as SVG: a row a candidate, best on top, a node a token.

    Each node shows its token and probability; pointing at it or focusing it opens the strongest
    alternatives. The best candidate has a star, the word "best", thick blue lines.
    """
    nodes = tree_nodes(result)
    if not nodes:
        return f"<p>{safe(describe(result))} There is no token to draw a tree of.</p>"
    lefts, widths = _columns(result, nodes)
    width = max(lefts[-1] + widths[-1], lefts[0] + POPUP_WIDTH) + 12
    rows = len(result.candidates)
    height = max(rows * ROW + 14, min(rows, 3) * ROW + 7 * POPUP_LINE)
    places = [(lefts[n["column"]], 8 + n["row"] * ROW, widths[n["column"]]) for n in nodes]
    root = _root(result, rows)
    edges = [_edge(n, places[i], places, lefts[0]) for i, n in enumerate(nodes)]
    boxes = [_box(result, n, places[i]) for i, n in enumerate(nodes)]
    targets = [_target(result, n, places[i], width, height) for i, n in enumerate(nodes)]
    picture = (
        f'<svg class="lu-tree" role="group" aria-label="{safe("Tree. " + describe(result))}"'
        f' width="{width:.0f}" height="{height}" font-size="13">'
        f'<g aria-hidden="true">{"".join(edges)}{root}{"".join(boxes)}</g>{"".join(targets)}'
        "</svg>"
    )
    return (
        TREE_STYLE
        + scrolling(picture, "Candidate tree, scrolls")
        + '<p class="lu-quiet">A box is a token with its probability. Point at one, or move to it'
        " with the Tab key, to see what else was likely there. &#183; is a space.</p>"
    )


TREE_STYLE = """<style>
.lunsedu .lu-tree .lu-node rect { fill: var(--lu-paper); stroke: var(--lu-grey); }
.lunsedu .lu-tree .lu-node.lu-best rect { stroke: var(--lu-blue); stroke-width: 2.5; }
.lunsedu .lu-tree .lu-node .lu-bar { fill: var(--lu-grey); stroke: none; }
.lunsedu .lu-tree .lu-node.lu-best .lu-bar { fill: var(--lu-blue); stroke: none; }
.lunsedu .lu-tree path { fill: none; stroke: var(--lu-grey); stroke-width: 1.3; }
.lunsedu .lu-tree path.lu-best { stroke: var(--lu-blue); stroke-width: 3; }
.lunsedu .lu-tree .lu-hit { outline: none; cursor: help; }
.lunsedu .lu-tree .lu-hit > rect { fill: transparent; }
.lunsedu .lu-tree .lu-hit:hover > rect { stroke: var(--lu-red); stroke-width: 2; }
.lunsedu .lu-tree .lu-hit:focus > rect { stroke: var(--lu-red); stroke-width: 3; }
.lunsedu .lu-tree .lu-popup { display: none; pointer-events: none; }
.lunsedu .lu-tree .lu-hit:hover .lu-popup, .lunsedu .lu-tree .lu-hit:focus .lu-popup {
  display: block; }
.lunsedu .lu-tree .lu-popup rect { fill: var(--lu-soft); stroke: var(--lu-red); }
.lunsedu .lu-tree .lu-popup .lu-bar { fill: var(--lu-grey); stroke: none; }
.lunsedu .lu-tree text { font-family: var(--jp-code-font-family, monospace); }
</style>"""


def _columns(result, nodes):
    """Return the left edges and widths of the columns, wide enough for their longest token."""
    count = 1 + max(n["column"] for n in nodes)
    longest = [3] * count
    for n in nodes:
        token = visible(result.candidates[n["candidate"]].tokens[n["column"]])
        longest[n["column"]] = max(longest[n["column"]], min(len(token), MAX_LABEL))
    widths = [CHARACTER * length + 16 for length in longest]
    lefts = [_root_width(result) + 74]
    for width in widths[:-1]:
        lefts.append(lefts[-1] + width + GAP)
    return lefts, widths


def _root_text(result):
    return shorten(visible(result.prompt), 18) if result.prompt else "(start)"


def _root_width(result):
    return CHARACTER * len(_root_text(result)) + 16


def _root(result, rows):
    """The prompt's box, and the rank of each candidate at the start of its row."""
    width = _root_width(result)
    out = [
        f'<g class="lu-node"><rect x="2" y="8" width="{width:.0f}" height="{BOX}" rx="2"'
        f' stroke-dasharray="3 2"/><text x="10" y="32">{safe(_root_text(result))}</text></g>'
    ]
    for row in range(rows):
        rank = "&#9733; best" if row == 0 else str(row + 1)
        weight = ' font-weight="700"' if row == 0 else ""
        out.append(
            f'<text x="{width + 66:.0f}" y="{row * ROW + BOX / 2:.0f}"'
            f' text-anchor="end"{weight} style="font-family:inherit">{rank}</text>'
        )
    return "".join(out)


def _edge(node, place, places, first_left):
    x2, y2 = place[0], place[1] + BOX / 2
    if node["parent"] is None:
        x1, y1 = first_left - 72, 8 + BOX / 2
        gap = 46
    else:
        px, py, pw = places[node["parent"]]
        x1, y1 = px + pw, py + BOX / 2
        gap = GAP
    best = ' class="lu-best"' if node["candidate"] == 0 else ""
    if y1 == y2:
        return f'<path{best} d="M{x1:.0f},{y1:.0f}H{x2:.0f}"/>'
    turn = x1 + gap * 0.4
    return (
        f'<path{best} d="M{x1:.0f},{y1:.0f}H{turn:.0f}V{y2 - 8:.0f}'
        f'Q{turn:.0f},{y2:.0f} {turn + 8:.0f},{y2:.0f}H{x2:.0f}"/>'
    )


def _box(result, node, place):
    candidate, t = result.candidates[node["candidate"]], node["column"]
    x, y, width = place
    token, prob = visible(candidate.tokens[t]), float(candidate.probs[t])
    if len(token) > MAX_LABEL:
        token = token[: MAX_LABEL - 1] + "…"
    best = " lu-best" if node["candidate"] == 0 else ""
    bar = max(1.0, (width - 8) * prob)
    return (
        f'<g class="lu-node{best}"><rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{BOX}"'
        f' rx="5"/><rect class="lu-bar" x="{x + 4:.0f}" y="{y + BOX - 6}" width="{bar:.1f}"'
        f' height="3"/><text x="{x + 8:.0f}" y="{y + 15}">{safe(token)}</text>'
        f'<text class="lu-quiet" x="{x + 8:.0f}" y="{y + 28}" font-size="12">'
        f"{safe(percent(prob))}</text></g>"
    )


def _target(result, node, place, width, height):
    """The invisible upper layer of a node: takes pointer and focus, holds the alternatives."""
    candidate, t = result.candidates[node["candidate"]], node["column"]
    x, y, box = place
    token, prob = visible(candidate.tokens[t]), float(candidate.probs[t])
    others = [(visible(text), float(p)) for _, text, p in candidate.alternatives[t]]
    tall = POPUP_LINE * (len(others) + 1) + 12
    left = max(2, min(x, width - POPUP_WIDTH - 2))
    top = y + BOX + 4 if y + BOX + 4 + tall < height else max(2, y - tall - 4)
    lines = [
        f'<text x="{left + 10:.0f}" y="{top + 18}" font-weight="700">'
        f"chosen {safe(shorten(token, 12))} {safe(percent(prob))}</text>"
    ]
    bars = ""
    for i, (text, p) in enumerate(others, start=1):  # few elements: there are hundreds of nodes
        base = top + 18 + i * POPUP_LINE
        words = f"{shorten(text, 12):12} {percent(p):>4}".replace(" ", "\N{NO-BREAK SPACE}")
        lines.append(f'<text x="{left + 10:.0f}" y="{base}">{safe(words)}</text>')
        bars += f"M{left + 154:.0f},{base - 8}h{max(1, 56 * p):.1f}v8H{left + 154:.0f}z"
    lines.append(f'<path class="lu-bar" d="{bars}"/>')
    listed = ", ".join(f"{text} {p:.2f}" for text, p in others)
    rank = "best candidate" if node["candidate"] == 0 else f"candidate {node['candidate'] + 1}"
    label = f"{rank}, token {t + 1}: {token}, probability {prob:.2f}; strongest here: {listed}"
    return (
        f'<g class="lu-hit" tabindex="0" role="img" aria-label="{safe(label)}">'
        f'<rect x="{x:.0f}" y="{y}" width="{box:.0f}" height="{BOX}" rx="5"/>'
        f'<g class="lu-popup"><rect x="{left:.0f}" y="{top}" width="{POPUP_WIDTH}"'
        f' height="{tall}" rx="4"/>{"".join(lines)}</g></g>'
    )
