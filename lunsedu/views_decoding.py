"""Decoding as HTML and SVG: the candidate tree, decoders side by side, the race of candidates.

    candidate_tree(result)             -> SVG: where the candidates part and what else was likely
    comparison([result, other])        -> a table, one row a decoder
    race(result, step)                 -> the candidates as they were after some tokens

The ranked table itself is the Result's own (results_html.py).
"""

import math

from lunsedu.results import SCORES, describe
from lunsedu.results_html import percent, visible
from lunsedu.views import line_chart, note_view, page, safe, scrolling, shorten

ROW, BOX, CHARACTER, GAP = 52, 38, 8.0, 20  # pixels: a row, a node, a letter, between two nodes
MAX_LABEL = 16  # characters of a token shown in its node; its description has all of them
POPUP_WIDTH, POPUP_LINE = 222, 18
LONGEST = 240  # characters of a prompt that a page repeats
SAME = 1e-5  # scores this close are one: batches of other sizes round in other ways


def headline(result):
    """Return the winner in one line: its text, its score, what it cost and how long it took."""
    best = result.best
    steps = result.forward_steps
    return (
        f'<p class="lu-head"><span class="lu-winner">&#9733; best</span> <span dir="auto">'
        f'<span class="lu-quiet">{safe(shorten(result.prompt, LONGEST))}</span>'
        f"<b>{safe(best.text)}</b></span></p>"
        f'<p class="lu-quiet">{safe(result.method)}: score {best.score:.3f},'
        f" {steps} forward step{'s' * (steps != 1)}, {result.tokens_computed} tokens computed,"
        f' <span class="lu-time">{1000 * result.seconds:.0f} ms</span></p>'
    )


def too_long(result):
    """Return a note if the prompt was longer than the model can read, else ""."""
    if not result.dropped:
        return ""
    kept = len(result.prompt_ids) - result.dropped
    return note_view(
        f"The prompt has {len(result.prompt_ids)} tokens, more than fit into the model beside the"
        f" new ones: only the last {kept} are read."
    )


# --- the candidate tree -----------------------------------------------------------------------


def tree_nodes(result):
    """Return the nodes of the candidate tree, row by row, each candidate from left to right.

    A node is a dict: row, column, token (its place in the candidate), candidate (index of the best
    candidate that goes through it), parent (index into this list, None for the first column).
    Candidates that begin alike share those nodes, in the row of the best of them.
    """
    nodes, known = [], {}
    for row, candidate in enumerate(result.candidates):
        parent = None
        for t in range(len(candidate.token_ids)):
            start = tuple(candidate.token_ids[: t + 1])
            if start not in known:
                known[start] = len(nodes)
                nodes.append(dict(row=row, column=t, candidate=row, parent=parent))
            parent = known[start]
    return nodes


def candidate_tree(result):
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


# --- decoders side by side --------------------------------------------------------------------


def comparison(results):
    """Return a table of the winners of several decoders on one prompt, a row each.

    The row with the highest score is marked by a star, the word "highest" and bold type.
    """
    top = max(result.best.score for result in results)
    rows = []
    for result in results:
        best = result.best
        first = best.score >= top - SAME
        mark = ' <span class="lu-winner">&#9733; highest</span>' if first else ""
        score = f"<b>{best.score:.3f}</b>" if first else f"{best.score:.3f}"
        text = safe(best.text.strip()) or "<i>(no text)</i>"
        rows.append(
            f'<tr><th scope="row">{safe(result.method)}</th><td class="lu-number">{score}</td>'
            f'<td style="width:50%"><span dir="auto">{text}</span>{mark}</td>'
            f'<td class="lu-number">{len(result.candidates)}</td>'
            f'<td class="lu-number">{result.forward_steps}</td>'
            f'<td class="lu-number">{result.tokens_computed}</td>'
            f'<td class="lu-number lu-time">{1000 * result.seconds:.0f} ms</td></tr>'
        )
    name = results[0].score_name
    table = (
        "<table><thead><tr>"
        f'<th scope="col">decoder</th><th scope="col" class="lu-number">{name} score</th>'
        '<th scope="col">its best text</th><th scope="col" class="lu-number">candidates</th>'
        '<th scope="col" class="lu-number">forward steps</th>'
        '<th scope="col" class="lu-number">tokens computed</th>'
        '<th scope="col" class="lu-number">time</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return scrolling(table, "Decoders, scrolls sideways") + (
        f'<p class="lu-quiet">All rows use the same score: {SCORES[name]}. Beam search is led'
        " by it at every step, InsideOut ranks by it at the end, greedy never looks at it.</p>"
    )


# --- the race ---------------------------------------------------------------------------------


