"""The commands of the terminal, and making an example again."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lunsedu import LunsformterModel, examples
from lunsedu.__main__ import COMMANDS, main
from lunsedu.course.lab import lab_arguments
from lunsedu.course.sample_run import sample_run

ROOT = Path(__file__).resolve().parents[1]


def test_the_sample_run_walks_the_whole_way(capsys):
    main(["sample", "--epochs", "2", "--fine-tune-epochs", "1"])
    out = capsys.readouterr().out
    assert out.startswith("283 texts, for example 'Good morning")
    for title in ("After training:", "Saved, loaded, and asked again:", "After fine-tuning"):
        assert title in out
    after, loaded = (part.split("\n\n")[0] for part in out.split(":\n")[1:3])
    assert after == loaded and after.count("->") == 3


def test_the_sample_run_takes_a_text_of_ones_own(tmp_path, capsys):
    path = tmp_path / "my.txt"
    path.write_text("one two three\nfour five six\n", encoding="utf-8")
    lm = sample_run(path, epochs=2, fine_tune_epochs=1, verbose=False)
    assert "'one two' " in capsys.readouterr().out
    assert lm.history.epochs == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "epochs must be a whole number of at least 1, not 0"),
        (["--fine-tune-epochs", "-1"], "fine_tune_epochs must be a whole number .*not -1"),
        ([""], "no file"),
    ],
)
def test_the_sample_run_refuses_before_it_trains(capsys, arguments, words):
    with pytest.raises(SystemExit, match=words):
        main(["sample", *arguments])
    assert capsys.readouterr().out == ""


@pytest.mark.threads_or_processes
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sample nowhere.txt", "nowhere.txt"),
        ("nowhere.txt", "there is no command 'nowhere.txt'.*lunsedu sample nowhere.txt"),
        ("--epochs 3", "there is no command '--epochs'.*lunsedu sample --epochs 3"),
        ("lab nowhere", "there is no course in nowhere.*lunsedu course nowhere"),
        ("sample --epochs many", "invalid int value: 'many'"),
        ("course", "required: folder"),
        ("course a b", "lunsedu course does not know b"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence_and_no_traceback(tmp_path, command, words):
    done = subprocess.run(
        [sys.executable, "-m", "lunsedu", *command.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode in (1, 2)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lunsedu") and re.search(words, last), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.threads_or_processes
def test_letters_that_the_output_has_no_code_for_do_not_stop_a_command(tmp_path):
    """On Windows a file or pipe behind a command takes the letters of the country only."""
    (tmp_path / "texts.txt").write_text("早上好，大家请坐下\n" * 4, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lunsedu", "sample", "texts.txt", "--epochs=1"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252:strict"},
    )
    assert done.returncode == 0 and b"\\u65e9\\u4e0a\\u597d" in done.stdout, done.stderr


def test_without_a_command_all_commands_are_told(capsys):
    main([])
    out = capsys.readouterr().out
    assert all(f"\n    {command}" in out for command in COMMANDS)


def test_the_course_is_copied_and_never_onto_the_repository(tmp_path, capsys):
    main(["course", str(tmp_path / "mine")])
    assert (tmp_path / "mine" / "notebooks" / "00_quick_tour.ipynb").is_file()
    assert capsys.readouterr().out.endswith(f"lunsedu lab {tmp_path / 'mine'}\n")
    with pytest.raises(SystemExit, match="is where the course comes from"):
        main(["course", str(ROOT)])


def test_an_option_whose_value_was_taken_for_the_folder():
    with pytest.raises(FileNotFoundError, match="write --port=8899, with =: 8899 was taken for"):
        lab_arguments("8899", ["--no-browser", "--port"])


def test_jupyterlab_opens_the_first_lesson_of_a_folder(tmp_path):
    main(["course", str(tmp_path)])
    told = lab_arguments(tmp_path, ["--no-browser"])
    assert told == lab_arguments(tmp_path / "notebooks", ["--no-browser"])  # from inside, too
    assert f"--ServerApp.root_dir={tmp_path.resolve()}" in told and "--no-browser" in told
    assert told[-1] == str(tmp_path.resolve() / "notebooks" / "00_quick_tour.ipynb")


def test_a_missing_jupyterlab_is_said(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'JupyterLab is not installed: pip install "lunsedu\[lab'):
        main(["lab", str(ROOT)])


def test_an_example_is_made_again_weight_for_weight(tmp_path, monkeypatch, capsys):
    recipe = ("chat_data.txt", dict(dim=16, hidden_dim=16, num_heads=2, seed=3), dict(epochs=2))
    monkeypatch.setitem(examples.RECIPES, "chat", recipe)
    examples.main(["chat", str(tmp_path / "chat")])
    assert "nats a token; saved as" in capsys.readouterr().out
    saved = LunsformterModel.load(tmp_path / "chat")
    again = examples.train_example("chat", verbose=False)
    assert np.array_equal(saved.model.parameters, again.model.parameters)


def test_data_path_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert examples.data_path("chat_data.txt").is_file()
    monkeypatch.setattr(examples, "PACKAGE", tmp_path / "elsewhere" / "lunsedu")
    monkeypatch.setattr(examples, "WHEEL_FILES", tmp_path / "wheel")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert examples.data_path("mine.txt") == tmp_path / "data" / "mine.txt"
    with pytest.raises(FileNotFoundError, match="no data file 'none.txt'.*lunsedu course"):
        examples.data_path("none.txt")
    with pytest.raises(FileNotFoundError):
        examples.data_path("chat_data.txt")
    (tmp_path / "wheel" / "data").mkdir(parents=True)
    (tmp_path / "wheel" / "data" / "chat_data.txt").write_text("hi", encoding="utf-8")
    assert examples.data_path("chat_data.txt") == tmp_path / "wheel" / "data" / "chat_data.txt"
