"""The judge as steps of nbgrader, named in nbgrader_config.py: teachers keep nbgrader's commands.

    autograde           find_hand_in, Reader, Repair  |  JudgeOutside in place of nbgrader's Execute
    generate_feedback   Page

No kernel is started, so no line of a student's code runs as the teacher. What the judge found
stands as the output of each grade cell, from which nbgrader takes the points into its database.

What is not here: everything that needs no nbgrader (the other files of this folder).
"""

import re
import textwrap
from pathlib import Path
from typing import Any

from lunsedu.exercises.grading import fence, hand_in, masters, pages
from lunsedu.exercises.grading.process import Limits, Lost, Process
from lunsedu.exercises.grading.repair import repair
from lunsedu.exercises.grading.report import plain
from lunsedu.exercises.grading.verdict import LOST, judge_hand_in
from lunsedu.exercises.judge.check import RIGHT

try:
    import nbformat
    from nbconvert.exporters import HTMLExporter, NotebookExporter
    from nbgrader.preprocessors import NbGraderPreprocessor
    from traitlets import Float
except ModuleNotFoundError:  # this file is read where nbgrader is not installed, but not used
    HTMLExporter = NotebookExporter = NbGraderPreprocessor = object  # type: ignore

    class Float:  # type: ignore[no-redef]
        def __init__(self, default, help=""):
            self.default = default

        def tag(self, config):
            return self.default


REREAD = 3  # times that a hand-in is run again for its outputs, without the cell that ended it


def find_hand_in(assignment: Any, student: Any, notebooks: Any) -> Any:
    """Before a hand-in is converted: name the notebook that was asked for, however it is called.

    `notebooks` is nbgrader's own list of paths, changed here in place. Reader then reads what lies
    in the folder.
    """
    folder = Path(notebooks[0]).parent
    wanted = sorted(path.stem for path in (Path("source") / folder.name).glob("*.ipynb"))
    if wanted:
        notebooks[:] = [str(folder / f"{name}.ipynb") for name in wanted]


class Reader(NotebookExporter):
    """Reads a hand-in as it is: renamed, empty, broken, with anything in it."""

    def from_filename(self, filename: Any, resources: Any = None, **kw: Any) -> Any:
        resources = resources or {}
        path = Path(filename)
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        master = _master(self, resources)
        student = resources["nbgrader"]["student"]
        cells, said = _found(path, master)
        for sentence in said:
            self.log.warning("%s: %s", student, sentence)
        return self.from_notebook_node(_book(cells), resources=resources, **kw)