def race_standing(result, step):
    """Return the race after `step` tokens: a list of dicts, in the order of the starts.

    Each has candidate (its final rank, 0 is best), tokens (so far), probs, score, done (it has
    ended) and leads (bool; ties: the likelier start).
    """
    order = sorted(range(len(result.candidates)), key=lambda i: -result.candidates[i].start_prob)
    lanes = []
    for i in order:
        candidate = result.candidates[i]
        seen = min(step, len(candidate.token_ids))
        scores = candidate.running_scores(result.score_name)
        lanes.append(
            dict(
                candidate=i,
                tokens=candidate.tokens[:seen],
                probs=[float(p) for p in candidate.probs[:seen]],
                score=float(scores[seen - 1]) if seen else None,
                done=seen == len(candidate.token_ids),
                leads=False,
            )
        )
    running = [lane for lane in lanes if lane["score"] is not None]
    if running:
        max(running, key=lambda lane: lane["score"])["leads"] = True
    return lanes


def race(result, step):
    """Return the page of the race after `step` tokens: the lanes, and the scores as lines."""
    longest = max(len(c.token_ids) for c in result.candidates)
    step = min(step, longest)
    over = step == longest
    lanes = race_standing(result, step)
    rows = [_lane(lane, number, step, over) for number, lane in enumerate(lanes, start=1)]
    leader = next((n for n, lane in enumerate(lanes, start=1) if lane["leads"]), None)
    return page(
        f'<p class="lu-head">After <b>{step}</b> of {longest} tokens'
        + (f": number {leader} {'wins' if over else 'leads'}." if leader else ": ready to start.")
        + "</p>",
        too_long(result),
        RACE_STYLE,
        '<table class="lu-race"><thead><tr><th scope="col">start</th>'
        f'<th scope="col" class="lu-number">{result.score_name} score</th>'
        '<th scope="col">tokens so far, and how likely each was</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>",
        _race_chart(result, lanes, step, longest),
        '<p class="lu-quiet">Each starts with another likely token and then always takes the'
        f" likeliest. The score is the {SCORES[result.score_name]}.</p>",
    )


RACE_STYLE = """<style>
.lunsedu .lu-race .lu-lead { background: rgba(var(--lu-tint), 0.13); }
.lunsedu .lu-race td:last-child { width: 100%; }
.lunsedu .lu-race .lu-chip { display: inline-block; padding: 1px 4px 6px; margin: 0 3px 3px 0;
  border-radius: 3px; text-align: center; background: linear-gradient(to right, var(--lu-blue)
  var(--lu-p), transparent 0) bottom left / 100% 4px no-repeat, var(--lu-soft); }
.lunsedu .lu-race .lu-chip small { display: block; font-size: 12px; line-height: 14px;
  font-family: var(--jp-ui-font-family, sans-serif); }
</style>"""


def _lane(lane, number, step, over):
    chips = "".join(
        f'<span class="lu-chip lu-code{" lu-new" if t == step - 1 else ""}"'
        f' style="--lu-p:{100 * p:.0f}%">{safe(visible(token))}'
        f"<small>{safe(percent(p))}</small></span>"
        for t, (token, p) in enumerate(zip(lane["tokens"], lane["probs"], strict=True))
    )
    mark = ""
    if lane["leads"]:
        mark = f' <span class="lu-winner">&#9733; {"wins" if over else "leads"}</span>'
    elif lane["done"] and not over:
        mark = ' <span class="lu-quiet">ended</span>'
    score = "&#8211;" if lane["score"] is None else f"{lane['score']:.3f}"
    return (
        f'<tr class="{"lu-lead" if lane["leads"] else ""}"><th scope="row">{number}</th>'
        f'<td class="lu-number"><b>{score}</b></td><td>{chips}{mark}</td></tr>'
    )


def _race_chart(result, lanes, step, longest):
    """The scores after each token so far, as lines; the leader's is thick and blue."""
    series, words = [], []
    for number, lane in enumerate(lanes, start=1):
        scores = result.candidates[lane["candidate"]].running_scores(result.score_name)
        scores = scores[: len(lane["tokens"])]
        points = [(t + 1, float(s)) for t, s in enumerate(scores) if math.isfinite(s)]
        if points:
            color = "var(--lu-blue)" if lane["leads"] else "var(--lu-grey)"
            name = f"{'★ ' if lane['leads'] else ''}{number}: {points[-1][1]:.2f}"
            series.append(dict(points=points, name=name, color=color, thick=lane["leads"]))
            words.append(f"number {number} {points[-1][1]:.2f}")
    label = f"Scores after {step} of {longest} tokens: {', '.join(words)}."
    height = 60 + 17 * max(6, len(lanes))
    return line_chart(series, label, unit="tokens", x_range=(1, longest), height=height)
