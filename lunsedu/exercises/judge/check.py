"""What a check answers: right, not right yet (and why), or not attempted yet.

What is not here: how an answer is run (running.py) and judged (judging.py).
"""

from dataclasses import dataclass, field
from html import escape

RIGHT, WRONG, OPEN = "right", "not right yet", "not attempted yet"
SIGNS = {RIGHT: "✓", WRONG: "✗", OPEN: "…"}
COLORS = {RIGHT: "#009E73", WRONG: "#D55E00", OPEN: "#767676"}  # told apart by sign and word, too


@dataclass(frozen=True)
class Check:
    """The answer to one exercise, in words. It is true exactly when the exercise is solved.

    As the last line of a cell it shows itself and raises nothing, so a notebook runs through while
    it is unsolved. Whoever wants an error, as grading does, writes `assert check, check`.

    `mistake` is the short name of the mistake that was recognised, or None. `arguments` are those
    of the test that failed, as a tuple, `printed` is what the student's function printed in it, and
    `traceback` where an error came from; each may be missing.

    >>> check = Check("softmax", OPEN, "Write the function.")
    >>> check
    softmax: not attempted yet. Write the function.
    >>> bool(check)
    False
    """

    exercise: str
    status: str
    message: str
    mistake: str | None = None
    printed: str = ""
    arguments: tuple | None = field(default=None, compare=False, repr=False)
    traceback: str = field(default="", compare=False, repr=False)

    def __bool__(self) -> bool:
        return self.status == RIGHT

    def __str__(self) -> str:
        text = f"{self.exercise}: {self.status}. {self.message}"
        return f"{text}\nYour function printed:\n{self.printed}" if self.printed else text

    __repr__ = __str__

    def _repr_html_(self):
        printed = ""
        if self.printed:
            printed = f"<div>Your function printed:</div><pre>{escape(self.printed)}</pre>"
        return (
            f'<div role="status" style="border-left:4px solid {COLORS[self.status]};'
            f'padding:0.3em 0.8em;margin:0.3em 0"><div><b>{SIGNS[self.status]} '
            f"{escape(self.exercise)}: {self.status}</b></div>"
            f'<div style="white-space:pre-wrap;font-family:inherit">{escape(self.message)}</div>'
            f"{printed}{self._folded()}</div>"
        )

    def _folded(self):
        """Where the error came from, for those who want to see it."""
        if not self.traceback:
            return ""
        return (
            "<details><summary>Where it happened</summary>"
            f"<pre>{escape(self.traceback)}</pre></details>"
        )
