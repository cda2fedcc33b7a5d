"""A Result in words: as a table for a terminal, step by step, and as a picture's description.

None of it tells the time, so that saved output stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.decoding.scores import SCORES
from lunsedu.looks import counted

if TYPE_CHECKING:
    from lunsedu.decoding.results import Candidate, Result


def result_table(result: Result) -> str:
    """Return the result as a table of plain text, a line a candidate: what `print` shows."""
    head = ("", "score", "start", "tokens", "ended", "text")
    table = [head] + [_row(rank, c) for rank, c in enumerate(result.candidates, start=1)]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    numbers = {1, 2, 3}  # these columns are set flush right, the others flush left
    lines = [_heading(result)]
    for row in table:
        cells = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join(cells + [row[5]]))
    return "\n".join(lines + [cost(result)])


def cost(result: Result) -> str:
    """Return what the run cost, in words: "12 forward steps, 41 tokens computed"."""
    steps, tokens = result.forward_steps, result.tokens_computed
    return f"{counted(steps, 'forward step')}, {counted(tokens, 'token')} computed"


def ending(candidate: Candidate) -> str:
    """Return how a candidate ended: "finished" (it reached <|eos|>) or "cut off"."""
    return "finished" if candidate.finished else "cut off"


def occasion(result: Result) -> str:
    """Return "after 'the prompt'" or "without a prompt"."""
    return f"after {result.prompt!r}" if result.prompt else "without a prompt"


def count_candidates(result: Result) -> str:
    """Return "1 candidate", "5 candidates"."""
    return counted(len(result.candidates), "candidate")


def describe(result: Result) -> str:
    """Return the result in a sentence or two, as the alternative text of a picture of it."""
    first, *others = [f"{c.text!r}, {c.score:.2f}, {ending(c)}" for c in result.candidates]
    text = (
        f"{result.method} {occasion(result)}: {count_candidates(result)} by"
        f" {result.score_name} score; best {first}"
    )
    for rank, other in enumerate(others[:4], start=2):
        text += f"; {rank}. {other}"
    hidden = len(others) - 4
    return text + (f"; and {hidden} more." if hidden > 0 else ".")


def trace(result: Result) -> str:
    """Return the whole run as text: each candidate step by step, then the winner.

    For each candidate: its first token, then each step with the token's text, its probability and
    the score so far, then the final score. This is what `verbose=True` prints.
    """
    lines = [_heading(result)]
    for rank, candidate in enumerate(result.candidates, start=1):
        title = f"candidate {rank}"
        if candidate.tokens:
            title += f": first token {candidate.tokens[0]!r} ({candidate.probs[0]:.4f})"
        lines += ["", title]
        scores = candidate.running_scores(result.score_name)  # [T]
        width = max((len(repr(token)) for token in candidate.tokens), default=0)
        for t, token in enumerate(candidate.tokens):
            lines.append(
                f"  step {t + 1:2}  {token!r:<{width}}  probability {candidate.probs[t]:.4f}"
                f"  score so far {scores[t]:.4f}"
            )
        lines.append(f"  final score {candidate.score:.4f}, {ending(candidate)}")
    best = result.best
    lines += ["", f"winner: candidate 1, {best.text!r}, score {best.score:.4f}", cost(result)]
    return "\n".join(lines)


def _heading(result):
    """The line above the table."""
    return (
        f"{result.method} {occasion(result)}: {count_candidates(result)},"
        f" {result.score_name} score ({SCORES[result.score_name]})"
    )


def _row(rank, candidate):
    return (
        "* best" if rank == 1 else f"  {rank}",
        f"{candidate.score:.4f}",
        f"{candidate.start_prob:.4f}",
        str(len(candidate.token_ids)),
        ending(candidate),
        repr(candidate.text),
    )
