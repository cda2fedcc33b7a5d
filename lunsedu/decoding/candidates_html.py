"""The candidates view: a `Result` as HTML for a notebook.

Each candidate is a row: its rank, its score, its text, and below the text one column a token with
a bar for the token's probability. The winner is marked by a star, by the word "best" and by
colour, so that nothing depends on colour alone. All text is escaped.

Two layers of style: the style block follows JupyterLab's light or dark theme; where it is removed
(JupyterLab does so in a notebook that is not trusted yet) the plain styles on the elements still
draw the bars, and without any style the table reads as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.decoding.result_text import cost, count_candidates, describe
from lunsedu.decoding.scores import SCORES
from lunsedu.looks import BLUE, QUIET, RED, percent, safe, visible

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result

BAR_HEIGHT = 26  # pixels of a bar for probability 1

STYLE = """<style>
.lunsedu-result { color: var(--jp-ui-font-color1, #222); padding: 4px 2px; max-width: 72em;
  background: var(--jp-layout-color0, #fff); font: 13px/1.4 var(--jp-ui-font-family, sans-serif); }
.lunsedu-result table { border-collapse: collapse; width: 100%; margin: 4px 0; border: none;
  table-layout: auto; font-size: inherit; color: inherit; }
.lunsedu-result table th, .lunsedu-result table td { padding: 6px 10px 4px 8px; border: none;
  border-top: 1px solid var(--jp-border-color2, #ccc); white-space: nowrap; max-width: none;
  color: inherit; font-weight: normal; }
.lunsedu-result table thead th { border-top: none; padding-bottom: 2px; font-weight: 600; }
.lunsedu-result table td.lunsedu-text { white-space: normal; width: 100%; }
.lunsedu-result table tbody tr.lunsedu-other { background: none; }
.lunsedu-result table tbody tr.lunsedu-best { background: rgba(0, 114, 178, 0.10); }
.lunsedu-result .lunsedu-line { font-size: 14px; overflow-wrap: anywhere; white-space: pre-wrap; }
.lunsedu-result .lunsedu-best .lunsedu-line { font-weight: 600; }
.lunsedu-result .lunsedu-token:hover { background: var(--jp-layout-color2, #eee); }
.lunsedu-result .lunsedu-code { font-family: var(--jp-code-font-family, monospace); }
.lunsedu-result .lunsedu-prompt { overflow-wrap: anywhere; white-space: pre-wrap; }
.lunsedu-result .lunsedu-note { font-size: 12px; margin: 2px 0; }
.lunsedu-result details ol { margin: 2px 0; padding-left: 2.5em; font-size: 12px; }
</style>"""

# On the cells themselves, since JupyterLab's own rule for tables (flush right) outweighs a class.
LEFT = 'style="text-align:left;vertical-align:top"'


def result_html(result: Result) -> str:
    """Return the HTML of the candidates view."""
    forks = result.method == "InsideOut" and len(result.candidates) > 1
    fork = result.fork if forks else None  # the token at which the candidates part
    rows = [_row(rank, c, result, fork) for rank, c in enumerate(result.candidates, start=1)]
    columns = ("rank", "score", "text, and the probability of each of its tokens", "ended")
    heads = "".join(f'<th scope="col" {LEFT}>{name}</th>' for name in columns)
    prompt = f'<span class="lunsedu-code lunsedu-prompt" dir="auto">{safe(result.prompt)}</span>'
    where = f"after {prompt}" if result.prompt else "without a prompt"
    return (
        f'{STYLE}<div class="lunsedu-result" role="figure" aria-label="{safe(describe(result))}">'
        f"<div><b>{safe(result.method)}</b> {where} &#8212; {count_candidates(result)},"
        f" {result.score_name} score: {SCORES[result.score_name]}</div>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"{_legend(result, fork)}{_alternatives(result.best)}</div>"
    )


def _row(rank, candidate, result, fork):
    best = rank == 1
    color = BLUE if best else QUIET
    mark = (
        f'<span style="background-color:{BLUE};color:#ffffff;padding:1px 6px;border-radius:3px">'
        "&#9733;&nbsp;best</span>"
        if best
        else str(rank)
    )
    tokens = " ".join(_token(candidate, t, color, t == fork) for t in range(len(candidate.tokens)))
    text = safe(candidate.text.strip()) or "<i>(no text)</i>"
    ended = "&#10003;&nbsp;finished" if candidate.finished else "&#8230;&nbsp;cut&nbsp;off"
    return (
        f'<tr class="{"lunsedu-best" if best else "lunsedu-other"}">'
        f'<th scope="row" {LEFT}>{mark}</th>'
        f"<td {LEFT}>{_score(candidate.score, result.score_name, color)}</td>"
        f'<td class="lunsedu-text" {LEFT}>'
        f'<div class="lunsedu-line" dir="auto">{text}</div>{tokens}</td>'
        f"<td {LEFT}>{ended}</td></tr>"
    )


def _score(score, name, color):
    """The score as a number, and as a bar if it is one that goes from 0 to 1."""
    bar = ""
    if name != "sum":
        width = f"{48 * score:.0f}px"
        bar = f'<div style="height:5px;width:{width};background-color:{color}"></div>'
    return f"<b>{score:.3f}</b>{bar}"


def _token(candidate, t, color, parts):
    """One column: the token's text on the base line, its bar above, and the number on the bar."""
    prob = candidate.probs[t]
    height = max(1, round(BAR_HEIGHT * prob))
    others = ", ".join(f"{visible(text)} {p:.4f}" for _, text, p in candidate.alternatives[t])
    title = f"token {t + 1}: {visible(candidate.tokens[t])}, probability {prob:.4f}"
    title += f"; strongest here: {others}" if others else ""
    base = f";border-bottom:2px solid {RED}" if parts else ""
    return (
        f'<span class="lunsedu-token" title="{safe(title)}" style="display:inline-block;'
        f'text-align:center;vertical-align:top;padding:0 2px{base}">'
        f'<span style="display:block;font-size:12px;line-height:14px;'
        f'margin-top:{BAR_HEIGHT - height}px">{safe(percent(prob))} </span>'
        f'<span style="display:block;width:16px;height:{height}px;background-color:{color};'
        f'margin-left:auto;margin-right:auto"></span>{_code(visible(candidate.tokens[t]))}</span>'
    )


def _code(token):
    """A token's text, escaped, in the font of code; a right-to-left one stays in its place."""
    style = "font-family:monospace;font-size:12px;white-space:pre"
    return f'<bdi class="lunsedu-code" style="{style}">{safe(token)}</bdi>'


def _legend(result, fork):
    notes = ["Bars and numbers: how likely the model held each token."]
    if fork is not None:
        notes.append(
            f'The candidates part at the <span style="border-bottom:2px solid {RED}">'
            "underlined</span> token."
        )
    notes.append("&#183; is a space. Point at a token for what else the model held likely there.")
    notes.append(f"Cost: {cost(result)}.")
    return f'<div class="lunsedu-note">{" ".join(notes)}</div>'


def _alternatives(candidate):
    """A folded list, for those who can't point: the strongest tokens at each place of the best."""
    items = []
    for token, alternatives in zip(candidate.tokens, candidate.alternatives, strict=True):
        others = ", ".join(
            f"{_code(visible(text))} {safe(percent(prob))}" for _, text, prob in alternatives
        )
        items.append(f"<li>{_code(visible(token))} chosen among {others}</li>")
    if not items:
        return ""
    return (
        '<details class="lunsedu-note"><summary>The strongest tokens at each place of the best'
        f" candidate</summary><ol>{''.join(items)}</ol></details>"
    )
