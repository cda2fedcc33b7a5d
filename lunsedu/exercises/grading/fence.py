"""The fence round the student's process: limits that the operating system holds, set from inside.

Everything here is called in the worker before a line of the student's code runs, and cannot be
taken back by it: memory, processor time and files by `resource`; on Linux also no new processes, no
signals, no network and no changes to files' rights (a filter of system calls, see fence_calls.py),
and files by Landlock: written in the scratch folder only, read where Python and the package lie.

Clock time is held by the parent, which kills the process (process.py).

Sources: `man 2 getrlimit`, `man 7 landlock`, the kernel's Documentation/userspace-api/landlock.rst.

What is not here: the filter of system calls (fence_calls.py), who starts the worker (process.py).
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lunsedu.exercises.grading import fence_calls

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIGKILL = 9
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
FILES = (1 << 13) - 1  # all rights of the first version
NEWER = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # refer, truncate, ioctl: by the version they came in
MADE_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14  # rights that a single file can carry
DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero")


def set_up(
    limits: dict, scratch: str, readable: list[str], hidden: Iterable[str] = ()
) -> list[str]:
    """Raise the fence in this process; return what it holds, as short names.

    limits: "cpu" seconds, "memory" bytes, "file" bytes. `hidden` are files and folders beneath
    `readable` that are not to be read.
    """
    held = _resources(limits)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            if landlock(libc, scratch, *without(readable, hidden)):
                held += ["writing", "reading"]
            if fence_calls.forbid(libc):
                held += ["processes", "network", "signals"]
    return held


def missing(held: Iterable[str]) -> list[str]:
    """Return, in sentences, what this computer does not hold.

    >>> missing(["cpu", "memory", "file", "writing", "reading", "processes", "network", "signals"])
    []
    """
    told = {
        "cpu": "Processor time is not limited here; the clock is.",
        "memory": "Memory is not limited here: an answer may fill it.",
        "writing": "Writing is not limited here: an answer may change files that you can change.",
        "reading": "Reading is not limited here: an answer may read files that you can read, the"
        " masters among them.",
        "processes": "New processes are not prevented here.",
        "network": "The network is open here.",
        "signals": "An answer may end other processes of yours here.",
    }
    return [sentence for name, sentence in told.items() if name not in held]


def _resources(limits):
    if resource is None:
        return []
    held = []
    wanted = {
        "cpu": ("RLIMIT_CPU", int(limits["cpu"])),
        "memory": ("RLIMIT_AS", int(limits["memory"])),
        "file": ("RLIMIT_FSIZE", int(limits["file"])),
        "core": ("RLIMIT_CORE", 0),
        "open": ("RLIMIT_NOFILE", 64),
    }
    if sys.platform == "darwin":  # there it counts processes, not threads, and memory is not held
        wanted["processes"] = ("RLIMIT_NPROC", 0)
        wanted.pop("memory")
    for name, (which, most) in wanted.items():
        try:
            resource.setrlimit(getattr(resource, which), (most, most))
            held.append(name)
        except (AttributeError, ValueError, OSError):
            continue
    return held


# --- Landlock -------------------------------------------------------------------------------------


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def landlock(libc: Any, scratch: str, readable: list[str], listed: Iterable[str] = ()) -> bool:
    """Let this process write beneath scratch only, and read beneath `readable`; False if it can't.

    Beneath `listed` it may see which files there are, as imports do, and not what is in them.
    Its network (version 4) and its signals to others (version 6) are cut off, too, where they can.
    """
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = FILES | sum(right for since, right in NEWER.items() if version >= since)
    ruleset = _Ruleset(rights, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    held = libc.syscall(CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if held < 0:
        return False
    try:
        _allow(libc, held, scratch, rights)
        for path in readable:
            _allow(libc, held, path, EXECUTE | READ_FILE | READ_DIR)
        for path in listed:
            _allow(libc, held, path, READ_DIR)
        for path in DEVICES:
            _allow(libc, held, path, READ_FILE | (WRITE_FILE if path == "/dev/null" else 0))
        return libc.syscall(RESTRICT_SELF, held, 0) == 0
    finally:
        os.close(held)


def _allow(libc, held, path, rights):
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= MADE_OF_FILES
        rule = _Beneath(rights, parent)
        libc.syscall(ADD_RULE, held, 1, ctypes.byref(rule), 0)
    finally:
        os.close(parent)


def without(paths: list[str], hidden: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return paths that together hold everything beneath `paths` but what is beneath `hidden`.

    A right that is given for a folder cannot be taken back for a part of it, so a folder with
    something hidden in it is replaced by what else lies in it. Such folders are the second list.
    """
    hidden = [Path(path) for path in hidden]
    found, opened, waiting = [], [], [Path(path) for path in dict.fromkeys(paths)]
    while waiting:
        path = waiting.pop()
        if path in hidden or any(one in path.parents for one in hidden):
            continue
        if any(path in one.parents for one in hidden):
            try:
                waiting += list(path.iterdir())
                opened.append(str(path))
            except OSError:
                continue
        else:
            found.append(str(path))
    return found, opened
