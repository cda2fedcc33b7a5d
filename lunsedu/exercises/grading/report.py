"""The points of a class: a table to read, sentences for what went wrong, a CSV file for the school.

Names of students and words of their code are data: control characters are taken out, and in the
CSV file nothing begins like a spreadsheet's formula.

What is not here: finding the points (verdict.py).
"""

import csv
import io
import unicodedata
from dataclasses import dataclass, field

from lunsedu.exercises.grading.verdict import Verdict
from lunsedu.exercises.judge.check import OPEN, RIGHT

LONGEST = 300  # characters of one sentence in the table


@dataclass(frozen=True)
class Result:
    """One hand-in: whose, which lesson, the verdicts in the master's order, what was odd."""

    student: str
    lesson: str
    file: str
    verdicts: list[Verdict]
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> float:
        return sum(v.points for v in self.verdicts if v.points is not None)

    @property
    def of(self) -> float:
        return sum(v.of for v in self.verdicts if v.points is not None)


def table(results: list[Result]) -> str:
    """Return a table for each lesson: a row a student, a column an exercise; then the sentences."""
    parts = []
    for lesson in sorted({result.lesson for result in results}):
        rows = [result for result in results if result.lesson == lesson]
        names = [verdict.exercise for verdict in rows[0].verdicts]
        head = ["student", *names, "points"]
        body = [
            [plain(row.student), *(_points(v) for v in row.verdicts), _total(row)] for row in rows
        ]
        widths = [max(_wide(line[i]) for line in [head, *body]) for i in range(len(head))]
        parts.append(f"\n{lesson}\n")
        parts += [
            "  ".join(_padded(text, width) for text, width in zip(line, widths, strict=True))
            for line in [head, *body]
        ]
        for row in rows:
            parts += [f"\n{plain(row.student)}"] * bool(remarks(row))
            parts += [f"  {sentence}" for sentence in remarks(row)]
    return "\n".join(parts).lstrip("\n")


def remarks(result: Result) -> list[str]:
    """Return what a teacher should know of a hand-in, a sentence each."""
    said = [plain(note) for note in result.notes]
    untouched = [v.exercise for v in result.verdicts if v.status == OPEN]
    if untouched:
        said.append(f"not attempted: {', '.join(untouched)}")
    for verdict in result.verdicts:
        if verdict.points is not None and verdict.said and verdict.status not in (RIGHT, OPEN):
            first = plain(verdict.said.split("\n")[0])
            first = first if len(first) <= LONGEST else f"{first[:LONGEST]}..."
            said.append(f"{verdict.exercise}: {first}")
    return said


def as_csv(results: list[Result], refused: list[tuple[str, str]]) -> str:
    """Return the CSV text: a row for each hand-in, a column for each exercise, and the remarks."""
    columns = list(dict.fromkeys(_column(one, v) for one in results for v in one.verdicts))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["student", "lesson", "file", *columns, "points", "of", "remarks"])
    for one in results:
        # plain numbers: a spreadsheet would take 1/2 for a day
        mine = {
            _column(one, v): "to read" if v.points is None else f"{v.points:g}"
            for v in one.verdicts
        }
        line = [one.student, one.lesson, one.file, *(mine.get(name, "") for name in columns)]
        said = " | ".join(remarks(one))
        writer.writerow([_cell(text) for text in [*line, f"{one.points:g}", f"{one.of:g}", said]])
    for student, sentence in refused:
        empty = [""] * len(columns)
        writer.writerow([_cell(t) for t in [student, "", "", *empty, "0", "", sentence]])
    return out.getvalue()


def plain(text: str) -> str:
    """Return text without control characters, such as those that move a terminal's cursor.

    >>> plain("a\\x1b[2Jb")
    'a[2Jb'
    """
    return "".join(c for c in str(text) if unicodedata.category(c)[0] != "C" or c == "\u200d")


def _cell(text):
    text = plain(str(text).replace("\n", " "))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _points(verdict):
    return "to read" if verdict.points is None else f"{verdict.points:g}/{verdict.of:g}"


def _column(result, verdict):
    return f"{result.lesson[:2]} {verdict.exercise} (of {verdict.of:g})"


def _total(result):
    return f"{result.points:g}/{result.of:g}"


def _wide(text):
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def _padded(text, width):
    return text + " " * (width - _wide(text))
