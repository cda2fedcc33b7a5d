"""The race of candidates as HTML and SVG: how they stood after some tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lunsedu.decoding.scores import SCORES
from lunsedu.decoding.tree_and_race import race_standing
from lunsedu.display.html_page import page
from lunsedu.display.line_chart import line_chart
from lunsedu.display.winners import too_long
from lunsedu.looks import percent, safe, visible

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result


def race(result: Result, step: int) -> str:
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
