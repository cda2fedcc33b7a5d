"""A grammar as a perfect model: true probabilities, clear refusals, and the decoders on top."""

import numpy as np
import pytest

from lunsedu.decoding import beam_search, exhaustive, greedy, insideout, sample
from lunsedu.grammar import END, GrammarModel, WordTokenizer, class_grammar, miniature_grammar


@pytest.fixture(scope="module")
def model():
    return GrammarModel(miniature_grammar)


@pytest.fixture(scope="module")
def class_model():
    return GrammarModel(class_grammar.unrestricted)


def test_tokenizer_round_trip(model):
    tokenizer = model.tokenizer
    assert tokenizer.vocab_size == len(miniature_grammar.words) + 3 == model.config.vocab_size
    assert [tokenizer.token_text(i) for i in range(tokenizer.vocab_size)][-3:] == [
        "<|pad|>",
        "<|bos|>",
        END,
    ]
    for text, _ in miniature_grammar.sentences():
        ids = tokenizer.encode(text, add_bos=True, add_eos=True)
        assert tokenizer.decode(ids) == text
        assert tokenizer.decode(tokenizer.encode(text)) == " " + text
    assert tokenizer.decode(ids, skip_special=False).endswith(END)
    assert WordTokenizer("b a b".split()).words == ("a", "b")
    with pytest.raises(ValueError, match='Word 3 of the text, "dragons", is no word'):
        tokenizer.encode("i see dragons")
    with pytest.raises(ValueError, match="go from 0 to 13 here, but got 14"):
        tokenizer.token_text(14)


def test_step_tells_the_truth(class_model):
    tokenizer, config = class_model.tokenizer, class_model.config
    prompt = "good day , tom ."
    cache = class_model.new_cache(2, 16)
    ids = np.array([tokenizer.encode(prompt, add_bos=True)] * 2)  # [B, T]
    logits = class_model.step(ids, cache)  # [B, V]
    assert logits.shape == (2, config.vocab_size) and cache.length == ids.shape[1]
    assert np.exp(logits).sum(axis=1) == pytest.approx([1, 1])
    truth = class_grammar.unrestricted.next_words(prompt)
    for number, word in enumerate(tokenizer.words):
        assert np.exp(logits[0, number]) == pytest.approx(truth.get(word, 0.0))
    how, oh = tokenizer.encode("how oh")
    logits = class_model.step(np.array([[how], [oh]]), cache)
    assert [tokenizer.token_text(i) for i in logits.argmax(axis=1)] == ["are", "my"]


def test_steps_multiply_to_the_sentence(model):
    for text, log_prob in miniature_grammar.sentences():
        ids = model.tokenizer.encode(text, add_bos=True, add_eos=True)
        cache, total = model.new_cache(1, 8), 0.0
        for one, following in zip(ids, ids[1:], strict=False):
            total += model.step(np.array([[one]]), cache)[0, following]
        assert total == pytest.approx(log_prob)


def test_select_copies_rows(model):
    cache = model.new_cache(1, 8)
    bos, i, how = model.config.bos_id, *model.tokenizer.encode("i how")
    model.step(np.array([[bos]]), cache)
    pair = cache.select([0, 0])
    assert pair.length == cache.length == 1
    logits = model.step(np.array([[i], [how]]), pair)
    words = [model.tokenizer.token_text(one) for one in logits.argmax(axis=1)]
    assert words == ["see", "are"]
    assert cache.length == 1  # the first cache stands where it stood
    again = model.step(np.array([[how]]), cache)
    assert np.array_equal(again[0], logits[1])


def test_after_the_end_only_padding(model):
    ids = model.tokenizer.encode("how are you", add_bos=True, add_eos=True)
    cache = model.new_cache(1, 8)
    for step in (ids, [model.config.pad_id]):
        logits = model.step(np.array([step]), cache)
        assert logits[0, model.config.pad_id] == 0 and np.exp(logits).sum() == 1


def test_prompts_that_leave_the_language(model):
    encode = model.tokenizer.encode
    with pytest.raises(ValueError, match='word 3 is "you", expected "kites" or "birds"'):
        greedy(model, encode("i see you", add_bos=True))
    with pytest.raises(ValueError, match="the end of a sentence is not written"):
        greedy(model, encode("how are you", add_eos=True) + encode("i"))
    with pytest.raises(ValueError, match="bos"):
        greedy(model, [model.config.bos_id, model.config.bos_id])
    held_out = GrammarModel(class_grammar)
    with pytest.raises(ValueError, match="held out"):
        greedy(held_out, held_out.tokenizer.encode(class_grammar.puzzles()[0]))
    for shape in ((2, 1), (1,), (1, 0)):
        with pytest.raises(ValueError, match="ids of shape"):
            model.step(np.zeros(shape, dtype=int), model.new_cache(1, 8))


def test_a_row_that_leaves_the_language_never_looks_convincing(model):
    cache = model.new_cache(1, 8)
    model.step(np.array([[model.config.bos_id]]), cache)
    for word in ("you", "are"):
        logits = model.step(np.array([model.tokenizer.encode(word)]), cache)
        assert np.exp(logits) == pytest.approx(np.full((1, 14), 1 / 14))


def test_decoders_on_the_miniature(model):
    tools = {"max_tokens": 6, "tokenizer": model.tokenizer}

    def said(result):
        return result.text.strip()

    assert said(greedy(model, [], **tools)) == "i see kites"
    for score, best in (
        ("sum", "how are you"),
        ("geometric", "how are you"),
        ("arithmetic", "oh my my my"),
    ):
        assert said(exhaustive(model, [], score=score, **tools)) == best
        assert said(insideout(model, [], score=score, **tools)) == best
    assert said(beam_search(model, [], **tools)) == miniature_grammar.mode()
    drawn = sample(model, [], num_samples=50, seed=1, **tools)
    assert all(miniature_grammar.accepts(one.text) for one in drawn.candidates)


@pytest.mark.parametrize("question", ["early", "late"])
def test_decoders_on_held_out_puzzles(class_model, question):
    for prompt in class_grammar.puzzles(question=question)[:5]:
        ids = class_model.tokenizer.encode(prompt, add_bos=True)
        for decode in (greedy, beam_search, insideout):
            result = decode(class_model, ids, max_tokens=14, tokenizer=class_model.tokenizer)
            assert result.text.startswith(prompt + " ")
            assert class_grammar.answer_is_right(result.text)
