"""The cases in which an earlier system of this kind was measured to fail; each must pass here.

One test for each case, in the order: learning, text, generation, files.
"""

import math
import os
import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from gradients import numeric_gradient, relative_error

from lunsedu import LunsDataset, Lunsformter, LunsformterConfig, LunsformterModel, data_path
from lunsedu.decoding import sample
from lunsedu.grammar import class_grammar
from lunsedu.training import evaluate

LINES = ["hello, how are you? I am fine.", "good morning! the sun is up.", "hello, dog."]
STRINGS = [
    "Hello, world! How are you?",
    "two  spaces,\ttabs\nand lines\r\n",
    " leading and trailing ",
    "UPPER lower MiXeD",
    "3.14159 and 1,000,000",
    "café naïve São João",
    "日本語 中文 한국어",
    "🙂👩‍👩‍👧 family",
    "e\u0301 is not é",
    "\x00\x01 control",
    "",
    " ",
    "...!?!...",
    "<|eos|> typed",
    "שלום عليكم",
]


@pytest.fixture(scope="module")
def lm():
    lm = LunsformterModel(LunsDataset(texts=LINES), dim=32, hidden_dim=48, num_heads=2)
    lm.fit(epochs=60, verbose=False, lr=0.01)
    return lm


def new_lm(texts=tuple(LINES), **sizes):
    return LunsformterModel(LunsDataset(texts=list(texts)), dim=16, hidden_dim=24, **sizes)


# --- learning -------------------------------------------------------------------------------------


def test_the_gradient_that_fit_applies_is_the_true_one():
    config = LunsformterConfig(vocab_size=9, dim=8, hidden_dim=6, num_heads=2)
    model = Lunsformter(config, dtype=np.float64)
    model.parameters += 0.3 * np.random.default_rng(0).standard_normal(model.parameters.size)
    ids, targets = np.array([[1, 4, 4, 2], [0, 3, 3, 3]]), np.array([[4, 4, 2, 8], [3, 3, 3, -1]])
    expected = numeric_gradient(lambda: model.loss(ids, targets), model.parameters)
    assert relative_error(model.loss_and_gradient(ids, targets)[1], expected) < 1e-6


def test_fit_changes_every_parameter(lm):
    fresh = LunsformterModel(LunsDataset(texts=LINES), dim=32, hidden_dim=48, num_heads=2)
    before = {name: view.copy() for name, view in fresh.model.named_parameters().items()}
    for name, view in lm.model.named_parameters().items():
        changed = view != before[name]
        if name == "embedding":  # every row gets its share through the output
            assert changed.mean() > 0.99
        else:
            assert changed.all(), name


def test_a_later_token_does_not_change_earlier_logits(lm):
    ids = np.array([lm.tokenizer.encode("hello, how are you?")])
    changed = ids.copy()
    changed[0, -1] = 5
    assert np.array_equal(lm.model.forward(ids)[:, :-1], lm.model.forward(changed)[:, :-1])


def counted_loss(train, held_out, order, vocab_size):
    """Nats a token of a table of counts over `order` ids, falling back to shorter ones."""
    tables = [(Counter(), Counter()) for _ in range(order)]
    for ids in train:
        for n, (grams, contexts) in enumerate(tables, start=1):
            for at in range(1, len(ids)):
                context = tuple(ids[max(0, at - n + 1) : at])
                grams[context, ids[at]] += 1
                contexts[context] += 1
    total = count = 0
    for ids in held_out:
        for at in range(1, len(ids)):
            p = 1 / vocab_size
            for n, (grams, contexts) in enumerate(tables, start=1):
                context = tuple(ids[max(0, at - n + 1) : at])
                if contexts[context]:
                    p = 0.02 * p + 0.98 * grams[context, ids[at]] / contexts[context]
            total, count = total - math.log(p), count + 1
    return total / count


def test_on_text_it_can_learn_it_beats_tables_of_counts():
    dataset = LunsDataset(data_path("chat_data.txt"))
    lm = LunsformterModel(dataset)
    lm.fit(epochs=60, verbose=False)
    sequences = dataset.sequences(64)
    loss = evaluate(lm.model, sequences)
    for order in (2, 3):
        assert loss < counted_loss(sequences, sequences, order, lm.tokenizer.vocab_size)


