"""LunsformterModel: the five verbs, and the promise that nothing is lost between them."""

import _thread
import json
import os
import re

import numpy as np
import pytest

from lunsedu import LunsDataset, Lunsformter, LunsformterConfig, LunsformterModel, Tokenizer
from lunsedu.adapters import LowRank, learn, record_examples
from lunsedu.decoding import beam_search, greedy, sample
from lunsedu.evaluation import evaluate, intervals
from lunsedu.examples import data_path
from lunsedu.files.storage import load_arrays, save_arrays
from lunsedu.grammar import GrammarModel, miniature_grammar
from lunsedu.inside import probe
from lunsedu.rewards import RewardLearning, learn_from_rewards

TEXTS = [
    "the cat sat on the mat.",
    "the dog ran to the park!",
    "a bird sang in the tree, and sang again.",
    "where is the cat? on the mat.",
    "",
    "once upon a time there was a cat",
]


def new_dataset(texts=TEXTS, **more):
    return LunsDataset(texts=[t for t in texts if t], vocab_size=300, **more)


def new_lm(seed=0, **more):
    return LunsformterModel(new_dataset(**more), dim=16, hidden_dim=24, num_heads=2, seed=seed)


def fit(lm, epochs, **more):
    return lm.fit(epochs=epochs, verbose=False, batch_size=2, **more)


@pytest.fixture(scope="module")
def trained():
    lm = new_lm()
    fit(lm, 60, lr=0.01)
    return lm


def test_the_sample_code_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train_data.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    (tmp_path / "more_text.txt").write_text("ahoy captain\nahoy sailor\n", encoding="utf-8")
    dataset = LunsDataset("train_data.txt")
    lm = LunsformterModel(dataset)
    history = lm.fit(epochs=3)
    assert history.epochs == 3 and history.train_loss[-1] < history.train_loss[0]
    lm.save("my_model")
    lm2 = LunsformterModel.load("my_model")
    text = lm2.generate("Once upon a time", max_tokens=12, num_candidates=5, verbose=False)
    assert text.startswith("Once upon a time")
    assert text == lm.generate("Once upon a time", max_tokens=12, num_candidates=5)
    result = lm2.insideout("Once upon a time", max_tokens=12, num_candidates=5, score="arithmetic")
    assert result.text == text and result.best is result.candidates[0]
    assert len(result.candidates) == 5
    lm2.fine_tune(LunsDataset("more_text.txt"), epochs=2)
    assert lm2.tokenizer == lm.tokenizer and lm2.history.epochs == 5
    assert isinstance(lm2.model, Lunsformter)
    assert isinstance(lm2.model.config, LunsformterConfig)
    assert "parameters" in repr(lm2) and "5 epochs" in repr(lm2)


def test_fit_save_load_fit_equals_one_long_fit_bit_for_bit(tmp_path):
    whole, halves = new_lm(validation=0.4), new_lm(validation=0.4)
    fit(whole, 40)
    fit(halves, 20)
    halves.save(tmp_path / "half")
    again = LunsformterModel.load(tmp_path / "half", dataset=new_dataset(validation=0.4))
    again.fit(epochs=20, verbose=False)  # the settings of the first half are remembered
    assert np.array_equal(again.model.parameters, whole.model.parameters)
    assert again.history == whole.history
    assert np.array_equal(again._optimizer.v, whole._optimizer.v)


def test_the_same_holds_with_a_cosine_that_knows_its_end(tmp_path):
    whole, halves = new_lm(), new_lm()
    fit(whole, 10, total_epochs=10, warmup_steps=5)
    fit(halves, 5, total_epochs=10, warmup_steps=5)
    halves.save(tmp_path / "half")
    again = LunsformterModel.load(tmp_path / "half", dataset=new_dataset())
    again.fit(epochs=5, verbose=False)
    assert np.array_equal(again.model.parameters, whole.model.parameters)
    assert whole.history.learning_rates[-1] < 0.1 * max(whole.history.learning_rates) * 1.3


