"""A function whose code runs in another process: the judge asks it as it would ask the function.

What is not here: the processes themselves (the folder grading/ beside this one).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lunsedu.exercises.judge.judging import Exercise
    from lunsedu.exercises.judge.running import Run


class Elsewhere:
    """What the judge wants to know of an answer that it must not run itself.

    `stub`: nothing is written yet; `loops`: each `return` stands inside of a loop; `leans`: the
    name that it takes from the notebook, or "". `__name__` and `__signature__` are the function's.
    """

    stub = False
    loops = False
    leans = ""

    def run(self, args: tuple, limit: float, not_allowed: Sequence[Any] = ()) -> Run:
        """Call the function there, and return a Run."""
        raise NotImplementedError

    def more_cases(self, exercise: Exercise) -> list:
        """Return cases that nobody can know beforehand, besides those of the exercise."""
        return []
