"""Make the students' notebooks (exercises/) from the masters (solutions/) with nbgrader.

    python notebooks/make_exercises.py                  write notebooks/exercises/
    python notebooks/make_exercises.py --check          write nothing; fail on a difference
    python notebooks/make_exercises.py --course FOLDER  set up an nbgrader course there

It needs the extra: pip install -e ".[classroom]", or pip install "lunsedu[classroom]" without a
clone. A course set up so has one assignment for each lesson, ready for
`nbgrader generate_assignment 03_model`; see TEACHING.md.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MASTERS, EXERCISES = HERE / "solutions", HERE / "exercises"
CONFIG = HERE / "nbgrader_config.py"


def set_up_course(folder, names=None):
    """Write an nbgrader course: its configuration, and a source folder for each assignment."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIG, folder / "nbgrader_config.py")
    for master in sorted(MASTERS.glob("*.ipynb")):
        if names is None or master.stem in names:
            source = folder / "source" / master.stem
            source.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(master, source / master.name)


def release(folder, name):
    """Let nbgrader make the student's version of an assignment; return its text."""
    import nbformat
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", str(folder)).load_config()
    config.CourseDirectory.root = str(folder)
    course = CourseDirectory(config=config)
    course.assignment_id = name
    converter = GenerateAssignment(coursedir=course, config=config, no_database=True)
    # no gradebook is wanted here, only the notebook
    converter.preprocessors = [step for step in converter.preprocessors if step is not SaveCells]
    converter.log.setLevel(logging.ERROR)
    converter.start()
    made = nbformat.read(Path(folder) / "release" / name / f"{name}.ipynb", as_version=4)
    return nbformat.writes(made, indent=1) + "\n"


def make_all():
    """Return {name: text} of all students' notebooks."""
    with tempfile.TemporaryDirectory() as folder:
        set_up_course(folder)
        names = [path.stem for path in sorted(MASTERS.glob("*.ipynb"))]
        return {name: release(folder, name) for name in names}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("--course", metavar="FOLDER", help="set up an nbgrader course there")
    options = parser.parse_args(arguments)
    if options.course:
        set_up_course(options.course)
        print(f"A course is in {options.course}; go there and run nbgrader.")
        return 0
    try:
        made = make_all()
    except ModuleNotFoundError as error:
        print(f'{error.name} is missing: pip install "lunsedu[classroom]"', file=sys.stderr)
        return 2
    different = []
    for name, text in made.items():
        path = EXERCISES / f"{name}.ipynb"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            different.append(path.name)
            if not options.check:
                path.write_text(text, encoding="utf-8", newline="\n")
    left_over = sorted({path.stem for path in EXERCISES.glob("*.ipynb")} - set(made))
    for name in left_over:
        print(f"exercises/{name}.ipynb has no master in solutions/")
    if options.check:
        for name in different:
            print(f"exercises/{name} differs from what its master gives: run make_exercises.py")
        return 1 if different or left_over else 0
    print(f"{len(made)} exercise notebooks, {len(different)} changed")
    return 1 if left_over else 0


if __name__ == "__main__":
    sys.exit(main())
