"""The judge: intervals, decoders on prompts, a model against the truth."""

import inspect
import math
import re
from functools import partial

import numpy as np
import pytest
from matplotlib.text import Text

from lunsedu import LunsDataset, Lunsformter, LunsformterConfig, LunsformterModel, intervals
from lunsedu.decoding import beam_search, greedy, insideout, sample
from lunsedu.evaluation import evaluate, gap_to_floor, word_log_probs
from lunsedu.evaluation.table_views import COLUMNS
from lunsedu.grammar import GrammarModel, class_grammar, miniature_grammar, story_grammar

# Knows the class language, except how to answer a puzzle without working it out.
GUESSER = GrammarModel(class_grammar.unrestricted.variant({"shell game"}, {"shell game"}))
EARLY = class_grammar.puzzles(question="early")[:60]
LATE = class_grammar.puzzles(question="late")[:60]


# --- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("successes, count", [(1, 3), (61, 200), (187, 200)])
def test_the_ends_of_wilsons_interval_are_z_deviations_away(successes, count):
    share, z = successes / count, 1.959963984540054
    for end in intervals.wilson(successes, count):
        assert abs(share - end) == pytest.approx(z * math.sqrt(end * (1 - end) / count))


@pytest.mark.parametrize("successes", [0, 200])
def test_wilsons_interval_keeps_a_width_at_the_ends(successes):
    low, high = intervals.wilson(successes, 200)
    assert 0 <= low <= successes / 200 <= high <= 1 and 0.01 < high - low < 0.02


def binomial(k, n, p):
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.9])
def test_wilsons_interval_holds_the_truth_about_95_times_in_100(p):
    held = 0.0
    for k in range(201):
        low, high = intervals.wilson(k, 200)
        held += binomial(k, 200, p) * (low <= p <= high)
    assert 0.93 < held < 0.97


def test_more_confidence_is_a_wider_interval():
    narrow, wide = intervals.proportion(61, 200, 0.8), intervals.proportion(61, 200, 0.99)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


@pytest.mark.parametrize(
    "successes, count",
    [(1, 0), (0, 0), (5, 4), (-1, 4), (300, 200), (math.nan, 2), (1, math.inf), ("1", 2), (1, None)]
    + [(np.ones(3), 5)],
)
@pytest.mark.parametrize("measure", [intervals.proportion, intervals.wilson])
def test_no_share_without_cases(measure, successes, count):
    with pytest.raises(ValueError, match="at least one case and no more successes than cases"):
        measure(successes, count)


def test_the_bootstrap_finds_the_known_width_of_a_mean():
    values = np.random.default_rng(3).normal(5.0, 2.0, size=400)
    estimate = intervals.mean(values)
    expected = 2 * 1.96 * values.std() / math.sqrt(400)
    assert estimate.value == values.mean()
    assert estimate.high - estimate.low == pytest.approx(expected, rel=0.1)
    assert intervals.mean(values) == estimate != intervals.mean(values, seed=1)


def test_one_value_has_no_spread():
    estimate = intervals.mean([2.0])
    assert (estimate.value, estimate.low, estimate.high) == (2.0, -math.inf, math.inf)


@pytest.mark.parametrize(
    "values",
    [[], [1.0, math.nan], [1.0, -math.inf], [[1.0], [2.0]], ["1", "2"], [[1.0], [2.0, 3.0]], None],
)
def test_a_mean_needs_finite_numbers(values):
    with pytest.raises(ValueError, match="all of them finite"):
        intervals.mean(values)


def test_a_confidence_is_a_share():
    with pytest.raises(ValueError, match="such as 0.95, not 95"):
        intervals.proportion(1, 2, confidence=95)


def test_a_mean_needs_resamples():
    with pytest.raises(ValueError, match="resamples must be a whole number of at least 1, not 0"):
        intervals.mean([1, 2], resamples=0)


