"""Training goes on elsewhere: notebooks/scale_up/train.py learns as fit does, on one or many."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lunsedu import LunsDataset, LunsformterModel

pytest.importorskip("torch", reason='needs the extra: ".[scale]"')
pytest.importorskip("transformers", reason='needs the extra: ".[scale]"')
pytest.importorskip("accelerate", reason='needs the extra: ".[scale]"')
pytestmark = pytest.mark.threads_or_processes

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "notebooks" / "scale_up" / "train.py"
# 21 texts in batches of 4: six steps an epoch, and the last batch has one text, so that of two
# processes one has none; very long and very short ones, so that a mean of means is far off
TEXTS = [f"{'the wind and the sea ' * (1 + n % 4)}came home {n}" for n in range(20)] + ["hi"]
STEPS, BATCH = 24, ["--batch_size", "4", "--epochs", "4", "--warmup_steps", "5"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("scale_up_train", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with a model that learned a little, IN, and a file of texts in it."""
    folder = tmp_path_factory.mktemp("scale_up")
    (folder / "talk.jsonl").write_text(
        "".join(json.dumps({"message": {"text": text}}) + "\n" for text in TEXTS), encoding="utf-8"
    )
    dataset = LunsDataset(texts=TEXTS, vocab_size=280)
    lm = LunsformterModel(dataset, dim=16, hidden_dim=24, num_heads=4, num_kv_heads=2)
    lm.fit(epochs=1, verbose=False)
    lm.save_pretrained(folder / "IN")
    return folder


def typed(start, out, *more):
    return ["--model", str(start / "IN"), "--texts", str(start / "talk.jsonl"),
            "--field", "message.text", "--out", str(out), *BATCH, *more]  # fmt: skip


def losses(out):
    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    return np.array([line["loss"] for line in lines])  # [steps]


@pytest.fixture(scope="module")
def fitted(start):
    lm = LunsformterModel.from_pretrained(start / "IN", dataset=LunsDataset(texts=TEXTS))
    lm.fit(4, verbose=False, batch_size=4, warmup_steps=5, total_epochs=4)
    return lm


@pytest.fixture(scope="module")
def alone(start, script):
    """The folder that one process wrote."""
    os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        script.main(typed(start, start / "ONE", "--total_epochs", "4"))
    finally:
        del os.environ["ACCELERATE_USE_CPU"]
    return start / "ONE"


def test_one_process_learns_as_fit_does(alone, fitted):
    assert len(losses(alone)) == STEPS >= 20
    np.testing.assert_allclose(losses(alone), fitted.history.step_loss, atol=1e-4, rtol=0)
    back = LunsformterModel.from_pretrained(alone)
    np.testing.assert_allclose(back.model.parameters, fitted.model.parameters, atol=2e-3)
    assert not np.isclose(losses(alone)[0], losses(alone)[-1], rtol=0.1)  # it has learned


def test_what_comes_back_generates_in_the_playground(alone, fitted):
    from lunsedu.widgets import playground

    back = LunsformterModel.from_pretrained(alone)
    assert back.tokenizer.to_json() == fitted.tokenizer.to_json()
    assert back.generate("the wind", max_tokens=8).startswith("the wind")
    assert playground(back, prompt="the wind") is not None


# In every Python of the killed run: whoever opens the log to write line 21 is killed at once.
KILLER = """
import os, signal, sys
opened = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("log.jsonl") and arguments[1] == "a":
        opened.append(1)
        if len(opened) == 21:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_two_processes_learn_as_one_and_a_killed_run_goes_on(start, alone, script, monkeypatch):
    """By the command of the README, one of two processes killed; one alone goes on from there."""
    out, deadly = start / "TWO", start / "deadly"
    deadly.mkdir()
    (deadly / "sitecustomize.py").write_text(KILLER, encoding="utf-8")
    path = f"{deadly}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    more = ["--total_epochs", "4", "--save_every", "7"]
    launch = ["accelerate.commands.accelerate_cli", "launch", "--cpu", "--num_processes", "2"]
    killed = subprocess.run(
        [sys.executable, "-m", *launch, str(FILE), *typed(start, out, *more)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert killed.returncode != 0  # and nobody waits for the dead one
    assert "2 processes, 21 sequences, from step 0" in killed.stdout, killed.stderr
    assert not (out / "model.safetensors").exists()
    # three epochs, each with a last batch of one text, of which the second process has none
    assert len(losses(out)) == 20 and (out / "checkpoint-14").is_dir()
    np.testing.assert_allclose(losses(out), losses(alone)[:20], atol=1e-5, rtol=0)

    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    script.main(typed(start, out, *more, "--resume"))
    assert len(losses(out)) == STEPS
    np.testing.assert_allclose(losses(out), losses(alone), atol=1e-5, rtol=0)
    one, two = (LunsformterModel.from_pretrained(folder) for folder in (alone, out))
    np.testing.assert_allclose(two.model.parameters, one.model.parameters, atol=1e-3)


def test_each_row_belongs_to_one_process_and_nobody_is_without(script):
    ids, targets = np.arange(21).reshape(7, 3), np.arange(21).reshape(7, 3) + 1  # [B, T] each
    for count in (1, 2, 3, 7):
        parts = [script.own_rows(ids, targets, rank, count) for rank in range(count)]
        rows = np.concatenate([part for part, _ in parts])  # [B, T]
        np.testing.assert_array_equal(rows[np.argsort(rows[:, 0])], ids)
    mine, wanted = script.own_rows(ids[:1], targets[:1], rank=1, count=2)
    assert mine.shape == (1, 3) and (wanted == -1).all() and (targets >= 0).all()


def test_what_cannot_be_trained_on_is_said_in_words(script, start, alone, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    (start / "HALF" / "checkpoint-3").mkdir(parents=True)
    terms = {"batch_size": 8}
    (start / "HALF" / "checkpoint-3" / "terms.json").write_text(json.dumps(terms), encoding="utf-8")
    with pytest.raises(ValueError, match="made with batch_size = 8, not 4: use the same"):
        script.main(typed(start, start / "HALF", "--resume"))
    for more, error, words in (
        (["--lr", "7"], ValueError, "lr must be a learning rate above 0"),
        (["--texts", "nowhere.txt"], FileNotFoundError, "nowhere.txt"),
        (["--model", str(start / "nowhere")], FileNotFoundError, "there is no folder"),
    ):
        with pytest.raises(error, match=words):
            script.main(typed(start, start / "NONE", *more))
    assert not (start / "NONE").exists()