def test_story_lines_are_learned_past_the_4_gram_table_without_diverging(recwarn):
    rng = np.random.default_rng(7)
    texts = [class_grammar.sample(rng) for _ in range(2000)]
    fresh = [class_grammar.sample(rng) for _ in range(200)]
    dataset = LunsDataset(texts=texts)
    lm = LunsformterModel(dataset, dim=48, hidden_dim=96)
    lm.fit(epochs=8, verbose=False, lr=0.006, total_epochs=8)
    held_out = LunsDataset(texts=fresh).sequences(64, lm.tokenizer)
    loss = evaluate(lm.model, held_out)
    table = counted_loss(dataset.sequences(64), held_out, 4, lm.tokenizer.vocab_size)
    assert loss < table
    assert lm.history.train_loss[-1] == min(lm.history.train_loss)
    assert not [w for w in recwarn.list if "unlearning" in str(w.message)]


def test_a_token_that_occurs_twice_counts_twice():
    config = LunsformterConfig(vocab_size=6, dim=4, num_heads=1, num_layers=1, tie_embeddings=False)
    model = Lunsformter(config, dtype=np.float64)
    table = model.named_parameters()["embedding"]
    ids, targets = np.array([[3, 1, 3]]), np.array([[0, 0, 5]])
    expected = numeric_gradient(lambda: model.loss(ids, targets), table)
    gradient = model.named_gradients(model.loss_and_gradient(ids, targets)[1])["embedding"]
    assert relative_error(gradient[3], expected[3]) < 1e-6


@pytest.mark.parametrize("lr", [10, float("nan")])
def test_a_learning_rate_that_cannot_work_is_an_error_at_once(lr):
    lm = new_lm()
    before = lm.model.parameters.copy()
    with pytest.raises(ValueError, match="learning rate"):
        lm.fit(epochs=1, lr=lr)
    assert np.array_equal(lm.model.parameters, before)


def test_width_0_is_an_error_at_once():
    with pytest.raises(ValueError, match="hidden_dim must be a whole number of at least 1"):
        LunsformterModel(LunsDataset(texts=LINES), hidden_dim=0)


def test_a_line_longer_than_seq_len_is_cut_into_windows_and_nothing_is_dropped():
    text = " ".join(str(n) for n in range(200))
    dataset = LunsDataset(texts=[text])
    windows = dataset.sequences(64)
    assert len(windows) > 1 and all(len(w) <= 65 for w in windows)
    rejoined = list(windows[0]) + [i for w in windows[1:] for i in w[1:]]
    assert dataset.tokenizer.decode(rejoined) == text
    LunsformterModel(dataset, dim=16).fit(epochs=1, verbose=False)


def test_the_same_run_twice_is_identical():
    runs = [new_lm(seed=3) for _ in range(2)]
    for lm in runs:
        lm.fit(epochs=5, verbose=False)
    assert runs[0].history == runs[1].history
    assert np.array_equal(runs[0].model.parameters, runs[1].model.parameters)


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", STRINGS)
def test_decode_of_encode_is_the_text(lm, text):
    assert lm.tokenizer.decode(lm.tokenizer.encode(text)) == text


def test_its_own_training_lines_survive():
    tokenizer = LunsDataset(data_path("chat_data.txt")).tokenizer
    for text in LunsDataset(data_path("chat_data.txt")).texts:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_generation_stops_at_the_end_of_a_text(lm):
    result = lm.insideout("hello, dog", max_tokens=40, prefer_finished=True)
    assert result.best.finished and len(result.best.token_ids) < 40
    assert result.best.token_ids[-1] == lm.tokenizer.eos_id
    assert "<|eos|>" not in result.text


@pytest.mark.parametrize("prompt", ["hello", "Hello,  W0rld!", "日本 🙂", " ", "?!"])
def test_the_prompt_stays_as_typed(lm, prompt):
    assert lm.generate(prompt, max_tokens=3).startswith(prompt)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n\t\n"])
def test_a_file_without_text_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "none.txt").write_bytes(content)
    with pytest.raises(ValueError, match="none.txt"):
        LunsDataset(tmp_path / "none.txt").texts  # noqa: B018


@pytest.mark.parametrize("content", ["word", "?!", "a\n\n\nb"])
def test_one_word_or_punctuation_is_a_text(tmp_path, content):
    (tmp_path / "some.txt").write_text(content, encoding="utf-8")
    lm = LunsformterModel(LunsDataset(tmp_path / "some.txt"), dim=16)
    assert lm.fit(epochs=2, verbose=False).train_loss[-1] > 0
    assert lm.generate(content[0], max_tokens=2)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_named_with_the_line_and_can_be_passed(tmp_path, encoding):
    path = tmp_path / "old.txt"
    path.write_bytes("good\nS\xe3o Jo\xe3o".encode(encoding))
    with pytest.raises(ValueError, match=r"old.txt.*line.*encoding="):
        LunsDataset(path).texts  # noqa: B018
    assert LunsDataset(path, encoding=encoding).texts == ["good", "São João"]


