"""What we write: transformers opens it and gives the same numbers, and it comes back."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_folders import TEXTS, TRICKY, new_lm, opened, their_logits

from lunsedu import LunsDataset, Lunsformter, LunsformterModel
from lunsedu.decoding import greedy
from lunsedu.interop.huggingface import from_pretrained, save_pretrained

VARIANTS = {
    "tied": {},
    "untied": {"tie_embeddings": False},
    "one key head": {"num_kv_heads": 1, "rope_theta": 500_000.0},
    "two key heads, untied": {"num_kv_heads": 2, "tie_embeddings": False, "norm_eps": 1e-6},
}

# --- what we write --------------------------------------------------------------------------------


def test_five_files_are_written_into_a_new_folder(tmp_path):
    new_lm().save_pretrained(tmp_path / "new" / "folder")
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(NotADirectoryError, match="is a file"):
        new_lm().save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_model_without_its_tokenizer_is_no_language_model(tmp_path):
    with pytest.raises(TypeError, match="lm must be a LunsformterModel, .* pass lm itself"):
        save_pretrained(new_lm().model, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_we_write_we_read_back_bit_for_bit(tmp_path, variant):
    lm = new_lm(**VARIANTS[variant])
    lm.save_pretrained(tmp_path)
    back = LunsformterModel.from_pretrained(tmp_path)
    assert back.model.config == lm.model.config
    assert back.tokenizer == lm.tokenizer
    assert np.array_equal(back.model.parameters, lm.model.parameters)
    assert back.insideout("the cat").text == lm.insideout("the cat").text


def test_a_float64_model_is_written_as_float32(tmp_path):
    lm = new_lm()
    model = Lunsformter(lm.model.config, seed=None, dtype=np.float64)
    model.parameters[:] = lm.model.parameters
    save_pretrained(LunsformterModel.from_parts(model, lm.tokenizer), tmp_path)
    assert np.array_equal(from_pretrained(tmp_path)[0].parameters, lm.model.parameters)


@pytest.mark.parametrize("variant", VARIANTS)
def test_transformers_gives_the_same_logits(tmp_path, interop, variant):
    lm = new_lm(**VARIANTS[variant])
    lm.save_pretrained(tmp_path)
    model, _ = opened(interop, tmp_path)
    assert type(model).__name__ == "LlamaForCausalLM"
    ids = np.random.default_rng(1).integers(0, lm.tokenizer.vocab_size, (3, 48))
    logits = lm.model.forward(ids)
    assert np.abs(logits).max() > 1  # so that the next line says something
    assert np.abs(their_logits(interop, model, ids) - logits).max() < 1e-4


@pytest.fixture(scope="module")
def both_tokenizers(tmp_path_factory, interop):
    folder = tmp_path_factory.mktemp("tokenizer")
    lm = new_lm()
    lm.save_pretrained(folder)
    return lm.tokenizer, opened(interop, folder)[1]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text() | st.lists(st.sampled_from(TEXTS + TRICKY)).map("".join))
def test_transformers_gives_the_same_ids_on_any_text(both_tokenizers, text):
    ours, theirs = both_tokenizers
    ids = ours.encode(text)
    assert theirs(text)["input_ids"] == theirs.encode(text) == ids
    assert theirs.decode(ids) == text


def test_transformers_knows_our_special_tokens(both_tokenizers):
    ours, theirs = both_tokenizers
    assert (theirs.bos_token, theirs.bos_token_id) == ("<|bos|>", ours.bos_id)
    assert (theirs.eos_token, theirs.eos_token_id) == ("<|eos|>", ours.eos_id)
    assert (theirs.pad_token, theirs.pad_token_id) == ("<|pad|>", ours.pad_id)
    assert theirs.model_max_length == 48
    ids = [ours.bos_id, *ours.encode("the"), ours.eos_id]
    assert theirs.decode(ids, skip_special_tokens=True) == "the"


@pytest.mark.parametrize("seed", range(3))
def test_greedy_output_is_equal_token_for_token(tmp_path, interop, seed):
    lm = new_lm(seed=seed, num_kv_heads=2)
    # untrained models would gladly say <|pad|> and <|bos|>, which neither side may
    lm.model.named_parameters()["embedding"][[lm.tokenizer.pad_id, lm.tokenizer.bos_id]] *= 3
    lm.save_pretrained(tmp_path)
    model, _ = opened(interop, tmp_path)
    for text in TEXTS + TRICKY[1:]:
        prompt = lm.tokenizer.encode(text, add_bos=True)
        ours = greedy(lm.model, prompt, max_tokens=20).token_ids
        ids = interop.torch.tensor([prompt])
        theirs = model.generate(
            ids, attention_mask=interop.torch.ones_like(ids), max_new_tokens=20
        )[0].tolist()
        assert ours == theirs


# --- there and back -------------------------------------------------------------------------------


def test_a_model_trains_on_in_torch_and_comes_back(tmp_path, interop):
    torch = interop.torch
    texts = ["one two three four five", "five four three two one"] * 4
    lm = LunsformterModel(LunsDataset(texts=texts), dim=32, hidden_dim=48, num_kv_heads=2)
    lm.fit(epochs=10, verbose=False)
    lm.save_pretrained(tmp_path / "out")

    model, tokenizer = opened(interop, tmp_path / "out")
    rows = [[tokenizer.bos_token_id, *tokenizer.encode(t), tokenizer.eos_token_id] for t in texts]
    ids = torch.tensor(rows)  # both sentences have the same letters, so the same number of ids
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    losses = []
    for _ in range(60):
        loss = model(ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(lm.model.loss(ids[:, :-1].numpy(), ids[:, 1:].numpy()), 1e-4)
    assert losses[-1] < losses[0] / 2
    model.save_pretrained(tmp_path / "back")
    tokenizer.save_pretrained(tmp_path / "back")

    back = LunsformterModel.from_pretrained(tmp_path / "back")
    assert np.abs(back.model.forward(ids) - their_logits(interop, model.eval(), ids)).max() < 1e-4
    assert [back.tokenizer.encode(t) for t in TEXTS] == [lm.tokenizer.encode(t) for t in TEXTS]
    result = back.insideout("one two", max_tokens=30)
    assert result.text == "one two three four five" and result.best.finished
    history = back.fine_tune(LunsDataset(texts=texts), epochs=1, verbose=False)
    assert history.step_loss[0] == pytest.approx(losses[-1], abs=0.2)
