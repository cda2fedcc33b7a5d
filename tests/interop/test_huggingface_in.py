"""What others write: folders of Llama models and their tokenizers."""

import json

import numpy as np
import pytest
from model_folders import TEXTS, TRICKY, new_lm, opened, their_logits

from lunsedu import LunsformterModel
from lunsedu.interop.huggingface import from_pretrained


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