@pytest.mark.parametrize("measure", [intervals.wilson, intervals.proportion])
@pytest.mark.parametrize("confidence", [0, 1, math.nan, "0.9", None])
def test_a_confidence_lies_between_0_and_1(measure, confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        measure(1, 2, confidence)


def test_a_paired_difference_counts_disagreements_alone():
    first = [True] * 30 + [False] * 10 + [True] * 60
    second = [False] * 30 + [True] * 10 + [True] * 60
    estimate = intervals.paired_difference(first, second)
    # 102 cases, 30.5 won, 10.5 lost: Agresti and Min's formula, written out.
    middle = (30.5 - 10.5) / 102
    half = 1.959964 * math.sqrt((41 / 102 - middle**2) / 102)
    assert estimate.value == pytest.approx(0.2)
    assert (estimate.low, estimate.high) == pytest.approx((middle - half, middle + half))
    swapped = intervals.paired_difference(second, first)
    assert (swapped.low, swapped.high) == pytest.approx((-estimate.high, -estimate.low))


def test_no_disagreement_is_no_proof_of_equality():
    estimate = intervals.paired_difference([True] * 50, [True] * 50)
    assert estimate.value == 0 and estimate.low < -0.01 and estimate.high > 0.01


def test_pairs_need_the_same_cases():
    with pytest.raises(ValueError, match="the same cases twice"):
        intervals.paired_difference([True], [True, False])
    with pytest.raises(ValueError, match="the same cases twice"):
        intervals.paired_difference([], [])


@pytest.mark.parametrize(
    "first", [[math.nan], ["yes"], [2], [None], [0.5], "1", None, [[1], [1, 0]]]
)
def test_pairs_are_of_outcomes(first):
    with pytest.raises(ValueError, match="first must hold True or False"):
        intervals.paired_difference(first, [0])
    with pytest.raises(ValueError, match="second must hold True or False"):
        intervals.paired_difference([1], first)


def test_1_and_0_are_outcomes_too():
    wanted = intervals.paired_difference([True, False, True], [False, False, True])
    for kind in (np.int64, np.float32, bool):
        pair = np.array([1, 0, 1], kind), np.array([0, 0, 1], kind)
        assert intervals.paired_difference(*pair) == wanted


# --- decoders judged ------------------------------------------------------------------------------


def test_greedy_is_right_where_the_commonest_cup_is():
    """The guesser's greedy answer is always the same cup: so often must it be right."""
    table = evaluate(GUESSER, {"greedy": greedy}, EARLY, class_grammar)
    answers = {o.text for o in table["greedy"].outcomes}
    assert len(answers) == 1 == table["greedy"].distinct
    text = answers.pop()
    expected = [class_grammar.unrestricted.accepts(prompt + text).accepted for prompt in EARLY]
    assert 0 < sum(expected) < len(EARLY)
    assert [o.right for o in table["greedy"].outcomes] == expected
    assert table["greedy"].right == intervals.proportion(sum(expected), len(EARLY))
    assert table["greedy"].well_formed.value == 1.0  # wrong, but said as the language says it


def test_the_late_fork_and_its_repair():
    decoders = {
        "beam": beam_search,
        "first": partial(insideout, score="geometric"),
        "uncertain": partial(insideout, score="geometric", branch="uncertain"),
    }
    early = evaluate(GUESSER, decoders, EARLY, class_grammar)
    late = evaluate(GUESSER, decoders, LATE, class_grammar)
    assert [row.right.value for row in early.rows] == [1.0, 1.0, 1.0]
    assert late["beam"].right.value == late["uncertain"].right.value == 1.0
    assert late["first"].right.value < 0.5
    assert late.difference("beam", "first").value == pytest.approx(1 - late["first"].right.value)
    assert late.difference("beam", "first").low > 0.4


def test_log_probabilities_are_the_models_and_the_truths():
    outcome = evaluate(GUESSER, {"x": insideout}, EARLY[:1], class_grammar)["x"].outcomes[0]
    text = EARLY[0] + outcome.text
    model, truth = GUESSER.grammar, class_grammar.unrestricted
    assert outcome.right and outcome.finished
    assert outcome.model_log_prob == pytest.approx(model.log_prob(text, prompt=EARLY[0]))
    assert outcome.true_log_prob == pytest.approx(truth.log_prob(text, prompt=EARLY[0]))


def test_what_the_language_never_says_is_left_out_of_the_mean():
    row = evaluate(GUESSER, {"greedy": greedy}, EARLY, class_grammar)["greedy"]
    never = [o for o in row.outcomes if o.true_log_prob == -math.inf]
    assert never and not any(o.right for o in never)
    assert row.true_log_prob.count == len(EARLY) - len(never)
    assert math.isfinite(row.true_log_prob.value)


def test_a_text_cut_short_is_neither_right_nor_well_formed():
    row = evaluate(GUESSER, {"greedy": greedy}, EARLY[:5], class_grammar, max_tokens=1)["greedy"]
    assert row.right.value == row.well_formed.value == 0 and row.true_log_prob is None
    assert not any(o.finished for o in row.outcomes)


@pytest.mark.parametrize("family", ["shell game", "sums"])
def test_every_right_answer_fits_into_the_default_number_of_tokens(family):
    room = inspect.signature(evaluate).parameters["max_tokens"].default
    prompt = story_grammar.puzzles(held_out=False, question="late", family=family)[0]
    answers = [text.removeprefix(prompt).split() for text, _ in story_grammar.sentences(prompt)]
    assert len(answers) == 2 and max(map(len, answers)) + 1 <= room  # and <|eos|>


def test_cost_is_what_the_decoder_reports():
    row = evaluate(GUESSER, {"beam": beam_search}, EARLY[:4], class_grammar)["beam"]
    ids = [GUESSER.tokenizer.encode(prompt, add_bos=True) for prompt in EARLY[:4]]
    results = [beam_search(GUESSER, prompt, 20) for prompt in ids]
    assert row.tokens_computed == np.mean([r.tokens_computed for r in results])
    assert row.forward_steps == np.mean([r.forward_steps for r in results])


def test_prompts_that_ask_nothing_have_no_right_answer():
    table = evaluate(GUESSER, {"a": greedy, "b": greedy}, ["good day , tom ."], class_grammar)
    assert table["a"].right is None and "–" in str(table)
    for asked in (table.plot, lambda: table.difference("a", "b")):
        with pytest.raises(ValueError, match="ask nothing"):
            asked()


def test_dice_are_thrown_anew_at_each_prompt_and_alike_in_each_table():
    prompts = ["good day , tom ."] * 40
    alone = evaluate(GUESSER, {"sampling": sample}, prompts, class_grammar)
    both = evaluate(GUESSER, {"more": sample, "sampling": sample}, prompts, class_grammar)
    other = evaluate(GUESSER, {"sampling": sample}, prompts, class_grammar, seed=1)
    assert alone["sampling"].distinct > 5
    assert alone["sampling"].outcomes == both["sampling"].outcomes == both["more"].outcomes
    assert alone["sampling"].outcomes != other["sampling"].outcomes


def test_a_model_that_was_trained_is_judged_alike():
    lm = LunsformterModel(LunsDataset(texts=class_grammar.corpus(50, seed=1)), dim=16, seed=1)
    prompt = class_grammar.puzzles(held_out=False)[0]
    row = evaluate(lm, {"greedy": greedy}, [prompt], class_grammar, max_tokens=4)["greedy"]
    assert row.outcomes[0].text == lm.decode_with(greedy, prompt, 4).best.text
    assert row.outcomes[0].true_log_prob == -math.inf  # an untrained model says nothing sensible


def test_a_continuation_may_change_the_last_word_of_the_prompt():
    lm = LunsformterModel(LunsDataset(texts=["tom sees", "tom see"]), dim=16)

    def add_letter(model, ids, max_tokens, tokenizer, prompt):
        result = greedy(model, ids, 1, tokenizer=tokenizer, prompt=prompt)
        result.best.text = "s"
        return result

    prompt = "eva saw a cat"
    row = evaluate(lm, {"letter": add_letter}, [prompt], class_grammar)["letter"]
    assert row.outcomes[0].true_log_prob == -math.inf and not row.outcomes[0].well_formed


@pytest.mark.parametrize(
    "decoders, prompts, error, message",
    [
        ({}, [""], TypeError, 'a dict of at least one, such as {"greedy": greedy}'),
        ([greedy], [""], TypeError, "decoders must be a dict"),
        ({1: greedy}, [""], TypeError, "the name of a decoder must be a str"),
        ({"x": 3}, [""], TypeError, "decoder 'x' is int, not a function"),
        ({"x": partial(sample, seed=1)}, [""], ValueError, "the same dice at every prompt"),
        ({"x": lambda *a, **k: "text"}, [""], TypeError, "decoder 'x' returned str, not a Result"),
        ({"x": greedy}, [], ValueError, "no prompts to judge by"),
        ({"x": greedy}, "how", TypeError, "a list of str, not one str"),
        ({"x": greedy}, ["once upon"], ValueError, "No sentence of this language begins with"),
        ({"x": greedy}, [3], TypeError, "must be a str"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_words(decoders, prompts, error, message):
    with pytest.raises(error, match=re.escape(message)):
        evaluate(GrammarModel(miniature_grammar), decoders, prompts, miniature_grammar)


def test_the_model_alone_is_not_enough_to_judge():
    bare = Lunsformter(LunsformterConfig(vocab_size=300, dim=16, num_heads=2))
    words = "lm must be a LunsformterModel, not Lunsformter: pass lm itself, not lm.model"
    with pytest.raises(TypeError, match=words):
        evaluate(bare, {"greedy": greedy}, [""], miniature_grammar)
    with pytest.raises(TypeError, match=words):
        word_log_probs(bare, ["how are you"])


def test_an_unknown_decoder_is_named_with_the_known_ones():
    table = evaluate(GrammarModel(miniature_grammar), {"one": greedy}, [""], miniature_grammar)
    with pytest.raises(KeyError, match="no decoder 'two' here: one"):
        table["two"]


# --- how it is shown ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    decoders = {"greedy": greedy, "a <b> & $x$": insideout, "beam": beam_search, "sampling": sample}
    return evaluate(GUESSER, decoders, EARLY, class_grammar)


def test_the_table_as_text(table):
    lines = str(table).splitlines()
    assert lines[0] == "4 decoders, 60 prompts"
    assert all(name in lines[1] for name in COLUMNS.values())
    for line, row in zip(lines[2:6], table.rows, strict=True):
        assert line.startswith(row.name) and len(line) == len(lines[1])
        assert f"{100 * row.right.value:.1f} [{100 * row.right.low:.1f}, " in line
        assert line.endswith(f"{row.tokens_computed:.1f}")
    assert repr(table) == str(table)


def test_the_table_as_html_is_escaped_and_whole(table):
    page = table._repr_html_()
    assert "a &lt;b&gt; &amp; $x$" in page and "<b>" not in page
    assert page.count('scope="row"') == 4 and page.count('scope="col"') == 1 + len(COLUMNS)
    assert page.count("<td") == 4 * len(COLUMNS)
    low = f"{100 * table['sampling'].right.low:.1f}"
    assert f"[{low}, " in page


def test_the_picture_describes_itself_in_numbers(table):
    picture = table.plot()
    assert picture.png.startswith(b"\x89PNG")
    for row in table.rows:
        numbers = row.right.text(digits=1, scale=100)
        assert f"{row.name} {numbers} at {row.tokens_computed:.1f} tokens" in picture.alt


def test_names_in_the_picture_do_not_cover_each_other():
    decoders = {f"decoder {i}": greedy for i in range(12)}
    picture = evaluate(GUESSER, decoders, EARLY[:3], class_grammar).plot()
    renderer = picture.figure.canvas.get_renderer()
    names = picture.figure.axes[0].texts
    boxes = [Text.get_window_extent(name, renderer) for name in names]  # without their lines
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) == 12
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))


# --- a model and the truth ------------------------------------------------------------------------


def test_the_language_itself_is_at_the_floor():
    gap = gap_to_floor(GrammarModel(class_grammar), class_grammar, class_grammar.corpus(50, seed=7))
    assert gap.nats == pytest.approx(0, abs=1e-9) and gap.standard_error < 1e-9
    assert gap.entropy == class_grammar.entropy()
    assert abs(gap.cross_entropy - gap.entropy) < 4 * gap.cross_entropy_error


def test_a_known_lack_is_found_and_more_sharply_in_pairs():
    guesser = GrammarModel(class_grammar.variant(guessed={"shell game"}))
    gap = gap_to_floor(guesser, class_grammar, class_grammar.corpus(1500, seed=8))
    exactly = class_grammar.gap_terms()["shell game: direct answers"]
    assert abs(gap.nats - exactly) < 3 * gap.standard_error < 0.1
    assert 2 * gap.standard_error < gap.cross_entropy_error
    assert f"{gap.nats:.3f} ± {gap.standard_error:.3f} nats a sentence" in str(gap)


def test_word_log_probs_of_a_grammar():
    logs = word_log_probs(GrammarModel(miniature_grammar), ["i see kites too", "i see you"])
    assert np.exp(logs[0]) == pytest.approx([0.6, 0.55, 0.55, 0.3, 1.0])
    assert np.exp(logs[1]) == pytest.approx([0.6, 0.55, 0.0, 0.0])


@pytest.fixture(scope="module")
def lm():
    texts = ["a cat saw it", "the dog didn't see 12 cats", "well , hello"]
    return LunsformterModel(LunsDataset(texts=texts), dim=16, seed=4)


def test_word_log_probs_add_up_to_the_loss(lm):
    text = "the hen didn't see 123 cats , hello"
    logs = word_log_probs(lm, [text])[0]
    ids = lm.tokenizer.encode(text, add_bos=True, add_eos=True)
    assert len(logs) == 1 + len(text.split()) < len(ids)
    loss = lm.model.loss(np.array([ids[:-1]]), np.array([ids[1:]]))
    assert -logs.sum() == pytest.approx(loss * (len(ids) - 1), rel=1e-5)
    # A word alone: what its own tokens cost.
    start = len(lm.tokenizer.encode("the hen", add_bos=True))
    end = len(lm.tokenizer.encode("the hen didn't", add_bos=True))
    logits = lm.model.forward(np.array([ids[:-1]]))[0].astype(float)  # [T, V]
    each = [logits[t] - np.log(np.exp(logits[t]).sum()) for t in range(start - 1, end - 1)]
    expected = sum(row[token] for row, token in zip(each, ids[start:end], strict=True))
    assert logs[2] == pytest.approx(expected, rel=1e-5)


def test_neighbours_in_a_batch_do_not_matter(lm):
    texts = ["a cat", "the dog saw it , well , hello a cat saw it", "hello"] * 30
    together = word_log_probs(lm, texts)
    alone = [word_log_probs(lm, [text])[0] for text in texts[:3]]
    for i, logs in enumerate(together):
        assert logs == pytest.approx(alone[i % 3], abs=1e-4)


@pytest.mark.parametrize("text", ["a  cat", " a cat", "a cat "])
def test_words_have_one_space_between_them(lm, text):
    with pytest.raises(ValueError, match="one space between"):
        word_log_probs(lm, [text])


def test_a_sentence_that_does_not_fit_is_refused(lm):
    with pytest.raises(ValueError, match="reads 64 tokens at a time"):
        word_log_probs(lm, ["a cat " * 40 + "a"])


def test_one_text_is_no_list_of_sentences(lm):
    for model in (GrammarModel(miniature_grammar), lm):
        with pytest.raises(TypeError, match="a list of texts, not one text: 'how are you'"):
            word_log_probs(model, "how are you")
        with pytest.raises(TypeError, match="a list of texts, not one text: 'how are you'"):
            gap_to_floor(model, miniature_grammar, "how are you")
        with pytest.raises(TypeError, match="a sentence must be a str, not int: 3"):
            word_log_probs(model, [3])
        assert word_log_probs(model, []) == word_log_probs(model, iter(())) == []


def test_a_gap_needs_sentences_of_the_language(lm):
    with pytest.raises(ValueError, match="at least two sentences, not 1"):
        gap_to_floor(lm, miniature_grammar, ["how are you"])
    with pytest.raises(ValueError, match="the language never says 'how are'"):
        gap_to_floor(lm, miniature_grammar, ["how are you", "how are"])
