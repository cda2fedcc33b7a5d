"""Take away what Python in a browser has not: threads, processes, signal handlers."""

import _thread
import multiprocessing.process
import os
import signal
import subprocess
import threading

STARTS_PROCESSES = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen")


def forbid():
    """From now on whatever starts one of these raises, with the error that Pyodide raises.

    The words are those of CPython built for WebAssembly: RuntimeError for a thread, OSError for a
    process. There a signal handler may be set and never runs; here setting one raises, so that
    nothing can rely on it.
    """

    def no_thread(*args, **kwargs):
        raise RuntimeError("can't start new thread")

    def no_process(*args, **kwargs):
        raise OSError(138, "emscripten does not support processes.")

    def no_signal(*args, **kwargs):
        raise ValueError("signals are not delivered here")

    threading.Thread.start = no_thread
    _thread.start_new_thread = _thread.start_new = no_thread
    if hasattr(_thread, "start_joinable_thread"):  # from Python 3.13 on
        _thread.start_joinable_thread = no_thread
    subprocess.Popen.__init__ = no_process
    multiprocessing.process.BaseProcess.start = no_process
    for name in STARTS_PROCESSES:
        if hasattr(os, name):
            setattr(os, name, no_process)
    for name in ("signal", "setitimer", "alarm", "pthread_kill", "raise_signal"):
        if hasattr(signal, name):
            setattr(signal, name, no_signal)