class Repair(NbGraderPreprocessor):
    """Gives each cell its mark back, takes it from copies, puts back what was deleted."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        master = _master(self.parent, resources)
        student = resources["nbgrader"]["student"]
        repaired = repair(hand_in.cells_of(nb), master)
        for sentence in repaired.notes:
            self.log.warning("%s: %s", student, sentence)
        places = {at: name for name, at in repaired.at.items()}
        for place, cell in enumerate(nb.cells):
            cell.metadata.pop("nbgrader", None)
            if place in places:
                known = master.named[places[place]]
                cell.metadata["nbgrader"] = _marks(known)
                if known.locked:
                    cell.source = known.source
        _put_back(nb, repaired)
        known = {cell.handed_out.strip() for cell in master.cells}
        for cell in nb.cells:
            if cell.cell_type == "markdown" and cell.source.strip() not in known:
                cell.source = pages.harmless(pages.shortened(cell.source, pages.MOST_SOURCE))
        return nb, resources


class JudgeOutside(NbGraderPreprocessor):
    """Fills in the outputs: of grade cells what the judge found, of others what they printed."""

    seconds = Float(30.0, help="most for one cell, by the clock").tag(config=True)
    gigabytes = Float(3.0, help="most memory of a student's process").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        master = _master(self.parent, resources)
        student = resources["nbgrader"]["student"]
        limits = Limits(
            cell=self.seconds, call=max(self.seconds, 5.0), memory=int(self.gigabytes * 2**30)
        )
        repaired = repair(hand_in.cells_of(nb), master)
        files = _beside(resources)
        verdicts = {v.name: v for v in judge_hand_in(repaired, limits, files=files)}
        self._show_cells(nb, repaired, limits, files)
        for cell in nb.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            verdict = verdicts.get(name)
            if cell.cell_type == "code" and verdict is not None and verdict.points is not None:
                cell.outputs = _verdict_outputs(verdict)
                if verdict.points == 0:
                    said = plain(verdict.said.split("\n")[0]) or verdict.status
                    self.log.info("%s: %s: %s", student, verdict.exercise, said)
        return nb, resources

    def _show_cells(self, nb, repaired, limits, files):
        """Run all cells once more, for their outputs alone: to be read, and worth nothing."""
        graded = {repaired.at.get(cell.name) for cell in repaired.master.automatic}
        places = [
            i for i, cell in enumerate(nb.cells) if cell.cell_type == "code" and i not in graded
        ]
        outputs, ended = {}, {}
        for _ in range(REREAD):
            at, outputs = None, {}
            try:
                with Process(limits, files=files) as process:
                    for sentence in fence.missing(process.held):
                        self.log.warning("Mind: %s", sentence)
                    for at in (i for i in places if i not in ended):
                        outputs[at] = process.cell(nb.cells[at].source, repaired.title(at))
                break
            except Lost as lost:
                ended[at] = str(lost)
        for place in places:
            nb.cells[place].outputs = _outputs(outputs.get(place), ended.get(place))


class Page(HTMLExporter):
    """A feedback page that runs no script and stays below 2 MB."""

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> Any:
        for most in (pages.MOST_SOURCE, 5_000, 500):
            for cell in nb.cells:
                cell.source = pages.shortened(cell.source, most)
                if most < pages.MOST_SOURCE:
                    cell.pop("attachments", None)
                    for output in cell.get("outputs", []):
                        if "text" in output:
                            output["text"] = pages.shortened(output["text"], most)
            page, out = super().from_notebook_node(nb, resources, **kw)
            page = pages.closed(page)
            if len(page.encode("utf-8")) <= pages.MOST_PAGE:
                break
        return page, out


# --- pieces ---------------------------------------------------------------------------------------


def _master(exporter, resources):
    """Return the master of the notebook that is converted: source/ASSIGNMENT/NOTEBOOK.ipynb."""
    course, known = exporter.parent.coursedir, resources["nbgrader"]
    folder = course.format_path(course.source_directory, ".", known["assignment"])
    return masters.read_master(Path(folder) / f"{known['notebook']}.ipynb")


def _found(path, master):
    """Return the cells of the hand-in that counts, and sentences about how it was found."""
    found, said = [], []
    for one in sorted(path.parent.iterdir()) if path.parent.is_dir() else []:
        if one.name.lower().endswith(hand_in.ENDINGS) and one.suffix != ".json":
            try:
                cells = hand_in.read_cells(one)
            except hand_in.Unreadable as error:
                said.append(str(error))
                continue
            if one == path or hand_in.likeness(cells, master):
                found.append((one, cells, master))
    if not found:
        said = said or [f"There is no notebook in {path.parent.name}."]
        return _as_handed_out(master, said), [*said, "Every exercise gets 0 points."]
    chosen, cells, _ = hand_in.choose(found)
    said += [f"{one.name} was left aside." for one, _, _ in found if one != chosen]
    if chosen != path:
        said.append(f"{chosen.name} was taken for {path.name}.")
    return cells, said


def _as_handed_out(master, said):
    told = " ".join(said).replace("sk for it again", "sk for help, or hand it in again")
    note = f"**This hand-in could not be graded.** {told}"
    cells = [{"cell_type": "markdown", "source": note, "metadata": {}, "id": None}]
    for cell in master.cells:
        metadata = {"nbgrader": _marks(cell)} if cell.name else {}
        cells.append(
            {"cell_type": cell.kind, "source": cell.handed_out, "metadata": metadata, "id": cell.id}
        )
    return cells


def _book(cells):
    book = nbformat.v4.new_notebook()
    seen = set()
    for cell in cells:
        new = _new_cell(cell["cell_type"], cell["source"])
        known = hand_in.mark(cell)
        if known:
            new.metadata["nbgrader"] = dict(known)
        pictures = pages.attachments(cell.get("attachments"))
        if pictures and cell["cell_type"] != "code":
            new["attachments"] = pictures
        if cell["id"] and re.fullmatch(r"[\w-]{1,64}", cell["id"], re.ASCII):
            if cell["id"] not in seen:
                new["id"] = cell["id"]
        seen.add(new["id"])
        book.cells.append(new)
    return book


def _new_cell(kind, source):
    code = kind == "code"
    return (nbformat.v4.new_code_cell if code else nbformat.v4.new_markdown_cell)(source)


def _marks(cell):
    """Return what nbgrader notes at a cell: the master's own words, in its newest form."""
    known = {
        "grade": cell.grade,
        "grade_id": cell.name,
        "locked": cell.locked,
        "schema_version": 3,
        "solution": cell.solution,
        "task": bool(cell.metadata["nbgrader"].get("task", False)),
        "cell_type": cell.kind,
    }
    if cell.grade or known["task"]:
        known["points"] = cell.points
    return nbformat.from_dict(known)


