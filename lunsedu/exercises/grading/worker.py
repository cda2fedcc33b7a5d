"""The student's process: runs the cells of one hand-in, and calls its functions for the judge.

It holds no truth, no case and no check: in place of `lunsedu.exercises` there is a stand-in whose
checks say nothing, and functions of the package that are the answer are replaced before a line of
the student's runs. It reads requests from a pipe of its own and answers with plain data (wire.py);
whatever the student's code does to this process, the judge lives in another one.

Requests, each with an answer: start, cell, look, call. During a call a function that was given as
an argument is asked for from here: {"callback": number, "args": [...]}.

What is not here: the other end of the pipe (process.py), what an answer is worth (verdict.py).
"""

import ast
import builtins
import contextlib
import importlib
import inspect
import linecache
import os
import signal
import sys
import traceback
import types
import warnings

from lunsedu.exercises.grading import fence, wire
from lunsedu.exercises.grading.executing import executed
from lunsedu.exercises.grading.reading import plain_python
from lunsedu.exercises.judge import forms, running

SHOWN = 5000  # characters of a value or an error that are sent


def main() -> None:
    """Serve until the pipe closes. It is standard input and output, which then are nothing."""
    pipe = _private_pipe()
    space = {"__name__": "__main__", "__builtins__": builtins, "display": _displayed}
    handlers = _Handlers(pipe, space)
    while (message := pipe.read()) is not None:
        pipe.write(handlers.answer(message))


class _Pipe:
    """Both ends of the talk with the judge."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def read(self):
        return wire.read(self.reader)

    def write(self, message):
        try:
            wire.write(self.writer, message)
        except wire.Unsendable as error:
            wire.write(self.writer, {"unsendable": str(error)})


def _private_pipe():
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    return _Pipe(reader, writer)


def _displayed(*values, **settings):
    """Stands for IPython's display: there is no page here."""


class _Handlers:
    def __init__(self, pipe, space):
        self.pipe, self.space = pipe, space

    def answer(self, message):
        try:
            return getattr(self, message["do"])(message)
        except wire.Unsendable as error:
            return {"unsendable": str(error)[:SHOWN]}

    def start(self, message):
        """Raise the fence. From here on this process may do little, and the student's code less."""
        for name in message["imports"]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        hidden = [*message["hidden"]]
        for name in message["forbidden"]:
            hidden += _refuse(name)
        _stand_in()
        if hasattr(signal, "SIGINT"):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        given = (message[name] for name in ("limits", "scratch", "readable"))
        return {"held": fence.set_up(*given, hidden)}

    def cell(self, message):
        """Run a cell up to its first error: what it printed, its last value as text, the error."""
        title = f"<cell {message['title']}>"
        source = plain_python(message["source"])
        linecache.cache[title] = (len(source), None, source.splitlines(True), title)
        out, shown, error = running.Printed(), "", ""
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = executed(ast.parse(source, title), title, self.space)
                    shown = "" if value is None else repr(value)[:SHOWN]
        except BaseException as problem:  # SystemExit, too: nothing ends a hand-in
            error = _told(problem, title)
        return {"printed": out.text(), "shown": str(shown), "error": error}

    def look(self, message):
        """Tell what a name of the notebook is: a function, plain data, or nothing."""
        name = message["name"]
        if name not in self.space:
            return {"kind": "missing"}
        value = self.space[name]
        if not callable(value) or isinstance(value, type):
            return {"kind": "data", "value": wire.encode(value)}
        return {
            "kind": "function",
            "stub": bool(running.is_stub(value)),
            "loops": bool(forms.returns_inside_a_loop(value)),
            "leans": str(forms.leaned_on(value, message["arguments"])),
            "signature": _signature(value),
        }

    def call(self, message):
        """Call a function of the notebook on copies of the arguments, and tell how it went."""
        args = tuple(wire.decode(value, self.function) for value in message["args"])
        with contextlib.redirect_stderr(running.Printed()):
            went = running.run(self.space[message["name"]], args, message["limit"])
        problem = went.problem
        try:
            value = wire.encode(went.value) if problem is None else None
        except wire.Unsendable as error:
            value, problem = None, f"Your function returned {error}."
        return {
            "value": value,
            "problem": problem,
            "unwritten": went.unwritten,
            "changed": went.changed,
            "printed": went.printed,
            "traceback": went.traceback[-SHOWN:],
        }

    def function(self, number):
        """Return a function that asks the judge's process for its value."""

        def ask(*args):
            functions = []
            sent = [wire.encode(value, functions) for value in args]
            if functions:
                raise TypeError("pass numbers, texts and arrays, and no function")
            self.pipe.write({"callback": number, "args": sent})
            # meanwhile the judge may ask a function of the notebook
            while "do" in (reply := self.pipe.read()):
                self.pipe.write(self.answer(reply))
            if "error" in reply:
                kind = getattr(builtins, reply["error"][0], RuntimeError)
                raise kind(reply["error"][1])
            return wire.decode(reply["value"])

        return ask


def _told(problem, title):
    lines = [f.lineno for f in traceback.extract_tb(problem.__traceback__) if f.filename == title]
    if isinstance(problem, SyntaxError) and problem.filename == title:
        lines = [problem.lineno]
    where = f" (line {lines[-1]} of the cell)" if lines else ""
    try:
        text = f"{type(problem).__name__}: {problem}"
    except Exception:
        text = "an error that cannot be shown"
    return f"{text[:SHOWN]}{where}"


def _signature(function):
    """Return [[name, kind, whether it has a default], ...], or None where there is no signature."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, int(p.kind), p.default is not p.empty] for p in parameters]


def _refuse(name):
    """Empty a function of the package, "module:function", wherever it is known; return its files.

    The function stays the same object with other code, so no alias of it goes on working.
    """
    module_name, _, path = name.partition(":")
    try:
        found = importlib.import_module(module_name)
        module = found
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return []
    said = f"{module_name}.{path} is what this exercise asks you to write: write the steps yourself"
    made = {}
    exec(f"def refused(*args, **kwargs):\n    raise PermissionError({said!r})", made)
    found.__code__ = made["refused"].__code__
    return [file for file in (module.__file__, getattr(module, "__cached__", None)) if file]


class _Silent:
    """What the checks answer here: nothing. The judge asks its own."""

    mistake, arguments, message, status = None, (), "", "not judged here"

    def __bool__(self):
        return False

    def __repr__(self):
        return "not judged here"


class _StandIn(types.ModuleType):
    def __getattr__(self, name):
        if name == "Check":
            return _Silent
        if name.startswith("check_"):
            return lambda *args, **kwargs: _Silent()
        raise AttributeError(f"module 'lunsedu.exercises' has no attribute {name!r}")


def _stand_in():
    package = sys.modules["lunsedu.exercises"]
    for name, module in sys.modules.items():
        if name.startswith("lunsedu.exercises") and hasattr(module, "__path__"):
            module.__path__ = []  # nothing more is found in there
    package.__class__ = _StandIn
