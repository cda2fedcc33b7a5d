"""The course in a folder of one's own, and the commands of the terminal.

    lunsedu course my_course      copy notebooks, exercises and texts into a folder
    lunsedu lab my_course         open JupyterLab there, at the quick tour
    lunsedu sample [file.txt]     train, generate, save, load and fine-tune in the terminal
    lunsedu solutions my_course   for teachers: the solved exercises, beside the others

Read in this order: shipped.py (where the course's files are, in the wheel or in the repository),
copying.py (into a folder, and what a student changed stays), lab.py (JupyterLab), sample_run.py
(the walk of the quick tour).

What is not here: the words of the command line (__main__.py), the texts' place (examples.py), the
step of the build that puts the files into the wheel (notebooks/into_wheel.py).
"""
