"""The judge's end: starts a student's process, asks it, and ends it when it takes too long.

Nothing that comes back is believed: a message is read as plain data (wire.py), each field must be
of its type, and a process that breaks the rules is lost, with the exercise that it was asked for.

What is not here: what runs in there (worker.py), functions seen from here (remote.py), what the
answers are worth (verdict.py).
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lunsedu
from lunsedu.exercises.grading import wire
from lunsedu.exercises.judge.running import TIME_LIMIT

PACKAGE = Path(lunsedu.__file__).parent
START = """
import json, sys, types
paths, package = json.loads(sys.argv[1])
sys.path[:] = paths
import lunsedu
lunsedu.exercises = sys.modules["lunsedu.exercises"] = types.ModuleType("lunsedu.exercises")
lunsedu.exercises.__path__ = [package]  # the package's files, but not what they import: the truth
from lunsedu.exercises.grading.worker import main
main()
"""
SYSTEM = (  # where libraries lie; not all of /usr, where nbgrader's exchange is, and not /etc
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"),
    *("/usr/share/zoneinfo", "/usr/share/fonts", "/etc/ld.so.cache", "/etc/localtime"),
)
LONGEST = 10_000  # characters of a text that is handed on


@dataclass(frozen=True)
class Limits:
    """What a student's process may use; seconds by the clock unless said otherwise.

    `total` is for the whole process, `start` for Python and numpy to begin, `cell` for one cell,
    `call` for one call of a function, which the worker itself ends after `computing` seconds of
    computing. `cpu` seconds of computing and `memory` bytes are for the whole process, `file` bytes
    for one file, `folder` bytes for all that it writes.
    """

    total: float = 180.0
    start: float = 60.0
    cell: float = 30.0
    call: float = 40.0
    computing: float = TIME_LIMIT
    cpu: float = 150.0
    memory: int = 3 << 30
    file: int = 20_000_000
    folder: int = 200_000_000


class Lost(Exception):
    """The student's process is gone; the message says why, in words, after "Your code "."""


