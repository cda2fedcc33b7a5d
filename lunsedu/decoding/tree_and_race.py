"""A Result as data to draw: the tree of its candidates, and the race between them.

Pages and still pictures draw the same nodes and lanes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result


def tree_nodes(result: Result) -> list:
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


def race_standing(result: Result, step: int) -> list:
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