def test_same_seed_same_run_other_seed_another():
    runs = [new_lm(seed) for seed in (0, 0, 1)]
    for lm in runs:
        fit(lm, 3)
    assert np.array_equal(runs[0].model.parameters, runs[1].model.parameters)
    assert not np.array_equal(runs[0].model.parameters, runs[2].model.parameters)


CONFIG = LunsformterConfig(vocab_size=20, dim=16, hidden_dim=16, num_heads=2)
SEEDED = {
    "LunsformterModel": lambda seed: new_lm(seed).model.parameters,
    "Lunsformter": lambda seed: Lunsformter(CONFIG, seed).parameters,
    "LowRank": lambda seed: LowRank(Lunsformter(CONFIG), 2, seed=seed).parameters,
    "learn": lambda seed: learned(seed),
    "probe": lambda seed: probe(np.eye(8), np.arange(8) % 2, seed).held_back,
    "mean": lambda seed: intervals.mean([1.0, 2.0, 4.0], seed=seed).low,
    "mean of one": lambda seed: intervals.mean([1.0], seed=seed).low,
    "corpus": lambda seed: miniature_grammar.corpus(20, seed),
    "rewards": lambda seed: learn_from_rewards(new_lm(), ["a"], len, seed=seed).rng.random(),
}
SEEDED_BY_A_NUMBER = {
    "record_examples": lambda seed: record_examples(3, seed),
    "LunsDataset": lambda seed: new_dataset(seed=seed).texts,
    "validation": lambda seed: new_dataset(seed=seed, validation=0.5).validation_texts,
    "evaluate": lambda seed: str(
        evaluate(
            GrammarModel(miniature_grammar), {"s": sample}, [""], miniature_grammar, seed=seed
        ).rows
    ),
    "evaluate, nothing drawn": lambda seed: str(
        evaluate(
            GrammarModel(miniature_grammar), {"g": greedy}, [""], miniature_grammar, seed=seed
        ).rows
    ),
}


def learned(seed):
    model = Lunsformter(LunsformterConfig(vocab_size=259, dim=16, hidden_dim=16, num_heads=2))
    learn(model, Tokenizer(), [("a", "b"), ("b", "c")], verbose=False, batch_size=1, seed=seed)
    return model.parameters


@pytest.mark.parametrize("name", SEEDED | SEEDED_BY_A_NUMBER)
def test_a_seed_is_a_whole_number(name):
    draw = (SEEDED | SEEDED_BY_A_NUMBER)[name]
    assert np.array_equal(draw(3), draw(np.int64(3)))
    for seed in (-1, 1.0, "x", True, None, [1]):
        if name == "Lunsformter" and seed is None:
            continue  # nothing is drawn: its parameters come from elsewhere
        with pytest.raises(ValueError, match="^seed must be a whole number of at least 0, not "):
            draw(seed)


@pytest.mark.parametrize("name", SEEDED)
def test_a_generator_goes_on_in_place_of_a_seed(name):
    draw = SEEDED[name]
    assert np.array_equal(draw(3), draw(np.random.default_rng(3)))


def test_sampling_has_a_seed_or_differs_each_time():
    model = GrammarModel(miniature_grammar)
    drawn = [sample(model, [model.config.bos_id], seed=s, num_samples=9) for s in (3, np.int64(3))]
    ids = [[candidate.token_ids for candidate in result.candidates] for result in drawn]
    assert ids[0] == ids[1] and len(ids[0]) == 9
    assert sample(model, [model.config.bos_id], seed=None).best.token_ids
    with pytest.raises(ValueError, match="^seed must be a whole number"):
        sample(model, [model.config.bos_id], seed=-1)


def test_what_is_saved(trained, tmp_path):
    trained.save(tmp_path / "new folder" / "my_model")
    names = sorted(p.name for p in (tmp_path / "new folder").iterdir())
    assert names == ["my_model.safetensors", "my_model_config.json", "my_model_tokenizer.json"]
    config = json.loads((tmp_path / "new folder" / "my_model_config.json").read_text("utf-8"))
    assert config["dim"] == 16
    path = tmp_path / "new folder" / "my_model_tokenizer.json"
    assert Tokenizer.load(path) == trained.tokenizer
    lm = LunsformterModel.load(tmp_path / "new folder" / "my_model.safetensors")
    assert np.array_equal(lm.model.parameters, trained.model.parameters)
    assert lm.history == trained.history
    assert lm.generate("the") == trained.generate("the")