class Process:
    """A student's process. Use it in a `with` block: it is ended at its end, whatever happened.

    `forbidden` are names such as "lunsedu.model.layers:attend_forward" that must not work in there.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        forbidden: Iterable[Any] = (),
        secret: int = 0,
        files: Any = None,
    ) -> None:
        self.limits, self.secret = limits or Limits(), secret
        self.scratch = tempfile.mkdtemp(prefix="hand-in-")
        self.lost = ""
        if files:
            _copy(files, self.scratch)
        self.end = time.monotonic() + self.limits.total
        self.started = self._popen()
        # short queues and threads of their own: a process that floods its pipe, or never reads it,
        # costs the judge neither memory nor time
        self.inbox, self.outbox = queue.Queue(maxsize=4), queue.Queue(maxsize=4)
        threading.Thread(target=self._receive, daemon=True).start()
        threading.Thread(target=self._send, daemon=True).start()
        libraries = {str(Path(np.__file__).parents[1]), *sysconfig.get_paths().values()}
        libraries |= {f"{prefix}/lib" for prefix in (sys.prefix, sys.base_prefix)}
        try:
            reply = self.ask(
                {
                    "do": "start",
                    "imports": ["numpy", "lunsedu"],
                    "forbidden": list(forbidden),
                    "limits": {"cpu": self.limits.cpu, "memory": self.limits.memory}
                    | {"file": self.limits.file},
                    "scratch": self.scratch,
                    "readable": [*SYSTEM, *sorted(libraries), str(PACKAGE)],
                    "hidden": [str(PACKAGE / "exercises")],
                },
                self.limits.start,
            )
        except Lost:
            self.close()
            raise
        self.held = reply.get("held", [])

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """End the process, with all that belongs to it, and take its folder away."""
        self.lost = self.lost or "was ended"
        self._kill()
        _offer(self.outbox, None, 0.0)
        for stream in (self.started.stdin, self.started.stdout):
            try:
                stream.close()
            except OSError:
                pass
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _popen(self):
        environment = {
            name: os.environ[name] for name in ("SYSTEMROOT", "LANG", "TZ") if name in os.environ
        }
        threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment |= dict.fromkeys(threads, "1")
        environment |= dict.fromkeys(("HOME", "TMPDIR", "TMP", "MPLCONFIGDIR"), self.scratch)
        environment |= {"MPLBACKEND": "agg"}
        paths = json.dumps([_python_path(), str(PACKAGE / "exercises")])
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", START, paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.scratch,
            env=environment,
            start_new_session=True,
        )

    def _kill(self):
        try:
            if hasattr(os, "killpg"):
                os.killpg(self.started.pid, signal.SIGKILL)
            else:
                self.started.kill()
        except OSError:
            pass
        self.started.wait()

    def _receive(self):
        try:
            while (message := wire.read(self.started.stdout)) is not None:
                self._deliver(message)
            self._deliver(None)
        except (wire.BadMessage, OSError, ValueError):
            self._deliver(wire.BadMessage)

    def _deliver(self, message):
        while not self.lost and not _offer(self.inbox, message, 0.5):
            continue

    def _send(self):
        try:
            while (message := self.outbox.get()) is not None:
                wire.write(self.started.stdin, message)
        except (OSError, ValueError, wire.Unsendable):
            return  # it is gone; who waits for its answer is told so

    def ask(self, message: dict[str, Any], seconds: float, functions: Any = ()) -> dict[str, Any]:
        """Send a message and return the reply, a dict; call `functions` when they are asked for."""
        if self.lost:
            raise Lost(self.lost)
        start = time.monotonic()
        until = min(start + seconds, self.end)
        late = f"was still running after {seconds:g} seconds"
        if until == self.end:
            late = f"was still running after {self.limits.total:g} seconds in all"
        if not _offer(self.outbox, message, until - start):
            raise self._lose(late)
        while True:
            reply = self._received(until, late)
            if reply is None:
                raise self._lose(self._ending())
            if not isinstance(reply, dict):
                raise self._lose("sent something that is no answer")
            if "callback" not in reply:
                return reply
            answer = self._called_back(reply, functions)
            if not _offer(self.outbox, answer, until - time.monotonic()):
                raise self._lose(late)

    def _received(self, until, late):
        """Return the next message; look now and then at the clock and at the process's folder."""
        while time.monotonic() < until:
            try:
                return self.inbox.get(timeout=min(0.5, max(0.01, until - time.monotonic())))
            except queue.Empty:
                if _bytes(self.scratch) > self.limits.folder:
                    raise self._lose("wrote more files than is allowed") from None
        raise self._lose(late)

    def _called_back(self, reply, functions):
        """Call a function of the judge's that the student's code wants called."""
        number, args = reply["callback"], reply.get("args")
        if type(number) is not int or not 0 <= number < len(functions) or type(args) is not list:
            raise self._lose("sent something that is no answer")
        try:
            values = [wire.decode(value) for value in args]
        except wire.BadMessage:
            raise self._lose("sent something that is no answer") from None
        try:
            return {"value": wire.encode(functions[number](*values))}
        except Lost:
            raise
        except Exception as error:
            return {"error": [type(error).__name__, str(error)[:LONGEST]]}

    def _lose(self, why):
        self.lost = why
        self._kill()
        return Lost(why)

    def _ending(self):
        try:
            code = self.started.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its pipe to the judge"
        if code == -signal.SIGSEGV:
            return "crashed Python"
        if code < 0:
            return "used more computing or memory than is allowed, and was ended"
        return "ended its own process (os._exit, or a crash)"

    # --- what the judge asks ----------------------------------------------------------------------

    def cell(self, source: str, title: str) -> dict[str, Any]:
        """Run a cell; return {"printed", "shown", "error"}, texts all."""
        reply = self.ask({"do": "cell", "source": source, "title": title}, self.limits.cell)
        return {name: text_of(reply, name) for name in ("printed", "shown", "error")}

    def value(self, data: Any) -> Any:
        try:
            return wire.decode(data)
        except wire.BadMessage:
            raise self._lose("sent something that is no answer") from None


def _offer(line, message, seconds):
    """Put a message into a queue; False if there was no room in time."""
    try:
        line.put(message, timeout=max(seconds, 0.01))
        return True
    except queue.Full:
        return False


def _bytes(folder):
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return total


def text_of(reply: Any, name: str) -> str:
    text = reply.get(name, "")
    if not isinstance(text, str):
        return ""
    return text[:LONGEST].encode("utf-8", "replace").decode("utf-8")


def _python_path():
    return [os.path.abspath(path) for path in [str(PACKAGE.parent), *sys.path] if path]


def _copy(files, scratch):
    """Copy what was handed in beside the notebook, so that cells find it."""
    for file in files:
        if Path(file).is_file() and Path(file).stat().st_size < 20_000_000:
            shutil.copy(file, scratch)
