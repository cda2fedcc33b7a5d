"""The numbers of layers.py, faster: fewer calls, fewer passes over memory, two threads.

Read in this order: gradient.py (loss and gradient for training), step.py (one step of
generating), few_rows.py (products of few rows with a large matrix), threads.py (the second
thread).

What is not here: anything new. Each function says which lines of layers.py it stands for, and
tests hold the two against each other.
"""