def test_load_then_fit_asks_for_the_data(trained, tmp_path):
    trained.save(tmp_path / "m")
    lm = LunsformterModel.load(tmp_path / "m")
    before = lm.model.parameters.copy()
    with pytest.raises(ValueError, match="no data to learn from: load it with .*dataset="):
        lm.fit(epochs=1)
    with pytest.raises(ValueError, match="no data to learn from: load it with .*dataset="):
        lm.train_steps(1, lr=0.5)
    assert np.array_equal(lm.model.parameters, before) and lm.settings.lr != 0.5


def test_a_wrong_dataset_at_load_is_not_blamed_on_the_file(trained, tmp_path):
    trained.save(tmp_path / "m")
    with pytest.raises(TypeError, match="^the dataset must be a LunsDataset, not str"):
        LunsformterModel.load(tmp_path / "m", dataset="x")


def test_saving_without_the_optimizer_gives_a_third_of_the_file_and_the_same_texts(tmp_path):
    lm = LunsformterModel(new_dataset(), dim=64)
    fit(lm, 1)
    lm.save(tmp_path / "whole")
    lm.save(tmp_path / "small", resume=False)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "small")]
    assert sizes[1] < 0.4 * sizes[0]
    small = LunsformterModel.load(tmp_path / "small", dataset=new_dataset())
    assert small.generate("the cat") == lm.generate("the cat")
    assert fit(small, 1).epochs == 2 and small._optimizer.step == 3


def test_another_dataset_at_load_is_announced(trained, tmp_path):
    trained.save(tmp_path / "m")
    with pytest.warns(UserWarning, match="not the one that the model was trained on"):
        lm = LunsformterModel.load(tmp_path / "m", dataset=new_dataset(["other text", "more"]))
    fit(lm, 1)
    assert lm.history.events == [(60, "other data")]


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda a, t: a.pop("model.final_norm"), "final_norm are missing"),
        (lambda a, t: a.update({"model.embedding": np.zeros((3, 3), "f")}), "shape"),
        (lambda a, t: a["model.embedding"].fill(np.nan), "not finite"),
        (lambda a, t: a.update({"adamw.m": np.zeros(3, "f")}), "optimizer state m"),
        (lambda a, t: t.pop("config"), "config"),
        (lambda a, t: t.update({"config": "{}"}), "vocab_size is missing"),
        (lambda a, t: t.update({"tokenizer": "{}"}), "m.safetensors cannot be used"),
        (lambda a, t: t.update({"training": "[]"}), "m.safetensors cannot be used"),
        (lambda a, t: t.update({"history": '{"mood": []}'}), "m.safetensors cannot be used"),
    ],
)
def test_a_file_with_wrong_content_fails_at_load(trained, tmp_path, change, word):
    trained.save(tmp_path / "m")
    arrays, texts = load_arrays(tmp_path / "m.safetensors")
    change(arrays, texts)
    save_arrays(tmp_path / "m.safetensors", arrays, texts)
    with pytest.raises(ValueError, match=word):
        LunsformterModel.load(tmp_path / "m")


@pytest.mark.parametrize("prefix", ["", 3, None, "/"])
def test_bad_prefixes(trained, prefix):
    with pytest.raises(ValueError, match="no name for a saved model"):
        trained.save(prefix)


@pytest.mark.parametrize("prefix", ["a\0b", "  ", "models/ ", b"m", 5.0])
def test_a_prefix_is_a_name_that_can_be_seen(trained, prefix):
    with pytest.raises(ValueError, match="no name for a saved model"):
        trained.save(prefix)
    with pytest.raises(ValueError, match="no name for a saved model"):
        LunsformterModel.load(prefix)


