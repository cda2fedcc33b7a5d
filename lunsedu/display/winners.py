"""The winner of one decoder in a line, and the winners of several in a table, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lunsedu.decoding.scores import SCORES
from lunsedu.display.html_page import note_view, scrolling, shorten
from lunsedu.looks import counted, safe

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result

LONGEST = 240  # characters of a prompt that a page repeats


SAME = 1e-5  # scores this close are one: batches of other sizes round in other ways


def headline(result: Result) -> str:
    """Return the winner in one line: its text, its score, what it cost and how long it took."""
    best = result.best
    return (
        f'<p class="lu-head"><span class="lu-winner">&#9733; best</span> <span dir="auto">'
        f'<span class="lu-quiet">{safe(shorten(result.prompt, LONGEST))}</span>'
        f"<b>{safe(best.text)}</b></span></p>"
        f'<p class="lu-quiet">{safe(result.method)}: score {best.score:.3f},'
        f" {counted(result.forward_steps, 'forward step')},"
        f" {result.tokens_computed} tokens computed,"
        f' <span class="lu-time">{1000 * result.seconds:.0f} ms</span></p>'
    )


def too_long(result: Result) -> str:
    """Return a note if the prompt was longer than the model can read, else ""."""
    if not result.dropped:
        return ""
    kept = len(result.prompt_ids) - result.dropped
    return note_view(
        f"The prompt has {len(result.prompt_ids)} tokens, more than fit into the model beside the"
        f" new ones: only the last {kept} are read."
    )


def comparison(results: Sequence[Result]) -> str:
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
