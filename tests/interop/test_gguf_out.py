"""GGUF files that we write: read by us, by transformers, and refused where they would be wrong."""

import json

import numpy as np
import pytest

from lunsedu import LunsDataset, LunsformterModel, Tokenizer
from lunsedu.interop.gguf_out import save_gguf

gguf = pytest.importorskip("gguf")
TEXTS = ["the boat left the harbour", "a boat came back, 12 boats", "naïve café"] * 3
VARIANTS = {
    "as many key heads": dict(num_heads=4),
    "fewer key heads": dict(num_heads=4, num_kv_heads=2),
    "one key head, other base": dict(num_heads=4, num_kv_heads=1, rope_theta=500.0),
}


def new_lm(**sizes):
    dataset = LunsDataset(texts=TEXTS, vocab_size=300)
    lm = LunsformterModel(dataset, **{"dim": 32, "hidden_dim": 48, "seq_len": 40, **sizes})
    noise = np.random.default_rng(5).standard_normal(lm.model.parameters.size)
    lm.model.parameters += 0.05 * noise  # gains away from 1: a lost one would show
    return lm


@pytest.fixture(params=VARIANTS, ids=str)
def lm(request):
    return new_lm(**VARIANTS[request.param])


def logits(lm, text="the boat came back"):
    return lm.model.forward(np.array([lm.tokenizer.encode_prompt(text)]))


def test_we_read_what_we_write(lm, tmp_path):
    lm.save_gguf(tmp_path / "new" / "m.gguf")
    again = LunsformterModel.from_gguf(tmp_path / "new" / "m.gguf")
    assert again.model.config == lm.model.config
    assert np.array_equal(again.model.parameters, lm.model.parameters)
    for text in [*TEXTS, "<|eos|> 🐈\n\n  x", ""]:
        assert again.tokenizer.encode_prompt(text) == lm.tokenizer.encode_prompt(text)
    assert again.generate("the boat", 6) == lm.generate("the boat", 6)


def test_an_untied_output(tmp_path):
    lm = new_lm()
    lm.save_pretrained(tmp_path / "folder")
    config = json.loads((tmp_path / "folder" / "config.json").read_text(encoding="utf-8"))
    from safetensors.numpy import load_file, save_file

    weights = load_file(tmp_path / "folder" / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"][::-1].copy()
    save_file(weights, tmp_path / "folder" / "model.safetensors", {"format": "pt"})
    config["tie_word_embeddings"] = False
    (tmp_path / "folder" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    untied = LunsformterModel.from_pretrained(tmp_path / "folder")
    untied.save_gguf(tmp_path / "m.gguf")
    assert np.array_equal(logits(LunsformterModel.from_gguf(tmp_path / "m.gguf")), logits(untied))


def test_half_the_size_in_float16(lm, tmp_path):
    lm.save_gguf(tmp_path / "whole.gguf")
    lm.save_gguf(tmp_path / "half.gguf", dtype="float16")
    sizes = [(tmp_path / name).stat().st_size for name in ("half.gguf", "whole.gguf")]
    assert sizes[0] < 0.75 * sizes[1]
    half = LunsformterModel.from_gguf(tmp_path / "half.gguf")
    difference = np.abs(logits(half) - logits(lm)).max()
    assert 0 < difference < 0.02


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_transformers_reads_it_with_the_same_logits(lm, tmp_path, dtype):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    lm.save_gguf(tmp_path / "m.gguf", dtype=dtype)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file="m.gguf", dtype=torch.float32
    )
    ids = [lm.tokenizer.encode_prompt("the boat came back")]
    with torch.inference_mode():
        theirs = model.eval()(torch.tensor(ids)).logits.numpy()
    ours = LunsformterModel.from_gguf(tmp_path / "m.gguf")
    np.testing.assert_allclose(logits(ours), theirs, atol=1e-4)


def test_what_is_refused(tmp_path):
    lm = new_lm()
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float16'"):
        lm.save_gguf(tmp_path / "m.gguf", dtype="q4")
    for name in ("m", "m.bin", "", "folder.gguf"):
        (tmp_path / "folder.gguf").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match="end it in .gguf"):
            lm.save_gguf(tmp_path / name)
    data = json.loads(lm.tokenizer.to_json())
    data["pre_tokenizer"]["use_regex"] = False
    lm.tokenizer = Tokenizer.from_json(json.dumps(data))
    with pytest.raises(ValueError, match="no name in the GGUF format"):
        lm.save_gguf(tmp_path / "m.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.gguf"]  # nothing half written


def test_a_model_without_its_tokenizer_is_no_language_model(lm, tmp_path):
    with pytest.raises(TypeError, match="lm must be a LunsformterModel, .* pass lm itself"):
        save_gguf(lm.model, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


def test_a_crash_leaves_the_old_file(tmp_path, monkeypatch):
    lm = new_lm()
    lm.save_gguf(tmp_path / "m.gguf")
    before = (tmp_path / "m.gguf").read_bytes()

    def crash(self):
        raise MemoryError

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", crash)
    with pytest.raises(MemoryError):
        lm.save_gguf(tmp_path / "m.gguf")
    assert (tmp_path / "m.gguf").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
