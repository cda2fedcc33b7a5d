"""A folder of the course: copied whole, copied again, and never over what a student changed."""

import os
import posixpath
import re
import stat

import nbformat
import pytest

from lunsedu.course import shipped
from lunsedu.course.copying import NOTES, copy_files, in_words
from lunsedu.course.lab import lab_arguments
from lunsedu.files import storage

LESSON, TEXT = "notebooks/03_model.ipynb", "data/chat_data.txt"


@pytest.fixture
def course(tmp_path):
    """A function: write the files of a small course of some version, return {place: path}."""

    def written(name, **contents):
        contents = {LESSON: "lesson", TEXT: "text"} | contents
        for place, content in contents.items():
            path = tmp_path / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return {place: tmp_path / name / place for place in contents}

    return written


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "my course"  # with a space, as people name folders


def contents(folder):
    """Return {place: text} of all files but the notes."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != NOTES]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def test_a_first_copy_is_whole_and_a_second_one_does_nothing(course, mine):
    files = course("v1")
    copied = copy_files(files, mine, "1")
    assert copied.new == [LESSON, TEXT] and contents(mine) == {LESSON: "lesson", TEXT: "text"}
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("*.*")}
    again = copy_files(files, mine, "1")
    assert again.same == [LESSON, TEXT] and not (again.new or again.kept or again.beside)
    assert "There is nothing new." in in_words(again)
    after = {path: path.stat().st_mtime_ns for path in mine.rglob("*.*")}
    assert {path: after[path] for path in before if path.name != NOTES} == {
        path: before[path] for path in before if path.name != NOTES
    }


@pytest.mark.parametrize("folder, error", [(None, TypeError), ("", ValueError), (7, TypeError)])
def test_what_is_no_name_of_a_folder(course, folder, error):
    for call in (lambda: copy_files(course("v1"), folder, "1"), lambda: lab_arguments(folder)):
        with pytest.raises(error, match="folder must be the name of a file or folder"):
            call()


def test_what_a_student_changed_stays_and_the_newer_one_comes_in_beside_it(course, mine):
    copy_files(course("v1"), mine, "1")
    (mine / LESSON).write_text("my work", encoding="utf-8")
    kept = copy_files(course("v1"), mine, "1")
    assert kept.kept == [LESSON] and "kept as it is, 1 file" in in_words(kept)

    second = course("v2", **{LESSON: "better lesson"})
    newer = copy_files(second, mine, "2")
    assert newer.beside == {LESSON: "notebooks/03_model_new.ipynb"}
    assert contents(mine) == {
        LESSON: "my work",
        "notebooks/03_model_new.ipynb": "better lesson",
        TEXT: "text",
    }
    assert "notebooks/03_model.ipynb   beside it: 03_model_new.ipynb" in in_words(newer)

    # handed over once: thrown away, it does not come again, and the next one does
    (mine / "notebooks/03_model_new.ipynb").unlink()
    assert copy_files(second, mine, "2").kept == [LESSON]
    third = copy_files(course("v3", **{LESSON: "best lesson"}), mine, "3")
    assert contents(mine)[third.beside[LESSON]] == "best lesson"
    assert contents(mine)[LESSON] == "my work"


def test_a_newer_one_beside_a_newer_one_that_was_worked_in(course, mine):
    copy_files(course("v1"), mine, "1")
    (mine / LESSON).write_text("my work", encoding="utf-8")
    copy_files(course("v2", **{LESSON: "two"}), mine, "2")
    copied = copy_files(course("v3", **{LESSON: "three"}), mine, "3")
    assert copied.beside == {LESSON: "notebooks/03_model_new_2.ipynb"}
    assert contents(mine)["notebooks/03_model_new.ipynb"] == "two"


def test_an_untouched_file_is_renewed_and_a_deleted_one_comes_back(course, mine):
    copy_files(course("v1"), mine, "1")
    (mine / TEXT).unlink()
    copied = copy_files(course("v2", **{LESSON: "better", "data/more.txt": "more"}), mine, "2")
    assert copied.renewed == [LESSON] and copied.new == [TEXT, "data/more.txt"]
    assert contents(mine) == {LESSON: "better", TEXT: "text", "data/more.txt": "more"}
    words = in_words(copied)
    assert "New, 2 files:" in words and "so replaced, 1 file:" in words


def test_files_of_ones_own_and_of_dropped_lessons_stay(course, mine):
    copy_files(course("v1"), mine, "1")
    (mine / "notebooks" / "mine.ipynb").write_text("mine", encoding="utf-8")
    files = course("v2")
    del files[LESSON]
    copy_files(files, mine, "2")
    assert contents(mine)["notebooks/mine.ipynb"] == "mine"
    assert contents(mine)[LESSON] == "lesson"


@pytest.mark.parametrize("notes", [None, "", "{", "[]", '{"files": 3}', '{"files": {"a": []}}'])
def test_without_notes_or_with_damaged_ones_every_other_file_is_the_students(course, mine, notes):
    copy_files(course("v1"), mine, "1")
    (mine / LESSON).write_text("my work", encoding="utf-8")
    if notes is None:
        (mine / NOTES).unlink()
    else:
        (mine / NOTES).write_text(notes, encoding="utf-8")
    copied = copy_files(course("v2", **{TEXT: "other text"}), mine, "2")
    now = contents(mine)
    assert now[LESSON] == "my work" and now[TEXT] == "text"
    assert now[copied.beside[LESSON]] == "lesson" and now[copied.beside[TEXT]] == "other text"


def test_what_cannot_be_written_gets_a_sentence_and_what_was_copied_is_noted(
    course, mine, monkeypatch
):
    files = course("v1", **{"data/z.txt": "z"})
    write = storage.write_atomically

    def full_disk(path, data):
        if path.name == "z.txt":
            raise OSError(f"cannot write {path} (No space left on device): choose another place")
        write(path, data)

    monkeypatch.setattr(storage, "write_atomically", full_disk)
    with pytest.raises(OSError, match="cannot write .*z.txt"):
        copy_files(files, mine, "1")
    monkeypatch.undo()
    (mine / LESSON).write_text("my work", encoding="utf-8")
    copied = copy_files(files, mine, "1")
    assert copied.kept == [LESSON] and copied.same == [TEXT] and copied.new == ["data/z.txt"]


def test_a_file_where_a_folder_belongs_and_a_folder_where_a_file_belongs(course, mine):
    mine.mkdir()
    (mine / "data").write_text("mine", encoding="utf-8")
    with pytest.raises(OSError, match="cannot write .*chat_data.txt"):
        copy_files(course("v1"), mine, "1")
    (mine / "data").unlink()
    (mine / TEXT).mkdir(parents=True)
    with pytest.raises(OSError, match="cannot read .*chat_data.txt.*move what is in the way"):
        copy_files(course("v1"), mine, "1")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write anywhere")
def test_a_folder_that_may_not_be_written(course, mine):
    mine.mkdir()
    mine.chmod(stat.S_IREAD | stat.S_IEXEC)
    with pytest.raises(OSError, match="cannot write"):
        copy_files(course("v1"), mine, "1")


def test_the_course_is_not_copied_onto_itself(course):
    files = course("v1")
    home = files[TEXT].parents[1]
    with pytest.raises(ValueError, match="is where the course comes from"):
        copy_files(files, home, "1")
    assert not (home / NOTES).exists()


# --- what the course is ---------------------------------------------------------------------------


def texts(path):
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_every_link_of_the_course_leads_to_a_file_of_the_course():
    students = shipped.course_files()
    teachers = shipped.course_files(shipped.FOR_TEACHERS)
    assert len(students) > 25 and len(teachers) >= 10 and not set(students) & set(teachers)
    lost, checked = [], 0
    for place, path in (students | teachers).items():
        if path.suffix not in (".md", ".ipynb"):
            continue
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", texts(path)):
            if "://" not in link and not link.startswith("attachment:"):
                goal = posixpath.normpath(posixpath.join(posixpath.dirname(place), link))
                known = students if place in students else students | teachers
                checked += 1
                if goal not in known:
                    lost.append(f"{place}: {link}")
    assert checked > 100 and lost == []


def test_an_installation_without_the_course_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "lunsedu")
    with pytest.raises(FileNotFoundError, match="came without the course's notebooks"):
        shipped.course_root()
