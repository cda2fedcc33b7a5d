"""Grading: the points of a hand-in are found outside of the process in which its code runs.

    hand-in -> repair -> a process behind a fence  <- plain data ->  the judge -> points, sentences

Read in this order: masters.py (what was handed out), hand_in.py (what came back), repair.py (which
cell is which), reading.py (code that is read and not run), executing.py (a cell as a notebook runs
it), wire.py (values as plain data), fence.py and fence_calls.py (what the student's process may
do), worker.py (that process), process.py (its other end), remote.py (a student's function, seen
from the judge), fresh.py (cases that nobody knows), verdict.py (what an exercise is worth),
report.py (table and CSV), pages.py (no script on a page), nbgrader_steps.py (all of it within
nbgrader).

What is not here: how an answer is judged once its results are known (the folder judge/), and the
command (grade.py, one folder up).
"""
