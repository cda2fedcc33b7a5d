"""The numbers of layers.py, faster: fewer calls, fewer passes over memory, more threads.

Read in this order: gradient.py (loss and gradient for training), rows.py (what it is put together
from), step.py (one step of generating), few_rows.py (products of few rows with a matrix),
threads.py; loops.py and step_loops.py (rows.py and step.py as loops that numba compiles), tile.py
(their products, in registers), forms.py (which of the two).

What is not here: anything new. Each function says which lines of layers.py it stands for, and
tests hold the two against each other.
"""
