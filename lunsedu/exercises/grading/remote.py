"""A student's function, seen from the judge: calling it asks the student's process.

What is not here: the process and its limits (process.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lunsedu.exercises.grading import fresh, wire
from lunsedu.exercises.grading.process import Lost, Process, text_of
from lunsedu.exercises.judge.arguments import names_of
from lunsedu.exercises.judge.elsewhere import Elsewhere
from lunsedu.exercises.judge.running import TIME_LIMIT, Run

if TYPE_CHECKING:
    from lunsedu.exercises.judge.judging import Exercise

P = inspect.Parameter
KINDS = (
    P.POSITIONAL_ONLY,
    P.POSITIONAL_OR_KEYWORD,
    P.VAR_POSITIONAL,
    P.KEYWORD_ONLY,
    P.VAR_KEYWORD,
)


class StudentError(Exception):
    """A student's function failed when a teacher's cell called it; the message is in words."""


def look(process: Process, name: str, call: str = "") -> Any:
    """Return what a name of the notebook is: (True, its value or a Remote), (False, None).

    `call` says how the exercise is called, such as "softmax(scores)".
    """
    message = {"do": "look", "name": name, "arguments": names_of(call)}
    reply = process.ask(message, process.limits.call)
    if "unsendable" in reply:
        raise StudentError(f"`{name}` is {text_of(reply, 'unsendable')}.")
    if reply.get("kind") == "missing":
        return False, None
    if reply.get("kind") == "function":
        return True, Remote(process, name, reply)
    return True, process.value(reply.get("value"))


class Remote(Elsewhere):
    """A student's function, seen from the judge: calling it asks the student's process."""

    def __init__(self, process: Process, name: str, facts: Any) -> None:
        self.process, self.__name__ = process, name
        self.stub, self.loops = facts.get("stub") is True, facts.get("loops") is True
        self.leans = text_of(facts, "leans")[:60]
        self.__signature__ = _signature(facts.get("signature"))

    def run(self, args: tuple, limit: float = TIME_LIMIT, not_allowed: Sequence[Any] = ()) -> Run:
        """Return the Run of one call. What is not allowed doesn't work in there from the start."""
        functions = []
        message = {
            "do": "call",
            "name": self.__name__,
            "args": [wire.encode(value, functions) for value in args],
            "limit": min(limit, self.process.limits.computing),
        }
        try:
            reply = self.process.ask(message, self.process.limits.call, functions)
            if "unsendable" in reply:
                return Run(problem=f"Your function returned {text_of(reply, 'unsendable')}.")
            texts = {name: text_of(reply, name) for name in ("printed", "traceback")}
            problem, changed = (
                None if reply.get(name) is None else text_of(reply, name)
                for name in ("problem", "changed")
            )
            value = None if problem else self.process.value(reply.get("value"))
        except Lost as lost:
            return Run(problem=f"Your code {lost}, so it was given up.")
        return Run(value, problem, reply.get("unwritten") is True, changed, **texts)

    def more_cases(self, exercise: Exercise) -> list:
        return fresh.cases(exercise, self.process.secret)

    def __call__(self, *args: Any, **named: Any) -> Any:
        if named:
            args = self.__signature__.bind(*args, **named).args
        went = self.run(args)
        if went.unwritten:
            raise NotImplementedError
        if went.problem:
            raise StudentError(went.problem)
        return went.value


def _signature(told):
    """Return the signature that was told, or one that takes anything."""
    try:
        return inspect.Signature(
            [
                P(name, KINDS[kind], default=None if has is True else P.empty)
                for name, kind, has in told
            ]
        )
    except (TypeError, ValueError, IndexError):
        return inspect.Signature([P("args", P.VAR_POSITIONAL)])