def _put_back(nb, repaired):
    """Insert each missing cell behind the one that stands before it in the master."""
    before = None
    for cell in repaired.master.cells:
        if cell.name is None:
            continue
        if cell.name not in repaired.at:
            new = _new_cell(cell.kind, cell.source if cell.locked else cell.handed_out)
            new.metadata["nbgrader"] = _marks(cell)
            names = [c.metadata.get("nbgrader", {}).get("grade_id") for c in nb.cells]
            nb.cells.insert(names.index(before) + 1 if before else 0, new)
        before = cell.name


def _verdict_outputs(verdict):
    """Return the outputs of a grade cell: nbgrader reads 0 from an error, a number as points."""
    new = nbformat.v4.new_output
    outputs = []
    if verdict.check is not None:
        data = {"text/plain": plain_lines(str(verdict.check))}
        data["text/html"] = verdict.check._repr_html_()
        outputs.append(new("display_data", data=data))
    elif verdict.points:
        outputs.append(new("display_data", data={"text/plain": f"right {verdict.said}".strip()}))
    if verdict.points == 0:
        said = f"{verdict.exercise}: 0 of {verdict.of:g} points"
        if verdict.said and (verdict.check is None or verdict.status == LOST):
            said += f". {verdict.said}"
        outputs.append(_error("NotRight", said))
    elif verdict.status == RIGHT and verdict.points < verdict.of:
        outputs.append(new("execute_result", data={"text/plain": f"{verdict.points:g}"}))
    return outputs


def _outputs(went, ended):
    new = nbformat.v4.new_output
    if ended:
        return [_error("GivenUp", f"This cell {ended}.")]
    if went is None:
        return []
    outputs = []
    if went["printed"]:
        outputs.append(new("stream", name="stdout", text=plain_lines(went["printed"])))
    if went["shown"]:
        outputs.append(new("display_data", data={"text/plain": plain_lines(went["shown"])}))
    if went["error"]:
        outputs.append(_error("Error", went["error"]))
    return outputs


def _error(kind, said):
    """Return an error as an output; pages show its lines as they are, so they are short."""
    said = pages.shortened(plain_lines(said), pages.MOST_OUTPUT)
    lines = [part for line in said.split("\n") for part in textwrap.wrap(line, 90) or [""]]
    return nbformat.v4.new_output("error", ename=kind, evalue=said, traceback=lines)


def plain_lines(text: str) -> str:
    """Return text whose lines hold no control characters."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _beside(resources):
    folder = Path(resources["metadata"]["path"])
    return [p for p in folder.glob("*") if p.suffix in hand_in.BESIDE]
