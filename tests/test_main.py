"""The two commands of the package: the sample run, and making an example again."""

import subprocess
import sys

import numpy as np
import pytest

from lunsedu import LunsformterModel, examples
from lunsedu.__main__ import main, sample_run


def test_the_sample_run_walks_the_whole_way(capsys):
    main(["--epochs", "2", "--fine-tune-epochs", "1"])
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


def test_a_file_that_cannot_be_used_gets_a_sentence_and_no_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "lunsedu", "nowhere.txt"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lunsedu: ") and "nowhere.txt" in done.stderr
    assert "Traceback" not in done.stderr


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
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.txt").write_text("hello")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert examples.data_path("mine.txt") == tmp_path / "data" / "mine.txt"
    with pytest.raises(FileNotFoundError, match="no data file 'none.txt'.*clone it"):
        examples.data_path("none.txt")
