"""A step of the build: the course's files go into the wheel, and all that is tested into the sdist.

setuptools runs it for `python -m build` and `pip install .` (pyproject.toml names it). In an
editable install nothing is copied: there the files stand beside the package already.
"""

import shutil
import sys
from pathlib import Path

from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a build runs apart from the project

from lunsedu.course.shipped import FOR_ALL, FOR_TEACHERS, course_files  # noqa: E402
from lunsedu.examples import PACKAGE, WHEEL_FILES  # noqa: E402

# What a copy of the sources needs beyond the package, to build, to test and to make the site.
SOURCES = ("notebooks", "data", "tests", ".ci", ".github")
SOURCE_FILES = (
    *("CHANGELOG.md", "CITATION.cff", "environment.yml"),
    *(".gitattributes", ".gitignore", ".devcontainer.json"),
)
LEFT_OUT = ("__pycache__", ".ipynb_checkpoints")


class BuildWithCourse(build_py):
    """build_py, and then the course beside the package's own files."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        goal = Path(self.build_lib) / "lunsedu" / WHEEL_FILES.relative_to(PACKAGE)
        shutil.rmtree(goal, ignore_errors=True)  # what an earlier build left there
        for place, path in self.course().items():
            (goal / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, goal / place)

    def course(self):
        """Return {place: path} of all that students and teachers get."""
        return course_files(FOR_ALL + FOR_TEACHERS, root=ROOT)

    def get_outputs(self, include_bytecode=True):
        if self.editable_mode:
            return super().get_outputs(include_bytecode)
        goal = Path(self.build_lib) / "lunsedu" / WHEEL_FILES.relative_to(PACKAGE)
        return super().get_outputs(include_bytecode) + [str(goal / p) for p in self.course()]

    def get_source_files(self):
        paths = [p for name in SOURCES for p in (ROOT / name).rglob("*")]
        paths += [ROOT / name for name in SOURCE_FILES]
        paths = [p.relative_to(ROOT) for p in paths if p.is_file()]
        kept = [str(p) for p in paths if not set(p.parts) & set(LEFT_OUT)]
        return super().get_source_files() + kept
