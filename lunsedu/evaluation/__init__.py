"""How good is it? Decoders and models judged against a language whose every probability is known.

Read in this order: intervals.py (how sure a share or a mean is), entropy_floor.py (how far a model
is above the floor), evaluation.py (decoders on the same prompts), jobs.py (the same on many cores),
table_views.py (their table as text, HTML and picture).

What is not here: the language and its truth (grammar/), checks of exercises (exercises/).
"""

from lunsedu.evaluation.entropy_floor import Gap, gap_to_floor, word_log_probs
from lunsedu.evaluation.evaluation import Evaluation, Outcome, Row, evaluate

__all__ = ["Evaluation", "Gap", "Outcome", "Row", "evaluate", "gap_to_floor", "word_log_probs"]
