"""The commands of the terminal: `lunsedu COMMAND`, or `python -m lunsedu COMMAND`."""

import argparse
import sys
from collections.abc import Sequence

from lunsedu import __version__
from lunsedu.files.terminal import print_every_character

COMMANDS = ("course", "lab", "sample", "solutions")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, with one clear sentence instead of a traceback where it cannot."""
    print_every_character()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    if not arguments:
        parser.print_help()
        return
    if arguments[0] not in (*COMMANDS, "-h", "--help", "--version"):
        sys.exit(
            f"lunsedu: there is no command {arguments[0]!r}: there are {', '.join(COMMANDS)}."
            f" For the sample run: lunsedu sample {' '.join(arguments)}"
        )
    given, more = parser.parse_known_args(arguments)
    if more and given.command != "lab":
        parser.error(f"lunsedu {given.command} does not know {' '.join(more)}")
    try:
        _run(given, more)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"lunsedu: {error}")


def _run(given, more):
    """Do what was asked; the parts are loaded here, so that `lunsedu --help` is quick."""
    if given.command == "lab":
        from lunsedu.course.lab import open_lab

        open_lab(given.folder, more)
    elif given.command == "sample":
        from lunsedu.course.sample_run import sample_run

        sample_run(given.file, given.epochs, given.fine_tune_epochs)
    else:
        from lunsedu.course import shipped
        from lunsedu.course.copying import copy_files, in_words

        solutions = given.command == "solutions"
        patterns = shipped.FOR_TEACHERS if solutions else shipped.FOR_ALL
        print(in_words(copy_files(shipped.course_files(patterns), given.folder, __version__)))
        if solutions:
            print("How to hand out and grade: notebooks/TEACHING.md")
        else:
            folder = f'"{given.folder}"' if " " in given.folder else given.folder
            print(f"Open it: lunsedu lab {folder}")


def _parser():
    parser = argparse.ArgumentParser(
        prog="lunsedu",
        description="Learn how a language model works: the course, and its package.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lunsedu {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, words):
        return commands.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False
        )

    course = command(
        "course", "copy the course into a folder; what you changed there is never overwritten"
    )
    course.add_argument("folder", help="is made if needed")

    lab = command("lab", "open JupyterLab in such a folder, at the first lesson")
    lab.add_argument("folder", nargs="?", default=".", help="default: this folder")
    lab.epilog = "Further options, such as --no-browser or --port=8889, go to JupyterLab."

    sample = command(
        "sample", "train a small model, generate, save, load and fine-tune, here in the terminal"
    )
    sample.add_argument("file", nargs="?", help="a text file, one text a line; default: chat lines")
    sample.add_argument("--epochs", type=int, default=300)
    sample.add_argument("--fine-tune-epochs", type=int, default=100)

    solutions = command("solutions", "for teachers: copy the solved exercises into such a folder")
    solutions.add_argument("folder", help="a folder of the course")
    return parser


if __name__ == "__main__":
    main()
