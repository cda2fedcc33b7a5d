"""The library tokenizers as reference: the same ids from the same file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_texts import CHAT, TEXTS, quick

from lunsedu.tokenizer import Tokenizer

# Unassigned characters (Cn) may be letters already in the Unicode version of another library.
any_text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)


@pytest.fixture(scope="module")
def hf():
    return pytest.importorskip(
        "tokenizers", reason="compares with the library tokenizers, which is not installed"
    )


def hf_ids(reference, text):
    return reference.encode(text, add_special_tokens=False).ids


def test_the_library_gives_the_same_ids(chat, hf):
    reference = hf.Tokenizer.from_str(chat.to_json())
    assert reference.get_vocab_size() == chat.vocab_size
    for text in CHAT + TEXTS:
        assert hf_ids(reference, text) == chat.encode(text)
        ids = chat.encode(text, add_bos=True, add_eos=True)
        assert reference.decode(ids, skip_special_tokens=True) == text
    text = "a<|eos|>b <|pad|>"
    assert hf_ids(reference, text) == chat.encode(text, parse_special=True)
    reference.encode_special_tokens = True
    assert hf_ids(reference, text) == chat.encode(text)


@given(any_text)
@quick
def test_the_library_gives_the_same_ids_on_any_text(chat, hf, text):
    reference = hf.Tokenizer.from_str(chat.to_json())
    reference.encode_special_tokens = True
    assert hf_ids(reference, text) == chat.encode(text)


@given(st.lists(st.integers(0, 329), max_size=30), st.booleans())
@quick
def test_the_library_decodes_alike(chat, hf, ids, skip_special):
    reference = hf.Tokenizer.from_str(chat.to_json())
    expected = reference.decode(ids, skip_special_tokens=skip_special)
    assert chat.decode(ids, skip_special=skip_special) == expected


LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pre_tokenizer(hf, name):
    pre = hf.pre_tokenizers
    byte_level = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre.ByteLevel(add_prefix_space=False)
    return {
        "GPT-2": words,
        "SmolLM2": pre.Sequence([pre.Digits(individual_digits=True), words]),
        "numbers": pre.Sequence([pre.Digits(individual_digits=False), words]),
        "Llama 3": pre.Sequence([pre.Split(hf.Regex(LLAMA_3), "isolated"), byte_level]),
        "groups": pre.Sequence([pre.Split(hf.Regex("( ?)([a-z]+)"), "isolated"), byte_level]),
        "inverted": pre.Sequence(
            [pre.Split(hf.Regex(r"( ?)\S+|\s"), "removed", invert=True), byte_level]
        ),
        "string": pre.Sequence([pre.Split(" ", "isolated"), byte_level]),
        "whole": byte_level,
    }[name]


FOREIGN = ["GPT-2", "SmolLM2", "numbers", "Llama 3", "groups", "inverted", "string", "whole"]


def train_foreign(hf, name, **options):
    """A tokenizer as other makers' are: special tokens first, then the bytes in another order."""
    foreign = hf.Tokenizer(hf.models.BPE(**options))
    foreign.pre_tokenizer = pre_tokenizer(hf, name)
    foreign.decoder = hf.decoders.ByteLevel()
    trainer = hf.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<｜end｜>"],
        initial_alphabet=hf.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    foreign.train_from_iterator(CHAT * 3 + TEXTS, trainer)
    return foreign


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("ignore_merges", [False, True])
def test_foreign_tokenizers(hf, name, ignore_merges):
    foreign = train_foreign(hf, name, ignore_merges=ignore_merges)
    foreign.add_tokens(["<tool>", "<tool>s", "<道具>"])
    ours = Tokenizer.from_json(foreign.to_str())
    again = hf.Tokenizer.from_str(ours.to_json())
    assert ours == Tokenizer.from_json(ours.to_json())
    assert ours.vocab_size == foreign.get_vocab_size()
    assert (ours.pad_id, ours.bos_id, ours.eos_id) == (None, None, None)
    assert ours.specials == {"<|endoftext|>": 0, "<|im_start|>": 1, "<｜end｜>": 2}
    for text in CHAT + TEXTS:
        ids = hf_ids(foreign, text)
        assert ours.encode(text) == ids == hf_ids(again, text)
        assert ours.decode(ids) == text
    text = "<|im_start|>user\nhello <tool>s and <tool>, <道具><｜end｜>"
    ids = hf_ids(foreign, text)
    assert ours.encode(text, parse_special=True) == ids == hf_ids(again, text)
    assert ours.decode(ids) == foreign.decode(ids)
    assert ours.decode(ids, skip_special=False) == text
    assert ours.decode(ours.encode(text), skip_special=True) == text


@given(any_text)
@quick
def test_foreign_tokenizers_on_any_text(hf_and_ours, text):
    for reference, ours in hf_and_ours:
        assert hf_ids(reference, text) == ours.encode(text)


@pytest.fixture(scope="module")
def hf_and_ours(hf):
    foreign = [train_foreign(hf, name) for name in FOREIGN]
    return [(reference, Tokenizer.from_json(reference.to_str())) for reference in foreign]


def test_a_foreign_tokenizer_gets_its_ends(hf):
    ours = Tokenizer.from_json(train_foreign(hf, "GPT-2").to_str())
    with pytest.raises(ValueError, match="has no bos_id; set tokenizer.bos_id"):
        ours.encode("hi", add_bos=True)
    ours.bos_id = ours.eos_id = ours.specials["<|endoftext|>"]
    assert ours.encode("hi", add_bos=True, add_eos=True) == [0, *ours.encode("hi"), 0]


@given(st.text("abc", max_size=30))
@quick
def test_ranks_that_are_not_in_the_order_of_learning(hf, text):
    """As in files made from other formats: a+bc comes before b+c, and abc is made in two ways."""
    vocab = {char: i for i, char in enumerate(["a", "b", "c", "bc", "abc", "ca", "ab"])}
    merges = [("a", "bc"), ("c", "a"), ("b", "c"), ("a", "b"), ("ab", "c")]
    reference = hf.Tokenizer(hf.models.BPE(vocab, merges))
    reference.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    ours = Tokenizer.from_json(reference.to_str())
    assert ours.encode(text) == hf_ids(reference, text)


def test_a_byte_that_a_foreign_tokenizer_lacks(hf):
    reference = hf.Tokenizer(hf.models.BPE({"a": 0, "b": 5}, []))
    reference.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    ours = Tokenizer.from_json(reference.to_str())
    assert ours.encode("abba") == [0, 5, 5, 0] and ours.decode([5, 0]) == "ba"
    with pytest.raises(ValueError, match="no token for the byte 0xC3"):
        ours.encode("bé")
    with pytest.raises(ValueError, match="no token with id 3"):
        ours.decode([3])


def test_the_post_processor_is_kept_but_not_applied(hf):
    foreign = train_foreign(hf, "GPT-2")
    foreign.post_processor = hf.processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    ours = Tokenizer.from_json(foreign.to_str())
    assert ours.encode("hello") == hf_ids(foreign, "hello")
    assert hf.Tokenizer.from_str(ours.to_json()).encode("hello").ids == [0, *ours.encode("hello")]
