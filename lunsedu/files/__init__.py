"""Bytes on the disk: written whole or not at all, read without running any code.

Read in this order: storage.py (a saved model: named arrays and texts in one file), and
safetensors_file.py (the same format as others write it); terminal.py is for printing.

What is not here: which arrays make a model (lm.py), other makers' layouts (interop/).
"""
