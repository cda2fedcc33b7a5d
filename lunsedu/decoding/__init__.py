"""Decoders: from a prompt to text, by a model that only says how likely each next token is.

`greedy` takes the likeliest token each time, `sample` draws, `insideout` expands several starts
and keeps the best, `beam_search` keeps the best beginnings, `exhaustive` looks at everything. What
they have in common stands at the top of decoders.py.

Read in this order: scores.py (one number for a candidate), place.py (what may come next),
choosing.py (which token), run.py (one call of a decoder: the checked prompt, growing paths),
decoders.py and tree_search.py (the decoders). What they return: results.py, in words
(result_text.py), as a table in a notebook (candidates_html.py), as data for pictures
(tree_and_race.py).

What is not here: the model (model/), pages and still pictures (display/).
"""

from lunsedu.decoding.decoders import greedy, insideout, sample
from lunsedu.decoding.results import Candidate, Result
from lunsedu.decoding.scores import SCORES, check_score, running_scores, score_tokens
from lunsedu.decoding.tree_and_race import race_standing, tree_nodes
from lunsedu.decoding.tree_search import beam_search, exhaustive

__all__ = [
    "SCORES",
    "Candidate",
    "Result",
    "beam_search",
    "check_score",
    "exhaustive",
    "greedy",
    "insideout",
    "race_standing",
    "running_scores",
    "sample",
    "score_tokens",
    "tree_nodes",
]
