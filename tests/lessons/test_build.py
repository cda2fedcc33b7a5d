"""notebooks/build.py: the same bytes on every run, and no drift unseen."""

import importlib.util
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

LESSON = [
    "import os\nprint(os.listdir(), os.environ['OPENBLAS_NUM_THREADS'], {'b', 'a', 'c', 'd'})",
    "import sys\nfrom tqdm import tqdm\nfor _ in tqdm('ab'): pass\n_ = sys.stderr.write('kept\\n')",
    "from tqdm.notebook import tqdm as bar\nfor _ in bar(range(3)): pass",
    "import ipywidgets as widgets\nwidgets.IntSlider(value=3)",
    "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);",
]
VOLATILE = "import time\nprint('took', time.time(), 's')"


def write(path, sources, **keys):
    cells = [new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources, start=1)]
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="title"), *cells], **keys)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def outputs(path, cell_id):
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.outputs for cell in cells if cell.id == cell_id)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A notebook that was built once, and its report."""
    path = tmp_path_factory.mktemp("lesson") / "lesson.ipynb"
    write(path, LESSON, metadata={"language_info": {"name": "python", "version": "3.1.4"}})
    return path, build.process(path)


def test_building_twice_gives_the_same_bytes(lesson):
    path, report = lesson
    assert (report.state, report.problems) == ("written", [])
    before = path.read_bytes()
    assert build.process(path, mode="check").state == "same"
    assert build.process(path).state == "same"
    assert path.read_bytes() == before
    assert before.endswith(b"}\n") and b"\r" not in before


def test_what_is_written(lesson):
    path, _ = lesson
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == build.METADATA
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4, 5]
    folder, threads = outputs(path, "c1")[0].text.split("'] ")
    assert folder == "['lesson.ipynb" and threads.startswith("1 {")
    assert [output.text for output in outputs(path, "c2")] == ["kept\n"]  # without the bar
    assert outputs(path, "c3") == outputs(path, "c4") == []  # widgets: dead without a kernel
    assert "image/png" in outputs(path, "c5")[0].data
    assert build.WIDGET_VIEW not in path.read_text(encoding="utf-8")


def test_check_fails_on_drift_and_writes_nothing(tmp_path, capsys):
    path = write(tmp_path / "drift.ipynb", ["print('now')"])
    assert build.main([str(path)]) == 0
    text = path.read_text(encoding="utf-8").replace('"now\\n"', '"then\\n"')
    path.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert build.main(["--check", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "differs" in shown and "cell 2 (id c1)" in shown
    assert '-   "text": "then\\n"' in shown and '+   "text": "now\\n"' in shown
    assert path.read_text(encoding="utf-8") == text
    assert build.main([str(path)]) == 0
    assert outputs(path, "c1")[0].text == "now\n"


def test_an_error_in_a_cell_is_reported_and_nothing_is_written(tmp_path):
    path = write(tmp_path / "broken.ipynb", ["1", "1 / 0"])
    before = path.read_bytes()
    report = build.process(path)
    assert report.state == "failed" and report.problems[0] == "in cell 3 (id c2)"
    assert report.problems[-1] == "ZeroDivisionError: division by zero"
    assert path.read_bytes() == before


def test_a_cell_that_never_ends_is_stopped(tmp_path):
    path = write(tmp_path / "endless.ipynb", ["while True: pass"])
    report = build.process(path, timeout=2)
    assert report.state == "failed" and report.problems[0] == "in cell 2 (id c1)"


def test_volatile_outputs_stay_until_their_words_change(tmp_path):
    path = write(tmp_path / "clock.ipynb", [VOLATILE])
    assert build.process(path).problems == ["cell 2 (id c1) shows a time: " + found(path)]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["volatile"]
    nbformat.write(notebook, path)
    build.process(path)
    before = path.read_bytes()
    assert build.process(path).state == "same" and path.read_bytes() == before
    path.write_bytes(before.replace(b"'took'", b"'needed'"))
    assert build.process(path, mode="check").state == "differs"


def found(path):
    return repr(build.TIMES.search(outputs(path, "c1")[0].text)[0])


def test_measuring_writes_nothing_and_gives_seconds_and_memory(tmp_path):
    path = write(tmp_path / "block.ipynb", ["block = bytearray(60 * 2**20)"])
    before = path.read_bytes()
    report = build.process(path, mode="measure")
    assert report.state == "ran" and report.problems == [] and report.seconds > 0
    assert report.peak_mib is None or report.peak_mib > 60
    assert path.read_bytes() == before


def shown(text, *names):
    cell = new_code_cell("", outputs=[new_output("stream", text=text)], id="x")
    cell.metadata["tags"] = list(names)
    return build.unsteady(new_notebook(cells=[cell]))


@pytest.mark.parametrize(
    "text",
    ["took 0.31 s", "12 ms", "3 seconds", "00:01<00:02, 9it/s]"]
    + ["/home/me/a.py", "in /tmp/x.txt", r"C:\Users\me", "<A at 0x7f3b5c0de0>", str(ROOT)],
)
def test_times_paths_and_addresses_are_found(text):
    assert len(shown(text)) == 1
    assert shown(text, "steady") == []


@pytest.mark.parametrize(
    "text",
    ["115 s", "0.12 step", "1/2", "and/or", "2 / 3", "0xff", "data/a.txt", "http://a.b/usr/x"],
)
def test_harmless_outputs_are_not(text):
    assert shown(text) == []


def test_volatile_cells_may_show_times_but_no_paths():
    assert shown("0.3 s", "volatile") == []
    assert len(shown("0.3 s in /tmp/a", "volatile")) == 1


def test_other_pictures_count_only_where_they_can_be_compared():
    def notebook(picture, text):
        data = {"image/png": picture, "text/plain": text}
        output = new_output("display_data", data=data)
        return new_notebook(cells=[new_code_cell("", outputs=[output], id="p")])

    old, new, other = notebook("AAAA", "<Figure>"), notebook("BBBB", "<Figure>"), notebook("B", "x")
    build.keep_old(new, old, pictures=True)
    assert new != old
    build.keep_old(new, old, pictures=False)
    assert new == old
    build.keep_old(other, old, pictures=False)
    assert other != old


def test_missing_ids_are_numbered_and_equal_ids_refused(tmp_path):
    path = write(tmp_path / "ids.ipynb", ["1", "2"])
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["nbformat_minor"] = 4
    for cell in raw["cells"]:
        del cell["id"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert [cell.id for cell in build.read(path).cells] == ["cell-1", "cell-2", "cell-3"]
    for cell in raw["cells"]:
        cell["id"] = "same"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ValueError, match="same id: same"):
        build.read(path)


def test_pins_are_read_from_the_dev_extra():
    assert set(build.version_differences()) <= {"numpy", "matplotlib", "pillow"}


def test_who_builds_hears_of_slowness_as_a_problem_and_who_checks_as_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "LIMIT", -1)
    path = write(tmp_path / "slow.ipynb", ["print('now')"])
    build.process(path)
    assert "at most -1 s" in build.process(path).problems[0]
    checked = build.process(path, mode="check")
    assert checked.problems == [] and "at most -1 s" in checked.notes[0]


def test_a_notebook_that_takes_too_long_is_a_problem():
    assert build.too_slow(Path("03_model.ipynb"), 59.0) == []
    assert build.too_slow(Path("05_training.ipynb"), 110.0) == []
    assert "at most 60 s" in build.too_slow(Path("03_model.ipynb"), 61.0)[0]
    assert "at most 120 s" in build.too_slow(Path("05_training.ipynb"), 121.0)[0]


def test_a_notebook_that_cannot_run_whole_is_left_alone(tmp_path, monkeypatch):
    path = write(tmp_path / "lesson.ipynb", ["print(1)"])
    before = path.read_bytes()
    monkeypatch.setattr(build, "NEEDED", {"lesson.ipynb": ("json", "no_such_module")})
    for mode in ("build", "check"):
        report = build.process(path, mode=mode)
        assert report.state == "failed" and "needs no_such_module: install" in report.problems[0]
    assert path.read_bytes() == before
    assert build.process(path, mode="measure").problems == []


def test_notebooks_that_need_more_are_there():
    assert all((ROOT / "notebooks" / name).exists() for name in build.NEEDED)
