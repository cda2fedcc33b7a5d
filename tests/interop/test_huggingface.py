"""Hugging Face folders: what we write transformers opens, what others write we open or refuse."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lunsedu import LunsDataset, Lunsformter, LunsformterConfig, LunsformterModel, Tokenizer
from lunsedu.decoding import greedy
from lunsedu.files.safetensors_file import open_weights
from lunsedu.interop.huggingface import from_gguf, from_pretrained, save_pretrained

TEXTS = [
    "the cat sat on the mat.",
    "12 cats, 345 mats & 6789 hats",
    "ação é português",
    "你好 🐈 <|eos|> <|bos|>",
]
TRICKY = ["", " ", "a<|eos|>b", "<|pad|><|bos|><|eos|>", " x\n\n\ty  ", "é\u0301🐈\x00", "123 4567"]

VARIANTS = {
    "tied": {},
    "untied": {"tie_embeddings": False},
    "one key head": {"num_kv_heads": 1, "rope_theta": 500_000.0},
    "two key heads, untied": {"num_kv_heads": 2, "tie_embeddings": False, "norm_eps": 1e-6},
}


def new_lm(seed=0, vocab_size=300, **sizes):
    """An untrained model with gains away from 1, so that a lost gain would show."""
    tokenizer = Tokenizer.train(TEXTS * 3, vocab_size)
    config = LunsformterConfig(
        vocab_size=tokenizer.vocab_size,
        **{"dim": 32, "num_heads": 4, "hidden_dim": 40, "seq_len": 48, **sizes},
        pad_id=tokenizer.pad_id,
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
    )
    model = Lunsformter(config, seed=seed)
    model.parameters += 0.1 * np.random.default_rng(seed).standard_normal(model.parameters.size)
    return LunsformterModel.from_parts(model, tokenizer)


@pytest.fixture(scope="session")
def interop():
    """transformers and torch, or a skip that says what is missing."""
    reason = 'needs the extra [interop]: pip install "lunsedu[interop]"'
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # small models: a second thread only waits
    return SimpleNamespace(torch=torch, transformers=transformers)


def opened(interop, folder):
    """Return transformers' model and tokenizer of a folder."""
    auto = interop.transformers
    model = auto.AutoModelForCausalLM.from_pretrained(folder)
    return model.eval(), auto.AutoTokenizer.from_pretrained(folder)


def their_logits(interop, model, ids):
    with interop.torch.inference_mode():
        return model(interop.torch.tensor(np.asarray(ids))).logits.float().numpy()


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
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError, match="is a file"):
        new_lm().save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


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


# --- what others write ----------------------------------------------------------------------------


