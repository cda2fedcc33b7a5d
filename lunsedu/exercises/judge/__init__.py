"""The judge of exercises: runs a student's answer on cases and says in words what is wrong.

Read in this order: check.py (what a check returns), running.py (an answer is run safely),
compare.py (two values), forms.py (None, pairs, whole numbers: told before numbers), arguments.py
(a test's arguments in words), mistakes.py (which known mistake is it), explaining.py (what went
wrong, in words), judging.py (cases and the verdict), samples.py (numbers to try), predictions.py
(answers that are no code), elsewhere.py (an answer that runs in another process).

What is not here: the exercises themselves, a file for each topic one folder up.
"""