PATHS = {
    "Tokenizer.save": lambda lm, path: lm.tokenizer.save(path),
    "Tokenizer.load": lambda lm, path: Tokenizer.load(path),
    "save_pretrained": lambda lm, path: lm.save_pretrained(path),
    "from_pretrained": lambda lm, path: LunsformterModel.from_pretrained(path),
    "save_gguf": lambda lm, path: lm.save_gguf(path),
    "from_gguf": lambda lm, path: LunsformterModel.from_gguf(path),
    "LowRank.save": lambda lm, path: LowRank(lm.model).save(path),
    "LowRank.load": lambda lm, path: LowRank.load(lm.model, path),
    "RewardLearning.save": lambda lm, path: learn_from_rewards(lm, ["a"], len).save(path),
    "RewardLearning.resume": lambda lm, path: RewardLearning.resume(path, lm, len, 1),
    "data_path": lambda lm, path: data_path(path),
}


@pytest.mark.parametrize("name", PATHS)
def test_what_is_no_path_is_refused_and_nothing_is_written(name, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (None, 5, b"file", ["file"]):
        with pytest.raises(TypeError, match="must be the name of a file or folder, a str or a Pa"):
            PATHS[name](trained, path)
    for path in ("", "  ", "a\0b"):
        with pytest.raises(ValueError, match="must be the name of a file or folder, not '"):
            PATHS[name](trained, path)
    assert list(tmp_path.iterdir()) == []


def test_whatever_names_a_path_will_do(trained, tmp_path, monkeypatch):
    class Named:
        def __fspath__(self):
            return str(tmp_path / "named")

    monkeypatch.chdir(tmp_path)
    trained.tokenizer.save(Named())
    assert Tokenizer.load(Named()) == trained.tokenizer
    trained.save_pretrained(".")  # the folder one is in, by its name
    assert (tmp_path / "config.json").is_file()


def test_missing_prefix_and_unwritable_place(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.safetensors"):
        LunsformterModel.load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="cannot write"):
        trained.save(tmp_path / "file" / "m")


def test_fine_tuning_keeps_the_tokenizer_and_the_old_domain_works():
    lm = new_lm()
    fit(lm, 60, lr=0.01)
    ids = lm.tokenizer.encode("the cat sat")
    lm.fine_tune(new_dataset(["olá, capitão!", "日本 🙂"]), epochs=10, verbose=False)
    assert lm.tokenizer.encode("the cat sat") == ids
    assert lm.history.epochs == 70 and lm.history.events == [(60, "fine-tune")]
    assert lm.generate("the cat").startswith("the cat")
    assert max(lm.history.learning_rates[-10:]) <= 1e-3
    with pytest.raises(TypeError, match="must be a LunsDataset"):
        lm.fine_tune(["some text"], epochs=1)


@pytest.mark.threads_or_processes
def test_the_stop_button_keeps_what_was_learned(capsys):
    lm = new_lm()
    original, steps = lm.model.loss_and_gradient, []

    def pressed_at_step_5(ids, targets):
        steps.append(1)
        if len(steps) == 5:
            _thread.interrupt_main()
        return original(ids, targets)

    lm.model.loss_and_gradient = pressed_at_step_5
    history = fit(lm, 100)
    assert len(history.step_loss) == 5 and history.epochs == 2
    assert history.events == [(2, "stopped")]
    assert "Stopped after 5 steps. What was learned is kept" in capsys.readouterr().out
    lm.model.loss_and_gradient = original
    assert fit(lm, 1).epochs == 3
    assert lm.generate("the").startswith("the")


def test_a_keyboard_interrupt_from_inside_a_step_ends_as_well(capsys):
    lm = new_lm()

    def interrupted(ids, targets):
        raise KeyboardInterrupt

    lm.model.loss_and_gradient = interrupted
    assert fit(lm, 100).epochs == 0
    assert "Stopped" in capsys.readouterr().out


def test_the_progress_bar_shows_when_asked(capsys):
    lm = new_lm()
    lm.fit(epochs=2, batch_size=2)
    steps = len(lm.history.step_loss)
    shown = capsys.readouterr().err.split("\r")[-1]
    assert steps > 2 and f"{steps}/{steps}" in shown  # one bar over all steps
    assert f"epoch 2 of 2, loss {lm.history.step_loss[-1]:.3f}, " in shown
    assert re.search(r"\d tokens/s", shown) and re.search(r"<\d\d:\d\d", shown)  # the time left
    lm.fit(epochs=2, verbose=False)
    assert capsys.readouterr().err == ""


def test_settings_that_are_refused_do_not_stick():
    lm = new_lm()
    for wrong in (dict(batch_size=2.0), dict(lr=float("inf")), dict(total_epochs=True)):
        with pytest.raises(ValueError, match="must be"):
            lm.fit(epochs=1, verbose=False, **wrong)
    assert lm.fit(epochs=1, verbose=False).epochs == 1


def test_a_folder_is_no_prefix(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for prefix in ("models/", "models", tmp_path / "models", "new/", ".", ".hidden", "models/.x"):
        with pytest.raises(ValueError, match="my_model"):
            trained.save(prefix)
    assert list(tmp_path.rglob("*")) == [tmp_path / "models"]
    trained.save("models/a.b")
    assert (tmp_path / "models" / "a.b.safetensors").is_file()


def test_train_steps_can_be_left_between_steps():
    lm = new_lm()
    steps = lm.train_steps(epochs=5, batch_size=2)
    losses = [next(steps) for _ in range(4)]
    steps.close()
    assert lm.history.step_loss == losses


def test_wrong_settings_and_wrong_types():
    lm = new_lm()
    with pytest.raises(TypeError, match="'speed' is no setting of fit.*batch_size"):
        lm.fit(epochs=1, speed=3)
    with pytest.raises(ValueError, match="epochs must be a whole number of at least 0, not -1"):
        lm.fit(epochs=-1)
    with pytest.raises(ValueError, match="lr must be"):
        lm.fit(epochs=1, lr=float("nan"))
    with pytest.raises(TypeError, match="LunsDataset.*not str"):
        LunsformterModel("train_data.txt")
    with pytest.raises(ValueError, match="dim must be"):
        LunsformterModel(new_dataset(), dim=0)
    with pytest.raises(ValueError, match="do not belong together"):
        LunsformterModel.from_parts(Lunsformter(LunsformterConfig(vocab_size=5)), lm.tokenizer)
    assert fit(lm, 0).epochs == 0


@pytest.mark.parametrize("prompt", [None, 3, b"bytes", ["list"]])
def test_a_prompt_that_is_no_text(trained, prompt):
    with pytest.raises(TypeError, match="the prompt must be text"):
        trained.generate(prompt)


def test_other_decoders_run_on_text(trained):
    result = trained.decode_with(greedy, "the cat", max_tokens=5)
    assert result.text.startswith("the cat") and result.method == "greedy"
    assert trained.decode_with(beam_search, "the", max_tokens=5, num_beams=3).candidates
    one = trained.insideout("the cat", max_tokens=5, num_candidates=1)
    assert one.text == result.text


def test_what_is_no_decoder_model_or_tokenizer_is_refused(trained):
    with pytest.raises(TypeError, match="decoder must be a function .*greedy, not str: 'greedy'"):
        trained.decode_with("greedy", "hi")
    with pytest.raises(TypeError, match="model must be a Lunsformter, not str$"):
        LunsformterModel.from_parts("x", trained.tokenizer)
    with pytest.raises(TypeError, match="must be a Lunsformter, not LunsformterModel: pass lm.mod"):
        LunsformterModel.from_parts(trained, trained.tokenizer)
    with pytest.raises(TypeError, match="must be a Tokenizer, not LunsformterModel: pass lm.token"):
        LunsformterModel.from_parts(trained.model, trained)


def test_ids_in_ids_out(trained):
    prefix = trained.tokenizer.encode("the cat", add_bos=True)
    out = trained.model.insideout_generate(prefix, max_tokens=6, num_candidates=3)
    result = trained.insideout("the cat", max_tokens=6, num_candidates=3)
    assert out == prefix + result.best.token_ids
    assert all(type(i) is int for i in out)


def test_files_are_readable_by_others_where_the_system_allows_it(trained, tmp_path):
    trained.save(tmp_path / "m")
    if os.name == "posix":
        assert (tmp_path / "m.safetensors").stat().st_mode & 0o044