def their_tokenizer(kind):
    """A byte-level BPE tokenizer of another maker, trained on our texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(models.BPE())
    if kind == "digits":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    elif kind == "split":
        pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s+|."
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    else:
        tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<start>", "<end>", "<turn>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=specials, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    if kind == "bos":
        single = processors.TemplateProcessing(
            single="<start> $A", special_tokens=[("<start>", 0)], pair=None
        )
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), single])
    return tokenizer


def write_llama(interop, folder, kind="plain", dtype="float32", shard="5GB", **changes):
    """A folder as transformers writes it for a Llama of random weights; returns the model."""
    tokenizer = interop.transformers.PreTrainedTokenizerFast(
        tokenizer_object=their_tokenizer(kind), bos_token="<start>", eos_token="<end>"
    )
    sizes = {
        "vocab_size": len(tokenizer) + 6,  # some makers pad the table
        "hidden_size": 32,
        "intermediate_size": 56,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "initializer_range": 0.3,
        **changes,
    }
    interop.torch.manual_seed(0)
    config = interop.transformers.LlamaConfig(**sizes)
    model = interop.transformers.LlamaForCausalLM(config)
    model.to(getattr(interop.torch, dtype)).save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    kind = interop.torch.float32  # read anew: above, the table of angles was rounded as well
    return interop.transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=kind).eval()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard", ["5GB", "20KB"])
def test_every_llama_folder_opens(tmp_path, interop, dtype, tied, shard):
    theirs = write_llama(interop, tmp_path, dtype=dtype, shard=shard, tie_word_embeddings=tied)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard == "20KB")
    model, _ = from_pretrained(tmp_path)
    assert model.dtype == np.float32 and model.config.tie_embeddings == tied
    ids = np.random.default_rng(2).integers(0, model.config.vocab_size, (2, 30))
    logits = model.forward(ids)
    assert np.abs(logits).max() > 1
    assert np.abs(their_logits(interop, theirs, ids) - logits).max() < 1e-4


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("theta", [1000.0, 10000.0, 5e5])
def test_any_number_of_key_heads_and_any_rope_base(tmp_path, interop, heads, theta):
    rope = {"rope_type": "default", "rope_theta": theta}
    theirs = write_llama(interop, tmp_path, num_key_value_heads=heads, rope_parameters=rope)
    model, _ = from_pretrained(tmp_path)
    assert model.config.rope_theta == theta
    ids = np.random.default_rng(3).integers(0, model.config.vocab_size, (1, 64))
    assert np.abs(their_logits(interop, theirs, ids) - model.forward(ids)).max() < 1e-4


@pytest.mark.parametrize("kind", ["plain", "digits", "split", "bos"])
def test_their_tokenizers_give_the_same_ids_here(tmp_path, interop, kind):
    write_llama(interop, tmp_path, kind)
    theirs = interop.transformers.AutoTokenizer.from_pretrained(tmp_path)
    lm = LunsformterModel.from_pretrained(tmp_path)
    for text in [*TEXTS, *TRICKY, "in 1984, 20000 I'm WE'LL", "<start>x<turn>"]:
        plain = theirs.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert lm.tokenizer.encode(text) == plain
        parsed = theirs.encode(text, add_special_tokens=False)
        assert lm.tokenizer.encode(text, parse_special=True) == parsed
    # a prompt begins as in transformers: with <start> only if their tokenizer puts it there
    assert lm.insideout("the cat", 1).prompt_ids == theirs.encode("the cat")
    assert lm.tokenizer.bos_id == (0 if kind == "bos" else None)
    assert (lm.model.config.bos_id, lm.model.config.eos_id, lm.tokenizer.eos_id) == (0, 1, 1)
    # the model knows six more ids than their tokenizer
    spare = list(range(lm.tokenizer.vocab_size - 6, lm.tokenizer.vocab_size))
    assert lm.tokenizer.vocab_size == lm.model.config.vocab_size == len(theirs) + 6
    assert lm.tokenizer.decode([5, *spare]) == theirs.decode([5, *spare])
    assert lm.tokenizer.token_text(spare[0]) == f"<|unused {spare[0]}|>"


def test_a_foreign_folder_goes_out_again(tmp_path, interop):
    theirs = write_llama(interop, tmp_path / "in", "digits")
    LunsformterModel.from_pretrained(tmp_path / "in").save_pretrained(tmp_path / "out")
    model, tokenizer = opened(interop, tmp_path / "out")
    ids = np.random.default_rng(4).integers(0, 300, (2, 9))
    assert (
        np.abs(their_logits(interop, theirs, ids) - their_logits(interop, model, ids)).max() < 1e-4
    )
    # names of special tokens are read in a text, as their chat formats need it
    assert tokenizer.encode("<turn>9")[0] == tokenizer.convert_tokens_to_ids("<turn>") == 2
    assert tokenizer.bos_token == "<start>"


def test_ids_without_a_token_keep_their_places(tmp_path, interop):
    """Ids 40 and 41 have no token, and the table ends in six unused rows."""
    write_llama(interop, tmp_path / "in", vocab_size=340)
    path = tmp_path / "in" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocab = {t: i + 2 * (i >= 40) for t, i in content["model"]["vocab"].items()}
    content["model"]["vocab"] = vocab
    path.write_text(json.dumps(content), encoding="utf-8")
    lm = LunsformterModel.from_pretrained(tmp_path / "in")
    assert lm.tokenizer.token_text(41) == "<|unused 41|>"
    lm.save_pretrained(tmp_path / "out")
    theirs = interop.transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in TEXTS:
        ids = lm.tokenizer.encode(text)
        assert min(i for i in ids if i > 39) > 41
        assert theirs.encode(text, split_special_tokens=True) == ids
        assert lm.tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("Qwen2Config", {}, "architecture 'qwen2'"),
        ("MistralConfig", {}, "architecture 'mistral'"),
        ("LlamaConfig", {"attention_bias": True}, "bias in the attention"),
        ("LlamaConfig", {"mlp_bias": True}, "bias in the feed-forward"),
        ("LlamaConfig", {"head_dim": 16}, "head_dim 16 with 4 heads"),
        ("LlamaConfig", {"hidden_act": "gelu"}, "activation 'gelu'"),
        (
            "LlamaConfig",
            {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}},
            r"RoPE scaling \('linear'\)",
        ),
    ],
)
def test_configurations_of_transformers_that_are_not_ours(
    tmp_path, interop, name, changes, message
):
    new_lm().save_pretrained(tmp_path)
    config = getattr(interop.transformers, name)(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=4, **changes
    )
    config.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"config.json cannot be used: not supported: .*{message}"):
        from_pretrained(tmp_path)


# --- reading without transformers -----------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of ours; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("saved")
    new_lm(num_kv_heads=2).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def change(folder, name="config.json", **values):
    """Set fields of a JSON file; a value of ... takes the field out."""
    content = json.loads((folder / name).read_text())
    content.update(values)
    content = {key: value for key, value in content.items() if value is not ...}
    (folder / name).write_text(json.dumps(content))


def tensors_of(folder):
    shapes, read = open_weights(folder)
    return {name: np.array(read(name)) for name in shapes}


def write_tensors(path, tensors, kinds=None):
    """Write safetensors by hand, so that types which numpy lacks can be written as well."""
    header, data = {}, b""
    for name, array in tensors.items():
        kind = (kinds or {}).get(name) or {"<f4": "F32", "<f2": "F16", "<f8": "F64"}[
            array.dtype.str
        ]
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def rewrite(folder, edit):
    tensors = tensors_of(folder)
    edit(tensors)
    write_tensors(folder / "model.safetensors", tensors)


def test_half_precision_and_double_precision(folder):
    tensors = tensors_of(folder)
    exact = from_pretrained(folder)[0]
    for dtype, tolerance in (("<f2", 1e-2), ("<f8", 0)):
        as_dtype = {name: array.astype(dtype) for name, array in tensors.items()}
        write_tensors(folder / "model.safetensors", as_dtype)
        model = from_pretrained(folder)[0]
        assert model.dtype == np.float32
        np.testing.assert_allclose(model.parameters, exact.parameters, rtol=tolerance, atol=1e-4)


def test_bfloat16_is_the_upper_half_of_a_float32(folder):
    bits = {name: array.view(np.uint32) >> 16 for name, array in tensors_of(folder).items()}
    expected = {name: (half << 16).view(np.float32) for name, half in bits.items()}
    halves = {name: half.astype(np.uint16) for name, half in bits.items()}
    write_tensors(folder / "model.safetensors", halves, dict.fromkeys(halves, "BF16"))
    model = from_pretrained(folder)[0]
    named = model.named_parameters()
    assert np.array_equal(named["embedding"], expected["model.embed_tokens.weight"])
    down = expected["model.layers.1.mlp.down_proj.weight"]
    assert np.array_equal(named["layers.1.down"], down.T)


def test_query_key_and_value_lie_side_by_side_transposed(folder):
    tensors, named = tensors_of(folder), from_pretrained(folder)[0].named_parameters()
    attention = "model.layers.0.self_attn."
    parts = [tensors[f"{attention}{name}_proj.weight"] for name in "qkv"]
    assert [part.shape for part in parts] == [(32, 32), (16, 32), (16, 32)]
    assert np.array_equal(named["layers.0.qkv"], np.concatenate(parts).T)
    parts = [tensors[f"model.layers.0.mlp.{name}_proj.weight"] for name in ("gate", "up")]
    assert np.array_equal(named["layers.0.gate_up"], np.concatenate(parts).T)


def split_in_two(folder):
    """Turn the folder's one file of weights into two with an index."""
    tensors = tensors_of(folder)
    names = sorted(tensors)
    files = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in files.items():
        write_tensors(folder / file, {name: tensors[name] for name in part})
    (folder / "model.safetensors").unlink()
    weight_map = {name: file for file, part in files.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


def test_several_files_with_an_index(folder, saved):
    split_in_two(folder)
    expected = from_pretrained(saved)[0].parameters
    assert np.array_equal(from_pretrained(folder)[0].parameters, expected)
    (folder / "b.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.safetensors is missing"):
        from_pretrained(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_a_damaged_index(folder, text):
    split_in_two(folder).write_text(text)
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
        from_pretrained(folder)


def test_an_index_cannot_point_out_of_the_folder(folder):
    split_in_two(folder).write_text('{"weight_map": {"x": "../model.safetensors"}}')
    with pytest.raises(ValueError, match="must stand beside it"):
        from_pretrained(folder)


def test_older_and_newer_ways_to_write_the_rope_base(folder):
    change(folder, rope_parameters=..., rope_theta=1234)
    assert from_pretrained(folder)[0].config.rope_theta == 1234
    change(folder, rope_scaling={"type": "default"})
    assert from_pretrained(folder)[0].config.rope_theta == 1234
    change(folder, rope_theta=..., rope_scaling=...)
    assert from_pretrained(folder)[0].config.rope_theta == 10000
    change(folder, rope_parameters={"rope_type": "default", "rope_theta": 77}, rope_theta=5)
    assert from_pretrained(folder)[0].config.rope_theta == 77


def test_what_a_config_leaves_out_is_what_transformers_takes(folder):
    change(folder, num_key_value_heads=..., head_dim=..., hidden_act=..., rms_norm_eps=...)
    tensors = tensors_of(folder)
    for name in list(tensors):
        if "k_proj" in name or "v_proj" in name:
            tensors[name] = np.concatenate([tensors[name]] * 2)
    write_tensors(folder / "model.safetensors", tensors)
    config = from_pretrained(folder)[0].config
    assert (config.num_kv_heads, config.norm_eps) == (4, 1e-6)


def test_a_tied_output_may_stand_in_the_file_once_more(folder, saved):
    rewrite(folder, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"]}))
    expected = from_pretrained(saved)[0]
    assert np.array_equal(from_pretrained(folder)[0].parameters, expected.parameters)


@pytest.mark.parametrize(
    "eos, name, expected",
    [
        ([5, 7], "<|eos|>", 5),  # the name is none of the two
        ([5, 299], "<|eos|>", 299),
        ([5, 299], {"content": "<|eos|>"}, 299),
        ([], "<|eos|>", None),
        (-1, "<|eos|>", None),
        (None, "<|eos|>", None),
        (8, None, 8),
    ],
)
def test_one_end_of_text_is_taken(folder, eos, name, expected):
    assert from_pretrained(folder)[1].eos_id == 299
    change(folder, eos_token_id=eos)
    change(folder, "generation_config.json", eos_token_id=...)
    change(folder, "tokenizer_config.json", eos_token=name)
    assert from_pretrained(folder)[0].config.eos_id == expected


def test_the_generation_config_has_the_last_word_on_the_end_of_text(folder):
    change(folder, "generation_config.json", eos_token_id=17)
    assert from_pretrained(folder)[0].config.eos_id == 17


def test_only_three_files_are_needed(folder, saved):
    (folder / "tokenizer_config.json").unlink()
    (folder / "generation_config.json").unlink()
    assert from_pretrained(folder)[0].config == from_pretrained(saved)[0].config


REFUSED = {
    "architecture": ({"model_type": "gpt2"}, "architecture 'gpt2'; only 'llama' is"),
    "no model": ({"architectures": ["LlamaForSequenceClassification"]}, "a model for"),
    "quantised": ({"quantization_config": {"bits": 4}}, "quantised weights"),
    "scaled": ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "'llama3'"),
    "scaled, older": ({"rope_parameters": ..., "rope_scaling": {"type": "yarn"}}, "'yarn'"),
    "part": ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "a part of"),
    "by layer": ({"rope_parameters": {"full_attention": {"rope_theta": 1}}}, "between layers"),
    "rope text": ({"rope_parameters": "default"}, "RoPE parameters"),
    "interleaved": ({"rope_interleaved": True}, "side by side"),
    "bias": ({"attention_bias": True}, "bias in the attention"),
    "mlp bias": ({"mlp_bias": True}, "bias in the feed-forward"),
    "activation": ({"hidden_act": "relu"}, "activation 'relu'"),
    "wide heads": ({"head_dim": 64}, "head_dim 64 with 4 heads in a width of 32"),
    "window": ({"sliding_window": 4096}, "sliding window"),
    "windows": ({"layer_types": ["sliding_attention"]}, "sliding window"),
    "text for a size": ({"hidden_size": "wide", "head_dim": ...}, "whole number"),
    "no layers": ({"num_hidden_layers": 0}, "num_layers must be"),
    "too long": ({"max_position_embeddings": 10**12}, "1000000000000 positions"),
    "eos": ({"eos_token_id": 900}, "eos_id=900 is no token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_named(folder, case):
    changes, message = REFUSED[case]
    change(folder, **changes)
    if "eos_token_id" in changes:
        (folder / "generation_config.json").unlink()
    with pytest.raises(ValueError, match=f"config.json cannot be used: .*{message}") as error:
        from_pretrained(folder)
    assert "\n" not in str(error.value)


WRONG_WEIGHTS = {
    "missing": (lambda t: t.pop("model.norm.weight"), "model.norm.weight are missing"),
    "bias": (
        lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": np.zeros(32, "<f4")}),
        "a bias .model.layers.0.self_attn.q_proj.bias",
    ),
    "unknown": (
        lambda t: t.update({"model.layers.0.self_attn.q_norm.weight": np.zeros(8, "<f4")}),
        "q_norm.weight, unknown to a Llama",
    ),
    "another shape": (
        lambda t: t.update({"model.norm.weight": np.ones(31, "<f4")}),
        r"model.norm.weight has shape \(31,\), but the configuration needs \(32,\)",
    ),
    "not a number": (
        lambda t: t["model.layers.1.mlp.up_proj.weight"].__setitem__((3, 4), np.nan),
        "up_proj.weight holds values that are not finite",
    ),
}


@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_weights_that_cannot_be_used(folder, case):
    edit, message = WRONG_WEIGHTS[case]
    rewrite(folder, edit)
    with pytest.raises(ValueError, match=message):
        from_pretrained(folder)


def test_a_table_that_old_files_carry_along_is_ignored(folder, saved):
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite(folder, lambda t: t.update({name: np.ones(4, "<f4")}))
    assert np.array_equal(
        from_pretrained(folder)[0].parameters, from_pretrained(saved)[0].parameters
    )


def test_whole_numbers_for_weights_are_refused(folder):
    tensors = tensors_of(folder)
    tensors["model.norm.weight"] = np.ones(32, np.int8)
    write_tensors(folder / "model.safetensors", tensors, {"model.norm.weight": "I8"})
    with pytest.raises(ValueError, match="model.norm.weight is of type I8, perhaps quantised"):
        from_pretrained(folder)


def test_a_config_of_absurd_size_takes_no_memory(folder):
    change(folder, num_hidden_layers=10**9)
    with pytest.raises(ValueError, match="layers are not all there"):
        from_pretrained(folder)
    for sizes in ({"intermediate_size": 10**12}, {"vocab_size": 10**12}):
        change(folder, num_hidden_layers=2, **sizes)
        with pytest.raises(ValueError, match="has shape"):
            from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_a_file_of_weights_that_was_cut_short(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="model.safetensors is not a whole safetensors file"):
        from_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("text", ['{"model_type": ', "[1, 2]", "[" * 100_000, "\x00"])
def test_damaged_json(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        from_pretrained(folder)


def test_json_that_is_not_utf8(folder):
    (folder / "config.json").write_bytes(b'{"model_type": "ll\xe4ma"}')
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        from_pretrained(folder)


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="downloads nothing"):
        from_pretrained("HuggingFaceTB/SmolLM2-135M")
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        from_pretrained(tmp_path)
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer\.json"):
        from_pretrained(folder)
    (tmp_path / "tokenizer.json").rename(folder / "tokenizer.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors"):
        from_pretrained(folder)


def test_a_tokenizer_of_another_model(folder):
    Tokenizer.train(TEXTS * 3, 320).save(folder / "tokenizer.json")
    with pytest.raises(ValueError, match="do not belong together"):
        from_pretrained(folder)


def test_a_damaged_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        from_pretrained(folder)


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ValueError, match="open it with from_gguf"):
        from_pretrained(tmp_path / "model.gguf")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        from_gguf(tmp_path / "other.gguf")