def test_a_byte_order_mark_is_dropped(tmp_path):
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfhello\n")
    assert LunsDataset(tmp_path / "bom.txt").texts == ["hello"]


def test_crlf(tmp_path):
    (tmp_path / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    assert LunsDataset(tmp_path / "dos.txt").texts == ["one", "two"]


@pytest.mark.parametrize("content", [b"a\x00b\n", bytes(range(256)), b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_binary_files_are_refused(tmp_path, content):
    (tmp_path / "picture.txt").write_bytes(content)
    with pytest.raises(ValueError, match="picture.txt"):
        LunsDataset(tmp_path / "picture.txt").texts  # noqa: B018


def test_utf_8_is_read_in_a_plain_c_locale(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("São João 🙂\n", encoding="utf-8")
    code = f"from lunsedu import LunsDataset; print(ascii(LunsDataset({str(path)!r}).texts))"
    environment = dict(os.environ, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ascii(["São João 🙂"])


def test_a_missing_file_or_a_folder_is_an_error_that_names_the_path(tmp_path):
    with pytest.raises(OSError, match="nowhere.txt"):
        LunsDataset(tmp_path / "nowhere.txt").texts  # noqa: B018
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises((OSError, ValueError), match="folder.txt"):
        LunsDataset(tmp_path / "folder.txt").texts  # noqa: B018


# --- generation -----------------------------------------------------------------------------------


def test_insideout_expands_greedily_so_it_is_deterministic(lm):
    assert len({lm.generate("hello", max_tokens=8) for _ in range(30)}) == 1


def test_the_score_is_the_plain_average_likelihood(lm):
    for candidate in lm.insideout("hello", max_tokens=8).candidates:
        assert candidate.score == pytest.approx(np.mean(candidate.probs))
        assert len(candidate.probs) == len(candidate.token_ids)


@pytest.mark.parametrize("prompt", ["", "   ", "...", "?!,"])
def test_prompts_empty_spaces_and_punctuation(lm, prompt):
    assert lm.generate(prompt, max_tokens=4).startswith(prompt)


@pytest.mark.parametrize("prompt", [None, 3])
def test_a_prompt_that_is_not_text_is_an_error(lm, prompt):
    with pytest.raises(TypeError, match="the prompt must be text"):
        lm.generate(prompt)


def test_a_prompt_longer_than_seq_len_keeps_its_tail_and_says_so_once():
    lm = new_lm(seq_len=16)
    with pytest.warns(UserWarning) as said:
        text = lm.generate("hello, how are you? " * 9, max_tokens=4)
    assert len(said) == 1 and "only the last" in str(said[0].message)
    assert text.startswith("hello, how are you? " * 9)


def test_more_candidates_than_the_vocabulary_means_all_of_it(lm):
    size = lm.tokenizer.vocab_size
    result = lm.insideout("hello", max_tokens=2, num_candidates=10 * size)
    assert len(result.candidates) == size - 2  # <|pad|> and <|bos|> never start


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_no_candidates_is_an_error(lm, number):
    with pytest.raises(ValueError, match="num_candidates"):
        lm.generate("hello", num_candidates=number)


def test_max_tokens_0_and_1_and_minus_3(lm):
    assert lm.generate("hello", max_tokens=0) == "hello"
    assert len(lm.insideout("hello", max_tokens=1).best.token_ids) == 1
    with pytest.raises(ValueError, match="max_tokens"):
        lm.generate("hello", max_tokens=-3)


def test_temperature_0_is_greedy_and_below_is_an_error(lm):
    cold = lm.decode_with(sample, "hello", temperature=0, seed=1)
    assert cold.best.token_ids == lm.insideout("hello", num_candidates=1).best.token_ids
    with pytest.raises(ValueError, match="temperature"):
        lm.decode_with(sample, "hello", temperature=-1, seed=1)


def test_all_candidates_go_in_one_batch_over_one_cache(lm):
    one = lm.insideout("hello", max_tokens=8, num_candidates=1)
    many = lm.insideout("hello", max_tokens=8, num_candidates=16)
    assert many.forward_steps <= 8 and one.forward_steps <= 8


def test_verbose_shows_text_probability_and_running_score_of_each_candidate(lm, capsys):
    result = lm.insideout("hello", max_tokens=3, num_candidates=2, verbose=True)
    out = capsys.readouterr().out
    for candidate in result.candidates:
        for prob in candidate.probs:
            assert f"{prob:.4f}" in out
        assert f"{candidate.score:.4f}" in out
        for token in candidate.tokens:
            assert token.strip() in out


# --- files ----------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def test_a_malicious_model_file_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for suffix in (".safetensors", "_config.json", "_tokenizer.json", ".npz", ".pkl"):
        (tmp_path / f"evil{suffix}").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="evil.safetensors"):
        LunsformterModel.load("evil")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: d[:-9] + b"x" + d[-8:]])
def test_a_damaged_file_is_an_error_that_names_it(lm, tmp_path, damage):
    lm.save(tmp_path / "m")
    path = tmp_path / "m.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="m.safetensors"):
        LunsformterModel.load(tmp_path / "m")


def test_weights_of_another_shape_or_not_numbers_fail_at_load(lm, tmp_path):
    from lunsedu.files.storage import load_arrays, save_arrays

    for change in (lambda a: a[:-1], lambda a: a * np.float32("nan")):
        lm.save(tmp_path / "m")
        arrays, texts = load_arrays(tmp_path / "m.safetensors")
        arrays["model.embedding"] = change(arrays["model.embedding"])
        save_arrays(tmp_path / "m.safetensors", arrays, texts)
        with pytest.raises(ValueError, match="m.safetensors.*embedding"):
            LunsformterModel.load(tmp_path / "m")


def test_a_missing_prefix_is_named_and_a_missing_folder_is_made(lm, tmp_path):
    with pytest.raises(OSError, match="nothing"):
        LunsformterModel.load(tmp_path / "nothing")
    lm.save(tmp_path / "new" / "folders" / "m")
    assert LunsformterModel.load(tmp_path / "new" / "folders" / "m")


def test_load_then_fit_asks_for_the_dataset_or_goes_on(lm, tmp_path):
    lm.save(tmp_path / "m")
    with pytest.raises(ValueError, match="dataset="):
        LunsformterModel.load(tmp_path / "m").fit(epochs=1)
    again = LunsformterModel.load(tmp_path / "m", dataset=LunsDataset(texts=LINES))
    epochs = again.history.epochs
    assert again.fit(epochs=1, verbose=False).epochs == epochs + 1


def test_fine_tuning_on_new_words_keeps_the_tokenizer_and_the_old_domain():
    lm = new_lm()
    lm.fit(epochs=80, verbose=False, lr=0.01)
    ids = lm.tokenizer.encode(LINES[0])
    lm.fine_tune(LunsDataset(texts=["xylophone 日本!", "quartz"]), epochs=5, verbose=False)
    assert lm.tokenizer.encode(LINES[0]) == ids
    assert np.isfinite(evaluate(lm.model, LunsDataset(texts=LINES).sequences(64, lm.tokenizer)))


def test_a_crash_in_the_middle_of_a_save_leaves_the_old_file_whole(lm, tmp_path, monkeypatch):
    lm.save(tmp_path / "m")
    old = (tmp_path / "m.safetensors").read_bytes()

    def crash(source, target):
        raise OSError("the power went out")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="the power went out"):
        lm.save(tmp_path / "m")
    assert (tmp_path / "m.safetensors").read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "m.safetensors",
        "m_config.json",
        "m_tokenizer.json",
    ]


# --- what later versions of it added --------------------------------------------------------------


def test_csv_json_and_json_lines(tmp_path):
    (tmp_path / "a.csv").write_text('id,text\n1,"hello, you"\n2,bye\n', encoding="utf-8")
    (tmp_path / "a.json").write_text('[{"text": "hello, you"}, {"text": "bye"}]', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "hello, you"}\n{"text": "bye"}\n', encoding="utf-8")
    for dataset in (
        LunsDataset(tmp_path / "a.csv", column="text"),
        LunsDataset(tmp_path / "a.json", field="text"),
        LunsDataset(tmp_path / "a.jsonl", field="text"),
    ):
        assert dataset.texts == ["hello, you", "bye"]


def test_a_repetition_penalty_is_a_named_option_and_off_by_default(lm):
    plain = lm.insideout("hello", max_tokens=10)
    assert plain.text == lm.insideout("hello", max_tokens=10, repetition_penalty=1.0).text
    assert lm.insideout("hello", max_tokens=10, repetition_penalty=2.0).candidates
