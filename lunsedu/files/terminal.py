"""The terminal, for the commands that print there."""

import io
import sys


def print_every_character() -> None:
    """Let print write an escape (\\u65e9) for a character that standard output has no code for.

    On Windows, output that goes into a file or another program has the old encoding of the country,
    which lacks most of the world's letters: without this, print would stop the program there.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
